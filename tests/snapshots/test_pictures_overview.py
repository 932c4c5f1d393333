"""Pictures of the overview at three sizes, its list of concerns, and on a file of GigQ's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from tests.snapshots.reader_feed import ReaderFeed, at_rest, night_app, scene_app

SIZES = [(120, 32), (80, 24), (60, 15)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]


def pressed(*keys: str) -> Before:
    """Show the scene, then press keys one by one."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        for key in keys:
            await pilot.press(key)
            await at_rest(pilot)

    return before


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24", "60x15"])
def test_overview(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=pressed("o"), terminal_size=size)


def test_attention(snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path)
    before = pressed("o", "3", "a", "j")
    assert snap_compare(app, run_before=before, terminal_size=(80, 24))


@pytest.mark.parametrize("theme", ["light", "ansi"])
def test_themes(theme: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, theme=theme)
    assert snap_compare(app, run_before=pressed("o", "3"), terminal_size=(120, 32))


# The demo's queue has little of a past: these are of a night in which much failed.
NIGHT: dict[str, tuple[str, ...]] = {
    "day": ("o", "6"),
    "failures": ("o", "6", "left_square_bracket"),
    "cursor": ("o", "5", *["left"] * 40),
    "selected": ("o", "6", *["left"] * 4, "v", *["left"] * 6, "j"),
    "week": ("o", "5", "d"),
}


@pytest.mark.parametrize("mode", ["ansi", "ascii"], indirect=True)
@pytest.mark.parametrize("size", SIZES[:2], ids=["120x32", "80x24"])
def test_modes(mode: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=pressed(*NIGHT["selected"]), terminal_size=size)


@pytest.mark.parametrize("name", NIGHT)
@pytest.mark.parametrize("size", SIZES[:2], ids=["120x32", "80x24"])
def test_night(size: tuple[int, int], name: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path)
    assert snap_compare(app, run_before=pressed(*NIGHT[name]), terminal_size=size)
