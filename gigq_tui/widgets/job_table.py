"""The table of jobs: a window of rows over a list of any length, kept by key and by id.

Only the rows around the visible part are in memory. Scrolling near the edge of them posts
`WindowWanted`, and the next snapshot brings the rows around; until then unknown rows are dots.
The cursor and the marks are ids, so that they survive whatever the queue does meanwhile.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

from textual.message import Message

from gigq_tui.config.model import DEFAULT_COLUMNS
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import JobRow, Window
from gigq_tui.store.view import END, TOP, Anchor
from gigq_tui.widgets.job_columns import Layout, layout_for, row_line
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.row_list import RowList

UNKNOWN_ROW: Line = (("    ..", "dim"),)


class JobTable(RowList):
    """Jobs, newest first, as far as the tab and the filter let them through."""

    @dataclass
    class WindowWanted(Message):
        """Other rows are needed than those in memory."""

        anchor: Anchor

    def __init__(self, clock: Clock, page_rows: int, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.clock = clock
        self.page_rows = page_rows
        self.window = Window()
        self.marks: Container[str] = frozenset()
        self.chosen = DEFAULT_COLUMNS
        self.told_at: datetime = clock.now()
        self._now = self.told_at
        self._layout_cache_at: tuple[int, Layout] | None = None
        self._seeking = False
        self._at_end = False

    @property
    def total(self) -> int:
        return self.window.total

    @property
    def columns(self) -> Layout:
        """The columns at the present width."""
        width = self.content_width
        if self._layout_cache_at is None or self._layout_cache_at[0] != width:
            self._layout_cache_at = (width, layout_for(width, self.chosen))
        return self._layout_cache_at[1]

    def row_at(self, index: int) -> JobRow | None:
        """Return row `index` of the whole list, if it is in memory."""
        at = index - self.window.start
        return self.window.rows[at] if 0 <= at < len(self.window.rows) else None

    def row_id(self, index: int) -> str | None:
        row = self.row_at(index)
        return row.id if row is not None else None

    @property
    def current(self) -> JobRow | None:
        """The job under the cursor."""
        return self.row_at(self.cursor) if self.total else None

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        row = self.row_at(index)
        if row is None:
            return UNKNOWN_ROW
        return row_line(
            row,
            self.columns,
            self._now,
            self.told_at,
            cursor=selected,
            marked=row.id in self.marks,
        )

    # Rows come

    def show(self, window: Window) -> None:
        """Take the rows of a new snapshot; the cursor follows its job."""
        self.told_at = self._now = self.clock.now()
        index = self._find(window)
        grown = window.total - self.window.total
        if index is None and self.cursor_id is not None and grown > 0 and self._seek(grown):
            return
        self._seeking = False
        self.window = window
        if self._at_end and self.cursor_id is None:
            self.cursor = max(0, window.total - 1)
        self._at_end = False
        self.settle(index)
        self._ask_for_rows()

    def _find(self, window: Window) -> int | None:
        for at, row in enumerate(window.rows):
            if row.id == self.cursor_id:
                return window.start + at
        return None

    def _seek(self, grown: int) -> bool:
        """Many rows came above: look for the cursor's row below them, once."""
        first = self.row_at(self.top)
        if self._seeking or first is None:
            return False
        self._seeking = True
        self.post_message(self.WindowWanted(Anchor.after(first.key + 1, self.top + grown)))
        return True

    def start_over(self) -> None:
        """Forget the place: another tab or filter is coming."""
        self.top = self.cursor = 0
        self.cursor_id = None
        self._seeking = self._at_end = False

    def tell_ages(self) -> None:
        """Tell the ages of all rows anew."""
        self.told_at = self._now = self.clock.now()
        self.repaint()

    def tick(self) -> None:
        """Tell how long running jobs have been running."""
        self._now = self.clock.now()
        self.repaint()

    # Rows are wanted

    def go_last(self) -> None:
        self._at_end = self.row_at(self.total - 1) is None
        super().go_last()

    def viewport_moved(self) -> None:
        self._ask_for_rows()

    def _ask_for_rows(self) -> None:
        anchor = self.wanted_anchor()
        if anchor is not None:
            self.post_message(self.WindowWanted(anchor))

    def wanted_anchor(self) -> Anchor | None:
        """Return the anchor of the rows to read next, or None while those in memory do."""
        window, page, total = self.window, self.page, self.total
        end = window.start + len(window.rows)
        low = max(0, self.top - page)
        high = min(total, self.top + 2 * page)
        if not total or (window.start <= low and end >= high):
            return None
        half = self.page_rows // 2
        if self.top + page <= half:
            return TOP
        if self.top >= total - half:
            return END
        first = max(1, self.top + page // 2 - half)
        before = self.row_at(first - 1)
        if before is not None:
            return Anchor.after(before.key, first)
        after = self.row_at(first + self.page_rows)
        if after is not None:
            return Anchor.before(after.key, first + self.page_rows)
        return Anchor.near(first / total, first)
