"""Make the pictures of this folder from the real screens: `python screenshots/make.py`.

Each screen is drawn by the console itself on a fixed queue (`tests/scene.py`, the night of
`tests/incident.py`, the workflow of `tests/nightly.py`, the lanes of `tests/lanes.py`, the
schedules of `tests/timetable.py`, the other hosts of `tests/agents_scene.py`), at a fixed hour, at
120x32 and at 80x24, and written as SVG and
PNG. It needs what `pip install -e '.[test]'` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

# Before Textual and the clock are looked at.
os.environ["TZ"] = "UTC"
time.tzset()
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ.pop("NO_COLOR", None)

from tests import agents_scene, incident, lanes, nightly, scene, timetable  # noqa: E402

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from gigq_tui.app import ConsoleApp

SIZES = ((120, 32), (80, 24))
READY_TIMEOUT_S = 20.0

# A PNG is drawn with a font that machines have; the SVG asks a browser for its own.
WEB_FONT, MACHINE_FONT = "Fira Code", "DejaVu Sans Mono"
PNG_SCALE = 1.0

# Where commands say that the file lies, whatever folder it is drawn in.
HOME_PATH = "/home/ops/etl/jobs.db"

# The function that the form of the picture `submit` looks at.
PROJECT = "def resize_image(src: str, w: int = 1024, h: int = 768): ..."


@dataclass(frozen=True)
class Shot:
    """One picture: the keys that lead to it from the jobs screen, what builds its queue, its hour.

    `set_up` puts in place of what is read of the file what is to be seen of lanes or schedules.
    """

    name: str
    keys: tuple[str, ...] = ()
    build: Callable[[Path], Path] = scene.build
    now: datetime = scene.NOW
    set_up: Callable[[], None] = lambda: None


def to_the_job(name: str) -> tuple[str, ...]:
    """The keys that put the cursor on one job of the scene, by filtering for its name."""
    return ("slash", *name, "enter")


def with_lanes() -> None:
    """Lanes of every kind, as the snapshot tests have them."""
    from gigq_tui.store import lanes as store
    from gigq_tui.store.stepwise import SoFar

    known = store.Lanes(lanes.LANES, lanes.OLDEST)
    read = SoFar(known, len(lanes.LANES), len(lanes.LANES))
    store.LanesReading.step = lambda *_: read


def with_schedules() -> None:
    """Schedules some days before the clocks change."""
    from gigq_tui.store.reader import Reader

    Reader.schedules = lambda _, chosen: timetable.read(chosen)


SHOTS = (
    Shot("jobs", ("j",) * 14),
    Shot("detail", (*to_the_job("dedupe"), "enter")),
    Shot("tree", (*to_the_job("dedupe"), "t")),
    Shot("overview", ("o",)),
    Shot("timeline", (*to_the_job("publish"), "t", "T"), nightly.build),
    Shot("groups", ("b",), incident.build),
    Shot("count", ("number_sign", *"fn", "space", *"state", "enter", "j"), incident.build),
    Shot("workers", ("w", "j")),
    Shot("agents", ("w", "slash", *"gpu1", "enter", "j"), agents_scene.build),
    Shot("lanes", ("L", "j"), set_up=with_lanes),
    Shot(
        "schedules",
        ("at", "G", "k"),
        timetable.with_schedules,
        timetable.NOW,
        with_schedules,
    ),
    Shot("submit", ("n", *"pipeline.images.resize_image", "tab", "tab", *"s3://in/000184.png")),
    Shot("clear", ("X",)),
    Shot("help", ("question_mark",)),
)


async def take(shot: Shot, path: Path, size: tuple[int, int]) -> str:
    """Draw one screen and return it as SVG."""
    from gigq_tui.actions.shell_words import quoted
    from gigq_tui.app import ConsoleApp
    from gigq_tui.screens.submit import preview
    from gigq_tui.screens.workers import usage
    from gigq_tui.store.clock import FrozenClock
    from gigq_tui.store.machine import Machine

    # The command names the file from the root: there it has a home of its own, too.
    at = str(path.absolute())
    preview.quoted = lambda word: quoted(HOME_PATH if word == at else word)
    # The scene's machine, whichever this one is.
    usage.read_machine = lambda known: Machine(scene.HOST, 16, 5.0, 38.0)
    sqlite3.sqlite_version, sqlite3.sqlite_version_info = "3.51.3", (3, 51, 3)
    shot.set_up()
    app = ConsoleApp(
        path,
        python=sys.executable,
        chdir=path.absolute().parent,
        clock=FrozenClock(shot.now),
        liveness=scene.liveness,
    )
    async with app.run_test(size=size) as pilot:
        await settle(pilot, app)
        for key in shot.keys:
            await pilot.press(key)
            await settle(pilot, app)
        return app.export_screenshot(title="gigq-tui jobs.db", simplify=True)


async def settle(pilot: Pilot[None], app: ConsoleApp) -> None:
    """Wait until the reader has answered and the picture stands still."""
    still, before = 0, ""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while still < 3:
        await pilot.pause(0.05)
        now = app.export_screenshot(simplify=True)
        ready = app.services.picture.shown is not None
        still, before = (still + 1 if ready and now == before else 0), now
        if time.monotonic() > deadline:
            raise TimeoutError("The screen does not come to rest.")


def to_png(svg: str) -> bytes:
    """The same picture as pixels."""
    import cairosvg

    local = re.sub(r"@font-face\s*\{[^}]*\}", "", svg).replace(WEB_FONT, MACHINE_FONT)
    pixels = cairosvg.svg2png(bytestring=local.encode("utf-8"), scale=PNG_SCALE)
    assert isinstance(pixels, bytes)
    return pixels


def make(shots: Iterable[Shot], folder: Path) -> None:
    """Write the pictures of `shots`, in every size, to `folder`."""
    with tempfile.TemporaryDirectory() as place:
        # The path is drawn: in a home of its own it looks the same everywhere.
        home = Path(place).resolve()
        os.environ["HOME"] = str(home)
        for shot in shots:
            project = home / shot.build.__module__ / "etl"
            if not project.is_dir():
                (project / "pipeline").mkdir(parents=True)
                (project / "pipeline" / "images.py").write_text(PROJECT, encoding="utf-8")
                os.chdir(project)
                shot.build(Path(scene.FILE_NAME))
            os.chdir(project)
            path = Path(scene.FILE_NAME)
            for width, height in SIZES:
                name = f"{shot.name}-{width}x{height}"
                svg = asyncio.run(take(shot, path, (width, height)))
                (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
                (folder / f"{name}.png").write_bytes(to_png(svg))
                print(f"{name}.svg {name}.png")
        os.chdir(folder)


def main() -> None:
    """Make all pictures, or those that are named."""
    names = [shot.name for shot in SHOTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write them")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(names)
    if unknown:
        parser.error(f"There is no picture {', '.join(sorted(unknown))}.")
    shots = [shot for shot in SHOTS if not chosen.names or shot.name in chosen.names]
    make(shots, chosen.folder.resolve())


if __name__ == "__main__":
    main()
