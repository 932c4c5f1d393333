"""The queue's statements, named. Those of the worker stand beside, in `worker_statements`.

Status words stand in SQL as literals, so that a statement can be read and its index be found; all
other code takes them from `gigq_core.status`.
"""

from __future__ import annotations

from collections.abc import Iterable

from gigq_core.schema.ddl import (
    FAILED,
    HIDDEN_READY,
    IS_DELAYED,
    IS_READY,
    PARKED,
    UNPARKED,
    has_failed,
)


def insert_job(columns: Iterable[str]) -> str:
    """Insert a job that waits and was never started; its values bear the columns' names."""
    names = list(columns)
    return f"""
INSERT INTO jobs ({", ".join(names)}, status, attempts)
VALUES ({", ".join(f":{name}" for name in names)}, 'pending', 0)"""


# Among some ids, one that was there before what is inserted at a moment. Parameters: the ids as
# JSON, the moment.
THERE_BEFORE = """
SELECT id FROM jobs
WHERE id IN (SELECT value FROM json_each(?)) AND created IS NOT ? LIMIT 1"""

JOB_BY_ID = "SELECT * FROM jobs WHERE id = ?"

PROGRESS_OF = "SELECT done, total, note, at FROM core_progress WHERE job_id = ?"

WHOLE_PROGRESS_OF = """
SELECT job_id, execution_id, done, total, note, at FROM core_progress WHERE job_id = ?"""

RESTORE_PROGRESS = """
INSERT OR IGNORE INTO core_progress (job_id, execution_id, done, total, note, at)
VALUES (?, ?, ?, ?, ?, ?)"""

RESULT_OF = "SELECT status, result FROM jobs WHERE id = ?"

EXECUTIONS_OF = """
SELECT * FROM job_executions WHERE job_id = ? ORDER BY rowid"""

NEWEST_JOBS = "SELECT * FROM jobs ORDER BY created_at DESC LIMIT ?"

NEWEST_JOBS_WITH_STATUS = """
SELECT * FROM jobs WHERE status = ? ORDER BY created_at DESC LIMIT ?"""

COUNTERS = "SELECT state, n FROM core_counts"

# --- workflows --------------------------------------------------------------------------------

# From one name to the next in the index, and from one run to the next, however many jobs each has.
# The jobs of a run were submitted together.
NEWEST_RUNS = """
WITH RECURSIVE names (name) AS (
    SELECT min(workflow) FROM jobs WHERE workflow IS NOT NULL
    UNION ALL
    SELECT (SELECT min(j.workflow) FROM jobs j WHERE j.workflow > names.name)
    FROM names WHERE names.name IS NOT NULL
),
runs (name, id) AS (
    SELECT names.name, (SELECT min(j.workflow_id) FROM jobs j WHERE j.workflow = names.name)
    FROM names WHERE names.name IS NOT NULL
    UNION ALL
    SELECT runs.name, (SELECT min(j.workflow_id) FROM jobs j
                       WHERE j.workflow = runs.name AND j.workflow_id > runs.id)
    FROM runs WHERE runs.id IS NOT NULL
)
SELECT runs.name, runs.id,
       (SELECT j.created FROM jobs j
        WHERE j.workflow = runs.name AND j.workflow_id = runs.id LIMIT 1) AS submitted
FROM runs WHERE runs.id IS NOT NULL
ORDER BY submitted DESC, runs.id LIMIT ?"""

COUNTS_OF_RUN = """
SELECT status, count(*) AS n FROM jobs WHERE workflow = ? AND workflow_id = ? GROUP BY status"""

# --- acts upon jobs --------------------------------------------------------------------------

# A name of megabytes is cut: it is only told.
_NAME = "coalesce(substr(CAST(name AS TEXT), 1, 200), '') AS name"

JOB_STATE = f"SELECT id, {_NAME}, status, priority, execution_id FROM jobs WHERE id = ?"

CANCEL_PENDING = f"""
UPDATE jobs SET status = 'cancelled', updated_at = :now, ended = :utc
WHERE id = :id AND status = 'pending'
RETURNING {_NAME}"""

# The first request counts: its time says since when the job is to stop.
REQUEST_STOP = f"""
UPDATE jobs SET stop_requested_at = coalesce(stop_requested_at, :now), updated_at = :now
WHERE id = :id AND status = 'running' AND execution_id IS NOT NULL
RETURNING {_NAME}"""

# `retry_after` is cleared: whoever retries wants it now. The triggers park it again if a parent
# has not completed.
REQUEUE = f"""
UPDATE jobs SET status = 'pending', attempts = 0, error = NULL, updated_at = :now,
                ended = NULL, due = NULL, due_in = NULL, stop_requested_at = NULL,
                retry_after = CASE WHEN lane IS NOT NULL THEN {HIDDEN_READY} END
WHERE id = :id AND status IN ('failed', 'timeout', 'cancelled')
RETURNING {_NAME}"""

