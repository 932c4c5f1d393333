"""Somebody holds the file's locks, or its disk is full: the worker's log and the doctor say so."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.fleet.utc_offsets import describe_differences
from gigq_core.inspection import doctor
from gigq_core.worker import troubles
from tests.integration import chores
from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux whose a lock is")

HOLDER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute(sys.argv[2])
conn.execute("SELECT count(*) FROM jobs").fetchall()
print("held", flush=True)
sys.stdin.read()
"""
BUSY = """
import sys
from gigq_core import JobQueue
queue = JobQueue(sys.argv[1])
print("held", flush=True)
while True:
    queue.pause()
    queue.resume()
"""

Hold = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts a program on a file; it has what it wants when this returns."""
    programs = []

    def start(code: str, *words: object) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def examined(db: Path) -> tuple[dict[str, tuple[str, str]], int]:
    """What the doctor finds, by check, as level and text; and its exit code."""
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_core", "doctor", str(db), "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    found = json.loads(answer.stdout)["findings"]
    return {f["check"]: (f["level"], f["text"]) for f in found}, answer.returncode


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    queue = JobQueue(path)
    queue.submit(Job("n", chores.nothing))
    return path


def test_the_doctor_names_the_program_that_keeps_a_read_transaction(db: Path, hold: Hold) -> None:
    reader = hold(HOLDER, db, "BEGIN")
    JobQueue(db).pause()
    found, code = examined(db)
    level, text = found["wal_size"]
    assert (level, code) == ("warning", 0)
    assert f"pid {reader.pid} (" in text
    reader.kill()
    reader.wait()
    assert examined(db)[0]["wal_size"][0] == "fine"


def test_the_doctor_names_the_program_that_keeps_the_write_lock(db: Path, hold: Hold) -> None:
    writer = hold(HOLDER, db, "BEGIN IMMEDIATE")
    found, code = examined(db)
    level, text = found["write_lock"]
    assert (level, code) == ("wrong", 1)
    assert f"pid {writer.pid} (" in text
    writer.kill()
    writer.wait()
    found, code = examined(db)
    assert (found["write_lock"][0], code) == ("fine", 0)


def test_the_doctor_accuses_nobody_who_lets_go_again(db: Path, hold: Hold) -> None:
    hold(BUSY, db)
    found, code = examined(db)
    assert found["write_lock"][0] == "fine"
    assert found["wal_size"][0] == "fine"
    assert code == 0


@pytest.mark.parametrize(("free", "level"), [(10**12, "fine"), (10**8, "warning"), (0, "wrong")])
def test_the_doctor_tells_how_much_room_there_is(
    db: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda file: free)
    (found,) = [f for f in doctor.examine(db) if f.check == "disk"]
    assert found.level.value == level


def test_the_doctor_leaves_the_locks_of_its_own_process_alone(db: Path) -> None:
    """It asks in a child, since to open and close the index would drop them."""
    queue = JobQueue(db)
    with queue._writing():
        doctor.examine(db)
        other = sqlite3.connect(db, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        begin = "sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        code = f"import sqlite3, sys; {begin}"
        child = subprocess.run([sys.executable, "-c", code, str(db)], capture_output=True)
        assert b"locked" in child.stderr


# --- the worker's log ------------------------------------------------------------------------


def test_a_worker_says_once_that_the_file_is_locked_and_when_it_is_over(
    place: Place, hold: Hold
) -> None:
    place.worker("--concurrency", "2")
    go = place.folder / "noted.go"
    job = place.submit(chores.note_twice, params={"path": str(place.folder / "noted")})
    place.lines("noted")
    wait_until(lambda: place.status(job) == "running", what="the claim")
    writer = hold(HOLDER, place.db, "BEGIN IMMEDIATE")
    go.touch()
    wait_until(lambda: "locked by another process, so" in place.log(), what="the line")
    writer.kill()
    writer.wait()
    assert place.end(job)["status"] == "completed"
    wait_until(lambda: "no longer locked" in place.log(), what="the end of it")
    assert place.log().count("locked by another process, so") == 1
    assert place.log().count("no longer locked") == 1


def test_a_worker_says_once_that_the_disk_is_full_and_when_it_is_over(place: Place) -> None:
    worker = place.worker()
    fill = [Job("filler", chores.nothing, description="x" * 4000) for _ in range(100)]
    place.queue.pause()
    place.queue.submit_many(fill)
    # A file may not grow beyond this: the WAL has, and the worker's log has not.
    few = 100_000
    assert Path(f"{place.db}-wal").stat().st_size > 2 * few
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (few, resource.RLIM_INFINITY))
    place.queue.resume()
    wait_until(lambda: "can't be used for now" in place.log(), what="the line")
    resource.prlimit(
        worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    place.ended(*[job.id for job in fill], timeout_s=60)
    wait_until(lambda: "can be used again, after" in place.log(), what="the end of it")
    assert place.log().count("can't be used for now") == 1
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0


def test_a_wal_that_a_reader_keeps_is_told_once_and_cut_off_afterwards(
    db: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(troubles, "LARGE_WAL_BYTES", 100_000)
    monkeypatch.setattr(troubles, "WAL_LOGGED_AFTER_S", 0.0)
    caplog.set_level("WARNING", logger="gigq_core.worker")
    monkeypatch.setattr(troubles.logger.parent, "propagate", True)
    queue = JobQueue(db)
    reader = hold(HOLDER, db, "BEGIN")
    queue.submit_many([Job("n", chores.nothing, description="x" * 4000) for _ in range(100)])
    conn = sqlite3.connect(db, isolation_level=None)
    watch = troubles.FileTroubles(db, conn)
    for moment in (10.0, 20.0, 30.0):
        watch.look_after_wal(moment)
    assert [r.getMessage().count("has grown to") for r in caplog.records] == [1]
    reader.kill()
    reader.wait()
    watch.look_after_wal(40.0)
    conn.close()
    assert "could be copied back, after" in caplog.records[-1].getMessage()
    assert Path(f"{db}-wal").stat().st_size == 0
    assert queue.stats()["total"] == 101


# --- clocks ----------------------------------------------------------------------------------


def test_the_doctor_says_when_workers_have_different_utc_offsets(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.worker("--worker-id", "here")
    assert examined(place.db)[0]["utc_offsets"][0] == "fine"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    far = place.worker("--worker-id", "far")
    level, text = examined(place.db)[0]["utc_offsets"]
    assert level == "fine"
    assert "+00:00 (here), +09:00 (far). That would matter to GigQ's workers alone" in text
    hold_as_gigq(place, timedelta(hours=9))
    level, text = examined(place.db)[0]["utc_offsets"]
    assert level == "warning"
    assert "+00:00 (here), +09:00 (far). GigQ's workers read a delay" in text
    far.send_signal(signal.SIGTERM)
    far.wait(timeout=20)
    assert "+00:00 (here), +09:00 (gigq-1)" in examined(place.db)[0]["utc_offsets"][1]
    place.change("UPDATE jobs SET status = 'completed' WHERE id = 'held'")
    assert examined(place.db)[0]["utc_offsets"][0] == "fine"


def hold_as_gigq(place: Place, east: timedelta) -> None:
    """A job that a worker of GigQ's in another zone holds."""
    began = datetime.now(timezone.utc).replace(tzinfo=None) + east
    place.change(
        "INSERT INTO jobs (id, name, function_module, function_name, status, created_at,"
        " updated_at, retry_after)"
        f" VALUES ('held', 'held', 'm', 'f', 'pending', '{began}', '{began}', '2999-01-01')"
    )
    place.change(
        "UPDATE jobs SET status = 'running', worker_id = 'gigq-1',"
        f" started_at = '{began.isoformat()}' WHERE id = 'held'"
    )


def test_a_worker_of_an_older_release_says_nothing_of_its_offset(place: Place) -> None:
    place.worker("--worker-id", "here")
    place.change("DELETE FROM core_meta WHERE key LIKE 'east_of_utc:%'")
    assert examined(place.db)[0]["utc_offsets"][0] == "fine"


@pytest.mark.parametrize(
    ("offsets", "told"),
    [
        ({}, ""),
        ({"a": 3600}, ""),
        ({"a": 3600, "b": 3600}, ""),
        ({"a": 19_800, "b": -12_600, "c": 19_800}, "-03:30 (b), +05:30 (a)"),
    ],
)
def test_offsets_are_told_where_they_differ(offsets: dict[str, Any], told: str) -> None:
    assert describe_differences(offsets).endswith(told)
    assert bool(describe_differences(offsets)) == bool(told)
