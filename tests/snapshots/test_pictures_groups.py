"""Pictures of the failed jobs in groups, after the night of `tests.incident`."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.changes.canary import Canary
from gigq_core.status import Change, Outcome
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.app import ConsoleApp
from gigq_tui.services.canaries import CanaryRun
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from tests import incident, scene
from tests.snapshots.reader_feed import SHOWN_PATH, ReaderFeed, at_rest

SIZES = [(120, 32), (80, 24), (60, 15)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]


def night_app(folder: Path, **options: Any) -> ConsoleApp:
    """The console on that queue, its hour standing still."""
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


def pressed(*keys: str, canary: str = "") -> Before:
    """Show the groups, then press keys; a canary of the first one stands at these states."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        assert isinstance(app.services.reads.feed, ReaderFeed)
        app.services.reads.feed.refresh()
        await at_rest(pilot)
        if canary:
            app.services.canaries._runs[1] = run_of(
                canary, failed_ids(app.services.reads.feed.path)
            )
        for key in ("b", *keys):
            await pilot.press(key)
            await at_rest(pilot)

    return before


STATES = {"+": JobNow.PASSED, "X": JobNow.FAILED_SAME, "*": JobNow.RUNNING, ".": JobNow.WAITING}


def failed_ids(path: Path) -> list[str]:
    """The jobs whose connections were refused."""
    with closing(sqlite3.connect(path)) as conn:
        found = conn.execute(
            "SELECT id FROM jobs WHERE error LIKE 'ConnectionRefusedError%' ORDER BY id"
        )
        return [row[0] for row in found]


def run_of(states: str, failed: Sequence[str]) -> CanaryRun:
    """A canary of the refused connections; a letter for each job says where it is."""
    # What has failed again is in its group again.
    ids = tuple(
        failed[number] if state == "X" else f"{number}" for number, state in enumerate(states)
    )
    outcomes = tuple(Outcome(id, Change.REQUEUED, name=id) for id in ids)
    now = JobsNow(bytes(STATES[state] for state in states))
    followed = Followed(Report("", outcomes), outcomes, now, 1.0)
    return CanaryRun(
        groups=frozenset([incident.fingerprint(incident.CAUSES[0])]),
        by="cause",
        title="ConnectionRefusedError: connect to # refused",
        ids=ids,
        others=incident.CAUSES[0].jobs - len(ids),
        canary=Canary(outcomes, 3, dict.fromkeys(ids, 0)),
        followed=followed,
        is_over=followed.is_over,
    )


PICTURES = {
    "causes": pressed("j", "j", "space", "j"),
    "customers": pressed("s", "s"),
    "question": pressed("r"),
    "running": pressed(canary="++++X***.."),
    "passed": pressed(canary="++++++++XX"),
    "failed": pressed("j", canary="++++XXXXXX"),
    "rest": pressed("R", canary="++++++++XX"),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("size", SIZES[:2], ids=["120x32", "80x24"])
def test_groups(size: tuple[int, int], name: str, snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(night_app(tmp_path), run_before=PICTURES[name], terminal_size=size)


def test_a_small_terminal(snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path)
    assert snap_compare(app, run_before=PICTURES["passed"], terminal_size=SIZES[2])


@pytest.mark.parametrize("mode", ["ansi", "ascii", "light"], indirect=True)
@pytest.mark.parametrize("size", SIZES[:2], ids=["120x32", "80x24"])
def test_modes(mode: str, size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = night_app(tmp_path, theme=mode)
    assert snap_compare(app, run_before=PICTURES["passed"], terminal_size=size)
