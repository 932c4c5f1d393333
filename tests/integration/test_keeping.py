"""Keeping by real workers: old jobs go while others run, whoever ended them."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import gigq

from gigq_core import JobQueue
from gigq_core.system.paths import attempt_output
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until


def ids(db: Path) -> set[str]:
    conn = sqlite3.connect(db)
    found = {row[0] for row in conn.execute("SELECT id FROM jobs")}
    conn.close()
    return found


def archived(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in folder.iterdir() for line in file.open()]


def test_jobs_go_by_themselves_with_what_they_printed(place: Place) -> None:
    place.worker()
    printed = place.end(place.submit(chores.speak, params={"lines": 2}))
    failed = place.end(place.submit(chores.fail, max_attempts=1))
    (execution,) = printed["executions"]
    output = attempt_output(place.db, execution["id"])
    assert output is not None
    assert output.exists()
    queue, folder = JobQueue(place.db), place.db.parent / "archive"
    queue.keep(completed=0.5, archive=folder)
    wait_until(lambda: printed["id"] not in ids(place.db))
    wait_until(lambda: not output.exists())
    # What comes later goes later, at its age.
    later = place.end(place.submit(chores.nothing))
    wait_until(lambda: later["id"] not in ids(place.db))
    assert ids(place.db) == {failed["id"]}
    one, two = archived(folder)
    assert (one["id"], two["id"]) == (printed["id"], later["id"])
    assert "line 1\n" in one["executions"][0]["output"]
    queue.keep(failed=0)
    wait_until(lambda: not ids(place.db))
    now = queue.keeping()
    assert (now.gone, now.trouble) == (3, "")


def test_what_gigq_ended_goes_too(place: Place) -> None:
    theirs = gigq.JobQueue(str(place.db))
    job = gigq.Job("theirs", function=chores.add, params={"a": 1, "b": 2})
    theirs.submit(job)
    assert gigq.Worker(str(place.db)).process_one()
    assert theirs.get_status(job.id)["status"] == "completed"
    JobQueue(place.db).keep(completed=0.2)
    place.worker()
    wait_until(lambda: not ids(place.db))
    # It goes on with the file.
    child = gigq.Job("child", function=chores.nothing, dependencies=[job.id])
    theirs.submit(child)
    place.end(child.id)


def test_two_workers_write_each_job_to_the_archive_once(place: Place) -> None:
    queue, folder = JobQueue(place.db), place.db.parent / "archive"
    for _ in range(2):
        place.worker("--concurrency", "2")
    queue.keep(completed=0, archive=folder)
    wanted = {place.submit(chores.nothing) for _ in range(150)}
    wait_until(lambda: not ids(place.db), 60)
    assert sorted(line["id"] for line in archived(folder)) == sorted(wanted)


def test_a_worker_under_a_clock_that_is_wrong_by_a_year_takes_nothing_young(place: Place) -> None:
    """Jobs that a right clock has stamped, and what has been seen of it; then another worker."""
    queue = JobQueue(place.db)
    worker = place.worker()
    queue.keep(completed="7d")
    job = place.end(place.submit(chores.nothing))
    wait_until(lambda: queue.keeping().last_run is not None)
    worker.terminate()
    worker.wait()
    # As if all that is in the file were of a year ago: the clock is a year ahead of it.
    year = 365 * 86_400.0
    with sqlite3.connect(place.db, isolation_level=None) as conn:
        conn.execute("UPDATE jobs SET ended = ended - ?, created = created - ?", (year, year))
        (seen,) = conn.execute("SELECT seen FROM core_keeping").fetchone()
        shifted = [[start - year, end - year, leapt] for start, end, leapt in json.loads(seen)]
        conn.execute("UPDATE core_keeping SET seen = ?, walked = NULL", (json.dumps(shifted),))
        conn.execute("UPDATE core_agenda SET at = ?", (time.time(),))
    conn.close()
    before = queue.keeping().last_run
    place.worker()
    wait_until(lambda: queue.keeping().last_run != before)
    assert job["id"] in ids(place.db)
