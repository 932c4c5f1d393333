"""What the commands that only look ask of a file, attached or not, whatever release wrote it."""

from __future__ import annotations

from collections.abc import Iterable

from gigq_core.schema.ddl import IS_READY

IDS_BY_PREFIX = "SELECT id, name FROM jobs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

NAME_OF = "SELECT substr(name, 1, 200) FROM jobs WHERE id = ?"

JOB_COLUMNS = "SELECT name FROM pragma_table_info('jobs')"

_LARGE = ("params", "result")


def state_of(columns: Iterable[str]) -> str:
    """One job's columns, without what may be large; of its error, the beginning."""
    return f"SELECT {_told(columns)} FROM jobs WHERE id = ?"


def states_among(columns: Iterable[str]) -> str:
    """The same of some jobs, in the order of their submission. Parameter: the ids as JSON."""
    return (
        f"SELECT {_told(columns)} FROM jobs WHERE id IN (SELECT value FROM json_each(?)) "
        "ORDER BY rowid"
    )


def _told(columns: Iterable[str]) -> str:
    told = [
        "substr(error, 1, 1000) AS error" if c == "error" else f'"{c}"'
        for c in columns
        if c not in _LARGE
    ]
    return f"{', '.join(told)}, NULL AS params, NULL AS result"


def selected(status: bool, workflow: bool, batch: bool, failure: str = "") -> str:
    """The condition on jobs: of a `:status`, of a `:workflow` by its name or the beginning of a
    run's id, of a `:batch`, as far as these count.

    `failure` is a condition on how the last attempt failed; none if it is empty.
    """
    conditions = ["true"]
    if status:
        conditions.append("status = :status")
    if workflow:
        conditions.append(
            "workflow IS NOT NULL AND (workflow = :workflow OR length(:workflow) >= 4 "
            "AND substr(workflow_id, 1, length(:workflow)) = :workflow)"
        )
    if batch:
        conditions.append("batch = :batch")
    if failure:
        conditions.append(failure)
    return " AND ".join(conditions)


def latest(condition: str) -> str:
    """The jobs that were submitted last, newest first: `:limit` at most.

    In the order of submission, which needs no sorting.
    """
    return f"SELECT * FROM jobs WHERE {condition} ORDER BY rowid DESC LIMIT :limit"


STANDING_AMONG = """
SELECT id, substr(name, 1, 200), status FROM jobs WHERE id IN (SELECT value FROM json_each(?))"""

COUNTS = "SELECT status, COUNT(*) FROM jobs GROUP BY status"

HAS_INSTANTS = "SELECT 1 FROM pragma_table_info('jobs') WHERE name = 'ended'"


def ended(with_instants: bool) -> str:
    """The jobs that ended so, the oldest first.

    Parameters: `statuses` as a JSON list; `before` and the same moment as a `text` of the reader's
    zone, both NULL for any.

    Args:
        with_instants: whether the file has the columns for them.
    """
    # GigQ leaves the end of a job that never ran empty.
    is_before = "coalesce(completed_at, updated_at) < :text"
    if with_instants:
        is_before = f"ifnull(ended < :before, {is_before})"
    return f"""
SELECT id FROM jobs
WHERE status IN (SELECT value FROM json_each(:statuses)) AND id IS NOT NULL
  AND (:before IS NULL OR {is_before})
ORDER BY rowid"""


# Rows may hold anything: only a number is a timeout.
LONGEST_TIMEOUT = """
SELECT coalesce(max(timeout), 0) FROM jobs
WHERE status IN ('pending', 'running') AND typeof(timeout) IN ('integer', 'real')"""

# Where it is, so are the columns of its release.
HAS_WORKFLOWS = """
SELECT 1 FROM pragma_table_info('jobs') WHERE name = 'workflow'"""

HAS_META = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_meta'"
HAS_WORKERS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_workers'"
HAS_PROGRESS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_progress'"

# How far some jobs are.
PROGRESS_AMONG = """
SELECT job_id, done, total, note, at FROM core_progress
WHERE job_id IN (SELECT value FROM json_each(?))"""

WORKERS = "SELECT * FROM core_workers ORDER BY rowid DESC"

PASSED_OVER = "SELECT parent_id FROM core_edges WHERE child_id = ? AND met = 3"

# Missing parents that count as completed, since they were missing when the file was attached.
WAIVED_PARENTS = """
SELECT j.id, j.name, e.parent_id
FROM core_edges e JOIN jobs j ON j.id = e.child_id
WHERE e.met = 2 ORDER BY j.rowid"""

# --- dependencies -----------------------------------------------------------------------------

EDGE_COLUMNS = "SELECT name FROM pragma_table_info('core_edges')"


def unmet_edges(end: str, has_policies: bool) -> str:
    """Unmet dependencies of which some jobs are the `end`, "child" or "parent".

    Parameters: the ids as a JSON list, how many at most.
    """
    policy = "e.on_failure" if has_policies else "0"
    return f"""
SELECT e.child_id, e.parent_id, {policy}, c.status, p.status
FROM json_each(?) w CROSS JOIN core_edges e ON e.{end}_id = w.value
     LEFT JOIN jobs c ON c.id = e.child_id LEFT JOIN jobs p ON p.id = e.parent_id
WHERE e.met = 0 LIMIT ?"""


# The same of a file without a table of edges, met or not. Parameter: how many at most.
EDGES_IN_ROWS = """
SELECT j.id, d.value, 0, j.status, p.status
FROM jobs j, json_each(CASE WHEN typeof(j.dependencies) = 'text' AND json_valid(j.dependencies)
                            THEN j.dependencies ELSE '[]' END) d
     LEFT JOIN jobs p ON p.id = d.value
WHERE j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]') AND d.type = 'text'
  AND j.id IS NOT NULL
LIMIT ?"""

COUNT_CHILDREN_OF_ONE = "SELECT COUNT(*) FROM core_edges WHERE parent_id = ?"

# Parameters: the ids as a JSON list, how many at most.
COUNT_CHILDREN = """
SELECT COUNT(*) FROM (
    SELECT DISTINCT e.child_id FROM json_each(?) w CROSS JOIN core_edges e ON e.parent_id = w.value
    LIMIT ?)"""

# Who was cancelled because some jobs failed. Parameters: the ids as a JSON list, and again, the
# limit.
CANCELLED_ALONG = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM json_each(?) w CROSS JOIN core_cascaded d ON d.culprit_id = w.value
         CROSS JOIN jobs c ON c.id = d.child_id AND c.status = 'cancelled'
    WHERE d.child_id NOT IN (SELECT value FROM json_each(?)) LIMIT ?)"""

# What some jobs are called, and how they ended. Parameter: their ids as a JSON list.
NAMED = """
SELECT j.id, substr(j.name, 1, 300) AS name, j.status, substr(j.error, 1, 200) AS error
FROM json_each(?) w CROSS JOIN jobs j ON j.id = w.value"""

PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"

_IN_LINE = f"{IS_READY} AND function_module <> '__main__'"

IS_IN_LINE = f"SELECT 1 FROM jobs WHERE id = ? AND {_IN_LINE}"

# How many jobs are claimed before one. Parameters: its priority, twice, its id, how far it is
# counted.
AHEAD_IN_LINE = f"""
SELECT count(*) FROM (
    SELECT 1 FROM jobs INDEXED BY core_open
    WHERE {_IN_LINE} AND priority >= ?
      AND (priority > ? OR rowid < (SELECT rowid FROM jobs WHERE id = ?)) LIMIT ?)"""
