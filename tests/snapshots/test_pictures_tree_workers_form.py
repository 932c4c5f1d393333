"""Pictures of the tree, the workers, the form and the palette at two sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.retry import Backoff, RetryPolicy
from gigq_tui.actions.functions.completion import Listing
from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter
from gigq_tui.actions.workers.pool import SpawnedWorker
from gigq_tui.actions.workers.setup import Examined, WorkerSetup
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.submit import dependency_search, function_lookup
from gigq_tui.screens.submit import screen as submit_screen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.workers import setup_panel
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.models import Snapshot
from tests import scene
from tests.snapshots.reader_feed import ReaderFeed, at_rest, scene_app
from tests.tui.harness import detail_of, row

SIZES = [(120, 32), (80, 24)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

FOUND = FunctionInfo(
    "pipeline.customers.dedupe_customers",
    "",
    (
        Parameter("source", "POSITIONAL_OR_KEYWORD", "str", "", True),
        Parameter("api_key", "POSITIONAL_OR_KEYWORD", "str", "", True),
        Parameter("batch", "POSITIONAL_OR_KEYWORD", "int", "500", False),
        Parameter("dry_run", "KEYWORD_ONLY", "bool", "false", False),
    ),
)


MANY = FunctionInfo(
    "pipeline.train.train_fold",
    "",
    tuple(
        Parameter(f"setting_{number}", "KEYWORD_ONLY", "int", str(number), False)
        for number in range(1, 26)
    ),
)
LISTED = Listing(
    tuple(
        f"pipeline.{name}"
        for name in (
            *(f"customers.{verb}" for verb in ("clean", "dedupe_customers", "merge", "score")),
            *("images.resize_image", "reports.weekly", "train.train_fold"),
        )
    )
)
OWN = (("w1", 4119), ("w4", 4122))


@pytest.fixture(autouse=True)
def _no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {info.function: info for info in (FOUND, MANY)}
    monkeypatch.setattr(function_lookup, "inspect_function", lambda name, *_, **__: known[name])
    monkeypatch.setattr(function_lookup, "list_functions", lambda *_, **__: LISTED)
    # Keys look things up; how long a picture takes must not.
    monkeypatch.setattr(submit_screen, "LOOK_UP_AFTER_S", 1e6)
    monkeypatch.setattr(dependency_search, "SEARCH_AFTER_S", 1e6)
    monkeypatch.setattr(setup_panel, "examine", lambda _: Examined("3.11.9", "3.45.1"))


def on_screen(make: Callable[[ConsoleApp], ConsoleScreen], *keys: str) -> Before:
    """Show the scene, open a screen over it, then press keys one by one."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        app.push_screen(make(app))
        await at_rest(pilot)
        await at_rest(pilot)
        for key in keys:
            await pilot.press(key)
            await at_rest(pilot)

    return before


def on_form(make: Callable[[ConsoleApp], ConsoleScreen], row: str, *keys: str) -> Before:
    """Open the form with the focus in a row; words of several letters are typed in one go."""

    async def before(pilot: Pilot[None]) -> None:
        await on_screen(make)(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, SubmitScreen)
        next(found for found in screen.form.rows if found.key == row).field.focus()
        for key in keys:
            await pilot.press(*([key] if key in ("down", "enter") else key))
            await at_rest(pilot)

    return before


def tree(app: ConsoleApp) -> ConsoleScreen:
    return TreeScreen(app.services, scene.job_id("dedupe_customers"))


def form(app: ConsoleApp) -> ConsoleScreen:
    return SubmitScreen(app.services)


def copy(app: ConsoleApp) -> ConsoleScreen:
    assert isinstance(app.services.reads.feed, ReaderFeed)
    return SubmitScreen(
        app.services, app.services.reads.feed.reader.detail(scene.job_id("dedupe_customers"))
    )


