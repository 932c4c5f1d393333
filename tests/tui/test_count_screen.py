"""The count screen: keys with completion, values that are listed, marked, cancelled and copied."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.count.screen import CountScreen
from gigq_tui.screens.jobs.column_panel import ColumnPanel
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.store.models import JobRow
from tests.tui.at_once import console_on
from tests.tui.harness import press, running, screen_text, until

CUSTOMERS = [17] * 100 + [170] * 20 + ["17"] * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Customer 17 has 55 jobs done, 25 failed and 20 that wait; 170 has 20 that wait."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    function = FunctionReference("shop", "charge")
    jobs = [
        Job("j", function, params={"customer": customer, "api_key": f"s{at}"})
        for at, customer in enumerate(CUSTOMERS)
    ]
    ids = queue.submit_many([*jobs, Job("without", function)])
    queue.close()
    conn = sqlite3.connect(path)
    with conn:
        for status, some in (("completed", ids[:55]), ("failed", ids[55:80])):
            conn.executemany(
                "UPDATE jobs SET status = ?, began = 100.0, ended = 100.6 WHERE id = ?",
                [(status, id) for id in some],
            )
    conn.close()
    return path


def statuses(path: Path) -> dict[tuple[str, str], int]:
    conn = sqlite3.connect(path)
    found = conn.execute(
        "SELECT json_extract(params, '$.customer', '$.customer'), status, count(*) FROM jobs "
        "GROUP BY 1, 2"
    ).fetchall()
    conn.close()
    return {(params, status): n for params, status, n in found}


def counted(app: ConsoleApp) -> CountScreen:
    assert isinstance(app.screen, CountScreen)
    return app.screen


def is_counted(app: ConsoleApp) -> bool:
    screen = app.screen
    return isinstance(screen, CountScreen) and screen.reading.is_whole


@asynccontextmanager
async def shown(path: Path, *keys: str) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "#", *keys)
        if keys:
            await until(pilot, lambda: is_counted(app), "the counts")
        yield app, pilot


def first_row(app: ConsoleApp) -> JobRow:
    assert app.services.picture.shown is not None
    return app.services.picture.shown.window.rows[0]


def labels(app: ConsoleApp) -> list[str]:
    lines = counted(app).roster.rows
    return ["".join(text for text, _ in line).strip(" *").split("  ")[0] for _, line in lines]


async def test_tab_completes_by_what_jobs_have(path: Path) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, _):
        assert [key.name for key in counted(app).keys] == ["param.customer"]
        assert labels(app) == ["17", "170", '"17"', "-"]
        text = screen_text(app)
        assert "124 jobs, 4 values" in text
        assert "param.customer" in text


async def test_then_by_a_second_key(path: Path) -> None:
    async with shown(path, *"cus", "tab", "space", *"sta", "tab", "enter") as (app, _):
        assert [key.name for key in counted(app).keys] == ["param.customer", "state"]
        assert labels(app)[:4] == ["17", "completed", "failed", "pending"]
        assert "param.customer / state  JOBS" in screen_text(app)


async def test_what_is_no_key_is_told_and_stays_typed(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, *"colour", "enter")
        assert "choose from" in screen_text(app)
        assert counted(app).line.typing
        assert counted(app).line.text == "colour"
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)


@pytest.mark.parametrize(("down", "jobs"), [(0, 100), (1, 20), (2, 3)])
async def test_enter_lists_exactly_the_jobs_with_the_value(
    path: Path, down: int, jobs: int
) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, *["j"] * down, "enter")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen), "the jobs")
        picture = app.services.picture
        await until(
            pilot,
            lambda: picture.shown is not None and picture.shown.filter_text != "",
            "the filter",
        )
        assert picture.shown is not None
        assert picture.shown.window.total == jobs


async def test_exactly_the_jobs_of_a_customer_are_cancelled(path: Path) -> None:
    """Story 4: eight keys, and customer 170 and the text "17" are left alone."""
    before = statuses(path)
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, "C")
        await until(pilot, lambda: counted(app).panel.is_open, "the question")
        text = screen_text(app)
        assert "Cancel 20 of 100 jobs with param.customer 17?" in text
        await press(pilot, "Y")
        await until(pilot, lambda: statuses(path) != before, "the cancelled jobs")
    after = dict(before)
    after["[17,17]", "cancelled"] = after.pop(("[17,17]", "pending"))
    assert statuses(path) == after


async def test_enter_on_the_question_cancels_nothing(path: Path) -> None:
    before = statuses(path)
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, "C")
        await until(pilot, lambda: counted(app).panel.is_open, "the question")
        await press(pilot, "enter")
    assert statuses(path) == before


async def test_marked_values_are_retried_together(path: Path) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, "space", "space", "R")
        await until(pilot, lambda: counted(app).panel.is_open, "the question")
        text = screen_text(app)
        assert "Retry 25 of 120 jobs with param.customer 17, param.customer 170?" in text
        await press(pilot, "n", "escape")
        assert not counted(app).choice.marked


async def test_a_value_below_another_is_both(path: Path) -> None:
    async with shown(path, *"cus", "tab", "space", *"sta", "tab", "enter") as (app, pilot):
        await press(pilot, "j", "j", "R")
        await until(pilot, lambda: counted(app).panel.is_open, "the question")
        assert "Retry 25 jobs with param.customer 17 state failed?" in screen_text(app)


async def test_what_no_filter_lists_is_refused_in_words(path: Path) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, "G", "C")
        assert "No filter lists exactly the jobs with param.customer -." in screen_text(app)


async def test_secrets_are_neither_shown_nor_copied(path: Path) -> None:
    async with shown(path, *"api", "tab", "enter") as (app, pilot):
        text = screen_text(app)
        assert "s12" not in text
        assert "********" in text
        await press(pilot, "enter")
        assert "holds secrets" in screen_text(app)
        await press(pilot, "y")
        assert "CSV" not in screen_text(app)


async def test_the_filter_and_the_tab_of_the_list_hold(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "4", "/", *"param.customer:17", "enter", "#", *"cus", "tab", "enter")
        await until(pilot, lambda: is_counted(app), "the counts")
        known = counted(app).known
        assert known is not None
        assert known.counts.total.jobs == 25


async def test_csv_is_copied(path: Path) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, "y", "c")
        text = app.clipboard
        assert text.splitlines()[1] == "17,100,55,25,20,0,0,0.6"
        assert len(text.splitlines()) == 5


async def test_another_order(path: Path) -> None:
    async with shown(path, *"cus", "tab", "enter") as (app, pilot):
        await press(pilot, *["s"] * 6)
        assert counted(app).order == "value"
        assert labels(app) == ["17", "170", '"17"', "-"]


async def test_what_changes_is_counted_anew(path: Path) -> None:
    app = ConsoleApp(path, python=sys.executable, chdir=path.parent)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "#", *"cus", "tab", "enter")
        await until(pilot, lambda: is_counted(app), "the counts")
        conn = sqlite3.connect(path)
        with conn:
            conn.execute(
                "UPDATE jobs SET status = 'cancelled' "
                "WHERE json_extract(params, '$.customer') = 170"
            )
        conn.close()

        def waiting() -> int:
            known = counted(app).known
            return -1 if known is None else known.counts.groups[1].figures.waiting

        await until(pilot, lambda: waiting() == 0, "the new counts")


async def test_a_column_of_a_parameter_is_added_to_the_list_and_taken_away(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        usual = screen_text(app).splitlines()[4]
        await press(pilot, "|")
        await until(pilot, lambda: bool(app.screen.query(ColumnPanel)), "the columns")
        panel = app.screen.query_one(ColumnPanel)
        await press(pilot, *"customer")
        assert panel.found == ["param.customer"]
        assert "[ ] param.customer" in screen_text(app)
        await press(pilot, "enter")
        # It stays open, for more of them; the list below it has the column at once.
        assert "[x] param.customer" in screen_text(app)
        assert "CUSTOMER" in screen_text(app)
        await until(pilot, lambda: first_row(app).own, "their values")
        assert "param.customer" in app.services.views.command
        await press(pilot, "ctrl+u", *"pri", "enter")
        assert " PRI " not in screen_text(app).splitlines()[4]
        await press(pilot, "ctrl+u", "end", "enter")
        assert screen_text(app).splitlines()[4] == usual
        assert "--columns" not in app.services.views.command
        await press(pilot, "escape")
        assert not app.screen.query(ColumnPanel)


async def test_a_column_may_lie_deeper_than_any_that_is_offered(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "|")
        await until(pilot, lambda: bool(app.screen.query(ColumnPanel)), "the columns")
        panel = app.screen.query_one(ColumnPanel)
        await press(pilot, *"nothing like it", "enter")
        assert panel.found == []
        assert "no such column" in screen_text(app)
        await press(pilot, "ctrl+u", *"param.file.size", "enter", "escape")
        assert "param.file.size" in app.services.views.command


async def test_the_last_column_stays(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "|")
        await until(pilot, lambda: bool(app.screen.query(ColumnPanel)), "the columns")
        panel = app.screen.query_one(ColumnPanel)
        for name in [column.name for column in panel.shown]:
            await press(pilot, *name, "enter", "ctrl+u")
        assert [column.name for column in panel.shown] == ["why"]
