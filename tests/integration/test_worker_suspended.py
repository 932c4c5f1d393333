"""Workers that stand still: what is taken from them, when, and what they say when they go on."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gigq_core import Worker
from gigq_core.system.identity import is_suspended
from gigq_core.worker import supervisor
from gigq_core.worker.rescue import LEASE_S, HeartbeatWatch
from gigq_core.worker.stuck import GRACE_S
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.integration import chores
from tests.integration.conftest import Place, gone
from tests.waiting import wait_until


@contextmanager
def suspended(worker: subprocess.Popen[bytes]) -> Iterator[None]:
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: is_suspended(worker.pid), what="the worker to stand still")
    try:
        yield
    finally:
        if worker.poll() is None:
            os.kill(worker.pid, signal.SIGCONT)


def holding(place: Place, tmp_path: Path, name: str, **options: object) -> tuple[str, int]:
    """A job that holds, and the process in which it does."""
    path = str(tmp_path / name)
    job_id = place.submit(chores.hold, name=name, params={"path": path}, **options)
    return job_id, place.pids(name)[0]


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_job_past_its_timeout_is_taken_from_a_suspended_worker(
    place: Place, tmp_path: Path, attempts: int
) -> None:
    worker = place.worker("--worker-id", "asleep")
    job_id, child = holding(place, tmp_path, "held", timeout=3, max_attempts=attempts)
    with suspended(worker):
        place.worker("--worker-id", "awake")
        began = time.monotonic()
        wait_until(
            lambda: place.job(job_id)["executions"][0]["status"] == "timeout", what="the timeout"
        )
        assert time.monotonic() - began < LEASE_S / 2
        # Nothing is left that could go on with it.
        assert gone(worker.pid)
        wait_until(lambda: gone(child), what="its process to be gone")
    job = place.end(job_id)
    told = "Job timed out after 3 seconds: its worker was suspended, and did not stop it"
    assert job["executions"][0]["error"] == told
    assert (job["status"], job["attempts"]) == ("timeout", attempts)
    if attempts == 2:
        assert job["executions"][1]["worker_id"] == "awake"
    else:
        assert job["error"] == told


def test_what_is_within_its_time_stays_with_a_suspended_worker(
    place: Place, tmp_path: Path
) -> None:
    worker = place.worker("--worker-id", "asleep", "--concurrency", "2")
    early, other = holding(place, tmp_path, "early", timeout=300)
    late, child = holding(place, tmp_path, "late", timeout=3, max_attempts=1)
    with suspended(worker):
        observer = place.worker("--worker-id", "awake")
        job = place.end(late)
        assert job["status"] == "timeout"
        assert gone(child)
        assert not gone(worker.pid)
        assert not gone(other)
        assert place.job(early)["worker_id"] == "asleep"
    os.kill(observer.pid, signal.SIGTERM)
    observer.wait(timeout=20)
    # It goes on: what it says of the one is discarded, and the other is still its own.
    wait_until(lambda: "This worker did not run for" in place.log(), what="what it says")
    assert place.status(late) == "timeout"
    assert place.job(early)["worker_id"] == "asleep"
    assert place.queue.cancel(early)
    assert place.end(early)["status"] == "cancelled"
    assert "Traceback" not in place.log()


def test_a_job_within_its_time_is_not_taken_before_the_lease(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "asleep")
    job_id, _ = holding(place, tmp_path, "held", timeout=300)
    with suspended(worker):
        place.worker("--worker-id", "awake")
        until = time.monotonic() + GRACE_S
        wait_until(lambda: time.monotonic() > until, what="a few rounds")
        assert not gone(worker.pid)
        assert place.job(job_id)["worker_id"] == "asleep"
    wait_until(lambda: "This worker did not run for" in place.log(), what="what it says")
    assert "was taken from this worker" not in place.log()
    assert place.status(job_id) == "running"


def test_one_that_stood_still_in_the_midst_of_a_step_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, collect = time.monotonic, supervisor.Supervisor._collect
    gone_s, stops = [0.0], threading.Event()

    def stands_still(self: supervisor.Supervisor) -> None:
        if stops.is_set():
            stops.clear()
            gone_s[0] += 10.0
        collect(self)

    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: clock() + gone_s[0])
    monkeypatch.setattr(supervisor.Supervisor, "_collect", stands_still)
    worker = Worker(place.db)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        assert place.end(place.submit(chores.nothing))["status"] == "completed"
        assert "did not run for" not in caplog.text
        stops.set()
        assert place.end(place.submit(chores.nothing))["status"] == "completed"
        wait_until(lambda: "This worker did not run for 10 s" in caplog.text)
    finally:
        worker.stop()
        thread.join(20)


def test_one_that_goes_on_says_what_it_lost(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "asleep")
    job_id, child = holding(place, tmp_path, "held", timeout=300)
    with suspended(worker):
        # As a worker on another machine does when the lease is over.
        place.change(
            "UPDATE jobs SET status = 'pending', worker_id = NULL, execution_id = NULL,"
            " retry_after = '9998-01-01' WHERE id = ?",
            job_id,
        )
        until = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > until, what="some seconds of suspension")
    wait_until(lambda: gone(child), what="the job to be stopped")
    assert f"Job {job_id} ('held') was taken from this worker meanwhile" in place.log()
    wait_until(
        lambda: place.job(job_id)["executions"][0]["status"] == "superseded", what="the record"
    )
    assert place.status(job_id) == "pending"


def test_a_worker_that_hangs_loses_what_is_past_its_timeout(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "hung")
    job_id, child = holding(place, tmp_path, "held", timeout=300, max_attempts=1)
    # As if it neither beat nor looked at its jobs any more.
    place.change(
        "CREATE TRIGGER still BEFORE UPDATE OF beat ON core_workers WHEN OLD.id = 'hung'"
        " BEGIN SELECT RAISE(IGNORE); END"
    )
    place.change("UPDATE jobs SET began = 1767225600.0 WHERE id = ?", job_id)
    place.worker("--worker-id", "awake")
    job = wait_until(lambda: (j := place.job(job_id))["status"] == "timeout" and j, 40)
    assert "its worker was hung, and did not stop it" in job["error"]
    assert gone(worker.pid)
    wait_until(lambda: gone(child), what="its process to be gone")


def test_one_that_beats_keeps_a_job_that_looks_overdue(place: Place, tmp_path: Path) -> None:
    """A clock that stepped makes a job look old; its worker knows better."""
    place.worker("--worker-id", "alive")
    job_id, _ = holding(place, tmp_path, "held", timeout=300)
    place.change("UPDATE jobs SET began = 1767225600.0 WHERE id = ?", job_id)
    place.worker("--worker-id", "awake")
    beats = "SELECT beat FROM core_workers WHERE id = 'alive'"
    first = place.rows(beats)[0]["beat"]
    wait_until(lambda: place.rows(beats)[0]["beat"] > first + 2, 40, "some heartbeats")
    assert place.job(job_id)["worker_id"] == "alive"


def test_silence_is_told_in_seconds() -> None:
    heartbeats = HeartbeatWatch()
    assert heartbeats.silence_s("nobody") == 0.0
    heartbeats.listen([{"id": "w", "beat": 1}])  # type: ignore[list-item]
    first = heartbeats.silence_s("w")
    assert wait_until(lambda: heartbeats.silence_s("w") > first)
    heartbeats.listen([{"id": "w", "beat": 2}])  # type: ignore[list-item]
    assert heartbeats.silence_s("w") < 5


def said(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_whoever_looks_is_told_that_a_worker_stands_still(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "asleep")
    job_id, _ = holding(place, tmp_path, "held", timeout=300)
    db = str(place.db)
    told = json.loads(said("gigq_core", "--db", db, "workers", "--json"))[0]
    assert (told["alive"], told["suspended"], told["state"]) == (True, False, "running")
    with suspended(worker):
        told = json.loads(said("gigq_core", "--db", db, "workers", "--json"))[0]
        assert (told["alive"], told["suspended"]) == (True, True)
        table = said("gigq_core", "--db", db, "workers")
        assert " suspended " in table
        assert " running " not in table
        seen = json.loads(said("gigq_tui", db, "--once", "--json"))
        assert seen["workers"][0]["suspended"] is True
        job = next(job for job in seen["jobs"] if job["id"] == job_id)
        assert job["why"] == f"worker pid {worker.pid} is suspended: kill -CONT {worker.pid}"
        waiting = place.submit(chores.nothing, name="waits")
        shown = said("gigq_tui", db, "--once")
        assert "SUSPENDED" in shown
        # Nothing is claimed, and it is said why not.
        assert "no worker takes new jobs" in json.dumps(
            json.loads(said("gigq_tui", db, "--once", "--json"))["jobs"]
        )
    assert place.queue.cancel(job_id)
    assert place.end(waiting)["status"] == "completed"


def test_a_console_that_looks_sees_it_change(place: Place, tmp_path: Path) -> None:
    """Without any change of the file."""
    worker = place.worker("--worker-id", "asleep")
    reader = Reader(place.db)
    try:
        assert [w.suspended for w in reader.snapshot(View()).workers] == [False]
        assert not reader.liveness_changed()
        with suspended(worker):
            wait_until(reader.liveness_changed, what="the console to notice")
            assert [w.suspended for w in reader.snapshot(View()).workers] == [True]
        wait_until(reader.liveness_changed, what="the console to notice again")
        assert [w.suspended for w in reader.snapshot(View()).workers] == [False]
    finally:
        reader.close()
