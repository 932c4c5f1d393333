"""Counting jobs by any one or two of their values, in steps, whatever release wrote the file.

    counting = Counting([count_key("param.customer"), count_key("state")])
    while not counting.step(conn):
        ...
    counts = counting.counts(limit=50)

What is guaranteed: each job that is in the file from the first step to the last is counted once, as
it was at the moment of its step. Within one transaction, all steps are of one moment.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gigq_core.rows.decoding import as_text
from gigq_core.schema import count_statements as sql
from gigq_core.text import inert
from gigq_core.units.moments import comes_twice, offset_of
from gigq_core.units.times import local, moment_of

MOST_KEYS = 2
# What a step is to take, in seconds, and how many rows it reads at first, at least and at most.
STEP_S = 0.025
_FIRST_ROWS, _LEAST_ROWS, _MOST_ROWS = 2_000, 1_000, 100_000
# A condition may cost much by itself, whatever the number of rows: then a step takes so many times
# as long as that.
_TIMES_THE_CONDITION = 4
# Of so many values with the most jobs those are found that take longest, or shortest.
MOST_TIMED = 1_000
# How many of the newest jobs are looked through for names that they can be counted by.
_JOBS_LOOKED_THROUGH = 1_000
_FIRST_ROWID = -(2**63)

_numbers = itertools.count(1)
_alive: WeakValueDictionary[int, Counting] = WeakValueDictionary()


class Kind(IntEnum):
    """What a value is; in the order in which values are sorted."""

    NUMBER = sql.NUMBER
    TEXT = sql.TEXT
    TRUTH = sql.TRUTH
    # A list or an object, as its JSON.
    JSON = sql.JSON
    NULL = sql.NULL
    # The job has none.
    MISSING = sql.MISSING
    # There is something that can't be read, as GigQ's pickled rows.
    UNREADABLE = sql.UNREADABLE


class Value(NamedTuple):
    """A value that jobs have in common."""

    kind: Kind
    value: int | float | str

    def plain(self) -> Any:
        """The value as JSON has it; None for what is missing or can't be read as well."""
        if self.kind is Kind.TRUTH:
            return bool(self.value)
        if self.kind is Kind.JSON:
            return json.loads(str(self.value))
        if self.kind in (Kind.NULL, Kind.MISSING, Kind.UNREADABLE):
            return None
        if isinstance(self.value, float) and self.value.is_integer() and abs(self.value) < 2**53:
            return int(self.value)
        return self.value


class Figures(NamedTuple):
    """Some jobs by where they stand: `failed` holds those that timed out."""

    jobs: int = 0
    done: int = 0
    failed: int = 0
    waiting: int = 0
    running: int = 0
    cancelled: int = 0

    def __add__(self, other: object) -> Figures:
        """The figures of both."""
        assert isinstance(other, Figures)
        return Figures(*(one + another for one, another in zip(self, other, strict=True)))


class Counted(NamedTuple):
    """The jobs with one value.

    `p50_s` is the median run time of those that ran to an end, each by its last attempt, in
    seconds, to two digits. `then` has the second key's values among them, `parts` says how many
    of those there are.
    """

    value: Value
    figures: Figures
    p50_s: float | None = None
    then: tuple[Counted, ...] = ()
    parts: int = 0


class Counts(NamedTuple):
    """What was counted: all of it, the values that were asked for, and how many there are."""

    total: Figures = Figures()
    groups: tuple[Counted, ...] = ()
    values: int = 0

    def by(self, order: str) -> Counts:
        """The same values in another order, one of `ORDERS`."""
        key = _SORTED_BY[order]
        return self._replace(
            groups=tuple(
                sorted(
                    (one._replace(then=tuple(sorted(one.then, key=key))) for one in self.groups),
                    key=key,
                )
            )
        )


# What counts can be in the order of: the figures, and `value` and `p50`.
ORDERS = (*Figures._fields, "p50", "value")


@dataclass(frozen=True)
class CountKey:
    """What jobs are counted by; see `count_key`.

    Args:
        name: as it is written.
        field: its first word.
        rest: what follows that, such as the path within a parameter.
    """

    name: str
    field: str
    rest: tuple[str, ...] = ()

    @property
    def unit_s(self) -> int:
        """For moments in UTC seconds: how many of them one value stands for; otherwise 0."""
        return _UNITS.get(self.rest[0], 0) if self.field in _MOMENTS else 0


