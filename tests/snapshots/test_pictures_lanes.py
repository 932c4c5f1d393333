"""Pictures of lanes: all of them, one that is edited, what is asked, and none at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gigq_tui.app import ConsoleApp
from gigq_tui.store import lanes as store
from gigq_tui.store.stepwise import SoFar
from tests.lanes import LANES, OLDEST
from tests.snapshots.reader_feed import scene_app
from tests.snapshots.test_pictures_overview import pressed

Compare = Callable[..., bool]
SIZES = [(120, 32), (80, 24)]
SCENES: dict[str, tuple[str, ...]] = {
    "all": ("L", "j"),
    "narrowed": ("L", "slash", *"fetch", "enter", "space", "space"),
    "edit": ("L", "j", "e"),
    "wrong": ("L", "n", *"gpu*", "tab", *"2", "tab", *"10"),
    "pause": ("L", "j", "P"),
    "remove": ("L", "j", "X"),
}


def lanes_app(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> ConsoleApp:
    """The console on the scene, with lanes of every kind."""
    known = store.Lanes(LANES, OLDEST)
    monkeypatch.setattr(store.LanesReading, "step", lambda *_: SoFar(known, len(LANES), len(LANES)))
    return scene_app(folder, **options)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_picture(
    size: tuple[int, int],
    name: str,
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = lanes_app(tmp_path, monkeypatch)
    assert snap_compare(app, run_before=pressed(*SCENES[name]), terminal_size=size)


@pytest.mark.parametrize("mode", ["light", "ansi", "ascii"], indirect=True)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_modes(
    mode: str,
    size: tuple[int, int],
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = lanes_app(tmp_path, monkeypatch, theme=mode)
    assert snap_compare(app, run_before=pressed(*SCENES["edit"][:2]), terminal_size=size)


def test_none(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=pressed("L"), terminal_size=(80, 24))


def test_very_small(snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = lanes_app(tmp_path, monkeypatch)
    assert snap_compare(app, run_before=pressed(*SCENES["all"]), terminal_size=(40, 12))
