"""Reading a text, on a stand-in for the screen: no app, no terminal."""

from __future__ import annotations

from pathlib import Path

from gigq_tui.keys.hints import DEFAULT_HINTS
from gigq_tui.screens.parts.text_reader import TextReader, copy_tail
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine

LINES = ("one fish", "two birds", "red fish", "blue fish")


class AScreen:
    """A text, a line to type in, what is said and what is copied."""

    def __init__(self, *, readable: bool = True) -> None:
        self.text_view, self.typed_line = TextView(), TypedLine()
        self.text_view.show(LINES)
        self.is_readable, self.whole = readable, 0
        self.told: list[str] = []
        self.copied: list[tuple[str, str, Path | None]] = []

    def tell(self, text: str, tone: str = "info") -> None:
        self.told.append(text)

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None:
        self.copied.append((text, what, source))

    def readable(self) -> bool:
        return self.is_readable

    def read_whole(self) -> None:
        self.whole += 1


def test_finding_reads_the_whole_text_and_begins_with_what_was_wanted_last() -> None:
    screen = AScreen()
    reader = TextReader(screen, screen, DEFAULT_HINTS)
    reader.show_typed("fish")
    reader.do_find()
    assert screen.whole == 1
    assert screen.typed_line.typing
    assert screen.typed_line.text == "fish"
    assert screen.text_view.found_told == "1 of 3"


def test_next_and_previous_go_around_and_say_so_where_nothing_was_searched_for() -> None:
    screen = AScreen()
    reader = TextReader(screen, screen, DEFAULT_HINTS)
    reader.do_find_next()
    assert len(screen.told) == 1
    reader.show_typed("FISH")
    seen = []
    for step in (1, 1, 1, -1):
        reader.find_next(step)
        seen.append(screen.text_view.found_told)
    assert seen == ["2 of 3", "3 of 3", "1 of 3", "3 of 3"]
    assert len(screen.told) == 1


def test_typing_that_is_broken_off_brings_back_what_was_wanted_before() -> None:
    screen = AScreen()
    reader = TextReader(screen, screen, DEFAULT_HINTS)
    reader.show_typed("birds")
    reader.typing_ended(TypedLine.Ended("fish", kept=True))
    assert screen.text_view.wanted == "birds"
    reader.typing_ended(TypedLine.Ended("fish", kept=False))
    assert screen.text_view.wanted == "fish"


def test_lines_go_sideways_only_unwrapped_and_how_it_is_read_is_told() -> None:
    screen = AScreen()
    reader = TextReader(screen, screen, DEFAULT_HINTS)
    reader.do_sideways_right()
    assert len(screen.told) == 1
    assert reader.describe(grows=False) == ""
    reader.do_wrap()
    assert reader.describe(grows=True).startswith("unwrapped ")
    assert reader.describe(grows=True).endswith("follow off")
    reader.do_follow_end()
    assert reader.describe(grows=True).endswith("follow on")
    reader.show_typed("red")
    assert reader.describe(grows=False).startswith("/red 1 of 1")


def test_what_is_not_on_the_screen_is_neither_searched_nor_wrapped_nor_followed() -> None:
    screen = AScreen(readable=False)
    reader = TextReader(screen, screen, DEFAULT_HINTS)
    for act in (reader.do_find, reader.do_wrap, reader.do_sideways_left, reader.do_follow_end):
        act()
    view = screen.text_view
    assert (screen.whole, screen.typed_line.typing, view.wrap, view.follow) == (
        0,
        False,
        True,
        False,
    )


def test_what_was_read_is_copied_harmless_and_with_its_file_or_its_trouble_is_told() -> None:
    screen = AScreen()
    copy_tail(Tail(Path("w1.log"), ("a\x1b[31mb", "c")), "the log", screen, screen)
    ((text, what, source),) = screen.copied
    assert "\x1b" not in text
    assert text.endswith("\nc")
    assert (what, source) == ("the log", Path("w1.log"))
    copy_tail(Tail(trouble="There is no such file."), "the log", screen, screen)
    assert len(screen.copied) == 1
    assert screen.told == ["There is no such file."]
