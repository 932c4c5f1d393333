"""Clearing finished jobs: what the dry run says, and what then goes, stays, and is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue, JobStatus
from gigq_core.changes.undo import Undo, kept_of
from gigq_core.errors import DatabaseMissing
from gigq_core.job import FunctionReference
from gigq_core.schema import statements as sql
from gigq_core.status import Change
from tests.store_files import GIGQ_FILES, Writer, both_kinds, digest, gigq_copy

FINAL = ("completed", "failed", "timeout", "cancelled")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "jobs.db")
    yield writer
    writer.close()


def queue_of(writer: Writer) -> JobQueue:
    return JobQueue(writer.path, initialize=False)


def left(writer: Writer) -> list[str]:
    return [row[0] for row in writer.conn.execute("SELECT id FROM jobs ORDER BY rowid")]


@both_kinds
@pytest.mark.parametrize("status", [status.value for status in JobStatus])
def test_clear_in_each_state(tmp_path: Path, status: str, attached: bool) -> None:
    writer = Writer(tmp_path / "jobs.db", attached)
    writer.job("a", status)
    queue = queue_of(writer)
    plan = queue.plan_clear(["a"])
    (outcome,) = queue.clear_jobs(["a"])
    if status in FINAL:
        assert [job.job_id for job in plan.free] == ["a"]
        assert (outcome.change, outcome.reason, outcome.name) == (Change.CLEARED, "", "a")
        assert left(writer) == []
    else:
        assert plan.finished == ()
        assert outcome == plan.refused[0]
        assert outcome.reason.startswith("it is still ")
        assert left(writer) == ["a"]
    queue.close()
    writer.close()


@both_kinds
def test_a_result_that_is_still_to_be_read_is_kept(tmp_path: Path, attached: bool) -> None:
    writer = Writer(tmp_path / "jobs.db", attached)
    writer.job("read", "completed", completed_at="2026-01-01")
    writer.job("unread", "completed")
    writer.job("child", parents=["read"])
    writer.job("runs", "running", parents=["read"], pass_parent_results=1)
    writer.job("blind", parents=["unread", "read"], pass_parent_results=0)
    writer.job("over", "failed", parents=["unread"])
    queue = queue_of(writer)
    plan = queue.plan_clear(["read", "unread"])
    assert [(job.job_id, job.need) for job in plan.finished] == [
        ("read", "2 jobs that wait may read its result"),
        ("unread", ""),
    ]
    assert plan.finished[0].ended == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert [o.done for o in queue.clear_jobs(["read", "unread"])] == [False, True]
    assert queue.clear_jobs(["read"], include_needed=True)[0].reason == plan.needed[0].need
    assert left(writer) == ["child", "runs", "blind", "over"]
    queue.close()
    writer.close()


@both_kinds
@pytest.mark.parametrize("status", ["failed", "timeout", "cancelled"])
def test_an_end_that_somebody_waits_for_is_kept(
    tmp_path: Path, status: str, attached: bool
) -> None:
    writer = Writer(tmp_path / "jobs.db", attached)
    writer.job("parent", status)
    writer.job("child", parents=["parent"], pass_parent_results=0)
    queue = queue_of(writer)
    need = "1 job waits for it, and could never run without it"
    assert [job.need for job in queue.plan_clear(["parent"]).needed] == [need]
    assert queue.clear_jobs(["parent"])[0].reason == need
    assert queue.clear_jobs(["parent"], include_needed=True)[0].done
    # Its child is not set free by that.
    row = writer.conn.execute("SELECT status, retry_after FROM jobs").fetchone()
    assert tuple(row) == ("pending", "9999-12-31T23:59:59")
    queue.close()
    writer.close()


def test_a_child_that_came_after_the_plan_keeps_its_parent(writer: Writer) -> None:
    writer.job("parent", "completed")
    queue = queue_of(writer)
    assert queue.plan_clear(["parent"]).free
    writer.job("child", parents=["parent"])
    assert queue.clear_jobs(["parent"])[0].reason == "1 job that waits may read its result"
    queue.close()


def test_the_plan_counts_what_goes_later(writer: Writer) -> None:
    writer.job("a", "completed", params='{"x": 1}', result="12345")
    writer.job("b", "failed")
    for number, (job, output) in enumerate([("a", None), ("a", "attempts/2.log"), ("b", "x")]):
        writer.insert(
            "job_executions",
            {
                "id": str(number),
                "job_id": job,
                "worker_id": "w",
                "status": "failed",
                "started_at": "2026-01-01",
                "output": output,
            },
        )
    plan = queue_of(writer).plan_clear(["a", "a", "gone"])
    assert (plan.attempts, plan.outputs) == (2, 1)
    values = writer.conn.execute("SELECT * FROM jobs WHERE id = 'a'").fetchone()
    assert plan.finished[0].size == sum(len(value) for value in values if isinstance(value, str))
    assert [o.reason for o in plan.refused] == ["there is no such job"]


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_a_dry_run_leaves_a_file_of_gigq_as_it_is(tmp_path: Path, name: str) -> None:
    path = gigq_copy(tmp_path, name)
    conn = sqlite3.connect(path)
    ids = [row[0] for row in conn.execute("SELECT id FROM jobs")]
    conn.close()
    before = digest(path)
    plan = JobQueue(path, initialize=False).plan_clear(ids)
    assert len(plan.finished) + len(plan.refused) == len(ids)
    assert plan.finished
    assert digest(path) == before


def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        JobQueue(tmp_path / "gone.db", initialize=False).plan_clear(["a"])


@pytest.mark.parametrize(
    "statement", [sql.NEEDED_AMONG, sql.finished_among(("params", "ended")), sql.WHOLE_ROWS]
)
def test_what_each_part_asks_does_not_grow_with_the_table(writer: Writer, statement: str) -> None:
    plan = [row[3] for row in writer.conn.execute(f"EXPLAIN QUERY PLAN {statement}", ("[]",))]
    scans = [step for step in plan if step.startswith("SCAN")]
    assert all("VIRTUAL TABLE" in step for step in scans), plan
    assert any(step.startswith("SEARCH") for step in plan)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99, 1.0])
def test_a_plan_foretells_how_much_an_undo_can_hold(tmp_path: Path, share: float) -> None:
    """To the character: as many as are foretold come back."""
    queue = JobQueue(tmp_path / "jobs.db")
    work = FunctionReference("json", "dumps")
    sizes = [10, 40_000, 3, 90_000, 700, 20_000, 5_000]
    ids = queue.submit_many(
        [Job(f"j{n}", work, params={"text": "ä" * size}) for n, size in enumerate(sizes)]
    )
    queue.cancel_jobs(ids)
    plan = queue.plan_clear(ids)
    most = int(share * sum(job.size for job in plan.finished))
    undo = Undo(most_bytes=most)
    queue.clear_jobs(ids, undo=undo)
    foretold = kept_of((job.size for job in plan.finished), most)
    assert undo.restorable == foretold
    assert 0 < foretold < len(ids) or share in (0.0, 1.0)
    queue.restore_jobs(undo)
    assert sum(queue.get_status(id)["exists"] for id in ids) == foretold
    queue.close()
