"""The statements by which jobs are followed after an action."""

from __future__ import annotations

from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.queries import EXECUTIONS_INDEX

NEWEST_ATTEMPT = "SELECT substr(id, 1, 200) FROM job_executions ORDER BY rowid DESC LIMIT 1"
ATTEMPT_KEY = "SELECT rowid FROM job_executions WHERE id = ?"


def where_they_are(schema: FileSchema) -> str:
    """Where some jobs are; a row for each, whether there is such a job or not.

    Parameter: their ids as a JSON list.
    """
    columns = ["w.key AS place", "substr(j.status, 1, 40) AS status"]
    for name, cut in (("retry_after", 40), ("stop_requested_at", 40)):
        present = name in schema.job_columns
        columns.append(f"substr(j.{name}, 1, {cut}) AS {name}" if present else f"NULL AS {name}")
    due = "CASE WHEN typeof(j.due) IN ('integer', 'real') THEN j.due END"
    columns.append(f"{due if 'due' in schema.job_columns else 'NULL'} AS due")
    return f"SELECT {', '.join(columns)} FROM json_each(?) w LEFT JOIN jobs j ON j.id = w.value"


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
