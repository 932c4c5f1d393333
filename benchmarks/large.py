"""Large files: built once in GigQ's own form, by SQL, and attached for ours."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks import raw

INSERT = """
INSERT INTO jobs (id, name, function_name, function_module, params, priority, dependencies,
                  max_attempts, timeout, description, status, created_at, updated_at, attempts,
                  retry_delay, retry_after, started_at, completed_at)
VALUES (?, 'job', 'stamp', 'benchmarks.jobs', '{}', 0, ?, 3, 300, '', ?, ?, ?, ?, 0, ?, ?, ?)"""
INSERT_EXECUTIONS = """
INSERT INTO job_executions (id, job_id, worker_id, status, started_at, completed_at)
SELECT lower(hex(randomblob(16))), id, 'old', 'completed', started_at, completed_at
FROM jobs WHERE status = 'completed'"""

CACHE_KIB = 512 * 1024
GIGQ_INDEXES = (
    "CREATE INDEX IF NOT EXISTS idx_jobs_status ON jobs (status)",
    "CREATE INDEX IF NOT EXISTS idx_jobs_priority ON jobs (priority)",
)


def build(
    path: Path, *, pending: int = 0, blocked: int = 0, dependents: int = 0, completed: int = 0
) -> None:
    """A queue file in GigQ's form.

    Args:
        path: the new file.
        pending: jobs that are ready.
        blocked: jobs that wait for a parent which is not due for centuries.
        dependents: jobs whose one parent has completed: ready, but with a dependency.
        completed: jobs that are done, each with its execution.
    """
    conn = raw.connect(path)
    try:
        conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        for statement in raw.SCHEMA[:2]:
            conn.execute(statement)
        conn.execute("BEGIN")
        now = datetime.now().isoformat()
        conn.executemany(INSERT, _rows(now, pending, blocked, dependents, completed))
        conn.execute(INSERT_EXECUTIONS)
        for statement in GIGQ_INDEXES:
            conn.execute(statement)
        conn.execute("COMMIT")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        conn.close()


def _rows(
    now: str, pending: int, blocked: int, dependents: int, completed: int
) -> Iterator[tuple[object, ...]]:
    for _ in range(pending):
        yield _id(), "[]", "pending", now, now, 0, None, None, None
    for _ in range(completed):
        yield _id(), "[]", "completed", now, now, 1, None, now, now
    if blocked:
        parent = _id()
        yield parent, "[]", "pending", now, now, 0, "2999-01-01T00:00:00", None, None
        for _ in range(blocked):
            yield _id(), f'["{parent}"]', "pending", now, now, 0, None, None, None
    if dependents:
        parent = _id()
        yield parent, "[]", "completed", now, now, 1, None, now, now
        for _ in range(dependents):
            yield _id(), f'["{parent}"]', "pending", now, now, 0, None, None, None


def _id() -> str:
    return str(uuid.uuid4())


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only looks."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None)
