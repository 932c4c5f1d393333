"""Queues and real workers for the tests: each worker is a process, and none outlives its test."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from gigq_core import Job, JobQueue, Worker
from gigq_core.system.identity import process_start
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]
# A timeout within which a function has begun its work, on a busy machine too, in seconds.
BEGUN_BY_S = 2
FINAL = ("completed", "failed", "cancelled", "timeout")


def gone(pid: int) -> bool:
    """Whether no such process lives; a zombie does not."""
    return process_start(pid) is None


class Place:
    """A queue file in a folder of its own, with the workers that a test starts on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "jobs.db"
        self.queue = JobQueue(self.db)
        self._workers: list[subprocess.Popen[bytes]] = []

    def submit(self, function: Callable[..., Any], *, name: str = "job", **options: Any) -> str:
        """Submit one job; `params` and the rest are those of `Job`."""
        return self.queue.submit(Job(name, function, **options))

    def worker(self, *options: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start `gigq-core worker`, and wait until it is in the register."""
        before = self.live_workers()
        command = [sys.executable, "-m", "gigq_core", "--db", str(self.db), "worker"]
        chdir = "--remote-chdir" if "--via" in options else "--chdir"
        with open(self.folder / f"worker-{len(self._workers)}.log", "wb") as log:
            process = subprocess.Popen(
                [*command, chdir, str(ROOT), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._workers.append(process)
        if wait:
            wait_until(
                lambda: process.poll() is not None or self.live_workers() - before,
                what="the worker to begin",
            )
            assert process.poll() is None, self.log()
        return process

    def log(self) -> str:
        """What the workers said."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def live_workers(self) -> set[str]:
        """The ids of workers that have not said goodbye."""
        rows = self.rows("SELECT id FROM core_workers WHERE state <> 'stopped'")
        return {row["id"] for row in rows}

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask the file directly."""
        conn = sqlite3.connect(self.db, timeout=20)
        conn.row_factory = sqlite3.Row
        conn.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            return [dict(row) for row in conn.execute(statement, values).fetchall()]
        finally:
            conn.close()

    def change(self, statement: str, *values: object) -> None:
        """Write to the file directly."""
        conn = sqlite3.connect(self.db, timeout=20)
        try:
            with conn:
                conn.execute(statement, values)
        finally:
            conn.close()

    def job(self, job_id: str) -> dict[str, Any]:
        return self.queue.get_status(job_id)

    def status(self, job_id: str) -> str:
        return str(self.job(job_id)["status"])

    def ended(self, *job_ids: str, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Wait until the jobs have ended, and return them."""
        try:
            wait_until(
                lambda: all(self.status(job_id) in FINAL for job_id in job_ids),
                timeout_s,
                "the jobs to end",
            )
        except AssertionError as problem:
            states = [(self.job(j)["name"], self.status(j)) for j in job_ids]
            raise AssertionError(f"{problem}\n{states}\n{self.log()}") from None
        return [self.job(job_id) for job_id in job_ids]

    def end(self, job_id: str) -> dict[str, Any]:
        """Wait until one job has ended, and return it."""
        return self.ended(job_id)[0]

    def lines(self, name: str, at_least: int = 1) -> list[str]:
        """Wait until a job's notes have so many lines, and return them."""
        path = self.folder / name

        def read() -> list[str]:
            found = path.read_text().splitlines() if path.exists() else []
            return found if len(found) >= at_least else []

        return wait_until(read, what=f"{at_least} lines in {name}:\n{self.log()}")

    def pids(self, name: str) -> list[int]:
        """The processes that a job noted, once it has."""
        return [int(word) for word in " ".join(self.lines(name)).split()]

    def progress(self, job_id: str) -> dict[str, Any]:
        """What a job has reported last, without the time of it; empty if it is nothing."""
        told: dict[str, Any] | None = self.job(job_id)["progress"]
        if told is None:
            return {}
        assert abs(told.pop("at") - time.time()) < 60
        return told

    def until_told(self, job_id: str, **values: Any) -> None:
        """Wait until a job has reported that."""
        wait_until(
            lambda: (found := self.progress(job_id)) and found.items() >= values.items(),
            what=f"{values} to be told",
        )

    def saved(self, job_id: str) -> Any:
        """What a job has saved, as the file holds it; None for nothing."""
        rows = self.rows("SELECT saved FROM core_saves WHERE job_id = ?", job_id)
        return json.loads(rows[0]["saved"]) if rows else None

    def close(self) -> None:
        for process in self._workers:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.queue.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


class Works(Protocol):
    """Starts a worker with two slots."""

    def __call__(self) -> None: ...


@pytest.fixture(params=["process", "thread"])
def works(place: Place, request: pytest.FixtureRequest) -> Iterator[Works]:
    """Starts a worker of either kind, which ends with the test."""
    made: list[tuple[Worker, threading.Thread]] = []

    def start() -> None:
        if request.param == "process":
            place.worker("--concurrency", "2")
            return
        worker = Worker(place.db, concurrency=2)
        thread = threading.Thread(target=worker.start)
        thread.start()
        made.append((worker, thread))

    yield start
    for worker, thread in made:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()


def stop(process: subprocess.Popen[bytes], signum: int = signal.SIGTERM) -> int:
    """Signal a worker and wait for its end; returns the exit code."""
    os.kill(process.pid, signum)
    return process.wait(timeout=20)
