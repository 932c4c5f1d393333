"""The doctor's statements. They may look at every row: nobody runs them at each refresh."""

from __future__ import annotations

from gigq_core.schema.ddl import state_of

SCHEMA_PARTS = "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"

COUNTERS = "SELECT state, n FROM core_counts"

TRUE_COUNTS = f"SELECT {state_of('jobs')} AS state, COUNT(*) AS n FROM jobs GROUP BY 1"

RUNNING_WITH_WORKER = """
SELECT j.id, w.host, w.pid, w.pid_started, w.boot_id, w.pid_namespace, w.isolation
FROM jobs j LEFT JOIN core_workers w ON w.id = j.worker_id
WHERE j.status = 'running'"""

# Downwards from every parent that did not complete, over what is still unmet. Who is told of a
# failure does not wait for ever.
COUNT_DOOMED = """
WITH RECURSIVE
below(id, missing) AS (
    SELECT e.child_id, p.id IS NULL
    FROM core_edges e LEFT JOIN jobs p ON p.id = e.parent_id
    WHERE e.met = 0
      AND (p.id IS NULL
           OR (p.status IN ('failed', 'timeout', 'cancelled') AND e.on_failure = 0))
    UNION
    SELECT e.child_id, b.missing FROM core_edges e JOIN below b ON b.id = e.parent_id
    WHERE e.met = 0
)
SELECT COUNT(DISTINCT CASE WHEN missing = 0 THEN j.id END),
       COUNT(DISTINCT CASE WHEN missing = 1 THEN j.id END)
FROM below JOIN jobs j ON j.id = below.id AND j.status = 'pending'"""

# What a waiting job still waits for, where that waits itself.
WAITING_FOR_EACH_OTHER = """
SELECT e.child_id, e.parent_id
FROM core_edges e
JOIN jobs c ON c.id = e.child_id AND c.status = 'pending'
JOIN core_edges above ON above.child_id = e.parent_id AND above.met = 0
JOIN jobs p ON p.id = e.parent_id AND p.status = 'pending'
WHERE e.met = 0
GROUP BY e.child_id, e.parent_id"""

COUNT_SCRIPT_JOBS = """
SELECT COUNT(*) FROM jobs WHERE status = 'pending' AND function_module = '__main__'"""

COUNT_DAMAGED = """
SELECT COUNT(*) FROM jobs
WHERE status = 'pending'
  AND (json_valid(coalesce(params, '')) = 0
       OR (dependencies IS NOT NULL AND dependencies <> '' AND json_valid(dependencies) = 0))"""

LATE_ON_AGENDA = "SELECT what FROM core_agenda WHERE at < ? ORDER BY at LIMIT 1"
