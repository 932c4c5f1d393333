"""Something unexpected ends the supervisor: what becomes of the attempts that it had in hand."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Worker
from gigq_core.worker.supervisor import Supervisor
from tests.integration import chores
from tests.integration.conftest import ROOT, gone
from tests.reliability.test_crashes import assert_whole

POISON = "poison"


class Boom(Exception):
    """What nobody expected."""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    made = JobQueue(tmp_path / "jobs.db")
    yield made
    made.close()


def work(queue: JobQueue, slots: int = 2, **options: Any) -> Worker:
    return Worker(
        queue.db_path, "w", 0.1, slots, isolation="process", chdir=ROOT, grace_s=2.0, **options
    )


def break_when(
    monkeypatch: pytest.MonkeyPatch, reason: Callable[[Supervisor], bool], problem: BaseException
) -> None:
    """Let the supervisor's waiting raise, once `reason` holds."""
    wait = Supervisor._wait

    def breaks(supervisor: Supervisor) -> None:
        if reason(supervisor):
            raise problem
        wait(supervisor)

    monkeypatch.setattr(Supervisor, "_wait", breaks)


def hold_two(queue: JobQueue, tmp_path: Path) -> tuple[list[str], Callable[[Supervisor], bool]]:
    path = tmp_path / "held"
    jobs = [Job(name, chores.hold, {"path": str(path)}) for name in ("a", "b")]

    def both(_: Supervisor) -> bool:
        return path.exists() and len(path.read_text().split()) == 2

    return queue.submit_many(jobs), both


def test_what_had_begun_counts_as_crashed_with_the_reason(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, both = hold_two(queue, tmp_path)
    break_when(monkeypatch, both, Boom("caf\udcc3"))
    with pytest.raises(Boom):
        work(queue).start()
    for job in map(queue.get_status, ids):
        assert (job["status"], job["attempts"]) == ("pending", 1)
        (execution,) = job["executions"]
        assert execution["status"] == "crashed"
        assert "its worker ended unexpectedly: " in execution["error"]
        assert "Boom: caf\\udcc3" in execution["error"]
        assert execution["pid"]
        assert gone(execution["pid"])
    assert_whole(tmp_path / "jobs.db")


def test_whoever_interrupts_a_worker_on_purpose_costs_no_attempt(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, both = hold_two(queue, tmp_path)
    break_when(monkeypatch, both, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        work(queue).start()
    found = [queue.get_status(job_id) for job_id in ids]
    assert [(job["status"], job["attempts"]) for job in found] == [("pending", 0)] * 2


def test_one_that_cannot_be_written_keeps_no_other(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, both = hold_two(queue, tmp_path)
    conn = sqlite3.connect(tmp_path / "jobs.db")
    conn.execute(
        "CREATE TRIGGER vetoes BEFORE UPDATE OF status ON jobs"
        " WHEN OLD.name = 'a' AND OLD.status = 'running' BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    conn.close()
    break_when(monkeypatch, both, Boom())
    with pytest.raises(Boom):
        work(queue).start()
    assert [queue.get_status(job_id)["status"] for job_id in ids] == ["running", "pending"]
    states = sqlite3.connect(tmp_path / "jobs.db")
    assert states.execute("SELECT state FROM core_workers").fetchall() == [("stopped",)]
    states.close()


def test_what_was_claimed_ahead_is_given_back_uncounted(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "ran")
    jobs = [Job(f"{n}", chores.note, {"path": path, "text": str(n)}) for n in range(300)]
    ids = queue.submit_many(jobs)
    break_when(monkeypatch, lambda supervisor: supervisor._pool.ahead() > 0, Boom())
    # On a busy machine jobs may look too long to be claimed ahead: then all of them just complete.
    works_to_the_end(queue, work(queue))
    ran = (tmp_path / "ran").read_text().split()
    for job in map(queue.get_status, ids):
        assert job["status"] in ("pending", "completed")
        if job["status"] == "pending":
            words = [execution["status"] for execution in job["executions"]]
            assert words == ["crashed"] * job["attempts"]
            assert job["attempts"] == 0 or job["name"] in ran or job["started_at"]
    begun = [job for job in map(queue.get_status, ids) if job["attempts"]]
    lost = [job for job in begun if job["status"] == "pending"]
    assert len(lost) <= 2
    monkeypatch.undo()
    assert works_to_the_end(queue, work(queue))
    assert {queue.get_status(job_id)["status"] for job_id in ids} == {"completed"}
    assert max(queue.get_status(job_id)["attempts"] for job_id in ids) <= 2


def works_to_the_end(queue: JobQueue, worker: Worker) -> bool:
    """Let it work until there is nothing left to do; says whether it came to that."""
    try:
        with _Stopper(queue, worker):
            worker.start()
    except Boom:
        return False
    return True


def test_a_row_that_breaks_the_supervisor_again_and_again_runs_out_of_attempts_alone(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(supervisor: Supervisor) -> bool:
        return any(attempt.name == POISON for attempt in supervisor._pool.running().values())

    break_when(monkeypatch, poisoned, Boom())
    good = [Job(f"{n}", chores.nothing) for n in range(20)]
    poison = Job(POISON, chores.nothing)
    queue.submit_many([*good[:10], poison, *good[10:]])
    ends = 0
    while not works_to_the_end(queue, work(queue)):
        ends += 1
        assert ends < 20
    found = queue.get_status(poison.id)
    assert (found["status"], found["attempts"]) == ("failed", 3)
    assert found["error"].startswith("its worker ended unexpectedly: ")
    assert ends == 3
    for job in (queue.get_status(job.id) for job in good):
        assert job["status"] == "completed"
        assert job["attempts"] <= 2


class _Stopper:
    """Lets a worker end when there is nothing left to do."""

    def __init__(self, queue: JobQueue, worker: Worker) -> None:
        self._path = queue.db_path
        self._worker = worker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        conn = sqlite3.connect(self._path)
        ask = "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')"
        while not self._over.wait(0.05):
            if conn.execute(ask).fetchone()[0] == 0:
                self._worker.stop()
        conn.close()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
