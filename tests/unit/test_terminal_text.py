"""Captured output is shown as a terminal shows it; pyte, which plays one, says how that is."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pyte
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from gigq_core.text import UNSAFE
from gigq_core.writing import terminal_text
from gigq_core.writing.terminal_text import PLAIN, Line, Look, Piece, TerminalText, look_of

# A busy machine is slow at any of it.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
COLUMNS, ROWS = 400, 40
COLOURS = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")

WORDS = st.text(st.sampled_from("ab1 █é"), min_size=1, max_size=6)
MOVES = st.sampled_from(
    [
        *("\r", "\r", "\r\n", "\n", "\b", "\t", "\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K"),
        *("\x1b[3C", "\x1b[2D", "\x1b[G", "\x1b[1G", "\x1b[7G", "\x1b[C", "\x1b[D"),
    ]
)
LOOKS = st.sampled_from(
    [
        *("\x1b[m", "\x1b[0m", "\x1b[31m", "\x1b[1;32m", "\x1b[44m", "\x1b[39m", "\x1b[22m"),
        *("\x1b[4m", "\x1b[7m", "\x1b[27;24;49m", "\x1b[97m", "\x1b[38;5;9m", "\x1b[0;35m"),
        "\x1b[38;2;1;2;3m",
    ]
)
UNHEARD = st.sampled_from(
    ["\x1b]0;a title\x07", "\x1b]8;;http://x/\x1b\\", "\x1b[?25l", "\x1b(B", "\x1b=", "\x1b[?2004h"]
)
OUTPUT = st.lists(st.one_of(WORDS, WORDS, MOVES, LOOKS, UNHEARD), max_size=40).map("".join)
BAR = st.lists(st.one_of(WORDS, LOOKS, st.sampled_from(["\x1b[K", "\x1b[2K"])), max_size=4)
BARS = st.lists(BAR.map("".join), min_size=17, max_size=40).map("\r".join)
ANYTHING = st.text(
    st.sampled_from("a日\u0301\x1b[]0;?m31KCDG\\\x07\r\n\b\t \x9b\x00🚀"), max_size=60
)


def read(text: str, tabs: int | None = 8) -> list[Line]:
    """The lines of a whole text."""
    terminal = TerminalText(tabs=tabs)
    lines = terminal.feed(text)
    last = terminal.close()
    return [*lines, last] if last is not None else lines


def played(text: str) -> pyte.Screen:
    """What a terminal shows, whose driver makes `\\r\\n` of each line end."""
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen


def cells(line: Line) -> list[tuple[str, Look]]:
    """Each character with its look."""
    looks = [PLAIN] * len(line.text)
    for start, end, look in line.pieces:
        looks[start:end] = [look] * (end - start)
    return list(zip(line.text, looks, strict=True))


def as_pyte_tells(cell: pyte.screens.Char) -> tuple[str, str, str, bool, bool, bool]:
    return (cell.data, cell.fg, cell.bg, cell.bold, cell.underscore, cell.reverse)


def as_we_tell(char: str, look: Look) -> tuple[str, str, str, bool, bool, bool]:
    def name(colour: terminal_text.Colour | None) -> str:
        if colour is None:
            return "default"
        if isinstance(colour, tuple):
            return "{:02x}{:02x}{:02x}".format(*colour)
        return COLOURS[colour] if colour < 8 else f"bright{COLOURS[colour - 8]}"

    return (
        char,
        name(look.foreground),
        name(look.background),
        look.bold,
        look.underline,
        look.reverse,
    )


def stands_as_on_a_terminal(text: str) -> None:
    screen = played(text)
    lines = read(text)
    assert len(lines) <= ROWS
    shown = [line.rstrip() for line in screen.display]
    assert [line.text.rstrip() for line in lines] == shown[: len(lines)]
    assert not any(shown[len(lines) :])


@unhurried
@given(st.one_of(OUTPUT, BARS))
def test_lines_stand_as_a_terminal_shows_them(text: str) -> None:
    stands_as_on_a_terminal(text)


@pytest.mark.long
@settings(unhurried, max_examples=2_000)
@given(st.one_of(OUTPUT, BARS))
def test_lines_stand_as_a_terminal_shows_them_in_the_long_run(text: str) -> None:
    stands_as_on_a_terminal(text)


@unhurried
@given(st.one_of(OUTPUT, BARS).filter(lambda text: "38;5;9" not in text))
def test_words_have_the_colours_that_a_terminal_gives_them(text: str) -> None:
    screen = played(text)
    for row, line in enumerate(read(text)):
        for column, (char, look) in enumerate(cells(line)):
            if char != " ":
                assert as_we_tell(char, look) == as_pyte_tells(screen.buffer[row][column])


@unhurried
@given(st.one_of(OUTPUT, BARS, ANYTHING), st.lists(st.integers(0, 400), max_size=6))
@example("\r\u0301\n", [1])
@example("\x1b[1m\u0301a\n", [4])
def test_it_does_not_matter_where_the_output_is_cut(text: str, cuts: list[int]) -> None:
    is_the_same_wherever_it_is_cut(text, cuts)


@pytest.mark.long
@settings(unhurried, max_examples=2_000)
@given(st.one_of(OUTPUT, BARS, ANYTHING), st.lists(st.integers(0, 400), max_size=6))
def test_it_does_not_matter_where_it_is_cut_in_the_long_run(text: str, cuts: list[int]) -> None:
    is_the_same_wherever_it_is_cut(text, cuts)


def is_the_same_wherever_it_is_cut(text: str, cuts: list[int]) -> None:
    data = text.encode()
    terminal = TerminalText()
    lines = []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        lines += terminal.feed_bytes(data[start:end])
    last = terminal.close()
    assert [*lines, *([last] if last else [])] == read(text, tabs=None)


@unhurried
@given(ANYTHING)
def test_anything_can_be_read_and_its_pieces_lie_within_it(text: str) -> None:
    for line in read(text):
        assert "\n" not in line.text
        assert "\r" not in line.text
        ends = [0]
        for start, end, look in line.pieces:
            assert ends[-1] <= start < end
            assert look != PLAIN
            ends.append(end)
        assert ends[-1] <= len(line.text)


@unhurried
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
@example("\u07eb")
@example("\u07eba\u20dd")
def test_text_without_controls_stays_as_it_is(text: str) -> None:
    """But for marks that have nothing to stand on; and of a pile of them, some are enough."""
    begun = text.lstrip("".join(char for char in text if is_mark(char)))
    piled = any(all(map(is_mark, text[at : at + 5])) for at in range(len(text) - 4))
    assume(not piled)
    assert [line.text for line in read(text)] == ([begun] if begun else [])


def is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\r  0%\r 50%\r100%\n", ["100%"]),
        ("downloading a long name\rdone\n", ["doneloading a long name"]),
        ("downloading a long name\r\x1b[Kdone\n", ["done"]),
        ("downloading\rdone\x1b[K\n", ["done"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("one\r\r\ntwo", ["one", "two"]),
        ("spinner |\b/\b-\b\\\n", ["spinner \\"]),
        ("a\tb\n", ["a\tb"]),
        ("a\tb\rxyz\n", ["xyz     b"]),
        ("日本語\rab\n", ["ab本語"]),
        ("日本語\ra\n", ["a 本語"]),
        ("ab日\r\x1b[2Cx\n", ["abx "]),
        ("e\u0301clair\rE\n", ["Eclair"]),
        ("a" + "\u0301" * 1_000, ["a" + "\u0301" * 4 + "\ufffd"]),
        ("\u0301a", ["a"]),
        ("bell\x07\n", ["bell\x07"]),
        ("lone \x1b", ["lone \x1b"]),
        ("half \x1b[3", ["half \x1b[3"]),
        ("\x1b]0;no end\nnext", ["\x1b]0;no end", "next"]),
        ("\x1b]52;c;aGk=\x07x", ["x"]),
        ("\x1bPq" + "#" * 5_000 + "\x1b\\", ["\x1bPq" + "#" * 5_000 + "\x1b\\"]),
        ("\x9b31mred", ["\x9b31mred"]),
        ("\x1b[2J\x1b[10;10H\x1b[5A\x1b[?25htext", ["\x1b[2J\x1b[10;10Htext"]),
        ("\x1b[99999999999G|", ["|"]),
        ("", []),
        ("\n\n", ["", ""]),
    ],
)
def test_what_stays_of_a_line(output: str, shown: list[str]) -> None:
    assert [line.text for line in read(output, tabs=None)] == shown


@pytest.mark.parametrize(
    ("parameters", "look"),
    [
        ("31", Look(foreground=1)),
        ("1;91", Look(foreground=9, bold=True)),
        ("48;5;200", Look(background=200)),
        ("38;2;1;2;3", Look(foreground=(1, 2, 3))),
        ("38:2::1:2:3", Look(foreground=(1, 2, 3))),
        ("38:2:1:2:3", Look(foreground=(1, 2, 3))),
        ("38:5:7;1", Look(foreground=7, bold=True)),
        ("2;3;4;7;9", Look(dim=True, italic=True, underline=True, reverse=True, strike=True)),
        ("4:3", Look(underline=True)),
        ("4;4:0", PLAIN),
        ("31;0", PLAIN),
        ("31;;", PLAIN),
        ("38;5;999", PLAIN),
        ("38;9", PLAIN),
        ("107;5;8;11;999", Look(background=15)),
    ],
)
def test_looks_are_read_in_all_their_writings(parameters: str, look: Look) -> None:
    (line,) = read(f"\x1b[{parameters}mx")
    assert line == Line("x", (Piece(0, 1, look),) if look != PLAIN else ())
    assert look_of(look.sgr) == look


def test_a_look_goes_on_in_the_next_line() -> None:
    look = Look(foreground=1)
    assert read("\x1b[31ma\nb\x1b[0m\nc") == [
        Line("a", (Piece(0, 1, look),)),
        Line("b", (Piece(0, 1, look),)),
        Line("c"),
    ]


def test_the_line_that_has_not_ended_can_be_seen() -> None:
    terminal = TerminalText()
    assert terminal.open_line is None
    terminal.feed("\r 10%")
    assert terminal.open_line == Line(" 10%")
    terminal.feed_bytes("\r 20% é".encode()[:-1])
    assert terminal.open_line == Line(" 20% ")
    assert terminal.feed_bytes(b"\xa9\n") == [Line(" 20% é")]
    assert terminal.open_line is None


def test_a_million_states_and_an_endless_line_take_bounded_memory() -> None:
    import tracemalloc

    terminal = TerminalText(most=10_000)
    chunk = "".join(f"\rtraining {n:7d}" for n in range(10_000))
    tracemalloc.start()
    try:
        for _ in range(100):
            assert terminal.feed(chunk) == []
        for _ in range(100):
            terminal.feed("x" * 100_000)
        for _ in range(100):
            terminal.feed("\x1b]0;" + "y" * 1_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (line,) = terminal.feed("\n")
    assert len(line.text) < 11_000
    assert line.text.endswith("more characters]")
    assert peak < 5_000_000


@unhurried
@given(st.one_of(OUTPUT, ANYTHING))
def test_what_is_shown_in_the_end_has_no_control_but_those_it_was_given_whole(text: str) -> None:
    obeyed = {"\r", "\n", "\b"}
    for line in read(text):
        assert not obeyed & set(UNSAFE.findall(line.text))
