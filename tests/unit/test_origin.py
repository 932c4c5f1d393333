"""Where a job comes from is told wherever it is shown, whatever the file has."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue, Worker
from gigq_core.cli.main import cli
from gigq_core.rows.origin import origin_of
from gigq_tui.screens.job.option_words import option_words
from gigq_tui.store.clock import SystemClock
from gigq_tui.store.reader import Reader
from tests.integration import submitting

DATA = Path(__file__).parents[1] / "data"


def run(db: Path, *words: str) -> str:
    result = CliRunner().invoke(cli, ["--db", str(db), *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def submitted(tmp_path: Path) -> tuple[Path, str, str]:
    """A file, and the ids of a job and of the one that it submitted."""
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    parent = queue.submit(Job("fan\x1b[1m", submitting.fan_out, {"count": 1, "before": False}))
    worker = Worker(db)
    assert worker.process_one()
    worker.close()
    return db, parent, queue.get_result(parent)[0]


def test_who_submitted_it_is_told(submitted: tuple[Path, str, str]) -> None:
    db, parent, child = submitted
    queue = JobQueue(db)
    words = f"submitted by fan\\x1b[1m ({parent[:4]}…)"
    assert f"Origin: {words}\n" in run(db, "status", child)
    assert f"Origin: {words}.\n" in run(db, "why", child)
    assert json.loads(run(db, "why", child, "--json"))["origin"] == words.replace("\\x1b", "\x1b")
    assert queue.get_status(child)["submitted_by"] == parent
    assert json.loads(run(db, "status", child, "--json"))["submitted_by"] == parent
    assert "Origin" not in run(db, "status", parent)
    assert json.loads(run(db, "why", parent, "--json"))["origin"] == ""
    assert queue.get_status(parent)["submitted_by"] is None
    reader = Reader(db)
    try:
        detail = reader.detail(child)
        assert detail is not None
        assert words.replace("\\x1b", "\x1b") in option_words(detail, SystemClock().now())
        alone = reader.detail(parent)
        assert alone is not None
        assert alone.origin == ""
    finally:
        reader.close()


def test_one_that_is_gone_is_known_by_its_id(submitted: tuple[Path, str, str]) -> None:
    db, parent, child = submitted
    JobQueue(db).clear_jobs([parent], include_needed=True)
    assert f"Origin: submitted by {parent[:4]}…, which was deleted\n" in run(db, "status", child)


def test_a_schedule_and_a_hook_are_told_too(tmp_path: Path) -> None:
    conn = sqlite3.connect(":memory:")
    conn.execute("CREATE TABLE jobs (id TEXT, name TEXT)")
    conn.execute("INSERT INTO jobs VALUES ('abcdefghij', 'fan')")
    row = {"submitted_by": None, "schedule": "nightly", "slot": 1_800_000_000.0, "hook": None}
    assert origin_of(conn, row).startswith("from schedule nightly, slot 2027-01-1")
    assert origin_of(conn, row | {"slot": "x"}) == "from schedule nightly"
    assert origin_of(conn, {"hook": "page"}) == "from hook page"
    told = origin_of(conn, {"hook": "page", "submitted_by": "abcdefghij"})
    assert told == "submitted by fan (abcd…), from hook page"
    assert origin_of(conn, {}) == origin_of(conn, dict.fromkeys(row)) == ""
    assert origin_of(conn, {"submitted_by": b"\xff", "hook": 5}) != ""
    conn.close()


def test_a_file_of_gigqs_own_has_no_origins(tmp_path: Path) -> None:
    db = tmp_path / "old.db"
    shutil.copy(DATA / "gigq-0.5.1.db", db)
    conn = sqlite3.connect(db)
    (job_id,) = conn.execute("SELECT id FROM jobs LIMIT 1").fetchone()
    conn.close()
    assert "Origin" not in run(db, "status", job_id) + run(db, "why", job_id)
