"""Reading one page of a list by key, and telling where in the list it stands."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from gigq_core.rows.decoding import as_int
from gigq_tui.store import queries
from gigq_tui.store.list.index_walk import IndexWalk, Position
from gigq_tui.store.list.view import Anchor, AnchorKind
from gigq_tui.store.models import JobRow, Window
from gigq_tui.store.rows import job_row

# A place within so many rows of an end is counted exactly.
WALK_ROWS = 2_000


class Pages:
    """The pages of one list, within one read transaction.

    Args:
        conn: an open connection.
        walk: the list in its order.
        columns: the columns of a line.
        total: how many rows the list has, as far as is known.
    """

    def __init__(self, conn: sqlite3.Connection, walk: IndexWalk, columns: str, total: int) -> None:
        self._conn = conn
        self._walk = walk
        self._columns = columns
        self._total = total

    def read(self, anchor: Anchor, rows: int) -> Window:
        """The page at `anchor` with up to `rows` lines."""
        return replace(self._read(anchor, rows), around=anchor.id)

    def _read(self, anchor: Anchor, rows: int) -> Window:
        if anchor.kind is AnchorKind.TOP:
            return self._top(rows)
        if anchor.kind is AnchorKind.END:
            return self._end(rows)
        if anchor.kind is AnchorKind.NEAR:
            return self._near(anchor.start, anchor.fraction, rows)
        if anchor.kind is AnchorKind.AROUND:
            return self._around(anchor, rows)
        place = self._walk.place_of(anchor.key)
        if place is None:
            return self._near(anchor.start, self._fraction(anchor.start), rows)
        if anchor.kind is AnchorKind.BEFORE:
            page = self._up(place, rows)
            if len(page) < rows:  # the top was reached: fill the page from there
                return self._top(rows)
            return self._window(page, self._place(page, anchor.start - len(page)))
        page = self._down(place, rows)
        if not page:  # the rows below are gone: show the last ones there are
            return self._end(rows)
        return self._window(page, self._place(page, anchor.start))

    def _top(self, rows: int) -> Window:
        return self._window(self._down(None, rows), 0)

    def _end(self, rows: int) -> Window:
        page = self._up(None, rows)
        return self._window(page, max(0, self._total - len(page)))

    def _around(self, anchor: Anchor, rows: int) -> Window:
        found = self._conn.execute(queries.KEY_OF, (anchor.id,)).fetchone()
        place = None if found is None else self._walk.place_of(as_int(found["key"]))
        if place is None or not self._walk.holds(place):
            first = max(0, anchor.start - rows // 2)
            return self._near(first, self._fraction(first), rows)
        above = self._up(place, rows // 2)
        if len(above) < rows // 2:
            return self._top(rows)
        page = above + self._down(place, rows - len(above), with_it=True)
        if len(page) < rows:
            return self._end(rows)
        return self._window(page, self._place(page, max(0, anchor.start - len(above))))

    def _window(self, page: tuple[JobRow, ...], start: int) -> Window:
        return Window(page, start, max(self._total, start + len(page)))

    def _down(
        self, place: Position | None, rows: int, *, with_it: bool = False
    ) -> tuple[JobRow, ...]:
        return tuple(map(job_row, self._walk.down(place, rows, self._columns, with_it=with_it)))

    def _up(self, place: Position | None, rows: int) -> tuple[JobRow, ...]:
        return tuple(map(job_row, reversed(self._walk.up(place, rows, self._columns))))

    def _place(self, page: tuple[JobRow, ...], told: int) -> int:
        """How many rows stand above the page: counted where an end is near, else as told."""
        first, last = self._walk.place_of(page[0].key), self._walk.place_of(page[-1].key)
        if first is None or last is None:
            return told
        above = self._walk.count_above(first, WALK_ROWS + 1)
        if above <= WALK_ROWS:
            return above
        below = self._walk.count_below(last, WALK_ROWS + 1)
        if below <= WALK_ROWS:
            return max(0, self._total - below - len(page))
        return max(WALK_ROWS, min(told, self._total - len(page)))

    def _fraction(self, index: int) -> float:
        return index / max(1, self._total)

    def _near(self, index: int, fraction: float, rows: int) -> Window:
        """The page where a jump lands: walked to where an end is near, else about there."""
        index = max(0, min(index, self._total - 1))
        key = self._landing(index, min(1.0, max(0.0, fraction)))
        place = None if key is None else self._walk.place_of(key)
        page = self._down(place, rows, with_it=True)
        return self._window(page, self._place(page, index)) if page else self._end(rows)

    def _landing(self, index: int, fraction: float) -> int | None:
        from_end = self._total - index
        if index <= WALK_ROWS:
            return self._walk.nth(index)
        if from_end <= WALK_ROWS:
            return self._walk.nth(from_end - 1, from_end=True)
        if not self._walk.by_key:
            return self._walk.jump(index)
        top = self._walk.nth(0) or 0
        end = self._walk.nth(0, from_end=True) or 0
        return top - int(fraction * (top - end))
