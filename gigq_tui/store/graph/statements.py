"""What is asked of the workflow that a graph is of."""

from __future__ import annotations

from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.instants import CREATED
from gigq_tui.store.queries import ID_CHARACTERS, NAME_CHARACTERS

WORKFLOW_INDEX = "core_workflow"

WORKFLOW_OF = f"""
SELECT substr(workflow, 1, {NAME_CHARACTERS}) AS workflow,
       substr(workflow_id, 1, 200) AS workflow_id
FROM jobs WHERE id = ?"""


def newest_runs(schema: FileSchema) -> str:
    """The runs of one workflow, the newest first, from one to the next in the index.

    Parameters: `name`, `most` runs that are looked at, `limit`.
    """
    of_name = f"FROM jobs j {schema.indexed_by(WORKFLOW_INDEX)} WHERE j.workflow = :name"
    return f"""
WITH RECURSIVE runs (id) AS (
    SELECT (SELECT min(j.workflow_id) {of_name})
    UNION ALL
    SELECT (SELECT min(j.workflow_id) {of_name} AND j.workflow_id > runs.id)
    FROM runs WHERE runs.id IS NOT NULL LIMIT :most
), firsts (id, key) AS (
    SELECT runs.id, (SELECT j.rowid {of_name} AND j.workflow_id = runs.id LIMIT 1)
    FROM runs WHERE runs.id IS NOT NULL
)
SELECT substr(firsts.id, 1, 200) AS id, {CREATED.columns(schema.job_columns, "jobs")}
FROM firsts CROSS JOIN jobs ON jobs.rowid = firsts.key ORDER BY firsts.key DESC LIMIT :limit"""


def jobs_of_run(schema: FileSchema) -> str:
    """The jobs of one run. Parameters: the workflow's name, the run's id, the limit."""
    return f"""
SELECT substr(id, 1, {ID_CHARACTERS}) AS id, substr(name, 1, {NAME_CHARACTERS}) AS name,
       substr(function_module, 1, 200) AS function_module,
       substr(function_name, 1, 200) AS function_name,
       substr(status, 1, 40) AS status, substr(retry_after, 1, 40) AS retry_after
FROM jobs {schema.indexed_by(WORKFLOW_INDEX)}
WHERE workflow = ? AND workflow_id = ? LIMIT ?"""
