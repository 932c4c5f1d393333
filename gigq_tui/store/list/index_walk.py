"""Walking along an order that an index holds: from a row on, both ways, at the cost of a page."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gigq_core.rows.decoding import as_int
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import Sort, SortKey


@dataclass(frozen=True)
class Segment:
    """A part of the order: one index, walked by `values` first (if any) and then by rowid."""

    source: str
    condition: str
    values: tuple[str, ...] = ()
    falling: bool = False
    newest_first: bool = False


@dataclass(frozen=True)
class Position:
    """Where a row stands: in which part, with which values, under which rowid."""

    part: int
    values: tuple[Any, ...]
    key: int


@dataclass(frozen=True)
class Run:
    """One statement's worth of rows. `condition` and `order` are SQL."""

    source: str
    condition: str
    params: tuple[Any, ...]
    order: str


class IndexWalk:
    """One list in one order.

    Args:
        conn: an open connection, within its read transaction.
        parts: what the list is made of, first to last.
        where: the filter's condition on `jobs`.
        params: its values.
        turned: whether the list goes from the last part's end to the first one's top.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        parts: Sequence[Segment],
        where: str,
        params: Sequence[object],
        turned: bool,
    ) -> None:
        self._conn = conn
        self._parts = parts
        self._where = where
        self._params = tuple(params)
        self._turned = turned

    @property
    def by_key(self) -> bool:
        """Whether the rowid alone is the order, so that a place can be guessed from it."""
        return not self._parts[0].values

    def place_of(self, key: int) -> Position | None:
        """The place of a row, even of one that has just left the list; None if it is gone."""
        if self.by_key:
            return Position(0, (), key)
        found = self._conn.execute(queries.CLAIM_PLACE, (key,)).fetchone()
        if found is None:
            return None
        part = as_int(found["part"])
        columns = (value.removeprefix("jobs.") for value in self._parts[part].values)
        return Position(part, tuple(found[column] for column in columns), key)

    def holds(self, place: Position) -> bool:
        """Whether the row at a place is in the list now."""
        sql = queries.holds_row(self._parts[place.part].condition, f"({self._where})")
        return self._conn.execute(sql, (place.key, *self._params)).fetchone() is not None

    def down(
        self, place: Position | None, rows: int, columns: str, *, with_it: bool = False
    ) -> list[sqlite3.Row]:
        """Rows below a place, nearest first; from the top if it is None.

        Args:
            place: where to begin.
            rows: how many at most.
            columns: which columns.
            with_it: begin with the row at the place itself.
        """
        return self._rows(not self._turned, place, rows, columns, with_it)

    def up(self, place: Position | None, rows: int, columns: str) -> list[sqlite3.Row]:
        """Rows above a place, nearest first; from the end if it is None."""
        return self._rows(self._turned, place, rows, columns, False)

    def count_above(self, place: Position, limit: int) -> int:
        """How many rows stand above a place, counted to a limit."""
        return self._count(self._turned, place, limit)

    def count_below(self, place: Position, limit: int) -> int:
        """How many rows stand below a place, counted to a limit."""
        return self._count(not self._turned, place, limit)

    def nth(self, index: int, *, from_end: bool = False) -> int | None:
        """The key of the row at a place in the list. Walks there, along the index."""
        found = (self.up if from_end else self.down)(None, index + 1, "jobs.rowid AS key")
        return as_int(found[-1]["key"]) if found else None

    def jump(self, index: int) -> int | None:
        """The key of the row at any place in the list. Grows with the place: for jumps alone."""
        for run in self._runs(not self._turned, None, False):
            condition = self._condition(run)
            sql = queries.jump_in_run(run.source, condition, run.order)
            found = self._conn.execute(sql, (*run.params, *self._params, index)).fetchone()
            if found is not None:
                return as_int(found["key"])
            sql = queries.count_run(run.source, condition)
            index -= as_int(self._conn.execute(sql, (*run.params, *self._params, -1)).fetchone()[0])
        return None

    def ids(self, limit: int) -> list[Any]:
        """The ids of the whole list in its order, up to a limit (none if negative)."""
        ids: list[Any] = []
        for run in self._runs(not self._turned, None, False):
            left = limit if limit < 0 else limit - len(ids)
            sql = queries.ids_matching(run.source, self._condition(run), run.order)
            found = self._conn.execute(sql, (*run.params, *self._params, left))
            ids += [record[0] for record in found.fetchall()]
        return ids

    def _rows(
        self, forward: bool, place: Position | None, rows: int, columns: str, with_it: bool
    ) -> list[sqlite3.Row]:
        found: list[sqlite3.Row] = []
        for run in self._runs(forward, place, with_it):
            if len(found) >= rows:
                break
            sql = queries.run_of(columns, run.source, self._condition(run), run.order)
            values = (*run.params, *self._params, rows - len(found))
            found += self._conn.execute(sql, values).fetchall()
        return found

    def _count(self, forward: bool, place: Position, limit: int) -> int:
        count = 0
        for run in self._runs(forward, place, False):
            if count >= limit:
                break
            sql = queries.count_run(run.source, self._condition(run))
            values = (*run.params, *self._params, limit - count)
            count += as_int(self._conn.execute(sql, values).fetchone()[0])
        return count

    def _condition(self, run: Run) -> str:
        return f"{run.condition} AND ({self._where})"

    def _runs(self, forward: bool, place: Position | None, with_it: bool) -> Iterator[Run]:
        numbers = list(range(len(self._parts)))
        if not forward:
            numbers.reverse()
        if place is not None:
            numbers = numbers[numbers.index(place.part) :]
        for number in numbers:
            yield from _runs_of(self._parts[number], forward, place, with_it)
            place = None


def _runs_of(part: Segment, forward: bool, place: Position | None, with_it: bool) -> Iterator[Run]:
    """The statements that walk one part from a place on, in their order."""
    newest_first = part.newest_first is forward
    by_key = f"jobs.rowid {'DESC' if newest_first else 'ASC'}"
    beyond = ("<" if newest_first else ">") + ("=" if with_it else "")

    def run(condition: str, params: tuple[Any, ...], order: str) -> Run:
        return Run(part.source, f"{part.condition} AND {condition}", params, order)

    if not part.values:
        key = (
            place.key if place is not None else queries.TOP_KEY if newest_first else queries.END_KEY
        )
        beyond = beyond if place is not None else "<=" if newest_first else ">="
        yield run(f"jobs.rowid {beyond} ?", (key,), by_key)
        return
    falls = part.falling is forward
    way = "DESC" if falls else "ASC"

    def order(first: int) -> str:
        return ", ".join([*(f"{value} {way}" for value in part.values[first:]), by_key])

    if place is None:
        yield run("1", (), order(0))
        return
    # The neighbours with the same values apart: together with the others they would be walked
    # through from the first one on.
    same = [f"{value} IS ?" for value in part.values]
    here = (*place.values, place.key)
    yield run(" AND ".join([*same, f"jobs.rowid {beyond} ?"]), here, by_key)
    for at in reversed(range(len(same))):
        for condition, params in _past(part.values[at], place.values[at], falls):
            whole = " AND ".join([*same[:at], condition])
            yield run(whole, (*place.values[:at], *params), order(at if params else at + 1))


def _past(column: str, value: Any, falls: bool) -> list[tuple[str, tuple[Any, ...]]]:
    """The conditions for what comes after a value, in their order; NULL is below every other."""
    if value is not None:
        nothing = [(f"{column} IS NULL", ())] if falls else []
        return [(f"{column} {'<' if falls else '>'} ?", (value,)), *nothing]
    return [] if falls else [(f"{column} > ?", (-math.inf,))]


def walk_of(
    conn: sqlite3.Connection,
    schema: FileSchema,
    tab: Tab,
    sort: Sort,
    where: str,
    params: Sequence[object],
) -> IndexWalk:
    """The walk through a tab in an order that `sorting.is_walked`.

    The claim order knows waiting jobs alone, on whichever tab.

    Args:
        conn: A connection to the file.
        schema: What the file is made of.
        tab: The tab.
        sort: The order.
        where: The filter's condition.
        params: Its parameters.
    """
    if sort.key is SortKey.CLAIM:
        parts = [
            Segment(f"jobs {schema.indexed_by(index)}", condition, values, falling)
            for index, condition, values, falling in queries.CLAIM_ORDER
        ]
    else:
        source, condition = queries.tab_source(schema, tab)
        parts = [Segment(source, condition, newest_first=True)]
    return IndexWalk(conn, parts, where, params, sort.turned)
