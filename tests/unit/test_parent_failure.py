"""What becomes of the children of a parent that failed: who is cancelled, goes on, or waits."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Worker
from gigq_core.changes import cascade
from gigq_core.changes.undo import Undo
from gigq_core.job import FunctionReference
from gigq_core.schema import ddl
from gigq_core.status import Change
from gigq_core.worker.claims import Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register

WORK = FunctionReference("json", "dumps")

# How a parent ends, what its children's error then says, and why they can't be retried alone.
ENDS = {
    "failed": ("failed", "extract has failed: retry it first"),
    "timeout": ("timed out", "extract has timed out: retry it first"),
    "cancelled": ("was cancelled", "extract was cancelled: retry it first"),
}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


@pytest.fixture
def ledger(queue: JobQueue) -> Iterator[Ledger]:
    ledger = Ledger(queue.db_path, runs_script=False)
    yield ledger
    ledger.close()


def add(queue: JobQueue, name: str, *parents: str, policy: Any = "wait", **options: Any) -> str:
    job = Job(name, WORK, dependencies=list(parents), on_parent_failure=policy, **options)
    return queue.submit(job)


def write(queue: JobQueue, statement: str, *values: object) -> None:
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute(statement, values)
    conn.close()


def end(queue: JobQueue, job_id: str, status: str) -> None:
    """As GigQ's worker writes it."""
    write(queue, "UPDATE jobs SET status = ?, attempts = 3 WHERE id = ?", status, job_id)


def work_off(ledger: Ledger) -> int:
    """As a supervisor does it; says in how many transactions."""
    n = 0
    while cascade.is_waiting(ledger.conn):
        ledger.tell_children()
        n += 1
    return n


def status(queue: JobQueue, job_id: str) -> str:
    return str(queue.get_status(job_id)["status"])


def is_ready(queue: JobQueue, job_id: str) -> bool:
    rows = queue._all(f"SELECT 1 FROM jobs WHERE id = ? AND {ddl.IS_READY}", job_id)
    return bool(rows)


@pytest.mark.parametrize("ending", ENDS)
def test_a_child_is_cancelled_goes_on_or_waits_as_it_says(
    queue: JobQueue, ledger: Ledger, ending: str
) -> None:
    parent = add(queue, "extract")
    children = {p: add(queue, p, parent, policy=p) for p in ("wait", "cancel", "run")}
    grandchild = add(queue, "report", children["cancel"], policy="cancel")
    end(queue, parent, ending)
    assert work_off(ledger) == 1
    assert status(queue, children["wait"]) == "pending"
    assert not is_ready(queue, children["wait"])
    assert is_ready(queue, children["run"])
    what, reason = ENDS[ending]
    for job_id in (children["cancel"], grandchild):
        job = queue.get_status(job_id)
        assert (job["status"], job["attempts"]) == ("cancelled", 0)
        assert job["error"] == f"extract ({parent[:4]}…) {what}"
        (outcome,) = queue.requeue_jobs([job_id])
        assert (outcome.change, outcome.reason) == (Change.REFUSED, reason)
    (outcome,) = queue.requeue_jobs([parent])
    assert outcome.change is Change.REQUEUED
    assert outcome.reason == "2 jobs that it had cancelled stay cancelled"
    # Nobody ran it yet: it waits for the parent again.
    assert not is_ready(queue, children["run"])


@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_a_parent_that_is_deleted_before_it_completed_will_not_come(
    queue: JobQueue, ledger: Ledger, policy: str
) -> None:
    parent = add(queue, "extract")
    child = add(queue, "load", parent, policy=policy)
    write(queue, "DELETE FROM jobs WHERE id = ?", parent)
    work_off(ledger)
    # One that comes later finds its mark, which has no name; of an unknown id nobody knows.
    late = add(queue, "late", parent, policy=policy)
    unknown = add(queue, "unknown", "nobody", policy=policy)
    assert not is_ready(queue, unknown)
    if policy == "run":
        assert is_ready(queue, child)
        assert is_ready(queue, late)
        return
    assert queue.get_status(child)["error"] == f"extract ({parent[:4]}…) was deleted"
    assert queue.get_status(late)["error"] == f"{parent[:4]}… was deleted"
    (outcome,) = queue.requeue_jobs([child])
    assert outcome.reason == "a job that it waits for was deleted: submit both anew"


def test_a_child_of_a_completed_parent_that_was_deleted_runs(queue: JobQueue) -> None:
    parent = add(queue, "extract")
    end(queue, parent, "completed")
    queue.clear_completed()
    assert is_ready(queue, add(queue, "load", parent, policy="cancel"))


@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_a_child_that_is_submitted_after_the_failure_is_told_at_once(
    queue: JobQueue, policy: str
) -> None:
    parent = add(queue, "extract")
    queue.cancel(parent)
    child = add(queue, "load", parent, policy=policy)
    assert (status(queue, child) == "cancelled") is (policy == "cancel")
    assert is_ready(queue, child) is (policy == "run")


