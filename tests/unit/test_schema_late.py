"""What comes late, or once more: parents, retries, completions, ids, a file half made."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_core.schema import ddl
from gigq_core.schema.attach import detach, open_for_work
from gigq_core.schema.opening import connect, is_attached, open_read_only
from tests.unit.test_schema import blocked, complete, insert, standing

WORK = FunctionReference("json", "dumps")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program with plain SQL, on a file that is attached."""
    JobQueue(path).close()
    conn = sqlite3.connect(path, isolation_level=None)
    yield conn
    conn.close()


def attached_anew(path: Path, raw: sqlite3.Connection) -> None:
    detach(path)
    assert raw.execute("SELECT name FROM sqlite_master WHERE name LIKE 'core%'").fetchall() == []
    open_for_work(path, create=False).close()


# --- parents ----------------------------------------------------------------------------------


def test_a_parent_that_was_missing_when_attached_is_waited_for_once_it_comes(
    path: Path, raw: sqlite3.Connection
) -> None:
    insert(raw, "child", ["late", "later"])
    attached_anew(path, raw)
    assert standing(raw, "child") == ("pending", None, None)
    raw.execute("UPDATE jobs SET retry_after = '2030-01-01' WHERE id = 'child'")
    insert(raw, "late")
    due = datetime(2030, 1, 1).timestamp()
    assert standing(raw, "child") == ("pending", ddl.PARKED, due)
    complete(raw, "late")
    assert standing(raw, "child") == ("pending", "2030-01-01T00:00:00.000", due)


def test_a_parent_that_comes_completed_or_too_late_holds_nobody(
    path: Path, raw: sqlite3.Connection
) -> None:
    insert(raw, "waits", ["done"])
    insert(raw, "ran", ["late"])
    attached_anew(path, raw)
    complete(raw, "ran")
    raw.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, status, created_at,"
        " updated_at) VALUES ('done', 'n', 'f', 'm', 'completed', 't', 't')"
    )
    insert(raw, "late")
    assert not blocked(raw, "waits")
    assert standing(raw, "ran") == ("completed", None, None)


def test_a_parent_that_is_submitted_once_more_is_waited_for_once_more(
    raw: sqlite3.Connection,
) -> None:
    insert(raw, "parent")
    complete(raw, "parent")
    raw.execute("DELETE FROM jobs WHERE id = 'parent'")
    insert(raw, "parent")
    insert(raw, "child", ["parent"])
    assert blocked(raw, "child")
    raw.execute("DELETE FROM jobs WHERE id = 'parent'")
    insert(raw, "second", ["parent"])
    assert blocked(raw, "second")


# --- attempts ---------------------------------------------------------------------------------


def test_only_a_fresh_start_wakes_what_was_cancelled(raw: sqlite3.Connection) -> None:
    insert(raw, "job")
    raw.execute("UPDATE jobs SET status = 'cancelled'")
    raw.execute("UPDATE jobs SET status = 'pending', error = 'a late retry', retry_after = NULL")
    assert standing(raw, "job")[0] == "cancelled"
    raw.execute("UPDATE jobs SET status = 'pending', attempts = 0, error = NULL")
    assert standing(raw, "job")[0] == "pending"


@pytest.mark.parametrize("word", ["completed", "failed"])
def test_an_execution_closed_late_is_superseded_unless_the_job_took_its_outcome(
    raw: sqlite3.Connection, word: str
) -> None:
    insert(raw, "job")
    insert(raw, "other")
    raw.execute("UPDATE jobs SET status = 'timeout' WHERE id = 'job'")
    for name in ("job", "other"):
        raw.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at)"
            " VALUES (?, ?, 'theirs', 'timeout', 't')",
            (name, name),
        )
        raw.execute(
            "UPDATE jobs SET status = ?, updated_at = '2026-01-02' WHERE id = ?", (word, name)
        )
        raw.execute(
            "UPDATE job_executions SET status = ?, completed_at = '2026-01-02' WHERE id = ?",
            (word, name),
        )
    found = dict(raw.execute("SELECT id, status FROM job_executions"))
    assert found == {"job": "superseded", "other": word}


# --- the file ---------------------------------------------------------------------------------


def test_a_file_that_was_begun_and_left_becomes_a_queue(path: Path) -> None:
    """Whoever made it was killed, or is not done, between the first page and the tables."""
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.close()
    assert path.stat().st_size > 0
    queue = JobQueue(path)
    assert queue.stats()["total"] == 0
    queue.submit(Job("n", WORK))


def test_an_open_queue_attaches_again_when_it_acts_or_asks(path: Path) -> None:
    queue = JobQueue(path)
    child = queue.submit(Job("child", WORK, dependencies=["not yet"]))

    def attached() -> bool:
        conn = open_read_only(path)
        try:
            return is_attached(conn)
        finally:
            conn.close()

    detach(path)
    assert not attached()
    assert queue.stats()["pending"] == 1
    assert attached()
    detach(path)
    other = Job("other", WORK, dependencies=["not yet"])
    queue.submit(other)
    assert attached()
    # The first one's missing parent counts as completed since then; the second one's does not.
    conn = sqlite3.connect(path)
    assert not blocked(conn, child)
    assert blocked(conn, other.id)
    conn.close()
    detach(path)
    assert queue.cancel(child)
    assert attached()


def test_attaching_waits_for_whoever_writes_in_the_old_journal_mode(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself gives up the switch to WAL at once when somebody holds the write lock."""
    file = Path(shutil.copyfile(data_folder / "gigq-0.1.0.db", tmp_path / "old.db"))
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    tries = 0

    def trace(statement: str) -> None:
        nonlocal tries
        tries += statement == "PRAGMA journal_mode = WAL"
        if tries == 3:
            writer.close()

    def connect_traced(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
        conn = connect(path, mode, busy_timeout_s)
        conn.set_trace_callback(trace)
        return conn

    monkeypatch.setattr("gigq_core.schema.attach.connect", connect_traced)
    conn = open_for_work(file, create=False)
    assert tries == 3
    assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    conn.close()
