"""The statements behind the numbers for a monitoring system."""

from __future__ import annotations

from gigq_core.schema.ddl import IS_READY

STATES = "SELECT state, n FROM core_counts"

STATUSES = "SELECT status, count(*) FROM jobs GROUP BY status"

OLDEST_RUNNING = "SELECT min(began) FROM jobs INDEXED BY core_running WHERE status = 'running'"

IS_PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"

WORKERS = "SELECT id, state, slots FROM core_workers WHERE state <> 'stopped'"

# Lanes are looked at by whoever writes next: their entry tells of no appointment.
EARLIEST_APPOINTMENT = "SELECT min(at) FROM core_agenda WHERE what <> 'lanes:'"

COUNT_WORKERS = "SELECT count(*) FROM core_workers WHERE state <> 'stopped'"

# The first that was submitted of those that are ready.
OLDEST_READY = f"""
SELECT created FROM jobs WHERE rowid = (
    SELECT min(place) FROM (
        SELECT min(rowid) AS place FROM jobs INDEXED BY core_open
        WHERE {IS_READY} AND function_module <> '__main__'
        UNION ALL
        SELECT min(rowid) FROM jobs INDEXED BY core_open_script
        WHERE {IS_READY} AND function_module = '__main__'))"""


def _by_function(condition: str) -> str:
    return f"""
SELECT function_module || '.' || function_name AS function, count(*) AS n
FROM jobs WHERE {condition} GROUP BY 1 ORDER BY n DESC, 1"""


RUNNING_BY_FUNCTION = _by_function("status = 'running'")

FAILED_BY_FUNCTION = _by_function("status IN ('failed', 'timeout')")

# Of the newest attempts, those that ended a short while ago.
RECENT_ATTEMPTS = """
SELECT status, ended - began AS seconds FROM (
    SELECT status, began, ended FROM job_executions ORDER BY rowid DESC LIMIT :most)
WHERE ended > :since AND ended <= :utc AND began IS NOT NULL"""
