"""Pictures of the list in motion: its orders, a row that is followed, rows that stand still."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from tests import scene
from tests.snapshots.reader_feed import at_rest, scene_app
from tests.snapshots.test_pictures import SIZES, keys

Compare = Callable[..., bool]

PICTURES = {
    "sort-choice": keys("s"),
    "claim-order": keys("s", "c"),
    "longest-running": keys("3", "s", "d"),
    "following": keys("2", "f"),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=PICTURES[name], terminal_size=size)


def after_the_first_ran(folder: Path, *names: str) -> Callable[[Pilot[None]], Any]:
    """Press keys on the waiting jobs; then the second of them begins to run and another comes."""

    async def before(pilot: Pilot[None]) -> None:
        await keys("2", *names)(pilot)
        connection = sqlite3.connect(folder / scene.FILE_NAME)
        connection.execute(
            "UPDATE jobs SET status = 'running', worker_id = 'w1', execution_id = 'e', began = ?,"
            " attempts = 1 WHERE id = ?",
            (scene.NOW.timestamp() - 2, scene.job_id("local_summary")),
        )
        connection.execute(
            "INSERT INTO jobs (id, name, function_name, function_module, params, priority,"
            " dependencies, max_attempts, timeout, status, created_at, updated_at, created)"
            " SELECT 'fresh-0001', 'fresh', function_name, function_module, params, priority, '[]',"
            " max_attempts, timeout, status, created_at, updated_at, created FROM jobs"
            " WHERE id = ?",
            (scene.job_id("mail_digest"),),
        )
        connection.commit()
        connection.close()
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.services.reads.refresh()
        await at_rest(pilot)

    return before


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_rows_stand_still(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path)
    before = after_the_first_ran(tmp_path, "j", "j", "k")
    assert snap_compare(app, run_before=before, terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_a_followed_row_has_left(
    size: tuple[int, int], snap_compare: Compare, tmp_path: Path
) -> None:
    app = scene_app(tmp_path)

    async def before(pilot: Pilot[None]) -> None:
        await keys("2", "j", "f")(pilot)
        app.services.settings.clock.advance(3)  # type: ignore[attr-defined]
        await after_the_first_ran(tmp_path)(pilot)

    assert snap_compare(app, run_before=before, terminal_size=size)


@pytest.mark.parametrize("size", [(60, 15), (40, 10)], ids=["60x15", "40x10"])
def test_small_terminals(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path)
    assert snap_compare(app, run_before=keys("4", "j", "s"), terminal_size=size)
