"""A list with a cursor that stays on its row by id, whatever happens to the rows around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.scrolled import Scrolled

CURSOR = ("", "cursor")
DOUBLE_CLICK = 2


class RowList(Scrolled):
    """A scrolled list of rows with ids. Extend `row_id`, `row_line` and `total`."""

    @dataclass
    class CursorMoved(Message):
        """The cursor stands on another row; `row_id` is None in an empty list."""

        row_list: RowList
        row_id: str | None

        @property
        def control(self) -> RowList:
            return self.row_list

    @dataclass
    class RowOpened(Message):
        """A row was double-clicked."""

        row_list: RowList
        row_id: str

        @property
        def control(self) -> RowList:
            return self.row_list

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self.cursor_id: str | None = None
        self._top_before: int | None = None

    @property
    def page(self) -> int:
        return max(1, self.size.height - len(self.curtain))

    def draw_curtain(self, lines: tuple[Line, ...]) -> None:
        """Hang a curtain over the bottom; the cursor's row moves out from under it meanwhile."""
        if lines and self._top_before is None:
            self._top_before = self.top
        super().draw_curtain(lines)
        if not lines and self._top_before is not None:
            self.top, self._top_before = self._top_before, None
        self.fit_page()

    def row_id(self, index: int) -> str | None:
        """Return the id of row `index`, or None when it is not known."""
        return None

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        """Return row `index` as a line of `width` cells."""
        return ()

    def content_line(self, index: int, width: int) -> Line:
        selected = index == self.cursor
        line = self.row_line(index, width, selected=selected)
        return (CURSOR, *line) if selected else line

    def touched(self) -> None:
        """Called before a person moves the cursor or the view."""

    def move_to(self, index: int) -> None:
        """Put the cursor on row `index`, the nearest there is, and keep it in view."""
        self.touched()
        self.stand_on(index)

    def stand_on(self, index: int) -> None:
        """Put the cursor on row `index`, as when the rows have changed around it."""
        index = max(0, min(index, self.total - 1))
        moved = index != self.cursor
        self.cursor = index
        self._keep_in_view()
        row_id = self.row_id(index) if self.total else None
        changed = row_id != self.cursor_id
        self.cursor_id = row_id
        self.repaint()
        if moved or changed:
            self.post_message(self.CursorMoved(self, row_id))

    def _keep_in_view(self) -> None:
        top = self.top
        if self.cursor < top:
            top = self.cursor
        elif self.cursor >= top + self.page:
            top = self.cursor - self.page + 1
        top = max(0, min(top, self.total - self.page))
        if top != self.top:
            self.top = top
            self.viewport_moved()

    def settle(self, index: int | None) -> None:
        """Put the cursor where its row is after the rows changed, at the same height on screen.

        Args:
            index: Where the cursor's row is now; None when it is gone, which leaves the cursor
                at its place on whatever row is there.
        """
        if index is None:
            self.cursor_id = None
        elif self.top or index >= self.page:
            self.top += index - self.cursor
            self.cursor = index
        else:
            self.cursor = index
        self.top = max(0, min(self.top, self.total - self.page))
        self.stand_on(self.cursor)

    def step(self, lines: int) -> None:
        self.move_to(self.cursor + lines)

    def go_first(self) -> None:
        self.move_to(0)

    def go_last(self) -> None:
        self.move_to(self.total - 1)

    def scroll_to_line(self, top: int) -> None:
        """Show the rows from `top` on; the cursor is taken along so that it stays in view."""
        self.touched()
        super().scroll_to_line(top)
        held = max(self.top, min(self.cursor, self.top + self.page - 1))
        if held != self.cursor:
            self.move_to(held)

    def fit_page(self) -> None:
        """Keep the cursor on its row: it is the view that moves."""
        self._keep_in_view()
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        if event.x >= self.content_width or event.y >= self.size.height - len(self.curtain):
            return
        index = self.top + event.y
        if index >= self.total:
            return
        self.move_to(index)
        if event.chain == DOUBLE_CLICK and self.cursor_id is not None:
            self.post_message(self.RowOpened(self, self.cursor_id))


class PickList(RowList):
    """A list that is wholly in memory: pairs of an id and a line."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[tuple[str, Line]] = ()

    @property
    def total(self) -> int:
        return len(self.rows)

    def row_id(self, index: int) -> str | None:
        return self.rows[index][0] if 0 <= index < len(self.rows) else None

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        gutter = (" > ", "key") if selected else ("   ", "")
        return (gutter, *self.rows[index][1])

    def show(self, rows: Sequence[tuple[str, Line]]) -> None:
        """Replace the rows; the cursor stays on the row with its id, if that is still there."""
        self.rows = tuple(rows)
        index = next((at for at, (row_id, _) in enumerate(rows) if row_id == self.cursor_id), None)
        self.settle(index)

    def select(self, row_id: str) -> None:
        """Put the cursor on the row with this id, if there is one."""
        for index, (known, _) in enumerate(self.rows):
            if known == row_id:
                self.move_to(index)
                return
