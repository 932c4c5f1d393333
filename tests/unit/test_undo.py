"""Taking acts back: the row, its parents and children, and the counters come right again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core import queue as queue_module
from gigq_core.changes.undo import Undo
from gigq_core.errors import DatabaseBusy
from gigq_core.job import FunctionReference
from gigq_core.schema import attach, ddl, filling
from gigq_core.status import Change, Outcome
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.store_files import GIGQ_FILES, gigq_copy

WORK = FunctionReference("json", "dumps")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


def add(queue: JobQueue, name: str = "n", **options: Any) -> str:
    return queue.submit(Job(name, WORK, **options))


def write(queue: JobQueue, statement: str, *values: object) -> None:
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute(statement, values)
    conn.close()


def end(queue: JobQueue, job_id: str, status: str, **columns: object) -> None:
    """Bring a job to its end as a worker would: the guards of final rows are in force after it."""
    columns = {"attempts": 3, "completed_at": "2026-01-01T00:00:00", **columns}
    sets = "".join(f", {column} = ?" for column in columns)
    write(
        queue, f"UPDATE jobs SET status = ?{sets} WHERE id = ?", status, *columns.values(), job_id
    )


def state(queue: JobQueue) -> dict[str, list[Any]]:
    """All that must come right again, in every table."""
    conn = sqlite3.connect(queue.db_path)
    try:
        tables = ("jobs", "job_executions", "core_edges", "core_tombstones", "core_overrides")
        found = {
            table: conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in tables[:3]
        }
        found |= {table: conn.execute(f"SELECT * FROM {table}").fetchall() for table in tables[3:]}
        found["core_counts"] = conn.execute("SELECT * FROM core_counts ORDER BY 1").fetchall()
        found["order"] = conn.execute("SELECT id FROM jobs ORDER BY rowid").fetchall()
        return found
    finally:
        conn.close()


def counted(queue: JobQueue) -> bool:
    conn = sqlite3.connect(queue.db_path)
    try:
        kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0").fetchall())
        true = f"SELECT {ddl.state_of('jobs')}, COUNT(*) FROM jobs GROUP BY 1"
        return kept == dict(conn.execute(true).fetchall())
    finally:
        conn.close()


Act = Callable[[JobQueue, list[str], Undo], list[Outcome]]

ACTS: dict[str, Act] = {
    "cancel": lambda queue, ids, undo: queue.cancel_jobs(ids, undo),
    "retry": lambda queue, ids, undo: queue.requeue_jobs(ids, undo),
    "priority": lambda queue, ids, undo: queue.change_priority(ids, 3, undo),
    "clear": lambda queue, ids, undo: queue.clear_jobs(ids, True, undo),
}


def a_family(queue: JobQueue) -> list[str]:
    """Jobs in every state, with parents and children, and a parent that is missing."""
    done = add(queue, "done")
    failed = add(queue, "failed")
    ids = [
        done,
        failed,
        add(queue, "ready"),
        add(queue, "blocked", dependencies=[failed, done]),
        add(queue, "never", dependencies=["no-such-job"]),
        add(queue, "timed out", dependencies=[done]),
        add(queue, "cancelled while blocked", dependencies=[failed]),
        add(queue, "delayed"),
    ]
    end(queue, done, "completed", result='{"rows": 7}')
    end(queue, failed, "failed", error="HTTP 500", attempts=3)
    end(queue, ids[5], "timeout", error="too slow", attempts=2)
    write(queue, "UPDATE jobs SET due = 1798761600.0 WHERE id = ?", ids[3])
    write(queue, "UPDATE jobs SET retry_after = '2027-01-01T00:00:00' WHERE id = ?", ids[7])
    queue.cancel_jobs([ids[6]])
    write(
        queue,
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at)"
        " VALUES ('x', ?, 'w', 'failed', '2026-01-01T00:00:00')",
        failed,
    )
    return ids


@pytest.mark.parametrize("act", ACTS)
def test_everything_is_as_it_was(queue: JobQueue, act: str) -> None:
    ids = a_family(queue)
    before = state(queue)
    undo = Undo()
    outcomes = ACTS[act](queue, ids, undo)
    done = [o.job_id for o in outcomes if o.done]
    assert state(queue) != before
    assert counted(queue)
    restored = queue.restore_jobs(undo)
    assert [(o.job_id, o.change) for o in restored] == [(i, Change.RESTORED) for i in done]
    assert state(queue) == before
    assert counted(queue)


def test_acts_on_one_another_are_taken_back_one_by_one(queue: JobQueue) -> None:
    ids = a_family(queue)
    states, undos = [], []
    for act in ("retry", "priority", "cancel", "clear"):
        states.append(state(queue))
        undos.append(Undo())
        ACTS[act](queue, ids, undos[-1])
    while undos:
        assert all(o.done for o in queue.restore_jobs(undos.pop()))
        assert state(queue) == states.pop()


def test_what_was_undone_is_not_undone_again(queue: JobQueue) -> None:
    undo = Undo()
    queue.cancel_jobs([add(queue)], undo)
    assert queue.restore_jobs(undo)[0].done
    assert queue.restore_jobs(undo)[0].reason == "it has been queued again since"


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        ("UPDATE jobs SET status = 'running', execution_id = 't'", "a worker has claimed it since"),
        ("UPDATE jobs SET status = 'completed'", "it has completed since"),
        ("UPDATE jobs SET status = 'cancelled'", "it has been cancelled since"),
        ("UPDATE jobs SET updated_at = 'x'", "it has been changed since"),
        ("DELETE FROM jobs", "it has been deleted since"),
    ],
)
def test_a_row_that_is_no_longer_as_the_act_left_it_is_refused(
    queue: JobQueue, since: str, reason: str
) -> None:
    job_id = add(queue)
    end(queue, job_id, "failed", error="no")
    undo = Undo()
    queue.requeue_jobs([job_id], undo)
    write(queue, since)
    before = state(queue)
    (outcome,) = queue.restore_jobs(undo)
    assert (outcome.change, outcome.reason, outcome.name) == (Change.REFUSED, reason, "n")
    assert state(queue) == before


def test_a_job_put_back_waits_for_what_has_changed_meanwhile(queue: JobQueue) -> None:
    """Parents that completed, or came, while the child was cancelled count as they do now."""
    parent = add(queue, "parent")
    child = add(queue, "child", dependencies=[parent])
    undo = Undo()
    queue.cancel_jobs([child], undo)
    end(queue, parent, "completed")
    assert queue.restore_jobs(undo)[0].done
    assert ("ready", 1) in state(queue)["core_counts"]
    conn = sqlite3.connect(queue.db_path)
    assert conn.execute("SELECT retry_after FROM jobs WHERE id = ?", (child,)).fetchone() == (None,)
    conn.close()


def test_a_parent_whose_cancel_is_undone_can_still_free_its_children(queue: JobQueue) -> None:
    parent = add(queue, "parent")
    child = add(queue, "child", dependencies=[parent])
    undo = Undo()
    queue.cancel_jobs([parent], undo)
    queue.restore_jobs(undo)
    end(queue, parent, "completed")
    assert queue.get_status(child)["status"] == "pending"
    conn = sqlite3.connect(queue.db_path)
    assert conn.execute("SELECT met FROM core_edges").fetchall() == [(1,)]
    conn.close()


def test_the_stop_of_a_running_job_is_not_taken_back(queue: JobQueue) -> None:
    running, waiting = add(queue), add(queue)
    write(queue, "UPDATE jobs SET status = 'running', execution_id = 't' WHERE id = ?", running)
    undo = Undo()
    queue.cancel_jobs([running, waiting], undo)
    first, second = queue.restore_jobs(undo)
    assert first.reason == "its worker was asked to cancel it"
    assert second.change is Change.RESTORED
    assert queue.get_status(running)["stop_requested_at"] is not None


def test_a_cleared_job_that_came_again_is_left_alone(queue: JobQueue) -> None:
    job = Job("again", WORK)
    queue.submit(job)
    queue.cancel_jobs([job.id])
    undo = Undo()
    queue.clear_jobs([job.id], False, undo)
    queue.submit(job)
    assert queue.restore_jobs(undo)[0].reason == "there is a job with that id again"
    queue.cancel_jobs([job.id])
    queue.clear_jobs([job.id])
    assert "submitted and deleted since" in queue.restore_jobs(undo)[0].reason


def test_a_child_that_came_while_its_parent_was_cleared_keeps_what_it_was_told(
    queue: JobQueue,
) -> None:
    done, failed = add(queue), add(queue)
    end(queue, done, "completed")
    end(queue, failed, "failed")
    undo = Undo()
    queue.clear_jobs([done, failed], True, undo)
    runs = add(queue, "runs", dependencies=[done])
    waits = add(queue, "waits", dependencies=[failed])
    assert all(o.done for o in queue.restore_jobs(undo))
    queue.requeue_jobs([failed])
    end(queue, failed, "completed")
    met = dict.fromkeys([(runs, done, 1, 0), (waits, failed, 1, 0)])
    assert dict.fromkeys(state(queue)["core_edges"]) == met
    assert counted(queue)


def test_a_parent_that_was_missing_when_the_file_was_attached_still_counts_as_completed(
    tmp_path: Path,
) -> None:
    path = gigq_copy(tmp_path, GIGQ_FILES[0])
    queue = JobQueue(path)
    conn = sqlite3.connect(path)
    (child,) = conn.execute("SELECT child_id FROM core_edges WHERE met = 2").fetchone()
    conn.close()
    assert list(filling.fill_all(queue._connection()))
    queue.cancel_jobs([child])
    before = state(queue)
    undo = Undo()
    assert queue.clear_jobs([child], False, undo)[0].done
    assert queue.restore_jobs(undo)[0].done
    assert state(queue) == before


def test_moments_that_are_filled_in_since_are_no_change(tmp_path: Path) -> None:
    queue = JobQueue(gigq_copy(tmp_path, GIGQ_FILES[0]))
    ids = [job["id"] for job in queue.list_jobs("pending")] + [
        job["id"] for job in queue.list_jobs("failed")
    ]
    undo = Undo()
    queue.change_priority(ids, 1, undo)
    queue.requeue_jobs(ids, undo)
    assert len(undo) >= 2
    assert list(filling.fill_all(queue._connection()))
    assert all(outcome.done for outcome in queue.restore_jobs(undo))


def test_a_file_that_was_detached_meanwhile_is_left_as_it_is(queue: JobQueue) -> None:
    parent = add(queue)
    child = add(queue, dependencies=[parent])
    undo, cleared = Undo(), Undo()
    queue.cancel_jobs([child], undo)
    gone = add(queue)
    queue.cancel_jobs([gone])
    queue.clear_jobs([gone], False, cleared)
    queue.close()
    attach.detach(queue.db_path)
    # What a job is to do when it crashes went with our columns, so the row is another one.
    assert queue.restore_jobs(undo)[0].reason == "it has been changed since"
    assert "detached since" in queue.restore_jobs(cleared)[0].reason
    assert counted(queue)


def test_more_than_can_be_kept_is_cleared_for_good(queue: JobQueue) -> None:
    small, large = add(queue), add(queue, params={"x": "y" * 5000})
    queue.cancel_jobs([small, large])
    undo = Undo(most_bytes=1000)
    assert all(o.done for o in queue.clear_jobs([large, small], False, undo))
    first, second = queue.restore_jobs(undo)
    assert first.reason == "it was too large to be kept"
    assert second.done


def test_errors_that_are_too_large_to_be_kept_are_cleared_by_a_retry_for_good(
    queue: JobQueue,
) -> None:
    small, large = add(queue), add(queue)
    end(queue, small, "failed", error="no")
    end(queue, large, "failed", error="x" * 5000)
    undo = Undo(most_bytes=1000)
    assert all(o.done for o in queue.requeue_jobs([large, small], undo))
    assert undo.held_bytes < 1000
    first, second = queue.restore_jobs(undo)
    assert first.reason == "it was too large to be kept"
    assert second.done


def test_text_that_is_no_text_is_never_written_back_changed(queue: JobQueue) -> None:
    job_id = add(queue)
    end(queue, job_id, "failed")
    write(queue, "UPDATE jobs SET error = CAST(x'ff41' AS TEXT)")
    undo = Undo()
    queue.requeue_jobs([job_id], undo)
    assert "not valid" in queue.restore_jobs(undo)[0].reason


def test_names_in_any_script_come_back(queue: JobQueue) -> None:
    job_id = add(queue, "größer 図 \u202e", params={"x": "é\x00"})
    end(queue, job_id, "failed", error="naïve\nline")
    before = state(queue)
    for act in ("retry", "clear"):
        undo = Undo()
        ACTS[act](queue, [job_id], undo)
        assert queue.restore_jobs(undo)[0].done
        assert state(queue) == before


def test_a_thousand_and_more_are_done_in_parts(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "AT_ONCE", 3)
    ids = queue.submit_many(Job(f"n{n}", WORK) for n in range(8))
    before = state(queue)
    undo = Undo()
    assert [o.job_id for o in queue.cancel_jobs(ids, undo)] == ids
    assert undo.job_ids == tuple(ids)
    assert all(o.done for o in queue.restore_jobs(undo))
    assert state(queue) == before


def test_a_lock_that_comes_between_two_parts_is_told_row_by_row(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "AT_ONCE", 2)
    ids = queue.submit_many(Job(f"n{n}", WORK) for n in range(5))
    locker = sqlite3.connect(queue.db_path, isolation_level=None)

    def lock(_: float) -> None:
        if not locker.in_transaction:
            queue._connection().execute("PRAGMA busy_timeout = 20")
            locker.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(queue_module.time, "sleep", lock)
    undo = Undo()
    outcomes = queue.cancel_jobs(ids, undo)
    assert [o.done for o in outcomes] == [True, True, False, False, False]
    assert "locked by another process" in outcomes[-1].reason
    with pytest.raises(DatabaseBusy):
        queue.restore_jobs(undo)
    locker.execute("ROLLBACK")
    locker.close()
    assert [o.change for o in queue.restore_jobs(undo)] == [Change.RESTORED] * 2
    assert queue.stats()["pending"] == 5


def test_a_delayed_job_whose_time_has_come_is_still_as_the_act_left_it(queue: JobQueue) -> None:
    job_id = add(queue, run_after=3600)
    undo = Undo()
    queue.change_priority([job_id], 5, undo)
    ledger = Ledger(queue.db_path, runs_script=False)
    write(queue, "UPDATE jobs SET due = 0 WHERE id = ?", job_id)
    own = Register("w", "script", "thread", 1, None, None, None)
    assert ledger.commit(own, [], [], claim=False, stage=True, beat=False).staged == 1
    ledger.close()
    (outcome,) = queue.restore_jobs(undo)
    assert outcome.change is Change.RESTORED
    job = queue.get_status(job_id)
    assert (job["priority"], job["run_at"], job["retry_after"]) == (0, None, None)
