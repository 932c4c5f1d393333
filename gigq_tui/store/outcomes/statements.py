"""The statements by which jobs are followed after an action."""

from __future__ import annotations

from gigq_core.schema.ddl import PARKED
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.outcomes.states import JobNow
from gigq_tui.store.queries import EXECUTIONS_INDEX
from gigq_tui.store.statuses import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, TIMEOUT

NEWEST_ATTEMPT = "SELECT substr(id, 1, 200) FROM job_executions ORDER BY rowid DESC LIMIT 1"
ATTEMPT_KEY = "SELECT rowid FROM job_executions WHERE id = ?"


def where_they_are(schema: FileSchema) -> str:
    """The code of where each of some jobs is, in their order.

    Worked out here, since a hundred thousand of them are asked for again and again. Parameters: now
    in UTC seconds, their ids as a JSON list.
    """
    has = schema.job_columns
    stopping = "j.stop_requested_at IS NOT NULL" if "stop_requested_at" in has else "0"
    foreign = "j.execution_id IS NULL" if "execution_id" in has else "1"
    parked = f"j.retry_after = '{PARKED}'" if "retry_after" in has else "0"
    delayed = "typeof(j.due) <> 'text' AND j.due > ?1" if "due" in has else "0"
    return f"""
SELECT CASE j.status
    WHEN '{COMPLETED}' THEN {JobNow.PASSED:d}
    WHEN '{FAILED}' THEN {JobNow.FAILED:d}
    WHEN '{TIMEOUT}' THEN {JobNow.TIMED_OUT:d}
    WHEN '{CANCELLED}' THEN {JobNow.CANCELLED:d}
    WHEN '{RUNNING}' THEN CASE
        WHEN {stopping} THEN {JobNow.STOPPING:d}
        WHEN {foreign} THEN {JobNow.FOREIGN:d}
        ELSE {JobNow.RUNNING:d} END
    WHEN '{PENDING}' THEN CASE
        WHEN {parked} THEN {JobNow.BLOCKED:d}
        WHEN {delayed} THEN {JobNow.DELAYED:d}
        ELSE {JobNow.WAITING:d} END
    ELSE iif(j.rowid IS NULL, {JobNow.GONE:d}, {JobNow.UNKNOWN:d}) END
FROM json_each(?2) w LEFT JOIN jobs j ON j.id = w.value"""


def causes(schema: FileSchema) -> str:
    """How some jobs failed last, and how they had failed last before an attempt began.

    Parameters: that attempt's rowid, the ids as a JSON list.
    """
    newest = f"""(
        SELECT max(rowid) FROM job_executions {schema.indexed_by(EXECUTIONS_INDEX)}
        WHERE job_id = w.value{{since}})"""
    columns = ["w.key AS place", "n.rowid > ?1 AS is_new"]
    for table in ("n", "b"):
        for name, size in (("fingerprint", 16), ("error", 2_000), ("traceback", 20_000)):
            present = name in schema.execution_columns
            value = f"substr({table}.{name}, 1, {size})" if present else "NULL"
            if name != "fingerprint" and "fingerprint" in schema.execution_columns:
                # What says already what failed need not be read.
                value = f"CASE WHEN {table}.fingerprint IS NULL THEN {value} END"
            columns.append(f"{value} AS {table}_{name}")
        columns.append(f"{table}.status IN ('failed', 'timeout', 'crashed') AS {table}_failed")
    return f"""
SELECT {", ".join(columns)} FROM json_each(?2) w
LEFT JOIN job_executions n ON n.rowid = {newest.format(since="")}
LEFT JOIN job_executions b ON b.rowid = {newest.format(since=" AND rowid <= ?1")}"""