def policied(app: ConsoleApp) -> ConsoleScreen:
    """A copy of a job that has a policy and a batch."""
    policy = RetryPolicy(Backoff(30, 2, "1h"), give_up_on=("builtins.ValueError",))
    raw = {"retry_policy": policy.encode(), "batch": "nightly 7", "stall_timeout": 60.0}
    job = row(1, "train", function="pipeline.train.train_fold")
    return SubmitScreen(app.services, detail_of(job, params={}, raw=raw))


def many(app: ConsoleApp) -> ConsoleScreen:
    return SubmitScreen(app.services, detail_of(row(1, "train", function=MANY.function), params={}))


def workers(app: ConsoleApp) -> ConsoleScreen:
    app.services.workers.pool.setup = WorkerSetup(
        "/srv/project/venv/bin/python", Path("/srv/project")
    )
    return WorkersScreen(app.services)


def own(app: ConsoleApp) -> ConsoleScreen:
    """The workers, two of which this console has started."""
    ours = tuple(SpawnedWorker(name, pid, Path("w.log")) for name, pid in OWN)
    app.services.workers.pool.alive = lambda: ours  # type: ignore[method-assign]
    return workers(app)


SCENES: dict[str, Before] = {
    "tree": on_screen(tree),
    "tree-upstream": on_screen(tree, "j", "left_square_bracket"),
    "tree-question": on_screen(tree, "j", "R"),
    "tree-palette": on_screen(tree, "colon", "r", "e"),
    "workers": on_screen(workers),
    "workers-log": on_screen(workers, "j", "l"),
    "workers-kill": on_screen(workers, "j", "C"),
    "workers-new": on_screen(workers, "equals_sign", *"+2", *["tab"] * 5, *"API_KEY='a b' LOG=1"),
    "workers-new-mistake": on_screen(workers, "equals_sign", *["tab"] * 5, *"LOG 1", "alt+s"),
    "workers-fewer": on_screen(own, "equals_sign", "0"),
    "quit": on_screen(own, "ctrl+c", "ctrl+c"),
    "form-empty": on_screen(form),
    "form-copy": on_screen(copy),
    "form-complete": on_form(form, "function", "pipeline.c", "down", "down"),
    "form-depends": on_form(copy, "depends", "customers", "down", "down"),
    "form-doomed": on_form(copy, "depends", "dedupe", "down", "enter", "down", "down"),
    "form-lines": on_form(copy, "jsonl", "jobs.jsonl"),
    "form-more": on_form(policied, "when", "noon", "down"),
    "form-many": on_form(many, "param:setting_22", "x"),
    "form-mistakes": on_screen(copy, *["tab"] * 4, "x", "tab", "y", *["tab"] * 3, "z", "alt+s"),
}


@pytest.mark.parametrize("size", SIZES, ids=["120x32", "80x24"])
@pytest.mark.parametrize("name", SCENES)
def test_picture(
    name: str,
    size: tuple[int, int],
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jobs.jsonl").write_text('{"source": "a", "api_key": "k"}\n' + '{"source": a}\n' * 30)
    assert snap_compare(scene_app(tmp_path), run_before=SCENES[name], terminal_size=size)


@pytest.mark.parametrize("theme", ["light", "ansi"])
def test_themes(theme: str, snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path, theme=theme)
    assert snap_compare(app, run_before=on_screen(tree), terminal_size=(80, 24))


@pytest.mark.parametrize("name", ["form-complete", "form-depends", "form-many"])
def test_narrow(name: str, snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(scene_app(tmp_path), run_before=SCENES[name], terminal_size=(60, 15))


def test_no_worker(snap_compare: Compare, tmp_path: Path) -> None:
    app: Any = scene_app(tmp_path)
    app.services.workers.pool.setup = WorkerSetup(
        "/srv/project/venv/bin/python", Path("/srv/project")
    )

    async def before(pilot: Pilot[None]) -> None:
        await SCENES["workers"](pilot)
        snapshot: Snapshot = app.services.picture.shown
        app.services.picture.shown = replace(snapshot, workers=(), foreign_workers=())
        app.screen.show_snapshot(app.services.picture.shown)
        await at_rest(pilot)

    assert snap_compare(app, run_before=before, terminal_size=(80, 24))
