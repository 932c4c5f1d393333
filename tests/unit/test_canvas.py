"""The canvas: whatever is painted, the terminal ends up as if all of it had been sent."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style

from gigq_tui.terminal.canvas import Canvas

COLUMNS, ROWS = 24, 4

GROUNDS = ("#0d1117", "#1c2430", None)
STYLES = [
    Style(color=color, bgcolor=ground, bold=bold, underline=line, reverse=reverse)
    for color in ("#c9d1d9", "red", None)
    for ground in GROUNDS
    for bold in (True, None)
    for line in (True, None)
    for reverse in (True, None)
]

# A piece of text at a place, as a widget paints it.
Piece = tuple[int, int, str, Style]


def console_of(system: str) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=system, width=COLUMNS)


def segments_of(pieces: Sequence[Piece]) -> list[Segment]:
    segments: list[Segment] = []
    for x, y, text, style in pieces:
        segments += [Control.move_to(x, y).segment, Segment(text, style)]
    return segments


def anew(style: Style) -> Style:
    """The same style without the codes it keeps once it has been rendered, in whatever colours."""
    return Style(
        color=style.color,
        bgcolor=style.bgcolor,
        bold=style.bold,
        underline=style.underline,
        reverse=style.reverse,
    )


def sent_whole(pieces: Sequence[Piece], system: ColorSystem) -> str:
    return "".join(
        Control.move_to(x, y).segment.text + anew(style).render(text, color_system=system)
        for x, y, text, style in pieces
    )


class Terminal:
    """What a terminal shows after it was sent something."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)

    def cells(self) -> list[list[tuple[str, ...]]]:
        """Everything that can be seen: of a blank that is its ground alone."""
        return [[self._seen(self.screen.buffer[y][x]) for x in range(COLUMNS)] for y in range(ROWS)]

    @staticmethod
    def _seen(char: pyte.screens.Char) -> tuple[str, ...]:
        shows = (char.underscore, char.reverse, char.strikethrough)
        if char.data == " " and not any(shows):
            return (" ", char.bg)
        return (char.data, char.fg, char.bg, str(char.bold), *map(str, shows))


def pieces(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Piece]:
    def fitted(piece: Piece) -> Piece:
        x, y, text, style = piece
        return x, y, text[: COLUMNS - x], style

    return st.tuples(
        st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1), texts, st.sampled_from(STYLES)
    ).map(fitted)


TEXTS = st.text("ab .-", min_size=1, max_size=COLUMNS)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(pieces(TEXTS), min_size=1, max_size=6), min_size=1, max_size=6))
@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_the_terminal_shows_what_it_would_if_all_were_sent(
    system: str, updates: list[list[Piece]]
) -> None:
    console = console_of(system)
    colors = ColorSystem[
        {"truecolor": "TRUECOLOR", "256": "EIGHT_BIT", "standard": "STANDARD"}[system]
    ]
    canvas, saving, naive = Canvas(), Terminal(), Terminal()
    for update in updates:
        saving.stream.feed(canvas.changes(segments_of(update), console))
        naive.stream.feed(sent_whole(update, colors))
        assert saving.cells() == naive.cells()


def test_what_stands_there_is_not_sent_again() -> None:
    canvas, console = Canvas(), console_of("truecolor")
    line = segments_of([(0, 0, "pending 12", STYLES[0]), (0, 1, "running 3", STYLES[1])])
    assert "pending" in canvas.changes(line, console)
    assert canvas.changes(line, console) == ""


def test_only_the_cells_that_differ_are_sent() -> None:
    canvas, console = Canvas(), console_of("truecolor")
    canvas.changes(segments_of([(0, 2, "elapsed 41s of 300s", Style())]), console)
    sent = canvas.changes(segments_of([(0, 2, "elapsed 42s of 300s", Style())]), console)
    assert sent == "\x1b[3;10H\x1b[0m2\x1b[0m"


def test_a_colour_is_said_once_for_as_long_as_it_lasts() -> None:
    canvas, console = Canvas(), console_of("truecolor")
    style, other = Style(color="#ff0000", bgcolor="#000000"), Style(bgcolor="#000000")
    row = [(0, 0, "FAIL", style), (4, 0, "  ", other), (6, 0, "47", style)]
    sent = canvas.changes(segments_of(row), console)
    assert sent.count("255;0;0") == 1
    assert "FAIL  47" in sent


def test_what_was_forgotten_is_sent_whole() -> None:
    canvas, console = Canvas(), console_of("truecolor")
    line = segments_of([(0, 0, "jobs.db", Style())])
    canvas.changes(line, console)
    canvas.forget()
    assert "jobs.db" in canvas.changes(line, console)


@pytest.mark.parametrize("name", ["漢字", "e\u0301te", "👩\u200d🚀 go"])
def test_a_row_with_odd_widths_is_sent_from_its_beginning(name: str) -> None:
    canvas, console = Canvas(), console_of("truecolor")
    canvas.changes(segments_of([(0, 0, f"{name} 1/3   waits", Style())]), console)
    sent = canvas.changes(segments_of([(0, 0, f"{name} 2/3   waits", Style())]), console)
    assert name in sent
    assert sent.endswith("2/3   waits\x1b[0m")


def test_a_wide_character_that_is_overwritten_by_half_leaves_nothing_behind() -> None:
    canvas, terminal = Canvas(), Terminal()
    console = console_of("truecolor")
    for x, text in ((0, "漢字xy"), (1, "ab"), (0, "-----")):
        terminal.stream.feed(canvas.changes(segments_of([(x, 0, text, Style())]), console))
    assert terminal.screen.display[0].rstrip() == "-----y"
