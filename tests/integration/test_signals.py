"""Signals from elsewhere: a service's, a shell's, a person's, at the worker, its jobs, or all."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from gigq_core.worker import outcomes
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, gone, stop
from tests.waiting import wait_until

ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
GRACE = ("--grace", "0.3")
# So long that a job has a turn within it, however busy the machine is.
LONG_GRACE = ("--grace", "3")


def everyone(worker: subprocess.Popen[bytes]) -> list[int]:
    """The worker's process and all below it, as a control group holds them."""
    return [worker.pid, *(p.pid for p in psutil.Process(worker.pid).children(recursive=True))]


def signal_each(pids: Iterable[int], signum: signal.Signals) -> None:
    """One after the other; a child that was idle may have ended meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def held(place: Place, tmp_path: Path, **options: object) -> str:
    """A job that has begun, and ends when `go` is called."""
    path = str(tmp_path / "held")
    job_id = place.submit(chores.note_twice, params={"path": path}, **options)
    place.lines("held")
    return job_id


def go(tmp_path: Path) -> None:
    (tmp_path / "held.go").touch()


def draining(place: Place) -> None:
    wait_until(
        lambda: place.rows("SELECT 1 FROM core_workers WHERE state = 'draining'"), what="the drain"
    )


@pytest.mark.parametrize("signum", [*ENDING, signal.SIGQUIT])
@pytest.mark.parametrize("times", [1, 3])
def test_a_signal_to_the_jobs_process_alone_leaves_the_job_alone(
    place: Place, tmp_path: Path, signum: signal.Signals, times: int
) -> None:
    worker = place.worker()
    job_id = held(place, tmp_path, max_attempts=1)
    for _ in range(times):
        for pid in everyone(worker)[1:]:
            os.kill(pid, signum)
    go(tmp_path)
    job = place.end(job_id)
    assert (job["status"], job["attempts"], job["error"]) == ("completed", 1, None)
    # Nor was the process lost, or the worker told to end.
    again = place.end(place.submit(chores.where))["result"]["pid"]
    assert again == place.job(job_id)["executions"][0]["pid"]
    assert stop(worker) == 0


@pytest.mark.parametrize("signum", ENDING)
@pytest.mark.parametrize("worker_first", [True, False])
def test_a_signal_to_the_whole_group_lets_the_jobs_end(
    place: Place, tmp_path: Path, signum: signal.Signals, worker_first: bool
) -> None:
    worker = place.worker("--concurrency", "2")
    job_id = held(place, tmp_path, max_attempts=1)
    waiting = place.submit(chores.nothing, name="waits", dependencies=[job_id])
    found = everyone(worker)
    signal_each(found if worker_first else reversed(found), signum)
    draining(place)
    go(tmp_path)
    assert worker.wait(timeout=20) == 0
    job = place.job(job_id)
    assert (job["status"], job["attempts"], job["error"]) == ("completed", 1, None)
    assert place.status(waiting) == "pending"


@pytest.mark.parametrize("worker_first", [True, False])
@pytest.mark.parametrize("function", [chores.run_a_program, chores.hold_by_default])
def test_what_fails_by_a_signal_to_the_whole_group_is_given_back(
    place: Place, tmp_path: Path, worker_first: bool, function: object
) -> None:
    worker = place.worker()
    params = {"path": str(tmp_path / "held")}
    job_id = place.submit(function, params=params, max_attempts=1)  # type: ignore[arg-type]
    place.lines("held")
    found = everyone(worker)
    signal_each(found if worker_first else [*found[1:], found[0]], signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0), job
    told = job["executions"][0]["error"]
    assert told.startswith("SIGTERM from outside reached its process while the worker was ending:")
    assert "the worker stopped it" not in told


def test_what_fails_by_a_signal_of_its_own_fails(place: Place, tmp_path: Path) -> None:
    worker = place.worker()
    job_id = place.submit(
        chores.run_a_program, params={"path": str(tmp_path / "held")}, max_attempts=1
    )
    for pid in place.pids("held"):
        os.kill(pid, signal.SIGTERM)
    job = place.end(job_id)
    assert (job["status"], job["error"]) == ("failed", "RuntimeError: the program ended with -15")
    assert stop(worker) == 0


def test_a_job_with_a_handler_of_its_own_hears_signals_from_outside(
    place: Place, tmp_path: Path
) -> None:
    place.worker()
    params = {"path": str(tmp_path / "held"), "heard": str(tmp_path / "heard")}
    job_id = place.submit(chores.hold_with_a_handler, params=params, max_attempts=1)
    place.lines("held")
    os.kill(place.rows("SELECT pid FROM job_executions")[0]["pid"], signal.SIGTERM)
    assert place.lines("heard") == ["15"]
    go(tmp_path)
    assert place.end(job_id)["result"] == "held"


@pytest.mark.parametrize("function", [chores.hold_off, chores.compute, chores.hold_stubbornly])
def test_the_workers_own_word_stops_a_job_after_a_signal_from_outside(
    place: Place, tmp_path: Path, function: object
) -> None:
    # What this one swallows it notes before it is killed.
    place.worker(*(LONG_GRACE if function is chores.hold_off else GRACE))
    params = {"path": str(tmp_path / "held")}
    job_id = place.submit(function, params=params, max_attempts=1)  # type: ignore[arg-type]
    pids = [int(word) for word in place.lines("held")[0].split()]
    os.kill(pids[0], signal.SIGTERM)
    assert place.queue.cancel(job_id)
    job = place.end(job_id)
    assert (job["status"], job["error"]) == ("cancelled", "it was stopped on request")
    wait_until(lambda: all(gone(pid) for pid in pids), what="its processes to be gone")
    if function is chores.hold_off:
        assert place.lines("held")[1:] == ["swallowed the worker stopped it"]


def test_a_stop_that_comes_with_the_job_is_heard(place: Place, tmp_path: Path) -> None:
    """The worker's word may be there before the process has read the job."""
    place.worker("--grace", "60")
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    for number in range(20):
        path = str(tmp_path / f"held-{number}")
        job_id = place.submit(chores.hold, params={"path": path})
        wait_until(lambda job_id=job_id: place.status(job_id) == "running")  # type: ignore[misc]
        assert place.queue.cancel(job_id)
        # Not the grace: then the wait would fail.
        assert place.end(job_id)["status"] == "cancelled"


