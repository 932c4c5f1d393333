"""Pictures of the panel of views: some that are kept, a name that is typed, none yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.config import Config
from gigq_tui.config.load import config_of
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]
SIZES = [(120, 32), (80, 24)]
KEPT = config_of(
    """
[[view]]
name = "failed tonight"
tab = "failed"
filter = "ended:02:00..04:00"
sort = "ended"

[[view]]
name = "nightly"
open = "tree:0adbc7ba"

[[view]]
name = "waits for customers"
tab = "waiting"
filter = "param.customer:17 -state:doomed"
sort = "claim"
"""
)


def keys(*names: str) -> Before:
    """Show the jobs that failed, then press these."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        for name in ("4", *names):
            await pilot.press(name)
            await at_rest(pilot)

    return before


SCENES: dict[str, tuple[Config, Before]] = {
    "panel": (KEPT, keys("V", "j")),
    "name": (KEPT, keys("V", "s", *"month")),
    "none": (Config(), keys("V")),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SCENES)
def test_picture(name: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    config, before = SCENES[name]
    assert snap_compare(scene_app(tmp_path, config=config), run_before=before, terminal_size=size)


@pytest.mark.parametrize("mode", ["ansi", "ascii"], indirect=True)
def test_modes(mode: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, theme=mode, config=KEPT)
    assert snap_compare(app, run_before=keys("V", "j"), terminal_size=(80, 24))


def test_very_small(snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, config=KEPT)
    assert snap_compare(app, run_before=keys("V", "j"), terminal_size=(40, 12))
