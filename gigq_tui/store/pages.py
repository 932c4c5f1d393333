"""Reading one page of the table by key, and telling where in the list it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gigq_tui.store import queries
from gigq_tui.store.models import JobRow, Tab, Window
from gigq_tui.store.rows import job_row, whole
from gigq_tui.store.shape import Shape
from gigq_tui.store.view import Anchor, AnchorKind

# A place within so many rows of an end is counted exactly.
WALK_ROWS = 2_000


class Pages:
    """The pages of one tab and filter, within one read transaction.

    Args:
        conn: an open connection.
        shape: what the file is made of.
        tab: which states are listed.
        where: the filter's condition on `jobs`, and `params`, its values.
        total: how many rows the list has, as far as is known.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        shape: Shape,
        tab: Tab,
        where: str,
        params: Sequence[object],
        total: int,
    ) -> None:
        self._conn = conn
        self._columns = queries.line_columns(shape)
        self._source, self._tab = queries.tab_source(shape, tab)
        self._where = f"({where})"
        self._params = list(params)
        self._total = total

    def read(self, anchor: Anchor, rows: int) -> Window:
        """The page at `anchor` with up to `rows` lines, newest first."""
        if anchor.kind is AnchorKind.NEAR:
            anchor = self._landing(anchor)
        if anchor.kind is AnchorKind.END:
            page = self._up(queries.END_KEY, rows)
            return self._window(page, max(0, self._total - len(page)))
        if anchor.kind is AnchorKind.BEFORE:
            page = self._up(min(anchor.key, queries.TOP_KEY - 1) + 1, rows)
            if len(page) < rows:  # the top was reached: fill the page from there
                return self._window(self._down(queries.TOP_KEY, rows), 0)
            return self._window(page, self._place(page, anchor.start - len(page)))
        if anchor.kind is AnchorKind.AFTER:
            page = self._down(max(anchor.key, queries.END_KEY + 1) - 1, rows)
            if not page:  # the rows below are gone: show the last ones there are
                page = self._up(queries.END_KEY, rows)
                return self._window(page, max(0, self._total - len(page)))
            return self._window(page, self._place(page, anchor.start))
        return self._window(self._down(queries.TOP_KEY, rows), 0)

    def _window(self, page: tuple[JobRow, ...], start: int) -> Window:
        return Window(page, start, max(self._total, start + len(page)))

    def _down(self, key: int, rows: int) -> tuple[JobRow, ...]:
        sql = queries.page_down(self._columns, self._source, self._tab, self._where)
        return tuple(map(job_row, self._conn.execute(sql, (key, *self._params, rows)).fetchall()))

    def _up(self, key: int, rows: int) -> tuple[JobRow, ...]:
        sql = queries.page_up(self._columns, self._source, self._tab, self._where)
        found = self._conn.execute(sql, (key, *self._params, rows)).fetchall()
        return tuple(map(job_row, reversed(found)))

    def _place(self, page: tuple[JobRow, ...], told: int) -> int:
        """How many rows stand above the page: counted where an end is near, else as told."""
        above = self._count(queries.count_above, page[0].key)
        if above is not None:
            return above
        below = self._count(queries.count_below, page[-1].key)
        if below is not None:
            return max(0, self._total - below - len(page))
        return max(WALK_ROWS, min(told, self._total - len(page)))

    def _count(self, statement: queries.CountStatement, key: int) -> int | None:
        sql = statement(self._source, self._tab, self._where)
        found = self._conn.execute(sql, (key, *self._params, WALK_ROWS + 1)).fetchone()
        count = whole(found[0])
        return count if count <= WALK_ROWS else None

    def _landing(self, anchor: Anchor) -> Anchor:
        """The key near which a jump lands: walked to where an end is near, else interpolated."""
        index = min(anchor.start, max(0, self._total - 1))
        from_end = self._total - index
        if index <= WALK_ROWS:
            return Anchor.after(self._nth(queries.page_down, queries.TOP_KEY, index) + 1, index)
        if from_end <= WALK_ROWS:
            return Anchor.after(
                self._nth(queries.page_up, queries.END_KEY, from_end - 1) + 1, index
            )
        top = self._nth(queries.page_down, queries.TOP_KEY, 0)
        end = self._nth(queries.page_up, queries.END_KEY, 0)
        fraction = min(1.0, max(0.0, anchor.fraction))
        return Anchor.after(top - int(fraction * (top - end)) + 1, index)

    def _nth(self, statement: queries.PageStatement, key: int, index: int) -> int:
        sql = statement("jobs.rowid AS key", self._source, self._tab, self._where)
        found = self._conn.execute(sql, (key, *self._params, index + 1)).fetchall()
        return whole(found[-1]["key"]) if found else 0
