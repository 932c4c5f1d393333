"""A lane's night in the console, with a real worker: it is full, paused, widened, and taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.lanes.screen import LanesScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from tests.tui.harness import press, running, screen_text, until

ROOT = Path(__file__).parents[2]
HOLD = FunctionReference("tests.integration.chores", "hold_until")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A lane with a limit and one that is reserved; no worker outlives the test."""
    file = tmp_path / "jobs.db"
    queue = JobQueue(file)
    queue.set_lane("db", running=1)
    queue.set_lane("gpu", reserved=True)
    free = str(tmp_path / "free")
    for lane, name in (("db", "d1"), ("db", "d2"), ("db", "d3"), ("gpu", "g1")):
        params = {"path": str(tmp_path / name), "free": free}
        queue.submit(Job(name, HOLD, params, lane=lane))
    queue.close()
    yield file
    (tmp_path / "free").touch()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(file) in words and "worker" in words:
            process.kill()


def states(path: Path) -> dict[str, str]:
    queue = JobQueue(path)
    try:
        return {str(job["name"]): str(job["status"]) for job in queue.list_jobs()}
    finally:
        queue.close()


async def test_a_night_with_lanes(path: Path) -> None:
    app = ConsoleApp(path, python=sys.executable, chdir=ROOT)
    async with running(app, size=(140, 32)) as pilot:

        async def shows(text: str) -> None:
            await until(pilot, lambda: text in " ".join(screen_text(app).split()), text)

        await until(pilot, lambda: app.services.picture.shown is not None, "the file")
        await press(pilot, "L")
        await until(pilot, lambda: isinstance(app.screen, LanesScreen), "the lanes")
        # Nobody works: that is what is wrong with both of them.
        await shows("2 without a worker")
        # A worker with three slots: of `db` one job runs, and nobody takes `gpu`.
        await press(pilot, "equals_sign")
        await until(pilot, lambda: isinstance(app.screen, WorkersScreen), "the workers")
        await press(pilot, "tab", *"3", "alt+s")
        await until(pilot, lambda: states(path)["d1"] == "running", "the first job")
        await press(pilot, "escape")
        await shows("full: 1 of 1 run")
        await shows("no worker takes it")
        assert states(path)["d2"] == states(path)["g1"] == "pending"
        # Its jobs say the same.
        await press(pilot, "/", *"db", "enter", "enter")
        await shows("lane db: 1 of 1 run")
        # One more of them at a time.
        await press(pilot, "L", "/", *"db", "enter", "e", *"2", "alt+s")
        await until(pilot, lambda: states(path)["d2"] == "running", "the second job")
        await shows("full: 2 of 2 run")
        # Paused, nothing begins, whatever room there is.
        await press(pilot, "P", "y")
        await shows("paused db: running jobs finish")
        await press(pilot, "e", "ctrl+u", "alt+s")
        await shows("paused")
        assert states(path)["d3"] == "pending"
        await press(pilot, "P", "y")
        await until(pilot, lambda: states(path)["d3"] == "running", "the third job")
        # A worker that names the reserved lane.
        await press(pilot, "equals_sign")
        await until(pilot, lambda: isinstance(app.screen, WorkersScreen), "the workers")
        await press(pilot, *["tab"] * 8, *"gpu", "alt+s")
        await until(pilot, lambda: states(path)["g1"] == "running", "the reserved job")
        await press(pilot, "s", "n", "G")
        await shows("takes only gpu")
        (path.parent / "free").touch()
        await until(pilot, lambda: set(states(path).values()) == {"completed"}, "all of them")
