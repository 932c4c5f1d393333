"""When the overview is read anew, on a stand-in for the screen: no app, no reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gigq_tui.keys.handlers import handlers_of
from gigq_tui.keys.looking_actions import OPEN, WORKERS
from gigq_tui.screens.overview.refresh import PACE_S, OverviewRefresh
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import Past
from tests.scene import NOW
from tests.tui.test_overview_keys import overview_of


class AScreen:
    """What is asked of the reader, and how often something was drawn."""

    def __init__(self) -> None:
        self.reads, self.is_current, self.paused = self, True, False
        self.asked: list[tuple[Callable[[Any], None], Callable[[str], None]]] = []
        self.drawn: list[str] = []

    def ask(
        self,
        read: Callable[[Any], Overview],
        got: Callable[[Overview], None],
        failed: Callable[[str], None],
    ) -> None:
        self.asked.append((got, failed))

    def draw(self) -> None:
        self.drawn.append("all")

    def draw_past(self) -> None:
        self.drawn.append("past")


@pytest.fixture
def screen() -> AScreen:
    return AScreen()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def refresh(screen: AScreen, clock: FrozenClock) -> OverviewRefresh:
    return OverviewRefresh(screen, screen, clock)


def test_what_comes_soon_after_the_last_question_waits_for_the_pace(
    screen: AScreen, clock: FrozenClock, refresh: OverviewRefresh
) -> None:
    assert refresh.awaits(OPEN)
    assert not refresh.awaits(WORKERS)
    refresh.take_news()
    screen.asked[0][0](overview_of(Past.MINUTES_60))
    assert screen.drawn == ["all"]
    assert not refresh.awaits(OPEN)
    refresh.take_news()
    assert len(screen.asked) == 1
    clock.advance(PACE_S)
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_what_comes_while_it_is_asked_is_asked_for_once_more(
    screen: AScreen, clock: FrozenClock, refresh: OverviewRefresh
) -> None:
    refresh.take_news()
    clock.advance(PACE_S)
    refresh.take_news()
    assert len(screen.asked) == 1
    screen.asked[0][0](overview_of(Past.MINUTES_60))
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_a_chart_is_asked_for_anew_when_it_moves_and_there_is_something_in_it(
    screen: AScreen, clock: FrozenClock, refresh: OverviewRefresh
) -> None:
    refresh.take_news()
    full = overview_of(Past.MINUTES_60)
    screen.asked[0][0](full)
    refresh.keep_up()
    assert len(screen.asked) == 1
    clock.advance(Past.MINUTES_60.bucket_s)
    refresh.keep_up()
    assert len(screen.asked) == 2
    empty = (0,) * len(full.done)
    screen.asked[1][0](replace(full, done=empty, failed=empty, waiting=empty))
    clock.advance(10 * Past.MINUTES_60.bucket_s)
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_another_time_is_drawn_at_once_and_what_comes_of_the_old_one_is_dropped(
    screen: AScreen, refresh: OverviewRefresh
) -> None:
    refresh.take_news()
    handlers_of(refresh)["past_1"]()
    assert screen.drawn == ["past"]
    screen.asked[0][0](overview_of(Past.MINUTES_60))
    assert refresh.overview is None
    assert len(screen.asked) == 2
    screen.asked[1][1]("The file can't be read.")
    assert len(screen.asked) == 2
    assert screen.drawn == ["past"]


def test_a_paused_view_takes_only_another_time_until_that_is_read(
    screen: AScreen, clock: FrozenClock, refresh: OverviewRefresh
) -> None:
    refresh.take_news()
    shown = overview_of(Past.MINUTES_60)
    screen.asked[0][0](shown)
    screen.paused = True
    clock.advance(PACE_S)
    refresh.take_news()
    screen.asked[1][0](overview_of(Past.MINUTES_60, taken_at=NOW + timedelta(seconds=1)))
    assert refresh.overview is shown
    handlers_of(refresh)["past_2"]()
    screen.asked[2][0](overview_of(Past.MINUTES_5, reading=True))
    assert refresh.overview is not shown
    assert len(screen.asked) == 4
    screen.asked[3][0](overview_of(Past.MINUTES_5))
    clock.advance(PACE_S)
    refresh.keep_up()
    assert len(screen.asked) == 4
