"""Ending work: timeouts, cancels, drains and stops, and what becomes of the processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.integration import chores
from tests.integration.conftest import BEGUN_BY_S, Place, gone, stop
from tests.waiting import wait_until

GRACE = ("--grace", "0.3")


def test_a_timeout_stops_a_sleeping_function(place: Place, tmp_path: Path) -> None:
    place.worker()
    path, cleaned = str(tmp_path / "held"), str(tmp_path / "cleaned")
    params = {"path": path, "cleaned": cleaned}
    job = place.end(
        place.submit(chores.hold_with_cleanup, params=params, timeout=BEGUN_BY_S, max_attempts=1)
    )
    assert job["status"] == "timeout"
    assert job["error"] == "Job timed out after 2 seconds"
    assert gone(place.pids("held")[0])
    # SIGTERM raised in the function, so its `finally` ran, and the traceback tells where it was.
    assert place.lines("cleaned") == ["cleaned up"]
    execution = job["executions"][0]
    assert execution["status"] == "timeout"
    assert "time.sleep(seconds)" in execution["traceback"]


def test_a_timeout_ends_what_ignores_it_with_all_its_processes(
    place: Place, tmp_path: Path
) -> None:
    place.worker(*GRACE)
    params = {"path": str(tmp_path / "held")}
    job = place.end(
        place.submit(chores.hold_stubbornly, params=params, timeout=BEGUN_BY_S, max_attempts=1)
    )
    assert job["status"] == "timeout"
    pids = place.pids("held")
    assert len(pids) == 3
    wait_until(lambda: all(gone(pid) for pid in pids), 3, "the processes to be gone")


def test_a_timeout_ends_c_code_that_holds_the_interpreter(place: Place, tmp_path: Path) -> None:
    place.worker(*GRACE)
    params = {"path": str(tmp_path / "held")}
    job = place.end(
        place.submit(chores.hold_in_c, params=params, timeout=BEGUN_BY_S, max_attempts=1)
    )
    assert job["status"] == "timeout"
    wait_until(lambda: all(gone(pid) for pid in place.pids("held")), 3)


def test_a_timed_out_job_is_tried_again(place: Place, tmp_path: Path) -> None:
    place.worker(*GRACE)
    params = {"path": str(tmp_path / "held")}
    job = place.end(place.submit(chores.hold, params=params, timeout=BEGUN_BY_S, max_attempts=2))
    assert job["status"] == "timeout"
    assert [e["status"] for e in job["executions"]] == ["timeout", "timeout"]
    assert len(place.lines("held")) == 2


def test_a_running_job_can_be_cancelled(place: Place, tmp_path: Path) -> None:
    place.worker(*GRACE)
    job_id = place.submit(chores.hold_stubbornly, params={"path": str(tmp_path / "held")})
    pids = place.pids("held")
    assert place.queue.cancel(job_id)
    job = place.end(job_id)
    assert job["status"] == "cancelled"
    assert job["executions"][0]["status"] == "cancelled"
    assert job["stop_requested_at"] is None
    wait_until(lambda: all(gone(pid) for pid in pids), 3)
    assert place.end(place.submit(chores.nothing))["status"] == "completed"


def test_a_paused_queue_runs_nothing_until_it_is_resumed(place: Place) -> None:
    place.worker()
    place.queue.pause()
    waiting = [place.submit(chores.nothing) for _ in range(3)]
    other = place.worker("--once", wait=False)
    assert other.wait(timeout=20) == 0
    assert {place.status(job_id) for job_id in waiting} == {"pending"}
    place.queue.resume()
    place.ended(*waiting)


def test_a_worker_answers_requests(place: Place, tmp_path: Path) -> None:
    process = place.worker("--worker-id", "asked")

    def state() -> tuple[str, str | None]:
        row = place.rows("SELECT state, request FROM core_workers WHERE id = 'asked'")[0]
        return row["state"], row["request"]

    assert place.queue.request_worker("asked", "pause")
    wait_until(lambda: state() == ("paused", None), what="the pause")
    job_id = place.submit(chores.nothing)
    once = place.worker("--once", "--worker-id", "other", wait=False)
    assert once.wait(timeout=20) == 0
    ran_by = place.end(job_id)["executions"][0]["worker_id"]
    assert ran_by == "other"
    assert place.queue.request_worker("asked", "resume")
    wait_until(lambda: state() == ("running", None), what="the end of the pause")
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    held = place.submit(chores.hold, params={"path": str(tmp_path / "held"), "seconds": 1})
    place.lines("held")
    assert place.queue.request_worker("asked", "drain")
    wait_until(lambda: state()[0] in ("draining", "stopped"), what="the drain")
    assert process.wait(timeout=20) == 0
    assert place.status(held) == "completed"
    assert state() == ("stopped", None)
    assert not place.queue.request_worker("asked", "pause")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_it_finish_what_runs(
    place: Place, tmp_path: Path, signum: signal.Signals
) -> None:
    process = place.worker()
    running = place.submit(chores.hold, params={"path": str(tmp_path / "held"), "seconds": 0.8})
    child = place.pids("held")[0]
    os.kill(process.pid, signum)
    waiting = place.submit(chores.nothing)
    assert process.wait(timeout=20) == 0
    assert place.status(running) == "completed"
    assert place.status(waiting) == "pending"
    assert gone(child)
    assert place.live_workers() == set()


def test_a_second_signal_stops_now_and_burns_no_attempt(place: Place, tmp_path: Path) -> None:
    process = place.worker(*GRACE)
    job_id = place.submit(chores.hold_stubbornly, params={"path": str(tmp_path / "held")})
    pids = place.pids("held")
    os.kill(process.pid, signal.SIGTERM)
    wait_until(
        lambda: place.rows("SELECT 1 FROM core_workers WHERE state = 'draining'"), what="the drain"
    )
    assert stop(process, signal.SIGINT) == 128 + signal.SIGINT
    wait_until(lambda: all(gone(pid) for pid in pids), 3)
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)
    execution = job["executions"][0]
    assert (execution["status"], execution["error"]) == ("cancelled", "the worker was stopped")
    assert place.live_workers() == set()


def test_stop_now_can_be_asked_for(place: Place, tmp_path: Path) -> None:
    process = place.worker("--worker-id", "asked", *GRACE)
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    child = place.pids("held")[0]
    place.queue.request_worker("asked", "stop")
    assert process.wait(timeout=20) == 0
    assert gone(child)
    assert place.status(job_id) == "pending"


def test_once_runs_one_job_and_leaves(place: Place) -> None:
    first, second = place.submit(chores.nothing), place.submit(chores.nothing)
    assert place.worker("--once", wait=False).wait(timeout=20) == 0
    assert (place.status(first), place.status(second)) == ("completed", "pending")
    assert place.worker("--once", wait=False).wait(timeout=20) == 0
    assert place.worker("--once", wait=False).wait(timeout=20) == 0
    assert place.status(second) == "completed"


def test_two_workers_cannot_have_one_id(place: Place) -> None:
    place.worker("--worker-id", "same")
    second = place.worker("--worker-id", "same", wait=False)
    assert second.wait(timeout=20) != 0
    assert "A worker same already works on this file" in place.log()
    assert "Traceback" not in place.log()
    assert place.end(place.submit(chores.nothing))["status"] == "completed"


def test_an_interpreter_that_does_not_start_is_named(place: Place, tmp_path: Path) -> None:
    job_id = place.submit(chores.nothing)
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho this is no python >&2\nexit 1\n")
    fake.chmod(0o755)
    for python in (str(tmp_path / "missing"), str(fake)):
        process = place.worker("--python", python, wait=False)
        assert process.wait(timeout=20) != 0
    log = place.log()
    assert "can't be started" in log
    assert "this is no python" in log
    assert "Traceback" not in log
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)


def test_a_changed_module_is_loaded_anew(place: Place, tmp_path: Path) -> None:
    module = tmp_path / "changing.py"
    module.write_text("def answer():\n    raise ValueError('a mistake')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import changing  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(tmp_path))
    place.worker("--chdir", str(tmp_path))
    job_id = place.submit(changing.answer, max_attempts=1)
    assert place.end(job_id)["error"] == "ValueError: a mistake"
    module.write_text("def answer():\n    return 'mended, and longer than before'\n")
    os.utime(module, ns=(time.time_ns(), time.time_ns() + 5_000_000_000))

    def mended() -> bool:
        place.queue.requeue_job(job_id)
        return bool(place.end(job_id)["status"] == "completed")

    wait_until(mended, what="the new code")


def test_a_worker_of_a_deleted_file_ends(place: Place) -> None:
    process = place.worker()
    place.db.unlink()
    assert process.wait(timeout=20) != 0
    assert "was deleted or replaced" in place.log()
