"""The parts of the jobs screen, on stand-ins: marks, the order that is held, what is cleared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gigq_core.changes.clearing import ClearPlan, Finished
from gigq_tui.actions.question import Question
from gigq_tui.actions.report import Report
from gigq_tui.keys.job_actions import CANCEL, NEW
from gigq_tui.screens.jobs.all_matching import AllMatching
from gigq_tui.screens.jobs.clear import Clear
from gigq_tui.screens.jobs.held_order import HeldOrder
from gigq_tui.screens.jobs.listing import Listing
from gigq_tui.screens.jobs.marks import Marks
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow, Snapshot, Tab, Window
from gigq_tui.store.sorting import NEWEST, Sort, SortKey
from tests.scene import NOW
from tests.tui.harness import row, snapshot_of

ROWS = tuple(row(number) for number in range(9, 0, -1))
IDS = tuple(job.id for job in ROWS)


class Table:
    """The rows that are in memory, and what was asked of them."""

    def __init__(self, rows: Iterable[JobRow]) -> None:
        self.window = Window(tuple(rows), 0, 9)
        self.held_order = HeldOrder(FrozenClock(NOW))
        self.cursor = 0
        self.chosen: str | None = None
        self.away = self.awaits_list = False
        self.shown_with: list[str | None] = []

    @property
    def current(self) -> JobRow | None:
        at = self.cursor - self.window.start
        return self.window.rows[at] if 0 <= at < len(self.window.rows) else None

    def step(self, by: int) -> None:
        self.cursor = min(self.cursor + by, len(self.window.rows) - 1)

    def repaint(self) -> None: ...

    def start_over(self, landing: str | None) -> None:
        self.awaits_list = True

    def show(self, window: Window, follow: str | None) -> None:
        self.shown_with.append(follow)

    def end_follow(self) -> None:
        self.away = False


class StandIn:
    """A screen, its reads and its services in one; the reads answer at once."""

    def __init__(self, rows: Iterable[JobRow] = ROWS, matching: tuple[str, ...] = IDS) -> None:
        self.table: Any = Table(rows)
        self.reads: Any = self
        self.is_whole = self.is_current = True
        self.matching = matching
        self.marked_ids: tuple[str, ...] = ()
        self.view = View()
        self.shown: Snapshot | None = None
        self.paused = False
        self.said: list[Any] = []
        self.questions: list[Question] = []
        self.jobs = self
        self.attach_details: tuple[str, ...] = ()
        self.plan = ClearPlan()
        self.filter_box: Any = None
        self.size: Any = None

    def current_row(self) -> JobRow | None:
        job: JobRow | None = self.table.current
        return job

    def ask(self, read: Any, got: Any, failed: Any = None, *, first: bool = False) -> None:
        got(read(self))

    def find_out(self, call: Any, got: Any, *, first: bool = False) -> None:
        got(call())

    def matching_ids(self, view: View) -> tuple[str, ...]:
        self.said.append(view.tab)
        return self.matching

    def question(self, question: Question) -> None:
        self.questions.append(question)

    def look_at(self, view: View, *, anew: bool = False) -> None:
        self.view = view

    def list_changed(self) -> None:
        self.said.append("another list")

    def draw(self) -> None: ...

    def perform(self, action: Any) -> None:
        self.said.append(action.id)

    def tell(self, text: str, tone: str = "info") -> None:
        self.said.append(text)

    def plan_clear(self, ids: Iterable[str]) -> ClearPlan:
        self.said.append(tuple(ids))
        return self.plan

    def clear(self, ids: Iterable[str], include_needed: bool = False) -> Report:
        self.said.append(("clear", tuple(ids), include_needed))
        return Report("cleared", (), "")

    def act(self, call: Callable[[], Any], after: Callable[[], None] | None = None) -> None:
        call()
        if after is not None:
            after()


# Marks


def test_a_range_within_the_rows_leaves_out_those_that_went() -> None:
    screen = StandIn()
    marks = Marks(screen, screen)
    marks.mark_range()
    assert marks.range_from == IDS[0]
    screen.table.step(3)
    screen.table.held_order.gone = frozenset({IDS[1]})
    marks.mark_range()
    assert marks.ids == (IDS[0], IDS[2], IDS[3])
    assert marks.range_from is None


def test_a_range_over_rows_that_are_not_in_memory_is_asked_of_the_file() -> None:
    screen = StandIn(ROWS[4:])
    marks = Marks(screen, screen)
    marks.range_from = IDS[1]
    marks.mark_range()
    assert marks.ids == IDS[1:5]
    # Of those not in memory no row is known: an action is about them all the same.
    assert marks.chosen_jobs().ids == IDS[1:5]
    assert marks.chosen_jobs().rows == (ROWS[4],)


def test_an_action_on_a_range_that_is_not_all_in_memory_waits_for_its_rows() -> None:
    screen = StandIn()
    marks = Marks(screen, screen)
    screen.table.cursor = 1
    marks.mark_range()
    screen.table.window, screen.table.cursor = Window(ROWS[4:], 4, 9), 6
    marks.follow_cursor()
    # Painted as far as it is in memory, and counted as it is.
    assert [job.id for job in ROWS if job.id in marks] == list(IDS[4:7])
    assert marks.count == 6
    assert marks.forestalls(CANCEL)
    assert marks.ids == IDS[1:7]
    assert screen.said[-1] == CANCEL.id
    # Now it is known what is meant.
    assert not marks.forestalls(CANCEL)
    assert not marks.forestalls(NEW)


def test_a_range_whose_beginning_is_gone_marks_nothing() -> None:
    screen = StandIn(ROWS[4:], IDS[4:])
    marks = Marks(screen, screen)
    marks.range_from = IDS[1]
    marks.mark_range()
    assert not marks.rows
    assert screen.said[-1] == "The row where the range started is gone."


def test_a_mark_that_the_list_does_not_show_is_told_in_the_question() -> None:
    screen = StandIn()
    marks = Marks(screen, screen)
    marks.mark()
    marks.mark()
    assert marks.chosen_jobs().told == ()
    screen.view = View(tab=Tab.FAILED)
    screen.table.window = Window(ROWS[1:3], 0, 2)
    assert marks.chosen_jobs().told == ("1 of them is not in this list.",)
    # Not all of the list is in memory.
    screen.table.window = Window(ROWS[1:3], 0, 900)
    assert marks.chosen_jobs().told == ("Some of them were marked in another list.",)
    marks.clear()
    marks.mark()
    assert marks.chosen_jobs().told == ()


def test_what_is_in_the_way_is_cleared_the_last_thing_first() -> None:
    screen = StandIn()
    marks = Marks(screen, screen)
    marks.mark_all()
    marks.mark_range()
    assert (marks.clear_last(), marks.range_from, marks.ids) == (True, None, IDS)
    assert (marks.clear_last(), marks.ids) == (True, ())
    assert not marks.clear_last()


# The order that is held


def test_an_order_is_held_until_nobody_has_moved_for_a_while() -> None:
    clock = FrozenClock(NOW)
    order = HeldOrder(clock)
    assert order.rests_in <= 0
    order.moved()
    shown, newest = Window(ROWS[1:], 0, 8), Window((ROWS[0], *ROWS[2:]), 0, 8)
    assert [job.id for job in order.hold(shown, newest).rows] == list(IDS[1:])
    assert (order.gone, order.news, order.waiting) == ({IDS[1]}, "1 new above", newest)
    clock.advance(STILL_S)
    assert order.rests_in <= 0
    order.end()
    assert (order.gone, order.news, order.waiting) == (frozenset(), "", None)


# The list


def test_each_tab_keeps_its_own_order_and_begins_with_the_configured_one() -> None:
    screen = StandIn()
    by_duration = Sort(SortKey.DURATION)
    listing = Listing(screen, screen, screen, by_duration)
    listing.choose_tab(Tab.RUNNING)
    assert screen.view.sort == by_duration
    listing.choose_tab(Tab.WAITING)
    assert screen.view.sort == NEWEST
    listing.choose_sort(Sort(SortKey.NAME))
    listing.choose_tab(Tab.RUNNING)
    listing.choose_tab(Tab.WAITING)
    assert screen.view.sort == Sort(SortKey.NAME)


def test_the_view_alone_says_which_job_is_followed() -> None:
    screen = StandIn()
    listing = Listing(screen, screen, screen)
    listing.follow()
    assert screen.view.follow == IDS[0]
    gone = snapshot_of(ROWS[1:], follow=IDS[0], followed=ROWS[0])
    screen.shown, screen.table.away = gone, True
    assert listing.take_rows(gone)
    assert screen.table.shown_with == [IDS[0]]
    assert listing.current == ROWS[0]
    listing.touched()
    assert (screen.view.follow, listing.followed) == (None, None)


def test_rows_of_another_list_are_not_taken() -> None:
    screen = StandIn()
    listing = Listing(screen, screen, screen)
    listing.choose_tab(Tab.FAILED)
    assert not listing.take_rows(snapshot_of(ROWS))
    assert listing.take_rows(snapshot_of(ROWS, tab=Tab.FAILED))


# All that match, and what has finished


def test_all_that_match_are_asked_about_with_the_rows_that_are_known() -> None:
    screen = StandIn(ROWS[:2])
    screen.view = View(tab=Tab.FAILED)
    asked: list[Any] = []
    AllMatching(screen, lambda *given: None, lambda *given: asked.append(given), screen).retry_all()
    ((chosen, about),) = asked
    assert (chosen.ids, chosen.rows, about) == (IDS, ROWS[:2], " (all of tab Failed)")


def finished(number: int, status: str, ended: datetime) -> Finished:
    return Finished(
        job_id=IDS[number],
        name=f"job_{number}",
        status=status,
        ended=ended,
        need="",
        size=10,
    )


@pytest.mark.parametrize("marked", [(), IDS[:2]])
def test_failed_jobs_are_spared_unless_they_were_marked(marked: tuple[str, ...]) -> None:
    screen = StandIn(matching=())
    screen.marked_ids = marked
    old, new = NOW - timedelta(days=2), NOW - timedelta(hours=1)
    screen.plan = ClearPlan(
        finished=(
            finished(0, "completed", old),
            finished(1, "failed", new),
            finished(2, "completed", new),
        )
    )
    done: list[str] = []
    Clear(screen, screen, screen, FrozenClock(NOW), lambda: done.append("done")).clear_finished()
    question = screen.questions[-1]
    labels = [choice.label for choice in question.choices]
    if marked:
        assert screen.said == [marked]
        assert labels == ["No", "Clear 3", "1 older than a day"]
    else:
        # Four tabs have finished jobs, and each was asked.
        assert len([said for said in screen.said if isinstance(said, Tab)]) == 4
        assert labels == ["No", "Clear 2", "1 older than a day", "3 with failed ones"]
    act = question.choices[2].act
    assert act is not None
    act()
    assert screen.said[-1] == ("clear", (IDS[0],), False)
    assert done == ["done"]
