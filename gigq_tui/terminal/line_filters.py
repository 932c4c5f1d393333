"""The last word on what is sent: no colour where none is wanted, ASCII where no more is known.

Our own lines are drawn so already; this is for what Textual draws by itself, such as the text in
a field that somebody types.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter, NoColor

from gigq_tui.format import ascii_cells


class AsciiOnly(LineFilter):
    """Replaces every other character by as many question marks as it has cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(ascii_cells(segment.text), segment.style)
            for segment in segments
        ]


_NO_COLOUR = NoColor()
_ASCII_ONLY = AsciiOnly()


def line_filters(usual: Sequence[LineFilter], *, colour: bool, utf8: bool) -> list[LineFilter]:
    """Return the filters of a terminal.

    Args:
        usual: What Textual would take.
        colour: Whether colours are wanted at all (`NO_COLOR`); bold and reverse stay.
        utf8: Whether the terminal understands more than ASCII.
    """
    filters: list[LineFilter] = list(usual) if colour else [_NO_COLOUR]
    return filters if utf8 else [*filters, _ASCII_ONLY]
