"""What a measure asks of a queue."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import Process, Trouble

SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


@dataclass(frozen=True)
class Spec:
    """A job to be: `parents` are positions in the same list."""

    function: str = "stamp"
    params: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    parents: tuple[int, ...] = ()
    max_attempts: int = 3
    timeout: float = 300


class Peer(ABC):
    """A queue: how to fill it, run it, and read what it did."""

    name: str
    # Where each finished job leaves a row with a rising rowid, and what `stamp` returned.
    results: str

    @abstractmethod
    def create(self, path: Path) -> None:
        """Make an empty queue."""

    @abstractmethod
    def synchronous(self, path: Path) -> str:
        """The durability that it writes with: FULL, NORMAL, OFF."""

    @abstractmethod
    def fill(self, path: Path, specs: list[Spec]) -> None:
        """Put jobs in, all at once, by the quickest way there is: this is not measured."""

    @abstractmethod
    def load(self, path: Path, original: Path, pending: int, completed: int) -> float:
        """Make a queue like `original`, a large file in GigQ's form that nobody has open.

        Args:
            pending, completed: what stands in it, for a peer of another form.

        Returns:
            The seconds it took to make the copy fit for use.
        """

    @abstractmethod
    def submit(self, path: Path, function: str = "stamp") -> None:
        """Put one job in, as its users do."""

    @abstractmethod
    def submit_workflow(self, path: Path, specs: list[Spec]) -> None:
        """Put jobs that depend on each other in, as its users do."""

    @abstractmethod
    def close(self, path: Path) -> None:
        """Close this process's connection to the file."""

    @abstractmethod
    def worker_argv(self, path: Path, slots: int, options: list[str]) -> list[str]:
        """The command line of a worker process."""

    def worker_env(self, path: Path) -> dict[str, str]:
        """What its environment needs besides."""
        return {}

    def worker(
        self, path: Path, slots: int, options: list[str] | None = None, name: str = "worker"
    ) -> Process:
        """Start a worker process."""
        argv = self.worker_argv(path, slots, options or [])
        return Process([sys.executable, *argv], path.parent / f"{name}.out", self.worker_env(path))

    def mark(self, conn: sqlite3.Connection) -> int:
        """A place in the results: what comes later has a larger rowid."""
        table = self.results
        return int(conn.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])

    @abstractmethod
    def count(self, conn: sqlite3.Connection, mark: int) -> int:
        """How many jobs have left a stamp since."""

    @abstractmethod
    def stamps(self, conn: sqlite3.Connection, mark: int) -> list[int]:
        """The stamps since, in nanoseconds, sorted."""

    def claims(self, conn: sqlite3.Connection, mark: int) -> tuple[dict[str, int], int]:
        """How many jobs each worker ran since, and how many ran twice."""
        return {}, 0


class GigqTables(Peer):
    """What GigQ and ours share: the tables `jobs` and `job_executions`."""

    results = "job_executions"

    def load(self, path: Path, original: Path, pending: int, completed: int) -> float:
        if original.with_name(original.name + "-wal").exists():
            raise Trouble(f"{original.name} is still open")
        shutil.copyfile(original, path)
        return 0.0

    def count(self, conn: sqlite3.Connection, mark: int) -> int:
        statement = "SELECT count(*) FROM job_executions WHERE rowid > ? AND result IS NOT NULL"
        return int(conn.execute(statement, (mark,)).fetchone()[0])

    def stamps(self, conn: sqlite3.Connection, mark: int) -> list[int]:
        statement = "SELECT result FROM job_executions WHERE rowid > ? AND result IS NOT NULL"
        return sorted(json.loads(row[0]) for row in conn.execute(statement, (mark,)).fetchall())

    def claims(self, conn: sqlite3.Connection, mark: int) -> tuple[dict[str, int], int]:
        by_worker = conn.execute(
            "SELECT worker_id, count(*) FROM job_executions "
            "WHERE rowid > ? AND result IS NOT NULL GROUP BY worker_id",
            (mark,),
        ).fetchall()
        twice = conn.execute(
            "SELECT count(*) - count(DISTINCT job_id) FROM job_executions WHERE rowid > ?", (mark,)
        ).fetchone()[0]
        return dict(by_worker), int(twice)
