"""The statements of an export: what is asked for is set apart at once, and told from there.

A reader that stays in a file lets its WAL grow without end, and whoever reads the lines may be
slow. So the rows are copied into a database of this connection's own, which SQLite keeps on the
disk and takes away by itself, and the file is let go of.
"""

from __future__ import annotations

from collections.abc import Collection

SET_APART = "ATTACH DATABASE '' AS apart"
# Nothing of it is to outlive this process.
AS_FAST_AS_CAN_BE = ("PRAGMA apart.journal_mode = OFF", "PRAGMA apart.synchronous = OFF")
FORGET = "DETACH DATABASE apart"

TABLES = "SELECT name FROM main.sqlite_master WHERE type = 'table'"

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

CREATE_JOBS = "CREATE TABLE apart.jobs AS SELECT rowid AS place, * FROM main.jobs LIMIT 0"


def some_jobs(condition: str) -> str:
    """So many of the jobs as `:most` says, in their order, from behind the place `:after`."""
    return (
        f"INSERT INTO apart.jobs SELECT rowid, * FROM main.jobs "
        f"WHERE rowid > :after AND ({condition}) ORDER BY rowid LIMIT :most"
    )


LAST_PLACE = "SELECT place FROM apart.jobs WHERE rowid = (SELECT max(rowid) FROM apart.jobs)"


def beside(tables: Collection[str]) -> str:
    """What stands beside the jobs, for those that have any of it."""
    there = [one for one in _BESIDE if one[0] in tables]
    if not there:
        return "CREATE TABLE apart.beside AS SELECT place FROM apart.jobs LIMIT 0"
    columns = [f"{table}.{column} AS {name}" for table, _, all_ in there for column, name in all_]
    joins = [f"LEFT JOIN main.{table} ON {table}.{key} = j.id" for table, key, _ in there]
    has_any = " OR ".join(f"{table}.{key} IS NOT NULL" for table, key, _ in there)
    return (
        f"CREATE TABLE apart.beside AS SELECT j.place, {', '.join(columns)} "
        f"FROM apart.jobs j {' '.join(joins)} WHERE {has_any} ORDER BY j.rowid"
    )


# The attempts; a file of GigQ's own has no index for them, and SQLite makes one for this.
ATTEMPTS = """
CREATE TABLE apart.attempts AS
SELECT j.place AS place, x.* FROM apart.jobs j CROSS JOIN job_executions x ON x.job_id = j.id
WHERE x.job_id IS NOT NULL ORDER BY j.rowid, x.rowid"""


def parents(tables: Collection[str]) -> str:
    """The parents of the jobs, with how they stand."""
    if "core_edges" in tables:
        return """
CREATE TABLE apart.parents AS
SELECT j.place AS place, e.parent_id AS id, p.status AS status, e.met AS met,
       t.completed AS completed
FROM apart.jobs j CROSS JOIN main.core_edges e ON e.child_id = j.id
     LEFT JOIN main.jobs p ON p.id = e.parent_id
     LEFT JOIN main.core_tombstones t ON t.job_id = e.parent_id
ORDER BY j.rowid, e.parent_id"""
    # GigQ counts a parent that is not there as completed.
    return """
CREATE TABLE apart.parents AS
SELECT j.place AS place, d.value AS id, p.status AS status,
       p.id IS NULL OR p.status = 'completed' AS met, NULL AS completed
FROM apart.jobs j,
     json_each(CASE WHEN typeof(j.dependencies) = 'text' AND json_valid(j.dependencies)
                    THEN j.dependencies ELSE '[]' END) d
     LEFT JOIN main.jobs p ON p.id = d.value
WHERE j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]') AND d.type = 'text'
ORDER BY j.rowid, d.id"""


COUNTS = "SELECT status, count(*) FROM apart.jobs GROUP BY status ORDER BY status"
COUNT_ATTEMPTS = "SELECT count(*) FROM apart.attempts"

ALL_JOBS = "SELECT * FROM apart.jobs ORDER BY rowid"
ALL_BESIDE = "SELECT * FROM apart.beside ORDER BY rowid"
ALL_ATTEMPTS = "SELECT * FROM apart.attempts ORDER BY rowid"
ALL_PARENTS = "SELECT * FROM apart.parents ORDER BY rowid"

FILE_ID = "SELECT value FROM core_meta WHERE key = 'file_id'"