@pytest.mark.parametrize("signum", [*ENDING, signal.SIGQUIT])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    place: Place, tmp_path: Path, signum: signal.Signals
) -> None:
    code = f"import os, signal, sys; signal.signal({int(signum)}, signal.SIG_IGN);"
    code += "os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"]
    worker = subprocess.Popen(
        [sys.executable, "-c", code, *command, "--chdir", str(ROOT)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        job_id = held(place, tmp_path)
        for _ in range(2):
            os.kill(worker.pid, signum)
        go(tmp_path)
        assert place.end(job_id)["status"] == "completed"
        # What it runs finds nothing ignored: that was the worker's own affair.
        assert set(map(tuple, place.end(place.submit(chores.dispositions))["result"].values())) == {
            ()
        }
        other = signal.SIGTERM if signum != signal.SIGTERM else signal.SIGINT
        os.kill(worker.pid, other)
        assert worker.wait(timeout=20) == 0
    finally:
        worker.kill()
        worker.wait()


def test_a_shell_in_the_background_keeps_its_worker(place: Place) -> None:
    start = shlex.join([sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"])
    command = f"{start} 2>/dev/null & echo $!; wait"
    shell = subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shell.stdout is not None
    pid = int(shell.stdout.readline())
    try:
        assert place.end(place.submit(chores.nothing))["status"] == "completed"
        os.kill(pid, signal.SIGINT)
        assert place.end(place.submit(chores.nothing))["status"] == "completed"
        assert place.rows("SELECT state FROM core_workers") == [{"state": "running"}]
        os.kill(pid, signal.SIGTERM)
        shell.wait(timeout=20)
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)
        shell.wait()
        shell.stdout.close()


@pytest.mark.parametrize("second", [*ENDING, signal.SIGQUIT])
@pytest.mark.parametrize("first", ENDING)
def test_any_two_signals_end_it_at_once(
    place: Place, tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    worker = place.worker(*GRACE)
    job_id = held(place, tmp_path, max_attempts=1)
    os.kill(worker.pid, first)
    draining(place)
    assert stop(worker, second) == 128 + second
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)
    assert job["executions"][0]["error"] == "the worker was stopped"


def test_sigquit_ends_it_at_once(place: Place, tmp_path: Path) -> None:
    worker = place.worker(*GRACE)
    job_id = held(place, tmp_path, max_attempts=1)
    assert stop(worker, signal.SIGQUIT) == 128 + signal.SIGQUIT
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)
    assert place.live_workers() == set()


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGTERM, -15), (signal.SIGINT, 99), (signal.SIGHUP, -1), (signal.SIGQUIT, -3)],
)
def test_a_copy_that_a_job_forks_ends_by_signals_as_python_does(
    place: Place, signum: signal.Signals, code: int
) -> None:
    place.worker()
    job = place.end(place.submit(chores.signal_a_copy, params={"signum": int(signum)}))
    assert (job["status"], job["result"]) == ("completed", code)


def test_what_is_given_back_too_often_counts(place: Place, tmp_path: Path) -> None:
    """Whoever restarts a worker for ever does not keep one job for ever."""
    worker = place.worker(*GRACE)
    job_id = held(place, tmp_path, max_attempts=2)
    for number in range(outcomes.UNCOUNTED_IN_A_ROW):
        place.change(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, completed_at,"
            " error) VALUES (?, ?, 'w', 'cancelled', ?, ?, 'the worker was stopped')",
            f"earlier-{number}",
            job_id,
            *["2026-01-01T00:00:00"] * 2,
        )
    place.change("DELETE FROM job_executions WHERE id = 'earlier-0'")
    stop(worker, signal.SIGQUIT)
    assert (place.status(job_id), place.job(job_id)["attempts"]) == ("pending", 0)
    for attempts, status in ((1, "pending"), (2, "failed")):
        worker = place.worker(*GRACE)
        wait_until(lambda: place.status(job_id) == "running", what="the job to run")
        stop(worker, signal.SIGQUIT)
        job = place.job(job_id)
        assert (job["status"], job["attempts"]) == (status, attempts)
    assert "it was given back 100 times in a row" in job["error"]
