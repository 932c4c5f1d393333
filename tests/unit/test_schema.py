"""The rules that hold in the file itself, whoever writes: parking, fences, counters."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import DatabaseBusy, DatabaseError, DatabaseMissing, NotAQueue
from gigq_core.job import FunctionReference
from gigq_core.schema import ddl
from gigq_core.schema.attach import attach, detach, open_for_work
from gigq_core.schema.opening import connect, is_attached, open_read_only

DATA = Path(__file__).parents[1] / "data"
WORK = FunctionReference("json", "dumps")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def queue(path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(path)
    yield queue
    queue.close()


@pytest.fixture
def raw(queue: JobQueue, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program with plain SQL, as GigQ is one."""
    conn = sqlite3.connect(path, isolation_level=None)
    yield conn
    conn.close()


def insert(conn: sqlite3.Connection, job_id: str, dependencies: object = ()) -> None:
    text = dependencies if isinstance(dependencies, str) else json.dumps(list(dependencies))  # type: ignore[call-overload]
    conn.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, params, dependencies,"
        " status, created_at, updated_at) VALUES (?, ?, 'f', 'm', '{}', ?, 'pending', 't', 't')",
        (job_id, job_id, text),
    )


def complete(conn: sqlite3.Connection, job_id: str) -> None:
    conn.execute("UPDATE jobs SET status = 'running' WHERE id = ?", (job_id,))
    conn.execute("UPDATE jobs SET status = 'completed' WHERE id = ?", (job_id,))


def standing(conn: sqlite3.Connection, job_id: str) -> tuple[str, str | None, float | None]:
    row = conn.execute(
        "SELECT status, retry_after, due FROM jobs WHERE id = ?", (job_id,)
    ).fetchone()
    return (row[0], row[1], row[2])


def blocked(conn: sqlite3.Connection, job_id: str) -> bool:
    return standing(conn, job_id)[1] == ddl.PARKED


def counted(conn: sqlite3.Connection) -> dict[str, int]:
    return dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0"))


def recounted(conn: sqlite3.Connection) -> dict[str, int]:
    return dict(conn.execute(f"SELECT {ddl.state_of('jobs')}, COUNT(*) FROM jobs GROUP BY 1"))


# --- dependencies -----------------------------------------------------------------------------


def test_a_child_waits_for_every_parent(raw: sqlite3.Connection) -> None:
    insert(raw, "a")
    insert(raw, "b")
    insert(raw, "child", ["a", "b"])
    assert blocked(raw, "child")
    complete(raw, "a")
    assert blocked(raw, "child")
    complete(raw, "b")
    assert standing(raw, "child") == ("pending", None, None)


def test_a_child_may_come_before_its_parent(raw: sqlite3.Connection) -> None:
    insert(raw, "child", ["late"])
    assert blocked(raw, "child")
    insert(raw, "late")
    assert blocked(raw, "child")
    complete(raw, "late")
    assert not blocked(raw, "child")


@pytest.mark.parametrize("end", ["failed", "timeout", "cancelled"])
def test_a_parent_that_ended_otherwise_releases_nobody(raw: sqlite3.Connection, end: str) -> None:
    insert(raw, "parent")
    insert(raw, "child", ["parent"])
    raw.execute("UPDATE jobs SET status = ? WHERE id = 'parent'", (end,))
    assert blocked(raw, "child")
    raw.execute("DELETE FROM jobs WHERE id = 'parent'")
    assert blocked(raw, "child")


def test_a_completed_parent_that_was_deleted_still_satisfies_later_children(
    raw: sqlite3.Connection,
) -> None:
    insert(raw, "parent")
    complete(raw, "parent")
    raw.execute("DELETE FROM jobs WHERE id = 'parent'")
    insert(raw, "child", ["parent"])
    assert not blocked(raw, "child")


