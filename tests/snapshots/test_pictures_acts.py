"""Pictures of what acts ask and tell: results in groups, the dry run of a clear, an undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core import JobQueue
from gigq_core.changes.undo import Undo
from gigq_core.status import Change, Outcome
from gigq_tui.actions.report import Report, summarise
from gigq_tui.actions.shell_command import for_jobs
from gigq_tui.actions.undo_log import DoneAction
from gigq_tui.app import ConsoleApp
from tests import scene
from tests.scene_rows import images, odd_ones, workflow
from tests.snapshots.reader_feed import SHOWN_PATH, ReaderFeed, at_rest, scene_app
from tests.tui.harness import FakeJobs

SIZES = [(120, 32), (80, 24), (60, 15)]
Compare = Callable[..., bool]

CANCELLED = ("mail_digest", "local_summary", "archive_orders")


def report() -> Report:
    """A cancel that met jobs in several states."""
    names = [*CANCELLED, "render_preview", "extract_orders", "dedupe_customers", "nightly"]
    became = [(Change.CANCELLED, "")] * 3
    became += [(Change.STOPPING, "its worker was asked to cancel it")]
    became += [(Change.REFUSED, "it has already completed")]
    became += [(Change.REFUSED, "it has already failed")]
    became += [(Change.REFUSED, "a GigQ worker is running it, and can't be asked to cancel it")]
    outcomes = tuple(
        Outcome(scene.job_id(name), change, reason, name)
        for name, (change, reason) in zip(names, became, strict=True)
    )
    ids = tuple(outcome.job_id for outcome in outcomes)
    twin = for_jobs(SHOWN_PATH, "cancel", ids)
    return Report(summarise(outcomes), outcomes, twin, ids, undoable=True)


def console(folder: Path, told: Report | None = None, **options: Any) -> ConsoleApp:
    """The console on the scene, whose acts change nothing; its dry runs are true."""
    app = scene_app(folder, **options)
    acts = FakeJobs()
    acts.report = told or report()
    queue = JobQueue(folder / scene.FILE_NAME, initialize=False)
    acts.plan_clear = queue.plan_clear  # type: ignore[method-assign]
    undo = Undo()
    undo._kept.update(dict.fromkeys(CANCELLED))  # type: ignore[arg-type]
    names = tuple(f"{name} {scene.job_id(name)[:8]}" for name in CANCELLED)
    acts.undoable = DoneAction("cancel of 3 jobs", names, undo)
    app.services.actions.jobs = acts
    return app


def keys(*names: str) -> Callable[[Pilot[None]], Any]:
    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        for name in names:
            await pilot.press(name)
            await at_rest(pilot)

    return before


SCENES = {
    "told": keys("c", "y"),
    "results": keys("c", "y", "i"),
    "clear": keys("X"),
    "undo": keys("u"),
    "retry-frees": keys("4", "G", "r"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCENES)
def test_acts(name: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(console(tmp_path), run_before=SCENES[name], terminal_size=size)


def retried() -> Report:
    """A retry of jobs that the scene has in several states by now."""
    names = [job.name for job in (*workflow(), *images(), *odd_ones())]
    outcomes = tuple(Outcome(scene.job_id(name), Change.REQUEUED, "", name) for name in names)
    outcomes += (Outcome("0" * 32, Change.REFUSED, "it is still running", "resize_0008"),)
    ids = tuple(outcome.job_id for outcome in outcomes)
    return Report(summarise(outcomes), outcomes, for_jobs(SHOWN_PATH, "retry", ids), ids)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_results_of_a_retry(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    before = keys("4", "r", "y", "i", "j", "space", "j")
    assert snap_compare(console(tmp_path, retried()), run_before=before, terminal_size=size)


@pytest.mark.parametrize("mode", ["ansi", "ascii"], indirect=True)
def test_results_in_modes(mode: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = console(tmp_path, retried(), theme=mode)
    before = keys("4", "r", "y", "i", "j", "space", "j")
    assert snap_compare(app, run_before=before, terminal_size=(80, 24))


def test_read_only_acts(snap_compare: Compare, tmp_path: Path) -> None:
    app = console(tmp_path, read_only=True)
    keys_of = keys("colon", *"undo")
    assert snap_compare(app, run_before=keys_of, terminal_size=(120, 32))
