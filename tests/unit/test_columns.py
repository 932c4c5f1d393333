"""A column of the list of jobs is one entry: table, head, orders, configuration and `--once`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from gigq_tui.columns import COLUMNS, JobAt, usual_columns
from gigq_tui.screens.jobs.layout import layout_for
from gigq_tui.store.sorting import SORT_MENU, SortKey
from tests.store_files import NOW, line
from tests.zones import standing_in

# What is imported after it sees one more column as it sees the others.
ADDED = """
import asyncio
from gigq_tui import columns
from gigq_tui.store.sorting import Sort, SortKey

columns.COLUMNS += (
    columns.Column(
        "late", "LATE", 9, 7, 17, SortKey.ENDED, lambda job, _: (f"at {job.row.key}", "dim")
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
        assert "LATE" in head, head
        assert "at 2" in next(line for line in lines_of(app) if line.startswith(" >"))
        await pilot.press("s")
        await settle(pilot)
        assert "ended" in screen_text(app)
        await pilot.press("escape")
        await pilot.click("#head", offset=(head.index("LATE"), 0))
        await settle(pilot)
        assert feed_of(app).views[-1].sort == Sort(SortKey.ENDED)
        await give(pilot, ROWS, sort=Sort(SortKey.ENDED))
        assert "LATEv" in screen_text(app)


asyncio.run(seen(Config()))
asyncio.run(seen(config_of('[jobs]\\ncolumns = ["late:12", "name"]')))
printed = config_text(Config(), Path("there.toml"), False)
assert 'why", "late"]' in printed and "late, param.NAME, result.NAME, in any order" in printed
assert config_of(printed).columns == Config().columns
try:
    config_of('[jobs]\\ncolumns = ["lat"]')
except Problem as problem:
    assert "did you mean late?" in problem.said
assert "LATE" in as_text(snapshot_of(ROWS)) and "at 2" in as_text(snapshot_of(ROWS))
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


def test_columns_that_are_chosen_say_when_by_what_and_what_failed() -> None:
    ended = datetime(2026, 11, 23, 11, 30, 5, tzinfo=timezone.utc)
    job = line(
        status="failed",
        function="feeds.tools.fetch",
        started_at=ended - timedelta(days=3),
        completed_at=ended,
        error="KeyError: 11\nmore",
        batch="night",
        lane="fetch:example.org",
        schedule="nightly",
    )
    with standing_in("Europe/Berlin"):
        told = {column.name: column for column in COLUMNS}

        def cell(name: str, room: int, **facts: object) -> str:
            return told[name].cell(JobAt.of(replace(job, **facts), NOW), room)[0]  # type: ignore[arg-type]

        assert cell("ended", 11) == "12:30:05"
        assert cell("started", 11) == "11-20 12:30"
        assert cell("started", 0) == "2026-11-20 12:30:05"
        assert cell("started", 11, started_at=ended - timedelta(days=400)) == "2025-10-19"
        assert cell("started", 11, started_at=None) == "-"
        # What is to run again has ended an attempt, but not itself.
        assert cell("ended", 11, status="pending") == "-"
        assert cell("fn", 20) == cell("fn", 0) == "feeds.tools.fetch"
        assert cell("fn", 10) == "fetch"
        assert (cell("batch", 9), cell("batch", 9, batch="")) == ("night", "-")
        assert (cell("lane", 9), cell("lane", 9, lane="")) == ("fetch:example.org", "-")
        assert (cell("schedule", 9), cell("schedule", 9, schedule="")) == ("nightly", "-")
        assert cell("error", 20) == "KeyError: 11"
    assert not {"started", "ended", "fn", "batch", "lane", "schedule", "error"} & {
        c.name for c in usual_columns()
    }


def test_a_vast_table_has_columns_where_the_reason_would_be_empty() -> None:
    names = [[one.column.name for one in layout_for(width).columns] for width in (160, 200)]
    assert [name for name in names[1] if name not in names[0]] == ["fn", "ended"]
    assert names[1][-1] == "why"
    vast = {one.column.name: one.cells for one in layout_for(200).columns}
    assert 40 <= vast["why"] <= 80
