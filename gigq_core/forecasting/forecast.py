"""When the work will be done: the order of the claims, simulated with what past runs took.

Nothing here reads or writes anything. A simulated run gives each slot, in its turn, the job that a
worker would claim next, and draws what it takes from the past runs of its function. Many such runs
make the spread. What it costs is bounded: jobs that are alike are drawn in portions, fewer runs are
made of a large graph, and of one too large for that only the two bounds of any list scheduling are
told, by means.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from gigq_core.units.spread import Spread

# Simulated runs: so many of a small queue, and at least so many of a large one.
MOST_RUNS = 200
LEAST_RUNS = 10
# Begun attempts in all simulated runs together: about half a second of one core.
MOST_EVENTS = 100_000
# Beyond so many units, once those that are alike were put together, nothing is simulated.
MOST_UNITS = 10_000
# So often a job is tried in one simulated run: where it may be more often, each try is several.
MOST_TRIES = 10
# So many begun attempts lie between two stops of `simulate`: about ten milliseconds.
EVENTS_A_STEP = 2_000
# The same of jobs that are taken in.
JOBS_A_STEP = 2_000
# Up to so many jobs each is simulated by itself.
SINGLE_UP_TO = 2_000
# The first portion of what waits in a lane with limits is at most this part of it: a job further
# back is asked about, and few of them run at a time.
PORTIONS_OF_A_LANE = 16
# A portion of at least so many jobs takes its sum by mean and variance.
NORMAL_FROM = 16
# What a function's runs are taken to scatter by at least (of their logarithms), with few known.
LEAST_SCATTER = 0.15
SCATTER_OF_FEW = 0.6
FEW = 3
# How far from the runs of all functions one may be that has never run.
SCATTER_OF_UNKNOWN = 0.8
# How much what a job says of its progress may be off, when it has just begun.
SCATTER_OF_PROGRESS = 0.4
LEAST_PROGRESS = 0.02
# Points of a law that is not simply a list of what was seen.
LAW_POINTS = 256

NO_SLOTS = "no worker takes new jobs"
NOTHING_LEFT = "nothing is left to run"
ALL_STUCK = "all that is left is blocked for good"
NOTHING_KNOWN = "none of these functions has ever run to its end"
LANES_CLOSED = "all that is left waits in lanes that are paused or that no worker takes"
OTHER_LANES_ALONE = "the workers take jobs of other lanes alone"


@dataclass(frozen=True)
class Unfinished:
    """A job that waits or runs, or several that are alike. Times in seconds, from now.

    `parents` are those that have not completed, by id: one that is not among the jobs given is
    taken for completed. `policies` says by parent what its failure brings about, "cancel" or "run".
    `place` is its place in the order of submission, and with `count` alike jobs that of the first,
    `last_place` that of the last. `running_s` is how long its attempt has run, `done_share` how
    much of it is done, from 0 to 1, where it tells. `attempts_left` counts that attempt.
    `doomed` says that it never runs, `has_begun` that it was tried before. `lane` is the one that
    it is in, "" for none, and `worker` the one that runs it.
    """

    id: str
    function: str
    parents: tuple[str, ...] = ()
    priority: int = 0
    place: int = 0
    running_s: float | None = None
    done_share: float | None = None
    due_s: float = 0.0
    attempts_left: int = 1
    retry_delay_s: float = 0.0
    timeout_s: float = math.inf
    count: int = 1
    last_place: int = 0
    policies: Mapping[str, str] = field(default_factory=dict)
    doomed: bool = False
    has_begun: bool = False
    lane: str = ""
    worker: str = ""


@dataclass(frozen=True)
class LaneLimits:
    """What a lane lets begin. Times in seconds, from now.

    `running` is how many may run at a time. By its rate, starts are `apart_s` apart, but `burst` of
    them at once, and at `earned_s` all that were spent are earned again. Up to `opens_s` it is
    shut. `closed` says why nobody knows when anything begins in it, such as a pause.
    """

    running: int | None = None
    apart_s: float = 0.0
    burst: int = 1
    earned_s: float = 0.0
    opens_s: float = 0.0
    closed: str = ""

    @property
    def next_s(self) -> float:
        """When the next may start, but for how many run."""
        by_rate = self.earned_s - (self.burst - 1) * self.apart_s if self.apart_s > 0 else 0.0
        return max(self.opens_s, by_rate)

    @property
    def holds(self) -> bool:
        """Whether it may hold a job back."""
        return self.running is not None or self.apart_s > 0 or self.opens_s > 0


FREE = LaneLimits()


@dataclass(frozen=True)
class Crew:
    """Slots that take the same jobs, with those that run on them.

    `lanes` are the lanes whose jobs they take, "" for jobs in none; None for all. `workers` are the
    ids of those whose slots they are.
    """

    slots: int
    lanes: frozenset[str] | None = None
    workers: frozenset[str] = frozenset()

    def takes(self, lane: str) -> bool:
        """Whether they take a lane's jobs."""
        return self.lanes is None or lane in self.lanes


