"""The mouse on every screen: wheel, tabs, rows, the key bar, questions; nothing needs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget

from gigq_tui.app import ConsoleApp
from gigq_tui.screens.help import HelpScreen
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.widgets.palette import PalettePanel
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.tabs import TabRow
from tests import scene
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app
from tests.tui.harness import (
    Console,
    give,
    jobs_screen,
    row,
    running,
    screen_text,
    settle,
)

NARROW = (80, 24)


@pytest.fixture
def app(tmp_path: Path) -> ConsoleApp:
    return scene_app(tmp_path)


async def begin(pilot: Pilot[None]) -> None:
    feed = pilot.app.services.reads.feed  # type: ignore[attr-defined]
    assert isinstance(feed, ReaderFeed)
    feed.refresh()
    await at_rest(pilot)


async def turn(pilot: Pilot[None], widget: Widget, *, up: bool = False) -> None:
    """Turn the wheel by one notch over a widget, as the terminal tells it."""
    x, y = widget.region.x + 2, widget.region.y + 1
    kind = events.MouseScrollUp if up else events.MouseScrollDown
    pilot.app.post_message(kind(None, x, y, 0, -1 if up else 1, 0, False, False, False, x, y))
    await at_rest(pilot)


async def click_text(pilot: Pilot[None], text: str, times: int = 1) -> None:
    """Click where a text stands: in the key bar if there, else in the first line that has it."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    lines = list(enumerate(screen_text(app).splitlines()))
    for y, line in (lines[-1], *lines):
        if text in line:
            await pilot.click(offset=(line.index(text) + 1, y), times=times)
            await at_rest(pilot)
            return
    raise AssertionError(f"{text!r} stands nowhere:\n{screen_text(app)}")


def list_of(app: ConsoleApp) -> RowList:
    return app.screen.query_one(RowList)


@pytest.mark.parametrize("key", ["w", "t", "question_mark", "enter", "l"])
async def test_the_wheel_moves_what_it_is_over(app: ConsoleApp, key: str) -> None:
    async with running(app, size=(60, 15)) as pilot:
        await begin(pilot)
        table = jobs_screen(app).table
        await turn(pilot, table)
        assert table.top > 0
        await turn(pilot, table, up=True)
        assert table.top == 0
        await pilot.press(key)
        await at_rest(pilot)
        over = app.screen.query(Scrolled).last()
        before = over.top
        await turn(pilot, over)
        assert over.top > before or over.total <= over.page
        await turn(pilot, over, up=True)
        assert over.top == before


async def test_tabs_of_both_screens(app: ConsoleApp) -> None:
    async with running(app, size=NARROW) as pilot:
        await begin(pilot)
        await click_text(pilot, "4 Fail")
        assert "[4 Fail 4]" in screen_text(app)
        await click_text(pilot, "dedupe_customers", times=2)
        assert isinstance(app.screen, JobScreen)
        tabs = app.screen.query_one(TabRow)
        for name in ("Params", "Raw", "Attempts"):
            await click_text(pilot, f" {name}")
            assert re.search(rf"\[\d {name}", tabs.plain)


async def test_rows_of_the_tree(app: ConsoleApp) -> None:
    async with running(app, size=NARROW) as pilot:
        await begin(pilot)
        app.push_screen(TreeScreen(app.services, scene.job_id("dedupe_customers")))
        await at_rest(pilot)
        await at_rest(pilot)
        await click_text(pilot, "clean_orders")
        chosen = app.screen.current_row()  # type: ignore[attr-defined]
        assert chosen is not None
        assert chosen.name == "clean_orders"
        await click_text(pilot, "clean_orders", times=2)
        assert isinstance(app.screen, JobScreen)


async def test_rows_of_the_workers(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        await begin(pilot)
        await pilot.press("w")
        await at_rest(pilot)
        assert isinstance(app.screen, WorkersScreen)
        table = list_of(app)
        first = table.cursor
        await pilot.click(table, offset=(4, 1))
        await at_rest(pilot)
        assert table.cursor == 1 != first


async def test_the_key_bar_of_every_screen(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        await begin(pilot)
        await click_text(pilot, "w workers")
        assert isinstance(app.screen, WorkersScreen)
        await click_text(pilot, "? help")
        assert isinstance(app.screen, HelpScreen)
        await click_text(pilot, "? close")
        assert isinstance(app.screen, WorkersScreen)
        await click_text(pilot, "esc back")
        assert app.screen is jobs_screen(app)
        await click_text(pilot, "enter open")
        assert isinstance(app.screen, JobScreen)
        await click_text(pilot, "t tree")
        assert isinstance(app.screen, TreeScreen)


async def test_what_is_off_says_why_when_it_is_clicked(tmp_path: Path) -> None:
    app = scene_app(tmp_path, read_only=True)
    async with running(app) as pilot:
        await begin(pilot)
        await click_text(pilot, "c cancel")
        assert "read-only" in jobs_screen(app).notice_line.text
        assert not jobs_screen(app).panel.is_open


async def test_each_choice_of_a_question(app: ConsoleApp) -> None:
    copied: set[str] = set()
    async with running(app, size=NARROW) as pilot:
        await begin(pilot)
        await pilot.press("y")
        await at_rest(pilot)
        question = jobs_screen(app).panel.question
        assert question is not None
        choices = [choice.label for choice in question.choices]
        await pilot.press("escape")
        for label in choices:
            await pilot.press("y")
            await at_rest(pilot)
            await click_text(pilot, f" {label} (")
            assert not jobs_screen(app).panel.is_open
            copied.add(app.clipboard)
        assert len(copied) > 1


async def test_a_click_beside_a_question_is_no_answer(app: ConsoleApp) -> None:
    async with running(app, size=NARROW) as pilot:
        await begin(pilot)
        await pilot.press("2", "c")
        await at_rest(pilot)
        cursor = jobs_screen(app).table.cursor
        await pilot.click("#head", offset=(5, 0))
        await at_rest(pilot)
        assert jobs_screen(app).panel.is_open
        assert jobs_screen(app).table.cursor == cursor


async def test_the_wheel_in_the_palette(console: Console) -> None:
    async with console(size=NARROW) as (app, pilot):
        await give(pilot, [row(1)])
        await pilot.press("colon")
        await settle(pilot)
        panel = app.screen.query_one(PalettePanel)
        await turn(pilot, panel)
        assert panel.cursor == 1
        await turn(pilot, panel, up=True)
        assert panel.cursor == 0


async def test_a_text_too_long_for_the_clipboard_is_said_to_be_cut(console: Console) -> None:
    async with console(size=NARROW) as (app, pilot):
        await give(pilot, [row(1, status="failed", error="x" * 200_000)])
        await pilot.press("y", "e")
        await settle(pilot)
        notice = jobs_screen(app).notice_line
        assert notice.text == "copied the first 73K of 195K of the error: terminals take no more"
        assert notice.tone == "warn"
        assert app.clipboard == "x" * 74_994
