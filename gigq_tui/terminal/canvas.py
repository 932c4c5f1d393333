"""What stands on the terminal, cell by cell, so that only what differs is sent over the line.

Textual paints a whole screen anew when one is pushed or popped, most often twice, and begins each
piece of text with all of its colours: over SSH that is what a person waits for. Here each update is
compared with what was sent before, cells that are the same are passed by, and of colours and
attributes only what changes is said. A first paint is then a seventh of its size.

Nothing else may write to the terminal without `forget()` being called afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from rich.color import Color, ColorSystem
from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style
from textual._compositor import CompositorUpdate

from gigq_tui.format import width_of

# The attributes of a style by their SGR codes; the first ones are seen on a blank cell too.
_ON_BLANKS = {"underline": 4, "reverse": 7, "strike": 9, "underline2": 21, "overline": 53}
_ON_TEXT = {"bold": 1, "dim": 2, "italic": 3, "blink": 5, "blink2": 6, "conceal": 8}
_RESET = "\x1b[0m"
# To write so many unchanged cells again costs less than to move past them.
_BRIDGED_CELLS = 6


class Pen(NamedTuple):
    """How a cell is written, as SGR codes; no ink says that any colour of text will do."""

    attributes: str
    ink: str
    ground: str


class Cell(NamedTuple):
    """What stands in one cell; or a text of odd widths that begins there, and reaches into cells
    without text."""

    text: str
    pen: Pen


Row = list[Cell | None]


class Canvas:
    """The picture on the terminal, and the way from it to the next one."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._pens: dict[tuple[Style | None, bool, ColorSystem], Pen] = {}

    def forget(self) -> None:
        """Something else may stand there now: whatever comes next is sent whole."""
        self._rows.clear()

    def changes(self, pieces: Iterable[Segment], console: Console) -> str:
        """Take an update in, and return what brings the terminal there.

        Args:
            pieces: text, and the moves of the cursor between it, as an update renders to.
            console: whose colours the terminal knows.
        """
        system = console._color_system or ColorSystem.TRUECOLOR
        before: dict[int, Row] = {}
        x = y = 0
        for piece in pieces:
            if piece.control:
                for code, *values in piece.control:
                    if code is ControlType.CURSOR_MOVE_TO:
                        x, y = int(values[0]), int(values[1])
                continue
            text = piece.text.rstrip("\n")
            if not text:
                continue
            row = self._rows.setdefault(y, [])
            if y not in before:
                before[y] = row.copy()
            x = self._write(row, x, text, piece.style, system)
        sent = _Writer()
        for at in sorted(before):
            sent.row(at, before[at], self._rows[at])
        return sent.end()

    def _write(self, row: Row, x: int, text: str, style: Style | None, system: ColorSystem) -> int:
        """Put text into a row, and return the cell behind it."""
        shown, blank = self._pen(style, False, system), self._pen(style, True, system)
        cells: list[Cell | None]
        if text.isascii() or all(width_of(char) == 1 for char in text):
            cells = [Cell(char, blank if char == " " else shown) for char in text]
        else:
            # Which of these share a cell is for the terminal to say: they stay together.
            cells = [Cell(text, shown), *[Cell("", shown)] * (width_of(text) - 1)]
        if len(row) < x:
            row.extend([None] * (x - len(row)))
        row[x : x + len(cells)] = cells
        return x + len(cells)

    def _pen(self, style: Style | None, blank: bool, system: ColorSystem) -> Pen:
        key = (style, blank, system)
        pen = self._pens.get(key)
        if pen is None:
            pen = self._pens[key] = _pen_of(style or Style.null(), blank, system)
        return pen


class Changes(CompositorUpdate):
    """An update of which only what differs from the canvas is written.

    It looks when it is written and not before: an update that is dropped changes nothing.

    Args:
        update: what Textual would write.
        canvas: what stands on the terminal.
    """

    def __init__(self, update: CompositorUpdate, canvas: Canvas) -> None:
        self._update = update
        self._canvas = canvas

    def render_segments(self, console: Console) -> str:
        return self._canvas.changes(console.render(cast(RenderableType, self._update)), console)


def _pen_of(style: Style, blank: bool, system: ColorSystem) -> Pen:
    seen = [code for name, code in _ON_BLANKS.items() if getattr(style, name)]
    ground = _codes(style.bgcolor, system, foreground=False)
    if blank and not seen:
        return Pen("", "", ground)
    codes = seen + [code for name, code in _ON_TEXT.items() if getattr(style, name)]
    ink = _codes(style.color, system, foreground=True)
    return Pen(";".join(map(str, sorted(codes))), ink, ground)


def _codes(color: Color | None, system: ColorSystem, *, foreground: bool) -> str:
    if color is None:
        return "39" if foreground else "49"
    return ";".join(color.downgrade(system).get_ansi_codes(foreground))


def _is_plain(row: Row) -> bool:
    """Whether each cell holds one character, on whose width all terminals agree."""
    return all(cell is None or len(cell.text) == 1 for cell in row)


class _Writer:
    """What is sent: text, moves and the changes of the pen between them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._pen: Pen | None = None
        self._at: tuple[int, int] | None = None

    def row(self, y: int, old: Row, new: Row) -> None:
        """Send what differs in one row."""
        if new == old:
            return
        if not (_is_plain(old) and _is_plain(new)):
            # A terminal may take other widths for these: what is behind them moves with them.
            self._run(y, 0, new, len(new))
            return
        for start, end in _differing(old, new):
            self._run(y, start, new, end)

    def _run(self, y: int, start: int, row: Row, end: int) -> None:
        for x in range(start, end):
            cell = row[x]
            if cell is None or not cell.text:
                continue  # nothing was ever put there, or the character before reaches into it
            if self._at != (x, y):
                self._parts.append(Control.move_to(x, y).segment.text)
            self._take(cell.pen)
            self._parts.append(cell.text)
            self._at = (x + width_of(cell.text), y)

    def _take(self, pen: Pen) -> None:
        now = self._pen
        if now is not None and not pen.ink and not _seen_on_blanks(now.attributes):
            # Bold or a colour of text isn't seen on a blank: it need not be put down for one.
            pen = Pen(now.attributes, now.ink, pen.ground)
        if pen == now:
            return
        codes: list[str] = []
        ink, ground = "39", "49"
        if now is not None and pen.attributes == now.attributes:
            ink, ground = now.ink, now.ground
        else:
            codes.append(f"0;{pen.attributes}" if pen.attributes else "0")
        pen = Pen(pen.attributes, pen.ink or ink, pen.ground)
        if pen.ink != ink:
            codes.append(pen.ink)
        if pen.ground != ground:
            codes.append(pen.ground)
        self._pen = pen
        if codes:
            self._parts.append(f"\x1b[{';'.join(codes)}m")

    def end(self) -> str:
        """Everything, with the pen put down."""
        if self._parts:
            self._parts.append(_RESET)
        return "".join(self._parts)


_BLANK_CODES = frozenset(map(str, _ON_BLANKS.values()))


def _seen_on_blanks(attributes: str) -> bool:
    return bool(attributes) and not _BLANK_CODES.isdisjoint(attributes.split(";"))


def _differing(old: Row, new: Row) -> Iterator[tuple[int, int]]:
    """The stretches of a row that have to be sent, with short gaps between them bridged."""
    start = end = -1
    for x, cell in enumerate(new):
        if x < len(old) and old[x] == cell:
            continue
        if start < 0:
            start = x
        elif x - end > _BRIDGED_CELLS:
            yield start, end
            start = x
        end = x + 1
    if start >= 0:
        yield start, end
