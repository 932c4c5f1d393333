"""Two consoles after one another on one file, with real workers: started, killed, left, asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.workers.screen import WorkersScreen
from tests.tui.harness import running, until
from tests.waiting import wait_until

PROJECT = """
import os
import time


def work(seconds):
    time.sleep(seconds)
    return [os.getcwd(), os.environ.get("COLOUR")]
"""


def real_app(path: Path) -> ConsoleApp:
    return ConsoleApp(path, python=sys.executable, chdir=path.parent)


def workers_screen(app: ConsoleApp) -> WorkersScreen:
    screen = app.screen
    assert isinstance(screen, WorkersScreen)
    return screen


def says(app: ConsoleApp, text: str) -> Callable[[], bool]:
    return lambda: app.front is not None and text in app.front.notice_line.text


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A queue's file; no worker on it outlives the test, however that ends."""
    file = tmp_path / "jobs.db"
    JobQueue(file).close()
    yield file
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(file) in words and "worker" in words:
            process.kill()


async def test_workers_outlive_one_console_and_obey_the_next(path: Path) -> None:
    project = path.parent / "project"
    project.mkdir()
    (project / "outliving.py").write_text(PROJECT)
    queue = JobQueue(path)

    def submit(name: str, seconds: float) -> str:
        return queue.submit(Job(name, FunctionReference("outliving", "work"), {"seconds": seconds}))

    def status(job: str) -> str:
        return str(queue.get_status(job)["status"])

    long = submit("long", 60)
    app = real_app(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "the file to be read")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WorkersScreen), "the screen")
        await pilot.press("equals_sign")
        screen = workers_screen(app)
        await until(pilot, lambda: screen.count.panel and screen.count.panel.rows, "the panel")
        panel = screen.count.panel
        assert panel is not None
        panel.rows["folder"].field.value = str(project)
        panel.rows["environment"].field.value = "COLOUR='deep red'"
        await pilot.press("alt+s")
        await until(pilot, says(app, "started worker"), "a worker to be started")
        await until(pilot, lambda: status(long) == "running", "the job to run")
        await until(pilot, lambda: any(e.job for e in screen.entries.values()), "its line")
        await pilot.press("C")
        await until(pilot, lambda: screen.panel.is_open, "the question")
        await pilot.press("y")
        await until(pilot, says(app, "ended; its job long went back to the queue"), "the end")
        assert status(long) == "pending"
        assert queue.cancel(long)

        short = submit("short", 0)
        await pilot.press("plus")
        await until(pilot, lambda: status(short) == "completed", "the short job")
        assert queue.get_status(short)["result"] == [str(project), "deep red"]
        (left,) = app.services.workers.pool.alive()
        await pilot.press("ctrl+c", "ctrl+c")
        await until(pilot, lambda: screen.panel.is_open, "the question")
        await pilot.press("l")
        await until(pilot, lambda: app._exit, "the console to leave")
    assert psutil.pid_exists(left.pid)

    last = submit("last", 0.3)
    app = real_app(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "the file to be read")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WorkersScreen), "the screen")
        screen = workers_screen(app)
        await until(pilot, lambda: left.worker_id in screen.entries, "the worker's line")
        assert app.services.workers.pool.alive() == ()
        entry = screen.entries[left.worker_id]
        assert entry.worker is not None
        assert entry.worker.owner == "console"
        for _ in screen.entries:
            if screen.roster.cursor_id != left.worker_id:
                await pilot.press("j")
        assert screen.roster.cursor_id == left.worker_id
        await pilot.press("c")
        await until(pilot, lambda: screen.panel.is_open, "the question")
        await pilot.press("y")
        await until(pilot, says(app, f"{left.worker_id} ended"), "the worker to end")
    assert status(last) in ("completed", "pending")
    wait_until(lambda: not psutil.pid_exists(left.pid), what="no process and no zombie")


async def test_a_worker_that_would_find_no_function_is_not_started_but_by_choice(
    path: Path,
) -> None:
    queue = JobQueue(path)
    job_id = queue.submit(Job(name="j", function=FunctionReference("not_here", "work")))
    app = real_app(path)
    async with running(app, size=(80, 24)) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "the file to be read")
        await pilot.press("plus")
        await until(pilot, says(app, "Not started, = sets up workers"), "the refusal")
        assert "No module named" in app.screen.notice_line.text
        assert app.services.workers.pool.alive() == ()
        assert queue.get_status(job_id)["attempts"] == 0
    queue.close()
