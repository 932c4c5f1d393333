"""Pictures of two screens in every mode of colour, and of the label that a file may have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.config import Config, Label
from gigq_tui.config.load import config_of
from gigq_tui.screens.tree.screen import TreeScreen
from tests import scene
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]
MODES = ("dark", "light", "ansi", "no-colour", "ascii")
PROD = Label("prod@etl-3", "red")


async def jobs(pilot: Pilot[None]) -> None:
    """All jobs, some marked, the cursor on another."""
    feed = pilot.app.services.reads.feed  # type: ignore[attr-defined]
    assert isinstance(feed, ReaderFeed)
    feed.refresh()
    await at_rest(pilot)
    await pilot.press("space", "space", "j")
    await at_rest(pilot)


async def tree(pilot: Pilot[None]) -> None:
    """Dependencies, with a failed job and what it dooms."""
    await jobs(pilot)
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.push_screen(TreeScreen(app.services, scene.job_id("dedupe_customers")))
    await at_rest(pilot)
    await at_rest(pilot)


@pytest.mark.parametrize("mode", MODES, indirect=True)
@pytest.mark.parametrize("before", [jobs, tree], ids=lambda before: before.__name__)
def test_modes(mode: str, before: Before, snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, theme=mode, label=PROD)
    assert snap_compare(app, run_before=before, terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(120, 32), (80, 24)], ids=["120x32", "80x24"])
def test_chosen_columns(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    chosen = config_of('[jobs]\ncolumns = ["state", "name:24", "dur", "why", "id"]').columns
    app = scene_app(tmp_path, config=Config(columns=chosen), label=Label("test"))
    assert snap_compare(app, run_before=jobs, terminal_size=size)


@pytest.mark.parametrize("mode", ["dark", "ansi", "ascii"], indirect=True)
@pytest.mark.parametrize("size", [(120, 32), (80, 24)], ids=["120x32", "80x24"])
def test_columns_of_times_and_a_filter_of_a_period(
    mode: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path
) -> None:
    columns = '"name:18", "state", "started", "ended", "fn", "batch", "error"'
    chosen = config_of(f"[jobs]\ncolumns = [{columns}]")

    async def filtered(pilot: Pilot[None]) -> None:
        await jobs(pilot)
        await pilot.press("s", "r")
        await at_rest(pilot)
        await pilot.press("slash", *"(name:resize|err:HTTP) ran:10:00..")
        await at_rest(pilot)

    app = scene_app(tmp_path, theme=mode, config=chosen)
    assert snap_compare(app, run_before=filtered, terminal_size=size)
