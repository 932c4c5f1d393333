"""One queue in the middle of its day, the same to the last byte of every row at every build.

The pictures of `screenshots/` and the snapshot tests draw it. The hour stands still at `NOW`, and
whether a worker lives is answered by `liveness`, not by this machine: so the same screens come
out everywhere.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from gigq_core.schema.attach import open_for_work
from gigq_core.schema.ddl import SCHEMA_VERSION
from gigq_core.system.paths import logs_folder
from gigq_core.units.times import to_text
from tests.scene_rows import LOST_PID, MISSING_PARENT, WORKERS, Job, Try, images, odd_ones, workflow
from tests.store_files import instants

NOW = datetime(2026, 11, 23, 12, 4, 31, tzinfo=timezone.utc)
HOST = "etl-3"
FILE_NAME = "jobs.db"

_NAMESPACE = uuid.UUID("6a1f0c4e-5d1b-4b6a-9a55-2f6f5c0de042")


def job_id(name: str) -> str:
    """The id of the scene's job of that name (names are unique in the scene)."""
    return str(uuid.uuid5(_NAMESPACE, f"job/{name}"))


def attempt_id(name: str, number: int) -> str:
    """The id of the `number`-th attempt (from 1) of the job of that name."""
    return str(uuid.uuid5(_NAMESPACE, f"attempt/{name}/{number}"))


def liveness(identity: Any) -> bool | None:
    """Stands in for `gigq_core.system.identity.is_dead`: only the worker w9 is gone."""
    if identity.host != HOST:
        return None
    return bool(identity.pid == LOST_PID)


def ago(seconds: float) -> str:
    """The stored text of the moment that many seconds before `NOW` (after it when negative)."""
    return to_text(NOW - timedelta(seconds=seconds))


def build(path: Path) -> Path:
    """Write the scene to a new file and return its path.

    Args:
        path: Where to make it; its folder must exist. Call it `jobs.db` where the name is drawn.
    """
    connection = open_for_work(path, create=True)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "UPDATE core_meta SET value = ? WHERE key = 'attached_at'", (ago(86400),)
        )
        for worker in WORKERS:
            _insert_worker(connection, path, worker)
        for job in [*workflow(), *images(), *odd_ones()]:
            _insert_job(connection, path, job)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return path


def _insert(connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    values = {**instants(table, values), **values}
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def _insert_worker(connection: sqlite3.Connection, path: Path, worker: dict[str, Any]) -> None:
    log = logs_folder(path) / f"{worker['id']}.log"
    stopped = worker.get("stopped")
    _insert(
        connection,
        "core_workers",
        {
            "id": worker["id"],
            "owner": worker.get("owner", "console"),
            "host": HOST,
            "pid": worker["pid"],
            "pid_started": f"start-{worker['pid']}",
            "boot_id": "scene-boot",
            "pid_namespace": "scene-namespace",
            "isolation": "process",
            "release": SCHEMA_VERSION,
            "slots": worker.get("slots", 1),
            "log_path": str(log),
            "state": worker.get("state", "running"),
            "request": worker.get("request"),
            "started_at": ago(worker["up"]),
            "stopped_at": None if stopped is None else ago(stopped),
            "beat": 1,
            "done": worker["done"],
            "failed": worker["failed"],
            "last_claim_at": ago(worker["claim"]),
        },
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("\n".join(_log_of(worker["id"], worker["up"])) + "\n", encoding="utf-8")


def _log_of(worker: str, up: float) -> list[str]:
    """What a worker says of its life, the oldest first."""
    said = [(up, f"INFO - Worker {worker} is running")]
    for job in (*workflow(), *images(), *odd_ones()):
        for attempt in job.tries:
            if attempt.worker != worker or attempt.ended is None:
                continue
            about = f"Job {job_id(job.name)} ({job.name})"
            if attempt.status == "completed":
                said.append((attempt.ended, f"INFO - {about} completed"))
            else:
                word = f"{attempt.status}: {attempt.error}"
                said.append((attempt.ended, f"WARNING - {about} ended: {word}"))
    said.sort(key=lambda line: -line[0])
    return [
        f"{NOW - timedelta(seconds=when):%Y-%m-%d %H:%M:%S},000 - gigq_core.worker - {text}"
        for when, text in said
    ]


def _insert_job(connection: sqlite3.Connection, path: Path, job: Job) -> None:
    module, _, function = job.function.rpartition(".")
    running = job.status == "running"
    last = job.tries[-1] if job.tries else None
    started = None if last is None else ago(last.started)
    ended = None if last is None or last.ended is None else ago(last.ended)
    final = job.status in ("completed", "failed", "timeout", "cancelled")
    _insert(
        connection,
        "jobs",
        {
            "id": job_id(job.name),
            "name": job.name,
            "function_name": function,
            "function_module": module,
            "params": json.dumps(job.params or {}),
            "priority": job.priority,
            "dependencies": json.dumps(
                [n if n == MISSING_PARENT else job_id(n) for n in job.after]
            ),
            "max_attempts": job.max_attempts,
            "timeout": job.timeout,
            "description": job.description,
            "status": job.status,
            "created_at": ago(job.created),
            "updated_at": ended or started or ago(job.created),
            "attempts": len(job.tries),
            "result": None if job.result is None else json.dumps(job.result),
            "error": last.error if last and last.error else None,
            "started_at": started if running or final else None,
            "completed_at": (ended or ago(job.created - 60)) if final else None,
            "worker_id": last.worker if running and last else None,
            "retry_delay": job.retry_delay,
            "retry_after": None if job.due is None else ago(-job.due),
            "execution_id": (
                attempt_id(job.name, len(job.tries)) if running and not job.foreign else None
            ),
            "stop_requested_at": None if job.stop_requested is None else ago(job.stop_requested),
        },
    )
    for number, attempt in enumerate(job.tries, start=1):
        _insert_attempt(connection, path, job, number, attempt)


def _insert_attempt(
    connection: sqlite3.Connection, path: Path, job: Job, number: int, attempt: Try
) -> None:
    identity = attempt_id(job.name, number)
    output = f"attempts/{identity}.log" if attempt.output else None
    if output:
        file = logs_folder(path) / output
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(attempt.output, encoding="utf-8")
    completed = attempt.status == "completed" and job.result is not None
    _insert(
        connection,
        "job_executions",
        {
            "id": identity,
            "job_id": job_id(job.name),
            "worker_id": attempt.worker,
            "status": attempt.status,
            "started_at": ago(attempt.started),
            "completed_at": None if attempt.ended is None else ago(attempt.ended),
            "result": json.dumps(job.result) if completed else None,
            "error": attempt.error or None,
            "traceback": attempt.traceback or None,
            "output": output,
            "pid": 5000 + number if not job.foreign else None,
        },
    )
