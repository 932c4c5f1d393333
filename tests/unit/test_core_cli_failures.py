"""`gigq-core failures`, and the jobs of one kind of failure by `list --failure`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.failures import failure_of
from gigq_core.job import FunctionReference
from gigq_core.units.times import now_text, utc_now
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.upkeep import Upkeep
from tests.store_files import digest, gigq_copy
from tests.unit.test_core_cli import run

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/feeds.py", line 47, in fetch
    return rows[key]
{}"""


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Three jobs fail alike, one otherwise, one of the three has completed since; one waits."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    function = FunctionReference("feeds", "fetch")
    names = ("first", "second", "third", "full", "waits")
    ids = queue.submit_many([Job(name, function) for name in names])
    queue.close()
    conn = sqlite3.connect(path)
    errors = ["KeyError: 11", "KeyError: 'x'", "KeyError: 'y'", "OSError: [Errno 28] No space left"]
    with conn:
        for number, (job_id, error) in enumerate(zip(ids, errors, strict=False)):
            fail(conn, job_id, error, utc_now() - 3600 * (number + 1))
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, completed_at) "
            "VALUES ('c', ?, 'w', 'completed', ?, ?)",
            (ids[2], now_text(), now_text()),
        )
    conn.close()
    return path


def fail(conn: sqlite3.Connection, job_id: str, error: str, ended: float) -> None:
    conn.execute("UPDATE jobs SET status = 'failed', error = ? WHERE id = ?", (error, job_id))
    conn.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, ended, "
        "error, traceback) VALUES (?, ?, 'w', 'failed', 't', 1.0, ?, ?, ?)",
        (f"e-{job_id}", job_id, ended, error, TRACEBACK.format(error)),
    )


def read_all(db: Path) -> None:
    ledger = Ledger(db, runs_script=False)
    Upkeep(ledger, "w").run_if_due(1e9)
    ledger.close()


def printed(db: Path, *args: str) -> Any:
    result = run(db, *args, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("is_read", [False, True], ids=["unread", "read"])
def test_failures_are_told_kind_by_kind(db: Path, is_read: bool) -> None:
    if is_read:
        read_all(db)
    before = digest(db)
    keys, full = printed(db, "failures")
    assert digest(db) == before
    fingerprint = failure_of("KeyError: 1", TRACEBACK.format("KeyError: 1")).fingerprint
    assert keys["fingerprint"] == fingerprint
    assert (keys["title"], keys["type"], keys["where"]) == (
        "KeyError: #",
        "KeyError",
        "feeds.py:47",
    )
    assert (keys["jobs"], keys["attempts"], len(keys["job_ids"])) == (3, 3, 3)
    assert keys["last"] - keys["first"] == pytest.approx(7200, abs=5)
    assert full["title"] == "OSError: [Errno #] No space left"
    assert [one["title"] for one in printed(db, "failures", "--since", "90m")] == ["KeyError: #"]
    assert printed(db, "failures", "--since", "90m")[0]["jobs"] == 1
    assert printed(db, "failures", "--since", "2999-01-01") == []
    assert len(printed(db, "failures", "--limit", "1")) == 1

    text = run(db, "failures").stdout.splitlines()
    assert text[0].split() == ["Cause", "Jobs", "Attempts", "First", "Last", "Where", "Fingerprint"]
    assert text[1].startswith("KeyError: #")
    assert text[1].endswith(f"feeds.py:47  {fingerprint[:8]}")
    assert run(db, "failures", "--limit", "1").stdout.endswith("1 more kind: --limit shows more.\n")


@pytest.mark.parametrize("is_read", [False, True], ids=["unread", "read"])
def test_the_jobs_of_a_kind_are_those_whose_last_attempt_failed_so(db: Path, is_read: bool) -> None:
    if is_read:
        read_all(db)
    keys, full = (one["fingerprint"] for one in printed(db, "failures"))

    def names(*args: str) -> list[str]:
        return [job["name"] for job in printed(db, "list", *args)]

    assert names("--failure", keys) == ["second", "first"]
    assert names("--failure", keys[:5].upper()) == ["second", "first"]
    assert names("--failure", full, "--status", "failed") == ["full"]
    assert names("--failure", full, "--status", "pending") == []
    assert names("--failure", keys, "--limit", "1") == ["second"]


def test_the_jobs_of_a_kind_in_a_file_of_the_release_before(db: Path) -> None:
    usual = [one["fingerprint"] for one in printed(db, "failures")]
    conn = sqlite3.connect(db)
    with conn:
        conn.execute("DROP INDEX core_failures")
        for column in ("error_type", "error_message", "fingerprint"):
            conn.execute(f"ALTER TABLE job_executions DROP COLUMN {column}")
    conn.close()
    before = digest(db)
    assert [one["fingerprint"] for one in printed(db, "failures")] == usual
    found = [printed(db, "list", "--failure", one[:6]) for one in usual]
    assert [[job["name"] for job in jobs] for jobs in found] == [["second", "first"], ["full"]]
    assert digest(db) == before


def test_the_jobs_of_a_kind_in_a_file_of_gigqs(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    before = digest(path)
    (group,) = printed(path, "failures")
    found = printed(path, "list", "--failure", group["fingerprint"])
    assert {job["name"] for job in found} == {"retry_later", "fetch_feed"}
    assert digest(path) == before


@pytest.mark.parametrize(
    "args",
    [
        ["failures", "--since", "yesterday"],
        ["failures", "--limit", "0"],
        ["failures", "--sort", "name"],
        ["list", "--failure", "xyz"],
        ["list", "--failure", ""],
        ["list", "--failure", "3fa2'"],
    ],
)
def test_wrong_usage_is_told(db: Path, args: list[str]) -> None:
    result = run(db, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value" in result.stderr


def test_nothing_failed(tmp_path: Path) -> None:
    JobQueue(tmp_path / "q.db").close()
    assert run(tmp_path / "q.db", "failures").stdout == "No failures found.\n"
    assert printed(tmp_path / "q.db", "failures") == []
    assert printed(tmp_path / "q.db", "list", "--failure", "ab") == []
