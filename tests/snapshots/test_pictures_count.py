"""Pictures of counts: the keys while they are typed, one key, two, marks, and what is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gigq_tui.app import ConsoleApp
from gigq_tui.store.clock import FrozenClock
from tests import incident, scene
from tests.snapshots.reader_feed import SHOWN_PATH, ReaderFeed
from tests.snapshots.test_pictures_colours import MODES
from tests.snapshots.test_pictures_overview import pressed

Compare = Callable[..., bool]
SIZES = [(120, 32), (80, 24)]
SCENES: dict[str, tuple[str, ...]] = {
    "typing": ("number_sign", *"pa"),
    "one": ("number_sign", *"cus", "tab", "enter"),
    "two": ("number_sign", *"fn", "space", *"state", "enter", "j"),
    "marked": ("number_sign", *"fn", "enter", "space", "space", "R"),
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_picture(size: tuple[int, int], name: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path)
    assert snap_compare(app, run_before=pressed(*SCENES[name]), terminal_size=size)


@pytest.mark.parametrize("mode", MODES, indirect=True)
def test_modes(mode: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=pressed(*SCENES["two"]), terminal_size=(80, 24))


def test_very_small(snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path)
    assert snap_compare(app, run_before=pressed(*SCENES["two"]), terminal_size=(40, 12))


def night_app(folder: Path, **options: Any) -> ConsoleApp:
    path = incident.build(folder / scene.FILE_NAME)
    app = ConsoleApp(
        SHOWN_PATH,
        python=sys.executable,
        chdir=folder,
        clock=FrozenClock(scene.NOW),
        feed=False,
        **options,
    )
    app.services.reads.feed = ReaderFeed(path, app)
    return app