def test_a_blocked_job_gets_its_own_due_time_back(raw: sqlite3.Connection) -> None:
    insert(raw, "parent")
    raw.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, dependencies, status,"
        " created_at, updated_at, retry_after)"
        " VALUES ('child', 'c', 'f', 'm', '[\"parent\"]', 'pending', 't', 't', '2030-01-01')"
    )
    due = datetime(2030, 1, 1).timestamp()
    assert standing(raw, "child") == ("pending", ddl.PARKED, due)
    complete(raw, "parent")
    assert standing(raw, "child") == ("pending", "2030-01-01T00:00:00.000", due)


def test_parking_is_computed_anew_whenever_a_row_becomes_pending(raw: sqlite3.Connection) -> None:
    insert(raw, "parent")
    insert(raw, "child", ["parent"])
    raw.execute("UPDATE jobs SET status = 'cancelled' WHERE id = 'child'")
    complete(raw, "parent")
    # GigQ's requeue keeps the old retry_after, here the mark of a blocked job.
    raw.execute("UPDATE jobs SET status = 'pending', attempts = 0 WHERE id = 'child'")
    assert standing(raw, "child") == ("pending", None, None)


def test_a_retry_that_clears_the_mark_is_parked_again(raw: sqlite3.Connection) -> None:
    insert(raw, "parent")
    insert(raw, "child", ["parent"])
    raw.execute("UPDATE jobs SET status = 'pending', retry_after = NULL WHERE id = 'child'")
    assert blocked(raw, "child")


@pytest.mark.parametrize("text", ["not json", "{}", '{"a": "b"}', "null", "[1, null]", ""])
def test_dependencies_that_are_no_list_of_ids_block_nobody(
    raw: sqlite3.Connection, text: str
) -> None:
    insert(raw, "odd", text)
    assert standing(raw, "odd")[0] == "pending"


def test_a_fan_in_beyond_the_limit_of_variables(queue: JobQueue, raw: sqlite3.Connection) -> None:
    parents = [Job(f"p{i}", WORK) for i in range(5_000)]
    last = Job("last", WORK, dependencies=[p.id for p in parents])
    queue.submit_many([last, *parents])
    assert blocked(raw, last.id)
    raw.execute("UPDATE jobs SET status = 'completed' WHERE id <> ?", (last.id,))
    assert not blocked(raw, last.id)
    assert counted(raw) == {"completed": 5_000, "ready": 1}


# --- one outcome ------------------------------------------------------------------------------


@pytest.fixture
def claimed(raw: sqlite3.Connection) -> sqlite3.Connection:
    """A job that a worker of ours runs, with its execution."""
    insert(raw, "job")
    raw.execute(
        "UPDATE jobs SET status = 'running', execution_id = 'ours', attempts = 1 WHERE id = 'job'"
    )
    raw.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at)"
        " VALUES ('ours', 'job', 'w', 'running', 't')"
    )
    return raw


def test_nobody_else_ends_a_running_job(claimed: sqlite3.Connection) -> None:
    for status in ("completed", "failed", "timeout", "pending", "cancelled"):
        claimed.execute("UPDATE jobs SET status = ?, result = '1' WHERE id = 'job'", (status,))
        assert claimed.execute("SELECT status, result FROM jobs").fetchone() == ("running", None)


def test_nobody_else_closes_the_live_execution(claimed: sqlite3.Connection) -> None:
    claimed.execute("UPDATE job_executions SET status = 'timeout' WHERE job_id = 'job'")
    assert claimed.execute("SELECT status FROM job_executions").fetchone() == ("running",)


def test_the_holder_of_the_token_ends_it(claimed: sqlite3.Connection) -> None:
    done = claimed.execute(
        "UPDATE jobs SET status = 'completed', execution_id = NULL"
        " WHERE id = 'job' AND execution_id = 'ours'"
    )
    assert done.rowcount == 1
    claimed.execute("UPDATE job_executions SET status = 'completed' WHERE id = 'ours'")
    assert claimed.execute("SELECT status FROM job_executions").fetchone() == ("completed",)


