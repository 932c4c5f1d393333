"""The statements that read the past, and what each function has to do, named.

The past is walked by rowid, the order in which attempts began and jobs came: `job_executions` has
no index on its times. What is counted is counted up to a limit.
"""

from __future__ import annotations

from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.queries import STATUS_INDEX, number_of

# --- what has happened: attempts and jobs in the order of their rowids --------------------------

_ATTEMPT = f"""
SELECT e.rowid AS key, substr(e.id, 1, 200) AS id, substr(e.status, 1, 40) AS status,
       substr(e.started_at, 1, 40) AS started_at, substr(e.completed_at, 1, 40) AS completed_at,
       substr(j.function_module, 1, 200) AS function_module,
       substr(j.function_name, 1, 200) AS function_name, substr(j.status, 1, 40) AS job_status,
       substr(j.created_at, 1, 40) AS job_created_at, substr(j.started_at, 1, 40) AS job_started_at,
       {number_of("j", "attempts")}
"""
_ATTEMPTS = _ATTEMPT + "FROM job_executions e LEFT JOIN jobs j ON j.id = e.job_id"

NEWEST_ATTEMPT = "SELECT max(rowid) FROM job_executions"
ATTEMPT_ID = "SELECT substr(id, 1, 200) AS id FROM job_executions WHERE rowid = ?"

# Parameters: the rowid, the limit.
ATTEMPTS_ABOVE = f"{_ATTEMPTS} WHERE e.rowid > ? ORDER BY e.rowid LIMIT ?"
ATTEMPTS_BELOW = f"{_ATTEMPTS} WHERE e.rowid < ? ORDER BY e.rowid DESC LIMIT ?"

# Parameter: the rowids as a JSON list.
ATTEMPTS_AT = f"""{_ATTEMPT}
FROM json_each(?) wanted CROSS JOIN job_executions e ON e.rowid = wanted.value
     LEFT JOIN jobs j ON j.id = e.job_id"""

NEWEST_JOB = "SELECT max(rowid) FROM jobs"

# Parameters: the rowid, the limit.
JOBS_BELOW = """
SELECT rowid AS key, substr(status, 1, 40) AS status, substr(created_at, 1, 40) AS created_at,
       substr(started_at, 1, 40) AS started_at, substr(completed_at, 1, 40) AS completed_at
FROM jobs WHERE rowid < ? ORDER BY rowid DESC LIMIT ?"""


def attempts_that_run(schema: FileSchema) -> str:
    """The live attempts of running jobs, wherever their rows stand. Parameter: the limit."""
    return (
        f"{_ATTEMPT} FROM jobs j {schema.indexed_by(STATUS_INDEX)} "
        "JOIN job_executions e ON e.id = j.execution_id WHERE j.status = 'running' LIMIT ?"
    )


# --- what each function has to do ---------------------------------------------------------------


def ready_by_function(schema: FileSchema) -> str:
    """How many jobs of each function are ready, looked for up to a limit. Parameter: the limit.

    On a file without parking they are all that wait.
    """
    columns = (
        "substr(function_module, 1, 200) AS function_module, "
        "substr(function_name, 1, 200) AS function_name, substr(created_at, 1, 40) AS created_at"
    )
    if schema.attached and schema.indexes >= {"core_ready", "core_ready_script"}:
        waiting = "status = 'pending' AND retry_after IS NULL"
        found = (
            f"SELECT {columns} FROM jobs INDEXED BY core_ready "
            f"WHERE {waiting} AND function_module <> '__main__' "
            f"UNION ALL SELECT {columns} FROM jobs INDEXED BY core_ready_script "
            f"WHERE {waiting} AND function_module = '__main__'"
        )
    else:
        found = f"SELECT {columns} FROM jobs {schema.indexed_by(STATUS_INDEX)} " + (
            "WHERE status = 'pending'"
        )
    return (
        "SELECT function_module, function_name, COUNT(*) AS n, MIN(created_at) AS oldest "
        f"FROM ({found} LIMIT ?) GROUP BY function_module, function_name"
    )


def running_by_function(schema: FileSchema) -> str:
    """What runs, and by when it should have ended. Parameter: the limit."""
    return (
        "SELECT substr(function_module, 1, 200) AS function_module, "
        "substr(function_name, 1, 200) AS function_name, "
        "substr(worker_id, 1, 200) AS worker_id, substr(started_at, 1, 40) AS started_at, "
        f"{number_of('jobs', 'timeout')} "
        f"FROM jobs {schema.indexed_by(STATUS_INDEX)} WHERE status = 'running' LIMIT ?"
    )
