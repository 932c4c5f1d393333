"""The command palette: what it lists, how it narrows, what it runs."""

from __future__ import annotations

import pytest

from gigq_tui.app import ConsoleApp
from gigq_tui.keys import Scope, actions_for
from gigq_tui.screens.help import HelpScreen
from gigq_tui.widgets.palette import PalettePanel, matching
from tests.tui.harness import (
    Console,
    acts_of,
    give,
    jobs_screen,
    press,
    row,
    screen_text,
    settle,
)

ROWS = [row(number, status="failed") for number in range(40, 0, -1)]


def panel_of(app: ConsoleApp) -> PalettePanel | None:
    panels = app.screen.query(PalettePanel)
    return panels.first() if panels else None


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_opening_and_closing(console: Console, key: str) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, key)
        assert panel_of(app) is not None
        assert "type to narrow" in screen_text(app)
        await press(pilot, "escape")
        assert panel_of(app) is None
        assert app.focused is None


async def test_every_action_of_the_screen_is_there(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "colon")
        panel = panel_of(app)
        assert panel is not None
        ids = {action.id for action in panel.found}
        assert ids == {action.id for action in actions_for(Scope.JOBS)} - {"palette"}


async def test_typing_narrows_and_enter_runs(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "colon", *"keys of")
        assert "commands: 1 of" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, HelpScreen)


async def test_keys_do_nothing_to_the_list_below(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        table = jobs_screen(app).table
        await press(pilot, "G")
        before = table.cursor_id
        await press(pilot, "colon", "j", "c", "q", "backspace", "G", "escape")
        assert table.cursor_id == before
        assert acts_of(app).calls == []


async def test_moving_in_it(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "colon")
        panel = panel_of(app)
        assert panel is not None
        await press(pilot, "down", "tab", "up")
        assert panel.cursor == 1
        await press(pilot, "end")
        assert panel.cursor == len(panel.found) - 1
        assert panel.top > 0
        await press(pilot, "pageup", "home", "shift+tab")
        assert (panel.cursor, panel.top) == (0, 0)
        await press(pilot, "pagedown")
        assert panel.cursor == panel.rows
        await press(pilot, *"zzz")
        assert "no such command" in screen_text(app)
        await press(pilot, "enter", "ctrl+u")
        assert panel.text == ""
        await press(pilot, "backspace")
        assert panel_of(app) is None


async def test_an_act_asks_as_its_key_does(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "colon", *"retry", "enter")
        screen = jobs_screen(app)
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Retry 1 job?"
        await press(pilot, "y")
        assert acts_of(app).calls == [("retry", (ROWS[1].id,))]


async def test_what_can_t_be_done_says_why(console: Console) -> None:
    async with console(read_only=True) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "colon", *"retry")
        assert "This console is read-only" in screen_text(app)
        await press(pilot, "enter")
        assert "read-only" in jobs_screen(app).notice_line.text
        assert acts_of(app).calls == []


async def test_a_click_runs(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "colon", *"keys of")
        await pilot.click(PalettePanel, offset=(5, 2))
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)


async def test_pasting_and_opening_twice(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "colon")
        from textual import events

        panel = panel_of(app)
        assert panel is not None
        panel.post_message(events.Paste("read\nthe rest"))
        await settle(pilot)
        assert panel.text == "read"
        await press(pilot, "ctrl+p")
        assert panel_of(app) is None


def test_labels_come_before_mentions() -> None:
    found = matching(actions_for(Scope.TREE), "cancel")
    assert found[0].id == "cancel"
    assert {action.id for action in found} >= {"cancel", "cancel_below"}


async def test_on_every_screen_one_palette_is_laid_over_it(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        for key in ("w", "o", "t", "enter", "n", "question_mark"):
            await press(pilot, key)
            app.services.routes.open_palette()
            app.services.routes.open_palette()
            await settle(pilot)
            assert len(app.screen.query(PalettePanel)) == 1, key
            await press(pilot, "escape", "escape")
