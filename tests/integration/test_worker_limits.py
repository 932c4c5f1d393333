"""What bounds a worker's patience: crashing jobs, suspended workers, old history; and stacks."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gigq_core.errors import StackUnavailable
from gigq_core.inspection.stack import stack_of
from gigq_core.system.identity import process_start
from gigq_core.system.paths import attempt_output, logs_folder
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.outcomes import CRASHES_ALLOWED
from gigq_core.worker.process_stack import readable
from gigq_core.worker.rescue import HeartbeatWatch
from gigq_core.worker.upkeep import KEEP, RESCUE_EVERY_S, Upkeep
from tests.integration import chores
from tests.integration.conftest import Place, gone, stop
from tests.waiting import wait_until

LEASE_S = 6.0


def test_a_job_that_kills_its_process_is_not_tried_for_ever(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "died")
    job_id = place.submit(chores.die, params={"path": path}, max_attempts=100)
    place.worker()
    job = place.end(job_id)
    assert job["status"] == "failed"
    assert "SIGKILL" in job["error"]
    assert [e["status"] for e in job["executions"]] == ["crashed"] * CRASHES_ALLOWED
    assert len(place.lines("died")) == CRASHES_ALLOWED


def test_a_job_may_wish_to_fail_when_its_process_dies(place: Place, tmp_path: Path) -> None:
    options = {"params": {"path": str(tmp_path / "died")}, "max_attempts": 5}
    job_id = place.submit(chores.die, on_crash="fail", **options)
    place.worker()
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)


def test_that_wish_holds_when_the_worker_dies(place: Place, tmp_path: Path) -> None:
    first = place.worker()
    path = str(tmp_path / "held")
    job_id = place.submit(chores.hold, params={"path": path}, on_crash="fail", max_attempts=5)
    place.lines("held")
    place.worker()
    first.kill()
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert "died" in job["error"]


def upkeep(ledger: Ledger) -> Upkeep:
    return Upkeep(ledger, "observer", HeartbeatWatch(LEASE_S))


def test_a_suspended_worker_is_killed_before_its_job_is_given_back(
    place: Place, tmp_path: Path
) -> None:
    worker = place.worker("--worker-id", "asleep")
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    child = place.pids("held")[0]
    os.kill(worker.pid, signal.SIGSTOP)
    ledger = Ledger(place.db, runs_script=False)
    observer = upkeep(ledger)

    def given_back() -> bool:
        observer.run_if_due(time.monotonic())
        back = place.status(job_id) == "pending"
        assert not back or gone(worker.pid)
        return back

    wait_until(given_back, LEASE_S + 20, "the job to be given back")
    ledger.close()
    assert worker.wait() == -signal.SIGKILL
    wait_until(lambda: gone(child), what="the child to follow its worker")
    assert place.job(job_id)["executions"][0]["status"] == "crashed"


def test_a_silent_worker_that_is_not_suspended_keeps_its_job(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "quiet")
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    place.lines("held")
    # Heartbeats that nobody sees: the row says the same all the time.
    place.change(
        "CREATE TRIGGER still BEFORE UPDATE OF beat ON core_workers BEGIN SELECT RAISE(IGNORE); END"
    )
    ledger = Ledger(place.db, runs_script=False)
    heartbeats = HeartbeatWatch(LEASE_S)
    observer = Upkeep(ledger, "observer", heartbeats)

    def judged_silent() -> bool:
        assert not observer.run_if_due(time.monotonic())
        return heartbeats.lease_is_over("quiet")

    wait_until(judged_silent, LEASE_S + 20, "the worker to be silent past its lease")
    # And on through at least one more round, in which it could be taken for dead.
    until = time.monotonic() + 2 * RESCUE_EVERY_S
    wait_until(lambda: judged_silent() and time.monotonic() > until, what="another round")
    ledger.close()
    assert place.status(job_id) == "running"
    assert process_start(worker.pid) is not None


def test_what_deleted_jobs_left_behind_goes_when_it_is_old(place: Place, tmp_path: Path) -> None:
    ids = {}
    for name in ("kept", "deleted long ago", "deleted lately", "deleted and put back"):
        ids[name] = place.submit(chores.speak, name=name, params={"lines": 1})
    place.worker("--worker-id", "runs")
    place.ended(*ids.values())
    outputs = {
        name: attempt_output(place.db, place.job(i)["executions"][0]["id"])
        for name, i in ids.items()
    }
    assert all(path.exists() for path in outputs.values())
    back = place.rows("SELECT * FROM jobs WHERE id = ?", ids["deleted and put back"])[0]
    place.change("DELETE FROM jobs WHERE name <> 'kept'")
    marks = ", ".join("?" * len(back))
    place.change(f"INSERT INTO jobs ({', '.join(back)}) VALUES ({marks})", *back.values())
    old = (datetime.now() - KEEP - timedelta(days=1)).isoformat()
    place.change(
        "INSERT OR REPLACE INTO core_tombstones VALUES (?, 1, ?)", ids["deleted long ago"], old
    )
    place.change(
        "INSERT OR REPLACE INTO core_tombstones VALUES (?, 0, ?)",
        ids["deleted and put back"],
        old,
    )
    ledger = Ledger(place.db, runs_script=False)
    upkeep(ledger).run_if_due(time.monotonic())
    ledger.close()
    left = {row["job_id"] for row in place.rows("SELECT job_id FROM job_executions")}
    assert left == set(ids.values()) - {ids["deleted long ago"]}
    assert {name for name, path in outputs.items() if path.exists()} == set(ids) - {
        "deleted long ago"
    }
    assert [r["job_id"] for r in place.rows("SELECT job_id FROM core_tombstones")] == [
        ids["deleted lately"]
    ]


def test_the_stack_of_a_sleeping_job(place: Place, tmp_path: Path) -> None:
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    place.worker()
    place.lines("held")
    for _ in range(2):
        stack = stack_of(place.db, job_id)
        assert "in hold" in stack.splitlines()[-1]
        assert "runner.py" not in stack
    assert place.status(job_id) == "running"


def test_the_stack_of_a_job_that_computes_in_c(place: Place, tmp_path: Path) -> None:
    job_id = place.submit(chores.compute, params={"path": str(tmp_path / "held")})
    place.worker("--grace", "0.2")
    place.lines("held")
    assert "in compute" in stack_of(place.db, job_id).splitlines()[-1]


def test_stack_files_go_with_their_processes(place: Place, tmp_path: Path) -> None:
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    worker = place.worker("--grace", "0.2")
    place.lines("held")
    stack_of(place.db, job_id)
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: place.rows("SELECT 1 FROM core_workers WHERE state = 'draining'"))
    stop(worker)
    assert list((logs_folder(place.db) / "stacks").iterdir()) == []


def test_why_there_is_no_stack(place: Place, tmp_path: Path) -> None:
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    with pytest.raises(StackUnavailable, match="its status is pending"):
        stack_of(place.db, job_id)
    with pytest.raises(StackUnavailable, match="no job"):
        stack_of(place.db, "nobody")
    worker = place.worker()
    place.lines("held")
    worker.kill()
    worker.wait()
    with pytest.raises(StackUnavailable, match="is gone"):
        stack_of(place.db, job_id)


def test_a_dump_is_read_as_a_traceback() -> None:
    dump = (
        "Current thread 0x01 (most recent call first):\n"
        '  File "b.py", line 2 in inner\n'
        '  File "a.py", line 1 in outer\n'
    )
    assert readable(dump) == (
        "Thread (most recent call last):\n"
        '  File "a.py", line 1, in outer\n'
        '  File "b.py", line 2, in inner'
    )
