"""The overview of a queue: what happened over a time, by function, and what stands out."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from gigq_core.decoding import as_int, as_text, as_timeout_s
from gigq_core.times import moment_of
from gigq_tui.store import queries
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history.attempts import History, function_of, seconds
from gigq_tui.store.history.attention import Concern
from gigq_tui.store.history.rings import Past, Tally, merged
from gigq_tui.store.instants import BEGAN, CREATED
from gigq_tui.store.models import Counts, Figures
from gigq_tui.store.throttle import Throttle
from gigq_tui.store.workers import MAX_RUNNING, FileWorkers

# Up to so many ready jobs are told apart by function.
MAX_READY = 20_000
# The speed at which the backlog changes is that of the last seconds, or of the last minute where
# nothing has changed in them.
PACES = ((Past.MINUTE_1, 10), (Past.MINUTES_5, 12))


@dataclass(frozen=True)
class FunctionLine:
    """What one function has to do, and did within the window. Times in seconds.

    `ready` and `oldest` are of the jobs that could be looked at: see `Overview.all_counted`.
    """

    function: str
    ready: int
    running: int
    done: int
    failed: int
    p50_s: float | None
    p95_s: float | None
    oldest: datetime | None


@dataclass(frozen=True)
class Overview:
    """What the overview screen draws. Series hold a value for each bucket, the oldest first.

    Attributes:
        window: how far back it goes from `taken_at`.
        done, failed: attempts that ended in each bucket.
        waiting: jobs that waited at the end of each bucket; None where it is not known.
        p50_s, p95_s: of the run times of the attempts that ended in each bucket.
        total: of the whole window.
        longest: the function whose attempt took longest.
        pace: by how many jobs a second the backlog changes now; None if unknown.
        ready_only: whether `ready` of the functions are ready jobs, or all that wait: a file of
            GigQ's own does not tell them apart.
        ready_counted: how many of them were told apart by function; less than there are where
            counting all of them would take too long.
        known_from: since when attempts are known, where that is less than the window.
        attempts: how many attempts were read.
        reading: whether more of the past is still to be read; ask again.
    """

    window: Past
    taken_at: datetime
    done: tuple[int, ...]
    failed: tuple[int, ...]
    waiting: tuple[int | None, ...]
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]
    total: Tally
    longest: str
    pace: float | None
    counts: Counts
    figures: Figures
    functions: tuple[FunctionLine, ...]
    ready_only: bool
    ready_counted: int
    concerns: tuple[Concern, ...]
    known_from: datetime | None
    attempts: int
    reading: bool

    @property
    def all_counted(self) -> bool:
        """Whether every job that waits for a worker was told apart by function."""
        there = self.counts.ready if self.ready_only else self.counts.pending
        return self.ready_counted >= there


class Ready(NamedTuple):
    """How many ready jobs of a function were found, and since when the oldest of them waits."""

    jobs: int
    oldest: datetime | None


class Busy(NamedTuple):
    """What runs: how many jobs of each function, and how many of all are over their timeout."""

    by_function: dict[str, int]
    overdue: int


class ReadyCounter:
    """Tells the ready jobs apart by function, up to a bound, and never too often.

    Args:
        clock: whose monotonic half paces it.
    """

    def __init__(self, clock: Clock) -> None:
        self._gate: Throttle[dict[str, Ready]] = Throttle(clock)

    def read(self, conn: sqlite3.Connection, schema: FileSchema, version: int) -> dict[str, Ready]:
        """The ready jobs by function, as of this data version or a little before."""
        return self._gate.get(schema.version, version, lambda: _read_ready(conn, schema))


def _read_ready(conn: sqlite3.Connection, schema: FileSchema) -> dict[str, Ready]:
    records = conn.execute(queries.ready_by_function(schema), (MAX_READY,)).fetchall()
    return {function_of(r): Ready(as_int(r["n"]), CREATED.of(r)) for r in records}


def read_busy(
    conn: sqlite3.Connection, schema: FileSchema, staff: FileWorkers, now: datetime
) -> Busy:
    """What runs, by function. Orphaned jobs count as running, but not as over their timeout."""
    gone = set(staff.gone)
    by_function: dict[str, int] = {}
    overdue = 0
    for record in conn.execute(queries.running_by_function(schema), (MAX_RUNNING,)).fetchall():
        function = function_of(record)
        by_function[function] = by_function.get(function, 0) + 1
        began = BEGAN.of(record)
        if began is None or as_text(record["worker_id"]) in gone:
            continue
        overdue += now - began > timedelta(seconds=min(as_timeout_s(record["timeout"]), 1e9))
    return Busy(by_function, overdue)


def overview(
    history: History,
    window: Past,
    now: datetime,
    *,
    counts: Counts,
    figures: Figures,
    ready_only: bool,
    ready: Mapping[str, Ready],
    busy: Busy,
    concerns: tuple[Concern, ...],
    reading: bool,
) -> Overview:
    """Put together what is known of a window that ends now."""
    at = seconds(now)
    buckets = history.rings.buckets(window, at)
    whole_buckets = [merged(bucket.values()) for bucket in buckets]
    by_function: dict[str, Tally] = {}
    for bucket in buckets:
        for function, tally in bucket.items():
            by_function.setdefault(function, Tally()).merge(tally)
    total = merged(by_function.values())
    longest = max(by_function, key=lambda name: by_function[name].longest_s, default="")
    covered = history.known_from <= at - window.value
    return Overview(
        window=window,
        taken_at=now,
        done=tuple(tally.done for tally in whole_buckets),
        failed=tuple(tally.failed for tally in whole_buckets),
        waiting=history.waiting(window, now),
        p50_s=tuple(tally.run_s(0.5) for tally in whole_buckets),
        p95_s=tuple(tally.run_s(0.95) for tally in whole_buckets),
        total=total,
        longest=longest if total.longest_s >= 0 else "",
        pace=_pace(history, now),
        counts=counts,
        figures=figures,
        functions=_lines(by_function, ready, busy),
        ready_only=ready_only,
        ready_counted=sum(found.jobs for found in ready.values()),
        concerns=concerns,
        known_from=None if covered else moment_of(history.known_from) or now,
        attempts=history.attempts,
        reading=reading,
    )


def _pace(history: History, now: datetime) -> float | None:
    pace: float | None = None
    for past, buckets in PACES:
        values = history.waiting(past, now)
        before, last = values[-1 - buckets], values[-1]
        if before is None or last is None:
            break
        pace = (last - before) / (buckets * past.bucket_s)
        if pace:
            break
    return pace


def _lines(
    by_function: Mapping[str, Tally], ready: Mapping[str, Ready], busy: Busy
) -> tuple[FunctionLine, ...]:
    nothing, nobody = Tally(), Ready(0, None)
    lines = []
    for function in {*by_function, *ready, *busy.by_function}:
        tally = by_function.get(function, nothing)
        waits = ready.get(function, nobody)
        lines.append(
            FunctionLine(
                function=function,
                ready=waits.jobs,
                running=busy.by_function.get(function, 0),
                done=tally.done,
                failed=tally.failed,
                p50_s=tally.run_s(0.5),
                p95_s=tally.run_s(0.95),
                oldest=waits.oldest,
            )
        )
    # The busiest first; ties by name, so that the order is the same at every look.
    lines.sort(key=lambda line: (-_weight(line), line.function))
    return tuple(lines)


def _weight(line: FunctionLine) -> int:
    return line.ready + line.running + line.done + line.failed
