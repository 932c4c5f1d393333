"""Every key of the workers screen, and what it says of workers of all kinds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.reasons.why import Health
from gigq_tui.actions.workers.pool import SpawnedWorker
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.help import HelpScreen
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.workers import usage
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.models import ForeignWorker, RunningJob, WorkerRow
from gigq_tui.store.processes import ProcessFigures, Sampler
from tests.scene import NOW
from tests.tui import harness
from tests.tui.harness import (
    FakeJobs,
    give,
    make_app,
    press,
    row,
    running,
    screen_text,
    services_of,
    settle,
    until,
)

SETUP = WorkerSetup(sys.executable, Path("/srv"))
JOB = RunningJob("aaaaaaaa-0000", "resize_image", NOW - timedelta(seconds=58))
OTHER = RunningJob("bbbbbbbb-0000", "train_fold", NOW - timedelta(seconds=102))


def worker(id: str, **values: Any) -> WorkerRow:
    usual: dict[str, Any] = {
        "done": 904,
        "failed": 31,
        "last_claim_at": NOW - timedelta(seconds=58),
    }
    return harness.worker(id, **{**usual, **values})


IDLE = worker("w1")
BUSY = worker("w2", slots=2, running=(JOB, OTHER))
LOST = worker("w3", health=Health.LOST, running=(JOB,))
STOPPED = worker("w4", health=Health.STOPPED, state="stopped", stopped_at=NOW)
FOREIGN = ForeignWorker("worker-5f2c", (JOB,))


@dataclass
class Pool:
    """The workers that the console started, without any process."""

    ids: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    setup: WorkerSetup = SETUP
    started: set[str] = field(default_factory=set)

    def alive(self) -> tuple[SpawnedWorker, ...]:
        return tuple(SpawnedWorker(id, 4100, Path("w.log")) for id in self.ids)

    def reap(self) -> tuple[()]:
        return ()

    def spawn(self) -> SpawnedWorker:
        self.calls.append(("spawn", str(self.setup.slots)))
        return SpawnedWorker("w9", 4109, Path("w9.log"))

    def drain(self, worker_id: str) -> None:
        self.calls.append(("stop", worker_id))

    def kill(self, worker_id: str) -> bool:
        self.calls.append(("kill", worker_id))
        return True

    def staying(self) -> tuple[SpawnedWorker, ...]:
        return self.alive()

    def drain_some(self, count: int, *, busy_too: bool) -> tuple[list[str], list[str]]:
        self.calls.append(("drain_some", f"{count} {busy_too}"))
        idle = [name for name in reversed(self.ids) if name not in self.busy][:count]
        rest = [name for name in reversed(self.ids) if name in self.busy] if busy_too else []
        return idle, rest[: count - len(idle)]


def workers_app(own: Sequence[str] = (), **options: Any) -> tuple[ConsoleApp, FakeJobs, Pool]:
    app = make_app(**options)
    acts, pool = FakeJobs(), Pool(list(own))
    app.services.actions.jobs = acts
    app.services.workers.pool = pool
    return app, acts, pool


async def open_workers(pilot: Pilot[None], *rows: WorkerRow, **values: Any) -> WorkersScreen:
    await give(pilot, [row(1)], workers=rows, **values)
    screen = WorkersScreen(services_of(pilot))
    pilot.app.push_screen(screen)
    await settle(pilot)
    return screen


async def test_lost_ones_stand_first_and_are_counted() -> None:
    app, _, _ = workers_app(["w1"])
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY, LOST, STOPPED, foreign_workers=(FOREIGN,))
        assert list(screen.entries) == [
            "w3",
            "w1",
            "w2",
            f"w2/{OTHER.id}",
            "gigq:worker-5f2c",
            "w4",
        ]
        text = screen_text(app)
        assert "1 LOST   2 workers alive (1 busy, 1 idle)" in text
        assert "ORPHAN resize_image  58s" in text
        assert "train_fold" in text
        assert "this one" in text
        assert "w3: its process 4103 is gone. r releases its 1 job." in text


@pytest.mark.parametrize(
    ("keys", "id"),
    [
        (("j",), "w2"),
        (("down", "down"), f"w2/{OTHER.id}"),
        (("G",), "w4"),
        (("end", "k"), f"w2/{OTHER.id}"),
        (("end", "up"), f"w2/{OTHER.id}"),
        (("G", "g"), "w1"),
        (("G", "home"), "w1"),
        (("pagedown",), "w4"),
        (("G", "pageup"), "w1"),
        (("ctrl+d", "ctrl+u"), "w1"),
    ],
)
async def test_moving(keys: tuple[str, ...], id: str) -> None:
    app, _, _ = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY, STOPPED)
        await press(pilot, *keys)
        assert screen.roster.cursor_id == id


async def test_no_worker_says_what_to_do() -> None:
    app, _, pool = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        await open_workers(pilot)
        text = screen_text(app)
        assert "Press + to start one" in text
        assert "A GigQ worker keeps no register: it is listed while it runs a job." in text
        assert str(app.services.settings.python) in text
        await press(pilot, "plus")
        assert pool.calls == [("spawn", "1")]


async def test_no_worker_read_only() -> None:
    app, _, pool = workers_app(read_only=True)
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot)
        assert "gigq-core --db /srv/queues/jobs.db worker" in screen_text(app)
        await press(pilot, "plus")
        assert pool.calls == []
        assert "read-only" in screen.notice_line.text


async def test_enter_opens_the_job_of_the_line() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, BUSY)
        await press(pilot, "j", "enter")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.job.id == OTHER.id


async def test_enter_on_an_idle_one() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, "enter")
        assert app.screen is screen
        assert screen.notice_line.text == "This worker has no running job."


async def test_stopping_our_own_and_anothers() -> None:
    app, acts, pool = workers_app(["w1"])
    async with running(app) as pilot:
        await open_workers(pilot, IDLE, BUSY)
        await press(pilot, "c", "n", "c", "y", "j", "c", "y")
        assert pool.calls == [("stop", "w1")]
        assert acts.calls == [("ask", ("w2", "drain"))]


async def test_killing_asks_first_and_says_what_it_holds() -> None:
    app, acts, pool = workers_app(["w2"])
    async with running(app) as pilot:
        screen = await open_workers(pilot, BUSY)
        await press(pilot, "C")
        assert screen.panel.question is not None
        assert "2 jobs (resize_image, train_fold)" in screen.panel.question.details[0]
        await press(pilot, "enter")
        assert pool.calls == []
        await press(pilot, "C", "y")
        assert pool.calls == [("kill", "w2")]
        assert acts.calls == []


async def test_killing_anothers_is_asked_through_its_row() -> None:
    app, acts, pool = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, "C")
        assert screen.panel.question is not None
        assert "through the queue file" in " ".join(screen.panel.question.details)
        await press(pilot, "y")
        assert acts.calls == [("ask", ("w1", "stop"))]
        assert pool.calls == []


@pytest.mark.parametrize(
    ("changes", "request_made"),
    [
        ({}, "pause"),
        ({"state": "paused"}, "resume"),
        ({"request": "pause"}, "resume"),
        ({"state": "paused", "request": "resume"}, "pause"),
    ],
)
async def test_pausing_and_resuming(changes: dict[str, Any], request_made: str) -> None:
    app, acts, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, replace(IDLE, **changes))
        await press(pilot, "P", "enter")
        assert acts.calls == []
        await press(pilot, "P", "y")
        assert acts.calls == [("ask", ("w1", request_made))]


async def test_releasing_the_jobs_of_a_lost_one() -> None:
    app, acts, _ = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, LOST)
        await press(pilot, "r")
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Release 1 job of w3?"
        await press(pilot, "y")
        assert acts.calls == [("release", (JOB.id,))]


async def test_releasing_needs_a_lost_one() -> None:
    app, acts, _ = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, BUSY)
        await press(pilot, "r")
        assert "lost worker" in screen.notice_line.text
        assert acts.calls == []


@pytest.mark.parametrize("key", ["c", "C", "P"])
@pytest.mark.parametrize(
    ("rows", "foreign", "sentence"),
    [
        ((LOST,), (), "w3 is gone: r releases its jobs."),
        ((STOPPED,), (), "w4 has stopped already."),
        (
            (),
            (FOREIGN,),
            "GigQ workers can't be controlled from here: stop it where it was started.",
        ),
    ],
)
async def test_who_can_t_be_asked(
    key: str, rows: tuple[WorkerRow, ...], foreign: tuple[ForeignWorker, ...], sentence: str
) -> None:
    app, acts, pool = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, *rows, foreign_workers=foreign)
        await press(pilot, key)
        assert screen.notice_line.text == sentence
        assert not screen.panel.is_open
        assert acts.calls == []
        assert pool.calls == []


async def test_spawning_and_stopping_an_idle_one() -> None:
    app, _, pool = workers_app(["w1"])
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "plus", "minus")
        assert pool.calls == [("spawn", "1"), ("drain_some", "1 False")]


async def test_read_only_refuses() -> None:
    app, acts, pool = workers_app(["w2"], read_only=True)
    async with running(app) as pilot:
        screen = await open_workers(pilot, BUSY)
        for key in ("c", "C", "P", "r", "plus", "minus"):
            await press(pilot, key)
            assert "read-only" in screen.notice_line.text
        assert not screen.panel.is_open
        assert acts.calls == []
        assert pool.calls == []


async def test_the_log_of_the_worker_under_the_cursor(tmp_path: Path) -> None:
    log = tmp_path / "w1.log"
    log.write_bytes(
        b"2026-11-23 12:04:19,000 - gigq_core.worker - WARNING - Job "
        b"33d91e8b-76cb-59a1-9678-b0b37c846a88 (\x1b[31mred) ended\n"
    )
    app, _, _ = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, replace(IDLE, log_path=str(log)), BUSY)
        await settle(pilot)
        text = screen_text(app)
        assert "12:04:19 WARNING  Job 33d91e8b (\ufffd[31mred) ended" in text
        await press(pilot, "l")
        assert "gigq_core.worker - WARNING - Job 33d91e8b-76cb-59a1" in screen_text(app)
        assert not screen.roster.display
        await press(pilot, "escape")
        assert screen.roster.display
        assert app.screen is screen
        await press(pilot, "j", "l")
        assert screen.notice_line.text == "This worker has no log file."
        assert "w2 has no log file" in screen_text(app)


async def test_a_log_that_is_gone(tmp_path: Path) -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, replace(IDLE, log_path=str(tmp_path / "none.log")))
        await settle(pilot)
        assert "There is no file" in screen_text(app)


async def test_processor_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage.socket, "gethostname", lambda: "etl-3")
    cpu = count(10.0, 1.0)
    seconds = count(0.0, 2.0)
    sampler = Sampler(
        lambda: {IDLE.pid: ProcessFigures(1, 5.0, next(cpu), 212 * 1024 * 1024)},
        lambda: next(seconds),
    )
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await give(pilot, [row(1)], workers=(IDLE,))
        screen = WorkersScreen(app.services, sampler)
        app.push_screen(screen)
        await settle(pilot)
        await until(pilot, lambda: "212M" in screen_text(app), "what the process uses")
        screen.usage._polls = 0
        screen.poll()
        await settle(pilot)
        assert screen.usage.by_pid[IDLE.pid].cpu_percent == 50.0
        line = next(line for line in screen_text(app).splitlines() if "> w1" in line)
        assert " 50 " in line


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_back(key: str) -> None:
    app, _, _ = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, key)
        assert app.screen is not screen


async def test_help_copy_and_pause() -> None:
    app, _, _ = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, "y", "i")
        assert app.clipboard == "4101"
        await press(pilot, "p")
        await give(pilot, [row(1)], workers=(IDLE, BUSY))
        assert list(screen.entries) == ["w1"]
        await press(pilot, "p")
        assert "w2" in screen.entries
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)


async def test_the_cursor_stays_on_its_worker() -> None:
    app, _, _ = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY)
        await press(pilot, "j")
        await give(pilot, [row(1)], workers=(LOST, IDLE, BUSY))
        assert screen.roster.cursor_id == "w2"


async def test_names_are_inert() -> None:
    evil = replace(IDLE, id="w1\x1b[31m[b]", owner="\u202ex", log_path="/no/\x07where.log")
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, evil)
        text = screen_text(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\x07" not in text


@pytest.mark.parametrize("size", [(80, 24), (120, 32)])
async def test_a_worker_that_stands_still_is_told_so(size: tuple[int, int]) -> None:
    app, _, _ = workers_app()
    async with running(app, size=size) as pilot:
        await open_workers(pilot, replace(BUSY, suspended=True), IDLE)
        shown = screen_text(app)
        assert "! suspended " in shown
        assert f"kill -CONT {BUSY.pid}" in shown
        assert "1 suspended" in shown
