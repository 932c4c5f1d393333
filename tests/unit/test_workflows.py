"""Workflows keep their names, and batches theirs: what is listed by them, and how a run stands."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue, Workflow
from gigq_core.job import FunctionReference
from tests.store_files import GIGQ_FILES, gigq_copy
from tests.unit.test_core_cli import db, end, run

__all__ = ["db"]

WORK = FunctionReference("json", "dumps")


def submit(queue: JobQueue, name: str, n: int = 2) -> list[str]:
    workflow = Workflow(name)
    jobs = [workflow.add_job(Job(f"{name}-{number}", WORK)) for number in range(n)]
    workflow.submit_all(queue)
    assert {job.workflow for job in jobs} == {name}
    return [job.id for job in jobs]


def test_runs_of_workflows_are_told_newest_first(db: Path) -> None:
    queue = JobQueue(db)
    assert queue.workflows() == []
    before = time.time()
    first = submit(queue, "nightly")
    submit(queue, "hourly", 3)
    second = submit(queue, "nightly")
    queue.submit(Job("alone", WORK))
    end(db, first[0], "completed")
    queue.cancel(first[1])
    runs = queue.workflows()
    assert [run["name"] for run in runs] == ["nightly", "hourly", "nightly"]
    assert [run["total"] for run in runs] == [2, 3, 2]
    assert len({run["id"] for run in runs}) == 3
    assert all(before <= run["submitted"] <= time.time() for run in runs)
    none = {"pending": 0, "running": 0, "completed": 0, "failed": 0, "cancelled": 0, "timeout": 0}
    assert runs[2]["counts"] == {**none, "completed": 1, "cancelled": 1}
    assert runs[0]["counts"] == {**none, "pending": 2}
    assert queue.get_status(second[0])["workflow_id"] == runs[0]["id"]
    assert queue.workflows(limit=1) == runs[:1]
    queue.clear_completed()
    assert [run["total"] for run in queue.workflows()] == [2, 3]


def test_many_jobs_of_few_runs_are_not_walked_through_to_find_the_runs(db: Path) -> None:
    queue = JobQueue(db)
    for name in ("a", "b", "a"):
        submit(queue, name, 400)
    conn = queue._connection()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    from gigq_core.schema import statements

    conn.set_progress_handler(count, 10)
    assert len(conn.execute(statements.NEWEST_RUNS, (10,)).fetchall()) == 3
    conn.set_progress_handler(None, 0)
    # Far fewer than there are jobs.
    assert steps < 60


def test_the_commands_list_runs_and_their_jobs(db: Path) -> None:
    queue = JobQueue(db)
    assert run(db, "workflows").stdout == "No workflows found.\n"
    first, second = submit(queue, "nightly"), submit(queue, "nightly")
    queue.submit(Job("one", WORK, batch="images"))
    told = json.loads(run(db, "workflows", "--json").stdout)
    assert told == queue.workflows()
    head, *rows = run(db, "workflows").stdout.splitlines()
    assert head.split()[:3] == ["Name", "ID", "Submitted"]
    assert [row.split()[1] for row in rows] == [run["id"][:8] for run in told]

    def listed(*options: str) -> list[str]:
        return [job["id"] for job in json.loads(run(db, "list", "--json", *options).stdout)]

    assert sorted(listed("--workflow", "nightly")) == sorted(first + second)
    assert sorted(listed("--workflow", told[1]["id"][:8])) == sorted(first)
    assert listed("--workflow", "nightly", "--limit", "1") == [second[1]]
    assert listed("--workflow", "nightly", "--status", "completed") == []
    assert listed("--workflow", "n") == []
    assert len(listed("--batch", "images")) == 1
    assert listed("--batch", "images", "--workflow", "nightly") == []


def test_a_file_of_gigqs_own_has_no_workflows(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, GIGQ_FILES[0])
    assert json.loads(run(path, "workflows", "--json").stdout) == []
    assert json.loads(run(path, "list", "--workflow", "x", "--json").stdout) == []


@pytest.mark.parametrize("with_children", [False, True])
def test_retry_says_who_stays_cancelled_or_takes_them_along(db: Path, with_children: bool) -> None:
    queue = JobQueue(db)
    parent = queue.submit(Job("extract", WORK))
    child = queue.submit(Job("load", WORK, dependencies=[parent], on_parent_failure="cancel"))
    cancelled = run(db, "cancel", parent).stdout
    assert cancelled == f"Job {parent} cancelled; 1 job behind it was cancelled too.\n"
    refused = run(db, "retry", child)
    assert refused.exit_code == 1
    assert "extract was cancelled: retry it first" in refused.stderr
    result = run(db, "retry", parent, *(["--with-children"] if with_children else []))
    assert result.exit_code == 0
    if with_children:
        assert result.stdout.splitlines() == [
            f"Job {parent} queued for retry.",
            f"Job {child} queued for retry.",
        ]
    else:
        assert result.stdout.splitlines() == [
            f"Job {parent} queued for retry; 1 job that it had cancelled stays cancelled "
            "(--with-children retries them too)."
        ]
    assert queue.get_status(child)["status"] == ("pending" if with_children else "cancelled")