_COLUMNS = {
    "name": "name",
    "state": "status",
    "worker": "worker_id",
    "err": "error",
    "batch": "batch",
    "workflow": "workflow",
    "schedule": "schedule",
    "pri": "priority",
    "try": "attempts",
}
_MOMENTS = {
    "created": ("created", "created_at"),
    "started": ("began", "started_at"),
    "ended": ("ended", "completed_at"),
}
_IN_JSON = {"param": "params", "result": "result"}
_UNITS = {"minute": 60, "hour": 3_600}
_DAY = "day"
# The keys without a path, in the order in which they are named.
PLAIN_KEYS = (
    "fn",
    *("name", "state", "worker", "host", "err", "fp"),
    *(f"{field}.{unit}" for field in _MOMENTS for unit in ("hour", _DAY, "minute")),
    *("lane", "batch", "workflow", "schedule", "pri", "try"),
)
# The same in full.
_IN_FULL = {
    "function": "fn",
    "status": "state",
    "error": "err",
    "priority": "pri",
    "attempts": "try",
    "params": "param",
}
_PATH = re.compile(r"[\w\-]+(?:\.[\w\-]+)*")
_STEP_OF_KEY = re.compile(r'\.(?:"([^"]*)"|([^."\[]+))')
_MOST_CHARACTERS = 300


def count_key(text: str) -> CountKey:
    """What jobs are counted by, as it is written: `fn`, `param.customer`, `ended.hour`.

    Raises:
        ValueError: there is no such key.
    """
    text = text.strip()
    first, dot, rest = text.partition(".")
    field = _IN_FULL.get(first.lower(), first.lower())
    if field in _IN_JSON:
        if len(text) > _MOST_CHARACTERS or _PATH.fullmatch(rest) is None:
            raise ValueError(f"name what is in it, as in {field}.customer or {field}.file.size")
        return CountKey(f"{field}.{rest}", field, tuple(rest.split(".")))
    if field in _MOMENTS:
        unit = rest.lower()
        if unit not in (*_UNITS, _DAY):
            raise ValueError(f"write {field}.hour, {field}.day or {field}.minute")
        return CountKey(f"{field}.{unit}", field, (unit,))
    if dot or field not in (*_COLUMNS, "fn", "fp", "lane", "host"):
        raise ValueError(
            f"jobs can't be counted by {text!r}: choose from {', '.join(PLAIN_KEYS)}, "
            "param.NAME and result.NAME"
        )
    return CountKey(field, field)


def count_keys(text: str) -> tuple[CountKey, ...]:
    """One key or two, apart by spaces or commas.

    Raises:
        ValueError: one of them is none, there are too many, or there is none at all.
    """
    words = text.replace(",", " ").split()
    if not words:
        raise ValueError("write what to count by, as in param.customer state")
    if len(words) > MOST_KEYS:
        raise ValueError("write one key, or two")
    keys = tuple(map(count_key, words))
    if len({key.name for key in keys}) < len(keys):
        raise ValueError(f"{keys[0].name} is given twice")
    return keys


def path_of(steps: Sequence[str]) -> str:
    """The JSON path to what lies so many steps deep. No step has a quote in it."""
    return "$" + "".join(f'."{step}"' for step in steps)


def names_within(conn: sqlite3.Connection, field: str, most: int) -> tuple[str, ...]:
    """What the newest jobs can be counted by of their `param` or `result`, most frequent first.

    Args:
        conn: the file.
        field: which of the two.
        most: how many at most.
    """
    found = conn.execute(sql.keys_within(_IN_JSON[field]), (_JOBS_LOOKED_THROUGH, most))
    names = []
    for row in found:
        rest = ".".join(a or b for a, b in _STEP_OF_KEY.findall(as_text(row[0])))
        if _PATH.fullmatch(rest) is not None and len(rest) < _MOST_CHARACTERS:
            names.append(f"{field}.{rest}")
    return tuple(names)


