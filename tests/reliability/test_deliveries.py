"""`kill -9` of a worker at each step of an ending that submits: all of it is there, or nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue, Worker
from tests.integration import chores, submitting
from tests.integration.conftest import ROOT
from tests.reliability.test_crashes import assert_whole, start

COUNT = 3


def prepared(db: Path) -> tuple[JobQueue, str, str]:
    """A queue with a job that fans out, and one that waits for it."""
    queue = JobQueue(db)
    fan = Job("fan", submitting.fan_out, {"count": COUNT, "before": True}, priority=1)
    last = Job("last", chores.collect, dependencies=[fan.id])
    queue.submit_many([fan, last])
    return queue, fan.id, last.id


@pytest.mark.parametrize("most", [9, pytest.param(1_000, marks=pytest.mark.long)])
def test_a_worker_dies_at_each_step_of_an_ending_that_submits(tmp_path: Path, most: int) -> None:
    queue, fan, _ = prepared(tmp_path / "counted.db")
    # One job, and so one ending: its statements are the last ones but for the goodbye.
    counting = start("deliver", str(queue.db_path), str(ROOT), "0")
    total = int(counting.communicate(timeout=60)[0])
    assert counting.returncode == 0
    assert queue.get_status(fan)["status"] == "completed"
    there = nothing = 0
    steps = {1 + (total - 1) * number // (most - 1) for number in range(most)}
    for step in sorted(steps):
        queue, fan, last = prepared(tmp_path / f"step-{step}.db")
        process = start("deliver", str(queue.db_path), str(ROOT), str(step))
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert_whole(Path(queue.db_path))
        job = queue.get_status(fan)
        found = [one for one in queue.list_jobs() if one["submitted_by"] == fan]
        waits = queue.get_status(last)["dependencies"]
        if job["status"] == "completed":
            there += 1
            assert sorted(one["id"] for one in found) == sorted(job["result"])
            assert waits == [fan, *job["result"]]
        else:
            nothing += 1
            assert (job["status"], found, waits) == ("running", [], [fan])
            assert queue.release_jobs([fan])[0].done
        worker = Worker(queue.db_path, f"after-{step}")
        while worker.process_one():
            pass
        worker.close()
        # Whatever was there of the first attempt, it has been done once.
        ids = queue.get_status(fan)["result"]
        assert queue.stats()["completed"] == queue.stats()["total"] == COUNT + 2
        assert queue.get_status(last)["dependencies"] == [fan, *ids]
        assert queue.get_status(last)["result"] == [ids, *range(COUNT)]
        assert_whole(Path(queue.db_path))
    assert nothing > min(most, total) // 2
    assert there >= 1
