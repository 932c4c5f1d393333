"""Statements for the ending of a job that submitted others."""

from __future__ import annotations

from gigq_core.schema.ddl import IS_MET

# Whether the attempt is still the job's own; and what those that it submits belong to.
HOLDER = """
SELECT workflow, workflow_id, batch, hook FROM jobs
WHERE id = :job AND execution_id = :execution AND status = 'running'"""

# Who waits for the job, or would if it was retried.
DEPENDENTS = """
SELECT c.rowid AS place, c.id, c.name, c.dependencies, e.on_failure
FROM core_edges e CROSS JOIN jobs c ON c.id = e.child_id
WHERE e.parent_id = ? AND e.met = 0 AND c.status NOT IN ('running', 'completed')"""

WAIT_FOR = f"""
INSERT OR IGNORE INTO core_edges (child_id, parent_id, met, on_failure)
SELECT :child, :parent, {IS_MET.format(parent=":parent")}, :on_failure"""

# GigQ's workers go by the text.
NAME_PARENTS = (
    "UPDATE jobs SET dependencies = :dependencies, updated_at = :now WHERE rowid = :place"
)
