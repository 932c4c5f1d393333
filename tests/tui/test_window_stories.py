"""Two stories of an operator, on a queue of 34 hours with a bad night, counted in keys."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.screens.count.screen import CountScreen
from gigq_tui.screens.overview.screen import OverviewScreen
from gigq_tui.store.history.time_window import local_time
from gigq_tui.store.models import Tab
from tests import night
from tests.snapshots.reader_feed import ReaderFeed, at_rest, night_app
from tests.tui.harness import jobs_screen, running, screen_text


async def typed(pilot: Pilot[None], *keys: str) -> str:
    """Press keys one after another, and say what then stands on the screen."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    assert isinstance(app.services.reads.feed, ReaderFeed)
    if app.screen is jobs_screen(app):
        app.services.reads.feed.refresh()
        await at_rest(pilot)
    for key in keys:
        await pilot.press(key)
        await at_rest(pilot)
    return screen_text(app)


def overview_of(app: ConsoleApp) -> OverviewScreen:
    assert isinstance(app.screen, OverviewScreen)
    return app.screen


@pytest.mark.parametrize("size", [(120, 32), (80, 24)])
async def test_what_happened_in_the_night_takes_three_keys(
    size: tuple[int, int], tmp_path: Path
) -> None:
    app = night_app(tmp_path)
    async with running(app, size=size) as pilot:
        text = await typed(pilot, "o", "6", "left_square_bracket")
        account = overview_of(app).account
        assert account is not None
        hours = [local_time(at).strftime("%H:%M") for at in (account.start, account.end)]
        assert hours == ["02:00", "04:00"]
        assert account.total.failed >= night.FAILURES
        assert account.functions["feeds.fetch_feed"].failed == 225
        # One of the kinds was no function's alone; beside it stands the night before.
        assert account.before["feeds.fetch_feed"].failed < 3
        assert "FAILS MORE" in text
        assert "02:00" in text


async def test_whether_it_is_slower_than_yesterday_takes_two_keys(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        text = await typed(pilot, "o", "5")
        (line,) = [each for each in text.splitlines() if "report.render" in each]
        assert "SLOWER" in line
        (line,) = [each for each in text.splitlines() if "mail.send" in each]
        assert "SLOWER" not in line
        text = await typed(pilot, *["left"] * 4, "v", "left", "left", "z")
        (line,) = [each for each in text.splitlines() if "report.render" in each]
        assert "SLOWER" not in line  # too few runs in it to tell


async def test_enter_takes_the_window_along_into_the_list(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        await typed(pilot, "o", "6", "left_square_bracket", "enter")
        assert app.screen is jobs_screen(app)
        snapshot = app.services.picture.shown
        assert snapshot is not None
        assert snapshot.filter_text == "ran:2026-11-27T02:00..04:00"
        assert 440 <= snapshot.window.total <= 460
        await typed(pilot, "o", "6", "left_square_bracket", "j", "left", "left", "enter")
        snapshot = app.services.picture.shown
        assert snapshot is not None
        assert snapshot.filter_text == "fn=feeds.fetch_feed ran:2026-11-27T03:54..03:57"
        assert 0 < snapshot.window.total < 20


async def test_the_line_under_the_charts_travels_in_time(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        text = await typed(pilot, "o", "6", "left_square_bracket", *["left"] * 31)
        moment = overview_of(app).window.known_moment
        assert moment is not None
        assert moment.done
        at = datetime(2026, 11, 27, 2, 27).astimezone().timestamp()
        assert moment.value.start == at
        named = moment.value.ran[0]
        assert f"{moment.value.count} attempts ran then: {named.name} on {named.worker}" in text
        assert "failed next: 02:" in text
        assert "Error" in text


async def test_a_window_goes_where_there_is_something_and_says_where_not(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        text = await typed(pilot, "o", *["Z"] * 20)
        assert "This window holds all that the file does." in text
        await typed(pilot, "left_square_bracket", "right_square_bracket")
        text = await typed(pilot, "h")
        assert overview_of(app).window.lens.window.live
        assert overview_of(app).window.lens.cursor is None
        text = await typed(pilot, "1", "z")
        assert "This is the shortest window." in text


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in a burst"])
async def test_the_failures_before_are_always_earlier_ones_up_to_the_first(
    at_once: bool, tmp_path: Path
) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        await typed(pilot, "o", "6", "left_square_bracket")
        seen = [_hours(app)]
        if at_once:
            await pilot.press(*["left_square_bracket"] * 2)
            text = await typed(pilot, "left_square_bracket")
        for _ in range(40):
            text = await typed(pilot, "left_square_bracket")
            if "No failures before." in text:
                break
            seen.append(_hours(app))
        else:
            pytest.fail("it never comes to the first ones")
        assert [later[0] >= earlier[1] for later, earlier in pairwise(seen)] == [True] * (
            len(seen) - 1
        )
        # Where there are none, it stays with those that are shown.
        assert _hours(app) == seen[-1]
        await typed(pilot, "right_square_bracket")
        assert _hours(app)[0] >= seen[-1][1]


async def test_failures_that_lie_far_away_are_looked_for_behind_the_window(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        await typed(pilot, "o", "1")
        window = overview_of(app).window.lens.window
        text = await typed(pilot, "left_square_bracket")
        assert "No failures" not in text
        account = overview_of(app).account
        assert account is not None
        assert account.total.failed > 0
        assert account.end <= window.edges(account.now)[0]
        for _ in range(40):
            if "No failures after." in await typed(pilot, "right_square_bracket"):
                break
        else:
            pytest.fail("it never comes to the last ones")


def _hours(app: ConsoleApp) -> tuple[float, float]:
    """The window, in minutes: bars round its ends."""
    account = overview_of(app).account
    assert account is not None
    return account.start // 60, account.end // 60


async def test_escape_ends_the_selection_first(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        text = await typed(pilot, "o", "6", "left", "left", "v", "left", "left")
        assert "its jobs" in text
        await typed(pilot, "escape")
        assert overview_of(app).window.lens.selection is None
        await typed(pilot, "escape")
        assert app.screen is jobs_screen(app)


async def test_comparing_goes_from_the_day_before_to_the_week_before_and_none(
    tmp_path: Path,
) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        assert "[day before]" in await typed(pilot, "o", "5")
        assert "[week]" in await typed(pilot, "d")
        text = await typed(pilot, "d")
        assert "[none]" in text
        assert "WAS FAIL%" not in text


async def test_a_function_of_the_window_is_counted_by_a_parameter(tmp_path: Path) -> None:
    app = night_app(tmp_path)
    async with running(app, size=(120, 32)) as pilot:
        await typed(pilot, "o", "6", "left_square_bracket", "j", "number_sign")
        assert isinstance(app.screen, CountScreen)
        tab, filter = app.screen.among
        assert tab is Tab.ALL
        assert filter.text == "fn=feeds.fetch_feed ran:2026-11-27T02:00..04:00"