SET_PRIORITY = """
UPDATE jobs SET priority = :priority, updated_at = :now WHERE id = :id AND status = 'pending'"""

# Of what may run next: what is ready, what waits for a parent, and what comes due first.
_PRIORITY = "SELECT priority FROM jobs INDEXED BY"
_NUMBER = "typeof(priority) = 'integer'"
HIGHEST_WAITING = f"""
SELECT max(priority) FROM (
    SELECT * FROM ({_PRIORITY} core_open
                   WHERE {IS_READY} AND function_module <> '__main__' AND {_NUMBER}
                   ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT * FROM ({_PRIORITY} core_open_script
                   WHERE {IS_READY} AND function_module = '__main__' AND {_NUMBER}
                   ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT * FROM ({_PRIORITY} core_blocked
                   WHERE status = 'pending' AND retry_after = '{PARKED}' AND {_NUMBER}
                   ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT * FROM ({_PRIORITY} core_due_utc WHERE {IS_DELAYED} ORDER BY due LIMIT 1000)
    WHERE {_NUMBER})"""

# Whatever state it is in by now: what has ended keeps no trace of the raise either.
SET_PRIORITY_BACK = """
UPDATE jobs SET priority = :own WHERE id = :id AND priority = :raised AND :own <> :raised"""

# Of large ones it is not worth their reading: jobs are only told apart by them.
PARAMS_AT = """
SELECT rowid, CASE WHEN length(params) <= 20000 THEN params END FROM jobs
WHERE rowid IN (SELECT value FROM json_each(?))"""

CLEAR_FINISHED = "DELETE FROM jobs WHERE status IN ('completed', 'cancelled')"

CLEAR_FINISHED_BEFORE = """
DELETE FROM jobs WHERE status IN ('completed', 'cancelled') AND completed_at < ?"""

# --- children of parents that failed -----------------------------------------------------------

HAS_CASCADE = "SELECT 1 FROM core_cascade LIMIT 1"

# Whatever an id holds, it stays in the file: a parent is found by its place on the list.
_PARENT = "(SELECT parent_id FROM core_cascade WHERE place = :parent)"

FIRST_OF_CASCADE = f"""
SELECT h.place, h.parent_id AS id, {has_failed("h.parent_id")} AS has_failed, p.status,
       coalesce(substr(CAST(p.name AS TEXT), 1, 200), h.name, '') AS name,
       CASE WHEN d.child_id IS NOT NULL THEN p.error END AS error
FROM core_cascade h
     LEFT JOIN jobs p ON p.id = h.parent_id
     LEFT JOIN core_cascaded d ON d.child_id = h.parent_id
ORDER BY h.place LIMIT 1"""

FORGET_IN_CASCADE = "DELETE FROM core_cascade WHERE place = ?"

CHILDREN_TO_TELL = f"""
SELECT c.rowid AS place, e.on_failure = 1 AS is_cancelled
FROM core_edges e CROSS JOIN jobs c ON c.id = e.child_id
WHERE e.parent_id = {_PARENT} AND e.on_failure <> 0 AND e.met = 0 AND c.status = 'pending'
LIMIT :most"""

CANCEL_CHILD = """
UPDATE jobs SET status = 'cancelled', error = :error, updated_at = :now, ended = :utc
WHERE rowid = :child AND status = 'pending'"""

# What cancelled the parent, cancelled the child.
NOTE_CULPRIT = f"""
INSERT OR REPLACE INTO core_cascaded (child_id, culprit_id)
SELECT c.id, coalesce((SELECT culprit_id FROM core_cascaded WHERE child_id = {_PARENT}), {_PARENT})
FROM jobs c WHERE c.rowid = :child"""

GO_ON_WITHOUT = f"""
UPDATE core_edges SET met = 3
WHERE child_id = (SELECT id FROM jobs WHERE rowid = :child) AND parent_id = {_PARENT} AND met = 0"""

RELEASE_CHILD = f"""
UPDATE jobs SET retry_after = {UNPARKED}
WHERE rowid = :child AND status = 'pending' AND retry_after = '{PARKED}'
  AND NOT EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = jobs.id AND e.met = 0)"""

# A parent for whose failure a job that has ended would be cancelled again at once: of one that was
# cancelled along, the job that was the reason, while that has not been retried.
FAILED_PARENT_OF = f"""
SELECT coalesce(r.status, p.status) AS status, coalesce(r.name, p.name) AS name
FROM core_edges e
     CROSS JOIN jobs c ON c.id = e.child_id
     LEFT JOIN jobs p ON p.id = e.parent_id
     LEFT JOIN core_cascaded d ON d.child_id = e.parent_id
     LEFT JOIN jobs r ON r.id = d.culprit_id AND r.status IN {FAILED}
WHERE e.child_id = ? AND e.on_failure = 1 AND e.met = 0 AND c.status IN {FAILED}
  AND {has_failed("e.parent_id")}
LIMIT 1"""

