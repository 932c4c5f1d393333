"""Finding rows of a list, on a stand-in for the screen: no app, no terminal."""

from __future__ import annotations

from gigq_tui.screens.parts.row_finder import NOTHING_FOUND, RowFinder
from gigq_tui.widgets.row_list import PickList
from gigq_tui.widgets.typed_line import TypedLine

NAMES = ("resize 1", "fetch 2", "Resize 3", "report 4", "resize 5")


class AScreen:
    """A list, a line to type in, and what is said."""

    def __init__(self) -> None:
        self.typed_line = TypedLine()
        self.rows = PickList()
        self.rows.show([(name, ((name, ""),)) for name in NAMES])
        self.told: list[str] = []

    def tell(self, text: str, tone: str = "info") -> None:
        self.told.append(text)

    def mover(self) -> PickList:
        return self.rows


def test_typing_goes_to_the_first_match_from_the_cursor_on_and_around_the_end() -> None:
    screen = AScreen()
    finder = RowFinder(screen, screen)
    screen.rows.move_to(1)
    assert finder.find("RESIZE") == "3 found"
    assert screen.rows.cursor_id == "Resize 3"
    assert finder.find("fetch") == "1 found"
    assert screen.rows.cursor_id == "fetch 2"


def test_next_and_previous_go_from_match_to_match_around_the_ends() -> None:
    screen = AScreen()
    finder = RowFinder(screen, screen)
    finder.find("resize")
    seen = []
    for step in (1, 1, 1, -1, -1):
        finder.find_next(step)
        seen.append(screen.rows.cursor)
    assert seen == [2, 4, 0, 4, 2]
    assert not screen.told


def test_nothing_to_find_is_said_and_moves_nothing() -> None:
    screen = AScreen()
    finder = RowFinder(screen, screen)
    finder.find_next(1)
    assert finder.find("") == ""
    assert finder.find("upload") == "0 found"
    finder.find_next(-1)
    assert screen.told == [NOTHING_FOUND, NOTHING_FOUND]
    assert screen.rows.cursor == 0


def test_a_line_is_found_by_what_the_screen_says_of_it_where_that_is_more_than_it_draws() -> None:
    screen = AScreen()
    finder = RowFinder(screen, screen, lambda at: f"id-{at}")
    finder.find("id-3")
    assert screen.rows.cursor_id == "report 4"


def test_typing_begins_with_what_was_wanted_last_and_escape_brings_that_back() -> None:
    screen = AScreen()
    finder = RowFinder(screen, screen)
    finder.show_typed("fetch")
    finder.do_find_row()
    assert screen.typed_line.text == "fetch"
    finder.show_typed("report")
    assert screen.rows.cursor_id == "report 4"
    finder.typing_ended(TypedLine.Ended("fetch", kept=False))
    assert (finder.wanted, screen.rows.cursor_id) == ("fetch", "fetch 2")
