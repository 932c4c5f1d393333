"""Queue files for the tests of the reading half, written row by row."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gigq_core.schema.attach import open_for_work
from gigq_core.schema.ddl import CREATE_EXECUTIONS, CREATE_JOBS, GIGQ_INDEXES, SCHEMA_VERSION, WORDS
from gigq_core.units.times import parse_time, to_text
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.models import JobRow
from gigq_tui.store.reader import Reader

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
DATA = Path(__file__).parent / "data"
GIGQ_FILES = ("gigq-0.1.0.db", "gigq-0.5.1.db")

_INSTANTS = {
    "jobs": {
        "created": "created_at",
        "due": "retry_after",
        "began": "started_at",
        "ended": "completed_at",
    },
    "job_executions": {"began": "started_at", "ended": "completed_at"},
    "core_workers": {"began": "started_at", "ended": "stopped_at", "claimed": "last_claim_at"},
}

both_kinds = pytest.mark.parametrize("attached", [True, False], ids=["attached", "gigq"])


def ago(seconds: float) -> str:
    return to_text(NOW - timedelta(seconds=seconds))


def gigq_copy(folder: Path, name: str) -> Path:
    """A copy of a file that a real release of GigQ wrote."""
    return Path(shutil.copy(DATA / name, folder / "jobs.db"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def instants(table: str, values: Mapping[str, Any]) -> dict[str, float | None]:
    """What a writer of ours stores beside the texts of a row."""
    told = {}
    for instant, text in _INSTANTS.get(table, {}).items():
        if text in values and values[text] not in WORDS:
            moment = parse_time(values[text])
            told[instant] = None if moment is None else moment.timestamp()
    return told


class Writer:
    """Writes to a queue file on a connection of its own, committing at once.

    Args:
        path: the file; it is made if it is not there.
        attached: with our tables, or as GigQ itself makes it.
    """

    def __init__(self, path: Path, attached: bool = True) -> None:
        self.path = path
        self.attached = attached
        if attached:
            self.conn = open_for_work(path, create=True)
        else:
            self.conn = sqlite3.connect(path, isolation_level=None)
            self.conn.execute("PRAGMA journal_mode = WAL")
            for statement in (CREATE_JOBS, CREATE_EXECUTIONS, *GIGQ_INDEXES):
                self.conn.execute(statement)

    def insert(self, table: str, values: dict[str, Any]) -> None:
        values = self.stamped(table, values)
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.conn.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))

    def job(
        self, id: str, status: str = "pending", parents: Iterable[str] = (), **more: Any
    ) -> str:
        values = {
            "id": id,
            "name": id,
            "function_name": "work",
            "function_module": "tasks",
            "params": "{}",
            "dependencies": json.dumps(list(parents)),
            "status": status,
            "created_at": ago(60),
            "updated_at": ago(60),
        }
        if status != "pending":
            values["started_at"] = ago(30)
        if status not in ("pending", "running"):
            values["completed_at"] = ago(20)
        self.insert("jobs", values | more)
        return id

    def many(self, count: int, name: str = "n", status: str = "pending", **more: Any) -> None:
        self.conn.execute("BEGIN")
        for number in range(count):
            self.job(f"{name}{number}", status, **more)
        self.conn.execute("COMMIT")

    def worker(self, id: str, **more: Any) -> None:
        self.insert(
            "core_workers",
            {
                "id": id,
                "owner": "console",
                "host": "here",
                "pid": 100,
                "pid_started": "1",
                "boot_id": "b",
                "pid_namespace": "n",
                "isolation": "process",
                "release": SCHEMA_VERSION,
                "slots": 1,
                "state": "running",
                "started_at": ago(600),
            }
            | more,
        )

    def stamped(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        """The values with the instants of their texts, where the file has such columns."""
        return {**(instants(table, values) if self.attached else {}), **values}

    def set(self, id: str, **values: Any) -> None:
        stamps = instants("jobs", values) if self.attached else {}
        # Again, since a trigger stamps by the machine's clock what looks like GigQ's doing.
        for given in filter(None, ({**stamps, **values}, stamps)):
            pairs = ", ".join(f"{name} = ?" for name in given)
            self.conn.execute(f"UPDATE jobs SET {pairs} WHERE id = ?", (*given.values(), id))

    def close(self) -> None:
        self.conn.close()


@contextmanager
def reading(path: Path, **options: Any) -> Iterator[Reader]:
    reader = Reader(path, options.pop("clock", FrozenClock(NOW)), **options)
    try:
        yield reader
    finally:
        reader.close()


def line(**facts: Any) -> JobRow:
    """A line of the table with plain facts, and those given."""
    plain: dict[str, Any] = {
        "key": 1,
        "id": "0123456789abcdef",
        "name": "job",
        "function": "tasks.work",
        "status": "pending",
        "priority": 0,
        "attempts": 0,
        "max_attempts": 3,
        "timeout_s": 300.0,
        "created_at": NOW - timedelta(seconds=60),
        "started_at": None,
        "completed_at": None,
        "due": None,
        "worker_id": None,
        "error": "",
    }
    return JobRow(**(plain | facts))
