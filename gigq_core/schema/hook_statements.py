"""The statements of hooks, named: what they are about, what waits to be told, and their jobs."""

from __future__ import annotations

HOOKS = """
SELECT h.*, d.definition, a.at AS next_at, a.trouble, j.status AS job_status
FROM core_hooks h
     LEFT JOIN core_hook_jobs d ON d.hook = h.name
     LEFT JOIN core_agenda a ON a.what = 'hook:' || h.name
     LEFT JOIN jobs j ON j.id = h.last_job
ORDER BY h.name"""

HOOK_BY_NAME = HOOKS.replace("ORDER BY h.name", "WHERE h.name = ?")

SAME_HOOK = """
SELECT h.name FROM core_hooks h JOIN core_hook_jobs d ON d.hook = h.name
WHERE h.event = :event AND h.match = :match AND d.definition = :definition
ORDER BY h.made, h.name LIMIT 1"""

HAS_HOOK = "SELECT 1 FROM core_hooks WHERE name = ?"
EVENTS = "SELECT DISTINCT event FROM core_hooks"

# One that is there already goes on counting what waits.
PUT_HOOK = """
INSERT INTO core_hooks (name, event, match, every, made)
VALUES (:name, :event, :match, :every, :utc)
ON CONFLICT (name) DO UPDATE
SET event = excluded.event, match = excluded.match, every = excluded.every"""

PUT_DEFINITION = "INSERT OR REPLACE INTO core_hook_jobs (hook, definition) VALUES (?, ?)"

FORGET_TERMS = "DELETE FROM core_hook_terms WHERE hook = ?"
ADD_TERM = """
INSERT INTO core_hook_terms (hook, clause, place, field, exact, pattern, wanted)
VALUES (:hook, :clause, :place, :field, :exact, :pattern, :wanted)"""

FORGET_HOOK = (
    "DELETE FROM core_hooks WHERE name = ?",
    "DELETE FROM core_hook_jobs WHERE hook = ?",
    FORGET_TERMS,
    "DELETE FROM core_hook_outbox WHERE hook = ?",
)

PAUSE_HOOK = "UPDATE core_hooks SET paused = coalesce(paused, :utc) WHERE name = :name"
RESUME_HOOK = "UPDATE core_hooks SET paused = NULL WHERE name = ?"

# --- telling ---------------------------------------------------------------------------------

# Texts as bytes: what a damaged row holds may be none. What failed, as its attempt tells it, where
# that is still there; and how the job is by now.
OUTBOX = """
SELECT CAST(o.job_id AS BLOB) AS id, CAST(o.name AS BLOB) AS name,
       CAST(o.function AS BLOB) AS function, CAST(o.status AS BLOB) AS status,
       CAST(o.error AS BLOB) AS error, o.attempts, o.max_attempts, o.ended,
       CAST(o.worker AS BLOB) AS worker, CAST(o.lane AS BLOB) AS lane,
       CAST(o.workflow AS BLOB) AS workflow, CAST(o.batch AS BLOB) AS batch,
       CAST(o.schedule AS BLOB) AS schedule,
       CAST(e.error_type AS BLOB) AS error_type, CAST(e.error_message AS BLOB) AS error_message,
       CAST(j.status AS BLOB) AS now
FROM core_hook_outbox o
     LEFT JOIN job_executions e ON e.id = o.execution_id AND e.fingerprint IS NOT NULL
     LEFT JOIN jobs j ON j.id = o.job_id
WHERE o.hook = ? ORDER BY o.place"""

NOTE_TOLD = """
UPDATE core_hooks
SET waiting = 0, seen = 0, first = NULL, told = told + waiting, jobs = jobs + 1, last = :utc,
    last_job = :job, last_status = NULL
WHERE name = :name"""
EMPTY_OUTBOX = "DELETE FROM core_hook_outbox WHERE hook = ?"

# What is sent to try a hook out tells of nothing that waits.
NOTE_TRIED = "UPDATE core_hooks SET last_job = :job, last_status = NULL WHERE name = :name"

NOTE_SEEN = "UPDATE core_hooks SET seen = waiting WHERE name = ?"

# What waits to be told, and how it is on the agenda.
TO_RECHECK = """
SELECT h.name, h.every, h.last, a.at
FROM core_hooks h LEFT JOIN core_agenda a ON a.what = 'hook:' || h.name
WHERE h.waiting > 0 AND h.paused IS NULL"""
