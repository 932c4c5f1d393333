"""Pictures of the shapes of one graph: a workflow that is stuck, at two sizes and in every mode."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.reader import Reader
from tests import nightly
from tests.scene import NOW
from tests.snapshots.reader_feed import SHOWN_PATH, ReaderFeed, at_rest

SIZES = [(120, 32), (80, 24)]
Compare = Callable[..., bool]

# From the job at the end of the workflow.
SHAPES = {
    "tree": (),
    "timeline": ("T",),
    "timeline-open": ("T", "g", "space", "j"),
    "levels": ("T", "T", "full_stop", "space"),
    "runs": ("T", "T", "T", "left"),
    "hidden": ("Z",),
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nightly.build(tmp_path_factory.mktemp("night") / "jobs.db")


def graph_app(path: Path, **options: Any) -> ConsoleApp:
    """The console on the bad night, its hour standing still."""
    clock = FrozenClock(NOW)
    app = ConsoleApp(
        SHOWN_PATH, python=sys.executable, chdir=path.parent, clock=clock, feed=False, **options
    )
    feed = ReaderFeed(path, app)
    feed.reader.close()
    feed.reader = Reader(path, clock, is_dead=lambda _: False)
    app.services.reads.feed = feed
    return app


def on_graph(app: ConsoleApp, *keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Open the graph of the job at its end, then press keys one by one."""

    async def before(pilot: Pilot[None]) -> None:
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        app.services.routes.show_tree(nightly.job_id("publish nightly"))
        await at_rest(pilot)
        await at_rest(pilot)
        for key in keys:
            await pilot.press(key)
            await at_rest(pilot)

    return before


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, size: tuple[int, int], night: Path, snap_compare: Compare) -> None:
    app = graph_app(night)
    assert snap_compare(app, run_before=on_graph(app, *SHAPES[name]), terminal_size=size)


@pytest.mark.parametrize("mode", ["light", "ansi", "no-colour", "ascii"], indirect=True)
@pytest.mark.parametrize("name", ["tree", "timeline", "levels", "runs"])
def test_modes(mode: str, name: str, night: Path, snap_compare: Compare) -> None:
    app = graph_app(night, theme=mode)
    assert snap_compare(app, run_before=on_graph(app, *SHAPES[name]), terminal_size=(80, 24))
