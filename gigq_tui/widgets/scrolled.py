"""Lines that scroll: a viewport over numbered lines, its scroll bar, and a pane of plain text.

Nothing here uses Textual's own scrolling: that lays the screen out anew when the number of lines
changes, and animates. A step costs the cells that differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import BLANK, Line, Lines, fit, line_width

WHEEL_LINES = 3


class Scrolled(Lines):
    """A viewport that shows `total` lines from line `top` on; extend `content_line`."""

    DEFAULT_CSS = """
    Scrolled { height: 1fr; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.top = 0
        self._dragging = False

    @property
    def total(self) -> int:
        """How many lines there are, seen or not."""
        return 0

    def content_line(self, index: int, width: int) -> Line:
        """Return line `index` of the content, to be shown in `width` cells."""
        return BLANK

    @property
    def page(self) -> int:
        """How many lines are visible at once; at least one."""
        return max(1, self.size.height)

    @property
    def content_width(self) -> int:
        """How many cells a line has, beside the scroll bar."""
        return max(1, self.size.width - 1)

    def line_at(self, y: int) -> Line:
        index = self.top + y
        width = self.content_width
        line = fit(self.content_line(index, width), width) if index < self.total else BLANK
        bar = self._bar_at(y)
        if not bar:
            return line
        return (*line, (" " * (width - line_width(line)), ""), (bar, "rule"))

    def _bar_at(self, y: int) -> str:
        total, page = self.total, self.page
        if total <= page:
            return ""
        length = max(1, page * page // total)
        start = round(self.top * (page - length) / max(1, total - page))
        return theme.SCROLL_THUMB if start <= y < start + length else theme.SCROLL_TRACK

    def scroll_to_line(self, top: int) -> None:
        """Show the lines from `top` on, as far as there are any."""
        top = max(0, min(top, self.total - self.page))
        if top != self.top:
            self.top = top
            self.viewport_moved()
        self.repaint()

    def viewport_moved(self) -> None:
        """Called after `top` changed; a windowed list asks for its rows here."""

    def step(self, lines: int) -> None:
        """Move by some lines, down when positive."""
        self.scroll_to_line(self.top + lines)

    def turn(self, pages: float) -> None:
        """Move by pages or parts of a page, down when positive."""
        self.step(int(self.page * pages) or (1 if pages > 0 else -1))

    def go_first(self) -> None:
        """Move to the first line."""
        self.scroll_to_line(0)

    def go_last(self) -> None:
        """Move to the last line."""
        self.scroll_to_line(self.total)

    def on_resize(self) -> None:
        self.fit_page()

    def fit_page(self) -> None:
        """Called after the viewport got another height."""
        self.scroll_to_line(self.top)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_to_line(self.top + WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_to_line(self.top - WHEEL_LINES)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x >= self.content_width and self.total > self.page:
            event.stop()
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag_to(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragging:
            event.stop()
            self._dragging = False
            self.release_mouse()

    def _drag_to(self, y: int) -> None:
        y = max(0, min(y, self.page - 1))
        self.scroll_to_line(round(y / max(1, self.page - 1) * (self.total - self.page)))


class Pane(Scrolled):
    """Text to read: lines that are set as a whole, and compared with what stood there."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Line] = ()
        self.tail = False
        self._at_end = True

    @property
    def total(self) -> int:
        return len(self.lines)

    def content_line(self, index: int, width: int) -> Line:
        return self.lines[index]

    def show(self, lines: Sequence[Line], *, top: int | None = None, tail: bool = False) -> None:
        """Replace the lines.

        Args:
            lines: Lines of spans.
            top: The line to show first; None keeps the place.
            tail: Stay at the end while lines are added, as long as the end is in view.
        """
        follow = tail and (not self.tail or self._at_end)
        self.lines = tuple(lines)
        self.tail = tail
        if follow:
            self.top = max(0, self.total - self.page)
        elif top is not None:
            self.top = top
        self.top = max(0, min(self.top, self.total - self.page))
        self.viewport_moved()
        self.repaint()

    def viewport_moved(self) -> None:
        self._at_end = self.top >= self.total - self.page

    def fit_page(self) -> None:
        """Stay at the end, where it was in view before the height changed."""
        self.scroll_to_line(self.total if self.tail and self._at_end else self.top)
        self.viewport_moved()

    @property
    def plain(self) -> str:
        """What the lines say, without colours."""
        return "\n".join("".join(text for text, _ in line) for line in self.lines)
