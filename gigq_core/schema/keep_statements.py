"""The statements of keeping: for how long what has ended stays, and how it goes."""

from __future__ import annotations

from gigq_core.schema.ddl import instant_of

HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_keeping'"

READ = "SELECT * FROM core_keeping WHERE place = 1"

READ_NEXT = "SELECT at, trouble FROM core_agenda WHERE what = ?"

# Set anew, a run begins anew, and the clock is believed as it is.
SET = """
INSERT INTO core_keeping (place, completed, failed, cancelled, archive, seen)
VALUES (1, :completed, :failed, :cancelled, :archive, :seen)
ON CONFLICT (place) DO UPDATE SET
    completed = excluded.completed, failed = excluded.failed, cancelled = excluded.cancelled,
    archive = excluded.archive, version = version + 1, status = NULL, after = NULL, walked = NULL,
    seen = excluded.seen, trouble = NULL, trouble_at = NULL"""

# Where a pass has come to, and what it has done.
MOVE = """
UPDATE core_keeping
SET status = :status, after = :after, ended = :ended, gone = gone + :gone,
    gone_last = :gone_last, gone_pass = :gone_pass, needed_last = :needed_last,
    walked = :walked, seen = :seen, trouble = NULL, trouble_at = NULL
WHERE place = 1"""

NOTE_TROUBLE = "UPDATE core_keeping SET trouble = :trouble, trouble_at = :utc WHERE place = 1"

# When a job ended: a row of before the file was attached may have GigQ's text alone.
_TEXT = "coalesce(completed_at, updated_at)"
_WHEN = f"coalesce(ended, {instant_of(_TEXT)})"

# By GigQ's own index on `status`: how far so many rows reach, and which of them are old enough.
REACH = """
SELECT max(place), count(*) FROM (
    SELECT rowid AS place FROM jobs WHERE status = ? AND rowid > ? ORDER BY rowid LIMIT ?)"""

ENDED_BEFORE = f"""
SELECT rowid AS place, {_WHEN} AS ended FROM jobs
WHERE status = ? AND rowid > ? AND rowid <= ? AND {_WHEN} <= ? ORDER BY rowid LIMIT ?"""

# As it is now: what is to go was looked at before the write lock was held.
STILL_SO = f"""
SELECT rowid AS place, CAST(id AS BLOB) AS id, status, {_WHEN} AS ended
FROM jobs
WHERE rowid IN (SELECT value FROM json_each(?))"""

# What it takes to let a job go: bytes, attempts, children.
_BYTES = " + ".join(f"coalesce(length({column}), 0)" for column in ("params", "result", "error"))
_TOLD = " + ".join(f"coalesce(length(x.{column}), 0)" for column in ("result", "traceback"))
WEIGHTS = f"""
SELECT j.rowid AS place, {_BYTES} AS bytes,
       (SELECT count(*) FROM job_executions x WHERE x.job_id = j.id) AS attempts,
       (SELECT coalesce(sum({_TOLD}), 0) FROM job_executions x WHERE x.job_id = j.id) AS told,
       (SELECT count(*) FROM core_edges e WHERE e.parent_id = j.id) AS children
FROM jobs j WHERE j.rowid IN (SELECT value FROM json_each(?))"""

WHOLE_JOBS = "SELECT * FROM jobs WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid"

EXECUTIONS_OF_PLACES = """
SELECT x.* FROM json_each(?) w CROSS JOIN jobs j ON j.rowid = w.value
     CROSS JOIN job_executions x ON x.job_id = j.id
ORDER BY x.rowid"""

_IDS = "(SELECT id FROM jobs WHERE rowid IN (SELECT value FROM json_each(:places)))"

# The files that they leave are deleted once this is on the disk.
NOTE_LEFT_FILES = f"""
INSERT OR IGNORE INTO core_left_files (execution_id)
SELECT id FROM job_executions
WHERE job_id IN {_IDS} AND (output IS NOT NULL OR status <> 'completed')"""

DELETE_BESIDE = (
    f"DELETE FROM job_executions WHERE job_id IN {_IDS}",
    f"DELETE FROM core_progress WHERE job_id IN {_IDS}",
    f"DELETE FROM core_saves WHERE job_id IN {_IDS}",
)

DELETE_JOBS = "DELETE FROM jobs WHERE rowid IN (SELECT value FROM json_each(:places))"

LEFT_FILES = "SELECT execution_id FROM core_left_files LIMIT ?"

FORGET_LEFT_FILES = """
DELETE FROM core_left_files WHERE execution_id IN (SELECT value FROM json_each(?))"""

IS_IDLE = """
SELECT NOT EXISTS (SELECT 1 FROM core_counts WHERE state IN ('ready', 'running') AND n > 0)"""