@pytest.mark.parametrize("late", ["completed", "failed", "timeout", "pending", "running"])
def test_nothing_leaves_completed(raw: sqlite3.Connection, late: str) -> None:
    insert(raw, "job")
    complete(raw, "job")
    raw.execute("UPDATE jobs SET status = ?, result = 'late', attempts = 0", (late,))
    assert raw.execute("SELECT status, result FROM jobs").fetchone() == ("completed", None)


@pytest.mark.parametrize("end", ["failed", "timeout", "cancelled"])
def test_the_other_ends_leave_only_for_a_fresh_start(raw: sqlite3.Connection, end: str) -> None:
    insert(raw, "job")
    raw.execute("UPDATE jobs SET attempts = 2, status = ?", (end,))
    raw.execute("UPDATE jobs SET status = 'completed', result = 'late'")
    raw.execute("UPDATE jobs SET status = 'pending', error = 'late retry'")
    assert raw.execute("SELECT status, result FROM jobs").fetchone() == (end, None)
    raw.execute("UPDATE jobs SET status = 'pending', attempts = 0")
    assert raw.execute("SELECT status FROM jobs").fetchone() == ("pending",)


def test_an_override_is_the_explicit_way_past(raw: sqlite3.Connection) -> None:
    insert(raw, "job")
    raw.execute("UPDATE jobs SET status = 'cancelled', attempts = 2")
    raw.execute("BEGIN")
    raw.execute("INSERT INTO core_overrides VALUES ('job')")
    raw.execute("UPDATE jobs SET status = 'pending'")
    raw.execute("DELETE FROM core_overrides")
    raw.execute("COMMIT")
    assert raw.execute("SELECT status, attempts FROM jobs").fetchone() == ("pending", 2)


# --- counters ---------------------------------------------------------------------------------


def test_counters_follow_every_change(raw: sqlite3.Connection) -> None:
    insert(raw, "a")
    insert(raw, "b", ["a"])
    insert(raw, "c", ["b"])
    insert(raw, "d")
    raw.execute("UPDATE jobs SET retry_after = '2030-01-01' WHERE id = 'd'")
    assert counted(raw) == {"ready": 1, "blocked": 2, "delayed": 1}
    complete(raw, "a")
    assert (
        counted(raw) == recounted(raw) == {"completed": 1, "ready": 1, "blocked": 1, "delayed": 1}
    )
    raw.execute("DELETE FROM jobs WHERE id IN ('a', 'd')")
    assert counted(raw) == recounted(raw) == {"ready": 1, "blocked": 1}


def test_a_status_that_nobody_knows_is_counted_too(raw: sqlite3.Connection) -> None:
    insert(raw, "a")
    raw.execute("UPDATE jobs SET status = 'bewildered'")
    assert counted(raw) == {"bewildered": 1}
    raw.execute("UPDATE jobs SET status = 'pending'")
    assert counted(raw) == {"ready": 1}


# --- attaching and detaching ------------------------------------------------------------------


@pytest.fixture(params=["gigq-0.1.0.db", "gigq-0.5.1.db"])
def gigq_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(DATA / request.param, tmp_path / request.param))


def test_attaching_counts_missing_parents_as_gigq_does(gigq_file: Path) -> None:
    conn = open_for_work(gigq_file, create=False)
    names = dict(conn.execute("SELECT name, retry_after FROM jobs WHERE status = 'pending'"))
    assert names["needs_nobody"] is None
    assert names["publish_feed"] == names["notify"] == ddl.PARKED
    assert counted(conn) == recounted(conn)
    assert conn.execute("SELECT COUNT(*) FROM core_edges WHERE met = 2").fetchone()[0] == 1
    conn.close()


def dump(path: Path) -> list[tuple[object, ...]]:
    conn = sqlite3.connect(path)
    rows: list[tuple[object, ...]] = []
    for table in ("jobs", "job_executions"):
        columns = [r[1] for r in conn.execute(f"PRAGMA table_info({table})")]
        rows.append(tuple(columns))
        rows += conn.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
    rows += conn.execute("SELECT type, name FROM sqlite_master ORDER BY name").fetchall()
    conn.close()
    return rows


