"""What the disk and SQLite allow, with the statements and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from datetime import datetime
from pathlib import Path
from statistics import median

SCHEMA = (
    """CREATE TABLE jobs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, function_name TEXT NOT NULL,
    function_module TEXT NOT NULL, params TEXT, priority INTEGER DEFAULT 0, dependencies TEXT,
    max_attempts INTEGER DEFAULT 3, timeout INTEGER DEFAULT 300, description TEXT,
    status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    attempts INTEGER DEFAULT 0, result TEXT, error TEXT, started_at TEXT, completed_at TEXT,
    worker_id TEXT, pass_parent_results INTEGER, retry_delay INTEGER DEFAULT 0,
    retry_after TEXT)""",
    """CREATE TABLE job_executions (
    id TEXT PRIMARY KEY, job_id TEXT NOT NULL, worker_id TEXT NOT NULL, status TEXT NOT NULL,
    started_at TEXT NOT NULL, completed_at TEXT, result TEXT, error TEXT)""",
    "CREATE INDEX by_status ON jobs (status)",
    "CREATE INDEX by_priority ON jobs (priority)",
    """CREATE INDEX ready ON jobs (priority DESC)
    WHERE status = 'pending' AND retry_after IS NULL""",
)

INSERT = """
INSERT INTO jobs (id, name, function_name, function_module, params, priority, dependencies,
                  max_attempts, timeout, description, status, created_at, updated_at, attempts,
                  retry_delay)
VALUES (?, 'job', 'stamp', 'benchmarks.jobs', '{}', 0, '[]', 3, 300, '', 'pending', ?, ?, 0, 0)"""

CLAIM = """
UPDATE jobs SET status = 'running', worker_id = 'raw', started_at = :now, updated_at = :now,
                attempts = attempts + 1
WHERE rowid IN (SELECT rowid FROM jobs INDEXED BY ready
                WHERE status = 'pending' AND retry_after IS NULL
                ORDER BY priority DESC, rowid LIMIT :n)
RETURNING id"""

BEGIN_EXECUTION = "INSERT INTO job_executions VALUES (?, ?, 'raw', 'running', ?, NULL, NULL, NULL)"

END_JOB = """
UPDATE jobs SET status = 'completed', updated_at = ?, completed_at = ?, result = '1',
                worker_id = NULL
WHERE id = ?"""

END_EXECUTION = """
UPDATE job_executions SET status = 'completed', completed_at = ?, result = '1' WHERE id = ?"""


def connect(path: Path) -> sqlite3.Connection:
    """WAL, synchronous=FULL, and no transaction but ours."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    return conn


def fill(conn: sqlite3.Connection, n: int) -> None:
    """The schema, and n pending rows."""
    for statement in SCHEMA:
        conn.execute(statement)
    conn.execute("BEGIN")
    conn.executemany(INSERT, (_row() for _ in range(n)))
    conn.execute("COMMIT")


def drain_rate(path: Path, n: int, per_commit: int) -> float:
    """Jobs a second: each commit ends the last `per_commit` jobs and claims the next."""
    conn = connect(path)
    try:
        fill(conn, n)
        running: list[tuple[str, str]] = []
        started = time.perf_counter()
        while True:
            now = datetime.now().isoformat()
            conn.execute("BEGIN IMMEDIATE")
            for job, execution in running:
                conn.execute(END_JOB, (now, now, job))
                conn.execute(END_EXECUTION, (now, execution))
            claimed = conn.execute(CLAIM, {"now": now, "n": per_commit}).fetchall()
            running = [(row[0], str(uuid.uuid4())) for row in claimed]
            for job, execution in running:
                conn.execute(BEGIN_EXECUTION, (execution, job, now))
            conn.execute("COMMIT")
            if not running:
                return n / (time.perf_counter() - started)
    finally:
        conn.close()


def submit_rate(path: Path, n: int, per_commit: int) -> float:
    """Rows a second, into the same table with its indexes."""
    conn = connect(path)
    try:
        fill(conn, 0)
        started = time.perf_counter()
        for _ in range(n // per_commit):
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany(INSERT, [_row() for _ in range(per_commit)])
            conn.execute("COMMIT")
        return n / (time.perf_counter() - started)
    finally:
        conn.close()


def fsync_seconds(path: Path, n: int = 50) -> float:
    """The median time of an fsync after appending a page."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(n):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return median(took)


def _row() -> tuple[str, str, str]:
    now = datetime.now().isoformat()
    return str(uuid.uuid4()), now, now
