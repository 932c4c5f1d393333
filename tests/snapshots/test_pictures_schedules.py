"""Pictures of the schedules, days before the clocks change, and of the form that changes one."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.store.clock import FrozenClock
from tests import timetable
from tests.snapshots.reader_feed import SHOWN_PATH, at_rest
from tests.tui.harness import FakeFeed, feed_of, services_of, snapshot_of

SIZES = [(120, 32), (80, 24)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]
PROJECT = 'def sync(day: str, region: str = "eu", limit: int = 0) -> None:\n    pass\n'


def timetable_app(folder: Path, **options: object) -> ConsoleApp:
    """The console on those schedules, their hour standing still."""
    (folder / "etl").mkdir()
    (folder / "etl" / "__init__.py").write_text("")
    (folder / "etl" / "nightly.py").write_text(PROJECT)
    app = ConsoleApp(
        SHOWN_PATH,
        python=sys.executable,
        chdir=folder,
        clock=FrozenClock(timetable.NOW),
        feed=False,
        **options,  # type: ignore[arg-type]
    )
    app.services.reads.feed = FakeFeed()
    feed_of(app).answers["schedules"] = timetable.read
    return app


def pressed(*keys: str) -> Before:
    """Show the schedules, then press keys."""

    async def before(pilot: Pilot[None]) -> None:
        services_of(pilot).reads.hand_snapshot(snapshot_of((), taken_at=timetable.NOW))
        await at_rest(pilot)
        for key in ("at", *keys):
            await pilot.press(key)
            await at_rest(pilot)

    return before


PICTURES = {
    "trouble": pressed(),
    "night": pressed("G", "k"),
    "marked": pressed("j", "space", "space"),
    "run": pressed("G", "k", "r"),
    "form": pressed("G", "k", "e"),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_schedules(size: tuple[int, int], name: str, snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(timetable_app(tmp_path), run_before=PICTURES[name], terminal_size=size)


@pytest.mark.parametrize("size", [(200, 50), (60, 20)], ids=["200x50", "60x20"])
def test_other_sizes(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(timetable_app(tmp_path), run_before=PICTURES["night"], terminal_size=size)


@pytest.mark.parametrize("mode", ["ansi", "ascii", "light"], indirect=True)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_modes(mode: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = timetable_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=PICTURES["night"], terminal_size=size)
