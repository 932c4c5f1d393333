"""What happened in a window of time: by bar and by function, and beside it the same hours before.

It is read once, in steps, from the newest rows of the window to the oldest of the file; after
that only what is new, and what went on then. Each attempt counts once, where it ended.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from gigq_core.rows.decoding import as_int, as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history import statements
from gigq_tui.store.history.backlog import MAX_GRAINS, Backlog
from gigq_tui.store.history.row_ranges import OUT_OF_ORDER, Position, apart
from gigq_tui.store.history.tally import End, Tally, merged
from gigq_tui.store.history.time_window import DAY_S, HOUR_S, Ruler, TimeWindow, days_before
from gigq_tui.store.stepwise import STEP_S, SoFar
from gigq_tui.store.throttle import PATIENCE

# Beyond so many functions, further ones are counted together.
MAX_FUNCTIONS = 500
OTHERS = "(other functions)"
DELETED = "(deleted jobs)"
# An attempt that began so long before a window is looked for with those of the window itself.
LONG_RUN_S = 3_600.0
# Attempts that go on, and are looked at again: GigQ leaves those of dead workers open for ever.
MAX_OPEN = 1_000
# The newest rows, remembered so that rowids given twice are noticed.
TAIL = 512
# Rows that come with an end so long ago were put back (an undo): they were counted before.
PUT_BACK_S = 120.0
# How many rows the first look of a step reads; then as many as its time allows.
FIRST_ROWS = 1_000
MAX_ROWS = 50_000
# A window that moves on finds so much of the hours before already read.
AHEAD_S = float(HOUR_S)
# The speed at which the backlog changes is that of the last seconds, or of the last minute where
# nothing has changed in them.
PACES_S = (10, 60)

_ENDS = {end.value: end for end in End}
# Kinds of what `happened_in` tells, beside what ended in the two stretches.
_BEGAN, _GOES_ON = 2, 4


@dataclass(frozen=True)
class Bar:
    """What ended in one bar. `waiting` is the most jobs that waited at once in it, or None."""

    start: float
    end: float
    done: int = 0
    failed: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    waiting: int | None = None


@dataclass(frozen=True)
class Account:
    """What is known of a window.

    Attributes:
        window: which one.
        days: how many days before the hours lie that it is compared with; 0 for none.
        edges: where the bars begin, and where the last one ends, in UTC seconds.
        now: the moment of the last look.
        bars: the bars, the oldest first.
        total: of the whole window.
        functions: the same by function.
        before: by function, of the hours that it is compared with.
        longest: the function whose attempt took longest.
        pace: by how many jobs a second the backlog changes now; None if unknown, or long ago.
        oldest: when the first attempt of the file began; None if there is none.
    """

    window: TimeWindow
    days: int
    edges: tuple[float, ...]
    now: float
    bars: tuple[Bar, ...]
    total: Tally
    functions: Mapping[str, Tally]
    before: Mapping[str, Tally]
    longest: str
    pace: float | None
    oldest: float | None

    @property
    def start(self) -> float:
        return self.edges[0]

    @property
    def end(self) -> float:
        return self.edges[-1]


class _Rows(NamedTuple):
    """A range of rows that is still to be read, the newest first; `known` as in `ended_in`."""

    low: int
    high: int
    jobs: bool = False
    # Whether the backlog needs it; whether it has come since the reading began.
    matters: bool = False
    is_new: bool = False
    known: float = -1e18


@dataclass
class _Stretch:
    """What ended in a stretch of time, by the start of its bar and by function."""

    ruler: Ruler
    start: float
    end: float
    cells: dict[float, dict[str, Tally]] = field(default_factory=dict)
    # What was last put together, of which bars; until anything is counted.
    _known: tuple[float, float, dict[str, Tally]] | None = None

    @property
    def slice_s(self) -> float:
        """What SQLite sums up by: a day is not always as long."""
        return self.ruler.bar_s if self.ruler.bar_s < DAY_S else HOUR_S

    def forget_before(self, start: float) -> None:
        for old in [bar for bar in self.cells if bar < start]:
            del self.cells[old]
            self._known = None

    def tally(self, bar: float, function: str) -> Tally:
        """Where what ended in a bar is to be counted."""
        self._known = None
        return self.cells.setdefault(bar, {}).setdefault(function, Tally())

    def by_function(self, start: float, end: float) -> dict[str, Tally]:
        """What became of each function's attempts in some of its bars."""
        if self._known is not None and self._known[:2] == (start, end):
            return self._known[2]
        found: dict[str, Tally] = {}
        for bar, functions in self.cells.items():
            if start <= bar < end:
                for name, tally in functions.items():
                    found.setdefault(name, Tally()).merge(tally)
        self._known = (start, end, found)
        return found


