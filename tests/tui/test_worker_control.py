"""What is asked of workers, and that what came of it is told when the file says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_core import JobQueue
from gigq_core.errors import GigQError
from gigq_core.reasons.why import Health
from gigq_core.status import Change, Outcome
from gigq_tui.actions.report import Report
from gigq_tui.actions.workers.pending_requests import ANSWER_WITHIN_S
from gigq_tui.actions.workers.pool import Ended
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.models import ForeignWorker, WorkerRow
from tests import scene
from tests.scene import NOW
from tests.tui.harness import give, press, row, running, screen_text, settle
from tests.tui.test_workers_screen import BUSY, IDLE, JOB, LOST, OTHER, open_workers, workers_app


async def see(pilot: Pilot[None], *rows: WorkerRow) -> str:
    """The workers as the file has them by now, a tick later; what is told then."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await give(pilot, [row(1)], workers=rows)
    app._tick()
    await settle(pilot)
    screen = app.front
    assert screen is not None
    return screen.notice_line.text


async def test_a_pause_is_asked_until_the_worker_answers() -> None:
    app, acts, _ = workers_app()
    async with running(app) as pilot:
        screen = await open_workers(pilot, BUSY)
        await press(pilot, "P", "y")
        assert acts.calls == [("ask", ("w2", "pause"))]
        assert await see(pilot, replace(BUSY, request="pause")) == "ask done"
        text = screen_text(app)
        assert "* pausing" in text
        assert "1 pausing" in text
        screen.notice_line.clear()
        assert "pause requested, no answer yet" in screen_text(app)
        assert (
            await see(pilot, replace(BUSY, state="paused"))
            == "w2 paused; its running jobs continue"
        )
        assert not app.services.workers.requests.waiting


async def test_silence_is_said_and_stays_beside_the_worker() -> None:
    clock = FrozenClock(NOW)
    app, _, _ = workers_app(clock=clock)
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, "P", "y")
        asked = replace(IDLE, request="pause")
        await see(pilot, asked)
        clock.advance(ANSWER_WITHIN_S)
        assert "w1 has not answered for 5s (pause requested)" in await see(pilot, asked)
        await press(pilot, "g")
        assert "No answer.  w1: pause requested" in screen_text(app)
        assert screen.roster.cursor_id == "w1"


async def test_stop_now_is_told_with_what_became_of_the_job(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    app, acts, _ = workers_app(path=path)
    held = replace(JOB, id=scene.job_id("mail_digest"), name="mail_digest")
    busy = replace(IDLE, running=(held,))
    async with running(app) as pilot:
        await open_workers(pilot, busy)
        await press(pilot, "C", "y")
        assert acts.calls == [("ask", ("w1", "stop"))]
        assert await see(pilot, replace(busy, request="stop")) == "ask done"
        stopped = replace(IDLE, state="stopped", health=Health.STOPPED, stopped_at=NOW)
        assert await see(pilot, stopped) == ("w1 ended; its job mail_digest went back to the queue")


async def test_a_worker_that_dies_between_the_key_and_the_act() -> None:
    app, acts, pool = workers_app(["w1"])
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY)

        def gone(worker_id: str) -> None:
            raise GigQError(f"{worker_id} is not a running worker of this console.")

        pool.drain = gone  # type: ignore[method-assign]
        await press(pilot, "c", "y")
        assert screen.notice_line.text == "w1 is not a running worker of this console."
        assert not app.services.workers.requests.waiting
        acts.trouble = GigQError("Worker w2 is not running.")
        await press(pilot, "j", "c", "y")
        assert screen.notice_line.text == "Worker w2 is not running."
        assert not app.services.workers.requests.waiting
        # One whose row still says that it runs is asked, and found dead.
        acts.trouble = None
        await press(pilot, "P", "y")
        assert "w2 died without answering: w, then r on its line," in await see(
            pilot, replace(BUSY, health=Health.LOST)
        )


async def test_one_that_is_ending_is_not_asked_again() -> None:
    app, acts, pool = workers_app(["w1"])
    async with running(app) as pilot:
        screen = await open_workers(pilot, replace(IDLE, state="draining"))
        await press(pilot, "c")
        assert screen.notice_line.text == "w1 is ending already: C kills it."
        await press(pilot, "P")
        assert "can't be paused" in screen.notice_line.text
        assert acts.calls == pool.calls == []


