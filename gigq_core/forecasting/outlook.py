"""Reading what a forecast needs: past runs of each function, what is left to run, and the slots.

All of it in bounded steps, each of which may be a read transaction of its own. What is read is
bounded too: of a queue with more in it, the first part stands for the rest.
"""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

from gigq_core.forecasting.forecast import (
    Crew,
    Forecast,
    LaneLimits,
    PastRuns,
    Unfinished,
    simulate,
)
from gigq_core.graph.blame import BAD_ENDS
from gigq_core.lanes.rules import Taker, Terms, rate_of, read_terms, taker_of
from gigq_core.rows.decoding import as_float, as_int, as_text, as_timeout_s
from gigq_core.rows.progress import percent_of
from gigq_core.schema import lane_statements
from gigq_core.schema import outlook_statements as sql
from gigq_core.status import JobStatus
from gigq_core.system.identity import ProcessIdentity, is_dead
from gigq_core.units.times import moment_told

# Rows read in one step: some milliseconds.
ATTEMPTS_A_STEP = 2_000
JOBS_A_STEP = 500
READY_A_STEP = 10_000
# The newest runs of a function that count, and how far back they are looked for.
RUNS_OF_EACH = 200
MOST_ATTEMPTS = 20_000
# Jobs read one by one: running, due later, blocked.
MOST_RUNNING = 2_000
MOST_JOBS = 20_000
MOST_EDGES_A_STEP = 10_000
# Ready ones, which are read in groups.
MOST_READY = 200_000
# What lanes hold back: lanes and priorities, and of each at least and at most so many jobs; those
# beyond are counted.
MOST_HELD = 10_000
HELD_A_STEP = 250
LEAST_OF_A_LANE = 100
MOST_OF_A_LANE = 20_000
COUNTED_A_STEP = 100_000
LANES_A_STEP = 250
# A slot that stood for longer between two jobs had nothing to do.
LONGEST_GAP_S = 1.0

_FAILED = frozenset({"failed", "timeout", "crashed"})
_POLICIES = {1: "cancel", 2: "run"}

IsDead = Callable[[ProcessIdentity], "bool | None"]


