"""When a thing is read anew, on a stand-in for the screen: no app, no reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gigq_tui.keys.looking_actions import WORKERS
from gigq_tui.keys.screen_actions import OPEN_THEN
from gigq_tui.screens.parts.paced_read import PACE_S, PacedRead
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.history.overview import Overview
from tests.scene import NOW
from tests.tui.test_overview_keys import overview_of


class AScreen:
    """What is asked of the reader, and how often something was drawn."""

    def __init__(self) -> None:
        self.reads, self.is_current, self.paused = self, True, False
        self.asked: list[tuple[Callable[[Any], None], Callable[[str], None]]] = []
        self.drawn = 0

    def ask(
        self,
        read: Callable[[Any], Overview],
        got: Callable[[Overview], None],
        failed: Callable[[str], None],
    ) -> None:
        self.asked.append((got, failed))

    def draw(self) -> None:
        self.drawn += 1


@pytest.fixture
def screen() -> AScreen:
    return AScreen()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def refresh(screen: AScreen, clock: FrozenClock) -> PacedRead[Overview]:
    return PacedRead(screen, screen, clock, lambda reader: reader.overview(), screen.draw)


def test_what_comes_soon_after_the_last_question_waits_for_the_pace(
    screen: AScreen, clock: FrozenClock, refresh: PacedRead[Overview]
) -> None:
    assert refresh.awaits(OPEN_THEN)
    assert not refresh.awaits(WORKERS)
    refresh.take_news()
    screen.asked[0][0](overview_of())
    assert screen.drawn == 1
    assert not refresh.awaits(OPEN_THEN)
    refresh.take_news()
    assert len(screen.asked) == 1
    clock.advance(PACE_S)
    refresh.keep_up()
    assert len(screen.asked) == 2
    screen.asked[1][0](overview_of())
    clock.advance(PACE_S)
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_what_comes_while_it_is_asked_is_asked_for_once_more(
    screen: AScreen, clock: FrozenClock, refresh: PacedRead[Overview]
) -> None:
    refresh.take_news()
    clock.advance(PACE_S)
    refresh.take_news()
    assert len(screen.asked) == 1
    screen.asked[0][0](overview_of())
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_what_could_not_be_read_is_asked_for_again_at_the_pace(
    screen: AScreen, clock: FrozenClock, refresh: PacedRead[Overview]
) -> None:
    refresh.keep_up()
    screen.asked[0][1]("The file can't be read.")
    refresh.keep_up()
    assert len(screen.asked) == 1
    clock.advance(PACE_S)
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_a_paused_view_takes_nothing_but_the_first(
    screen: AScreen, clock: FrozenClock, refresh: PacedRead[Overview]
) -> None:
    screen.paused = True
    refresh.take_news()
    shown = overview_of()
    screen.asked[0][0](shown)
    assert refresh.value is shown
    clock.advance(PACE_S)
    refresh.take_news()
    assert len(screen.asked) == 1
    screen.paused = False
    refresh.keep_up()
    assert len(screen.asked) == 2


def test_what_comes_once_the_view_is_paused_waits_unless_somebody_asked_for_it(
    screen: AScreen, clock: FrozenClock, refresh: PacedRead[Overview]
) -> None:
    refresh.keep_up()
    shown, later, wanted = overview_of(), overview_of(), overview_of()
    screen.asked[0][0](shown)
    clock.advance(PACE_S)
    refresh.take_news()
    screen.paused = True
    screen.asked[1][0](later)
    assert refresh.value is shown
    refresh.read_now()
    screen.asked[2][0](wanted)
    assert refresh.value is wanted
    screen.paused = False
    refresh.keep_up()
    assert len(screen.asked) == 3


def test_a_screen_in_the_back_asks_for_nothing(
    screen: AScreen, refresh: PacedRead[Overview]
) -> None:
    screen.is_current = False
    refresh.take_news()
    assert not screen.asked
