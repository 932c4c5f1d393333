"""What ran at one time of the past, on which worker, and what failed next: read in steps."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gigq_core.rows.decoding import as_int, as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history import statements
from gigq_tui.store.history.row_ranges import OUT_OF_ORDER, Position, apart
from gigq_tui.store.stepwise import STEP_S, SoFar

# How many are named.
NAMED = 12
# An attempt that began so long before is looked for with the others.
LONG_RUN_S = 3_600.0
# So many attempts that began later are looked through for the next failure.
LOOKED_THROUGH = 20_000
FIRST_ROWS = 2_000
MAX_ROWS = 50_000


@dataclass(frozen=True)
class Ran:
    """An attempt: its job's name, its worker, when it began and ended, in UTC seconds.

    `ended` is None while it goes on, and `error` says what failed.
    """

    name: str
    worker: str
    began: float | None
    ended: float | None
    error: str = ""


@dataclass(frozen=True)
class Moment:
    """What went on at some time from `start` to `end`, the end excluded.

    Attributes:
        count: how many attempts.
        ran: some of them, those that began last first.
        failed_next: the first that failed at `start` or later; None if none is known.
    """

    start: float
    end: float
    count: int = 0
    ran: tuple[Ran, ...] = ()
    failed_next: Ran | None = None


class MomentWork:
    """Reads what ran at some time, in steps: first what began shortly before.

    Args:
        start: from when on, in UTC seconds.
        end: until when.
        clock: seconds of a clock that times the steps.
    """

    def __init__(
        self, start: float, end: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.start = start
        self.end = end
        self._clock = clock
        self._per_row_s = STEP_S / FIRST_ROWS
        self.begin()

    def begin(self) -> None:
        self._left: list[tuple[int, int]] | None = None
        self._read = self._total = self._count = 0
        self._ran: tuple[Ran, ...] = ()
        self._failed_next: Ran | None = None

    def renew(self) -> None:
        """What is new now belongs to a time that goes on."""
        self.begin()

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Moment]:
        began = self._clock()
        if self._left is None:
            self._start(conn, schema)
        left_s = STEP_S / 2
        while self._left and left_s > STEP_S / 4:
            self._read_some(conn, schema, max(100, int(left_s / 2 / self._per_row_s)))
            left_s = STEP_S - (self._clock() - began)
        moment = Moment(self.start, self.end, self._count, self._ran, self._failed_next)
        return SoFar(moment, self._read, self._total)

    def _start(self, conn: sqlite3.Connection, schema: FileSchema) -> None:
        newest = as_int(conn.execute(queries.NEWEST_ATTEMPT).fetchone()[0])
        oldest = as_int(conn.execute(statements.OLDEST_ATTEMPT).fetchone()[0])
        where = Position(conn, statements.began_near(schema), oldest, newest)
        first, last = where.of(self.start - LONG_RUN_S), where.of(self.end)
        near = (first - OUT_OF_ORDER, last + OUT_OF_ORDER)
        # Whatever began later than that is of no interest, but for what failed next.
        left = apart([near], (oldest, min(newest, last + LOOKED_THROUGH)))
        self._left = left
        self._total = sum(high - low + 1 for low, high in left)

    def _read_some(self, conn: sqlite3.Connection, schema: FileSchema, n: int) -> None:
        assert self._left
        began = self._clock()
        first, high = self._left[0]
        low = max(first, high - min(n, MAX_ROWS) + 1)
        values = {"low": low, "high": high, "start": self.start, "end": self.end, "limit": NAMED}
        count = as_int(conn.execute(statements.ran_in(schema), values).fetchone()[0])
        found: list[sqlite3.Row] = []
        if count and len(self._ran) < NAMED:
            found = conn.execute(statements.named_in(schema), values).fetchall()
        failed = conn.execute(statements.failed_next(schema), {**values, "limit": 1}).fetchall()
        if low > first:
            self._left[0] = (first, low - 1)
        else:
            del self._left[0]
        self._read += high - low + 1
        self._count += count
        self._ran = (*self._ran, *map(_ran, found))[:NAMED]
        for each in map(_ran, failed):
            known = self._failed_next
            if known is None or (each.ended or 0.0) < (known.ended or 0.0):
                self._failed_next = each
        took = (self._clock() - began) / (high - low + 1)
        self._per_row_s = max(1e-7, (self._per_row_s + took) / 2)


def _ran(record: sqlite3.Row) -> Ran:
    kind, error = as_text(record["error_type"]), as_text(record["error"])
    if kind and not error.startswith(kind):
        error = f"{kind}: {error}" if error else kind
    name = "(deleted job)" if record["name"] is None else as_text(record["name"])
    return Ran(name, as_text(record["worker_id"]), record["began"], record["ended"], error)
