"""The statements of an export: which jobs are chosen, and what hangs on them.

All of them are asked of a copy of the file, which nobody else has open; see `copy_of`.
"""

from __future__ import annotations

from collections.abc import Collection

# Nothing of the copy is to outlive this process.
AS_FAST_AS_CAN_BE = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"

CREATE_CHOSEN = "CREATE TEMP TABLE chosen (place INTEGER PRIMARY KEY)"


def choose(condition: str) -> str:
    """Choose the jobs of which a condition is true."""
    return f"INSERT INTO chosen SELECT rowid FROM jobs WHERE {condition}"


_JOBS = "FROM chosen c CROSS JOIN jobs j ON j.rowid = c.place"

COUNTS = f"SELECT j.status, count(*) {_JOBS} GROUP BY j.status ORDER BY j.status"

ALL_JOBS = f"SELECT c.place AS place, j.* {_JOBS} ORDER BY c.place"

# A file of GigQ's own has no index for them, and SQLite makes one for this.
ALL_ATTEMPTS = f"""
SELECT c.place AS place, x.* {_JOBS} CROSS JOIN job_executions x ON x.job_id = j.id
ORDER BY c.place, x.rowid"""

# What stands beside a job, one row for each at most: the table, its key, the columns with the names
# that they get.
_BESIDE = (
    (
        "core_progress",
        "job_id",
        (
            ("done", "progress_done"),
            ("total", "progress_total"),
            ("note", "progress_note"),
            ("at", "progress_at"),
        ),
    ),
    ("core_saves", "job_id", (("saved", "saved"),)),
    ("core_cascaded", "child_id", (("culprit_id", "culprit_id"),)),
)


def beside(tables: Collection[str]) -> str:
    """What stands beside the jobs, for those that have any of it."""
    there = [one for one in _BESIDE if one[0] in tables]
    columns = [f"{table}.{column} AS {name}" for table, _, all_ in there for column, name in all_]
    joins = [f"LEFT JOIN {table} ON {table}.{key} = j.id" for table, key, _ in there]
    has_any = " OR ".join(f"{table}.{key} IS NOT NULL" for table, key, _ in there)
    return (
        f"SELECT {', '.join(['c.place AS place', *columns])} {_JOBS} {' '.join(joins)} "
        f"WHERE {has_any or 'false'} ORDER BY c.place"
    )


_EDGES = f"""
SELECT c.place AS place, e.parent_id AS id, p.status AS status, e.met AS met,
       t.completed AS completed
{_JOBS} CROSS JOIN core_edges e ON e.child_id = j.id
     LEFT JOIN jobs p ON p.id = e.parent_id
     LEFT JOIN core_tombstones t ON t.job_id = e.parent_id
ORDER BY c.place, e.parent_id"""

# GigQ counts a parent that is not there as completed.
_EDGES_IN_ROWS = f"""
SELECT c.place AS place, d.value AS id, p.status AS status,
       p.id IS NULL OR p.status = 'completed' AS met, NULL AS completed
{_JOBS} CROSS JOIN json_each(
         CASE WHEN typeof(j.dependencies) = 'text' AND json_valid(j.dependencies)
              THEN j.dependencies ELSE '[]' END) d
     LEFT JOIN jobs p ON p.id = d.value
WHERE j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]') AND d.type = 'text'
ORDER BY c.place, d.id"""


def parents(tables: Collection[str]) -> str:
    """The parents of the jobs, with how they stand."""
    return _EDGES if "core_edges" in tables else _EDGES_IN_ROWS


FILE_ID = "SELECT value FROM core_meta WHERE key = 'file_id'"
