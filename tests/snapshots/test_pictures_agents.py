"""Pictures of workers whose jobs run on other hosts, and of such jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.actions.workers.setup import Examined, WorkerSetup
from gigq_tui.app import ConsoleApp
from gigq_tui.config.load import config_of
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.overview.screen import OverviewScreen
from gigq_tui.screens.workers import setup_panel
from gigq_tui.screens.workers.screen import WorkersScreen
from tests import scene
from tests.snapshots.reader_feed import at_rest, elsewhere_app
from tests.snapshots.test_pictures_tree_workers_form import on_screen

SIZES = [(120, 32), (80, 24)]
MODES = ("ansi", "ascii")
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]


def workers(app: ConsoleApp) -> ConsoleScreen:
    return WorkersScreen(app.services)


def overview(app: ConsoleApp) -> ConsoleScreen:
    return OverviewScreen(app.services)


def job(name: str, tab: str | None = None) -> Callable[[ConsoleApp], ConsoleScreen]:
    return lambda app: JobScreen(app.services, scene.job_id(name), tab)


SCENES: dict[str, Before] = {
    "workers": on_screen(workers, *"jjjjjj"),
    "workers-silent": on_screen(workers, "slash", *"gpu2", "enter", *"jjjj"),
    "running": on_screen(job("embed_docs")),
    "silent": on_screen(job("eval_vision", "Params")),
    "ran": on_screen(job("train_speech", "Attempts")),
    "output": on_screen(job("embed_docs", "Output")),
    "overview": on_screen(overview),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SCENES)
def test_picture(name: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(elsewhere_app(tmp_path), run_before=SCENES[name], terminal_size=size)


async def hosts(pilot: Pilot[None]) -> None:
    """The jobs that agents of two hosts run or ran, by those."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.services.reads.feed.refresh()  # type: ignore[attr-defined]
    await at_rest(pilot)
    await pilot.press("slash", *"host:gpu", "enter", "s", "h")
    await at_rest(pilot)


def set_up(app: ConsoleApp) -> ConsoleScreen:
    app.services.workers.pool.setup = WorkerSetup(
        "/srv/project/venv/bin/python", Path("/srv/project")
    )
    return WorkersScreen(app.services)


@pytest.mark.parametrize(
    "typed", [("env; env -u A", "tab", "/opt/py"), ("env; no-command gpu1",)], ids=["new", "wrong"]
)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_setting_up_workers_with_agents(
    typed: tuple[str, ...],
    size: tuple[int, int],
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(setup_panel, "examine", lambda _: Examined())
    keys = [key for word in typed for key in ([word] if word == "tab" else word)]
    before = on_screen(set_up, "equals_sign", "tab", "4", "tab", *keys)
    assert snap_compare(elsewhere_app(tmp_path), run_before=before, terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_hosts_of_jobs(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    chosen = config_of('[jobs]\ncolumns = ["name", "state", "host", "dur", "why"]')
    app = elsewhere_app(tmp_path, config=chosen)
    assert snap_compare(app, run_before=hosts, terminal_size=size)


@pytest.mark.parametrize("mode", MODES, indirect=True)
@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
def test_modes(mode: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = elsewhere_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=SCENES["workers"], terminal_size=size)
