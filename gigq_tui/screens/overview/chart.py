"""Charts as lines of spans: bars with an axis, or bars in a single line.

The heights of the bars are worked out by Textual's own sparkline. What it paints is taken apart
again: the colours become roles of ours, its blocks become ASCII where that is all there is, and
nothing is where nothing was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.console import Console
from textual.renderables.sparkline import Sparkline

from gigq_tui.format import UTF8, pad
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span

Value = float | None

CORNER = "└" if UTF8 else "+"
SIDE = "│" if UTF8 else "|"
POINTER = "▲" if UTF8 else "^"
SELECTED = "━" if UTF8 else "="
# A second series is drawn behind the first, in another texture: colour alone may not be there.
_BEHIND = str.maketrans("▁▂▃▄▅▆▇█", "░" * 8)
_BEHIND_ASCII = str.maketrans("▁▂▃▄▅▆▇█", "." * 8)
_ASCII = str.maketrans("▁▂▃▄▅▆▇█", "..::::##")
AXIS_CELLS = 8

# It draws for no terminal: only the texts of its segments are read.
_CONSOLE = Console(width=80, color_system=None, legacy_windows=False)


class Series(NamedTuple):
    """Values, the oldest first, and the role that colours them. None is what is not known.

    Unless the series is `whole`, its last value is of a time that still goes on: it is drawn dim.
    """

    values: tuple[Value, ...]
    role: str
    whole: bool = False


def fitted(values: Sequence[Value], width: int) -> tuple[Value, ...]:
    """Make values fit into `width` cells: each cell shows the largest of its values."""
    if width <= 0:
        return ()
    if len(values) <= width:
        return tuple(values)
    cells = []
    for cell in range(width):
        part = values[cell * len(values) // width : (cell + 1) * len(values) // width]
        cells.append(max((value for value in part if value is not None), default=None))
    return tuple(cells)


def largest(values: Sequence[Value]) -> float:
    """The largest value, or 0 where nothing is known."""
    return max((value for value in values if value is not None), default=0.0)


def glyphs(values: Sequence[Value], height: int, top: float) -> list[str]:
    """The bars of the values, a text for each line from the top one down, in block characters.

    Args:
        values: one for each cell; what is None or 0 has no bar, and the least else has one.
        height: how many lines.
        top: the value that reaches the top.
    """
    if not values:
        return [""] * height
    # Two values in front, so that the bars begin at 0 and end at the top, whatever comes.
    scale: list[float] = [0.0, max(top, largest(values), 1e-9)]
    data = [*scale, *(value or 0.0 for value in values)]
    drawn = _CONSOLE.render(Sparkline(data, width=len(data), height=height))
    rows = "".join(segment.text for segment in drawn).split("\n")
    return [
        "".join(
            glyph if value else " " for glyph, value in zip(row[len(scale) :], values, strict=True)
        )
        for row in rows
    ]


class Axis(NamedTuple):
    """How bars stand over the clock.

    Attributes:
        cells: how many cells a bar takes.
        marks: what the clock tells at which cell.
        cursor: the number of the bar under the cursor; None without one.
        other: the number of the bar at the other end of a selection; None without one.
    """

    cells: int = 1
    marks: Sequence[tuple[int, str]] = ()
    cursor: int | None = None
    other: int | None = None

    def is_under_cursor(self, cell: int) -> bool:
        """Whether a cell belongs to the bar under the cursor."""
        return self.cursor is not None and cell // self.cells == self.cursor

    def is_selected(self, cell: int) -> bool:
        """Whether a cell belongs to the selection."""
        if self.cursor is None or self.other is None:
            return False
        first, last = sorted((self.cursor, self.other))
        return first <= cell // self.cells <= last


PLAIN = Axis()


def ascii_bars(row: str) -> str:
    """Return bars in what the terminal knows."""
    return row if UTF8 else row.translate(_ASCII)


def bars(
    series: Series, behind: Series | None, height: int, width: int, axis: Axis = PLAIN
) -> list[Line]:
    """Draw a series, and another one that is larger behind it, as `height` lines.

    Args:
        series: What stands in front.
        behind: What stands behind it; None for nothing.
        height: In lines.
        width: In cells.
        axis: Where its bars stand.
    """
    front = _widened(fitted(series.values, width // axis.cells), axis.cells)
    back = _widened(fitted(behind.values, width // axis.cells), axis.cells) if behind else ()
    top = max(largest(front), largest(back))
    rows = glyphs(front, height, top)
    back_rows = glyphs(back, height, top) if behind is not None else [" " * len(front)] * height
    lines = []
    for row, back_row in zip(rows, back_rows, strict=True):
        cells = [
            _cell(glyph, other, series.role, behind.role if behind is not None else "")
            for glyph, other in zip(row, back_row, strict=True)
        ]
        if not series.whole:
            cells[-axis.cells :] = [(g, "dim" if role else "") for g, role in cells[-axis.cells :]]
        if axis.cursor is not None:
            cells = [
                (SIDE if cell[0] == " " else cell[0], "key") if axis.is_under_cursor(at) else cell
                for at, cell in enumerate(cells)
            ]
        lines.append(_together(cells))
    return lines


def _cell(front: str, back: str, role: str, back_role: str) -> Span:
    if front != " ":
        return (ascii_bars(front), role)
    if back != " ":
        return (back.translate(_BEHIND if UTF8 else _BEHIND_ASCII), back_role)
    return (" ", "")


def _together(cells: Sequence[Span]) -> Line:
    """Neighbouring cells of one role as one span."""
    spans: list[Span] = []
    for glyph, role in cells:
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + glyph, role)
        else:
            spans.append((glyph, role))
    return tuple(spans)


def _widened(values: Sequence[Value], cells: int) -> tuple[Value, ...]:
    return tuple(value for value in values for _ in range(cells))


def clock_line(axis: Axis, cells: int) -> Line:
    """Draw the line under bars: round times where they are, the cursor, and what is selected."""
    spans: list[Span] = []
    text, role_of = [theme.RULE] * cells, ["rule"] * cells
    for at, mark in axis.marks:
        if any(axis.is_under_cursor(cell) for cell in range(at, at + len(mark) + 1)):
            continue
        text[at : at + len(mark)] = mark
        role_of[at : at + len(mark)] = ["dim"] * len(mark)
    for cell in range(cells):
        if axis.is_selected(cell):
            text[cell] = SELECTED if role_of[cell] == "rule" else text[cell]
            role_of[cell] = "key"
        if axis.is_under_cursor(cell):
            text[cell], role_of[cell] = POINTER, "key"
    spans.extend(zip(text[:cells], role_of[:cells], strict=True))
    return _together(spans)


def chart(
    series: Series,
    width: int,
    height: int,
    *,
    label: Callable[[float], str],
    axis: Axis = PLAIN,
    behind: Series | None = None,
) -> list[Line]:
    """Draw bars over a clock, `height` lines of `width` cells in all.

    Args:
        series: what is drawn.
        width: in cells, the scale and its labels included.
        height: in lines, the clock included.
        label: writes the value at the top.
        axis: how bars stand over the clock.
        behind: a second series, larger than the first.
    """
    room = width - AXIS_CELLS
    tops = [largest(series.values), largest(behind.values) if behind is not None else 0.0]
    drawn = bars(series, behind, height - 1, room, axis)
    cells = min(room, len(series.values) * axis.cells)
    lines: list[Line] = []
    for number, line in enumerate(drawn):
        name = label(max(tops)) if number == 0 and max(tops) else ""
        lines.append(((f"{pad(name, AXIS_CELLS - 2, right=True)} {SIDE}", "rule"), *line))
    foot = f"{pad('0', AXIS_CELLS - 2, right=True)} {CORNER}"
    lines.append(((foot, "rule"), *clock_line(axis, cells)))
    return lines
