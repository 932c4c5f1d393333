"""A column of the list of jobs is one entry: table, head, orders, configuration and `--once`."""

from __future__ import annotations

import subprocess
import sys

from gigq_tui.columns import COLUMNS
from gigq_tui.store.sorting import SORT_MENU, SortKey

# What is imported after it sees a tenth column as it sees the nine.
ADDED = """
import asyncio
from gigq_tui import columns
from gigq_tui.store.sorting import Sort, SortKey

columns.COLUMNS += (
    columns.Column(
        "ended", "ENDED", 9, 7, 5, SortKey.ENDED, lambda job, _: (f"at {job.row.key}", "dim")
    ),
)

from gigq_tui.config.load import config_of
from gigq_tui.config.problem import Problem
from gigq_tui.config.printing import config_text
from gigq_tui.config import Config
from gigq_tui.once.picture import as_text
from pathlib import Path
from tests.tui.harness import Console, feed_of, give, jobs_screen, row, screen_text, settle
from tests.tui.harness import snapshot_of

ROWS = [row(2, status="failed"), row(1, status="completed")]


def lines_of(app):
    return screen_text(app).splitlines()


async def seen(config):
    async with Console()(config=config, size=(140, 32)) as (app, pilot):
        await give(pilot, ROWS)
        head = next(line for line in lines_of(app) if "NAME" in line)
        assert "ENDED" in head, head
        assert "at 2" in next(line for line in lines_of(app) if line.startswith(" >"))
        await pilot.press("s")
        await settle(pilot)
        assert "ended" in screen_text(app)
        await pilot.press("escape")
        await pilot.click("#head", offset=(head.index("ENDED"), 0))
        await settle(pilot)
        assert feed_of(app).views[-1].sort == Sort(SortKey.ENDED)
        await give(pilot, ROWS, sort=Sort(SortKey.ENDED))
        assert "ENDEDv" in screen_text(app)


asyncio.run(seen(Config()))
asyncio.run(seen(config_of('[jobs]\\ncolumns = ["ended:12", "name"]')))
printed = config_text(Config(), Path("there.toml"), False)
assert 'why", "ended"]' in printed and "why, ended, in any order" in printed
assert config_of(printed).columns == Config().columns
try:
    config_of('[jobs]\\ncolumns = ["endet"]')
except Problem as problem:
    assert "did you mean ended?" in problem.said
assert "ENDED" in as_text(snapshot_of(ROWS)) and "at 2" in as_text(snapshot_of(ROWS))
print("seen everywhere")
"""


def test_a_column_is_added_in_one_place() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ADDED], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.stdout.strip(), run.returncode) == ("seen everywhere", 0), run.stderr


def test_the_order_of_a_column_can_be_chosen_in_the_menu_too() -> None:
    offered = {sort.key for _, _, sort in SORT_MENU}
    assert offered == set(SortKey)
    assert {column.sort for column in COLUMNS} - {None} <= offered


def test_columns_have_names_of_their_own_and_weights_that_say_which_goes_first() -> None:
    for value in ("name", "title", "weight"):
        assert len({getattr(column, value) for column in COLUMNS}) == len(COLUMNS)
