"""The groups screen on a queue after a bad night: what it says, and what its keys do."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core import JobQueue
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.groups.screen import GroupsScreen
from gigq_tui.store.failures.reading import Groups, GroupsReading
from gigq_tui.store.stepwise import SoFar
from tests import incident
from tests.tui.at_once import console_on
from tests.tui.harness import press, running, screen_text, until

TITLES = (
    "ConnectionRefusedError: connect to # refused",
    "TimeoutError: no answer from shop # within # s",
    "OSError: [Errno #] No space left on device: #",
    "exceeded its timeout of # s",
    "KeyError: #",
    "ValueError: bad price in row #",
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return incident.build(tmp_path_factory.mktemp("night") / "jobs.db")


@pytest.fixture
def path(night: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "jobs.db"
    copy.write_bytes(night.read_bytes())
    return copy


def groups_of(app: ConsoleApp) -> GroupsScreen:
    assert isinstance(app.screen, GroupsScreen)
    return app.screen


def is_read(app: ConsoleApp) -> bool:
    screen = app.screen
    return isinstance(screen, GroupsScreen) and screen.groups is not None and screen.groups.is_whole


async def said(pilot: Pilot[None], app: ConsoleApp, words: str) -> None:
    await until(pilot, lambda: words in screen_text(app), words)


@asynccontextmanager
async def shown(path: Path) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "b")
        await until(pilot, lambda: is_read(app), "the groups")
        yield app, pilot


def statuses(path: Path) -> dict[str, int]:
    conn = sqlite3.connect(path)
    found = dict(conn.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall())
    conn.close()
    return found


async def test_the_night_is_six_causes(path: Path) -> None:
    async with shown(path) as (app, _):
        groups = groups_of(app).groups
        assert groups is not None
        assert [group.title for group in groups.known.groups] == list(TITLES)
        assert [group.jobs for group in groups.known.groups] == [118, 107, 69, 47, 38, 33]
        text = screen_text(app)
        assert "412 jobs, 6 causes, " in text
        assert re.search(r"KeyError: #   \(11 22 33 44 55\) +38 .* never +feeds\.py:47", text)


async def test_they_are_grouped_by_something_else(path: Path) -> None:
    async with shown(path) as (app, pilot):
        found = []
        for _ in range(4):
            await press(pilot, "s")
            await until(pilot, lambda: is_read(app), "the groups")
            groups = groups_of(app).groups
            assert groups is not None
            assert groups.known.jobs == 412
            found.append((groups.by.name, {group.value for group in groups.known.groups}))
        assert found == [
            (
                "function",
                {
                    "feeds.fetch_feed",
                    "feeds.store_feed",
                    "images.resize_image",
                    "prices.parse_prices",
                },
            ),
            ("param.customer", {"11", "22", "33", "44", "55"}),
            ("worker", {"w1", "w2", "w3"}),
            ("cause", {incident.fingerprint(cause) for cause in incident.CAUSES}),
        ]


@pytest.mark.parametrize(("presses", "jobs"), [(0, 118), (1, None), (2, None)])
async def test_enter_lists_the_jobs_of_the_group(path: Path, presses: int, jobs: int) -> None:
    async with shown(path) as (app, pilot):
        for _ in range(presses):
            await press(pilot, "s")
            await until(pilot, lambda: is_read(app), "the groups")
        current = groups_of(app).choice.current
        assert current is not None
        await press(pilot, "enter")

        def listed() -> bool:
            snapshot = app.services.picture.shown
            return snapshot is not None and snapshot.window.total == current.jobs

        await until(pilot, listed, "the jobs of the group")
        assert jobs is None or current.jobs == jobs


async def test_a_canary_waits_before_all_and_nothing_more_of_the_group_runs(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "r")
        await until(
            pilot,
            lambda: "Retry a canary of 10 of 118: ConnectionRefusedError" in screen_text(app),
            "Retry a canary of 10 of 118: ConnectionRefusedError",
        )
        await press(pilot, "enter")
        assert statuses(path)["failed"] == 365
        await press(pilot, "r", "y")
        await until(pilot, lambda: statuses(path)["failed"] == 355, "the canary to be retried")
        queue = JobQueue(path)
        waiting = [job for job in queue.list_jobs("pending") if job["priority"] == 3]
        assert len(waiting) == 10
        assert {job["params"]["customer"] for job in waiting} == set(incident.CUSTOMERS)
        queue.close()
        await said(pilot, app, "canary of 10: 0 passed")
        for key in ("r", "R"):
            await press(pilot, key)
            await until(
                pilot,
                lambda: "Wait for the canary of 10" in screen_text(app),
                "Wait for the canary of 10",
            )
        assert statuses(path)["failed"] == 355
    # The console has gone: the jobs wait on, each with the priority that it had.
    assert {job["priority"] for job in JobQueue(path).list_jobs("pending", 1000)} == {0, 1, 2}


async def test_nothing_is_cancelled_where_nothing_of_the_group_waits(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "C")
        await said(pilot, app, "Nothing to cancel")
        assert not app.front.panel.is_open


async def test_what_waits_again_of_a_group_is_cancelled(path: Path) -> None:
    queue = JobQueue(path)
    ids = [
        job["id"] for job in queue.list_jobs("failed", 1000) if "ConnectionRefused" in job["error"]
    ]
    queue.requeue_jobs(ids[:25])
    queue.close()
    async with shown(path) as (app, pilot):
        await press(pilot, "k")
        groups = groups_of(app)
        titles = [g.title for g in groups.groups.known.groups]
        for _ in range(titles.index(TITLES[0])):
            await press(pilot, "j")
        await press(pilot, "C")
        await until(
            pilot,
            lambda: "Cancel 25 jobs that failed before: ConnectionRefusedError" in screen_text(app),
            "Cancel 25 jobs that failed before: ConnectionRefusedError",
        )
        await press(pilot, "Y")
        await until(pilot, lambda: statuses(path).get("cancelled") == 25, "them to be cancelled")


async def test_marked_groups_are_retried_together(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "space", "space")
        await said(pilot, app, "2 marked")
        await press(pilot, "R")
        await until(
            pilot,
            lambda: "Retry all 225 jobs: 2 groups?" in screen_text(app),
            "Retry all 225 jobs: 2 groups?",
        )
        await press(pilot, "y")
        assert statuses(path)["failed"] == 365
        await press(pilot, "Y")
        await until(pilot, lambda: statuses(path)["failed"] == 365 - 225, "them to be retried")


async def test_the_cursor_begins_on_the_group_of_the_job_that_was_looked_at(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "/", *"KeyError", "enter")

        def listed() -> bool:
            snapshot = app.services.picture.shown
            return snapshot is not None and snapshot.window.total == 38

        await until(pilot, listed, "the matches")
        await press(pilot, "b")
        await until(
            pilot,
            lambda: is_read(app) and app.screen.choice.current.title == "KeyError: #",
            "the job's group",
        )


@pytest.mark.parametrize(("presses", "title"), [(0, TITLES[0]), (1, TITLES[-2])])
async def test_the_cursor_stays_on_the_top_while_another_becomes_the_largest(
    path: Path, monkeypatch: pytest.MonkeyPatch, presses: int, title: str
) -> None:
    held = [True]
    read_on = GroupsReading.step

    def step(self: GroupsReading, *of: Any) -> SoFar[Groups]:
        so_far = read_on(self, *of)
        if not held or not so_far.value.known.groups:
            return so_far
        # As it may be while they are read: the last but one is the largest.
        known = so_far.value.known
        early = replace(known, groups=tuple(reversed(known.groups)))
        return SoFar(replace(so_far.value, known=early, is_whole=False), 1, 2)

    monkeypatch.setattr(GroupsReading, "step", step)
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "b")
        await said(pilot, app, TITLES[-1])
        assert groups_of(app).choice.current.title == TITLES[-1]
        await press(pilot, *"j" * presses)
        held.clear()
        await until(pilot, lambda: is_read(app), "the groups")
        assert groups_of(app).choice.current.title == title


async def test_what_names_a_group_is_copied(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "y", "c")
        fingerprint = incident.fingerprint(incident.CAUSES[0])
        assert app.clipboard.endswith(f"retry --failure {fingerprint} --canary 10")
        await press(pilot, "y", "f")
        assert app.clipboard == f"fp:{fingerprint[:8]} state:failed|state:timeout"


async def test_an_empty_queue_says_so(tmp_path: Path) -> None:
    JobQueue(tmp_path / "jobs.db").close()
    async with shown(tmp_path / "jobs.db") as (app, pilot):
        assert "No job is failed now." in screen_text(app)
        await press(pilot, "r", "R", "C", "enter", "y", "space")
        assert not app.front.panel.is_open
