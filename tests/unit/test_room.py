"""What takes the room of a file, and giving back what is not used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

import gigq
import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.errors import DatabaseBusy, DatabaseError, NotAQueue
from gigq_core.keeping import compacting as compacting_module
from gigq_core.keeping import file_size as size_module
from gigq_core.keeping.compacting import compact
from gigq_core.keeping.file_size import read_file_size
from gigq_core.system.identity import current_identity

NOTHING = "tests.integration.chores.nothing"
JOBS = 1000
RESULT = 700


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A queue of jobs with results of 700 bytes, and an attempt each with a traceback of 500."""
    path = tmp_path / "jobs.db"
    queue = JobQueue(path)
    queue.submit_many([Job(f"j{n}", NOTHING) for n in range(JOBS)])
    queue.close()
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute(
        "UPDATE jobs SET status = 'completed', result = ?, params = ?", ("r" * RESULT, "p" * 100)
    )
    conn.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, traceback) "
        "SELECT 'x' || id, id, 'w', 'failed', created_at, ? FROM jobs",
        ("t" * 500,),
    )
    conn.close()
    return path


def emptied(db: Path) -> None:
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute("DELETE FROM job_executions")
    conn.execute("DELETE FROM jobs WHERE rowid > 10")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()


@pytest.mark.parametrize("way", ["all rows", "some rows", "no dbstat", "too slow"])
def test_the_shares_add_up_however_they_are_found(
    db: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "all rows":
        monkeypatch.setattr(size_module, "ALL_ROWS", 10)
    if way == "no dbstat":
        monkeypatch.setattr(size_module.sql, "PAGES_BY_NAME", "SELECT * FROM dbstat_of_others")
    if way == "too slow":
        monkeypatch.setattr(size_module, "PAGES_FOR_S", -1.0)
    found = read_file_size(db)
    parts = [share for share in found.shares if not share.within]
    assert sum(share.size for share in parts) + found.free == pytest.approx(
        found.size + found.wal, rel=0.6
    )
    sizes = {(share.within, share.name): share.size for share in found.shares}
    assert sizes["jobs", "results"] == pytest.approx(JOBS * RESULT, rel=0.02)
    assert sizes["jobs", "parameters"] == pytest.approx(JOBS * 100, rel=0.02)
    assert sizes["job_executions", "tracebacks"] == pytest.approx(JOBS * 500, rel=0.02)
    assert sizes["", "jobs"] == pytest.approx(JOBS * (RESULT + 500), rel=0.3)
    assert (found.jobs, found.attempts) == (JOBS, JOBS)
    assert bool(found.note) == (way in ("no dbstat", "too slow"))
    estimates = {share.is_estimate for share in found.shares if share.within}
    assert estimates == {way != "all rows"}


def test_what_stands_beside_the_file_is_told(db: Path, tmp_path: Path) -> None:
    logs = tmp_path / "jobs.db-logs" / "attempts"
    logs.mkdir(parents=True)
    (logs / "a.log").write_bytes(b"x" * 700)
    (logs.parent / "w.log").write_bytes(b"x" * 300)
    JobQueue(db).keep(completed="7d", archive=tmp_path / "archive")
    (tmp_path / "archive" / "jobs.db-2030-01-01.jsonl").write_bytes(b"x" * 50)
    (tmp_path / "archive" / "others.db-2030-01-01.jsonl").write_bytes(b"x" * 50)
    found = read_file_size(db)
    assert (found.logs.size, found.logs.files, found.logs.is_whole) == (1000, 2, True)
    assert found.archive is not None
    assert (found.archive.size, found.archive.files) == (50, 1)
    answer = CliRunner().invoke(cli, ["--db", str(db), "size"])
    assert answer.exit_code == 0
    assert "2 files" in answer.output
    assert "1 file in " in answer.output
    assert len(answer.output.splitlines()) < 24
    assert json.loads(CliRunner().invoke(cli, ["size", str(db), "--json"]).output)["jobs"] == JOBS


def test_a_folder_that_is_too_large_is_told_as_that(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.db-logs").mkdir()
    (tmp_path / "jobs.db-logs" / "w.log").write_text("x")
    monkeypatch.setattr(size_module, "FOLDER_FOR_S", -1.0)
    assert not read_file_size(db).logs.is_whole


def test_a_file_of_gigqs_own_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    gigq.JobQueue(str(path)).submit(gigq.Job("j", function=print))
    found = read_file_size(path)
    assert found.jobs == 1
    assert found.archive is None


def test_compacting_gives_back_what_is_not_used_and_keeps_the_order(db: Path) -> None:
    emptied(db)
    conn = sqlite3.connect(db)
    before = conn.execute("SELECT rowid, * FROM jobs ORDER BY rowid").fetchall()
    done = compact(db)
    assert done.before > JOBS * RESULT
    assert done.after < done.before / 3
    assert done.after == db.stat().st_size
    assert not done.waits
    assert conn.execute("SELECT rowid, * FROM jobs ORDER BY rowid").fetchall() == before
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    conn.close()


def test_compacting_while_somebody_reads_shrinks_the_file_later(db: Path) -> None:
    emptied(db)
    reader = sqlite3.connect(db, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM jobs").fetchone()
    answer = CliRunner().invoke(cli, ["compact", str(db)])
    assert answer.exit_code == 0
    assert "it shrinks when that has ended" in answer.output
    assert reader.execute("SELECT count(*) FROM jobs").fetchone() == (10,)
    reader.execute("COMMIT")
    reader.close()
    assert compact(db).after < JOBS * RESULT


def test_compacting_is_refused_while_a_worker_of_ours_lives(db: Path) -> None:
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute(
        "INSERT INTO core_workers (id, owner, isolation, slots, state, started_at, host, pid, "
        "pid_started, boot_id, pid_namespace) "
        "VALUES ('w', 'cli', 'process', 1, 'running', '2030-01-01', ?, ?, ?, ?, ?)",
        current_identity(),
    )
    with pytest.raises(DatabaseBusy, match=r"is still running on .*: drain it first"):
        compact(db)
    answer = CliRunner().invoke(cli, ["compact", str(db)])
    assert answer.exit_code == 1
    conn.execute("UPDATE core_workers SET pid_started = 'long ago'")
    conn.close()
    assert compact(db).after > 0


def test_compacting_is_refused_while_gigqs_workers_run_jobs(db: Path) -> None:
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, status, created_at, "
        "updated_at) VALUES ('t', 't', 'f', 'm', 'running', '2030-01-01', '2030-01-01')"
    )
    conn.close()
    with pytest.raises(DatabaseBusy, match="1 job runs under GigQ's workers"):
        compact(db)
    assert compact(db, force=True).after > 0


def test_compacting_is_refused_while_somebody_writes(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting_module, "WAIT_S", 0.05)
    writer = sqlite3.connect(db, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy, match="locked by another process"):
        compact(db)
    writer.execute("ROLLBACK")
    writer.close()


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_compacting_is_refused_where_the_disk_has_too_little_room(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = db.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 10**6))
    with pytest.raises(DatabaseError, match=r"Compacting takes [\d.]+ MB for a while"):
        compact(db)
    assert db.stat().st_size == before


def test_what_is_no_queue_is_not_compacted(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE t (a)")
    conn.commit()
    conn.close()
    with pytest.raises(NotAQueue):
        compact(path)


def test_a_kill_in_the_midst_of_compacting_is_harmless(db: Path, tmp_path: Path) -> None:
    """After so many steps of SQLite's, each time more, until it comes to an end."""
    emptied(db)
    killed = 0
    for number in range(1, 60):
        copy = tmp_path / "copy.db"
        for end in ("", "-wal", "-shm"):
            Path(f"{copy}{end}").unlink(missing_ok=True)
        shutil.copy(db, copy)
        child = os.fork()
        if child == 0:
            try:
                die_after(number * number)
                compact(copy)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        conn = sqlite3.connect(copy)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM jobs").fetchone() == (10,)
        conn.close()
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    assert killed > 3


def die_after(calls: int) -> None:
    left = calls

    def step() -> int:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    class Dying(sqlite3.Connection):
        def set_progress_handler(self, *_: object, **__: object) -> None:
            super().set_progress_handler(step, 10)

    connect = compacting_module.connect

    def connecting(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
        connect(path, mode, busy_timeout_s).close()
        conn = sqlite3.connect(path, isolation_level=None, factory=Dying)
        conn.row_factory = sqlite3.Row
        return conn

    compacting_module.connect = connecting  # type: ignore[assignment]


def test_it_takes_bounded_time(db: Path) -> None:
    began = time.monotonic()
    read_file_size(db)
    assert time.monotonic() - began < size_module.PAGES_FOR_S + size_module.FOLDER_FOR_S + 5
