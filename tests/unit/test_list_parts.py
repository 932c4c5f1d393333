"""The parts that lists of names share: their order, their words, and which rows are marked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gigq_tui.actions.question import Question
from gigq_tui.screens.parts.list_marks import ListMarks
from gigq_tui.screens.parts.list_order import STILL_S, ListOrder, has_words, natural
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.typed_line import TypedLine

MENU = {"t": "trouble", "n": "name"}


class Roster(RowList):
    """A list that notes how far its cursor was moved."""

    moved = 0

    def step(self, lines: int) -> None:
        self.moved += lines


class AScreen:
    """A list, a line to type in, and what was asked, told and drawn."""

    def __init__(self) -> None:
        self.roster, self.typed_line = Roster(), TypedLine()
        self.draws = 0
        self.asked: Question | None = None
        self.told: list[str] = []

    def draw(self) -> None:
        self.draws += 1

    def question(self, question: Question) -> None:
        self.asked = question

    def tell(self, text: str, tone: str = "info") -> None:
        self.told.append(text)


@dataclass
class Clock:
    """Seconds by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def order_of(screen: AScreen, clock: Clock) -> ListOrder:
    return ListOrder(screen, "row", MENU, clock, screen)


def test_rows_stay_while_somebody_moves_and_new_ones_come_last() -> None:
    clock = Clock()
    order = order_of(AScreen(), clock)
    assert order.keep("abc", str) == ["a", "b", "c"]
    order.hold()
    assert order.keep("ndcb", str) == ["b", "c", "n", "d"]
    assert not order.is_due
    clock.now = STILL_S
    assert order.is_due
    assert order.keep("ndcb", str) == ["n", "d", "c", "b"]
    assert not order.is_due


@pytest.mark.parametrize("how", ["sort", "type"])
def test_who_sorts_or_narrows_sees_the_rows_move_at_once(how: str) -> None:
    screen = AScreen()
    order = order_of(screen, Clock())
    order.keep("ab", str)
    order.hold()
    if how == "sort":
        order.ask_sort()
        assert screen.asked is not None
        choice = screen.asked.choices[2]
        assert choice.act is not None
        choice.act()
        assert (order.sort, order.is_usual) == ("name", False)
        assert screen.told == ["sorted by name"]
    else:
        order.show_typed("b")
    assert screen.draws == 1
    assert order.keep("ba", str) == ["b", "a"]


def test_typing_that_is_broken_off_brings_the_words_from_before_back() -> None:
    order = order_of(AScreen(), Clock())
    order.show_typed("a")
    order.typing_ended(TypedLine.Ended("", kept=False))
    assert not order.filter_text
    assert not order.widen()
    order.show_typed("a")
    order.typing_ended(TypedLine.Ended("a", kept=True))
    assert order.filter_text == "a"
    assert order.widen()
    assert not order.filter_text


def test_names_are_in_the_order_in_which_people_count() -> None:
    names = ["w10", "W2", "a", "w2b", "2", "", "w02a"]
    assert sorted(names, key=natural) == ["", "2", "a", "W2", "w02a", "w2b", "w10"]


def test_numbers_may_be_of_any_length() -> None:
    """Python itself reads none of more than 4,300 digits."""
    numbers = ["2" + "0" * 5_000, "1" + "0" * 5_000, "10", "9", "0"]
    names = [f"w{number}" for number in numbers]
    assert sorted(names, key=natural) == names[::-1]
    assert natural("w007") == natural("w7") < natural("w" + "0" * 9_000 + "8")


@pytest.mark.parametrize(
    ("text", "has"), [("", True), ("FETCH one", True), ("one fetch", True), ("fetch two", False)]
)
def test_each_word_is_looked_for_by_itself_in_either_case(text: str, has: bool) -> None:
    assert has_words(("fetch:images", "One"), text) is has


def test_marks_go_with_their_rows_and_are_meant_before_the_cursor() -> None:
    screen, rows = AScreen(), ["a", "b", "c"]
    marks: ListMarks[str] = ListMarks(screen, lambda: rows, str)
    assert (marks.current, marks.chosen) == (None, ())
    marks.mark()
    assert not screen.roster.moved
    screen.roster.cursor_id = "b"
    assert (marks.current, marks.chosen) == ("b", ("b",))
    for id in "ca":
        screen.roster.cursor_id = id
        marks.mark()
    assert screen.roster.moved == 2
    assert marks.chosen == ("a", "c")
    rows.remove("a")
    marks.forget_gone()
    assert marks.marked == {"c"}
    assert marks.unmark()
    assert not marks.marked
    assert not marks.unmark()
