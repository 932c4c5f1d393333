"""What a forecast asks of a file, attached or not: all of it in steps along an index."""

from __future__ import annotations

from collections.abc import Collection

from gigq_core.lane_names import HIDDEN
from gigq_core.schema.ddl import (
    HELD,
    IN_LANE_HELD,
    IN_LANE_RESERVED,
    IS_DELAYED,
    IS_READY,
    PARKED,
    RESERVED,
)

COLUMNS = "SELECT name FROM pragma_table_info(?)"

NEWEST_ATTEMPT = "SELECT max(rowid) FROM job_executions"


def _moment(columns: Collection[str], table: str, instant: str, text: str) -> str:
    told = f"{table}.{instant}" if instant in columns else "NULL"
    return f"{told} AS {instant}, substr({table}.{text}, 1, 40) AS {instant}_text"


def attempts_between(columns: Collection[str]) -> str:
    """Attempts in the order in which they began.

    Parameters: the rowid before the first, the last one; others, as a JSON list.
    """
    return f"""
SELECT e.rowid AS key, substr(e.status, 1, 40) AS status, substr(e.worker_id, 1, 200) AS worker_id,
       substr(j.function_module, 1, 200) AS function_module,
       substr(j.function_name, 1, 200) AS function_name,
       {_moment(columns, "e", "began", "started_at")},
       {_moment(columns, "e", "ended", "completed_at")}
FROM job_executions e JOIN jobs j ON j.id = e.job_id
WHERE e.rowid > ? AND e.rowid <= ? OR e.rowid IN (SELECT value FROM json_each(?))
ORDER BY e.rowid"""


def _job(columns: Collection[str]) -> str:
    delay = "jobs.retry_delay" if "retry_delay" in columns else "0"  # older files of GigQ's
    lane = f"nullif(jobs.lane, '{HIDDEN}')" if "lane" in columns else "NULL"
    return f"""jobs.rowid AS key, substr(jobs.id, 1, 1000) AS id,
       substr(jobs.function_module, 1, 200) AS function_module,
       substr(jobs.function_name, 1, 200) AS function_name, jobs.priority AS priority,
       jobs.attempts AS attempts,
       jobs.max_attempts - jobs.attempts AS left, {delay} AS retry_delay,
       jobs.timeout AS timeout, {lane} AS lane"""


# Of an attached file, which has all columns.
_JOB = _job(("retry_delay", "lane"))


def running(columns: Collection[str]) -> str:
    """Jobs that run. Parameter: how many at most."""
    return f"""
SELECT {_job(columns)}, substr(jobs.worker_id, 1, 200) AS worker_id,
       {_moment(columns, "jobs", "began", "started_at")}
FROM jobs WHERE status = 'running' LIMIT ?"""


# Parameter: ids as a JSON list.
PROGRESS_OF_RUNNING = """
SELECT p.job_id, p.done, p.total, p.at
FROM json_each(?) w CROSS JOIN core_progress p ON p.job_id = w.value
     CROSS JOIN jobs j ON j.id = p.job_id AND j.execution_id = p.execution_id
WHERE typeof(p.total) IN ('integer', 'real')"""


# Jobs that wait for their time, the soonest first. Parameter: how many at most.
DELAYED = f"""
SELECT {_JOB}, jobs.due AS due FROM jobs INDEXED BY core_due_utc
WHERE {IS_DELAYED} ORDER BY due LIMIT ?"""

_READY = f"{IS_READY} AND function_module <> '__main__'"
_HELD = "status = 'pending' AND due IS NULL AND function_module <> '__main__'"
_BLOCKED = f"status = 'pending' AND retry_after = '{PARKED}'"

HAS_CLAIM_ORDER = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'core_due_utc'"


def _priorities(index: str, condition: str) -> str:
    """The priorities of jobs, the most urgent first: one look along the index for each."""
    return f"""
WITH RECURSIVE found (priority) AS (
    SELECT * FROM (SELECT priority FROM jobs INDEXED BY {index}
                   WHERE {condition} ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT jobs.priority FROM jobs INDEXED BY {index}
            WHERE {condition} AND jobs.priority < found.priority
            ORDER BY jobs.priority DESC LIMIT 1)
    FROM found WHERE found.priority IS NOT NULL LIMIT 200)
SELECT priority FROM found WHERE priority IS NOT NULL"""


READY_PRIORITIES = _priorities("core_open", _READY)
BLOCKED_PRIORITIES = _priorities("core_blocked", _BLOCKED)

# Jobs of one priority that wait for parents. Parameters: the priority, the rowid before, how many
# at most.
BLOCKED = f"""
SELECT {_JOB} FROM jobs INDEXED BY core_blocked
WHERE {_BLOCKED} AND priority = ? AND rowid > ? ORDER BY rowid LIMIT ?"""


