"""Pictures of jobs that report how far they are: in the list, in its summary, on their screen."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.retry import Backoff, RetryPolicy
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from tests import scene
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]
SIZES = [(120, 32), (80, 24)]
REPORTS = (
    ("join_customers", 1, 20_000, 47_999, "by customer number"),
    ("train_full", 1, 2, 40, ""),
    ("render_preview", 1, 310, None, "frames"),
)
POLICY = RetryPolicy(Backoff(30, 2, "1h", 0.5), give_up_on=("builtins.ValueError",))


def reporting_app(folder: Path, **options: Any) -> ConsoleApp:
    """The scene, in which some of the running jobs report, and one has options of its own."""
    app = scene_app(folder, **options)
    at = scene.NOW.timestamp() - 2
    with closing(sqlite3.connect(folder / scene.FILE_NAME, isolation_level=None)) as connection:
        for name, attempt, done, total, note in REPORTS:
            values = (scene.job_id(name), scene.attempt_id(name, attempt), done, total, note, at)
            connection.execute("INSERT INTO core_progress VALUES (?, ?, ?, ?, ?, ?)", values)
        connection.execute(
            "UPDATE jobs SET retry_policy = ?, stall_timeout = 60, batch = 'nightly 7', "
            "workflow = 'customers', on_parent_failure = 'cancel' WHERE id = ?",
            (POLICY.encode(), scene.job_id("join_customers")),
        )
    return app


async def jobs(pilot: Pilot[None]) -> None:
    """What runs, the cursor on one that reports."""
    feed = pilot.app.services.reads.feed  # type: ignore[attr-defined]
    assert isinstance(feed, ReaderFeed)
    feed.refresh()
    await at_rest(pilot)
    await pilot.press("3")
    await at_rest(pilot)
    for _ in range(8):
        row = pilot.app.screen.current_row()  # type: ignore[attr-defined]
        if row is not None and row.name == "join_customers":
            break
        await pilot.press("j")
        await at_rest(pilot)


async def job(pilot: Pilot[None]) -> None:
    """One of them."""
    await jobs(pilot)
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.push_screen(JobScreen(app.services, scene.job_id("join_customers")))
    await at_rest(pilot)
    await at_rest(pilot)


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("before", [jobs, job], ids=lambda before: before.__name__)
def test_progress(
    before: Before, size: tuple[int, int], snap_compare: Compare, tmp_path: Path
) -> None:
    assert snap_compare(reporting_app(tmp_path), run_before=before, terminal_size=size)


@pytest.mark.parametrize("mode", ["ansi", "ascii"], indirect=True)
@pytest.mark.parametrize("before", [jobs, job], ids=lambda before: before.__name__)
def test_progress_in_modes(
    mode: str, before: Before, snap_compare: Compare, tmp_path: Path
) -> None:
    app = reporting_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=before, terminal_size=(80, 24))
