"""The statements of unique jobs: who holds a key, and what becomes of a job that is replaced."""

from __future__ import annotations

from gigq_core.schema.ddl import HOLDS_ALIVE, HOLDS_LASTING, IS_KEYED, IS_LASTING, LASTS_UNTIL

_TOLD = "id, coalesce(substr(CAST(name AS TEXT), 1, 200), '') AS name, status"

# Of those that wait or run; the newest that waits comes first.
LIVE_HOLDERS = f"""
SELECT {_TOLD}, execution_id FROM jobs INDEXED BY core_keyed
WHERE unique_key = :key AND {IS_KEYED} AND {HOLDS_ALIVE} AND id <> :but
ORDER BY status <> 'pending', rowid DESC"""

# Of those whose key outlives them.
LASTING_HOLDER = f"""
SELECT {_TOLD}, NULL AS execution_id FROM jobs INDEXED BY core_keyed_lasting
WHERE unique_key = :key AND {IS_LASTING} AND {LASTS_UNTIL} > :utc AND {HOLDS_LASTING}
  AND id <> :but
ORDER BY {LASTS_UNTIL} DESC LIMIT 1"""

# Of those that were deleted.
DELETED_HOLDER = """
SELECT job_id AS id, name, 'deleted' AS status, NULL AS execution_id
FROM core_kept_keys INDEXED BY core_kept_keys_key
WHERE unique_key = :key AND holds_until > :utc AND (within IS NULL OR created - within < :utc)
  AND job_id <> :but
ORDER BY holds_until DESC LIMIT 1"""

HAS_EXPIRED_KEYS = "SELECT 1 FROM core_kept_keys WHERE holds_until <= ? LIMIT 1"

FORGET_EXPIRED_KEYS = """
DELETE FROM core_kept_keys WHERE job_id IN (
    SELECT job_id FROM core_kept_keys WHERE holds_until <= ? LIMIT ?)"""

# Of a job that might wait again.
KEY_OF = """
SELECT unique_key FROM jobs WHERE id = ? AND status IN ('failed', 'timeout', 'cancelled')"""

IS_THERE = "SELECT 1 FROM jobs WHERE id = ?"

# Keys that two jobs hold of which none waits for the other: GigQ's requeue asks nobody.
COUNT_SHARED = f"""
WITH twice (key) AS (
    SELECT unique_key FROM jobs INDEXED BY core_keyed
    WHERE {IS_KEYED} GROUP BY unique_key HAVING count(*) > 1
)
SELECT count(*) FROM twice
WHERE (SELECT count(*) FROM jobs INDEXED BY core_keyed
       WHERE unique_key = twice.key AND {IS_KEYED} AND {HOLDS_ALIVE}
         AND NOT EXISTS (SELECT 1 FROM core_edges e CROSS JOIN jobs p ON p.id = e.parent_id
                         WHERE e.child_id = jobs.id AND e.met = 0
                           AND p.unique_key = jobs.unique_key)) > 1"""

# --- another job in the place of one -----------------------------------------------------------

CHILDREN_OF = """
SELECT c.rowid AS place, c.id, c.dependencies, e.on_failure
FROM core_edges e CROSS JOIN jobs c ON c.id = e.child_id
WHERE e.parent_id = :old AND e.met = 0 AND c.status = 'pending'"""

SET_DEPENDENCIES = "UPDATE jobs SET dependencies = ? WHERE rowid = ?"

FORGET_EDGE = "DELETE FROM core_edges WHERE child_id = :child AND parent_id = :old"

WAIT_FOR = """
INSERT OR IGNORE INTO core_edges (child_id, parent_id, met, on_failure)
VALUES (:child, :new,
        EXISTS (SELECT 1 FROM jobs p WHERE p.id = :new AND p.status = 'completed')
        OR EXISTS (SELECT 1 FROM core_tombstones t WHERE t.job_id = :new AND t.completed = 1),
        :on_failure)"""

CANCEL_REPLACED = """
UPDATE jobs SET status = 'cancelled', error = :error, updated_at = :now, ended = :utc
WHERE id = :id AND status = 'pending'"""

# Whatever else it waits for, with this one's failure it goes on.
GO_ON_AFTER = """
UPDATE core_edges SET on_failure = 2 WHERE child_id = :child AND parent_id = :parent"""