class PastReader:
    """The newest runs of each function; they are remembered, and read on from there."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget all."""
        self._done: dict[str, deque[float]] = {}
        self._failed: dict[str, deque[float]] = {}
        self._newest: int | None = None
        # Attempts that had not ended.
        self._open: set[int] = set()
        # Seconds that a slot stands between two jobs.
        self.gap_s = 0.0

    def read(self, conn: sqlite3.Connection, wanted: Collection[str]) -> Iterator[None]:
        """Read what is new; at first, backwards until enough is known of the functions wanted."""
        statement = sql.attempts_between(_columns(conn, "job_executions"))
        newest = as_int(conn.execute(sql.NEWEST_ATTEMPT).fetchone()[0])
        if self._newest is None or newest < self._newest:
            self.begin()
            self._newest = newest
            top = newest
            while top > 0 and newest - top < MOST_ATTEMPTS:
                rows = conn.execute(statement, (top - ATTEMPTS_A_STEP, top, "[]")).fetchall()
                self._take(rows, older=top < newest)
                yield
                if all(self.count(function) >= RUNS_OF_EACH for function in wanted):
                    break
                top -= ATTEMPTS_A_STEP
            return
        # Of very many, the newest say most.
        first = max(self._newest, newest - ATTEMPTS_A_STEP)
        still_open = json.dumps(sorted(self._open)[-ATTEMPTS_A_STEP:])
        rows = conn.execute(statement, (first, newest, still_open)).fetchall()
        self._newest, self._open = newest, set()
        self._take(rows, older=False)
        yield

    def _take(self, rows: list[sqlite3.Row], *, older: bool) -> None:
        """Count the attempts that ended; the newest stand last."""
        spans: dict[str, list[tuple[float, float]]] = {}
        found: dict[bool, dict[str, list[float]]] = {True: {}, False: {}}
        for row in rows:
            status = row["status"]
            if status == JobStatus.RUNNING.value:
                self._open.add(as_int(row["key"]))
                continue
            began, ended = _moment(row, "began"), _moment(row, "ended")
            if began is None or ended is None or ended < began:
                continue
            spans.setdefault(as_text(row["worker_id"]), []).append((began, ended))
            if status == JobStatus.COMPLETED.value or status in _FAILED:
                kind = found[status == JobStatus.COMPLETED.value]
                kind.setdefault(_function(row), []).append(ended - began)
        for known, kind in ((self._done, found[True]), (self._failed, found[False])):
            for function, runs in kind.items():
                before = known.get(function, deque(maxlen=RUNS_OF_EACH))
                both = [*runs, *before] if older else [*before, *runs]
                known[function] = deque(both, maxlen=RUNS_OF_EACH)
        if not older and (gaps := [gap for some in spans.values() for gap in _gaps(some)]):
            self.gap_s = sorted(gaps)[len(gaps) // 2]

    def count(self, function: str) -> int:
        """How many runs of a function are known."""
        return len(self._done.get(function, ())) + len(self._failed.get(function, ()))

    def runs(self, running: Iterable[Unfinished]) -> dict[str, PastRuns]:
        """What is known, with those that run now."""
        now: dict[str, list[float]] = {}
        for job in running:
            if job.running_s is not None:
                now.setdefault(job.function, []).append(job.running_s)
        names = {*self._done, *self._failed, *now}
        return {
            name: PastRuns(
                tuple(self._done.get(name, ())),
                tuple(self._failed.get(name, ())),
                tuple(now.get(name, ())),
            )
            for name in names
        }


def _gaps(spans: list[tuple[float, float]]) -> list[float]:
    """How long a worker's slots stood between two jobs, where there was a next one."""
    ends = sorted(ended for _, ended in spans)
    gaps = []
    for began, _ in spans:
        before = bisect_right(ends, began)
        if before:
            gap = began - ends[before - 1]
            if gap < LONGEST_GAP_S:
                gaps.append(gap)
    return gaps


class LeftReader:
    """What is left to run, read anew each time.

    Args:
        retried: ids of jobs that are taken to wait again, where they ended badly.
        of: ids of jobs that are told of one by one, and not in a group of alike ones.
    """

    def __init__(self, retried: Collection[str] = (), of: Collection[str] = ()) -> None:
        self.jobs: list[Unfinished] = []
        self._retried = frozenset(retried)
        self._of = tuple(of)
        # Those that others wait for.
        self._parents: dict[str, None] = {}

    def read(self, conn: sqlite3.Connection, now_s: float) -> Iterator[None]:
        """Read all of it, up to the bounds.

        Args:
            conn: the file.
            now_s: the present moment, in UTC seconds.
        """
        self.jobs = []
        self._parents = {}
        columns = _columns(conn, "jobs")
        self._read_running(conn, columns, now_s)
        yield
        if conn.execute(sql.HAS_CLAIM_ORDER).fetchone() is None:
            # GigQ's own: whatever waits is taken for ready.
            among = sql.pending_among(columns)
            yield from self._read_groups(conn, sql.pending_groups(columns), sql.ANY_PRIORITY, among)
            return
        yield from self._read_delayed(conn, now_s)
        yield from self._read_retried(conn)
        yield from self._read_blocked(conn)
        yield from self._read_groups(conn, sql.READY_GROUPS, sql.READY_PRIORITIES, sql.READY_AMONG)

    def _read_running(
        self, conn: sqlite3.Connection, columns: Collection[str], now_s: float
    ) -> None:
        rows = conn.execute(sql.running(columns), (MOST_RUNNING,)).fetchall()
        shares: dict[str, float] = {}
        if _columns(conn, "core_progress"):
            ids = json.dumps([as_text(row["id"]) for row in rows])
            for report in conn.execute(sql.PROGRESS_OF_RUNNING, (ids,)):
                percent = percent_of(as_float(report["done"]), as_float(report["total"]) or None)
                if percent is not None:
                    # What was reported at that time; what came since, at the same pace.
                    shares[as_text(report["job_id"])] = percent / 100
        for row in rows:
            began = _moment(row, "began")
            job = _unfinished(row)
            ran = max(0.0, now_s - began) if began is not None else 0.0
            left = max(1, job.attempts_left + 1)
            share, worker = shares.get(job.id), as_text(row["worker_id"])
            self.jobs.append(
                replace(job, running_s=ran, done_share=share, attempts_left=left, worker=worker)
            )

    def _read_delayed(self, conn: sqlite3.Connection, now_s: float) -> Iterator[None]:
        rows = conn.execute(sql.DELAYED, (MOST_JOBS,)).fetchall()
        self.jobs += [
            replace(_unfinished(row), due_s=max(0.0, as_float(row["due"]) - now_s)) for row in rows
        ]
        yield

    def _read_retried(self, conn: sqlite3.Connection) -> Iterator[None]:
        if self._retried:
            ids = json.dumps(sorted(self._retried))
            rows = conn.execute(sql.ENDED_BADLY, (ids,)).fetchall()
            self._take_blocked(conn, rows, "on_failure" in _columns(conn, "core_edges"))
            yield

    def _read_blocked(self, conn: sqlite3.Connection) -> Iterator[None]:
        has_policies = "on_failure" in _columns(conn, "core_edges")
        read = 0
        for (priority,) in conn.execute(sql.BLOCKED_PRIORITIES).fetchall():
            key = -(2**63)
            while read < MOST_JOBS:
                rows = conn.execute(sql.BLOCKED, (priority, key, JOBS_A_STEP)).fetchall()
                self._take_blocked(conn, rows, has_policies)
                yield
                if len(rows) < JOBS_A_STEP:
                    break
                key, read = as_int(rows[-1]["key"]), read + len(rows)

    def _take_blocked(
        self, conn: sqlite3.Connection, rows: list[sqlite3.Row], has_policies: bool
    ) -> None:
        ids = json.dumps([as_text(row["id"]) for row in rows])
        parents: dict[str, dict[str, str]] = {}
        doomed: set[str] = set()
        for edge in conn.execute(sql.unmet_with_status(has_policies), (ids, MOST_EDGES_A_STEP)):
            child, parent = as_text(edge["child_id"]), as_text(edge["parent_id"])
            policy = _POLICIES.get(as_int(edge["on_failure"]), "")
            has_failed = edge["status"] in BAD_ENDS and parent not in self._retried
            if edge["status"] is None or (has_failed and policy != "run"):
                doomed.add(child)
            elif not has_failed:
                parents.setdefault(child, {})[parent] = policy
                self._parents[parent] = None
        for row in rows:
            id = as_text(row["id"])
            mine = parents.get(id, {})
            told = {parent: policy for parent, policy in mine.items() if policy}
            self.jobs.append(
                _unfinished(row, parents=tuple(mine), policies=told, doomed=id in doomed)
            )

    def _read_groups(
        self, conn: sqlite3.Connection, statement: str, priorities: str, among: str
    ) -> Iterator[None]:
        """Read ready jobs in groups of alike ones, the most urgent first, and some one by one."""
        groups: dict[object, Unfinished] = {}
        read = 0
        for (priority,) in conn.execute(priorities).fetchall():
            key = -(2**63)
            while read < MOST_READY:
                rows = conn.execute(statement, (priority, key, READY_A_STEP)).fetchall()
                for row in rows:
                    _add_group(groups, row)
                got = sum(as_int(row["n"]) for row in rows)
                read += got
                key = max((as_int(row["last"]) for row in rows), default=key)
                yield
                if got < READY_A_STEP:
                    break
        held: dict[object, Unfinished] = {}
        yield from self._read_held(conn, held, MOST_READY - read)
        single: list[Unfinished] = []
        known = {job.id for job in self.jobs}
        wanted = [id for id in dict.fromkeys((*self._of, *self._parents)) if id not in known]
        for start in range(0, min(len(wanted), MOST_JOBS), JOBS_A_STEP):
            ids = json.dumps(wanted[start : start + JOBS_A_STEP])
            for row in conn.execute(among, (ids,)).fetchall():
                single.append(_unfinished(row))
                if not _take_out(groups, single[-1]):
                    _take_out(held, single[-1])
            yield
        self.jobs += single
        scale = 1.0
        if read >= MOST_READY and _columns(conn, "core_counts"):
            # The rest is taken to be like what was read.
            (total,) = conn.execute(sql.TOTAL_READY).fetchone() or (0,)
            scale = max(1.0, (as_int(total) - sum(job.count for job in held.values())) / read)
        self.jobs += [
            replace(job, count=max(1, round(job.count * scale))) for job in groups.values()
        ]
        self.jobs += held.values()

    def _read_held(
        self, conn: sqlite3.Connection, groups: dict[object, Unfinished], most: int
    ) -> Iterator[None]:
        """Read the jobs that lanes hold back, lane by lane: some of each, and how many there are.

        Args:
            conn: the file.
            groups: takes them in.
            most: how many are read at most, but for a few of each lane.
        """
        (has_indexes,) = conn.execute(lane_statements.HAS_LANE_INDEXES).fetchone()
        if not has_indexes:
            return
        for index, condition in sql.HELD_BY_LANES:
            lane, priority, pairs = "", 0, 0
            while pairs < MOST_HELD:
                values = (lane, priority, HELD_A_STEP)
                found = conn.execute(sql.next_held(index, condition), values).fetchall()
                yield
                for lane, priority in found:
                    held = _Held(conn, index, condition, lane, priority)
                    mine = max(LEAST_OF_A_LANE, min(MOST_OF_A_LANE, most))
                    yield from held.read(mine)
                    most -= held.read_in_all
                    for key, job in held.groups.items():
                        groups[key] = _joined(groups.get(key), job)
                pairs += len(found)
                if len(found) < HELD_A_STEP:
                    break
                yield


class _Held:
    """The jobs of one lane and priority that the lane holds back, in groups of alike ones."""

    def __init__(
        self, conn: sqlite3.Connection, index: str, condition: str, lane: str, priority: int
    ) -> None:
        self._conn = conn
        self._read = sql.held_groups(index, condition)
        self._count = sql.count_held(index, condition)
        self._which = (lane, priority)
        self.groups: dict[object, Unfinished] = {}
        self.read_in_all = 0

    def read(self, most: int) -> Iterator[None]:
        """Read so many of them in steps, and count the others, which are taken to be like them."""
        key = -(2**63)
        while self.read_in_all < most:
            limit = min(READY_A_STEP, most - self.read_in_all)
            rows = self._conn.execute(self._read, (*self._which, key, limit)).fetchall()
            for row in rows:
                _add_group(self.groups, row)
            got = sum(as_int(row["n"]) for row in rows)
            self.read_in_all += got
            key = max((as_int(row["last"]) for row in rows), default=key)
            if got < limit:
                return
            yield
        total, last = self.read_in_all, key
        while True:
            values = (*self._which, last, COUNTED_A_STEP)
            got, at = self._conn.execute(self._count, values).fetchone()
            total += as_int(got)
            if as_int(got) < COUNTED_A_STEP:
                break
            last = as_int(at)
            yield
        if total > self.read_in_all > 0:
            scale = total / self.read_in_all
            self.groups = {
                key: replace(job, count=max(1, round(job.count * scale)), last_place=last)
                for key, job in self.groups.items()
            }


def _alike(job: Unfinished) -> object:
    return job.function, job.priority, job.attempts_left, job.retry_delay_s, job.lane


def _take_out(groups: dict[object, Unfinished], job: Unfinished) -> bool:
    """Take one job out of its group, if that is here."""
    key = _alike(job)
    group = groups.pop(key, None)
    if group is not None and group.count > 1:
        groups[key] = replace(group, count=group.count - 1)
    return group is not None


def _add_group(groups: dict[object, Unfinished], row: sqlite3.Row) -> None:
    # It may be called after one that is taken out of it.
    job = replace(_unfinished(row), id=f"{as_text(row['id'])}\0")
    first, last, count = as_int(row["key"]), as_int(row["last"]), as_int(row["n"])
    key = _alike(job)
    job = replace(job, count=count, place=first, last_place=last)
    groups[key] = _joined(groups.get(key), job)


def _joined(known: Unfinished | None, more: Unfinished) -> Unfinished:
    """Two groups of alike jobs as one."""
    if known is None:
        return more
    return replace(
        known,
        count=known.count + more.count,
        place=min(known.place, more.place),
        last_place=max(known.last_place, more.last_place),
    )


def _unfinished(row: sqlite3.Row, **more: Any) -> Unfinished:
    return Unfinished(
        id=as_text(row["id"]),
        function=_function(row),
        priority=as_int(row["priority"]),
        place=as_int(row["key"]),
        attempts_left=max(1, as_int(row["left"], 1)),
        retry_delay_s=max(0.0, as_float(row["retry_delay"])),
        timeout_s=as_timeout_s(row["timeout"]),
        has_begun=as_int(row["attempts"]) > 0,
        lane=as_text(row["lane"]),
        **more,
    )


def _function(row: sqlite3.Row) -> str:
    module, name = as_text(row["function_module"]), as_text(row["function_name"])
    return f"{module}.{name}" if module else name


def _moment(row: sqlite3.Row, name: str) -> float | None:
    moment = moment_told(row[name], row[f"{name}_text"])
    return None if moment is None else moment.timestamp()


def _columns(conn: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(str(row[0]) for row in conn.execute(sql.COLUMNS, (table,)))


def read_crews(
    conn: sqlite3.Connection, lanes: Collection[str], now_s: float, dead: IsDead = is_dead
) -> Generator[None, None, tuple[list[Crew], dict[str, LaneLimits]]]:
    """How many jobs can run at once, by the lanes that they take, and what the lanes allow.

    There are the slots of workers that live and claim, and of GigQ's workers, who keep no register
    and take no job in a lane, as many as run there now.

    Args:
        conn: the file.
        lanes: the names of the lanes that matter.
        now_s: the present moment, in UTC seconds.
        dead: says whether a worker's process is gone.
    """
    slots: dict[Taker, int] = {}
    workers: dict[Taker, list[str]] = {}
    ours: set[str] = set()
    if _columns(conn, "core_workers"):
        for row in map(dict, conn.execute(sql.WORKERS_THAT_WORK)):
            ours.add(as_text(row["id"]))
            if row["request"] is None and dead(ProcessIdentity.of_row(row)) is not True:
                kind = taker_of(row)._replace(id="")
                slots[kind] = slots.get(kind, 0) + max(0, as_int(row["slots"]))
                workers.setdefault(kind, []).append(as_text(row["id"]))
    holders = Counter(as_text(row[0]) for row in conn.execute(sql.HOLDERS, (MOST_RUNNING,)))
    known = {as_text(row[0]) for row in conn.execute(sql.KNOWN_WORKERS)} if ours else set[str]()
    others = {worker: n for worker, n in holders.items() if worker not in ours | known}
    yield
    limits: dict[str, LaneLimits] = {}
    taken: dict[Taker, set[str]] = {kind: set() if kind.only_lanes else {""} for kind in slots}
    for number, terms in enumerate(read_terms(conn, lanes, now_s, list(slots)), start=1):
        name = terms.lane.name
        limits[name] = _limits(terms, now_s)
        for kind, mine in taken.items():
            if kind.takes(name, terms.lane.reserved):
                mine.add(name)
        if not number % LANES_A_STEP:
            yield
    for mine in taken.values():
        if "" in mine:
            # Of a file without rules.
            mine.update(name for name in lanes if name not in limits)
    # Workers whose lanes differ, but not in what is there, are one crew.
    crews: dict[frozenset[str], Crew] = {}
    of_all = [(frozenset(taken[kind]), n, workers[kind]) for kind, n in slots.items()]
    of_all.append((frozenset({""}), sum(others.values()), list(others)))
    for names, n, ids in of_all:
        crew = crews.get(names, Crew(0, names))
        crews[names] = Crew(crew.slots + n, names, crew.workers.union(ids))
    return list(crews.values()), limits


def _limits(terms: Terms, now_s: float) -> LaneLimits:
    lane = terms.lane
    rate = None if lane.rate is None else rate_of(lane.rate)
    return LaneLimits(
        running=lane.running_limit,
        apart_s=0.0 if rate is None else rate.apart_s,
        burst=lane.burst,
        earned_s=0.0 if terms.tat is None else max(0.0, terms.tat - now_s),
        opens_s=0.0 if lane.opens_at is None else max(0.0, lane.opens_at - now_s),
        closed=f"lane {lane.name} is paused" if lane.is_paused else "",
    )


class Outlook:
    """Reads a queue's outlook, and forecasts from it, in steps.

    Args:
        of: ids of jobs whose own windows are wanted.
        dead: says whether a worker's process is gone.
        only_now: whether what waits for its first time is left out, with what waits for that.
        retried: ids of failed jobs that are taken to wait again.
    """

    def __init__(
        self,
        of: Collection[str] = (),
        dead: IsDead = is_dead,
        *,
        only_now: bool = False,
        retried: Collection[str] = (),
    ) -> None:
        self._of = frozenset(of)
        self._dead = dead
        self._only_now = only_now
        self._past = PastReader()
        self._left = LeftReader(retried, of)

    def begin(self) -> None:
        """Forget all: the file is another one."""
        self._past.begin()

    def read(
        self, conn: sqlite3.Connection, now_s: float, *, more_from_s: float = math.inf
    ) -> Generator[None, None, tuple[Forecast, Forecast | None]]:
        """Read all that is needed, a step at a time, and then forecast.

        Args:
            conn: the file. Between two steps it need not stay in one transaction.
            now_s: the present moment, in UTC seconds.
            more_from_s: from how many seconds to the end on it is asked as well what twice the
                slots would do.

        Returns:
            The forecast, and the one with twice the slots, where that was asked for.
        """
        yield from self._left.read(conn, now_s)
        jobs = self._left.jobs
        if self._only_now:
            jobs = [replace(job, doomed=True) if _is_later(job) else job for job in jobs]
        yield from self._past.read(conn, {job.function for job in jobs if not job.doomed})
        lanes = dict.fromkeys(job.lane for job in jobs if job.lane)
        crews, limits = yield from read_crews(conn, lanes, now_s, self._dead)
        past, gap_s = self._past.runs(jobs), self._past.gap_s
        yield
        found = yield from simulate(jobs, past, crews, lanes=limits, of=self._of, gap_s=gap_s)
        if found.end is None or found.end.p50 < more_from_s:
            return found, None
        twice = [replace(crew, slots=2 * crew.slots) for crew in crews]
        more = yield from simulate(jobs, past, twice, lanes=limits, gap_s=gap_s)
        return found, more


def _is_later(job: Unfinished) -> bool:
    return job.due_s > 0 and not job.has_begun
