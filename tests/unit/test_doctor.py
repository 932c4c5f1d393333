"""The doctor names what is wrong with a file, and only that."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import DatabaseMissing
from gigq_core.functions.function_files import why_missing
from gigq_core.inspection import doctor as doctor_module
from gigq_core.inspection.doctor import Level, examine
from gigq_core.job import FunctionReference
from gigq_core.schema import ddl
from gigq_core.system.identity import current_identity

WORK = FunctionReference("json", "dumps")
# What depends on the machine that runs the tests.
MACHINE_CHECKS = {"sqlite_version", "filesystem"}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


@pytest.fixture
def raw(queue: JobQueue) -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    yield conn
    conn.close()


def troubles(path: str | Path) -> dict[str, str]:
    return {
        finding.check: finding.text
        for finding in examine(path)
        if finding.level is not Level.FINE and finding.check not in MACHINE_CHECKS
    }


def test_a_healthy_file_has_no_trouble(queue: JobQueue) -> None:
    queue.submit(Job("n", WORK))
    assert troubles(queue.db_path) == {}


def test_a_gigq_file_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "data" / "gigq-0.1.0.db"
    file = Path(shutil.copyfile(source, tmp_path / "old.db"))
    before = file.read_bytes()
    assert "delete" in troubles(file)["journal_mode"]
    assert file.read_bytes() == before


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        examine(tmp_path / "no.db")


def test_missing_indexes_and_triggers_are_named(queue: JobQueue, raw: sqlite3.Connection) -> None:
    raw.execute("DROP INDEX core_open")
    raw.execute("DROP TRIGGER core_release")
    assert "core_open, core_release" in troubles(queue.db_path)["schema"]


def test_a_trigger_that_somebody_changed_is_named(queue: JobQueue, raw: sqlite3.Connection) -> None:
    raw.execute("DROP TRIGGER core_park")
    raw.execute("CREATE TRIGGER core_park AFTER UPDATE ON jobs BEGIN SELECT 1; END")
    assert "Not as it should be in the file: core_park." in troubles(queue.db_path)["schema"]


def test_counters_that_lie_are_found(queue: JobQueue, raw: sqlite3.Connection) -> None:
    queue.submit(Job("n", WORK))
    raw.execute("UPDATE core_counts SET n = 7 WHERE state = 'ready'")
    assert "{'ready': 7}" in troubles(queue.db_path)["counters"]


def test_jobs_that_never_run_are_counted(queue: JobQueue, raw: sqlite3.Connection) -> None:
    parent = Job("parent", WORK)
    child = Job("child", WORK, dependencies=[parent.id])
    grandchild = Job("grandchild", WORK, dependencies=[child.id])
    orphan = Job("orphan", WORK, dependencies=["nowhere"])
    script = Job("script", FunctionReference("__main__", "main"))
    queue.submit_many([parent, child, grandchild, orphan, script])
    raw.execute("UPDATE jobs SET status = 'failed' WHERE name = 'parent'")
    found = troubles(queue.db_path)
    assert found["doomed"].startswith("2 jobs are")
    assert found["missing_parents"].startswith("1 job is")
    assert found["script_jobs"].startswith("1 job is")


def test_jobs_that_are_told_of_a_failure_do_not_wait_for_ever(
    queue: JobQueue, raw: sqlite3.Connection
) -> None:
    parent = Job("parent", WORK)
    told = Job("told", WORK, dependencies=[parent.id], on_parent_failure="cancel")
    below = Job("below", WORK, dependencies=[told.id])
    goes_on = Job("goes on", WORK, dependencies=[parent.id], on_parent_failure="run")
    queue.submit_many([parent, told, below, goes_on])
    raw.execute("UPDATE jobs SET status = 'failed' WHERE name = 'parent'")
    assert "doomed" not in troubles(queue.db_path)
    waits = Job("waits", WORK, dependencies=[parent.id])
    queue.submit_many([waits, Job("in vain", WORK, dependencies=[waits.id])])
    assert troubles(queue.db_path)["doomed"].startswith("2 jobs are")


def test_damaged_rows_are_counted(queue: JobQueue, raw: sqlite3.Connection) -> None:
    queue.submit_many([Job("a", WORK), Job("b", WORK)])
    raw.execute("UPDATE jobs SET params = '{' WHERE name = 'a'")
    assert troubles(queue.db_path)["damaged_rows"].startswith("1 job is")


def test_an_orphan_is_found_and_a_living_worker_is_not(
    queue: JobQueue, raw: sqlite3.Connection
) -> None:
    me = current_identity()
    for worker, started in (("alive", me.pid_started), ("dead", "1")):
        raw.execute(
            "INSERT INTO core_workers (id, owner, host, pid, pid_started, boot_id, pid_namespace,"
            " isolation, slots, state, started_at)"
            " VALUES (?, 'cli', ?, ?, ?, ?, ?, 'process', 1, 'running', 't')",
            (worker, me.host, me.pid, started, me.boot_id, me.pid_namespace),
        )
        job_id = queue.submit(Job(worker, WORK))
        raw.execute(
            "UPDATE jobs SET status = 'running', worker_id = ?, execution_id = 'e' WHERE id = ?",
            (worker, job_id),
        )
    text = troubles(queue.db_path)["orphans"]
    dead = raw.execute("SELECT id FROM jobs WHERE name = 'dead'").fetchone()[0]
    assert text.startswith("1 job is")
    assert dead in text


def test_a_network_filesystem_is_wrong(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "_filesystem_type", lambda file: "nfs4")
    (finding,) = [f for f in examine(queue.db_path) if f.check == "filesystem"]
    assert finding.level is Level.WRONG


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 40, 1), Level.WARNING), ((3, 51, 2), Level.WARNING), ((3, 51, 3), Level.FINE)],
)
def test_the_wal_reset_bug_is_named(
    queue: JobQueue,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    level: Level,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    (finding,) = [f for f in examine(queue.db_path) if f.check == "sqlite_version"]
    assert finding.level is level


def test_a_wal_that_never_shrinks_is_told(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.submit(Job("n", WORK))
    monkeypatch.setattr(doctor_module, "LARGE_WAL_BYTES", 1)
    assert "read transaction open" in troubles(queue.db_path)["wal_size"]


def test_jobs_in_a_circle_are_named_and_a_long_chain_is_none(
    queue: JobQueue, raw: sqlite3.Connection
) -> None:
    """GigQ takes a circle as it comes."""
    chain = [Job(f"c{n}", WORK) for n in range(300)]
    for before, after in pairwise(chain):
        after.dependencies = [before.id]
    queue.submit_many(chain)
    assert troubles(queue.db_path) == {}
    for name, parent in (("a", "b"), ("b", "a"), ("self", "self"), ("behind", "a")):
        raw.execute(
            "INSERT INTO jobs (id, name, function_name, function_module, params, dependencies,"
            " status, created_at, updated_at) VALUES (?1, ?1, 'dumps', 'json', '{}',"
            " json_array(?2), 'pending', 't', 't')",
            (name, parent),
        )
    assert troubles(queue.db_path).keys() == {"circles"}
    assert troubles(queue.db_path)["circles"].startswith("4 jobs are in a dependency cycle")


# --- what is done beside running jobs --------------------------------------------------------


def test_an_entry_of_the_agenda_that_no_living_worker_does_is_told(
    queue: JobQueue, raw: sqlite3.Connection
) -> None:
    queue.schedule("nightly", "30 2 * * *", Job("n", WORK, params={"obj": 1}))
    raw.execute("UPDATE core_agenda SET at = at - 10 * 86400")
    assert "agenda" not in troubles(queue.db_path)
    raw.execute(
        "INSERT INTO core_workers (id, owner, isolation, slots, state, started_at, release, host, "
        "pid, pid_started, boot_id, pid_namespace) VALUES ('w', 'cli', 'process', 1, 'running', "
        "'2030-01-01', ?, ?, ?, ?, ?, ?)",
        (ddl.SCHEMA_VERSION, *current_identity()),
    )
    text = troubles(queue.db_path)["agenda"]
    assert text.startswith("schedule:nightly was due more than an hour ago")
    assert "the log of worker w" in text
    raw.execute("UPDATE core_agenda SET at = at + 20 * 86400")
    assert "agenda" not in troubles(queue.db_path)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("shop.mail.send", ""),
        ("shop.mail.post", "shop.mail has no post"),
        ("shop.post.send", "there is no module shop.post"),
        ("shop.deep.inner.run", ""),
        ("shop.made.anything", ""),
        ("lonely.work", ""),
        ("lonely.rest", "lonely has no rest"),
        ("nowhere.at.all", ""),
        ("json.dumps", ""),
        ("math.sqrt", ""),
        ("__main__.f", ""),
        ("odd", ""),
    ],
)
def test_a_function_that_can_not_be_where_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, why: str
) -> None:
    deep = tmp_path / "shop" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "shop" / "mail.py").write_text("def send(): ...")
    (tmp_path / "shop" / "made.py").write_text("from shop.mail import *")
    (deep / "inner.py").write_text("from shop.mail import send as run")
    (tmp_path / "lonely.py").write_text("work = print")
    monkeypatch.chdir(tmp_path)
    assert why_missing(function) == why


def test_schedules_hooks_and_keeping_tell_their_trouble(
    queue: JobQueue,
    raw: sqlite3.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue.schedule("nightly", "30 2 * * *", Job("n", WORK, params={"obj": 1}))
    raw.execute("UPDATE core_agenda SET trouble = 'no such zone' WHERE what = 'schedule:nightly'")
    queue.hook("failed", Job("h", FunctionReference("gigq_core", "post_json")), name="page")
    raw.execute("UPDATE core_hooks SET failures = 3")
    queue.keep(completed="7d")
    raw.execute("UPDATE core_keeping SET trouble = 'Nothing is deleted, since the disk is full.'")
    found = troubles(queue.db_path)
    assert found["schedules"] == "The schedule nightly: no such zone."
    assert found["hooks"] == "The hook page reports nothing: its last 3 jobs failed."
    assert (
        found["keeping"] == "Old jobs can't be deleted. Nothing is deleted, since the disk is full."
    )
    queue.pause_schedule("nightly")
    queue.pause_hook("page")
    queue.keep(completed="forever")
    assert not {"schedules", "hooks", "keeping"} & troubles(queue.db_path).keys()
