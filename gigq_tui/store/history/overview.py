"""What every function has to do now, and what needs a person: beside what happened in a window."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from gigq_core.rows.decoding import as_int, as_text, as_timeout_s
from gigq_tui.store import queries
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history.account import Account, function_of
from gigq_tui.store.history.attention import Concern
from gigq_tui.store.history.comparison import Verdict, compare
from gigq_tui.store.history.tally import Tally, merged
from gigq_tui.store.instants import BEGAN, CREATED
from gigq_tui.store.models import Ahead, Counts
from gigq_tui.store.throttle import Throttle
from gigq_tui.store.workers import MAX_RUNNING, FileWorkers

# Up to so many ready jobs are told apart by function.
MAX_READY = 20_000
# The line of all functions together.
ALL = "(all functions)"


@dataclass(frozen=True)
class FunctionLine:
    """What one function has to do now, and what became of it in the window and before.

    `ready` and `oldest` are of the jobs that could be looked at: see `Overview.all_counted`.
    """

    function: str
    ready: int
    running: int
    oldest: datetime | None
    then: Tally
    before: Tally
    verdict: Verdict


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
    """What runs, by function. Orphaned jobs count as running, but not as over their timeout.

    Args:
        conn: A connection to the file.
        schema: What the file is made of.
        staff: The workers of the file.
        now: The present moment.
    """
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


@dataclass(frozen=True)
class Overview:
    """How things stand now.

    Attributes:
        taken_at: when.
        counts: how many jobs stand where.
        ready: the jobs that wait for a worker, by function.
        running: how many jobs run, by function.
        ready_only: whether `ready` are ready jobs, or all that wait: a file of GigQ's own does not
            tell them apart.
        concerns: what needs a person, the gravest first.
        ahead: when the queue will be empty if nothing comes.
    """

    taken_at: datetime
    counts: Counts
    ready: Mapping[str, Ready]
    running: Mapping[str, int]
    ready_only: bool
    concerns: tuple[Concern, ...]
    ahead: Ahead | None = None

    @property
    def ready_counted(self) -> int:
        """How many ready jobs were told apart by function; less than there are where counting all
        of them would take too long."""
        return sum(found.jobs for found in self.ready.values())

    @property
    def all_counted(self) -> bool:
        """Whether every job that waits for a worker was told apart by function."""
        there = self.counts.ready if self.ready_only else self.counts.pending
        return self.ready_counted >= there


def function_lines(account: Account, overview: Overview) -> tuple[FunctionLine, ...]:
    """A line for all functions together, and one for each that has to do with the window.

    What there is to do now belongs to a window that goes on now.
    """
    nothing, nobody = Tally(), Ready(0, None)
    now, before = account.functions, account.before
    live = account.window.live
    names = {*now, *before} | ({*overview.ready, *overview.running} if live else set())
    lines = [
        _line(
            name,
            overview.ready.get(name, nobody) if live else nobody,
            overview.running.get(name, 0) if live else 0,
            now.get(name, nothing),
            before.get(name, nothing),
        )
        for name in names
    ]
    # The busiest first; ties by name, so that the order is the same at every look.
    lines.sort(key=lambda line: (-_weight(line), line.function))
    oldest = min((line.oldest for line in lines if line.oldest is not None), default=None)
    whole = _line(
        ALL,
        Ready(sum(line.ready for line in lines), oldest),
        sum(line.running for line in lines),
        account.total,
        merged(before.values()),
    )
    return (whole, *lines)


def _line(name: str, waits: Ready, running: int, now: Tally, before: Tally) -> FunctionLine:
    verdict = compare(now, before)
    return FunctionLine(name, waits.jobs, running, waits.oldest, now, before, verdict)


def _weight(line: FunctionLine) -> int:
    return line.ready + line.running + line.then.tried