# Its children that were cancelled and their children, if none was retried since.
_CANCELLED_BY = """
FROM core_cascaded d CROSS JOIN jobs c ON c.id = d.child_id AND c.status = 'cancelled'"""

# Of those that were cancelled themselves, by that cancel.
COUNT_CANCELLED_ALONG = f"""
SELECT d.culprit_id, count(*) {_CANCELLED_BY}
     CROSS JOIN jobs r ON r.id = d.culprit_id AND r.status = 'cancelled' AND r.ended <= c.ended
WHERE d.culprit_id IN (SELECT value FROM json_each(?)) GROUP BY d.culprit_id"""

COUNT_CANCELLED_BY = f"""
SELECT d.culprit_id, count(*) {_CANCELLED_BY}
WHERE d.culprit_id IN (SELECT value FROM json_each(?)) GROUP BY d.culprit_id"""

CANCELLED_BY = f"""
SELECT d.child_id {_CANCELLED_BY} WHERE d.culprit_id IN (SELECT value FROM json_each(?))"""

CANCELLED_BY_SINCE = f"""
SELECT d.child_id {_CANCELLED_BY} WHERE d.culprit_id = :id AND c.ended >= :since"""

# As they were before, but for the error of an attempt that had failed.
BRING_BACK_CHILD = f"""
UPDATE jobs SET status = 'pending', error = NULL, ended = NULL, updated_at = :now
WHERE id = :id AND status = 'cancelled'
  AND EXISTS (SELECT 1 FROM core_cascaded WHERE child_id = :id)
RETURNING {_NAME}"""

CULPRIT_OF = "SELECT culprit_id FROM core_cascaded WHERE child_id = ?"

RESTORE_CULPRIT = "INSERT OR REPLACE INTO core_cascaded (child_id, culprit_id) VALUES (?, ?)"

# Among some jobs, who would be cancelled with whom. Without the `+` each of them is looked for with
# each other one.
CANCELLED_WITH_AMONG = """
SELECT e.child_id, e.parent_id
FROM json_each(:ids) w CROSS JOIN core_edges e ON e.child_id = w.value
WHERE e.on_failure = 1 AND +e.parent_id IN (SELECT value FROM json_each(:ids))"""

# --- clearing: what it would take, and what still needs it ------------------------------------


def finished_among(columns: Iterable[str]) -> str:
    """Jobs that could be cleared, with the time of their end. Parameter: their ids as JSON.

    Args:
        columns: those that the table has.
    """
    columns = tuple(columns)
    # GigQ leaves the end of a job that never ran empty.
    ended = "j.ended" if "ended" in columns else "NULL AS ended"
    quoted = ('j."' + column.replace('"', '""') + '"' for column in columns)
    sizes = (f"iif(typeof({one}) IN ('text', 'blob'), length({one}), 0)" for one in quoted)
    return f"""
SELECT w.key AS place, j.id, {_NAME}, j.status,
       {ended}, coalesce(j.completed_at, j.updated_at) AS ended_at,
       {" + ".join(sizes)} AS size
FROM json_each(?) w LEFT JOIN jobs j ON j.id = w.value"""


# What still waits or runs, and reads what its parent returned unless it says that it does not.
_CHILD_WAITS = "c.status IN ('pending', 'running')"
_CHILD_READS = "sum(c.pass_parent_results IS NOT 0)"

NEEDED_AMONG = f"""
SELECT e.parent_id, count(*) AS waiting, {_CHILD_READS} AS reading
FROM json_each(?) w
     CROSS JOIN core_edges e ON e.parent_id = w.value
     CROSS JOIN jobs c ON c.id = e.child_id
WHERE {_CHILD_WAITS} GROUP BY e.parent_id"""


def needed_among_unattached(with_wish: bool) -> str:
    """As `NEEDED_AMONG`, for a file without edges; it reads all that waits or runs.

    Args:
        with_wish: whether the table has the column that says if parents' results are read.
    """
    reads = _CHILD_READS if with_wish else "count(*)"
    return f"""
SELECT d.value AS parent_id, count(*) AS waiting, {reads} AS reading
FROM jobs c,
     json_each(CASE WHEN json_valid(c.dependencies) THEN c.dependencies ELSE '[]' END) d
WHERE {_CHILD_WAITS} AND d.value IN (SELECT value FROM json_each(?)) GROUP BY d.value"""