@dataclass(frozen=True)
class PastRuns:
    """What is known of a function: seconds that attempts took, by how they ended.

    `running` are those that go on, so far: without them, what is slow would be missing.
    """

    done: Sequence[float] = ()
    failed: Sequence[float] = ()
    running: Sequence[float] = ()


@dataclass(frozen=True)
class Link:
    """A job of the chain that decides the end, and the share of simulated runs in which it did."""

    id: str
    share: float


@dataclass(frozen=True)
class Window:
    """When a job probably begins and ends."""

    begin: Spread
    end: Spread


@dataclass(frozen=True)
class Forecast:
    """When it will be done; `end` is None where that can't be told, and `reason` says why.

    `chain` decides the end, its first job first; `chain_busy` is the share of the time to the end
    in which that chain runs: where it is low, the slots decide. `runs` is how many past runs it
    stands on, `unknown` which functions have none, `stuck` how many jobs never run as things stand.
    `windows` has the jobs that were asked for, and `held` says of those that wait for a lane which
    nobody knows to open, why.
    """

    end: Spread | None = None
    reason: str = ""
    chain: tuple[Link, ...] = ()
    chain_busy: float = 0.0
    runs: int = 0
    unknown: tuple[str, ...] = ()
    stuck: int = 0
    windows: Mapping[str, Window] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)


def forecast(
    jobs: Iterable[Unfinished],
    past: Mapping[str, PastRuns],
    slots: int | Sequence[Crew],
    *,
    lanes: Mapping[str, LaneLimits] | None = None,
    of: Collection[str] = (),
    gap_s: float = 0.0,
    seed: int = 0,
) -> Forecast:
    """When all of some jobs will be done.

    Args:
        jobs: all that share the slots.
        past: by function.
        slots: how many jobs can run at once, with those that run now; by what they take, where
            not all take the same.
        lanes: what lanes allow, by name; one that is missing has no limits.
        of: ids of jobs whose own windows are wanted.
        gap_s: seconds that a slot stands between two jobs.
        seed: the same seed gives the same forecast.
    """
    steps = simulate(jobs, past, slots, lanes=lanes, of=of, gap_s=gap_s, seed=seed)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]


