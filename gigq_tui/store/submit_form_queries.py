"""The statements that the submit form reads with, named: bounded, whatever stands in the file."""

from __future__ import annotations

from gigq_core.schema.ddl import PARKED
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.queries import STATUS_INDEX, parents_of

# Parameters: how many of the newest rows are looked through, the pattern, the limit.
IDS_BY_NAME = """
SELECT id FROM (SELECT id, name, rowid AS key FROM jobs ORDER BY rowid DESC LIMIT ?)
WHERE id IS NOT NULL AND name LIKE ? ESCAPE '\\' ORDER BY key DESC LIMIT ?"""

# Parameters: how many of the newest rows are looked through, the limit.
RECENT_FUNCTIONS = """
SELECT substr(function_module, 1, 200) AS module, substr(function_name, 1, 200) AS name
FROM (SELECT function_module, function_name, rowid AS key FROM jobs ORDER BY rowid DESC LIMIT ?)
GROUP BY module, name ORDER BY max(key) DESC LIMIT ?"""

# In the order of the claim: a new row stands behind all of its own priority. Parameters: the
# priority, the limit.
READY_AHEAD = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM jobs INDEXED BY core_ready
    WHERE status = 'pending' AND retry_after IS NULL AND function_module <> '__main__'
      AND priority >= ? LIMIT ?)"""

# A claim first makes ready what has become due. Parameters: now, the limit of the rows that are
# looked at, the priority.
DUE_AHEAD = f"""
SELECT COUNT(*) FROM (
    SELECT priority FROM jobs INDEXED BY core_due
    WHERE status = 'pending' AND retry_after IS NOT NULL AND retry_after <> '{PARKED}'
      AND retry_after <= ? LIMIT ?)
WHERE priority >= ?"""

LINE_INDEXES = frozenset({"core_ready", "core_due"})


def ahead_of_priority_unattached(schema: FileSchema) -> str:
    """How many waiting rows were looked at, and how many of them are claimed before a new one.

    Parameters: the priority, the limit of the rows looked at.
    """
    blocked = f"""EXISTS (
        SELECT 1 FROM {parents_of("w")} d JOIN jobs p ON p.id = d.value
        WHERE p.status <> 'completed')"""
    return f"""
SELECT COUNT(*), COALESCE(SUM(w.priority >= ? AND NOT {blocked}), 0)
FROM (SELECT priority, dependencies FROM jobs {schema.indexed_by(STATUS_INDEX)}
      WHERE status = 'pending' LIMIT ?) w"""