def words_of_schema(file: Path) -> set[tuple[str, str, str]]:
    """All that the file holds, as whoever made it wrote it."""
    conn = sqlite3.connect(file)
    found = conn.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    conn.close()
    return set(found)


def test_detaching_leaves_the_file_as_gigq_made_it(tmp_path: Path) -> None:
    file = Path(shutil.copyfile(DATA / "gigq-0.5.1.db", tmp_path / "jobs.db"))
    before, words = dump(file), words_of_schema(file)
    for _ in range(2):
        open_for_work(file, create=False).close()
        assert dump(file) != before
        detach(file)
        assert dump(file) == before
        # To the letter, so that a comparison of schemas finds nothing either.
        assert words_of_schema(file) == words


def test_attaching_twice_changes_nothing(gigq_file: Path) -> None:
    conn = open_for_work(gigq_file, create=False)
    before = dump(gigq_file)
    attach(conn)
    conn.close()
    open_for_work(gigq_file, create=False).close()
    assert dump(gigq_file) == before


def test_a_file_that_a_newer_release_attached_is_refused(path: Path, queue: JobQueue) -> None:
    queue.close()
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE core_meta SET value = '99' WHERE key = 'schema_version'")
    conn.close()
    with pytest.raises(DatabaseError, match="newer release"):
        JobQueue(path)


def test_every_statement_we_leave_in_the_file_is_in_the_old_dialect() -> None:
    left = [*ddl.CREATE_TABLES, *ddl.INDEXES.values(), *ddl.TRIGGERS.values()]
    for statement in left:
        assert "->" not in statement
        assert "STRICT" not in statement
        assert "RETURNING" not in statement
        assert "IIF(" not in statement.upper()


# --- opening ----------------------------------------------------------------------------------


def test_a_missing_file_is_named_and_not_made(path: Path) -> None:
    for opener in (open_read_only, lambda p: open_for_work(p, create=False)):
        with pytest.raises(DatabaseMissing, match="There is no file"):
            opener(path)
    assert list(path.parent.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="There is no folder"):
        JobQueue(tmp_path / "nowhere" / "jobs.db")


def test_what_is_no_queue_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("to do: sleep\n" * 100)
    other = tmp_path / "other.db"
    conn = sqlite3.connect(other)
    conn.execute("CREATE TABLE recipes (id)")
    conn.commit()
    conn.close()
    before = {file: file.read_bytes() for file in (text, other)}
    for file in (text, other):
        for opener in (open_read_only, lambda p: open_for_work(p, create=True)):
            with pytest.raises(NotAQueue):
                opener(file)
    with pytest.raises(DatabaseError, match="is a directory"):
        open_read_only(tmp_path)
    assert {file: file.read_bytes() for file in (text, other)} == before


def test_an_empty_file_becomes_a_queue_but_is_none_to_look_at(path: Path) -> None:
    path.touch()
    with pytest.raises(NotAQueue):
        open_read_only(path)
    assert JobQueue(path).stats()["total"] == 0


def test_a_locked_file_is_told_in_one_sentence(path: Path, queue: JobQueue) -> None:
    queue.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseBusy, match="locked by another process"):
        open_read_only(path)
    holder.close()


def test_looking_changes_nothing(gigq_file: Path) -> None:
    before = gigq_file.read_bytes()
    conn = open_read_only(gigq_file)
    assert not is_attached(conn)
    conn.execute("SELECT * FROM jobs").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("DELETE FROM jobs")
    conn.close()
    assert gigq_file.read_bytes() == before


def test_text_that_is_not_utf8_can_be_read(path: Path, queue: JobQueue) -> None:
    job_id = queue.submit(Job("n", WORK))
    conn = connect(path, "rw", 5)
    conn.execute("UPDATE jobs SET name = CAST(x'ff41' AS TEXT)")
    conn.close()
    assert queue.get_status(job_id)["name"].endswith("A")
