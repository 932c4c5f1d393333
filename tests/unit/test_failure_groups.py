"""Failures by their kind: of a file of any release, read or not, without a change to it."""

from __future__ import annotations

import random
import sqlite3
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gigq_core import JobQueue
from gigq_core.failures import failure_of
from gigq_core.grouping.failure_groups import JOBS_NAMED, FailureGroup, Order, failure_groups
from gigq_core.schema.opening import open_read_only
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.upkeep import Upkeep
from tests.store_files import digest, gigq_copy

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/feeds.py", line {}, in fetch
    return rows[key]
{}"""
INSERT = """
INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, ended, error,
                            traceback, error_type, error_message, fingerprint)
VALUES (?, ?, 'w', ?, '2026-01-01T00:00:00', 0.0, ?, ?, ?, ?, ?, ?)"""


def attempt(number: int, random: random.Random, is_read: bool) -> tuple[Any, ...]:
    """One as a worker of ours left it, or as others did."""
    status = random.choice(["failed", "failed", "crashed", "timeout", "completed", "cancelled"])
    error, traceback = {
        "failed": lambda: _raised(random),
        "crashed": lambda: (f"worker w{random.randrange(9)} (pid 1) died", None),
        "timeout": lambda: (f"Job timed out after {random.randrange(99)} seconds", None),
        "completed": lambda: (None, None),
        "cancelled": lambda: ("it was stopped on request", None),
    }[status]()
    told: tuple[str | None, ...] = (None, None, None)
    if is_read and status not in ("completed", "cancelled"):
        found = failure_of(error, traceback)
        told = (found.type, found.message, found.fingerprint)
    ended = None if random.random() < 0.02 else random.uniform(0, 100)
    return (str(number), f"j{random.randrange(40)}", status, ended, error, traceback, *told)


def _raised(random: random.Random) -> tuple[str, str]:
    kind = random.choice(["KeyError", "ValueError", "app.Refused"])
    error = f"{kind}: {random.choice(['no row', 'no column'])} {random.randrange(99)}"
    return error, TRACEBACK.format(random.randrange(99), error)


def filled(db: Path, rows: list[tuple[Any, ...]]) -> None:
    JobQueue(db).close()
    conn = sqlite3.connect(db)
    with conn:
        conn.executemany(INSERT, rows)
    conn.close()


def expected(rows: list[tuple[Any, ...]], since: float | None) -> dict[str, tuple[Any, ...]]:
    """Jobs, attempts, first and last of each kind, by its fingerprint."""
    found: dict[str, list[tuple[str, float | None]]] = defaultdict(list)
    for _, job, status, ended, error, traceback, *_ in rows:
        if status in ("failed", "crashed", "timeout") and (
            since is None or (ended is not None and ended >= since)
        ):
            found[failure_of(error, traceback).fingerprint].append((job, ended))
    return {
        kind: (
            len({job for job, _ in some}),
            len(some),
            min((ended for _, ended in some if ended is not None), default=None),
            max((ended for _, ended in some if ended is not None), default=None),
        )
        for kind, some in found.items()
    }


def groups(
    db: Path, since: float | None = None, limit: int = 1000, order: Order = "last"
) -> list[FailureGroup]:
    conn = open_read_only(db)
    try:
        return failure_groups(conn, since=since, limit=limit, order=order).groups
    finally:
        conn.close()


@pytest.mark.parametrize("share_read", [0.0, 0.5, 1.0], ids=["unread", "mixed", "read"])
@pytest.mark.parametrize("since", [None, 60.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_groups_are_those_of_a_plain_count(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share_read: float,
    since: float | None,
    seed: int,
) -> None:
    monkeypatch.setattr("gigq_core.grouping.failure_groups.STEP", 7)
    dice = random.Random(seed)
    rows = [attempt(n, dice, dice.random() < share_read) for n in range(300)]
    filled(tmp_path / "q.db", rows)
    found = groups(tmp_path / "q.db", since)
    counted = {g.fingerprint: (g.jobs, g.attempts, g.first, g.last) for g in found}
    assert counted == expected(rows, since)
    by_last = sorted(found, key=lambda g: (g.last, g.attempts), reverse=True)
    assert found == by_last
    by_count = groups(tmp_path / "q.db", since, order="count")
    assert [g.attempts for g in by_count] == sorted((g.attempts for g in found), reverse=True)
    assert groups(tmp_path / "q.db", since, limit=2) == found[:2]
    for group in found:
        of_kind = [
            row
            for row in rows
            if row[2] in ("failed", "crashed", "timeout")
            and failure_of(row[4], row[5]).fingerprint == group.fingerprint
            and (since is None or (row[3] is not None and row[3] >= since))
        ]
        latest = {row[1]: row[3] or -1.0 for row in sorted(of_kind, key=lambda row: row[3] or -1.0)}
        newest = sorted(latest, key=lambda job: latest[job], reverse=True)[:JOBS_NAMED]
        assert [latest[job] for job in group.job_ids] == [latest[job] for job in newest]
        last = failure_of(of_kind[-1][4], of_kind[-1][5])
        assert (group.title, group.type, group.where) == (last.title, last.type, last.where)


@pytest.mark.parametrize("release", ["0.1.0", "0.3.0", "0.5.1"])
def test_a_file_of_gigqs_is_read_as_it_stands(tmp_path: Path, release: str) -> None:
    path = gigq_copy(tmp_path, f"gigq-{release}.db")
    before = digest(path)
    (group,) = groups(path)
    assert (group.title, group.type, group.where) == ("HTTP # from #", None, None)
    assert (group.jobs, group.attempts) == (2, 3)
    assert group.first is not None
    assert digest(path) == before
    JobQueue(path).close()
    assert groups(path) == [group]
    ledger = Ledger(path, runs_script=False)
    Upkeep(ledger, "w").run_if_due(1e9)
    ledger.close()
    # One ran for years.
    timed_out, same = groups(path)
    assert (timed_out.title, same) == ("Job timed out after # seconds", group)


def without_fingerprints(conn: sqlite3.Connection) -> None:
    conn.execute("DROP INDEX core_failures")
    for column in ("error_type", "error_message", "fingerprint"):
        conn.execute(f"ALTER TABLE job_executions DROP COLUMN {column}")


def without_index(conn: sqlite3.Connection) -> None:
    conn.execute("DROP INDEX core_failures")


def without_instants(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE job_executions SET ended = NULL")


@pytest.mark.parametrize("change", [without_fingerprints, without_index, without_instants])
def test_whatever_the_file_lacks_the_kinds_are_the_same(
    tmp_path: Path, change: Callable[[sqlite3.Connection], None]
) -> None:
    db = tmp_path / "q.db"
    dice = random.Random(9)
    filled(db, [attempt(n, dice, n % 2 == 0) for n in range(200)])
    usual = {(g.fingerprint, g.title, g.where, g.jobs, g.attempts) for g in groups(db)}
    conn = sqlite3.connect(db)
    with conn:
        change(conn)
    conn.close()
    assert {(g.fingerprint, g.title, g.where, g.jobs, g.attempts) for g in groups(db)} == usual


def test_many_attempts_take_little_memory(tmp_path: Path) -> None:
    db = tmp_path / "q.db"
    fingerprint = failure_of("ValueError: x").fingerprint
    filled(db, [])
    conn = sqlite3.connect(db)
    with conn:
        conn.executemany(
            INSERT,
            (
                (str(n), f"job {n}", "failed", float(n), "ValueError: x", None)
                + (("ValueError", "x", fingerprint) if n % 4 else (None, None, None))
                for n in range(40_000)
            ),
        )
    conn.close()
    tracemalloc.start()
    try:
        (group,) = groups(db)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (group.jobs, group.attempts, group.last) == (40_000, 40_000, 39_999.0)
    assert group.job_ids == tuple(f"job {n}" for n in range(39_999, 39_994, -1))
    # Some of all the ids would be more.
    assert peak < 3_000_000


def test_more_kinds_than_are_kept_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gigq_core.grouping.failure_groups.STEP", 3)
    db = tmp_path / "q.db"
    filled(
        db,
        [
            (str(n), "j", "failed", float(n), f"kind {'x' * n}", None, None, None, f"{n % 97:016x}")
            for n in range(500)
        ],
    )
    conn = open_read_only(db)
    found = failure_groups(conn, limit=10)
    conn.close()
    assert found.total == 97
    assert [group.last for group in found.groups] == [float(n) for n in range(499, 489, -1)]


def test_damaged_rows_are_counted_or_left_out_and_nothing_hangs(tmp_path: Path) -> None:
    db = tmp_path / "q.db"
    filled(db, [])
    conn = sqlite3.connect(db)
    odd = (b"\xff\xfe", b"x\0y", 17, 2.5, "", "'")
    with conn:
        for number, value in enumerate(odd):
            for place in range(4):
                row: list[Any] = [f"{number}-{place}", "j", "failed", 1.0, "e", "t", "T", "m", "ab"]
                row[(1, 3, 4, 8)[place]] = value
                conn.execute(INSERT, row)
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, error) "
            "VALUES ('x', CAST(x'fffe' AS TEXT), 'w', 'failed', 't', CAST(x'fffe27' AS TEXT))"
        )
    conn.close()
    assert groups(db)


def test_reading_what_is_read_sorts_nothing(tmp_path: Path) -> None:
    from gigq_core.schema import failure_statements as sql

    filled(tmp_path / "q.db", [])
    conn = sqlite3.connect(tmp_path / "q.db")
    values = {"kind": "a", "since": None, "job": "j", "most": 1}
    for statement in (sql.FAILURES_OF_KIND, sql.HAS_FAILED_SO, sql.unread_failures(True)):
        plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", values))
        assert "TEMP B-TREE" not in plan
        assert "SEARCH job_executions USING" in plan
        assert "INDEX core_failures (fingerprint=?" in plan
    conn.close()
