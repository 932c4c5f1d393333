"""Children of a parent that failed are told by whoever is there: real workers, and dying ones."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.changes import cascade
from gigq_core.job import FunctionReference
from gigq_core.worker.ledger import Ledger
from tests.integration.conftest import Place
from tests.reliability import tasks
from tests.reliability.test_crashes import assert_whole, start
from tests.reliability.theirs import Theirs
from tests.waiting import wait_until

WORK = FunctionReference("tests.integration.chores", "nothing")
FAILS = FunctionReference("json", "loads")
AT_ONCE = 2


def family(queue: JobQueue, function: FunctionReference = WORK, **params: Any) -> dict[str, Job]:
    """A parent, a chain that is cancelled with it, and some that go on, wait or are cancelled."""
    jobs = {"extract": Job("extract", function, params, max_attempts=1)}

    def child(name: str, *parents: str, policy: Any = "cancel") -> None:
        ids = [jobs[parent].id for parent in parents]
        jobs[name] = Job(name, WORK, dependencies=ids, on_parent_failure=policy)

    child("load", "extract")
    child("report", "load")
    child("mail", "report", "extract")
    child("clean", "extract", policy="run")
    child("sum", "clean", "mail", policy="run")
    child("patient", "extract", "load", policy="wait")
    queue.submit_many(jobs.values())
    return jobs


def state(db: Path) -> dict[str, list[Any]]:
    """All that a cascade changes, but for the times."""
    conn = sqlite3.connect(db)
    found = {
        "jobs": "SELECT id, status, error, retry_after, attempts FROM jobs ORDER BY id",
        "edges": "SELECT * FROM core_edges ORDER BY 1, 2",
        "cascaded": "SELECT * FROM core_cascaded ORDER BY 1",
        "cascade": "SELECT * FROM core_cascade",
    }
    try:
        return {name: conn.execute(statement).fetchall() for name, statement in found.items()}
    finally:
        conn.close()


def tell_all(db: Path) -> None:
    ledger = Ledger(db, runs_script=False)
    while cascade.is_waiting(ledger.conn):
        ledger.tell_children()
    ledger.close()


def test_whoever_dies_at_any_step_of_a_cascade_leaves_the_rest_to_the_next(
    tmp_path: Path,
) -> None:
    before = tmp_path / "before.db"
    queue = JobQueue(before)
    jobs = family(queue)
    conn = sqlite3.connect(before, isolation_level=None)
    conn.execute("UPDATE jobs SET status = 'failed' WHERE id = ?", (jobs["extract"].id,))
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    queue.close()

    def run(name: str, step: int) -> tuple[Path, int, str]:
        db = tmp_path / name
        shutil.copy(before, db)
        process = start("tell", str(db), str(AT_ONCE), str(step))
        said = process.communicate(timeout=30)[0]
        return db, process.returncode, said

    db, code, said = run("whole.db", 0)
    assert code == 0
    whole, total = state(db), int(said)
    cancelled = [row for row in whole["jobs"] if row[1] == "cancelled"]
    assert {row[0] for row in cancelled} == {jobs[name].id for name in ("load", "report", "mail")}
    assert {row[2] for row in cancelled} == {f"extract ({jobs['extract'].id[:4]}…) failed"}
    assert whole["cascade"] == []
    # Several transactions, each of which might be the last that its writer began.
    assert total > 20
    partial = set()
    for step in range(1, total + 1):
        db, code, _ = run(f"step-{step}.db", step)
        assert code == -signal.SIGKILL
        assert_whole(db)
        partial.add(len([row for row in state(db)["jobs"] if row[1] == "cancelled"]))
        tell_all(db)
        assert state(db) == whole
        assert_whole(db)
    assert len(partial) > 2


@pytest.mark.parametrize("who", ["ours", "gigq"])
def test_a_failure_is_told_whoever_writes_it(place: Place, theirs: Theirs, who: str) -> None:
    """By a worker of ours in either case, also by one that claims nothing itself."""
    jobs = family(place.queue, FAILS, s="no JSON")
    ids = {name: job.id for name, job in jobs.items()}
    if who == "gigq":
        place.queue.pause()
    place.worker()
    if who == "gigq":
        theirs.worker(once=True)
        wait_until(lambda: place.job(ids["mail"])["status"] == "cancelled")
        place.queue.resume()
    place.ended(*(ids[name] for name in ("load", "report", "mail", "clean", "sum")))
    for name in ("load", "report", "mail"):
        job = place.job(ids[name])
        assert (job["status"], job["attempts"]) == ("cancelled", 0)
        assert job["error"] == f"extract ({ids['extract'][:4]}…) failed"
    assert place.job(ids["clean"])["status"] == "completed"
    assert place.job(ids["sum"])["status"] == "completed"
    assert place.job(ids["patient"])["status"] == "pending"
    assert_whole(place.db)


def test_one_that_goes_on_is_told_how_its_parents_ended(place: Place) -> None:
    good = place.submit(tasks.given, name="good", params={"value": 7})
    bad = place.submit(tasks.refusing, name="bad", max_attempts=1)
    child = place.submit(
        tasks.reporting_parents, name="child", dependencies=[good, bad], on_parent_failure="run"
    )
    place.worker()
    result = place.end(child)["result"]
    assert result["results"] == {good: 7, bad: None}
    assert result["status"] == {good: "completed", bad: "failed"}
    assert "no" in result["errors"][bad]