def test_one_that_goes_on_waits_for_its_other_parents_and_for_its_time(
    queue: JobQueue, ledger: Ledger
) -> None:
    first, second = add(queue, "first"), add(queue, "second")
    child = add(queue, "load", first, second, policy="run")
    later = add(queue, "later", first, second, policy="run", run_after=3600)
    queue.cancel(first)
    assert not is_ready(queue, child)
    end(queue, second, "completed")
    assert is_ready(queue, child)
    assert not is_ready(queue, later)
    assert queue.get_status(later)["run_at"] is not None


@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_a_parent_that_had_completed_stays_so_for_whoever_knew_it(
    queue: JobQueue, ledger: Ledger, policy: str
) -> None:
    first, second = add(queue, "first"), add(queue, "second")
    child = add(queue, "load", first, second, policy=policy)
    end(queue, first, "completed")
    queue.clear_completed()
    again = Job("first", WORK)
    again.id = first
    queue.submit(again)
    end(queue, first, "failed")
    work_off(ledger)
    assert status(queue, child) == "pending"
    assert queue._all("SELECT met FROM core_edges WHERE parent_id = ?", first)[0][0] == 1
    end(queue, second, "completed")
    assert is_ready(queue, child)


def test_a_hidden_one_goes_on_hidden(queue: JobQueue) -> None:
    parent = add(queue, "extract")
    child = add(queue, "load", parent, policy="run", ours=True)
    queue.cancel(parent)
    (row,) = queue._all("SELECT retry_after FROM jobs WHERE id = ?", child)
    assert row[0] == ddl.OURS
    # Its requeue by GigQ, too, leaves it hidden; and parked, while the parent waits again.
    end(queue, child, "failed")
    queue.requeue_job(parent)
    write(
        queue,
        "UPDATE jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = ?",
        child,
    )
    (row,) = queue._all("SELECT retry_after FROM jobs WHERE id = ?", child)
    assert row[0] == ddl.PARKED


def claim(ledger: Ledger, own: Register) -> Any:
    (found,) = ledger.commit(own, [], [1], claim=True, stage=False, beat=False).claims
    return found


def test_one_that_went_on_is_judged_anew_when_it_waits_again(
    queue: JobQueue, ledger: Ledger
) -> None:
    own = Register("w", "script", "thread", 1, None, None, None)
    parent = add(queue, "extract", priority=-1)
    child = add(queue, "load", parent, policy="run")
    queue.cancel(parent)
    attempt = claim(ledger, own)
    assert attempt.job_id == child
    assert ledger.parents_of(attempt)[0][3] is None
    # The parent waits again, while the child runs: that goes on, and its next attempt waits.
    queue.requeue_job(parent)
    assert status(queue, child) == "running"
    assert queue._all("SELECT met FROM core_edges")[0][0] == 3
    failed = Ending(attempt, Fate.FAILED, error="no")
    ledger.commit(own, [failed], [], claim=False, stage=False, beat=False)
    assert not is_ready(queue, child)
    end(queue, parent, "completed")
    assert is_ready(queue, child)


def test_a_cancel_says_how_many_it_cancelled_along(queue: JobQueue, ledger: Ledger) -> None:
    parent = add(queue, "extract")
    add(queue, "earlier", parent, policy="cancel")
    end(queue, parent, "failed")
    work_off(ledger)
    queue.requeue_job(parent)
    (alone,) = queue.cancel_jobs([parent])
    assert (alone.change, alone.reason) == (Change.CANCELLED, "")
    queue.requeue_job(parent)
    child = add(queue, "load", parent, policy="cancel")
    add(queue, "report", child, policy="cancel")
    (outcome,) = queue.cancel_jobs([parent])
    assert outcome.reason == "2 jobs behind it were cancelled too"


def test_a_retried_parent_takes_what_it_cancelled_along_if_asked_to(queue: JobQueue) -> None:
    parent = add(queue, "extract")
    child = add(queue, "load", parent, policy="cancel")
    grandchild = add(queue, "report", child, policy="cancel")
    queue.cancel(parent)
    undo = Undo()
    outcomes = queue.requeue_jobs([parent], undo, cancelled_children=True)
    assert {outcome.job_id for outcome in outcomes} == {parent, child, grandchild}
    assert outcomes[0] == (parent, Change.REQUEUED, "", "extract")
    assert [status(queue, x) for x in (parent, child, grandchild)] == ["pending"] * 3
    assert queue._all("SELECT * FROM core_cascaded") == []
    # Taken back, all of it is as before: the next retry finds them again.
    assert all(outcome.done for outcome in queue.restore_jobs(undo))
    assert [status(queue, x) for x in (parent, child, grandchild)] == ["cancelled"] * 3
    (outcome,) = queue.requeue_jobs([parent])
    assert outcome.reason == "2 jobs that it had cancelled stay cancelled"


