"""Workers that die: their jobs, their children, and the workers beside them."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import gigq
import pytest

from gigq_core import Job, JobQueue, Worker
from gigq_core.errors import WorkerIdInUse
from gigq_core.job import FunctionReference
from gigq_core.status import Change
from gigq_core.system.paths import logs_folder
from gigq_core.worker import rescue
from gigq_tui.store.clock import SYSTEM_CLOCK
from gigq_tui.store.list.view import View
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, gone
from tests.store_files import reading
from tests.waiting import wait_until


def test_another_worker_takes_over_within_seconds(place: Place, tmp_path: Path) -> None:
    first = place.worker("--worker-id", "first")
    path = str(tmp_path / "held")
    free = tmp_path / "free"
    job_id = place.submit(chores.hold_until, params={"path": path, "free": str(free)})
    child = place.pids("held")[0]
    place.worker("--worker-id", "second")
    first.kill()
    first.wait()
    wait_until(lambda: gone(child), what="the child to follow its worker")
    free.touch()
    job = place.end(job_id)
    assert job["status"] == "completed"
    assert job["attempts"] == 2
    crashed, completed = job["executions"]
    assert (crashed["status"], completed["status"]) == ("crashed", "completed")
    assert f"worker first (pid {first.pid}) died" in crashed["error"]
    assert completed["worker_id"] == "second"
    lost = datetime.fromisoformat(completed["started_at"])
    noticed = datetime.fromisoformat(crashed["completed_at"])
    # Far below the lease, after which silence alone would have been enough.
    assert lost - noticed < timedelta(seconds=20)
    states = place.rows("SELECT state FROM core_workers WHERE id = 'first'")
    wait_until(lambda: states == [{"state": "stopped"}] or place.live_workers() == {"second"}, 10)


def test_a_job_that_costs_every_worker_its_life_ends_as_failed(
    place: Place, tmp_path: Path
) -> None:
    first = place.worker()
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")}, max_attempts=1)
    place.lines("held")
    place.worker()
    first.kill()
    job = place.end(job_id)
    assert job["status"] == "failed"
    assert "died" in job["error"]


def test_children_and_their_processes_die_with_the_worker(place: Place, tmp_path: Path) -> None:
    """Even in C code that holds the interpreter's lock."""
    worker = place.worker()
    place.submit(chores.hold_in_c, params={"path": str(tmp_path / "held")})
    pids = place.pids("held")
    assert len(pids) == 2
    worker.kill()
    worker.wait()
    wait_until(lambda: all(gone(pid) for pid in pids), 3, "the children to be gone")


def test_whoever_asks_can_release_a_dead_workers_job(place: Place, tmp_path: Path) -> None:
    worker = place.worker("--worker-id", "w")
    job_id = place.submit(chores.say_and_hold, params={"path": str(tmp_path / "held")})
    place.lines("held")
    refused = place.queue.release_jobs([job_id, "no-such-job"])
    assert [outcome.change for outcome in refused] == [Change.REFUSED, Change.REFUSED]
    assert "lives" in refused[0].reason
    worker.kill()
    worker.wait()
    released = place.queue.release_jobs([job_id])[0]
    assert released.change is Change.RELEASED
    job = place.job(job_id)
    # Told by name, also when it no longer runs.
    assert {refused[0].name, released.name} == {job["name"]}
    assert place.queue.release_jobs([job_id])[0].name == job["name"]
    assert (job["status"], job["worker_id"], job["execution_id"]) == ("pending", None, None)
    execution = job["executions"][0]
    assert execution["status"] == "crashed"
    assert (logs_folder(place.db) / execution["output"]).read_text() == "here I am\n"


def test_a_worker_that_died_is_told_from_one_that_stopped(place: Place, tmp_path: Path) -> None:
    dies, stops = place.worker("--worker-id", "dies"), place.worker("--worker-id", "stops")
    dies.kill()
    dies.wait()
    stops.terminate()
    stops.wait()
    place.worker("--worker-id", "third")

    def has_died() -> dict[str, bool]:
        with reading(place.db, clock=SYSTEM_CLOCK) as reader:
            workers = reader.snapshot(View()).workers
        return {one.id: one.has_died for one in workers if one.state == "stopped"}

    wait_until(lambda: len(has_died()) == 2, what="the dead to be buried")
    assert has_died() == {"dies": True, "stops": False}
    # Who takes its id is not the one that died.
    again = place.worker("--worker-id", "dies")
    again.terminate()
    again.wait()
    assert has_died() == {"dies": False, "stops": False}
    assert not place.rows("SELECT key FROM core_meta WHERE key LIKE 'died:%'")


