"""Pictures of the screens at two sizes, of one scene at one hour; state is tested elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.store.filter.language import parse
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app

SIZES = [(120, 32), (80, 24)]
Compare = Callable[..., bool]


def keys(*names: str, find: str = "") -> Callable[[Pilot[None]], Any]:
    """Show the scene, find a job by filter, then press keys one by one."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        if find:
            app.services.picture.look_at(replace(app.services.picture.view, filter=parse(find)))
        else:
            app.services.reads.feed.refresh()
        await at_rest(pilot)
        for name in names:
            await pilot.press(name)
            await at_rest(pilot)

    return before


SCENES = {
    "jobs": keys(),
    "running": keys("3"),
    "failed": keys("4", "j"),
    "marked": keys("space", "space", "j", "v"),
    "filtered": keys("j", find="name:resize state:failed|state:done"),
    "mistake": keys("slash", *"pri", "greater_than_sign"),
    "question": keys("4", "space", "space", "r"),
    "wide-question": keys("4", "R"),
    "detail-failed": keys("enter", find="name:dedupe_customers"),
    "detail-attempts": keys("enter", "right", find="name:dedupe_customers"),
    "detail-deps": keys("enter", find="name:join_customers"),
    "detail-running": keys("enter", find="name:train_full"),
    "detail-hostile": keys("enter", find="loud"),
    "help": keys("question_mark"),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SCENES)
def test_picture(
    name: str,
    size: tuple[int, int],
    snap_compare: Compare,
    tmp_path: Path,
) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=SCENES[name], terminal_size=size)


@pytest.mark.parametrize("theme", ["light", "ansi"])
def test_themes(theme: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, theme=theme)
    assert snap_compare(app, run_before=keys("4", "space", "r"), terminal_size=(120, 32))


def test_read_only(snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, read_only=True)
    assert snap_compare(app, run_before=keys("c"), terminal_size=(80, 24))


def test_very_small(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=keys("c"), terminal_size=(60, 15))
