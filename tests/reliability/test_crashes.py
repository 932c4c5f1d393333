"""`kill -9` at any moment: nothing acknowledged is lost, nothing runs or ends twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue, Worker
from gigq_core.inspection.doctor import Level, examine
from gigq_core.schema import ddl
from gigq_core.worker.ledger import Ledger
from tests.integration.conftest import ROOT, Place, gone, stop
from tests.reliability import dying, tasks
from tests.reliability.tasks import late_at_first, traced
from tests.reliability.theirs import Theirs
from tests.waiting import wait_until

SUBMITTER_KILLS = 6
WORKER_KILLS = 7
STEPS = 12
JOBS_PER_STEP = 4


def start(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", dying.__name__, *args],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def assert_whole(db: Path) -> None:
    """The file is undamaged, its counters are right, and its fences are up."""
    conn = sqlite3.connect(db)
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0"))
    states = f"SELECT {ddl.state_of('jobs')}, COUNT(*) FROM jobs GROUP BY 1"
    assert kept == dict(conn.execute(states))
    open_ones = "SELECT job_id, id FROM job_executions WHERE status = 'running' ORDER BY 1, 2"
    tokens = "SELECT id, execution_id FROM jobs WHERE status = 'running' ORDER BY 1, 2"
    assert conn.execute(open_ones).fetchall() == conn.execute(tokens).fetchall()
    conn.close()


def assert_completed_once(queue: JobQueue, job_ids: list[str]) -> None:
    """Each job completed, in one attempt; every other attempt crashed."""
    for job_id in job_ids:
        job = queue.get_status(job_id)
        assert job["status"] == "completed", job
        words = [execution["status"] for execution in job["executions"]]
        assert words.count("completed") == 1, job
        assert words[-1] == "completed"
        assert set(words[:-1]) <= {"crashed"}
        assert job["attempts"] == len(words)
        assert (job["execution_id"], job["worker_id"]) == (None, None)


# --- submitters -------------------------------------------------------------------------------


def test_what_was_acknowledged_survives_the_submitter(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    JobQueue(db).close()
    luck = random.Random(1)
    said: list[str] = []
    for kill in range(SUBMITTER_KILLS):
        both = [start("submit", str(db), f"{kill}{who}") for who in "ab"]
        for process in both:
            assert process.stdout is not None
            for _ in range(luck.randrange(1, 40)):
                said.append(process.stdout.readline().strip())
            process.kill()
            # What it still could say before it died was acknowledged too.
            said += process.stdout.read().split("\n")[:-1]
            process.stdout.close()
            process.wait(20)
        assert_whole(db)
    conn = sqlite3.connect(db)
    found = dict(conn.execute("SELECT name, COUNT(*) FROM jobs GROUP BY 1"))
    assert len(said) == len(set(said)) > 2 * SUBMITTER_KILLS
    assert set(said) <= set(found)
    for name, n in found.items():
        # A batch is there whole or not at all, acknowledged or not.
        assert n == (1 if int(name.split("-")[1]) % 3 else dying.BATCH), name
    # At most one act of each submitter was on disk and not yet acknowledged.
    assert len(found) - len(said) <= 2 * SUBMITTER_KILLS
    conn.close()


def test_whoever_writes_syncs_each_commit(tmp_path: Path) -> None:
    """`synchronous` is 2, FULL: what is committed survives the loss of power too."""
    queue = JobQueue(tmp_path / "jobs.db")
    ledger = Ledger(tmp_path / "jobs.db", runs_script=False)
    for conn in (queue._connection(), ledger.conn):
        assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    ledger.close()


# --- workers ----------------------------------------------------------------------------------


def test_workers_die_at_random_and_each_job_ends_once(place: Place) -> None:
    """Others live on, and take over; in the end all die at once, and a new one takes over."""
    luck = random.Random(2)
    where = place.folder / "traces"
    jobs = [
        Job(
            f"j{n}",
            traced,
            {"path": str(where), "label": f"j{n}", "seconds": luck.uniform(0.01, 0.12)},
            priority=luck.randrange(3),
            max_attempts=20,
        )
        for n in range(150)
    ]
    for n, job in enumerate(jobs[:100]):
        if n % 5 == 4:
            job.dependencies = [jobs[luck.randrange(n)].id]
    ids = place.queue.submit_many(jobs)
    workers = [place.worker("--concurrency", "2") for _ in range(3)]
    for kill in range(WORKER_KILLS):
        target = place.queue.stats()["completed"] + luck.randrange(3, 12)
        wait_until(lambda target=target: place.queue.stats()["completed"] >= target)
        victim = workers.pop(luck.randrange(len(workers)))
        victim.kill()
        victim.wait()
        if kill < WORKER_KILLS - 1:
            workers.append(place.worker("--concurrency", "2", wait=False))
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    for worker in workers:
        worker.wait()
    running = place.rows("SELECT COUNT(*) AS n FROM jobs WHERE status = 'running'")[0]["n"]
    assert running > 0
    last = place.worker("--concurrency", "4")
    place.ended(*ids, timeout_s=40)
    assert_completed_once(place.queue, ids)
    assert_whole(place.db)
    assert tasks.overlapping(where) == []
    runs = tasks.runs(where)
    crashed = place.rows("SELECT * FROM job_executions WHERE status = 'crashed'")
    assert len(crashed) >= WORKER_KILLS // 2
    assert all("died" in row["error"] and row["completed_at"] for row in crashed)
    findings = {f.check: f for f in examine(place.db)}
    assert findings["orphans"].level is Level.FINE
    assert stop(last) == 0
    wait_until(lambda: all(gone(run.pid) for found in runs.values() for run in found))


def test_a_worker_dies_at_each_of_its_steps(tmp_path: Path) -> None:
    """Before each kind of statement that it writes: the next worker finds a sound file."""

    def prepared(name: str) -> tuple[JobQueue, list[str], Path]:
        where = tmp_path / f"{name}.traces"
        queue = JobQueue(tmp_path / f"{name}.db")
        jobs = [
            Job(f"j{n}", traced, {"path": str(where), "label": f"j{n}"})
            for n in range(JOBS_PER_STEP)
        ]
        jobs[-1].dependencies = [jobs[0].id]
        return queue, queue.submit_many(jobs), where

    queue, ids, _ = prepared("counted")
    counting = start("work", str(queue.db_path), str(ROOT), "0")
    total = int(counting.communicate(timeout=30)[0])
    assert counting.returncode == 0
    assert_completed_once(queue, ids)
    assert total > STEPS
    rescued = 0
    for number in range(STEPS):
        step = 1 + (total - 1) * number // (STEPS - 1)
        queue, ids, where = prepared(f"step-{step}")
        process = start("work", str(queue.db_path), str(ROOT), str(step))
        process.communicate(timeout=30)
        # The last statements say goodbye by the clock: there it may have ended by itself.
        assert process.returncode == -signal.SIGKILL or step > total - 3
        assert_whole(Path(queue.db_path))
        before = {job_id: queue.get_status(job_id) for job_id in ids}
        for run in (run for found in tasks.runs(where).values() for run in found):
            wait_until(lambda run=run: gone(run.pid), what="the child to follow its worker")
        held = [job_id for job_id in ids if before[job_id]["status"] == "running"]
        assert all(outcome.done for outcome in queue.release_jobs(held))
        rescued += len(held)
        worker = Worker(queue.db_path, f"after-{step}")
        while worker.process_one():
            pass
        worker.close()
        assert_completed_once(queue, ids)
        assert_whole(Path(queue.db_path))
        for job_id, job in before.items():
            if job["status"] == "completed":
                assert queue.get_status(job_id)["completed_at"] == job["completed_at"]
        runs = tasks.runs(where)
        assert tasks.overlapping(where) == []
        for n, job_id in enumerate(ids):
            executions = queue.get_status(job_id)["executions"]
            # An attempt that was claimed may have died before its function began.
            assert 1 <= len(runs[f"j{n}"]) <= len(executions)
    assert rescued >= 3


def test_a_gigq_worker_that_is_killed_loses_its_job_to_ours(place: Place, theirs: Theirs) -> None:
    job_id = theirs.submit(
        late_at_first, params={"path": str(place.folder / "t"), "label": "job"}, timeout=1
    )
    process = theirs.worker()
    wait_until(lambda: tasks.runs(place.folder / "t").get("job"))
    process.kill()
    process.wait()
    place.worker("--worker-id", "ours")
    assert place.end(job_id)["result"] == "in time"
    found = [(e["worker_id"], e["status"]) for e in place.job(job_id)["executions"]]
    assert found == [("theirs", "timeout"), ("ours", "completed")]


@pytest.mark.parametrize("slots", [1, 4])
def test_four_workers_never_run_a_job_twice(place: Place, slots: int) -> None:
    where = place.folder / "traces"
    jobs = [Job(f"j{n}", traced, {"path": str(where), "label": f"j{n}"}) for n in range(200)]
    for n in range(1, 200):
        if n % 4 == 0:
            jobs[n].dependencies = [jobs[n - 1].id, jobs[n - 3].id]
    ids = place.queue.submit_many(jobs)
    for _ in range(4):
        place.worker("--concurrency", str(slots), wait=False)
    place.ended(*ids, timeout_s=40)
    assert_completed_once(place.queue, ids)
    runs = tasks.runs(where)
    assert len(runs) == len(ids)
    assert all(len(found) == 1 and found[0].ended for found in runs.values())
    ends, begins = tasks.order(where, "ended"), tasks.order(where, "begun")
    assert sorted(ends) == sorted(begins)
