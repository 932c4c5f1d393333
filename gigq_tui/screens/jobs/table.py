"""The table of jobs: a window of rows over a list of any length, kept by key and by id.

Only the rows around the visible part are in memory. Scrolling near the edge of them posts
`WindowWanted`, and the next snapshot brings the rows around; until then unknown rows are dots.
The cursor and the marks are ids, so that they survive whatever the queue does meanwhile.

While somebody moves, `HeldOrder` keeps the rows in their places. A job that is followed keeps the
cursor even where the list does not hold it; then no row bears it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

from textual.message import Message
from textual.timer import Timer

from gigq_tui.config.model import ChosenColumn
from gigq_tui.screens.jobs.held_order import HeldOrder
from gigq_tui.screens.jobs.layout import Layout, layout_for, row_line
from gigq_tui.screens.jobs.window import covers, index_of, row_at, wanted_anchor
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.store.clock import Clock
from gigq_tui.store.list.view import Anchor
from gigq_tui.store.models import JobRow, Window
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.row_list import RowList

UNKNOWN_ROW: Line = (("    ..", "dim"),)
LEAST_PAUSE_S = 0.05


class JobTable(RowList):
    """Jobs in some order, as far as the tab and the filter let them through.

    Args:
        clock: What time it is.
        page_rows: How many rows are read at once.
    """

    @dataclass
    class WindowWanted(Message):
        """Other rows are needed than those in memory."""

        anchor: Anchor

    class Rested(Message):
        """Nobody has moved for a while, and a newer order waits: `thaw()` takes it."""

    class Touched(Message):
        """Somebody moves the cursor or the view."""

    def __init__(self, clock: Clock, page_rows: int, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.clock = clock
        self.page_rows = page_rows
        self.window = Window()
        self.marks: Container[str] = frozenset()
        self.chosen_columns: tuple[ChosenColumn, ...] = ()
        self.ages_at: datetime = clock.now()
        self._now = self.ages_at
        self._layout_cache_at: tuple[int, Layout] | None = None
        self._at_end = False
        # The job that a person put the cursor on; None for the first row, whichever that is.
        self.chosen: str | None = None
        self.held_order = HeldOrder(clock)
        # The cursor's job, while it is sought elsewhere in the list; and where the cursor lands in
        # another list.
        self._sought: str | None = None
        self._landing: str | None = None
        # Whether another list was asked for, and its rows have not come yet.
        self.awaits_list = True
        self._thaw_timer: Timer | None = None
        # Whether the cursor's job is followed, and the list does not hold it.
        self.away = False
        # The job that the cursor was on when it left the list; None once somebody has moved.
        self.lost_id: str | None = None

    @property
    def total(self) -> int:
        return self.window.total

    def choose_columns(self, columns: tuple[ChosenColumn, ...]) -> None:
        """Have these columns from now on; the usual ones where there are none."""
        if columns != self.chosen_columns:
            self.chosen_columns = columns
            self._layout_cache_at = None
            self.repaint()

    @property
    def columns(self) -> Layout:
        """The columns at the present width."""
        width = self.content_width
        if self._layout_cache_at is None or self._layout_cache_at[0] != width:
            self._layout_cache_at = (width, layout_for(width, self.chosen_columns))
        return self._layout_cache_at[1]

    def row_id(self, index: int) -> str | None:
        row = row_at(self.window, index)
        return row.id if row is not None else None

    @property
    def current(self) -> JobRow | None:
        """The job under the cursor; None too where the cursor's job is followed elsewhere."""
        return row_at(self.window, self.cursor) if self.total and not self.away else None

    def content_line(self, index: int, width: int) -> Line:
        if self.away and index == self.cursor:
            return self.row_line(index, width, selected=False)
        return super().content_line(index, width)

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        row = row_at(self.window, index)
        if row is None:
            return UNKNOWN_ROW
        return row_line(
            row,
            self.columns,
            self._now,
            self.ages_at,
            cursor=selected,
            marked=row.id in self.marks,
            gone=row.id in self.held_order.gone,
        )

    # Rows come

    def show(self, window: Window, follow: str | None = None) -> None:
        """Take the rows of a new snapshot, or hold their order back while somebody moves.

        Args:
            window: The rows.
            follow: The job that keeps the cursor although the list may not hold it.
        """
        self.ages_at = self._now = self.clock.now()
        order = self.held_order
        if self.awaits_list or order.rests_in <= 0 or not covers(self.window, self.top, self.page):
            self._take(window, follow)
            return
        self.window = order.hold(self.window, window)
        self.wait_for_rest(order.rests_in)
        self.repaint()

    def _take(self, window: Window, follow: str | None) -> None:
        """Show this order; the cursor follows its job."""
        if self.awaits_list:
            self._start(window, follow)
            return
        index = index_of(window, self.cursor_id)
        if index is None and self._is_sought(window):
            return
        self._sought = None
        self._end_hold()
        self.window = window
        self.away = index is None and follow is not None and follow == self.cursor_id
        if self.away:
            self.top = max(0, min(self.top, self.total - self.page))
            self.cursor = max(0, min(self.cursor, self.total - 1))
            self.repaint()
        else:
            if self._at_end and self.cursor_id is None:
                self.cursor = max(0, window.total - 1)
            if index is None and self.lost_id is None:
                self.lost_id = self.cursor_id
            self.settle(index)
        self._at_end = False
        self.viewport_moved()

    def _start(self, window: Window, follow: str | None) -> None:
        """Show another list: the cursor's job where it is, or else the first row."""
        self.awaits_list = False
        self._end_hold()
        self.window = window
        index = index_of(window, self._landing)
        self.away = index is None and follow is not None and follow == self._landing
        self.top = 0
        self.cursor = index or 0
        if index is not None and index >= self.page:
            self.top = max(0, min(index - self.page // 2, window.total - self.page))
        if self.away:
            self.cursor_id = follow
            self.repaint()
        else:
            self.stand_on(self.cursor)
        self.viewport_moved()

    def end_follow(self) -> None:
        """Give the cursor back to the row at its place, where its job was followed elsewhere."""
        if self.away:
            self.away = False
            self.stand_on(self.cursor)

    def _is_sought(self, window: Window) -> bool:
        """Whether the cursor's row, which the window lacks, is looked for elsewhere in the list."""
        wanted = self.cursor_id
        whole = window.start == 0 and len(window.rows) >= window.total
        if wanted is None or whole or window.around == wanted:
            return False
        if self._sought != wanted:
            self._sought = wanted
            self.post_message(self.WindowWanted(Anchor.around(wanted, self.cursor)))
        return True

    def start_over(self, landing: str | None) -> None:
        """Another list is coming: another tab, filter or order.

        Args:
            landing: The id of the job that the cursor goes to, if the list holds it.
        """
        self.awaits_list = True
        self._landing = landing
        self._sought = None
        self._at_end = False
        self.lost_id = None
        self.held_order.forget_moves()

    def draw_ages(self) -> None:
        """Draw the ages of all rows anew."""
        self.ages_at = self._now = self.clock.now()
        self.repaint()

    def tick(self) -> None:
        """Draw how long running jobs have been running."""
        self._now = self.clock.now()
        self.repaint()

    # The order is held while somebody moves

    def touched(self) -> None:
        self.held_order.moved()
        self._sought = None
        self.away = False
        self.lost_id = None
        self.post_message(self.Touched())

    def wait_for_rest(self, seconds: float = STILL_S) -> None:
        """Ask again in so many seconds whether the newest order may be shown."""
        if self._thaw_timer is None:
            self._thaw_timer = self.set_timer(max(LEAST_PAUSE_S, seconds), self._check_rest)

    def _check_rest(self) -> None:
        self._thaw_timer = None
        if self.held_order.waiting is None:
            return
        left = self.held_order.rests_in
        if left > 0:
            self.wait_for_rest(left)
        else:
            self.post_message(self.Rested())

    def thaw(self, follow: str | None) -> None:
        """Show the order that waits, if there is one and nobody has moved since."""
        waiting = self.held_order.waiting
        if waiting is not None and self.held_order.rests_in <= 0:
            self._take(waiting, follow)

    def _end_hold(self) -> None:
        self.held_order.end()
        if self._thaw_timer is not None:
            self._thaw_timer.stop()
            self._thaw_timer = None

    # Rows are wanted

    def move_to(self, index: int) -> None:
        super().move_to(index)
        self.chosen = self.cursor_id

    def go_first(self) -> None:
        super().go_first()
        self.chosen = None

    def go_last(self) -> None:
        self._at_end = row_at(self.window, self.total - 1) is None
        super().go_last()

    def stand_on(self, index: int) -> None:
        super().stand_on(index)
        self._leave_the_held()

    def scroll_to_line(self, top: int) -> None:
        super().scroll_to_line(top)
        self._leave_the_held()

    def _leave_the_held(self) -> None:
        """Take the order that waits where the one that is held has no rows for the view."""
        waiting = self.held_order.waiting
        if waiting is not None and not covers(self.window, self.top, self.page):
            # Somebody moved, so nothing is followed.
            self._take(waiting, None)

    def viewport_moved(self) -> None:
        anchor = wanted_anchor(self.window, self.top, self.page, self.page_rows)
        if anchor is not None:
            self.post_message(self.WindowWanted(anchor))