# Nothing ends in it.
_NOWHERE = _Stretch(Ruler(1.0, 0.0), 0.0, 0.0)


class WindowWork:
    """Reads what happened in a window, in steps.

    Args:
        window: which one.
        days: how many days before the hours lie that it is compared with; 0 for none.
        clock: seconds of a clock that times the steps.
    """

    def __init__(
        self,
        window: TimeWindow,
        days: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.window = window
        self.days = days
        self._clock = clock
        self._per_row_s = STEP_S / FIRST_ROWS
        self.begin()

    def begin(self) -> None:
        self._begun = False
        self._left: list[_Rows] = []
        self._read = self._total = 0
        self._names: set[str] = set()
        self._tail: deque[tuple[int, str]] = deque(maxlen=TAIL)
        self._open: set[int] = set()
        self._newest = self._newest_job = 0
        self._waiting = self._change = 0
        self._followed_at = float("-inf")
        self._bars: dict[float, Bar] = {}
        self._last: Account | None = None
        self._told_at = self._telling_s = 0.0
        self._oldest: float | None = None

    def renew(self) -> None:
        """What is new is looked for at each step anyway."""

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Account]:
        began, at = self._clock(), now.timestamp()
        if self._begun and not self._still_fits(conn, at):
            self.begin()
        if not self._begun:
            self._start(conn, schema, at)
        else:
            self._follow(conn, schema, at)
        left_s = STEP_S / 2
        while self._left and left_s > STEP_S / 4:
            self._read_some(conn, schema, max(50, int(left_s / 2 / self._per_row_s)))
            left_s = STEP_S - (self._clock() - began)
        if not any(rows.matters for rows in self._left):
            self._settle(conn, schema, at)
        return SoFar(self._told(at), self._read, max(self._total, self._read))

    # --- what is read ---------------------------------------------------------------------------

    def _start(self, conn: sqlite3.Connection, schema: FileSchema, at: float) -> None:
        edges = self.window.edges(at)
        ahead = AHEAD_S if self.window.live else 0.0
        self._main = _Stretch(self.window.ruler, edges[0], self._until(edges))
        self._before = _before(self.window, edges, self.days, ahead)
        grain = max(1, int((edges[-1] - edges[0]) // MAX_GRAINS))
        self._backlog = Backlog(self.window.ruler, edges[0], grain)
        newest = _one(conn, queries.NEWEST_ATTEMPT)
        oldest = _one(conn, statements.OLDEST_ATTEMPT)
        newest_job = _one(conn, statements.NEWEST_JOB)
        oldest_job = _one(conn, statements.OLDEST_JOB)
        tail = conn.execute(statements.NEWEST_IDS, (-(2**62), TAIL)).fetchall()
        attempts = Position(conn, statements.began_near(schema), oldest, newest)
        jobs = Position(conn, statements.created_near(schema), oldest_job, newest_job)
        main = (attempts.of(edges[0] - LONG_RUN_S), attempts.of(edges[-1]))
        before = (0, -1)
        if self._before is not None:
            first = attempts.of(self._before.start - LONG_RUN_S)
            before = (first, attempts.of(self._before.end))
        parts = apart(
            [
                (main[0] - OUT_OF_ORDER, main[1] + OUT_OF_ORDER),
                (main[1], newest),
                (before[0] - OUT_OF_ORDER, before[1] + OUT_OF_ORDER),
            ],
            (oldest, newest),
        )
        matters = main[0] - OUT_OF_ORDER
        self._left = [_Rows(low, high, matters=high >= matters) for low, high in parts]
        first_job = max(oldest_job, jobs.of(edges[0]) - OUT_OF_ORDER)
        if newest_job >= first_job:
            here = sum(rows.matters for rows in self._left)
            self._left.insert(here, _Rows(first_job, newest_job, jobs=True, matters=True))
        self._waiting = _one(conn, statements.waiting_now(schema))
        self._oldest = attempts.first
        self._total = sum(rows.high - rows.low + 1 for rows in self._left)
        self._tail.extend((as_int(r["key"]), as_text(r["id"])) for r in reversed(tail))
        self._newest, self._newest_job = newest, newest_job
        self._followed_at = self._began_at = at
        self._begun = True

    def _until(self, edges: Sequence[float]) -> float:
        """Up to when ends are counted: a clock that was set back has left some in the future."""
        return edges[-1] + (max(self.window.length_s, DAY_S) if self.window.live else 0.0)

    def _still_fits(self, conn: sqlite3.Connection, at: float) -> bool:
        """Whether what is known is of these rows and of this window still."""
        before = self._before
        edges = self.window.edges(at)
        if before is not None and days_before(edges[-1], self.days) > before.end:
            return False
        if edges[0] < self._main.start:
            return False  # the clock was set back
        return self._is_anchored(conn)

    def _is_anchored(self, conn: sqlite3.Connection) -> bool:
        """Whether the rows known are still those: attempts are deleted, and rowids used again."""
        if self._is_over:
            return True
        while self._tail:
            key, id = self._tail[-1]
            found = conn.execute(queries.ATTEMPT_ID, (key,)).fetchone()
            if found is not None and as_text(found["id"]) == id:
                break
            self._tail.pop()
        newest = self._tail[-1][0] if self._tail else 0
        if newest != self._newest:
            if not newest:
                return False
            self._newest = newest
            self._open = {key for key in self._open if key <= newest}
            self._left = [_below(rows, newest) for rows in self._left if rows.low <= newest]
        return True

    @property
    def _is_over(self) -> bool:
        """Whether nothing can end in the window any more that has not."""
        return not self.window.live and self._main.end < self._followed_at - PUT_BACK_S

    def _follow(self, conn: sqlite3.Connection, schema: FileSchema, at: float) -> None:
        """Take in what is new, and what of that which went on has ended."""
        edges = self.window.edges(at)
        if self._is_over:
            return
        self._main.end = self._until(edges)
        known = min(self._followed_at, at) - PUT_BACK_S
        newest = _one(conn, queries.NEWEST_ATTEMPT)
        newest_job = _one(conn, statements.NEWEST_JOB)
        tail: list[sqlite3.Row] = []
        new: list[_Rows] = []
        if newest > self._newest:
            tail = conn.execute(statements.NEWEST_IDS, (self._newest, TAIL)).fetchall()
            new.append(_Rows(self._newest + 1, newest, matters=True, is_new=True, known=known))
        if newest_job > self._newest_job:
            first = self._newest_job + 1
            new.append(_Rows(first, newest_job, jobs=True, matters=True, is_new=True))
        again: _Found | None = None
        if self._open:
            rows = {"rows": json.dumps(sorted(self._open))}
            again = self._find(conn, schema, statements.AMONG, rows, began=False)
        self._tail.extend((as_int(r["key"]), as_text(r["id"])) for r in reversed(tail))
        self._left[:0] = new
        self._total += sum(rows.high - rows.low + 1 for rows in new)
        self._newest, self._newest_job = newest, newest_job
        self._followed_at = at
        if again is not None:
            self._open = set()
            self._take(again, is_new=True)
        for stretch, start in ((self._main, edges[0]), (self._before, None)):
            if stretch is not None:
                stretch.forget_before(days_before(edges[0], self.days) if start is None else start)
        self._backlog.forget_before(edges[0])

    def _read_some(self, conn: sqlite3.Connection, schema: FileSchema, n: int) -> None:
        """Read some of the rows that are left."""
        began = self._clock()
        rows = self._left[0]
        low = max(rows.low, rows.high - min(n, MAX_ROWS) + 1)
        between = {"low": low, "high": rows.high}
        if rows.jobs:
            found = self._find_jobs(conn, schema, between)
        else:
            found = self._find(conn, schema, statements.IN_RANGE, between, known=rows.known)
        if low > rows.low:
            self._left[0] = rows._replace(high=low - 1)
        else:
            del self._left[0]
        self._read += rows.high - low + 1
        self._take(found, is_new=rows.is_new)
        took = (self._clock() - began) / (rows.high - low + 1)
        self._per_row_s = max(1e-7, (self._per_row_s + took) / 2)

    def _find(
        self,
        conn: sqlite3.Connection,
        schema: FileSchema,
        rows: str,
        which: Mapping[str, object],
        *,
        began: bool = True,
        known: float = -1e18,
    ) -> _Found:
        values: dict[str, object] = {
            **which,
            "known": known,
            "since": self._backlog.since,
            "grain": self._backlog.grain,
            "is_new": began,
        }
        for number, stretch in enumerate((self._main, self._before or _NOWHERE)):
            values[f"start{number}"], values[f"end{number}"] = stretch.start, stretch.end
            values[f"origin{number}"] = stretch.ruler.origin
            values[f"slice{number}"] = stretch.slice_s
        found = _Found([], [], [])
        for record in conn.execute(statements.happened_in(schema, rows), values).fetchall():
            kind = record["kind"]
            if kind == 0:
                found.ended.append((self._main, record))
            elif kind == 1 and self._before is not None:
                found.ended.append((self._before, record))
            elif kind == _GOES_ON:
                found.going_on.append(as_int(record["slice"]))
            else:
                sign = -1 if kind == _BEGAN else 1
                found.changes.append((as_int(record["slice"]), sign * as_int(record["n"])))
        return found

    def _find_jobs(
        self, conn: sqlite3.Connection, schema: FileSchema, which: Mapping[str, object]
    ) -> _Found:
        times = {**which, "since": self._backlog.since, "grain": self._backlog.grain}
        changes = _changes(conn, statements.jobs_came(schema), times, 1)
        changes += _changes(conn, statements.jobs_given_up(schema), times, -1)
        return _Found([], changes, [])

    def _take(self, found: _Found, *, is_new: bool) -> None:
        """Count what was found."""
        for stretch, record in found.ended:
            self._count(stretch, record)
        change = self._backlog.add(found.changes)
        if is_new:
            self._change += change
        else:
            # What happened since the reading began, in rows that were there before.
            first = self._began_at // self._backlog.grain
            self._change += sum(by for grain, by in found.changes if grain > first)
        if not self._is_over:
            self._open.update(found.going_on)
        if len(self._open) > MAX_OPEN:
            self._open = set(sorted(self._open)[-MAX_OPEN:])

    def _count(self, stretch: _Stretch, record: sqlite3.Row) -> None:
        at = as_int(record["slice"]) * stretch.slice_s + stretch.ruler.origin
        bar = stretch.ruler.start_of(max(at, stretch.start))
        tally = stretch.tally(bar, self._named(record))
        end = _ENDS.get(as_text(record["status"]), End.OTHER)
        longest = record["longest"]
        tally.add_many(end, record["n"], record["step"], -1.0 if longest is None else longest)
        tally.waits += record["waits"]
        tally.waited_s += record["waited"]
        if stretch is self._main:
            self._bars.pop(bar, None)

    def _named(self, record: sqlite3.Row) -> str:
        if record["is_deleted"]:
            return DELETED
        name = function_of(record)
        if name not in self._names:
            if len(self._names) >= MAX_FUNCTIONS:
                return OTHERS
            self._names.add(name)
        return name

    def _settle(self, conn: sqlite3.Connection, schema: FileSchema, at: float) -> None:
        """Reckon from how many wait now; what no row tells happened at this moment."""
        waiting = _one(conn, statements.waiting_now(schema))
        untold = waiting - self._waiting - self._change
        if untold:
            self._backlog.add([(int(at // self._backlog.grain), untold)])
        self._waiting, self._change = waiting, 0

    # --- what is known --------------------------------------------------------------------------

    def _told(self, at: float) -> Account:
        """The account; while much is left to be read, it is put together only now and then."""
        known, began = self._last, self._clock()
        edges = self.window.edges(at)
        is_early = began - self._told_at < PATIENCE * self._telling_s
        if known is not None and self._left and is_early and known.edges == edges:
            return replace(known, now=at)
        self._last = account = self._account(at)
        self._told_at = self._clock()
        self._telling_s = self._told_at - began
        return account

    def _account(self, at: float) -> Account:
        edges = self.window.edges(at)
        functions = self._main.by_function(edges[0], edges[-1])
        before: dict[str, Tally] = {}
        if self._before is not None:
            start, end = (days_before(edge, self.days) for edge in (edges[0], edges[-1]))
            before = self._before.by_function(start, end)
        pace = None
        is_whole = not any(rows.matters for rows in self._left)
        waiting: Sequence[int | None] = (None,) * self.window.bars
        if is_whole:
            waiting = self._backlog.values(edges, self._waiting)
            pace = self._pace(at)
        longest = max(functions, key=lambda name: functions[name].longest_s, default="")
        total = merged(functions.values())
        return Account(
            window=self.window,
            days=self.days,
            edges=edges,
            now=at,
            bars=tuple(
                self._bar(start, end, n)
                for (start, end), n in zip(pairwise(edges), waiting, strict=True)
            ),
            total=total,
            functions=functions,
            before=before,
            longest=longest if total.longest_s >= 0 else "",
            pace=pace,
            oldest=self._oldest,
        )

    def _bar(self, start: float, end: float, waiting: int | None) -> Bar:
        known = self._bars.get(start)
        if known is None or known.waiting != waiting:
            tally = merged(self._main.cells.get(start, {}).values())
            p50_s, p95_s = tally.quantiles(0.5, 0.95)
            known = Bar(start, end, tally.done, tally.failed, p50_s, p95_s, waiting)
            self._bars[start] = known
        return known

    def _pace(self, at: float) -> float | None:
        if not self.window.live:
            return None
        for seconds in PACES_S:
            if self._main.start > at - seconds:
                return None
            change = self._backlog.change_since(at - seconds)
            if change:
                return change / seconds
        return 0.0


class _Found(NamedTuple):
    """What some rows tell: what ended, what changed the backlog, and what goes on."""

    ended: list[tuple[_Stretch, sqlite3.Row]]
    changes: list[tuple[int, int]]
    going_on: list[int]


def function_of(record: sqlite3.Row) -> str:
    """The full name of the function of a record with `function_module` and `function_name`."""
    module, name = as_text(record["function_module"]), as_text(record["function_name"])
    return f"{module}.{name}" if module else name


def _before(window: TimeWindow, edges: Sequence[float], days: int, ahead: float) -> _Stretch | None:
    """The same hours, so many days before."""
    if not days:
        return None
    start, end = (days_before(edge, days) for edge in (edges[0], edges[-1]))
    bar_s = min(window.ruler.bar_s, DAY_S)
    ruler = Ruler(bar_s, start % bar_s if bar_s < DAY_S else 0.0)
    return _Stretch(ruler, start, end + ahead)


def _below(rows: _Rows, newest: int) -> _Rows:
    return rows if rows.jobs else rows._replace(high=min(rows.high, newest))


def _changes(
    conn: sqlite3.Connection, sql: str, values: Mapping[str, object], sign: int
) -> list[tuple[int, int]]:
    return [(as_int(r["grain"]), sign * as_int(r["n"])) for r in conn.execute(sql, values)]


def _one(conn: sqlite3.Connection, sql: str) -> int:
    return as_int(conn.execute(sql).fetchone()[0])