async def test_several_ends_are_told_in_one_notice() -> None:
    app, _, pool = workers_app(["w1", "w2"])
    ended = [Ended("w1", 0, ""), Ended("w2", 3, "no such interpreter")]
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE)
        pool.reap = lambda: tuple(ended)  # type: ignore[method-assign, assignment, return-value]
        app._tick()
        await settle(pilot)
        assert screen.notice_line.text == (
            "worker w1 ended; worker w2 ended with exit code 3: no such interpreter"
        )
        assert screen.notice_line.tone == "error"


async def test_with_none_idle_the_youngest_may_finish() -> None:
    app, _, pool = workers_app(["w1", "w2"])
    pool.busy = ["w1", "w2"]
    async with running(app) as pilot:
        screen = await open_workers(pilot, BUSY)
        await press(pilot, "minus")
        assert screen.panel.question is not None
        assert "This console has no idle worker" in screen.panel.plain
        assert "w2, is running resize_image and train_fold; it can end then" in screen.panel.plain
        await press(pilot, "enter")
        assert pool.calls == [("drain_some", "1 False")]
        await press(pilot, "minus", "y")
        assert pool.calls[-1] == ("stop", "w2")
        assert "draining w2 after its job" in screen.notice_line.text


async def test_a_release_is_told_job_by_job() -> None:
    app, acts, _ = workers_app()
    outcomes = (
        Outcome(JOB.id, Change.RELEASED, "it waits for another attempt"),
        Outcome(OTHER.id, Change.REFUSED, "its worker w3 lives: cancel it instead"),
    )
    acts.release = lambda ids: Report("released 1, 1 refused", outcomes)  # type: ignore[method-assign]
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, replace(LOST, running=(JOB, OTHER)))
        await press(pilot, "r", "y")
        text = screen_text(app)
        assert "resize_image aaaaaaaa: it waits for another attempt" in text
        assert "train_fold bbbbbbbb: its worker w3 lives: cancel it instead" in text
        await press(pilot, "escape")
        assert not screen.panel.is_open


async def test_r_on_an_orphan_releases_it_from_the_jobs_screen() -> None:
    app, acts, _ = workers_app()
    orphan = row(1, "export_parquet", "running", holder=Health.LOST, holder_pid=3988)
    failed = row(2, "resize", "failed")
    async with running(app) as pilot:
        await give(pilot, [orphan, failed])
        screen = app.screen
        assert isinstance(screen, JobsScreen)
        await press(pilot, "r")
        assert "Release 1 job?" in screen.panel.plain
        assert f"export_parquet {orphan.id[:8]}" in screen.panel.plain
        await press(pilot, "y")
        assert acts.calls == [("release", (orphan.id,))]
        # A failed one beside it is retried as ever; the running one can't be.
        await press(pilot, "space", "space", "r")
        assert "Retry 1 of 2 jobs?" in screen.panel.plain
        assert "1 can't be retried: 1 is running." in screen.panel.plain


async def test_pausing_the_queue_names_who_will_not_heed_it() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        theirs = (ForeignWorker("worker-5f2c", (JOB,)),)
        await give(pilot, [row(1)], foreign_workers=theirs)
        await press(pilot, "P")
        assert app.front is not None
        assert "GigQ worker worker-5f2c can't be paused." in app.front.panel.plain
        await press(pilot, "y")
        assert app.front.notice_line.text == (
            "queue paused: running jobs finish, but GigQ worker worker-5f2c can't be paused"
        )
        await give(pilot, [row(1)], foreign_workers=theirs, paused=True)
        await press(pilot, "P", "y")
        assert app.front.notice_line.text == "paused done"


@pytest.mark.parametrize("is_read", [False, True])
async def test_the_notice_of_a_dead_worker_goes_once_its_jobs_are_rescued(
    tmp_path: Path, is_read: bool
) -> None:
    path = scene.build(tmp_path / "jobs.db")
    app, _, pool = workers_app(["w9"], path=path)
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        pool.reap = lambda: (Ended("w9", -9, ""),)  # type: ignore[method-assign,assignment,return-value]
        assert "still holding export_parquet" in await see(pilot, IDLE)
        pool.reap = lambda: ()  # type: ignore[method-assign]
        assert "still holding export_parquet" in await see(pilot, IDLE)
        if is_read:
            # A key took it away: it does not come back.
            await press(pilot, "j")
        queue = JobQueue(path)
        with queue._writing() as conn:
            conn.execute(
                "UPDATE jobs SET status = 'pending', worker_id = NULL, execution_id = NULL "
                "WHERE worker_id = 'w9' AND status = 'running'"
            )
        queue.close()
        rescued = "worker w9 was ended by SIGKILL; its job export_parquet went back to the queue"
        assert await see(pilot, IDLE) == ("" if is_read else rescued)
