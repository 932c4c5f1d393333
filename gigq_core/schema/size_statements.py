"""The statements that find out what takes the room of a file."""

from __future__ import annotations

from collections.abc import Iterable

# One row a page, so that it can be interrupted.
PAGES_BY_NAME = "SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name"

INDEXES_AND_TABLES = "SELECT name, tbl_name FROM sqlite_master WHERE type IN ('table', 'index')"

COUNT_RUNNING = "SELECT count(*) FROM jobs WHERE status = 'running'"
COUNT_CLAIMED_BY_GIGQ = f"{COUNT_RUNNING} AND execution_id IS NULL"

_TABLES = ("jobs", "job_executions")

COUNT_OF = {table: f"SELECT count(*) FROM {table}" for table in _TABLES}

ENDS_OF = {
    table: f"SELECT (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})"
    for table in _TABLES
}


def sums_of(table: str, columns: Iterable[str]) -> str:
    """How many bytes each of some columns holds in all rows."""
    return f"SELECT {', '.join(f'sum({_length(c)})' for c in columns)} FROM {table}"


def sizes_from(table: str, columns: Iterable[str]) -> str:
    """How many bytes each of some columns holds in the first row from a place on."""
    lengths = ", ".join(_length(column) for column in columns)
    return f"SELECT {lengths} FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT 1"


def _length(column: str) -> str:
    quoted = '"' + column.replace('"', '""') + '"'
    return (
        f"CASE typeof({quoted}) WHEN 'null' THEN 0 WHEN 'integer' THEN 6 WHEN 'real' THEN 8 "
        f"ELSE length(CAST({quoted} AS BLOB)) END"
    )
