"""After a bad night: the causes, ten of one kind first, and then the rest; with a real worker."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.screens.groups.screen import GroupsScreen
from tests import incident
from tests.integration.conftest import ROOT
from tests.tui.harness import press, running, screen_text, until

FIRST = incident.CAUSES[0].jobs
StartWorker = Callable[[], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the jobs' functions lie; the one customer in `outage.json` is still refused."""
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "tests" / "data" / "shop", shop)
    (shop / "outage.json").write_text(json.dumps([incident.CUSTOMERS[0]]))
    return shop


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return incident.build(tmp_path / "jobs.db")


@pytest.fixture
def start_worker(db: Path, folder: Path) -> Iterator[StartWorker]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [sys.executable, "-m", "gigq_core", "--db", str(db), "worker"]
        started.append(
            subprocess.Popen(
                [*command, "--concurrency", "2", "--chdir", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            )
        )

    yield start
    for worker in started:
        worker.terminate()
    for worker in started:
        worker.wait(20)


def ask(db: Path, statement: str) -> list[tuple[Any, ...]]:
    conn = sqlite3.connect(db, timeout=20)
    try:
        return conn.execute(statement).fetchall()
    finally:
        conn.close()


def statuses(db: Path) -> dict[str, int]:
    return dict(ask(db, "SELECT status, count(*) FROM jobs GROUP BY status"))


def is_read(app: ConsoleApp) -> bool:
    screen = app.screen
    return isinstance(screen, GroupsScreen) and screen.groups is not None and screen.groups.is_whole


async def until_said(pilot: Pilot[None], app: ConsoleApp, words: str) -> None:
    """Wait for words on the screen; what stands there instead is told."""
    try:
        await until(pilot, lambda: words in screen_text(app), words)
    except AssertionError:
        raise AssertionError(f"{words!r} is not on the screen:\n{screen_text(app)}") from None


class Keys:
    """Presses keys of the console, and counts them."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot
        self.pressed: list[str] = []

    async def __call__(self, *keys: str) -> None:
        self.pressed += keys
        await press(self._pilot, *keys)


def waited_longest(db: Path) -> list[str]:
    """The priorities in which the first ten attempts of the worker began."""
    rows = ask(
        db,
        "SELECT j.name FROM job_executions e JOIN jobs j ON j.id = e.job_id "
        "WHERE e.worker_id NOT IN ('w1', 'w2', 'w3') ORDER BY e.began LIMIT 10",
    )
    return [name for (name,) in rows]


async def test_ten_first_then_the_rest(db: Path, folder: Path, start_worker: StartWorker) -> None:
    before = dict(ask(db, "SELECT id, priority FROM jobs"))
    app = ConsoleApp(db, python=sys.executable, chdir=folder)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        keys = Keys(pilot)
        await keys("b")
        await until(pilot, lambda: is_read(app), "the groups")
        assert "412 jobs, 6 causes" in screen_text(app)
        await keys("r", "y")
        await until(pilot, lambda: statuses(db)["failed"] == 355, "the canary to wait")
        chosen = {name for (name,) in ask(db, "SELECT name FROM jobs WHERE priority = 3")}
        assert len(chosen) == 10
        start_worker()
        # Two of ten are of the customer that is still refused: a fifth, and no more.
        told = "canary of 10: 8 passed, 2 failed again (same cause), 0 running"
        await until_said(pilot, app, told)
        assert set(waited_longest(db)) == chosen
        await until_said(pilot, app, f"R retries the other {FIRST - 10}")
        await until_said(pilot, app, "8/10 passed")
        await keys("R")
        await until_said(pilot, app, f"Retry the other {FIRST - 10} jobs: ConnectionRefusedError")
        await keys("enter")
        refused = FIRST // len(incident.CUSTOMERS)
        await until(
            pilot,
            lambda: (
                statuses(db)["failed"] <= 355 - FIRST + 10 + refused + 4
                and "running" not in statuses(db)
                and "pending" not in statuses(db)
            ),
            "the rest to end",
        )
        assert len(keys.pressed) == 5
    assert dict(ask(db, "SELECT id, priority FROM jobs")) == before


async def test_the_rest_follows_by_itself(
    db: Path, folder: Path, start_worker: StartWorker
) -> None:
    (folder / "outage.json").write_text("[]")
    app = ConsoleApp(db, python=sys.executable, chdir=folder)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        keys = Keys(pilot)
        await keys("b")
        await until(pilot, lambda: is_read(app), "the groups")
        await keys("r", "t")
        start_worker()
        # Another screen does not keep it from going on.
        await press(pilot, "escape")
        await until(pilot, lambda: statuses(db)["failed"] == 365 - FIRST, "all of them to pass")
        assert len(keys.pressed) == 3


async def test_the_rest_stays_on_no_while_the_canary_fails(
    db: Path, folder: Path, start_worker: StartWorker
) -> None:
    (folder / "outage.json").write_text(json.dumps(incident.CUSTOMERS[:3]))
    app = ConsoleApp(db, python=sys.executable, chdir=folder)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "b")
        await until(pilot, lambda: is_read(app), "the groups")
        await press(pilot, "r", "t")
        start_worker()
        await until_said(pilot, app, "4 passed, 6 failed again (same cause)")
        await until(pilot, lambda: statuses(db)["failed"] == 361, "no more than that")
        await until_said(pilot, app, "asks about the other")
        await press(pilot, "R")
        await until_said(pilot, app, "More than a fifth of it did not pass")
        await press(pilot, "enter")
        assert statuses(db)["failed"] == 361
        # All of them is a choice of its own.
        await press(pilot, "R", "A")
        await until(pilot, lambda: statuses(db)["failed"] < 361 - 20, "them to be retried")


async def test_what_failed_again_of_another_cause_is_no_longer_of_the_group(
    db: Path, folder: Path, start_worker: StartWorker
) -> None:
    (folder / "feeds.py").write_text("def fetch_feed(customer, feed): raise LookupError(feed)\n")
    app = ConsoleApp(db, python=sys.executable, chdir=folder)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "b")
        await until(pilot, lambda: is_read(app), "the groups")
        await press(pilot, "r", "y")
        start_worker()
        await until_said(pilot, app, "0 passed, 10 failed again (another cause), 0 running")
        # As many as the question names.
        await until_said(pilot, app, f"R asks about the other {FIRST - 10}")
        await press(pilot, "R")
        await until_said(pilot, app, f"Retry all {FIRST - 10} jobs")