# What ended badly among some jobs. Parameter: their ids as a JSON list.
ENDED_BADLY = f"""
SELECT {_JOB} FROM json_each(?) w CROSS JOIN jobs ON jobs.id = w.value
WHERE jobs.status IN ('failed', 'timeout', 'cancelled')"""


def unmet_with_status(has_policies: bool) -> str:
    """What some jobs wait for. Parameters: their ids as a JSON list, how many at most."""
    policy = "e.on_failure" if has_policies else "0"
    return f"""
SELECT e.child_id, e.parent_id, {policy} AS on_failure, p.status
FROM json_each(?) w CROSS JOIN core_edges e ON e.child_id = w.value AND e.met = 0
     LEFT JOIN jobs p ON p.id = e.parent_id
LIMIT ?"""


_OF_A_GROUP = """min(key) AS key, max(key) AS last, count(*) AS n, id, function_module,
       function_name, priority, attempts, left, retry_delay, timeout, lane"""
_ALIKE = "GROUP BY function_module, function_name, left, retry_delay, lane"

# Ready jobs of one priority, in groups of alike ones. Parameters: the priority, the rowid before,
# how many at most.
READY_GROUPS = f"""
SELECT {_OF_A_GROUP} FROM (
    SELECT {_JOB} FROM jobs INDEXED BY core_open
    WHERE {_READY} AND priority = ? AND rowid > ? ORDER BY rowid LIMIT ?)
{_ALIKE}"""

# Those of some jobs that are ready. Parameter: their ids as a JSON list.
READY_AMONG = f"""
SELECT {_JOB} FROM json_each(?) w CROSS JOIN jobs ON jobs.id = w.value
WHERE {_READY} OR {_HELD} AND retry_after IN ('{HELD}', '{RESERVED}')"""


# What is ready, but shown to no worker, or to some alone: a lane's, by the index that has it.
HELD_BY_LANES = (("core_lane_reserved", IN_LANE_RESERVED), ("core_lane_held", IN_LANE_HELD))


def next_held(index: str, condition: str) -> str:
    """The next lanes and priorities that have held jobs: one look along the index for each.

    Parameters: the lane and the priority before the first, how many at most.
    """
    held = f"SELECT rowid FROM jobs INDEXED BY {index} WHERE {condition}"
    return f"""
WITH RECURSIVE found (place) AS (
    SELECT coalesce(
        ({held} AND lane = ?1 AND priority < ?2 ORDER BY priority DESC LIMIT 1),
        ({held} AND lane > ?1 ORDER BY lane, priority DESC LIMIT 1))
    UNION ALL
    SELECT coalesce(
        ({held} AND lane = p.lane AND priority < p.priority ORDER BY priority DESC LIMIT 1),
        ({held} AND lane > p.lane ORDER BY lane, priority DESC LIMIT 1))
    FROM found JOIN jobs p ON p.rowid = found.place LIMIT ?3)
SELECT jobs.lane, jobs.priority FROM found JOIN jobs ON jobs.rowid = found.place"""


def held_groups(index: str, condition: str) -> str:
    """Held jobs of one lane and priority, in groups of alike ones.

    Parameters: the lane, the priority, the rowid before, how many at most.
    """
    return f"""
SELECT {_OF_A_GROUP} FROM (
    SELECT {_JOB} FROM jobs INDEXED BY {index}
    WHERE {condition} AND function_module <> '__main__' AND lane = ? AND priority = ? AND rowid > ?
    ORDER BY rowid LIMIT ?)
{_ALIKE}"""


def count_held(index: str, condition: str) -> str:
    """How many of these there are, and the last one. Parameters: the same."""
    return f"""
SELECT count(*), max(place) FROM (
    SELECT rowid AS place FROM jobs INDEXED BY {index}
    WHERE {condition} AND lane = ? AND priority = ? AND rowid > ? ORDER BY rowid LIMIT ?)"""


TOTAL_READY = "SELECT n FROM core_counts WHERE state = 'ready'"


def pending_groups(columns: Collection[str]) -> str:
    """The same of a file that was never attached: whatever waits is taken for ready."""
    return f"""
SELECT {_OF_A_GROUP} FROM (
    SELECT {_job(columns)} FROM jobs
    WHERE status = 'pending' AND ? IS NULL AND rowid > ? ORDER BY rowid LIMIT ?)
{_ALIKE}"""


def pending_among(columns: Collection[str]) -> str:
    """Those of some jobs that wait. Parameter: their ids as a JSON list."""
    return f"""
SELECT {_job(columns)} FROM json_each(?) w CROSS JOIN jobs ON jobs.id = w.value
WHERE jobs.status = 'pending'"""


ANY_PRIORITY = "SELECT NULL"

WORKERS_THAT_WORK = "SELECT * FROM core_workers WHERE state <> 'stopped'"

KNOWN_WORKERS = "SELECT id FROM core_workers"

# Who holds the jobs that run. Parameter: how many at most.
HOLDERS = "SELECT worker_id FROM jobs WHERE status = 'running' LIMIT ?"
