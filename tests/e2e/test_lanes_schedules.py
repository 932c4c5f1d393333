"""A lane that is paused and full, and a paused schedule, set going with keys; a worker runs all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.e2e.terminal import ConsoleTerminal
from tests.e2e.test_console import running, worker_pids
from tests.waiting import wait_until

PROJECT = """
import pathlib
import threading


def fetch(number):
    return number


def hold(gate):
    while not pathlib.Path(gate).exists():
        threading.Event().wait(0.02)


def sweep():
    return "swept"
"""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """A queue of its own, beside its project; whatever works on it at the end is ended."""
    (tmp_path / "lanes_of_terminal.py").write_text(PROJECT)
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    (tmp_path / "gate").touch()
    queue.close()
    for pid in running(worker_pids(tmp_path / "jobs.db")):
        os.kill(pid, signal.SIGKILL)


def job(name: str, function: str, **more: Any) -> Job:
    return Job(name, FunctionReference.parse(f"lanes_of_terminal.{function}"), **more)


def worker(path: Path) -> None:
    """Start a worker with two slots, beside the console."""
    words = ["-m", "gigq_core", "--db", str(path), "worker", "--concurrency", "2"]
    nowhere = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, *words], cwd=path.parent, stdin=nowhere, stdout=nowhere, stderr=nowhere
    )


def done(queue: JobQueue) -> set[str]:
    return {found["name"] for found in queue.list_jobs() if found["status"] == "completed"}


def test_a_lane_and_a_schedule_are_resumed_and_a_worker_runs_their_jobs(
    queue: JobQueue, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    queue.set_lane("fetch:*", running=1)
    queue.submit(job("holder", "hold", params={"gate": str(gate)}, lane="fetch:b", priority=1))
    for number in (1, 2):
        queue.submit(job(f"a{number}", "fetch", params={"number": number}, lane="fetch:a"))
        queue.submit(job(f"b{number}", "fetch", params={"number": number}, lane="fetch:b"))
    queue.pause_lane("fetch:a")
    queue.schedule("sweep", "every 1s", job("sweep", "sweep"))
    queue.pause_schedule("sweep")
    with ConsoleTerminal(
        "--chdir", tmp_path, tmp_path / "jobs.db", "--open", "lanes", cwd=tmp_path
    ) as terminal:
        terminal.wait_for(r"fetch:a .*paused")
        worker(tmp_path / "jobs.db")
        terminal.wait_for(r"fetch:b .*full: 1 of 1 run")
        assert done(queue) == set()
        # The paused lane is on top, since nothing of it starts.
        terminal.press("/fetch:a\r")
        terminal.wait_until_gone("fetch:b")
        terminal.press("P")
        terminal.wait_for("lane resume")
        terminal.press("y")
        wait_until(lambda: done(queue) == {"a1", "a2"}, what="the jobs of the lane")
        terminal.press("@")
        terminal.wait_for(r"sweep .*paused")
        assert "sweep" not in done(queue)
        terminal.press("P")
        wait_until(lambda: "sweep" in done(queue), what="the schedule's job")
        terminal.wait_for(r"\+ ")
        gate.touch()
        wait_until(lambda: {"holder", "b1", "b2"} <= done(queue), what="what the lane held back")
        terminal.press("P")
        wait_until(lambda: queue.schedules()[0].paused_at is not None, what="the pause")
        # From the schedules over the lanes to the jobs, and out.
        terminal.press("qqq")
        assert terminal.wait_for_end() == 0
        assert terminal.restored()