# What has not completed needs its parents now, or once it is retried: one that completed only for
# its result.
_CHILD_MAY_NEED = """c.status IS NOT 'completed'
  AND (j.status IS NOT 'completed' OR c.pass_parent_results IS NOT 0)"""

# Among the jobs at these places, those that a child elsewhere needs, and which needs which.
NEEDED_ELSEWHERE = f"""
SELECT j.rowid AS place
FROM json_each(:places) w CROSS JOIN jobs j ON j.rowid = w.value
WHERE EXISTS (
    SELECT 1 FROM core_edges e CROSS JOIN jobs c ON c.id = e.child_id
    WHERE e.parent_id = j.id AND {_CHILD_MAY_NEED}
      AND c.rowid NOT IN (SELECT value FROM json_each(:places)))"""

# A hook is still to tell of them, with what is known then.
NEEDED_BY_HOOKS = """
SELECT j.rowid AS place FROM core_hook_outbox o CROSS JOIN jobs j ON j.id = o.job_id
WHERE +j.rowid IN (SELECT value FROM json_each(:places))"""

NEEDED_AMONG_THEM = f"""
SELECT j.rowid AS place, c.rowid AS child
FROM json_each(:places) w CROSS JOIN jobs c ON c.rowid = w.value
     CROSS JOIN core_edges e ON e.child_id = c.id
     CROSS JOIN jobs j ON j.id = e.parent_id
WHERE {_CHILD_MAY_NEED} AND +j.rowid IN (SELECT value FROM json_each(:places))"""


def history_of(with_output: bool) -> str:
    """How many attempts some jobs have had, and how many of them left a file of output."""
    outputs = "count(output)" if with_output else "0"
    return f"""
SELECT count(*) AS attempts, {outputs} AS outputs FROM job_executions
WHERE job_id IN (SELECT value FROM json_each(?))"""


DELETE_FINISHED = """
DELETE FROM jobs
WHERE id = ? AND status IN ('completed', 'failed', 'timeout', 'cancelled')"""

# --- putting back what an act changed --------------------------------------------------------

WHOLE_ROWS = """
SELECT rowid AS core_rowid, * FROM jobs WHERE id IN (SELECT value FROM json_each(?))"""

EDGES_OF = "SELECT parent_id, met FROM core_edges WHERE child_id = ?"

TOMBSTONE_OF = "SELECT deleted_at FROM core_tombstones WHERE job_id = ?"

ALLOW_OVERRIDE = "INSERT OR IGNORE INTO core_overrides (job_id) VALUES (?)"
END_OVERRIDE = "DELETE FROM core_overrides WHERE job_id = ?"

ROWID_IS_TAKEN = "SELECT 1 FROM jobs WHERE rowid = ?"

# What an edge stood for when its child was deleted, it stands for again: the parent had completed,
# or it was missing and is missing still.
RESTORE_EDGE = """
UPDATE core_edges SET met = :met
WHERE child_id = :child AND parent_id = :parent AND met = 0
  AND (:met = 1 OR NOT EXISTS (SELECT 1 FROM jobs WHERE id = :parent))"""


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def put_back(columns: Iterable[str]) -> str:
    """Write some columns of one row; the id comes last among the values."""
    return f"UPDATE jobs SET {', '.join(f'{_quoted(c)} = ?' for c in columns)} WHERE id = ?"


def insert_again(columns: Iterable[str]) -> str:
    """Insert a row with these columns; `rowid` may be one of them."""
    names = [_quoted(column) for column in columns]
    return f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


# --- the queue as a whole --------------------------------------------------------------------

PAUSE = "INSERT OR IGNORE INTO core_meta (key, value) VALUES ('paused_at', ?)"
RESUME = "DELETE FROM core_meta WHERE key = 'paused_at'"
IS_PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"

REQUEST_OF_WORKER = """
UPDATE core_workers SET request = ? WHERE id = ? AND state <> 'stopped'"""

# --- cycles ----------------------------------------------------------------------------------

HAS_CHILDREN = "SELECT 1 FROM core_edges WHERE parent_id = ? LIMIT 1"

PARENTS_OF = "SELECT parent_id FROM core_edges WHERE child_id = ?"

# --- the process that runs a job -------------------------------------------------------------

RUNNING_PROCESS_OF = """
SELECT j.status, j.execution_id, w.id AS worker, w.isolation, w.host, w.pid, w.pid_started,
       w.boot_id, w.pid_namespace, e.pid AS job_pid, e.agent
FROM jobs j
LEFT JOIN job_executions e ON e.id = j.execution_id
LEFT JOIN core_workers w ON w.id = j.worker_id
WHERE j.id = ?"""

# The same of a file of an earlier release, which knows no agents.
RUNNING_PROCESS_WITHOUT_AGENTS = RUNNING_PROCESS_OF.replace("e.agent", "NULL AS agent")
