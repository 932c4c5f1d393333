"""Pictures of what is read of one job and of the workers, at two sizes and in other colours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.system.paths import attempt_output
from gigq_tui.actions.stack import StackTaken
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.job import stack
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from tests import scene
from tests.snapshots.reader_feed import scene_app
from tests.snapshots.test_pictures_tree_workers_form import on_screen

SIZES = [(120, 32), (80, 24)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

STACK = """Thread (most recent call last):
  File "pipeline/model.py", line 61, in train_full
    loss = step(batch)
  File "pipeline/model.py", line 140, in step
    return torch_free_gradient(weights, batch)
"""
LONG = "".join(
    f"epoch {number // 8} of 40, batch {number % 8}: loss {0.9 / (number + 1):.6f}"
    f"{', the learning rate is halved and all is tried anew' * (number % 5)}\n"
    for number in range(200)
)


@pytest.fixture(autouse=True)
def _a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(path: Path, job_id: str, clock: Any, *, read_only: bool) -> StackTaken:
        return StackTaken(job_id, clock.now(), STACK, "", f"gigq-core --db {path} stack {job_id}")

    monkeypatch.setattr(stack, "take_stack", take)


def job(name: str, tab: str | None = None) -> Callable[[ConsoleApp], ConsoleScreen]:
    return lambda app: JobScreen(app.services, scene.job_id(name), tab)


def workers(app: ConsoleApp) -> ConsoleScreen:
    return WorkersScreen(app.services)


def spoken(*keys: str, name: str = "train_full") -> Before:
    """As `on_screen`, on a job that has printed much."""
    show = on_screen(job(name), *keys)

    async def before(pilot: Pilot[None]) -> None:
        feed: Any = pilot.app.services.reads.feed  # type: ignore[attr-defined]
        path = Path(feed.reader._door.path)
        attempt_output(path, scene.attempt_id(name, 1)).write_text(LONG)
        await show(pilot)

    return before


SCENES: dict[str, Before] = {
    "running-output": spoken(),
    "log-find": spoken("l", "slash", *"halved", "enter", "n"),
    "log-find-typed": spoken("l", "slash", *"epoch 1"),
    "log-unwrapped": spoken("l", "W", "right_parenthesis"),
    "attempt-before": on_screen(job("dedupe_customers"), "k"),
    "stack": on_screen(job("train_full"), "S"),
    "secrets-shown": on_screen(job("dedupe_customers", "Params"), "m"),
    "copy": on_screen(job("dedupe_customers"), "y"),
    "workers-sorted": on_screen(workers, *["s"] * 4),
    "workers-filtered": on_screen(workers, "slash", *"stop", "enter"),
    "workers-log-find": on_screen(workers, "j", "l", "slash", *"ended", "enter"),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SCENES)
def test_picture(name: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=SCENES[name], terminal_size=size)


@pytest.mark.parametrize("mode", ["light", "ansi", "no-colour"])
def test_modes(
    mode: str, snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = scene_app(tmp_path, theme="dark" if mode == "no-colour" else mode)
    assert snap_compare(app, run_before=SCENES["log-find"], terminal_size=(80, 24))


def test_very_small(snap_compare: Compare, tmp_path: Path) -> None:
    before = on_screen(job("dedupe_customers"))
    assert snap_compare(scene_app(tmp_path), run_before=before, terminal_size=(60, 15))
