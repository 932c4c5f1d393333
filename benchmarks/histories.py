"""Made histories: queues that are worked off by an engine of their own, to hold a forecast against.

What a job takes is drawn when it begins, and nobody who forecasts knows it. A history before, of
the same functions, is what is known at the start; what ends meanwhile becomes known as it ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

from gigq_core.forecasting.forecast import FREE, LaneLimits, PastRuns, Unfinished, forecast
from gigq_core.units.spread import Spread

MARKS = (0.25, 0.5, 0.75)
RUNS_BEFORE = 60


@dataclass(frozen=True)
class Kind:
    """A function: how long an attempt takes by its median and scatter, and how many fail."""

    median_s: float
    scatter: float = 0.4
    failing: float = 0.0

    def takes(self, random: Random) -> float:
        return self.median_s * math.exp(random.gauss(0.0, self.scatter))


@dataclass
class Made:
    """A job of a made queue."""

    id: str
    kind: str
    parents: tuple[str, ...] = ()
    attempts_left: int = 1
    retry_delay_s: float = 0.0
    due_s: float = 0.0
    began_s: float | None = None
    ends_s: float = 0.0
    fails: bool = False
    is_over: bool = False
    has_failed: bool = False
    lane: str = ""


@dataclass
class History:
    """A queue before it is worked off.

    Args:
        name: what it is called.
        kinds: its functions.
        jobs: in the order of submission.
        slots: how many there are from which share of the ended jobs on.
        lanes: what lanes allow; times in seconds from the beginning.
    """

    name: str
    kinds: dict[str, Kind]
    jobs: list[Made]
    slots: list[tuple[float, int]]
    known: dict[bool, dict[str, list[float]]] = field(default_factory=lambda: {True: {}, False: {}})
    lanes: dict[str, LaneLimits] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What was foretold at a mark, and how long it took from there on, in seconds."""

    mark: float
    said: Spread
    left_s: float

    @property
    def error(self) -> float:
        """How far off it was, as a share of what was left."""
        return abs(self.said.p50 - self.left_s) / self.left_s

    @property
    def covers(self) -> bool:
        """Whether the truth lies within what eight of ten should."""
        return self.said.p10 <= self.left_s <= self.said.p90


def fan_out(random: Random) -> History:
    """One job, 600 after it, one after them all; eight slots."""
    kinds = {"split": Kind(3.0), "resize": Kind(2.0, 0.7), "publish": Kind(8.0)}
    wide = [Made(f"resize{n}", "resize", ("split",)) for n in range(600)]
    last = Made("publish", "publish", tuple(job.id for job in wide))
    return History("wide fan-out", kinds, [Made("split", "split"), *wide, last], [(0.0, 8)])


def deep_chain(random: Random) -> History:
    """A chain of 400 jobs, one in a hundred of which takes ten times as long as half of them."""
    kinds = {"step": Kind(1.0, 1.0), "check": Kind(0.3, 0.8)}
    jobs: list[Made] = []
    for n in range(400):
        before = (f"step{n - 1}",) if n else ()
        jobs.append(Made(f"step{n}", "step", before))
        jobs.append(Made(f"check{n}", "check", (f"step{n}",)))
    return History("deep chain, heavy tails", kinds, jobs, [(0.0, 4)])


def mixed(random: Random, *, changes_at: float = 0.15) -> History:
    """Five functions with failures, retries and children, on three slots and then on eight."""
    kinds = {
        "fetch": Kind(2.0, 0.8, 0.15),
        "parse": Kind(0.5, 0.3, 0.02),
        "train": Kind(20.0, 0.6, 0.05),
        "score": Kind(4.0, 0.5, 0.25),
        "report": Kind(1.0, 0.3),
    }
    jobs = []
    for n in range(250):
        jobs.append(Made(f"fetch{n}", "fetch", (), 4, 5.0))
        jobs.append(Made(f"parse{n}", "parse", (f"fetch{n}",), 3, 1.0))
        if n % 5 == 0:
            jobs.append(Made(f"train{n}", "train", (f"parse{n}",), 3, 10.0))
            jobs.append(Made(f"score{n}", "score", (f"train{n}",), 5, 3.0))
            jobs.append(Made(f"report{n}", "report", (f"score{n}",)))
    return History("mixed, failures, slots change", kinds, jobs, [(0.0, 3), (changes_at, 8)])


def late_change(random: Random) -> History:
    """The same, where the slots change after half of it: nobody can know that before."""
    made = mixed(random, changes_at=0.55)
    made.name = "the same, slots change late"
    return made