def simulate(
    jobs: Iterable[Unfinished],
    past: Mapping[str, PastRuns],
    slots: int | Sequence[Crew],
    *,
    lanes: Mapping[str, LaneLimits] | None = None,
    of: Collection[str] = (),
    gap_s: float = 0.0,
    seed: int = 0,
) -> Generator[None, None, Forecast]:
    """The same as `forecast`, in steps of about ten milliseconds each."""
    plan = _Plan([Crew(slots)] if isinstance(slots, int) else slots, lanes or {})
    yield from plan.take(jobs, frozenset(of))
    laws = _Laws(plan.functions, past, gap_s)
    told = Forecast(stuck=plan.stuck, runs=laws.runs, unknown=laws.unknown, held=plan.held)
    reason = _why_none(plan, laws)
    if reason:
        return replace(told, runs=0, reason=reason)
    yield
    if len(plan.units) > MOST_UNITS:
        return replace(told, end=_bounds(plan, laws))
    runs = max(LEAST_RUNS, min(MOST_RUNS, MOST_EVENTS // max(1, len(plan.units))))
    tally = _Tally(plan)
    since = 0
    for number in range(runs):
        run = _Run(plan, laws, Random(f"{seed}/{number}"))
        yield from run.go()
        tally.add(run)
        since += len(plan.units)
        if since >= EVENTS_A_STEP:
            since = 0
            yield
    return tally.told(told)


def _why_none(plan: _Plan, laws: _Laws) -> str:
    if not plan.units:
        return plan.closed_words() or (ALL_STUCK if plan.stuck else NOTHING_LEFT)
    if plan.slots < 1 and any(unit.job.running_s is None for unit in plan.units):
        return NO_SLOTS
    return "" if laws.runs else NOTHING_KNOWN


# --- what is to be done -----------------------------------------------------------------------


@dataclass
class _Unit:
    """What takes a slot at a time: a job, or a portion of alike ones."""

    job: Unfinished
    function: int
    count: int
    place: float
    # Which slots take it, and by which limits it begins; -1 for none.
    pool: int
    line: int
    parents: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)


class _Plan:
    """The jobs as units, with their edges as places in a list; parents stand before children."""

    def __init__(self, crews: Sequence[Crew], lanes: Mapping[str, LaneLimits]) -> None:
        # What takes least is first to be given something.
        self.crews = sorted(crews, key=_breadth)
        self.slots = sum(max(0, crew.slots) for crew in crews)
        self.crew_of = {id: at for at, crew in enumerate(self.crews) for id in crew.workers}
        self.stuck = 0
        self.held: dict[str, str] = {}
        # The lanes in which nothing begins, and why; those of them in which something waits.
        self._closed: dict[str, str] = {}
        self._holding: list[str] = []
        self._lanes = lanes
        # Jobs that the same crews take are in one pool: the places of these crews.
        self.pools: list[tuple[int, ...]] = []
        # The lanes with limits, with their pools.
        self.lines: list[tuple[LaneLimits, int]] = []
        # By lane: the pool, and the line or -1.
        self._ways: dict[str, tuple[int, int]] = {}
        self.functions: list[str] = []
        self.units: list[_Unit] = []
        # The units whose windows are wanted, by the job's id.
        self.asked: dict[str, int] = {}

    def take(self, jobs: Iterable[Unfinished], of: frozenset[str]) -> Iterator[None]:
        """Take the jobs in, in steps."""
        known = {job.id: job for job in jobs}
        yield
        self._look_at_lanes(dict.fromkeys(job.lane for job in known.values()))
        never = {job.id for job in known.values() if job.doomed}
        if self._closed:
            held = [job for job in known.values() if self._is_held(job)]
            never.update(job.id for job in held)
            self._holding = list(dict.fromkeys(job.lane for job in held))
        yield
        runs = yield from _that_run(known, never)
        if self._closed:
            self.held = {id: why for id in of if (why := self._why_held(known, id))}
        self.stuck = sum(job.count for job in known.values()) - sum(job.count for job in runs)
        self.functions = list(dict.fromkeys(job.function for job in runs))
        groups = yield from _put_together(runs, of)
        yield from self._portion(groups)
        self.asked = {unit.job.id: at for at, unit in enumerate(self.units) if unit.job.id in of}
        yield

    def _look_at_lanes(self, names: Iterable[str]) -> None:
        pools: dict[tuple[int, ...], int] = {}
        for name in names:
            limits = self._lanes.get(name, FREE)
            takers = tuple(at for at, crew in enumerate(self.crews) if crew.takes(name))
            if limits.closed:
                self._closed[name] = limits.closed
            elif self.slots > 0 and not any(self.crews[at].slots > 0 for at in takers):
                self._closed[name] = (
                    f"lane {name}: no worker takes it" if name else OTHER_LANES_ALONE
                )
            pool = pools.setdefault(takers, len(pools))
            line = -1
            if limits.holds or name in self._closed:
                line = len(self.lines)
                opens_s = math.inf if name in self._closed else limits.opens_s
                self.lines.append((replace(limits, opens_s=opens_s), pool))
            self._ways[name] = pool, line
        self.pools = list(pools)

    def _is_held(self, job: Unfinished) -> bool:
        return job.lane in self._closed and job.running_s is None

    def _why_held(self, known: Mapping[str, Unfinished], id: str) -> str:
        """Which closed lane a job waits for: its own, or that of a job it waits for."""
        way, seen = [id], {id}
        for above in way:  # grows meanwhile
            job = known.get(above)
            if job is None or job.running_s is not None:
                continue
            if job.lane in self._closed:
                return self._closed[job.lane]
            if len(way) < JOBS_A_STEP:
                more = [parent for parent in job.parents if parent not in seen]
                way += more
                seen.update(more)
        return ""

    def closed_words(self) -> str:
        """Which lanes hold all that is left, where they do."""
        if len(self._holding) > 1:
            return LANES_CLOSED
        return self._closed[self._holding[0]] if self._holding else ""

    def at_once(self, lane: str) -> int:
        """How many jobs of a lane can run at a time."""
        pool, line = self._ways[lane]
        slots = sum(max(0, self.crews[at].slots) for at in self.pools[pool])
        running = self.lines[line][0].running if line >= 0 else None
        return max(1, slots if running is None else min(slots, running))

    def _sizes(self, job: Unfinished, count: int, alone: bool, groups: int) -> Iterable[int]:
        at_once = self.at_once(job.lane)
        if self._ways[job.lane][1] < 0:
            return _portions(count, 2 * at_once, alone)
        if groups * PORTIONS_OF_A_LANE > MOST_UNITS:
            # Very many lanes: each is as long as it is, and even ends matter less.
            return _evenly(count, min(count, at_once))
        return _portions(count, max(2 * at_once, PORTIONS_OF_A_LANE), alone)

    def _portion(self, groups: list[list[Unfinished]]) -> Iterator[None]:
        numbers = {name: number for number, name in enumerate(self.functions)}
        alone = sum(job.count for group in groups for job in group) <= SINGLE_UP_TO
        units_of: dict[str, list[int]] = {}
        taken = 0
        for group in groups:
            taken += len(group)
            if taken >= JOBS_A_STEP:
                taken = 0
                yield
            first, count = group[0], sum(job.count for job in group)
            last = max(max(job.last_place, job.place) for job in group)
            own: list[int] = []
            if alone and len(group) == count:
                for job in group:
                    own.append(self._unit(job, numbers, 1, job.place))
            else:
                done = 0
                for size in self._sizes(first, count, alone, len(groups)):
                    place = first.place + (last - first.place) * done / count
                    own.append(self._unit(first, numbers, size, place))
                    done += size
            for job in group:
                units_of[job.id] = own
            # A group's jobs have the same parents, which stand before it.
            parents = {unit for parent in first.parents for unit in units_of.get(parent, ())}
            for unit in own:
                self.units[unit].parents.extend(parents)
            for parent in parents:
                self.units[parent].children.extend(own)

    def _unit(self, job: Unfinished, numbers: dict[str, int], count: int, place: float) -> int:
        self.units.append(_Unit(job, numbers[job.function], count, place, *self._ways[job.lane]))
        return len(self.units) - 1


def _breadth(crew: Crew) -> float:
    """How many lanes some slots take."""
    return math.inf if crew.lanes is None else len(crew.lanes)


def _that_run(
    known: dict[str, Unfinished], never: Collection[str]
) -> Generator[None, None, list[Unfinished]]:
    """The jobs that can run at all, parents before children: without circles and what is doomed."""
    children: dict[str, list[str]] = {}
    left: dict[str, int] = {}
    free: list[str] = []
    for place, (id, job) in enumerate(known.items(), start=1):
        if not place % JOBS_A_STEP:
            yield
        parents = [parent for parent in set(job.parents) if parent in known]
        left[id] = len(parents)
        for parent in parents:
            children.setdefault(parent, []).append(id)
        if not parents and id not in never:
            free.append(id)
    order = []
    for id in free:  # grows meanwhile
        order.append(known[id])
        if not len(order) % JOBS_A_STEP:
            yield
        for child in children.get(id, ()):
            left[child] -= 1
            if not left[child] and child not in never:
                free.append(child)
    return order


def _put_together(
    jobs: list[Unfinished], of: frozenset[str]
) -> Generator[None, None, list[list[Unfinished]]]:
    """Groups of waiting jobs that nothing tells apart, in the order of their first."""
    if sum(job.count for job in jobs) <= SINGLE_UP_TO:
        return [[job] for job in jobs]
    children: dict[str, list[str]] = {}
    for job in jobs:
        for parent in job.parents:
            children.setdefault(parent, []).append(job.id)
    groups: dict[object, list[Unfinished]] = {}
    for place, job in enumerate(jobs, start=1):
        if not place % JOBS_A_STEP:
            yield
        key: object = job.id
        if job.running_s is None and job.id not in of and job.due_s <= 0 and not job.policies:
            mine = frozenset(children.get(job.id, ()))
            alike = (job.function, job.priority, frozenset(job.parents), mine, job.lane)
            key = (*alike, job.attempts_left, job.retry_delay_s)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _portions(count: int, share: int, alone: bool) -> Iterable[int]:
    """Portions that become smaller, down to single jobs: the end of the work is even then."""
    while count:
        size = 1 if alone else max(1, count // share)
        yield size
        count -= size


def _evenly(count: int, portions: int) -> Iterable[int]:
    """Portions of the same size, but for one."""
    return (count * (at + 1) // portions - count * at // portions for at in range(portions))


# --- what runs take ---------------------------------------------------------------------------


class _Law:
    """What attempts of one kind take: points of equal weight, in order."""

    def __init__(self, ended: Sequence[float], running: Sequence[float] = ()) -> None:
        seen = sorted(max(0.0, took) for took in ended)
        # What goes on says something only of what is longer than what ended soonest.
        longer = [took for took in running if seen and took > seen[0]]
        self.points = _with_running(seen, longer) if longer else seen
        self.mean = _mean(self.points) if self.points else 0.0
        self.variance = _variance(self.points) if len(seen) > 1 else 0.0

    def above(self, took: float) -> int:
        """How many points are longer."""
        return len(self.points) - bisect_right(self.points, took)


def _with_running(ended: list[float], running: list[float]) -> list[float]:
    """The product limit of what ended and what still runs, which counts among what is longer."""
    events = sorted([(took, True) for took in ended] + [(took, False) for took in running])
    left, weight = len(events), 1.0
    steps: list[tuple[float, float]] = []
    for took, has_ended in events:
        if has_ended:
            steps.append((took, weight / left))
            weight -= weight / left
        left -= 1
    longest = steps[-1][0]
    if weight > 1e-9:
        # Nothing that ended was as long: as long again, as good a guess as any.
        beyond = _mean([took for took in running if took >= longest] or [longest])
        steps.append((max(longest, 1.5 * beyond), weight))
    points, at, sum_up_to = [], 0, steps[0][1]
    for number in range(LAW_POINTS):
        wanted = (number + 0.5) / LAW_POINTS
        while sum_up_to < wanted and at + 1 < len(steps):
            at += 1
            sum_up_to += steps[at][1]
        points.append(steps[at][0])
    return points


@dataclass(frozen=True)
class _Function:
    """How one function's attempts go; `scatter` is how far its mean may be off, as a logarithm."""

    done: _Law
    failed: _Law
    share_failed: float
    scatter: float


class _Laws:
    """How attempts go, by the number of the function in the plan."""

    def __init__(
        self, functions: Sequence[str], past: Mapping[str, PastRuns], gap_s: float
    ) -> None:
        self.gap_s = gap_s
        self.runs = 0
        found: list[_Function | None] = []
        unknown = []
        for name in functions:
            runs = past.get(name, PastRuns())
            number = len(runs.done) + len(runs.failed)
            self.runs += number
            if not number:
                unknown.append(name)
            found.append(_function(runs) if number else None)
        self.unknown = tuple(unknown)
        # One that never ran may be like any other: of these, or else of all.
        others = [function for function in found if function is not None]
        if not others:
            others = [_function(runs) for runs in past.values() if runs.done or runs.failed]
            self.runs = sum(len(runs.done) + len(runs.failed) for runs in past.values())
        self.others = others
        self.of = found

    def drawn(self, random: Random) -> list[tuple[_Function, float]]:
        """For one simulated run: how each function goes, and by how much it is off the past."""
        chosen = []
        for function in self.of:
            if function is None:
                function, scatter = random.choice(self.others), SCATTER_OF_UNKNOWN
            else:
                scatter = function.scatter
            # Its mean is 1: how little is known makes nothing longer.
            off = random.gauss(-scatter * scatter / 2, scatter)
            chosen.append((function, math.exp(off)))
        return chosen


def _function(runs: PastRuns) -> _Function:
    number = len(runs.done) + len(runs.failed)
    logs = [math.log(max(took, 1e-4)) for took in (*runs.done, *runs.failed)]
    scatter = max(LEAST_SCATTER, math.sqrt(_variance(logs))) if number > 1 else SCATTER_OF_FEW
    if number < FEW:
        scatter = max(scatter, SCATTER_OF_FEW)
    done = _Law(runs.done or runs.failed, runs.running)
    failed = _Law(runs.failed or runs.done)
    return _Function(done, failed, len(runs.failed) / number, scatter / math.sqrt(number))


# --- one simulated run ------------------------------------------------------------------------


class _Run:
    """One simulated run: what begins and ends when, from now."""

    def __init__(self, plan: _Plan, laws: _Laws, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._gap_s = laws.gap_s
        self._drawn = laws.drawn(random)
        count = len(plan.units)
        self.begin = [math.inf] * count
        self.end = [math.inf] * count
        # The parent that ended last, and how long it ran in all.
        self.cause = [-1] * count
        self.busy = [0.0] * count
        self.last = -1
        self._left = [len(unit.parents) for unit in plan.units]
        self._attempts = [unit.job.attempts_left for unit in plan.units]
        # How many attempts a try stands for.
        self._at_once = [-(-left // MOST_TRIES) for left in self._attempts]
        # When something happens, to which unit or line, and what it is.
        self._events: list[tuple[float, int, int]] = []
        self._floor = _Floor(plan, self._events)
        # The crew that each runs on.
        self._on = [-1] * count
        self._given_up = [False] * count

    def go(self) -> Generator[None, None, None]:
        """Run it to its end."""
        self._begin_with()
        events, floor = self._events, self._floor
        pop, push = heapq.heappop, heapq.heappush
        begun = 0
        now = 0.0
        while True:
            # What happens at the same moment comes first.
            while not (events and events[0][0] <= now) and (claimed := floor.claim(now)):
                unit, self._on[unit] = claimed[0], claimed[1]
                begun += 1
                if now < self.begin[unit]:
                    self.begin[unit] = now
                took, failed = self._attempt(unit)
                self.busy[unit] += took
                push(events, (now + took + self._gap_s, unit, _FAILED if failed else _DONE))
                if self._plan.units[unit].line >= 0:
                    floor.begun(unit, self._starts(unit), now)
                if not begun % EVENTS_A_STEP:
                    yield
            if not events:
                return
            now, unit, what = pop(events)
            if what == _OPENS:
                floor.opens(unit, now)
            elif what == _DUE:
                floor.offer(unit, now)
            else:
                floor.ended(unit, self._on[unit], now)
                if what == _DONE:
                    self._ended(unit, now)
                else:
                    self._has_failed(unit, now)

    def _begin_with(self) -> None:
        """Take in what runs, and what is ready."""
        plan, floor = self._plan, self._floor
        for number, unit in enumerate(plan.units):
            job = unit.job
            if job.running_s is not None:
                # A slot of a worker that takes no more is none that becomes free.
                crew = plan.crew_of.get(job.worker, -1 if job.worker else 0)
                self._on[number] = crew
                floor.runs(number, crew)
                self.begin[number] = -job.running_s
                took, failed = self._rest(number, job.running_s)
                self.busy[number] = took
                heapq.heappush(self._events, (took, number, _FAILED if failed else _DONE))
        for number, unit in enumerate(plan.units):
            if unit.job.running_s is None and not self._left[number]:
                if unit.job.due_s > 0:
                    heapq.heappush(self._events, (unit.job.due_s, number, _DUE))
                else:
                    floor.offer(number, 0.0)

    def _ended(self, number: int, now: float) -> None:
        self.end[number] = now
        self.last = number
        self._release(number, now)

    def _release(self, number: int, now: float) -> None:
        for child in self._plan.units[number].children:
            self._left[child] -= 1
            if not self._left[child] and not self._given_up[child]:
                self.cause[child] = number
                due_s = self._plan.units[child].job.due_s
                if due_s > now:
                    heapq.heappush(self._events, (due_s, child, _DUE))
                else:
                    self._floor.offer(child, now)

    def _has_failed(self, number: int, now: float) -> None:
        at_once = self._at_once[number]
        self._attempts[number] -= at_once
        job = self._plan.units[number].job
        if self._attempts[number] > 0:
            if job.retry_delay_s > 0:
                heapq.heappush(self._events, (now + at_once * job.retry_delay_s, number, _DUE))
            else:
                self._floor.offer(number, now)
            return
        self.end[number] = now
        self.last = number
        self._tell_children(number, now)

    def _tell_children(self, number: int, now: float) -> None:
        """A job failed for good: what its children were told for that happens."""
        bad = [number]
        for parent in bad:  # grows meanwhile
            id = self._plan.units[parent].job.id
            for child in self._plan.units[parent].children:
                policy = self._plan.units[child].job.policies.get(id)
                if self._given_up[child]:
                    continue
                if policy == "run":
                    self._left[child] -= 1
                    if not self._left[child]:
                        self.cause[child] = parent
                        self._floor.offer(child, now)
                elif policy == "cancel":
                    self._given_up[child] = True
                    bad.append(child)

    def _attempt(self, number: int) -> tuple[float, bool]:
        """What the next attempt takes, and whether it fails; of a portion, all of its jobs'."""
        unit = self._plan.units[number]
        function, factor = self._drawn[unit.function]
        if unit.count > 1:
            return self._portion(unit, function) * factor, False
        random = self._random.random
        share, at_once = function.share_failed, self._at_once[number]
        failed = share > 0 and random() < share**at_once
        points = (function.failed if failed else function.done).points
        took = points[int(random() * len(points))] * factor
        if took > unit.job.timeout_s:
            took, failed = unit.job.timeout_s, True
        if failed:
            return took * at_once, True
        # Those of them that failed before.
        bad = (1.0 - share**at_once) / (1.0 - share) - 1.0 if share < 1 else 0.0
        return took + bad * function.failed.mean * factor, False

    def _starts(self, number: int) -> float:
        """How many starts the next attempt is; of a portion, all of its jobs'."""
        unit = self._plan.units[number]
        if unit.count == 1:
            return self._at_once[number]
        return unit.count * _tries(unit, self._drawn[unit.function][0])

    def _portion(self, unit: _Unit, function: _Function) -> float:
        share = function.share_failed
        tries = _tries(unit, function)
        done = 1.0 - share ** max(1, unit.job.attempts_left)
        bad = tries * share
        if unit.count < NORMAL_FROM:
            points, more = function.done.points, function.failed.points
            random = self._random.random
            took = sum(points[int(random() * len(points))] for _ in range(unit.count)) * done
            if bad:
                took += bad * sum(more[int(random() * len(more))] for _ in range(unit.count))
        else:
            mean = done * function.done.mean + bad * function.failed.mean
            variance = done * function.done.variance
            variance += bad * (function.failed.variance + function.failed.mean**2)
            took = self._random.gauss(unit.count * mean, math.sqrt(unit.count * variance))
        gaps = self._gap_s * (unit.count * tries - 1)
        return max(took, unit.count * function.done.points[0]) + gaps

    def _rest(self, number: int, ran: float) -> tuple[float, bool]:
        """What an attempt takes on that has run so long, and whether it fails."""
        unit = self._plan.units[number]
        job, random = unit.job, self._random
        function, factor = self._drawn[unit.function]
        left = max(0.0, job.timeout_s - ran)
        share = job.done_share
        if share is not None and share >= LEAST_PROGRESS and ran > 0:
            off = math.exp(random.gauss(0.0, SCATTER_OF_PROGRESS * (1.0 - min(1.0, share))))
            return min(left, ran * max(0.0, 1.0 - share) / share * off), False
        longer_done = function.done.above(ran / factor)
        longer_failed = function.failed.above(ran / factor)
        bad = function.share_failed * longer_failed / len(function.failed.points)
        good = (1.0 - function.share_failed) * longer_done / len(function.done.points)
        if bad + good <= 0:
            # Longer than anything before: the longer it ran, the longer it may still run.
            took = ran * (max(1e-3, random.random()) ** -0.5 - 1.0)
            return (took, False) if took < left else (left, True)
        failed = random.random() * (bad + good) < bad
        law, longer = (function.failed, longer_failed) if failed else (function.done, longer_done)
        took = law.points[len(law.points) - 1 - int(random.random() * longer)] * factor - ran
        return (max(0.0, took), failed) if took < left else (left, True)


def _tries(unit: _Unit, function: _Function) -> float:
    """How many attempts a job of a portion needs, in the mean."""
    share, attempts = function.share_failed, max(1, unit.job.attempts_left)
    return (1.0 - share**attempts) / (1.0 - share) if share < 1 else float(attempts)


_DUE, _DONE, _FAILED, _OPENS = range(4)


class _Line:
    """What waits in a lane with limits, and what the lane lets begin."""

    __slots__ = ("apart_s", "burst", "earned_s", "most", "opens_s", "pool", "running", "waiting")

    def __init__(self, limits: LaneLimits, pool: int) -> None:
        self.pool = pool
        self.most = math.inf if limits.running is None else limits.running
        self.apart_s, self.burst = limits.apart_s, limits.burst
        self.earned_s, self.opens_s = limits.earned_s, limits.next_s
        self.running = 0
        self.waiting: list[tuple[int, float, int]] = []


class _Floor:
    """Who takes what: the free slots, and what is ready for them, in the order of the claims.

    A pool has all that is ready, but of a lane with limits its first job alone, and only while the
    lane lets it begin. What was put there and is no longer so is left there until it comes up.
    """

    def __init__(self, plan: _Plan, events: list[tuple[float, int, int]]) -> None:
        self._units = plan.units
        self._events = events
        self._free = [max(0, crew.slots) for crew in plan.crews]
        self._ready: list[list[tuple[int, float, int]]] = [[] for _ in plan.pools]
        self._lines = [_Line(limits, pool) for limits, pool in plan.lines]
        # Most queues: all take all, and nothing is held back.
        self._is_plain = len(plan.crews) == len(plan.pools) == 1 and not plan.lines
        # The pools of each crew.
        self._of = [
            (crew, [self._ready[at] for at, takers in enumerate(plan.pools) if crew in takers])
            for crew in range(len(plan.crews))
        ]

    def offer(self, number: int, now: float) -> None:
        """A unit has become ready."""
        unit = self._units[number]
        turn = (-unit.job.priority, unit.place, number)
        if unit.line < 0:
            heapq.heappush(self._ready[unit.pool], turn)
            return
        line = self._lines[unit.line]
        heapq.heappush(line.waiting, turn)
        if line.waiting[0] is turn:
            self._show(unit.line, now)

    def claim(self, now: float) -> tuple[int, int] | None:
        """The unit that begins next, and the crew on whose slot."""
        if self._is_plain:
            if self._free[0] <= 0 or not self._ready[0]:
                return None
            self._free[0] -= 1
            return heapq.heappop(self._ready[0])[2], 0
        for crew, pools in self._of:
            if self._free[crew] <= 0:
                continue
            best = None
            for ready in pools:
                while ready and not self._is_open(ready[0], now):
                    heapq.heappop(ready)
                if ready and (best is None or ready[0] < best[0]):
                    best = ready
            if best is not None:
                self._free[crew] -= 1
                return heapq.heappop(best)[2], crew
        return None

    def begun(self, number: int, starts: float, now: float) -> None:
        """A unit of a line was claimed, and is so many starts."""
        at = self._units[number].line
        line = self._lines[at]
        heapq.heappop(line.waiting)
        line.running += 1
        if line.apart_s > 0:
            line.earned_s = max(line.earned_s, now) + starts * line.apart_s
            line.opens_s = max(line.opens_s, line.earned_s - (line.burst - 1) * line.apart_s)
        self._show(at, now)

    def runs(self, number: int, crew: int) -> None:
        """A unit runs from before."""
        if crew >= 0:
            self._free[crew] -= 1
        if self._units[number].line >= 0:
            self._lines[self._units[number].line].running += 1

    def ended(self, number: int, crew: int, now: float) -> None:
        """An attempt of a unit ended."""
        if crew >= 0:
            self._free[crew] += 1
        at = self._units[number].line
        if at >= 0:
            self._lines[at].running -= 1
            self._show(at, now)

    def opens(self, at: int, now: float) -> None:
        """The moment has come at which a line may let something begin."""
        self._show(at, now, woken=True)

    def _is_open(self, turn: tuple[int, float, int], now: float) -> bool:
        """Whether what is ready in a pool still is."""
        at = self._units[turn[2]].line
        if at < 0:
            return True
        line = self._lines[at]
        is_first = bool(line.waiting) and line.waiting[0] == turn
        return is_first and line.running < line.most and line.opens_s <= now

    def _show(self, at: int, now: float, *, woken: bool = False) -> None:
        """Put a line's first into its pool, if it may begin; or look again once it may."""
        line = self._lines[at]
        if not line.waiting or line.running >= line.most:
            return
        if line.opens_s <= now:
            heapq.heappush(self._ready[line.pool], line.waiting[0])
        elif line.opens_s < math.inf and not woken:
            heapq.heappush(self._events, (line.opens_s, at, _OPENS))


# --- what many runs say -----------------------------------------------------------------------


class _Tally:
    """What is kept of the simulated runs."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._ends: list[float] = []
        self._busy: list[float] = []
        self._deciding: Counter[int] = Counter()
        self._last: Counter[int] = Counter()
        self._causes: dict[int, Counter[int]] = {}
        self._begins_of: dict[str, list[float]] = {id: [] for id in plan.asked}
        self._ends_of: dict[str, list[float]] = {id: [] for id in plan.asked}

    def add(self, run: _Run) -> None:
        """Take a run in that has come to its end."""
        last = run.last
        if last < 0:
            return
        end = run.end[last]
        self._ends.append(end)
        self._last[last] += 1
        busy = 0.0
        at = last
        while at >= 0:
            self._deciding[at] += 1
            busy += run.busy[at]
            cause = run.cause[at]
            self._causes.setdefault(at, Counter())[cause] += 1
            at = cause
        self._busy.append(min(1.0, busy / end) if end > 0 else 1.0)
        for id, number in self._plan.asked.items():
            if run.end[number] < math.inf:
                self._begins_of[id].append(run.begin[number])
                self._ends_of[id].append(run.end[number])

    def told(self, known: Forecast) -> Forecast:
        """What they say in all."""
        if not self._ends:
            # What runs fails, and its lane lets it begin no more.
            return replace(known, runs=0, reason=self._plan.closed_words() or ALL_STUCK)
        windows = {
            id: Window(_spread(self._begins_of[id]), _spread(ends))
            for id, ends in self._ends_of.items()
            if ends
        }
        return replace(
            known,
            end=_spread(self._ends),
            chain=tuple(self._chain()),
            chain_busy=_median(self._busy),
            windows=windows,
        )

    def _chain(self) -> list[Link]:
        at = self._last.most_common(1)[0][0]
        links = []
        while at >= 0:
            links.append(Link(self._plan.units[at].job.id, self._deciding[at] / len(self._ends)))
            at = self._causes[at].most_common(1)[0][0]
        return links[::-1]


def _spread(values: list[float]) -> Spread:
    values = sorted(values)

    def at(share: float) -> float:
        return values[min(len(values) - 1, int(share * len(values)))]

    return Spread(at(0.1), _median(values), at(0.9))


def _bounds(plan: _Plan, laws: _Laws) -> Spread:
    """Between the two bounds of any list scheduling: all the work by the slots, and the longest
    chain, of which no two jobs run at once."""
    means = []
    for number in range(len(plan.functions)):
        function = laws.of[number] or laws.others[0]
        done, failed = function.done.mean, function.failed.mean
        means.append(done * (1 - function.share_failed) + failed * function.share_failed)
    longest = 0.0
    reached = [0.0] * len(plan.units)
    work = [0.0] * len(plan.pools)
    # How much is to be done in each line, and by how many starts.
    of_line = [[0.0, 0.0] for _ in plan.lines]
    for number, unit in enumerate(plan.units):
        took = means[unit.function] + laws.gap_s
        work[unit.pool] += took * unit.count
        before = max((reached[parent] for parent in unit.parents), default=unit.job.due_s)
        reached[number] = before + took
        longest = max(longest, reached[number])
        if unit.line >= 0:
            of_line[unit.line][0] += took * unit.count
            of_line[unit.line][1] += unit.count
    for (limits, _), (took, starts) in zip(plan.lines, of_line, strict=True):
        if starts:
            by_rate = limits.next_s + (starts - limits.burst) * limits.apart_s
            at_once = limits.running or starts
            longest = max(longest, by_rate, limits.opens_s + took / at_once)
    even = sum(work) / max(1, plan.slots)
    for takers, took in zip(plan.pools, work, strict=True):
        even = max(even, took / max(1, sum(plan.crews[at].slots for at in takers)))
    least, most = max(even, longest), even + longest
    return Spread(least, (least + most) / 2, most)


# The library's `statistics` takes longer to load than most forecasts.


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


def _median(values: Sequence[float]) -> float:
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
