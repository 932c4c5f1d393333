"""What a queue file is made of: its tables, columns and indexes, whichever release wrote it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gigq_core.schema.opening import stand_in

_OUR_TABLES = frozenset({"core_meta", "core_counts", "core_edges", "core_workers"})
_OUR_JOB_COLUMNS = frozenset({"retry_after", "execution_id", "stop_requested_at"})
_CLAIM_INDEXES = frozenset({"core_open", "core_open_script", "core_due_utc", "core_blocked"})

_OBJECTS = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'index')"


@dataclass(frozen=True)
class FileSchema:
    """The parts of a file that the queries depend on. `version` is SQLite's schema cookie."""

    version: int
    tables: frozenset[str]
    indexes: frozenset[str]
    job_columns: tuple[str, ...]
    execution_columns: tuple[str, ...]
    worker_columns: tuple[str, ...]

    @property
    def attached(self) -> bool:
        """Whether all of our additions that are read here are in the file."""
        return self.tables >= _OUR_TABLES and set(self.job_columns) >= _OUR_JOB_COLUMNS

    @property
    def has_claim_order(self) -> bool:
        """Whether indexes hold the order of claims; the release before had others."""
        return self.attached and self.indexes >= _CLAIM_INDEXES

    @property
    def has_policies(self) -> bool:
        """Whether a job may say what becomes of it when a parent fails."""
        return self.attached and "on_parent_failure" in self.job_columns

    def indexed_by(self, name: str) -> str:
        """The clause that holds the planner to an index, or nothing where there is none."""
        return f"INDEXED BY {name}" if name in self.indexes else ""


def schema_version(conn: sqlite3.Connection) -> int:
    """SQLite's schema cookie: it moves whenever anything is created, altered or dropped."""
    return int(conn.execute("PRAGMA schema_version").fetchone()[0])


def read_schema(conn: sqlite3.Connection, version: int) -> FileSchema:
    """Look at the schema of an open file; see `stand_in` for one without a table of attempts."""
    stand_in(conn)
    objects = conn.execute(_OBJECTS).fetchall()
    return FileSchema(
        version=version,
        tables=frozenset(row["name"] for row in objects if row["type"] == "table"),
        indexes=frozenset(row["name"] for row in objects if row["type"] == "index"),
        job_columns=_columns(conn, "jobs"),
        execution_columns=_columns(conn, "job_executions"),
        worker_columns=_columns(conn, "core_workers"),
    )


def _columns(conn: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row["name"] for row in conn.execute(f"PRAGMA table_info({table})"))
