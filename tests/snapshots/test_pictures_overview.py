"""Pictures of the overview at three sizes, its list of concerns, and on a file of GigQ's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.forecast import Spread
from gigq_tui.app import ConsoleApp
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import End, Past, Tally
from gigq_tui.store.models import Ahead
from tests import scene
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app

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


@pytest.mark.parametrize("size", SIZES[:2], ids=["120x32", "80x24"])
def test_busy(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app: Any = scene_app(tmp_path)
    read = app.services.reads.feed.reader.overview
    app.services.reads.feed.reader.overview = lambda past: _busy(read(past))
    assert snap_compare(app, run_before=pressed("o"), terminal_size=size)


def _busy(seen: Overview) -> Overview:
    """The same overview in the middle of much work, not all of which was read."""
    done = tuple(700 + (n * 37) % 90 + 4 * (n % 7) for n in range(60))
    failed = tuple((n * n) % 23 if n > 40 else 0 for n in range(60))
    waiting = tuple(None if n < 9 else max(0, 3_000 - 37 * n) for n in range(60))
    total = Tally()
    for n in range(400):
        total.add(End.DONE if n % 30 else End.FAILED, 0.4 + (n % 50) / 12, 3.0)
    total.ends = {End.DONE: sum(done), End.FAILED: sum(failed)}
    return replace(
        seen,
        window=Past.MINUTES_60,
        done=done,
        failed=failed,
        waiting=waiting,
        p50_s=tuple(0.7 + (n % 9) / 20 for n in range(60)),
        p95_s=tuple(3.0 + (n % 11) / 8 for n in range(60)),
        total=total,
        counts=replace(seen.counts, ready=855, blocked=0, delayed=0),
        pace=-11.2,
        figures=replace(
            seen.figures,
            ahead=Ahead(scene.NOW, Spread(50, 66, 95), Spread(30, 33, 36)),
            more_slots=8,
        ),
        ready_counted=400,
        known_from=scene.NOW - timedelta(minutes=51),
        attempts=200_000,
    )
