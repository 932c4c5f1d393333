"""The console as somebody configured it: their keys everywhere, their columns, the file's label."""

from __future__ import annotations

import pytest

from gigq_tui.config import Label
from gigq_tui.config.load import config_of
from gigq_tui.screens.help import HelpScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.sorting import Sort, SortKey
from tests.tui.harness import (
    Console,
    acts_of,
    give,
    jobs_screen,
    press,
    row,
    screen_text,
)

ROWS = [row(number, status="failed") for number in range(9, 0, -1)]
KEYS = """
[keys]
retry = "x"
down = ["f9", "down"]
new = "Q"
workers = "f5"
mark_range = ""
help = "H"
close_help = "H"
palette = "ctrl+t"
quit = "ctrl+x"
repaint = "alt+l"
"""


async def test_chosen_keys_act_and_the_old_ones_do_not(console: Console) -> None:
    async with console(config=config_of(KEYS)) as (app, pilot):
        await give(pilot, ROWS)
        table = jobs_screen(app).table
        await press(pilot, "j")
        assert table.cursor == 0
        await press(pilot, "f9", "down")
        assert table.cursor == 2
        await press(pilot, "r", "v")
        assert not jobs_screen(app).panel.is_open
        assert jobs_screen(app).marks.range_from is None
        await press(pilot, "x")
        question = jobs_screen(app).panel.question
        assert question is not None
        assert question.title == "Retry 1 job?"
        await press(pilot, "y")
        assert acts_of(app).calls == [("retry", (ROWS[2].id,))]
        await press(pilot, "f5")
        assert isinstance(app.screen, WorkersScreen)


async def test_a_key_may_do_what_another_one_did(console: Console) -> None:
    async with console(
        config=config_of(
            '[keys]\nretry = "c"\ncancel = "r"\nworker_drain = "r"\nworker_release = "c"'
        )
    ) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c", "y")
        assert [verb for verb, _ in acts_of(app).calls] == ["retry"]


async def test_bar_help_and_palette_name_the_chosen_keys(console: Console) -> None:
    async with console(config=config_of(KEYS), size=(140, 40)) as (app, pilot):
        await give(pilot, ROWS)
        bar = screen_text(app).splitlines()[-1]
        assert "x retry" in bar
        assert "Q new" in bar
        assert "H help" in bar
        assert "r retry" not in bar
        await press(pilot, "H")
        assert isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        assert "f9 k " in text
        assert "mark a range" not in text
        assert "ctrl+x twice" in text
        assert "1-7" in text
        await press(pilot, "H")
        await press(pilot, "ctrl+t", *"retry")
        assert any(line.startswith(" > x ") for line in screen_text(app).splitlines())
        await press(pilot, "ctrl+t")
        assert "commands:" not in screen_text(app)


async def test_hints_name_the_chosen_keys(console: Console) -> None:
    async with console(
        config=config_of('[keys]\nfilter = "f5"\nmark_range = ""\nmark = "M"'), size=(140, 40)
    ) as (app, pilot):
        await give(pilot, ROWS)
        text = screen_text(app)
        assert " f5 filters   s sorts   M marks   * marks all" in text


async def test_what_has_no_key_is_in_the_palette_still(console: Console) -> None:
    async with console(config=config_of(KEYS)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "ctrl+t", *"range", "enter")
        assert jobs_screen(app).marks.range_from is not None


async def test_tabs_with_other_keys_are_told_one_by_one(console: Console) -> None:
    async with console(config=config_of('[keys]\ntab_2 = "f2"'), size=(140, 44)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "?")
        text = screen_text(app)
        assert "1-7" not in text
        assert "show waiting jobs" in text


async def test_the_chosen_way_out_works_in_a_question_too(console: Console) -> None:
    async with console(config=config_of(KEYS)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "x", "ctrl+x")
        assert "again" in jobs_screen(app).notice_line.text
        await press(pilot, "ctrl+x")
        assert app._exit


@pytest.mark.parametrize("size", [(120, 32), (110, 24), (80, 24), (60, 15)])
async def test_the_label_stands_in_every_header(console: Console, size: tuple[int, int]) -> None:
    async with console(label=Label("prod@etl-3", "red"), size=size) as (app, pilot):
        await give(pilot, ROWS)
        assert " jobs.db  prod@etl-3 " in screen_text(app).splitlines()[0]
        for key in ("w", "?"):
            await press(pilot, key)
            assert "prod@etl-3 " in screen_text(app).splitlines()[0]


async def test_a_label_without_colour_is_text(console: Console) -> None:
    async with console(label=Label("test")) as (app, pilot):
        await give(pilot, ROWS)
        assert " jobs.db  test  /srv" in screen_text(app)


async def test_chosen_columns_stand_in_their_order(console: Console) -> None:
    async with console(
        config=config_of('[jobs]\ncolumns = ["why", "name:9", "state"]'), size=(80, 24)
    ) as (app, pilot):
        await give(pilot, [row(1, "resize_image", status="failed", error="no more ink")])
        lines = screen_text(app).splitlines()
        head = next(line for line in lines if "WHY" in line)
        assert head.split() == ["WHY", "NAME", "ST"]
        held = next(line for line in lines if line.startswith(">"))
        assert "no more ink" in held
        assert held.endswith("resize_.. XFAIL")
        assert len(held) <= 80


async def test_the_list_begins_in_the_chosen_order(console: Console) -> None:
    async with console(config=config_of('[jobs]\nsort = "-name"')) as (app, pilot):
        order = Sort(SortKey.NAME, turned=True)
        assert app.services.picture.view.sort == order
        await give(pilot, ROWS, sort=order)
        assert jobs_screen(app).table.total == len(ROWS)
        assert "NAMEv" in screen_text(app)
        await press(pilot, "4")
        assert app.services.picture.view.sort == order


async def test_a_tab_that_lacks_the_chosen_order_begins_with_the_newest(console: Console) -> None:
    async with console(config=config_of('[jobs]\nsort = "dur"')) as (app, pilot):
        await press(pilot, "2")
        assert app.services.picture.view.sort == Sort()
        await press(pilot, "3")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)