def test_a_dead_workers_id_can_be_used_again(place: Place, tmp_path: Path) -> None:
    first = place.worker("--worker-id", "w")
    params = {"path": str(tmp_path / "held"), "seconds": 0.5}
    job_id = place.submit(chores.hold, params=params)
    place.lines("held")
    first.kill()
    first.wait()
    place.worker("--worker-id", "w", wait=False)
    assert place.end(job_id)["status"] == "completed"
    assert len(place.job(job_id)["executions"]) == 2


def test_a_cancelled_job_of_a_dead_worker_is_not_run_again(place: Place, tmp_path: Path) -> None:
    worker = place.worker()
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    place.lines("held")
    worker.send_signal(signal.SIGSTOP)
    assert place.queue.cancel(job_id)
    worker.kill()
    worker.wait()
    assert place.queue.release_jobs([job_id])[0].done
    assert place.status(job_id) == "cancelled"


def test_a_late_result_is_discarded(place: Place, tmp_path: Path) -> None:
    place.worker()
    job_id = place.submit(chores.hold, params={"path": str(tmp_path / "held"), "seconds": 1})
    place.lines("held")
    token = place.job(job_id)["execution_id"]
    # As if another worker had given it back and run it meanwhile.
    place.change(
        "UPDATE jobs SET status = 'completed', result = '\"other\"', execution_id = NULL "
        "WHERE id = ?",
        job_id,
    )
    wait_until(lambda: place.job(job_id)["executions"][0]["status"] == "superseded")
    job = place.job(job_id)
    assert job["executions"][0]["id"] == token
    assert (job["status"], job["result"]) == ("completed", "other")


def test_silence_alone_takes_a_lease_and_counts_only_while_listening(place: Place) -> None:
    place.queue.submit(Job("j", chores.nothing))
    place.change(
        "INSERT INTO core_workers (id, owner, host, pid, pid_started, boot_id, pid_namespace,"
        " isolation, slots, state, started_at) VALUES ('far', 'cli', 'elsewhere', 1, '1', 'b',"
        " 'n', 'process', 1, 'running', '2026-01-01')"
    )
    place.change(
        "UPDATE jobs SET status = 'running', execution_id = 't', worker_id = 'far', attempts = 1,"
        " started_at = ?",
        datetime.now().isoformat(),
    )
    conn = sqlite3.connect(place.db)
    conn.row_factory = sqlite3.Row
    try:
        patient = rescue.HeartbeatWatch(lease_s=1000)
        assert rescue.needed(conn, patient, "me") == []
        hasty = rescue.HeartbeatWatch(lease_s=0.2)
        assert rescue.needed(conn, hasty, "me") == []
        found = wait_until(lambda: rescue.needed(conn, hasty, "me"))
        assert [row["worker_id"] for row in found] == ["far"]
        conn.execute("UPDATE core_workers SET beat = beat + 1")
        assert rescue.needed(conn, hasty, "me") == []
    finally:
        conn.close()


@pytest.mark.parametrize("started", [None, "", "10000-01-01", b"2026-01-01"])
def test_a_job_that_nobody_can_tell_the_age_of_is_given_back_after_its_timeout_and_a_lease(
    place: Place, started: object
) -> None:
    place.queue.submit(Job("j", chores.nothing, timeout=0.2))
    place.change(
        "UPDATE jobs SET status = 'running', execution_id = 't', worker_id = 'nobody',"
        " attempts = 1, started_at = ?",
        started,
    )
    conn = sqlite3.connect(place.db, isolation_level=None)
    conn.row_factory = sqlite3.Row
    try:
        heartbeats = rescue.HeartbeatWatch(lease_s=0.2)
        assert rescue.needed(conn, heartbeats, "me") == []
        found = wait_until(lambda: rescue.needed(conn, heartbeats, "me"))
        assert rescue.rescue(conn, found) == [found[0]["id"]]
    finally:
        conn.close()
    assert place.rows("SELECT status FROM jobs")[0]["status"] == "pending"


def test_gigqs_rule_holds_for_the_rows_of_its_workers(place: Place) -> None:
    retried = place.submit(chores.nothing, timeout=5)
    given_up = place.submit(chores.fail, timeout=5, max_attempts=1)
    young = place.submit(chores.nothing, timeout=500)
    long_ago = (datetime.now() - timedelta(seconds=60)).isoformat()
    place.change(
        "UPDATE jobs SET status = 'running', worker_id = 'theirs', attempts = 1, started_at = ?",
        long_ago,
    )
    place.worker()
    first, second = place.ended(retried, given_up)
    assert first["status"] == "completed"
    assert (second["status"], second["error"]) == ("timeout", "Job timed out after 5 seconds")
    assert place.status(young) == "running"


