"""The ground of all our widgets: lines of spans, of which only those that changed are painted.

A `Span` is a piece of text and the *role* that the theme colours it by; a `Line` is a tuple of
spans. A widget that extends `Lines` says what stands on each of its lines (`line_at`), and calls
`repaint()` after anything changed. Text is made inert here, last of all, so that nothing that a
job says can ever reach the terminal as more than text.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from gigq_tui.format import cut, inert, pad, width_of
from gigq_tui.terminal.theme import Palette, palette, style_of

Span = tuple[str, str]
Line = tuple[Span, ...]

BLANK: Line = ()
_CACHED_STRIPS = 1024


def span(text: str, role: str = "") -> Span:
    """Return a span of inert text."""
    return (inert(text), role)


def line_width(line: Line) -> int:
    """Return how many cells a line takes."""
    return sum(width_of(text) for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """Cut a line to `width` cells, with dots where something was left out."""
    if line_width(line) <= width:
        return line
    fitted: list[Span] = []
    left = width
    for text, role in line:
        if width_of(text) >= left:
            fitted.append((cut(text + "  ", left), role))
            break
        fitted.append((text, role))
        left -= width_of(text)
    return tuple(fitted)


def spread(left: Line, right: Line, width: int) -> Line:
    """Put one line at the left edge and another at the right one, which is never cut."""
    room = width - line_width(right)
    if room <= 0:
        return fit(right, width)
    left = fit(left, room - 1)
    return (*left, (" " * (room - line_width(left)), ""), *right)


def columns(cells: list[tuple[str, int, str]]) -> Line:
    """Lay out texts in columns: text, width in cells (negative: to the right), role."""
    return tuple(
        (pad(inert(text), abs(width), right=width < 0), role) for text, width, role in cells
    )


class Lines(Widget, can_focus=False):
    """A widget made of lines, which repaints those that changed and nothing else."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Lines { height: 1; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._painted: dict[int, Line] = {}
        self._painted_size = Size(0, 0)
        self._strips: dict[tuple[Line, int], Strip] = {}
        self.curtain: tuple[Line, ...] = ()

    def line_at(self, y: int) -> Line:
        """Return what stands on line `y` of the visible part now."""
        return BLANK

    def draw_curtain(self, lines: tuple[Line, ...]) -> None:
        """Let lines hang over the last ones of this widget; none takes them away again.

        Nothing is laid out anew for it, so it costs a twentieth of opening a panel.
        """
        if lines != self.curtain:
            self.curtain = lines
            self.repaint()

    def shown_line(self, y: int) -> Line:
        """Return what is seen on line `y`: the curtain where there is one."""
        at = y - (self.size.height - len(self.curtain))
        return self.curtain[at] if self.curtain and at >= 0 else self.line_at(y)

    def base_role(self, line: Line) -> str:
        """Return the role that lies under a whole line; a span with that role alone begins it."""
        return line[0][1] if line and line[0][0] == "" else ""

    def repaint(self) -> int:
        """Compare every visible line with what was painted, repaint those that differ.

        Which of their cells differ is for the canvas to find: it alone knows what was sent.

        Returns:
            How many lines were repainted.
        """
        if not self.is_mounted:
            return 0
        count = 0
        self._forget_other_sizes()
        for y in range(self.size.height):
            line = self.shown_line(y)
            if line != self._painted.get(y):
                self._painted[y] = line
                count += 1
                self.refresh(Region(0, y, self.size.width, 1))
        return count

    def render_line(self, y: int) -> Strip:
        self._forget_other_sizes()
        line = self._painted.get(y)
        if line is None:
            line = self._painted[y] = self.shown_line(y)
        width = self.size.width
        strip = self._strips.get((line, width))
        if strip is None:
            if len(self._strips) > _CACHED_STRIPS:
                self._strips.clear()
            strip = self._strips[(line, width)] = self._paint(line, width)
        return strip

    def _paint(self, line: Line, width: int) -> Strip:
        roles = self._palette
        base = self.visual_style.rich_style + roles.get(self.base_role(line), Style.null())
        segments = []
        for text, role in line:
            style = style_of(roles, role)
            if base.reverse:
                # Colours would become grounds of their own on a line that is reversed whole.
                style = Style(bold=style.bold)
            if text:
                segments.append(Segment(inert(text), base + style))
        return Strip(segments).adjust_cell_length(width, base)

    @property
    def _palette(self) -> Palette:
        return palette(self.app.theme)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def _forget_other_sizes(self) -> None:
        if self._painted_size != self.size:
            self._painted_size = self.size
            self._painted.clear()
            self._strips.clear()

    def on_resize(self) -> None:
        # The layout has painted it already; only what was made for another width is painted anew.
        self.repaint()


class TextLines(Lines):
    """Lines that are simply set, for headers and other parts that do not scroll.

    Args:
        lines: The first ones.
        id: The id of the widget.
        classes: Its classes.
    """

    def __init__(
        self, lines: tuple[Line, ...] = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.lines = lines

    def show(self, *lines: Line) -> None:
        """Replace the lines; nothing is painted where they are the same."""
        if lines != self.lines:
            self.lines = lines
            self.repaint()

    def line_at(self, y: int) -> Line:
        return fit(self.lines[y], self.size.width) if y < len(self.lines) else BLANK

    @property
    def plain(self) -> str:
        """What the lines say, without colours."""
        return "\n".join("".join(text for text, _ in line) for line in self.lines)
