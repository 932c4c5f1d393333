"""A queue after a bad night: 3,000 jobs over 30 hours, of which 412 failed in six ways.

`build` writes it, the same to the last byte at every build; the hour is that of `tests.scene`.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from gigq_core.failures import failure_of
from gigq_core.schema.attach import open_for_work
from gigq_core.units.times import to_text
from tests.scene import NOW
from tests.store_files import instants

JOBS = 3_000
HOURS = 30.0
# The night: two hours, so many before now.
NIGHT_BEGAN_H, NIGHT_H = 10.0, 2.0
CUSTOMERS = (11, 22, 33, 44, 55)
_USUAL = ("feeds.fetch_feed", "images.resize_image")
_NAMESPACE = uuid.UUID("0e9a1c62-6c0d-4f2e-9a0b-6a53a9f6f001")


@dataclass(frozen=True)
class Cause:
    """One way to fail: how many jobs, from where to where of the night, and what they said."""

    jobs: int
    begins: float
    ends: float
    error: str
    function: str
    line: int
    status: str = "failed"

    def said(self, customer: int, at: int) -> str:
        """The error of one job."""
        return self.error.format(customer=customer, at=at, port=6000 + at % 7)


CAUSES = (
    Cause(
        118,
        0.06,
        0.45,
        "ConnectionRefusedError: connect to 10.0.0.{customer}:{port} refused",
        "feeds.fetch_feed",
        17,
    ),
    Cause(
        107,
        0.10,
        0.95,
        "TimeoutError: no answer from shop {customer} within 30 s",
        "feeds.fetch_feed",
        31,
    ),
    Cause(
        69,
        0.50,
        0.84,
        "OSError: [Errno 28] No space left on device: '/srv/cache/{at}.xml'",
        "feeds.store_feed",
        52,
    ),
    Cause(
        47, 0.30, 0.60, "exceeded its timeout of 60 s", "images.resize_image", 0, status="timeout"
    ),
    Cause(38, 0.01, 0.99, "KeyError: {customer}", "feeds.store_feed", 47),
    Cause(33, 0.20, 0.80, "ValueError: bad price in row {at}", "prices.parse_prices", 88),
)
FAILED = sum(cause.jobs for cause in CAUSES)


def fingerprint(cause: Cause) -> str:
    """What failures of a cause are known by."""
    said = cause.said(CUSTOMERS[0], 1)
    return failure_of(said, _traceback(cause, said)).fingerprint


def build(path: Path) -> Path:
    """Write the queue to a new file and return its path."""
    connection = open_for_work(path, create=True)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job, attempt in _rows(Random(412)):
            _insert(connection, "jobs", job)
            if attempt is not None:
                _insert(connection, "job_executions", attempt)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return path


def _insert(connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    values = {**instants(table, values), **values}
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def _traceback(cause: Cause, error: str) -> str | None:
    if cause.status == "timeout":
        return None
    module, _, name = cause.function.rpartition(".")
    return (
        "Traceback (most recent call last):\n"
        f'  File "/srv/shop/{module}.py", line {cause.line}, in {name}\n'
        f"    run(customer)\n{error}\n"
    )


def _rows(random: Random) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Rows of jobs with the row of their attempt, in the order of submission."""
    moments: list[tuple[float, Cause | None]] = [
        (NIGHT_BEGAN_H - NIGHT_H * random.uniform(cause.begins, cause.ends), cause)
        for cause in CAUSES
        for _ in range(cause.jobs)
    ]
    moments += [(random.uniform(0.02, HOURS), None) for _ in range(JOBS - FAILED)]
    moments.sort(key=lambda moment: -moment[0])
    for at, (hours, cause) in enumerate(moments):
        ended = NOW - timedelta(hours=hours)
        # The last ones wait yet.
        yield _row(at, ended, cause, waits=cause is None and at > JOBS - 90)


def _row(
    at: int, ended: datetime, cause: Cause | None, *, waits: bool
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    customer = CUSTOMERS[at % len(CUSTOMERS)]
    usual = _USUAL[waits or at % 2]
    function = usual if cause is None else cause.function
    module, _, name = function.rpartition(".")
    status = cause.status if cause is not None else "completed"
    error = None if cause is None else cause.said(customer, at)
    began = ended - timedelta(seconds=2 + at % 9)
    id = str(uuid.uuid5(_NAMESPACE, f"job/{at}"))
    job: dict[str, Any] = {
        "id": id,
        "name": f"{name} {at:04}",
        "function_module": module,
        "function_name": name,
        "params": json.dumps({"customer": customer, "feed": f"feed-{at}.xml"}),
        "priority": at % 3,
        "dependencies": "[]",
        "max_attempts": 1,
        "timeout": 60,
        "created_at": to_text(began - timedelta(seconds=30)),
        "updated_at": to_text(ended),
    }
    if waits:
        return {**job, "status": "pending", "attempts": 0}, None
    job |= {
        "status": status,
        "attempts": 1,
        "error": error,
        "result": None if error else "{}",
        "started_at": to_text(began),
        "completed_at": to_text(ended),
    }
    attempt: dict[str, Any] = {
        "id": str(uuid.uuid5(_NAMESPACE, f"attempt/{at}")),
        "job_id": id,
        "worker_id": f"w{at % 3 + 1}",
        "status": status,
        "started_at": to_text(began),
        "completed_at": to_text(ended),
        "error": error,
        "result": None if error else "{}",
    }
    if cause is not None and error is not None:
        traceback = _traceback(cause, error)
        failure = failure_of(error, traceback)
        attempt |= {
            "traceback": traceback,
            "error_type": failure.type,
            "error_message": failure.message,
            "fingerprint": failure.fingerprint,
        }
    return job, attempt
