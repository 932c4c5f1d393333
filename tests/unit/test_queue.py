"""`JobQueue`: what each act does to a job in each state, and what it says."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import (
    DuplicateJob,
    Job,
    JobQueue,
    JobStatus,
    Workflow,
    close_connections,
    task,
)
from gigq_core.changes.action_progress import ActionProgress
from gigq_core.connections import get_connection
from gigq_core.job import FunctionReference
from gigq_core.queue import AT_ONCE
from gigq_core.status import Change, Outcome
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.waiting import wait_until

WORK = FunctionReference("json", "dumps")
STATUSES = [status.value for status in JobStatus]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


def in_status(queue: JobQueue, status: str, *, token: str | None = "token") -> str:
    """Submit a job and put it into `status`; a running one holds `token`."""
    job_id = queue.submit(Job(f"{status} job", WORK))
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    if status != "pending":
        conn.execute(
            "UPDATE jobs SET status = ?, attempts = 3, error = 'boom', execution_id = ?"
            " WHERE id = ?",
            (status, token if status == "running" else None, job_id),
        )
    conn.close()
    return job_id


@pytest.mark.parametrize(
    ("status", "change", "after"),
    [
        ("pending", Change.CANCELLED, "cancelled"),
        ("running", Change.STOPPING, "running"),
        ("completed", Change.REFUSED, "completed"),
        ("failed", Change.REFUSED, "failed"),
        ("timeout", Change.REFUSED, "timeout"),
        ("cancelled", Change.REFUSED, "cancelled"),
    ],
)
def test_cancel_in_each_state(queue: JobQueue, status: str, change: Change, after: str) -> None:
    job_id = in_status(queue, status)
    (outcome,) = queue.cancel_jobs([job_id])
    assert (outcome.job_id, outcome.change) == (job_id, change)
    assert bool(outcome.reason) == (change is not Change.CANCELLED)
    assert queue.get_status(job_id)["status"] == after


@pytest.mark.parametrize("status", STATUSES)
def test_requeue_in_each_state(queue: JobQueue, status: str) -> None:
    job_id = in_status(queue, status)
    done = queue.requeue_job(job_id)
    row = queue.get_status(job_id)
    assert done == (status in ("failed", "timeout", "cancelled"))
    if done:
        assert (row["status"], row["attempts"], row["error"]) == ("pending", 0, None)
    else:
        assert row["status"] == status


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("pending", "priority 7, was 2"),
        ("running", "it is already running"),
        ("completed", "it has already completed"),
        ("failed", "it has already failed"),
        ("timeout", "it has already timed out"),
        ("cancelled", "it is already cancelled"),
    ],
)
def test_priority_in_each_state(queue: JobQueue, status: str, reason: str) -> None:
    job_id = in_status(queue, status)
    assert queue.set_priority([job_id], 2)[0].done == (status == "pending")
    (outcome,) = queue.change_priority([job_id], 5)
    assert (outcome.reason, outcome.name) == (reason, f"{status} job")
    assert outcome.change is (Change.REPRIORITIZED if status == "pending" else Change.REFUSED)
    assert queue.get_status(job_id)["priority"] == (7 if status == "pending" else 0)


def test_priority_of_blocked_and_delayed_jobs(queue: JobQueue) -> None:
    blocked = queue.submit(Job("blocked", WORK, dependencies=["no-such-job"]))
    delayed = in_status(queue, "pending")
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute("UPDATE jobs SET retry_after = '2999-01-01' WHERE id = ?", (delayed,))
    assert all(o.done for o in queue.change_priority([blocked, delayed], -4))
    assert conn.execute("SELECT priority FROM jobs").fetchall() == [(-4,), (-4,)]
    conn.close()


def test_a_priority_that_is_none_or_beyond_bounds(queue: JobQueue) -> None:
    job_id = in_status(queue, "pending")
    assert queue.set_priority([job_id], 0)[0].reason == "its priority is 0 already"
    assert queue.set_priority([job_id], 2**63 - 1)[0].done
    assert "can't be moved that far" in queue.change_priority([job_id], 1)[0].reason
    with pytest.raises(ValueError, match="beyond what SQLite can hold"):
        queue.set_priority([job_id], 2**63)
    with pytest.raises(TypeError, match="whole number"):
        queue.change_priority([job_id], True)


@pytest.mark.parametrize("priority", ["'high'", "9e999", "-9e999", "x'00'", "NULL"])
def test_a_damaged_priority_counts_as_none(queue: JobQueue, priority: str) -> None:
    job_id = in_status(queue, "pending")
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute(f"UPDATE jobs SET priority = {priority}")
    conn.close()
    assert queue.change_priority([job_id], 1)[0].reason == "priority 1, was 0"


def test_the_next_claim_goes_by_the_new_priority(queue: JobQueue) -> None:
    first, second = in_status(queue, "pending"), in_status(queue, "pending")
    ledger = Ledger(queue.db_path, runs_script=False)
    own = Register("w", "script", "thread", 1, None, None, None)
    queue.change_priority([second], 1)
    result = ledger.commit(own, [], [1], claim=True, stage=False, beat=False)
    ledger.close()
    assert [attempt.job_id for attempt in result.claims] == [second]
    assert queue.get_status(first)["status"] == "pending"


def test_a_stop_request_is_on_disk_and_the_first_one_counts(queue: JobQueue) -> None:
    job_id = in_status(queue, "running")
    assert queue.cancel(job_id)
    first = queue.get_status(job_id)["stop_requested_at"]
    assert first is not None
    assert queue.cancel(job_id)
    assert queue.get_status(job_id)["stop_requested_at"] == first


def test_a_job_that_gigq_runs_cannot_be_stopped_and_the_reason_is_told(queue: JobQueue) -> None:
    job_id = in_status(queue, "running", token=None)
    assert not queue.cancel(job_id)
    assert "GigQ worker" in queue.cancel_jobs([job_id])[0].reason
    assert queue.requeue_jobs([job_id])[0].reason == "it is still running"


def test_outcomes_come_in_the_order_of_the_ids(queue: JobQueue) -> None:
    ids = [in_status(queue, "completed"), "no-such-job", in_status(queue, "pending")]
    outcomes = queue.cancel_jobs(ids)
    assert [o.job_id for o in outcomes] == ids
    assert [o.reason for o in outcomes] == ["it has already completed", "there is no such job", ""]
    assert [o.done for o in outcomes] == [False, False, True]


def test_unknown_ids_are_no_error(queue: JobQueue) -> None:
    assert queue.cancel("x") is False
    assert queue.requeue_job("x") is False
    assert queue.get_status("x") == {"exists": False}
    with pytest.raises(KeyError):
        queue.get_result("x")


def test_clear_takes_completed_and_cancelled(queue: JobQueue) -> None:
    ids = {status: in_status(queue, status) for status in STATUSES}
    assert queue.clear_completed() == 2
    left = {job["id"] for job in queue.list_jobs()}
    assert left == set(ids.values()) - {ids["completed"], ids["cancelled"]}


def test_clear_before_a_time(queue: JobQueue) -> None:
    old, new = in_status(queue, "completed"), in_status(queue, "completed")
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    for job_id, when in ((old, "2026-01-01T00:00:00"), (new, "2026-06-01T00:00:00")):
        conn.execute("UPDATE jobs SET completed_at = ? WHERE id = ?", (when, job_id))
    conn.close()
    assert queue.clear_completed("2026-03-01T00:00:00") == 1
    assert [job["id"] for job in queue.list_jobs()] == [new]


def test_stats_name_every_status_and_the_total(queue: JobQueue) -> None:
    for status in [*STATUSES, "failed"]:
        in_status(queue, status)
    expected = dict.fromkeys(STATUSES, 1) | {"failed": 2, "total": 7}
    assert queue.stats() == expected


def test_the_newest_jobs_come_first(queue: JobQueue) -> None:
    jobs = [Job(f"job {i}", WORK) for i in range(5)]
    queue.submit_many(reversed(jobs))
    assert [job["name"] for job in queue.list_jobs(limit=2)] == ["job 4", "job 3"]
    assert queue.list_jobs(JobStatus.RUNNING) == []


def test_the_mark_of_a_blocked_job_is_never_shown(queue: JobQueue) -> None:
    parent = Job("parent", WORK)
    child = Job("child", WORK, dependencies=[parent.id])
    queue.submit_many([parent, child])
    assert queue.get_status(child.id)["retry_after"] is None
    assert all(job["retry_after"] is None for job in queue.list_jobs())


def test_one_damaged_row_does_not_hide_the_others(queue: JobQueue) -> None:
    good, bad = in_status(queue, "pending"), in_status(queue, "pending")
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute("UPDATE jobs SET params = '{broken' WHERE id = ?", (bad,))
    conn.close()
    params = {job["id"]: job["params"] for job in queue.list_jobs()}
    assert params == {good: {}, bad: "{broken"}


def test_pause_and_resume(queue: JobQueue) -> None:
    assert not queue.is_paused()
    queue.pause()
    queue.pause()
    assert queue.is_paused()
    queue.resume()
    assert not queue.is_paused()


def test_a_request_needs_a_worker_at_work(queue: JobQueue) -> None:
    assert queue.request_worker("nobody", "drain") is False
    with pytest.raises(ValueError, match="pause, resume, drain or stop"):
        queue.request_worker("nobody", "dance")  # type: ignore[arg-type]


def test_a_queue_that_does_not_initialize_creates_nothing(tmp_path: Path) -> None:
    JobQueue(tmp_path / "later.db", initialize=False)
    assert not (tmp_path / "later.db").exists()


def test_threads_have_connections_of_their_own(queue: JobQueue) -> None:
    mine = get_connection(queue.db_path)
    theirs: list[sqlite3.Connection] = []

    def other() -> None:
        theirs.append(get_connection(queue.db_path))
        close_connections()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert theirs[0] is not mine
    assert get_connection(queue.db_path) is mine
    with pytest.raises(sqlite3.ProgrammingError):
        theirs[0].execute("SELECT 1")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_connection_is_not_carried_across_a_fork(queue: JobQueue) -> None:
    mine = id(get_connection(queue.db_path))
    pid = os.fork()
    if pid == 0:
        fresh = get_connection(queue.db_path)
        queue.submit(Job("from the child", WORK))
        os._exit(0 if id(fresh) != mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [job["name"] for job in queue.list_jobs()] == ["from the child"]


def test_a_path_may_be_relative_text_or_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = JobQueue("jobs.db")
    first.submit(Job("n", WORK))
    assert JobQueue(tmp_path / "jobs.db").stats()["total"] == 1
    odd = JobQueue(tmp_path / "a file #1 with %41 & ?.db")
    odd.submit(Job("n", WORK))
    assert (tmp_path / "a file #1 with %41 & ?.db").exists()
    first.close()
    odd.close()


def test_an_action_on_many_jobs_tells_how_far_it_is(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Told(ActionProgress):
        """Remembers what it was told."""

        def __setattr__(self, name: str, value: int) -> None:
            super().__setattr__(name, value)
            if name == "done" and hasattr(self, "total"):
                seen.append((self.done, self.total))

    queue = JobQueue(tmp_path / "jobs.db", progress=Told())
    ids = queue.submit_many([Job(f"j{n}", WORK) for n in range(2 * AT_ONCE + 10)])
    queue.cancel_jobs(ids)
    parts = [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 10]
    assert [done for done, total in seen if total == len(ids)][-3:] == parts
    seen.clear()
    queue.requeue_jobs(ids[:3])
    assert seen[-1] == (3, 3)
    queue.close()


def test_only_a_lock_that_is_met_is_told(tmp_path: Path) -> None:
    progress = ActionProgress()
    queue = JobQueue(tmp_path / "jobs.db", progress=progress)
    (job_id,) = queue.submit_many([Job("j", WORK)])
    assert not progress.waits_for_lock
    other = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes: list[Outcome] = []
    act = threading.Thread(
        target=lambda: outcomes.extend(
            JobQueue(tmp_path / "jobs.db", progress=progress).cancel_jobs([job_id])
        )
    )
    act.start()
    try:
        wait_until(lambda: progress.waits_for_lock, what="the lock to be met")
        assert progress.done == 0
    finally:
        other.execute("ROLLBACK")
        act.join()
        other.close()
    assert not progress.waits_for_lock
    assert outcomes[0].done
    queue.close()


BY_NAME = {
    "remove_lane": False,
    "resume_lane": False,
    "remove_schedule": False,
    "pause_schedule": False,
    "resume_schedule": False,
    "run_schedule": KeyError,
    "remove_hook": False,
    "pause_hook": False,
    "resume_hook": False,
    "test_hook": KeyError,
}


@pytest.mark.parametrize("method", BY_NAME)
@pytest.mark.parametrize("name", ["", "nothing", "caf\udce9", "a\0b", "x" * 100_000])
def test_a_name_that_nothing_has_is_no_trouble(queue: JobQueue, method: str, name: str) -> None:
    expected = BY_NAME[method]
    if expected is False:
        assert getattr(queue, method)(name) is False
    else:
        with pytest.raises(KeyError):
            getattr(queue, method)(name)


@pytest.mark.parametrize("method", [*BY_NAME, "pause_lane", "set_lane"])
@pytest.mark.parametrize("name", [None, 5, ["a"], b"a", {}])
def test_a_name_that_is_no_text_is_refused(queue: JobQueue, method: str, name: Any) -> None:
    with pytest.raises(TypeError, match=r"must be (text|a string), not a value of type"):
        getattr(queue, method)(name)


@pytest.mark.parametrize(
    "method", ["cancel_jobs", "requeue_jobs", "retry_first", "release_jobs", "clear_jobs"]
)
def test_the_letters_of_one_id_are_no_ids(queue: JobQueue, method: str) -> None:
    job_id = in_status(queue, "failed")
    with pytest.raises(TypeError, match="not one id"):
        getattr(queue, method)(job_id)
    assert queue.get_status(job_id)["status"] == "failed"


# --- what is given is none of what is taken ---------------------------------------------------


@task
def decorated() -> None: ...


NO_JOBS = {
    "text": "json.dumps",
    "an id": "77ab3c1e-0000-4000-8000-000000000000",
    "a decorated function": decorated,
    "a function": json.dumps,
    "a job of GigQ's": gigq.Job("n", json.dumps),
    "nothing": None,
}


@pytest.mark.parametrize("given", NO_JOBS.values(), ids=NO_JOBS)
@pytest.mark.parametrize(
    ("taker", "give"),
    [
        ("submit", lambda queue, given: queue.submit(given)),
        ("submit", lambda queue, given: queue.submit_many([Job("n", WORK), given])),
        ("add_job", lambda queue, given: Workflow("w").add_job(given)),
        ("depends_on", lambda queue, given: Workflow("w").add_job(Job("n", WORK), [given])),
        ("A schedule", lambda queue, given: queue.schedule("n", "@daily", given)),
        ("A hook", lambda queue, given: queue.hook("failed", given)),
    ],
    ids=["submit", "submit_many", "add_job", "depends_on", "schedule", "hook"],
)
def test_what_is_no_job_is_refused_in_a_sentence(
    queue: JobQueue, taker: str, give: Callable[[JobQueue, Any], object], given: Any
) -> None:
    with pytest.raises(TypeError) as refused:
        give(queue, given)
    assert str(refused.value).startswith(f"{taker} takes a gigq_core.Job, not a value of type ")
    assert queue.stats()["total"] == 0


@pytest.mark.parametrize("given", [Job("n", WORK), "text", {"a": 1}, 5])
def test_what_is_no_list_of_jobs_is_refused(queue: JobQueue, given: Any) -> None:
    with pytest.raises(TypeError, match="submit takes a list of jobs, not a value of type "):
        queue.submit_many(given)
    with pytest.raises(TypeError, match="depends_on takes a list of jobs, not a value of type "):
        Workflow("w").add_job(Job("n", WORK), given)


@pytest.mark.parametrize("limit", ["5", None, 1.5, 2**63])
def test_a_limit_is_a_whole_number(queue: JobQueue, limit: Any) -> None:
    for ask in (queue.list_jobs, queue.workflows):
        with pytest.raises((TypeError, ValueError), match=r"^limit "):
            ask(limit=limit)


def test_what_is_submitted_twice_is_named(queue: JobQueue) -> None:
    first, second, third = (Job(name, WORK) for name in ("first", "second", "third"))
    queue.submit(second)
    for jobs in ([second], [first, second, third]):
        with pytest.raises(DuplicateJob) as refused:
            queue.submit_many(jobs)
        assert str(refused.value) == (
            f"A job can be submitted once, and 'second' ({second.id}) already was: make a new Job."
        )
    with pytest.raises(DuplicateJob, match=f"'third' .{third.id}. already was"):
        queue.submit_many([first, third, third])
    assert queue.stats()["total"] == 1