def test_jobs_that_are_retried_together_may_stand_in_any_order(queue: JobQueue) -> None:
    parent = add(queue, "extract")
    child = add(queue, "load", parent, policy="cancel")
    grandchild = add(queue, "report", child, policy="cancel")
    queue.cancel(parent)
    outcomes = queue.requeue_jobs([grandchild, "nobody", child, parent, child])
    assert [outcome.job_id for outcome in outcomes] == [grandchild, "nobody", child, parent, child]
    assert [outcome.done for outcome in outcomes] == [True, False, True, True, False]


def test_undo_of_a_cancel_brings_back_whom_it_cancelled_along(
    queue: JobQueue, ledger: Ledger
) -> None:
    parent = add(queue, "extract")
    earlier = add(queue, "earlier", parent, policy="cancel")
    end(queue, parent, "failed")
    work_off(ledger)
    queue.requeue_job(parent)
    child = add(queue, "load", parent, policy="cancel", run_after=3600)
    grandchild = add(queue, "report", child, policy="cancel")
    before = queue.get_status(child)
    undo = Undo()
    queue.cancel_jobs([parent], undo)
    assert status(queue, grandchild) == "cancelled"
    outcomes = queue.restore_jobs(undo)
    assert [outcome.job_id for outcome in outcomes] == [parent, child, grandchild]
    assert all(outcome.change is Change.RESTORED for outcome in outcomes)
    after = queue.get_status(child)
    assert {**after, "updated_at": 0} == {**before, "updated_at": 0}
    assert status(queue, grandchild) == "pending"
    # What it had cancelled before, by its failure, is no part of that act.
    assert status(queue, earlier) == "cancelled"


def test_what_gigq_retries_alone_is_cancelled_again(queue: JobQueue, ledger: Ledger) -> None:
    import gigq

    parent = add(queue, "extract")
    child = add(queue, "load", parent, policy="cancel")
    queue.cancel(parent)
    theirs = gigq.JobQueue(str(queue.db_path))
    assert theirs.requeue_job(child)
    assert not is_ready(queue, child)
    work_off(ledger)
    assert status(queue, child) == "cancelled"
    # And where it retries the parent before anybody was told, nobody is.
    theirs.requeue_job(parent)
    theirs.requeue_job(child)
    end(queue, parent, "failed")
    theirs.requeue_job(parent)
    work_off(ledger)
    assert status(queue, child) == "pending"
    gigq.close_connections()


# --- many --------------------------------------------------------------------------------------


def family(queue: JobQueue, shape: str, n: int) -> list[str]:
    jobs = [Job("root", WORK)]
    for number in range(n):
        parent = jobs[-1] if shape == "chain" else jobs[0]
        jobs.append(Job(f"n{number}", WORK, dependencies=[parent.id], on_parent_failure="cancel"))
    return queue.submit_many(jobs)


@pytest.mark.parametrize(("shape", "n"), [("chain", 1500), ("width", 5000)])
def test_many_are_told_in_transactions_that_are_short(
    queue: JobQueue, ledger: Ledger, shape: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, *_ = family(queue, shape, n)
    times = []
    tell = cascade.work_off

    def timed(conn: sqlite3.Connection) -> bool:
        begun = time.thread_time()
        left = tell(conn)
        times.append(time.thread_time() - begun)
        return left

    monkeypatch.setattr(cascade, "work_off", timed)
    end(queue, root, "failed")
    work_off(ledger)
    assert n / cascade.TOLD_AT_ONCE <= len(times) <= n / cascade.TOLD_AT_ONCE + 2
    # Of processor time, some four times of what it takes.
    assert max(times) < 0.15, times
    assert queue.stats()["cancelled"] == n
    errors = queue._all("SELECT DISTINCT error FROM jobs WHERE status = 'cancelled'")
    assert [row[0] for row in errors] == [f"root ({root[:4]}…) failed"]
    assert len(queue.requeue_jobs([root], cancelled_children=True)) == n + 1
    assert queue.stats()["pending"] == n + 1


# --- whoever uses none of it --------------------------------------------------------------------


def test_a_file_that_uses_none_of_it_has_nothing_of_it(queue: JobQueue) -> None:
    parent = add(queue, "extract")
    add(queue, "load", parent)
    names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'core_policy*'"
    assert queue._all(names) == []
    add(queue, "report", parent, policy="run")
    assert {row[0] for row in queue._all(names)} == set(ddl.POLICIES)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_worker_for_one_job_tells_the_children_of_that_one(
    queue: JobQueue, isolation: Any
) -> None:
    fails = Job("extract", "json.loads", {"s": "{"}, max_attempts=1)
    parent = queue.submit(fails)
    child = add(queue, "clean", parent, policy="cancel")
    behind = add(queue, "load", child, policy="cancel")
    going_on = add(queue, "report", parent, policy="run")
    worker = Worker(queue.db_path, isolation=isolation)
    try:
        assert worker.process_one()
    finally:
        worker.close()
    assert status(queue, parent) == "failed"
    assert [status(queue, job_id) for job_id in (child, behind)] == ["cancelled"] * 2
    assert is_ready(queue, going_on)
