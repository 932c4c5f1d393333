"""A worker of the previous release goes on beside this one, on a file that this one attached."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import Job, JobQueue
from gigq_core.inspection.doctor import Level, examine
from gigq_core.reasons.why import why
from gigq_core.schema import ddl
from gigq_core.schema.attach import detach
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab
from gigq_tui.store.reader import Reader
from gigq_tui.store.sorting import Sort, SortKey
from tests.attempts import look
from tests.integration import chores
from tests.integration.conftest import ROOT, Place
from tests.reliability.test_migration import finish, start, statements, steps
from tests.waiting import wait_until

RELEASE = ROOT / "tests" / "data" / "gigq_core-schema-1.zip"
NEAR_S = 0.01
MAKE = """
import sys
from gigq_core import Job, JobQueue
queue = JobQueue(sys.argv[1])
hold = Job("hold", "tests.integration.chores.hold_until",
           {"path": sys.argv[2] + ".held", "free": sys.argv[2] + ".free"})
child = Job("child", "tests.integration.chores.nothing", dependencies=[hold.id])
later = Job("later", "tests.integration.chores.fail", max_attempts=2, retry_delay=1)
queue.submit_many([hold, child, later])
print(hold.id, child.id, later.id)
"""


class Before:
    """The release before, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "before"
        with zipfile.ZipFile(RELEASE) as packed:
            packed.extractall(self.folder)
        self._processes: list[subprocess.Popen[bytes]] = []

    def _started(self, words: tuple[str, ...], **how: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        process = subprocess.Popen(
            [sys.executable, *words], cwd=self.folder, env=environment, **how
        )
        self._processes.append(process)
        return process

    def run(self, code: str, *words: str) -> str:
        process = self._started(("-c", code, *words), stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return out.decode()

    def worker(self, db: Path) -> subprocess.Popen[bytes]:
        words = ("-m", "gigq_core", "--db", str(db), "worker", "--concurrency", "2")
        return self._started(
            (*words, "--chdir", str(ROOT)), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(20)


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Before]:
    release = Before(tmp_path)
    yield release
    release.close()


def named(db: Path) -> set[str]:
    conn = sqlite3.connect(db)
    try:
        return {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    finally:
        conn.close()


def count(db: Path, table: str) -> int:
    conn = sqlite3.connect(db)
    try:
        return int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        conn.close()


def column(db: Path, name: str) -> Callable[[str], Any]:
    def read(job_id: str) -> Any:
        conn = sqlite3.connect(db)
        try:
            return conn.execute(f"SELECT {name} FROM jobs WHERE id = ?", (job_id,)).fetchone()[0]
        finally:
            conn.close()

    return read


def test_its_worker_survives_the_attach_and_what_it_does_is_stamped(
    tmp_path: Path, before: Before
) -> None:
    db = tmp_path / "jobs.db"
    hold, child, later = before.run(MAKE, str(db), str(tmp_path / "job")).split()
    old = before.worker(db)
    wait_until((tmp_path / "job.held").exists, what="its worker to run a job")

    place = Place(tmp_path)
    try:
        # It was attached by this call, under the other one's worker.
        assert set(ddl.LEGACY_TRIGGERS) <= named(db)
        found = {f.check: f for f in examine(db)}
        assert found["release"].level is Level.WARNING
        assert "of the previous release" in found["release"].text
        freed = time.time()
        (tmp_path / "job.free").touch()
        wait_until(lambda: place.status(hold) == "completed", what="its job to end")
        wait_until(lambda: place.status(child) == "completed", what="the child to end")
        wait_until(lambda: place.status(later) == "failed", what="the retried one to end")
        mine = place.submit(chores.nothing)
        wait_until(lambda: place.status(mine) == "completed", what="a new job to end")
        assert old.poll() is None
        began, ended = column(db, "began"), column(db, "ended")
        for job_id in (hold, child, later, mine):
            assert freed - NEAR_S <= ended(job_id) <= time.time() + NEAR_S
        for job_id in (child, mine):
            assert freed - NEAR_S <= began(job_id) <= ended(job_id) + NEAR_S
        place.worker()
        assert set(ddl.LEGACY_TRIGGERS) <= named(db)
        failed = (
            "SELECT error_type, error_message, fingerprint FROM job_executions WHERE job_id = ?"
        )
        wait_until(
            lambda: all(row["fingerprint"] for row in place.rows(failed, later)),
            what="what failed there to be read",
        )
        told = {(row["error_type"], row["error_message"]) for row in place.rows(failed, later)}
        assert told == {("ValueError", "no good")}

        old.terminate()
        assert old.wait(20) == 0
        place.worker()
        parts = {*ddl.LEGACY_TRIGGERS, *ddl.LEGACY_INDEXES}
        wait_until(lambda: not parts & named(db), what="what served it to go")
        assert "release" not in {f.check for f in examine(db) if f.level is not Level.FINE}
    finally:
        place.close()


def test_both_releases_work_off_one_file_and_nothing_is_lost(
    tmp_path: Path, before: Before
) -> None:
    db = tmp_path / "jobs.db"
    before.run(MAKE, str(db), str(tmp_path / "job"))
    (tmp_path / "job.free").touch()
    olds = [before.worker(db) for _ in range(2)]
    # One that comes later says that it has to be updated.
    wait_until(lambda: count(db, "core_workers") == 2, what="its workers")
    place = Place(tmp_path)
    try:
        place.worker("--concurrency", "2")
        first = [Job(f"first {n}", chores.nothing) for n in range(150)]
        second = [
            Job(f"second {n}", chores.nothing, dependencies=[job.id]) for n, job in enumerate(first)
        ]
        place.queue.submit_many([*second, *first])
        wait_until(lambda: place.queue.stats()["completed"] == 302, what="all to end")
        wait_until(lambda: place.queue.stats()["failed"] == 1, what="the one that fails twice")
        assert all(old.poll() is None for old in olds)
        runs = place.rows("SELECT job_id, count(*) AS n FROM job_executions GROUP BY 1")
        assert sorted(row["n"] for row in runs) == [1] * 302 + [2]
        states = f"SELECT {ddl.state_of('jobs')} AS state, count(*) AS n FROM jobs GROUP BY 1"
        kept = place.rows("SELECT state, n FROM core_counts WHERE n <> 0 ORDER BY state")
        assert kept == sorted(place.rows(states), key=lambda row: row["state"])
    finally:
        place.close()


PAST = """
import sqlite3, sys
from gigq_core import JobQueue
JobQueue(sys.argv[1]).close()
conn = sqlite3.connect(sys.argv[1])
conn.execute(
    "INSERT INTO jobs (id, name, function_name, function_module, params, dependencies, status,"
    " created_at, updated_at, started_at, completed_at, attempts, retry_after)"
    " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT"
    " 'job-' || i, 'job', 'monotonic', 'time', '{}',"
    " CASE WHEN i % 5 THEN '[]' ELSE json_array('job-' || (i - 1)) END,"
    " CASE i % 5 WHEN 0 THEN 'pending' WHEN 1 THEN 'failed' WHEN 2 THEN 'pending' ELSE 'completed'"
    " END, datetime(1764000000 + i, 'unixepoch'), datetime(1764000000 + i, 'unixepoch'),"
    " CASE WHEN i % 5 NOT IN (0, 2) THEN datetime(1764000000 + i + 1, 'unixepoch') END,"
    " CASE WHEN i % 5 NOT IN (0, 2) THEN datetime(1764000000 + i + 3, 'unixepoch') END,"
    " i % 2, CASE i % 5 WHEN 2 THEN '2031-01-01T00:00:00' END FROM n")
conn.execute(
    "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, completed_at)"
    " SELECT 'e-' || id, id, 'w', status, started_at, completed_at FROM jobs"
    " WHERE status <> 'pending'")
conn.execute("UPDATE jobs SET retry_after = '9999-12-31T23:59:59', due_at = '2032-01-01T00:00:00'"
    " WHERE id = 'job-5'")
conn.commit()
"""
OLD_KILLS = 24


def moments(db: Path) -> dict[str, Any]:
    """Every row of both tables, and what is kept beside them."""
    conn = sqlite3.connect(db)
    try:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        jobs = "SELECT id, status, retry_after, created, due, began, ended FROM jobs ORDER BY id"
        tables = {
            "jobs": jobs,
            "attempts": "SELECT id, status, began, ended FROM job_executions ORDER BY id",
            "edges": "SELECT * FROM core_edges ORDER BY 1, 2",
            "counts": "SELECT * FROM core_counts ORDER BY 1",
            "parts": "SELECT name, sql FROM sqlite_master ORDER BY 1",
            "left": "SELECT * FROM core_meta WHERE key GLOB 'to_fill*'",
        }
        return {name: conn.execute(sql).fetchall() for name, sql in tables.items()}
    finally:
        conn.close()


def test_a_migration_that_is_killed_at_any_step_is_taken_up_where_it_stood(
    tmp_path: Path, before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under an open GigQ, which goes on with the file at every step."""
    monkeypatch.setenv("TZ", "UTC")
    old = tmp_path / "old.db"
    before.run(PAST, str(old))
    whole = Path(shutil.copyfile(old, tmp_path / "whole.db"))
    total = statements("fill", whole, monkeypatch)
    expected = moments(whole)
    assert expected["left"] == []
    completed = {row[0]: row for row in expected["jobs"] if row[1] == "completed"}
    assert len(completed) == 600
    for name, (_, _, _, created, _, began, ended) in completed.items():
        number = int(name.removeprefix("job-"))
        assert (created, began, ended) == pytest.approx(
            (1764000000 + number, 1764000001 + number, 1764000003 + number), abs=0.001
        )
    seen = set()
    for step in steps(total, OLD_KILLS):
        file = Path(shutil.copyfile(old, tmp_path / f"{step}.db"))
        assert not finish(start("fill", file, step))
        theirs = gigq.JobQueue(str(file))
        assert theirs.stats()["total"] == 1500
        new = theirs.submit(gigq.Job("new", time.monotonic))
        assert theirs.cancel(new)
        gigq.close_connections()
        assert finish(start("fill", file))
        found = moments(file)
        found["jobs"] = [row for row in found["jobs"] if row[0] != new]
        seen.add(len(named(file)))
        for what in ("jobs", "attempts", "edges", "parts", "left"):
            assert found[what] == expected[what], (step, what)
        kept = dict(found["counts"])
        assert kept == {**dict(expected["counts"]), "cancelled": 1}, step
        detach(file)
        conn = sqlite3.connect(file)
        assert conn.execute("SELECT count(*) FROM jobs").fetchone() == (1501,)
        assert conn.execute("SELECT retry_after FROM jobs WHERE id = 'job-5'").fetchone() == (
            "2032-01-01T00:00:00.000",
        )
        conn.close()


def test_a_file_of_the_release_before_is_brought_up_to_date_and_given_back(
    tmp_path: Path, before: Before
) -> None:
    db = tmp_path / "jobs.db"
    hold, child, later = before.run(MAKE, str(db), str(tmp_path / "job")).split()
    conn = sqlite3.connect(db)
    with conn:
        conn.execute("UPDATE jobs SET due_at = '2030-01-01T00:00:00' WHERE id = ?", (child,))
        conn.execute("UPDATE jobs SET retry_after = '2031-01-01T00:00:00' WHERE id = ?", (later,))
    conn.close()
    untouched = Path(shutil.copyfile(db, tmp_path / "untouched.db"))
    detach(untouched)
    conn = sqlite3.connect(untouched)
    kept = dict(conn.execute("SELECT id, retry_after FROM jobs"))
    conn.close()
    assert kept[child].startswith("2030-01-01T00:00:00")
    queue = JobQueue(db)
    due = column(db, "due")
    assert (due(child), due(later)) == (
        time.mktime((2030, 1, 1, 0, 0, 0, 0, 0, -1)),
        time.mktime((2031, 1, 1, 0, 0, 0, 0, 0, -1)),
    )
    assert queue.get_status(child)["retry_after"] == "2030-01-01T00:00:00"
    queue.close()
    detach(db)
    conn = sqlite3.connect(db)
    names = [row[1] for row in conn.execute("PRAGMA table_info(jobs)")]
    rows = dict(conn.execute("SELECT id, retry_after FROM jobs"))
    conn.close()
    assert names[-3:] == ["pass_parent_results", "retry_delay", "retry_after"]
    assert rows[hold] is None
    assert rows[child].startswith("2030-01-01T00:00:00")
    assert rows[later].startswith("2031-01-01T00:00:00")


WAIT = """
import sys
from gigq_core import Job, JobQueue
queue = JobQueue(sys.argv[1])
jobs = [Job(f"done{n}", "builtins.dict", max_attempts=1) for n in range(3)]
jobs += [Job("later", "builtins.int", {"x": 1}, max_attempts=2, retry_delay=600)]
queue.submit_many(jobs)
from gigq_core import Worker
worker = Worker(sys.argv[1])
for _ in jobs:
    worker.process_one()
ready = [Job("ready", "builtins.dict", priority=n) for n in range(3)]
queue.submit_many(ready + [Job("child", "builtins.dict", dependencies=[ready[0].id])])
print(*(job.id for job in jobs))
"""


def test_the_console_and_the_commands_look_at_its_file_without_attaching_it(
    tmp_path: Path, before: Before
) -> None:
    db = tmp_path / "jobs.db"
    *done, later = before.run(WAIT, str(db)).split()
    as_it_was = named(db)
    reader = Reader(db)
    try:
        for tab in Tab:
            for key in SortKey:
                for turned in (False, True):
                    view = View(tab, sort=Sort(key, turned=turned))
                    rows = reader.snapshot(view).window.rows
                    assert {row.id for row in rows} == set(reader.matching_ids(view))
        seen = reader.snapshot(View(Tab.ALL))
        assert (seen.counts.ready, seen.counts.blocked, seen.counts.delayed) == (3, 1, 1)
        rows = {row.id: row for row in seen.window.rows}
        due = rows[later].due
        assert due is not None
        assert 500 < (due - seen.taken_at).total_seconds() <= 600
        assert why(rows[later], seen.taken_at).startswith("retry")
        for job_id in done:
            assert why(rows[job_id], seen.taken_at).startswith("done in ")
            detail = reader.detail(job_id)
            assert detail is not None
            assert detail.attempts[0].completed_at is not None
        for text, count in (
            ("age<5m", 8),
            ("dur<5m", 3),
            ("state:delayed", 1),
            ("state:ready", 3),
            ("state:blocked", 1),
            ("state:overdue", 0),
        ):
            assert len(reader.matching_ids(View(Tab.ALL, filter=parse(text)))) == count, text
        assert look(reader, 900).total.done == 3
        assert reader.overview().ready_counted == 3
        assert reader.jobs_ahead(0) is not None
    finally:
        reader.close()
    for words in (
        ("status", later, "--show-executions"),
        ("list", "--json"),
        ("stats",),
        ("workers", "--all", "--json"),
        ("clear", "--before", "1", "--dry-run"),
        ("doctor",),
    ):
        told = command(db, *words)
        assert told.returncode == 0, told.stderr
    assert "Due: " in command(db, "status", later).stdout
    assert named(db) == as_it_was


def command(db: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(db), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