def test_gigqs_worker_and_ours_share_a_file_and_run_each_job_once(
    place: Place, tmp_path: Path
) -> None:
    path = str(tmp_path / "ran")
    theirs = gigq.JobQueue(str(place.db))
    ids = []
    for number in range(40):
        params = {"path": path, "text": f"job {number}"}
        queue, make = ((place.queue, Job), (theirs, gigq.Job))[number % 2]
        dependencies = ids[-1:] if number % 5 == 0 else []
        ids.append(queue.submit(make("j", chores.note, params, dependencies=dependencies)))
    worker = gigq.Worker(str(place.db), polling_interval=0.01)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        place.worker("--concurrency", "2")
        jobs = place.ended(*ids, timeout_s=30)
    finally:
        worker.stop()
        thread.join()
        worker.close()
        theirs.close()
    assert {job["status"] for job in jobs} == {"completed"}
    lines = place.lines("ran", 40)
    assert sorted(lines) == sorted(f"job {number}" for number in range(40))
    assert all(len(job["executions"]) == 1 for job in jobs)


def test_several_workers_run_each_job_once(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    jobs = [Job("j", chores.note, {"path": path, "text": str(n)}) for n in range(300)]
    place.queue.submit_many(jobs)
    for _ in range(3):
        place.worker("--concurrency", "2")
    place.ended(*(job.id for job in jobs), timeout_s=40)
    assert sorted(place.lines("ran", 300), key=int) == [str(n) for n in range(300)]
    assert "Traceback" not in place.log()


def test_a_locked_file_is_waited_for(place: Place, tmp_path: Path) -> None:
    """The outcome of a job that ends meanwhile is kept until it can be written."""
    place.worker()
    job_id = place.submit(chores.note_twice, params={"path": str(tmp_path / "notes")})
    place.lines("notes")
    conn = sqlite3.connect(place.db, isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    (tmp_path / "notes.go").touch()
    place.lines("notes", 2)
    until = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > until, what="more than one try for the lock")
    assert place.status(job_id) == "running"
    conn.execute("ROLLBACK")
    conn.close()
    job = place.end(job_id)
    assert (job["status"], len(job["executions"])) == ("completed", 1)
    assert "Traceback" not in place.log()


def _works_off(worker: Worker) -> bool:
    return worker.process_one()


def _closes(worker: Worker) -> bool:
    worker.close()
    return True


def _works_off_and_closes(worker: Worker) -> bool:
    return _works_off(worker) and _closes(worker)


def _asks_it_to_stop(worker: Worker) -> bool:
    worker.stop()
    return worker.current_job_id is None and not worker.running


def _is_refused(worker: Worker) -> bool:
    with pytest.raises(WorkerIdInUse):
        worker.process_one()
    return True


def _in_a_copy(act: Callable[[], bool]) -> bool:
    """What it says in a fork of this process."""
    pid = os.fork()
    if pid == 0:
        done = False
        try:
            done = act()
        finally:
            os._exit(0 if done else 1)
    wait_until(lambda: gone(pid), what="the copy to end")
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("act", [_closes, _works_off, _works_off_and_closes, _asks_it_to_stop])
@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_worker_in_a_forked_child_leaves_the_parents_alone(
    tmp_path: Path, act: Callable[[Worker], bool], isolation: Literal["process", "thread"]
) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    chdir = ROOT if isolation == "process" else None
    with closing(Worker(tmp_path / "jobs.db", isolation=isolation, chdir=chdir)) as worker:
        ids = [queue.submit(Job("job", FunctionReference("os", "getpid"))) for _ in range(3)]
        assert worker.process_one()
        assert _in_a_copy(partial(act, worker))
        while worker.process_one():
            pass
    assert {queue.get_status(job_id)["status"] for job_id in ids} == {"completed"}
    # What the parent has runs the last one as it ran the first.
    assert queue.get_result(ids[0]) == queue.get_result(ids[2])
    queue.close()


@pytest.mark.parametrize("act", [_closes, _is_refused, _asks_it_to_stop])
def test_a_worker_in_a_forked_child_does_not_wait_for_the_parents(
    place: Place, tmp_path: Path, act: Callable[[Worker], bool]
) -> None:
    worker = Worker(place.db)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        params = {"path": str(tmp_path / "held"), "free": str(tmp_path / "free")}
        held = place.submit(chores.hold_until, params=params)
        waits = place.submit(chores.nothing)
        place.lines("held")
        assert _in_a_copy(partial(act, worker))
        assert worker.running
        (tmp_path / "free").touch()
        assert [job["status"] for job in place.ended(held, waits)] == ["completed"] * 2
    finally:
        worker.stop()
        thread.join(timeout=10)
    assert not thread.is_alive()