def values_of_rows(keys: Sequence[CountKey]) -> tuple[str, tuple[object, ...]]:
    """The statement for what some jobs have in parameters and results, and its first parameters.

    The last one is their rowids as JSON. A row is a rowid, and for each key a kind and a value.

    Args:
        keys: within parameters and results alone.
    """
    expressions = [
        sql.small(sql.within_json(name, path_of(key.rest)), name)
        for key in keys
        for name in (_IN_JSON[key.field],)
    ]
    parameters: list[object] = []
    for kind, value, paths in expressions:
        # The value stands there three times.
        parameters += paths[: kind.count("?")]
        parameters += [paths[0]] * (3 * value.count("?"))
    return sql.values_of_rows(expressions), tuple(parameters)


class Counting:
    """Counts jobs in steps. What has been counted so far stands in temporary tables of `conn`.

    A step changes nothing if it ends by an `sqlite3.Error`, so that it can be taken again.

    Args:
        keys: what they are counted by, one or two.
        condition: of the jobs that count: SQL on `jobs`, with `?` for its values.
        values: the condition's.
        status: only those of this status, which an index finds.
        order: which values come first; one of `ORDERS`.
        step_s: what a step is to take, in seconds.
        clock: what steps are timed by.

    Attributes:
        read: how many rows have been looked at.
        rows: how many there are to look at; 0 before the first step.
        total: the figures of all that was counted.
    """

    def __init__(
        self,
        keys: Sequence[CountKey],
        condition: str = "true",
        values: Sequence[object] = (),
        *,
        status: str | None = None,
        order: str = "jobs",
        step_s: float = STEP_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 1 <= len(keys) <= MOST_KEYS:
            raise ValueError("jobs are counted by one key, or by two")
        self.keys = tuple(keys)
        self.order = order
        self._condition = condition
        self._values = tuple(values)
        self._status = status
        self._step_s = step_s
        self._clock = clock
        self._number = next(_numbers)
        self._tables = sql.Tables.of(self._number)
        _alive[self._number] = self
        self.read = self.rows = 0
        self.total = Figures()
        self._is_begun = self._is_done = False

    @property
    def done(self) -> bool:
        """Whether all have been counted."""
        return self._is_done

    def step(self, conn: sqlite3.Connection) -> bool:
        """Count some more jobs; the first step makes ready. Return whether all are counted."""
        if self._is_done:
            return True
        conn.execute(sql.SAVEPOINT)
        try:
            if not self._is_begun:
                self._begin(conn)
            self._count(conn)
        except BaseException:
            # An interrupt has ended the whole transaction already.
            if conn.in_transaction:
                conn.execute(sql.ROLL_BACK)
                conn.execute(sql.RELEASE)
            raise
        conn.execute(sql.RELEASE)
        return self._is_done

    def shown_ids(self, conn: sqlite3.Connection, limit: int, then_limit: int) -> list[int]:
        """The places of the values that `counts` tells of, for `medians`: the first key's first."""
        firsts = [id for id, _ in self._groups(conn, 0, limit)] if self._is_begun else []
        if len(self.keys) < MOST_KEYS:
            return firsts
        return firsts + [id for one in firsts for id, _ in self._groups(conn, one, then_limit)]

    def medians(self, conn: sqlite3.Connection, ids: Sequence[int]) -> dict[int, float]:
        """The median run times of some values by their places, in seconds, as far as there are."""
        found = conn.execute(sql.medians(self._tables), (json.dumps(ids),))
        return {id: ms / 1000 for id, ms in found}

    def counts(
        self,
        conn: sqlite3.Connection,
        limit: int,
        then_limit: int = 50,
        medians: Mapping[int, float] | None = None,
    ) -> Counts:
        """What has been counted so far.

        Args:
            conn: the connection of the steps.
            limit: how many of the first key's values at most.
            then_limit: how many of the second key's values below each of them at most.
            medians: the run times, as far as they are known; None reads all of them.
        """
        if not self._is_begun:
            return Counts()
        firsts = self._groups(conn, 0, limit)
        then: dict[int, list[tuple[int, Counted]]] = {}
        if len(self.keys) > 1:
            then = {id: self._groups(conn, id, then_limit) for id, _ in firsts}
        if medians is None:
            ids = [id for some in (firsts, *then.values()) for id, _ in some]
            medians = self.medians(conn, ids)
        times = medians

        def timed(some: list[tuple[int, Counted]], most: int) -> tuple[Counted, ...]:
            found = [
                one._replace(p50_s=times.get(id), then=timed(then.get(id, []), then_limit))
                for id, one in some
            ]
            return tuple(sorted(found, key=_SORTED_BY[self.order])[:most])

        number = conn.execute(sql.how_many(self._tables, len(self.keys) > 1)).fetchone()[0]
        return Counts(self.total, timed(firsts, limit), number)

    def _groups(
        self, conn: sqlite3.Connection, parent: int, limit: int
    ) -> list[tuple[int, Counted]]:
        by = {"value": None, "p50": "jobs"}.get(self.order, self.order)
        most = max(limit, MOST_TIMED) if self.order == "p50" and not parent else limit
        rows = conn.execute(sql.values(self._tables, by), (parent, most))
        return [
            (id, Counted(Value(Kind(kind), value), Figures(*figures), parts=parts))
            for id, kind, value, *figures, parts in map(tuple, rows)
        ]

    def _begin(self, conn: sqlite3.Connection) -> None:
        for (table,) in conn.execute(sql.OUR_TABLES).fetchall():
            number = sql.number_of(table)
            if number == self._number or number not in _alive:
                conn.execute(sql.drop(table))
        conn.execute(sql.KEEP_IN_MEMORY)
        by = {"value": None, "p50": "jobs"}.get(self.order, self.order)
        for statement in sql.create(self._tables, by):
            conn.execute(statement)
        present = {str(row[0]) for row in conn.execute(sql.JOB_COLUMNS)}
        of_attempts = {str(row[0]) for row in conn.execute(sql.EXECUTION_COLUMNS)}
        indexed = conn.execute(sql.HAS_EXECUTIONS_INDEX).fetchone() is not None
        expressions = [_expression(key, present, of_attempts, indexed) for key in self.keys]
        has_index = conn.execute(sql.HAS_STATUS_INDEX).fetchone() is not None
        self._walked = sql.source(self._status, has_index)
        (last,) = conn.execute(sql.last(self._walked)).fetchone()
        counters = self._status is None and conn.execute(sql.HAS_COUNTERS).fetchone() is not None
        statement = sql.ALL_ROWS if counters else sql.rows(self._walked)
        (self._known_rows,) = conn.execute(statement).fetchone()
        self._last = _FIRST_ROWID if last is None else last
        self._stage = sql.stage(self._tables, expressions, self._walked, self._condition, present)
        self._parameters = tuple(
            itertools.chain.from_iterable(one.parameters for one in expressions)
        )
        self._from = _FIRST_ROWID
        # The first row tells what the condition costs by itself.
        self._step_rows = _FIRST_ROWS if self._condition == "true" else 1
        self._fixed_s = 0.0

    def _count(self, conn: sqlite3.Connection) -> None:
        began = self._clock()
        wanted = self._step_rows
        bound = conn.execute(sql.bound(self._walked), (self._from, self._last, wanted))
        to, number = bound.fetchone()
        figures = self._add(conn, self._from, to) if number else Figures()
        took = self._clock() - began
        # From here on nothing can fail.
        self._is_begun = True
        self.total += figures
        self.read += number
        self._is_done = number < wanted
        self.rows = self.read if self._is_done else max(self._known_rows, self.read + 1)
        if number:
            self._from = to
            self._step_rows = self._next_rows(number, took)

    def _add(self, conn: sqlite3.Connection, start: int, to: int) -> Figures:
        tables, parted = self._tables, len(self.keys) > 1
        conn.execute(self._stage, (*self._parameters, start, to, *self._values))
        figures = Figures(*conn.execute(sql.total_of(tables)).fetchone())
        if figures.jobs:
            conn.execute(sql.count_first(tables))
            conn.execute(sql.time_first(tables))
            if parted:
                (newest,) = conn.execute(sql.newest(tables)).fetchone()
                conn.execute(sql.count_second(tables))
                conn.execute(sql.count_parts(tables), (newest,))
                conn.execute(sql.time_second(tables))
            conn.execute(sql.unstage(tables))
        return figures

    def _next_rows(self, number: int, took: float) -> int:
        if number == 1:
            self._fixed_s = took
            return _FIRST_ROWS
        aim = max(self._step_s, _TIMES_THE_CONDITION * self._fixed_s) - self._fixed_s
        fitting = int(aim * number / max(took - self._fixed_s, 1e-6))
        return max(_LEAST_ROWS, min(fitting, 4 * number, _MOST_ROWS))


def _expression(
    key: CountKey, present: Collection[str], of_attempts: Collection[str], indexed: bool
) -> sql.Expression:
    if key.field in _IN_JSON:
        name = _IN_JSON[key.field]
        if name not in present:
            return sql.column(name, present)
        return sql.within_json(name, path_of(key.rest))
    if key.field in _MOMENTS:
        name, text = _MOMENTS[key.field]
        if key.unit_s:
            return sql.begun(name, text, key.unit_s, present)
        return sql.day(name, text, present)
    if key.field == "fn":
        return sql.function()
    if key.field == "lane":
        return sql.lane(present)
    if key.field == "host":
        return sql.host(of_attempts)
    if key.field == "fp":
        return sql.failure(of_attempts, indexed)
    return sql.column(_COLUMNS[key.field], present)


def _by_value(counted: Counted) -> tuple[Any, ...]:
    return counted.value


def _by_median(counted: Counted) -> tuple[Any, ...]:
    return counted.p50_s is None, -(counted.p50_s or 0.0), counted.value


def _by_figure(index: int) -> Callable[[Counted], tuple[Any, ...]]:
    return lambda counted: (-counted.figures[index], counted.value)


_SORTED_BY: dict[str, Callable[[Counted], tuple[Any, ...]]] = {
    **{name: _by_figure(at) for at, name in enumerate(Figures._fields)},
    "p50": _by_median,
    "value": _by_value,
}


# --- in words -----------------------------------------------------------------------------------

_UNREADABLE = "(unreadable)"
_MISSING = "-"


def shown(key: CountKey, value: Value) -> str:
    """A value in words, so that no two of them look alike: what is no plain text is as in JSON."""
    if value.kind is Kind.MISSING:
        return _MISSING
    if value.kind is Kind.UNREADABLE:
        return _UNREADABLE
    if key.unit_s and value.kind is Kind.NUMBER:
        moment = moment_of(value.value)
        if moment is None:
            return str(value.value)
        here = local(moment)
        # A clock that is set back shows some hours twice.
        offset = offset_of(here) if comes_twice(here) else ""
        return f"{here:%Y-%m-%d %H:%M}{offset}"
    if value.kind is Kind.JSON:
        return str(value.value)
    if value.kind is not Kind.TEXT:
        return json.dumps(value.plain())
    text = str(value.value)
    return json.dumps(text, ensure_ascii=False) if _could_be_other(key, text) else text


def _could_be_other(key: CountKey, text: str) -> bool:
    """Whether a text could be taken for another value."""
    if not text or text != text.strip() or text in (_MISSING, _UNREADABLE) or text[0] in '"[{':
        return True
    if key.field not in _IN_JSON:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def told(key: CountKey, value: Value) -> Any:
    """A value for a script: as JSON has it; of an hour or a minute, when that began."""
    moment = moment_of(value.value) if key.unit_s else None
    return value.plain() if moment is None else local(moment).isoformat(timespec="minutes")


def rows_of(counts: Counts) -> Iterator[tuple[tuple[Value, ...], Counted]]:
    """Each value, or each pair of values where there are two keys, with what was counted of it."""
    for one in counts.groups:
        if not one.then:
            yield (one.value,), one
        for other in one.then:
            yield (one.value, other.value), other


CSV_FIGURES = (*Figures._fields, "p50_s")


def csv_of(keys: Sequence[CountKey], rows: Iterable[tuple[tuple[Value, ...], Counted]]) -> str:
    """Counts as CSV with a line of names, for a spreadsheet: no value in it is taken for a formula.

    A value that a job does not have is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(key.name for key in keys), *CSV_FIGURES])
    for values, counted in rows:
        cells = [_csv_cell(key, value) for key, value in zip(keys, values, strict=True)]
        writer.writerow([*cells, *counted.figures, counted.p50_s])
    return text.getvalue()


def _csv_cell(key: CountKey, value: Value) -> str:
    if value.kind is Kind.MISSING:
        return ""
    text = shown(key, value)
    if value.kind is Kind.TEXT and text[0] in "=+-@":
        text = json.dumps(text, ensure_ascii=False)
    return inert(text)