def in_lanes(random: Random) -> History:
    """The mixed one: `train` runs one at a time, `score` two, and `fetch` begins by a rate."""
    made = mixed(random, changes_at=0.0)
    made.name = "mixed, in lanes"
    for job in made.jobs:
        job.lane = job.kind if job.kind in ("fetch", "train", "score") else ""
    made.lanes = {
        "fetch": LaneLimits(apart_s=3.0, burst=5),
        "train": LaneLimits(running=1),
        "score": LaneLimits(running=2, opens_s=60.0),
    }
    return made


MADE: tuple[Callable[[Random], History], ...] = (fan_out, deep_chain, mixed, in_lanes)


def play(history: History, random: Random, *, runs_before: int = RUNS_BEFORE) -> list[Told]:
    """Work it off, and forecast at each mark.

    Args:
        history: the queue; it is used up.
        random: what jobs take.
        runs_before: how many runs of each function are known at the start.
    """
    for name, kind in history.kinds.items():
        for _ in range(runs_before):
            failed = random.random() < kind.failing
            history.known[not failed].setdefault(name, []).append(kind.takes(random))
    said: list[tuple[float, float, Spread]] = []
    marks = list(MARKS)
    now = 0.0
    for now in _worked_off(history, random):
        over = sum(job.is_over for job in history.jobs)
        while marks and over >= marks[0] * len(history.jobs):
            mark = marks.pop(0)
            end = _foretold(history, now)
            if end is not None:
                said.append((mark, now, end))
    return [Told(mark, end, now - at) for mark, at, end in said]


def _slots(history: History) -> int:
    share = sum(job.is_over for job in history.jobs) / len(history.jobs)
    return [slots for since, slots in history.slots if share >= since][-1]


def _worked_off(history: History, random: Random) -> Iterator[float]:
    """Yields the moment of each end, until nothing more can run."""
    by_id = {job.id: job for job in history.jobs}
    places = {job.id: place for place, job in enumerate(history.jobs)}
    waiting = list(history.jobs)
    running: list[Made] = []
    now = 0.0
    while True:
        free = _slots(history) - len(running)
        for job in list(waiting):
            if free <= 0:
                break
            parents = [by_id[parent] for parent in job.parents]
            limits = history.lanes.get(job.lane, FREE)
            in_lane = sum(other.lane == job.lane for other in running)
            if limits.next_s > now or (limits.running is not None and in_lane >= limits.running):
                continue
            if job.due_s <= now and all(p.is_over and not p.has_failed for p in parents):
                waiting.remove(job)
                kind = history.kinds[job.kind]
                job.began_s, job.fails = now, random.random() < kind.failing
                job.ends_s = now + kind.takes(random)
                running.append(job)
                if limits.apart_s > 0:
                    earned_s = max(limits.earned_s, now) + limits.apart_s
                    history.lanes[job.lane] = replace(limits, earned_s=earned_s)
                free -= 1
        soonest = min([job.ends_s for job in running], default=math.inf)
        due = [job.due_s for job in waiting if job.due_s > now]
        opens = [limits.next_s for limits in history.lanes.values() if limits.next_s > now]
        now = min([soonest, *due, *(opens if waiting else [])])
        if now == math.inf:
            return
        for job in [job for job in running if job.ends_s <= now]:
            running.remove(job)
            took = job.ends_s - (job.began_s or 0.0)
            history.known[not job.fails].setdefault(job.kind, []).append(took)
            job.began_s = None
            if job.fails and job.attempts_left > 1:
                job.attempts_left -= 1
                job.due_s = now + job.retry_delay_s
                waiting.append(job)
                waiting.sort(key=lambda made: places[made.id])
            else:
                job.is_over, job.has_failed = True, job.fails
                yield now


def _foretold(history: History, now: float) -> Spread | None:
    failed = {job.id for job in history.jobs if job.has_failed}
    over = {job.id for job in history.jobs if job.is_over}
    left = [
        Unfinished(
            job.id,
            job.kind,
            tuple(parent for parent in job.parents if parent not in over),
            place=place,
            running_s=None if job.began_s is None else now - job.began_s,
            due_s=max(0.0, job.due_s - now),
            attempts_left=job.attempts_left,
            retry_delay_s=job.retry_delay_s,
            doomed=any(parent in failed for parent in job.parents),
            lane=job.lane,
        )
        for place, job in enumerate(history.jobs)
        if not job.is_over
    ]
    past = {
        name: PastRuns(
            history.known[True].get(name, [])[-200:],
            history.known[False].get(name, [])[-200:],
            [
                now - job.began_s
                for job in history.jobs
                if job.kind == name and job.began_s is not None
            ],
        )
        for name in history.kinds
    }
    lanes = {
        name: replace(
            limits,
            earned_s=max(0.0, limits.earned_s - now),
            opens_s=max(0.0, limits.opens_s - now),
        )
        for name, limits in history.lanes.items()
    }
    return forecast(left, past, _slots(history), lanes=lanes).end
