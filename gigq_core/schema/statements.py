"""The queue's statements, named. Those of the worker stand beside, in `worker_statements`."""

from __future__ import annotations

INSERT_JOB = """
INSERT INTO jobs (
    id, name, function_name, function_module, params, priority, dependencies, max_attempts,
    timeout, description, status, created_at, updated_at, attempts, pass_parent_results,
    retry_delay, on_crash
) VALUES (
    :id, :name, :function_name, :function_module, :params, :priority, :dependencies,
    :max_attempts, :timeout, :description, 'pending', :created_at, :updated_at, 0,
    :pass_parent_results, :retry_delay, :on_crash
)"""

JOB_BY_ID = "SELECT * FROM jobs WHERE id = ?"

JOB_STANDING = """
SELECT id, name, status, execution_id, worker_id, stop_requested_at FROM jobs WHERE id = ?"""

RESULT_OF = "SELECT status, result FROM jobs WHERE id = ?"

EXECUTIONS_OF = """
SELECT * FROM job_executions WHERE job_id = ? ORDER BY started_at ASC, rowid ASC"""

NEWEST_JOBS = "SELECT * FROM jobs ORDER BY created_at DESC LIMIT ?"

NEWEST_JOBS_WITH_STATUS = """
SELECT * FROM jobs WHERE status = ? ORDER BY created_at DESC LIMIT ?"""

COUNTERS = "SELECT state, n FROM core_counts"

# --- acts upon jobs --------------------------------------------------------------------------

CANCEL_PENDING = """
UPDATE jobs SET status = 'cancelled', updated_at = :now
WHERE id = :id AND status = 'pending'"""

# The first request counts: its time says since when the job is to stop.
REQUEST_STOP = """
UPDATE jobs SET stop_requested_at = coalesce(stop_requested_at, :now), updated_at = :now
WHERE id = :id AND status = 'running' AND execution_id IS NOT NULL"""

# `retry_after` is cleared: whoever retries wants it now. The triggers park it again if a parent
# has not completed.
REQUEUE = """
UPDATE jobs SET status = 'pending', attempts = 0, error = NULL, updated_at = :now,
                retry_after = NULL, due_at = NULL, stop_requested_at = NULL
WHERE id = :id AND status IN ('failed', 'timeout', 'cancelled')"""

CLEAR_FINISHED = "DELETE FROM jobs WHERE status IN ('completed', 'cancelled')"

CLEAR_FINISHED_BEFORE = """
DELETE FROM jobs WHERE status IN ('completed', 'cancelled') AND completed_at < ?"""

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
SELECT j.status, w.id AS worker, w.isolation, w.host, w.pid, w.pid_started, w.boot_id,
       w.pid_namespace, e.pid AS job_pid
FROM jobs j
LEFT JOIN job_executions e ON e.id = j.execution_id
LEFT JOIN core_workers w ON w.id = j.worker_id
WHERE j.id = ?"""
