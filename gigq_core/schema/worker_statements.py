"""The worker's statements, named: claims, outcomes, the register of workers, rescue."""

from __future__ import annotations

from gigq_core.job import DEFAULT_MAX_ATTEMPTS
from gigq_core.lane_names import HIDDEN
from gigq_core.schema.agenda_statements import FIRST_ON_AGENDA
from gigq_core.schema.ddl import (
    HELD,
    HIDDEN_READY,
    IS_DELAYED,
    IS_READY,
    IS_UNREAD_FAILURE,
    SCHEMA_VERSION,
    local_text,
)
from gigq_core.schema.failure_statements import FAILURE_TEXTS
from gigq_core.schema.statements import HAS_CASCADE

# Where an id may be any bytes, it travels as bytes: what is no valid text can't be asked for by it.
_EQUALS_BYTES = "IN (CAST({0} AS TEXT), {0})"

# --- looking, before the write lock is taken -------------------------------------------------

# SQLite lets a TEXT primary key be NULL; such a row can't be ended, so it is not begun.
_WAITS = f"{IS_READY} AND id IS NOT NULL"
_READY = f"{_WAITS} AND function_module <> '__main__'"
_READY_SCRIPT = f"{_WAITS} AND function_module = '__main__'"

READY_COUNT = f"""
SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY core_open WHERE {_READY} LIMIT ?)"""

_CALLABLE_HERE = "function_name IN (SELECT value FROM json_each({names}))"

READY_SCRIPT_COUNT = f"""
SELECT count(*) FROM (
    SELECT 1 FROM jobs INDEXED BY core_open_script
    WHERE {_READY_SCRIPT} AND {_CALLABLE_HERE.format(names="?")} LIMIT ?)"""

# One that waits for a script which does not work on the file: nobody runs it.
SCRIPT_JOB_LEFT = f"""
SELECT id, name, function_name FROM jobs INDEXED BY core_open_script
WHERE {_READY_SCRIPT} AND NOT {_CALLABLE_HERE.format(names=":functions")}
  AND NOT EXISTS (SELECT 1 FROM core_workers
                  WHERE isolation = 'thread' AND state <> 'stopped' AND id <> :worker)
LIMIT 1"""

NEXT_DUE = f"""
SELECT due FROM jobs INDEXED BY core_due_utc WHERE {IS_DELAYED} ORDER BY due LIMIT 1"""

STOP_REQUESTS = """
SELECT execution_id FROM jobs INDEXED BY core_running
WHERE status = 'running' AND worker_id = ? AND stop_requested_at IS NOT NULL"""

QUEUE_PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"

# Any other word is no request: it could never be answered.
OWN_REQUEST = """
SELECT request FROM core_workers
WHERE id = ? AND request IN ('pause', 'resume', 'drain', 'stop')"""

PARENTS = """
SELECT id, status, error, result FROM jobs WHERE id IN (SELECT value FROM json_each(?))"""

SAVED_OF = "SELECT saved FROM core_saves WHERE job_id = ?"
# All of it at once. Parameters: the most that are counted, the worker's id, and again; with a
# script's functions: their names, and the most once more.
LOOK = f"""
SELECT ({NEXT_DUE}) AS due, ({QUEUE_PAUSED}) AS paused, ({READY_COUNT}) AS ready,
       ({OWN_REQUEST}) AS request, EXISTS ({STOP_REQUESTS}) AS stops,
       EXISTS ({HAS_CASCADE}) AS children, ({FIRST_ON_AGENDA}) AS agenda"""
LOOK_WITH_SCRIPT = f"{LOOK}, ({READY_SCRIPT_COUNT}) AS ready_script"

# --- claiming --------------------------------------------------------------------------------

STAGE_DUE = f"""
UPDATE jobs SET due = NULL, due_in = NULL,
                retry_after = CASE WHEN retry_after = '{HELD}' THEN {HIDDEN_READY} END
WHERE rowid IN (
    SELECT rowid FROM jobs INDEXED BY core_due_utc WHERE {IS_DELAYED} AND due <= ?
    ORDER BY due LIMIT ?)"""

# A delay can't be longer than it was: the clock was set back. Parameters: now, the same, the limit.
BRING_FORWARD = f"""
UPDATE jobs SET due = :utc + due_in,
                retry_after = CASE WHEN retry_after = '{HELD}' THEN retry_after
                                   ELSE {local_text(":utc + due_in")} END
WHERE rowid IN (
    SELECT rowid FROM jobs INDEXED BY core_due_utc
    WHERE {IS_DELAYED} AND due > :utc AND due_in IS NOT NULL AND due > :utc + due_in + 1
    LIMIT :most)"""

HAS_TO_BRING_FORWARD = f"""
SELECT 1 FROM jobs INDEXED BY core_due_utc
WHERE {IS_DELAYED} AND due > :utc AND due_in IS NOT NULL AND due > :utc + due_in + 1 LIMIT 1"""

# That the job may have been the end of its worker.
LOST = "(error GLOB 'worker * died' OR error GLOB 'its worker ended unexpectedly*')"

# An id of the form of a random UUID that sorts by time: so the index on a long history of attempts
# grows at its end, in pages that are at hand. 72 random bits keep it as good a token.
_MILLISECONDS = "printf('%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
_NEW_TOKEN = f"""lower(
        substr({_MILLISECONDS}, 1, 8) || '-' || substr({_MILLISECONDS}, 9) || '-4' ||
        substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' ||
        hex(randomblob(6)))"""

_OF_CLAIM = """id, execution_id, name, function_module, function_name, params, dependencies,
          attempts, max_attempts, timeout, retry_delay, pass_parent_results, on_crash,
          retry_policy, stall_timeout, lane, memory"""

# Whatever a damaged row holds, its attempts are counted from there on, and so come to an end.
_CLAIM = f"""
UPDATE jobs
SET status = 'running', worker_id = :worker, started_at = :now, updated_at = :now,
    began = :utc, ended = NULL,
    attempts = min(max(CAST(coalesce(attempts, 0) AS INTEGER), 0), 1000000000) + 1,
    execution_id = {_NEW_TOKEN}, stop_requested_at = NULL
WHERE rowid IN ({{chosen}})
  AND NOT EXISTS (SELECT 1 FROM core_meta WHERE key = 'paused_at')
RETURNING rowid, priority, {_OF_CLAIM},
          CASE WHEN attempts > 1 THEN {{lost}} END AS lost"""

# `INDEXED BY` on purpose: else the planner takes GigQ's index on `status`, and sorts all of it.
CLAIM = _CLAIM.format(
    lost=LOST,
    chosen=f"""
    SELECT rowid FROM jobs INDEXED BY core_open WHERE {_READY}
    ORDER BY priority DESC, rowid LIMIT :slots""",
)

# If the worker dies, a job claimed ahead may have begun a moment ago without a record, and the
# attempt does not count: so neither a job's last attempt, or its only one, nor one of a job that
# has been lost or tried before is claimed ahead. One that kills its worker is not counted once at
# most. A place in a lane is for one that runs.
CLAIM_AHEAD = _CLAIM.format(
    lost=LOST,
    chosen=f"""
    SELECT rowid FROM (
        SELECT rowid FROM jobs INDEXED BY core_open WHERE {_READY}
        ORDER BY priority DESC, rowid LIMIT :slots)
    UNION ALL
    SELECT rowid FROM (
        SELECT rowid, attempts, max_attempts, on_crash, started_at, lane
        FROM jobs INDEXED BY core_open
        WHERE {_READY} ORDER BY priority DESC, rowid LIMIT :ahead OFFSET :slots)
    WHERE coalesce(attempts, 0) + 1 < coalesce(max_attempts, {DEFAULT_MAX_ATTEMPTS})
      AND on_crash IS NOT 'fail' AND started_at IS NULL AND (lane IS NULL OR lane = '{HIDDEN}')""",
)

# Those that were chosen within the same transaction.
CLAIM_CHOSEN = _CLAIM.format(lost=LOST, chosen="SELECT value FROM json_each(:chosen)")

# A script also runs the functions that stand in its own `__main__`: two orders, merged.
CLAIM_WITH_SCRIPT = _CLAIM.format(
    lost=LOST,
    chosen=f"""
    SELECT rowid FROM (
        SELECT rowid, priority FROM (
            SELECT rowid, priority FROM jobs INDEXED BY core_open WHERE {_READY}
            ORDER BY priority DESC, rowid LIMIT :slots)
        UNION ALL
        SELECT rowid, priority FROM (
            SELECT rowid, priority FROM jobs INDEXED BY core_open_script
            WHERE {_READY_SCRIPT} AND {_CALLABLE_HERE.format(names=":functions")}
            ORDER BY priority DESC, rowid LIMIT :slots)
        ORDER BY priority DESC, rowid LIMIT :slots)""",
)

_BEST_OF_ALL = f"""
SELECT priority, rowid FROM (
    SELECT priority, rowid FROM (
        SELECT priority, rowid FROM jobs INDEXED BY core_open WHERE {_READY}
        ORDER BY priority DESC, rowid LIMIT :slots)
    UNION ALL
    SELECT priority, rowid FROM (
        SELECT priority, rowid FROM jobs INDEXED BY core_open_script
        WHERE {_READY_SCRIPT} AND {_CALLABLE_HERE.format(names=":functions")}
        ORDER BY priority DESC, rowid LIMIT :slots)
    ORDER BY priority DESC, rowid LIMIT :slots)"""

# Those run one at a time, lest each death costs the same others beside it one attempt after the
# other.
IS_NOT_LOST = f"(error IS NULL OR NOT {LOST})"
WITHOUT_LOST = {
    statement: statement.replace(_WAITS, f"{_WAITS} AND {IS_NOT_LOST}")
    for statement in (LOOK, LOOK_WITH_SCRIPT, CLAIM, CLAIM_AHEAD, CLAIM_WITH_SCRIPT, _BEST_OF_ALL)
}
# By whether one that may be lost is taken.
BEST_OF_ALL = {True: _BEST_OF_ALL, False: WITHOUT_LOST[_BEST_OF_ALL]}

# What a worker holds beside some attempts that are named, as JSON.
HELD_BESIDE = f"""
SELECT {_OF_CLAIM} FROM jobs INDEXED BY core_running
WHERE status = 'running' AND worker_id = ? AND execution_id IS NOT NULL
  AND execution_id NOT IN (SELECT value FROM json_each(?))"""

BEGIN_EXECUTION = """
INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, pid)
VALUES (?, ?, ?, 'running', ?, ?, ?)"""

# --- outcomes: whoever holds the token, and nobody else ---------------------------------------

_END = """
UPDATE jobs
SET status = :status, updated_at = :now, completed_at = :now, result = :result, error = :error,
    ended = :utc, started_at = coalesce(:begun, started_at), began = coalesce(:begun_utc, began),
    worker_id = NULL, execution_id = NULL, stop_requested_at = NULL"""

# A job that somebody asked to stop does not wait for another attempt.
_RETRY = f"""
UPDATE jobs
SET status = CASE WHEN stop_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END,
    updated_at = :now, error = :error, worker_id = NULL, execution_id = NULL,
    stop_requested_at = NULL,
    ended = CASE WHEN stop_requested_at IS NOT NULL THEN :utc END,
    due = CASE WHEN stop_requested_at IS NULL THEN :due END,
    due_in = CASE WHEN stop_requested_at IS NULL THEN :due_in END,
    retry_after = CASE WHEN stop_requested_at IS NOT NULL THEN NULL
                       WHEN lane IS NULL THEN :retry_after
                       WHEN :due IS NULL THEN {HIDDEN_READY} ELSE '{HELD}' END"""

# The attempt was not the job's fault, so it is not counted.
_GIVE_BACK = f"""
UPDATE jobs
SET status = CASE WHEN stop_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END,
    updated_at = :now, attempts = max(0, attempts - 1), worker_id = NULL, execution_id = NULL,
    ended = CASE WHEN stop_requested_at IS NOT NULL THEN :utc END,
    stop_requested_at = NULL, due = NULL, due_in = NULL,
    retry_after = CASE WHEN lane IS NOT NULL AND stop_requested_at IS NULL
                       THEN {HIDDEN_READY} END"""

# It asked to be run later, so the attempt is not counted.
_SNOOZE = _RETRY + ", attempts = max(0, attempts - 1)"

# Its turn did not come, so it never started.
_UNCLAIM = _GIVE_BACK + ", started_at = NULL, began = NULL"

_BY_ID = " WHERE id = :job AND execution_id = :execution AND status = 'running'"
END_JOB = _END + _BY_ID
RETRY_JOB = _RETRY + _BY_ID
GIVE_BACK_JOB = _GIVE_BACK + _BY_ID
SNOOZE_JOB = _SNOOZE + _BY_ID
UNCLAIM_JOB = _UNCLAIM + _BY_ID

# What the rescue found: each value may be anything, and not even text, so the row is found by its
# place, and the bytes of the token tell that it is still the same.
_BY_PLACE = """
WHERE rowid = :place AND CAST(execution_id AS BLOB) IS :token AND status = 'running'"""
END_LOST_JOB = _END + _BY_PLACE
RETRY_LOST_JOB = _RETRY + _BY_PLACE
# It keeps its `started_at`, so that it is not claimed ahead again.
GIVE_BACK_LOST_JOB = _GIVE_BACK + _BY_PLACE

# What running jobs say of themselves.
_REPORT = """
INSERT OR REPLACE INTO core_progress (job_id, execution_id, done, total, note, at)
SELECT id, execution_id, :done, :total, :note, :at FROM jobs"""

_SAVE = """
INSERT OR REPLACE INTO core_saves (job_id, saved, at) SELECT id, :saved, :at FROM jobs"""

REPORT = _REPORT + _BY_ID
SAVE = _SAVE + _BY_ID

# An id that is not valid text can't be asked for; the token alone is slower, and as good.
_BY_TOKEN = " WHERE execution_id = :execution AND status = 'running'"
BY_TOKEN = {
    statement + _BY_ID: statement + _BY_TOKEN
    for statement in (_END, _RETRY, _SNOOZE, _GIVE_BACK, _UNCLAIM, _REPORT, _SAVE)
}

_END_EXECUTION = """
UPDATE job_executions
SET status = :status, completed_at = :now, ended = :utc, result = :result, error = :error,
    traceback = :traceback, output = :output, decision = :decision,
    started_at = coalesce(:begun, started_at), began = coalesce(:begun_utc, began),
    pid = coalesce(:pid, pid)"""
END_EXECUTION = _END_EXECUTION + " WHERE id = :execution"

# What failed.
_TYPED = "error_type = :error_type, error_message = :error_message, fingerprint = :fingerprint"
END_FAILED_EXECUTION = f"{_END_EXECUTION}, {_TYPED} WHERE id = :execution"

# --- jobs claimed ahead of a free slot -------------------------------------------------------

RECORD_JOB = """
UPDATE jobs SET started_at = :begun, began = :begun_utc
WHERE id = :job AND execution_id = :execution AND status = 'running'"""

RECORD_EXECUTION = """
UPDATE job_executions SET started_at = :begun, began = :begun_utc, pid = :pid
WHERE id = :execution"""

NOTE_AGENT = "UPDATE job_executions SET agent = ?, link = ? WHERE id = ?"

FORGET_EXECUTION = "DELETE FROM job_executions WHERE id = ?"

# Of the attempts since the job was last submitted or requeued.
CRASHES_OF = """
SELECT count(*) FROM (
    SELECT status FROM job_executions WHERE job_id = ? AND status <> 'snoozed'
    ORDER BY rowid DESC LIMIT ?)
WHERE status = 'crashed'"""

# Of the last attempts, however long ago the job was submitted.
GIVEN_BACK_OF = """
SELECT count(*) FROM (
    SELECT status FROM job_executions WHERE job_id = ? AND id <> ?
    ORDER BY rowid DESC LIMIT ?)
WHERE status = 'cancelled'"""

# Of the last attempts.
SNOOZED_OF = """
SELECT count(*) FROM (
    SELECT status FROM job_executions WHERE job_id = ? AND id <> ?
    ORDER BY rowid DESC LIMIT ?)
WHERE status = 'snoozed'"""

# --- the register of workers -----------------------------------------------------------------

WORKER_BY_ID = "SELECT * FROM core_workers WHERE id = ?"

REGISTER = f"""
INSERT OR REPLACE INTO core_workers (
    id, owner, host, pid, pid_started, boot_id, pid_namespace, isolation, slots, python, chdir,
    log_path, state, started_at, began, release, beat, done, failed, lanes, only_lanes
) VALUES (
    :id, :owner, :host, :pid, :pid_started, :boot_id, :pid_namespace, :isolation, :slots, :python,
    :chdir, :log_path, 'running', :now, :utc, {SCHEMA_VERSION}, 1, :done, :failed, :lanes,
    :only_lanes)"""

# A request is answered by the state that follows from it.
BEAT = """
UPDATE core_workers
SET beat = beat + 1, state = :state, slots = :slots, done = :done, failed = :failed,
    claimed = :claimed,
    request = CASE WHEN request IS :answered THEN NULL ELSE request END
WHERE id = :id"""

BEAT_ALONE = "UPDATE core_workers SET beat = beat + 1 WHERE id = ?"

# Which of these attempts are still their job's own.
HELD_OF = """
SELECT execution_id FROM jobs WHERE status = 'running' AND execution_id IN (
    SELECT value FROM json_each(?))"""

RETIRE = """
UPDATE core_workers
SET state = 'stopped', request = NULL, stopped_at = :now, ended = :utc, done = :done,
    failed = :failed, claimed = :claimed
WHERE id = :id"""

# In `core_meta`, with the worker's id behind the word; the value is in seconds. An older release
# leaves none.
_EAST_KEY = "east_of_utc:"
_EAST_KEYS = "key >= 'east_of_utc:' AND key < 'east_of_utc;'"
_EAST_WORKER = f"substr(key, {len(_EAST_KEY) + 1})"

NOTE_OFFSET = f"INSERT OR REPLACE INTO core_meta (key, value) VALUES ('{_EAST_KEY}' || ?, ?)"

FORGET_OFFSETS = f"""
DELETE FROM core_meta
WHERE {_EAST_KEYS}
  AND {_EAST_WORKER} NOT IN (SELECT id FROM core_workers WHERE state <> 'stopped')"""

# Read at every refresh: `CROSS JOIN` keeps to the few keys, whatever workers there have been.
OFFSETS = f"""
SELECT w.*, m.value AS east_of_utc
FROM core_meta m CROSS JOIN core_workers w ON w.id = {_EAST_WORKER}
WHERE {_EAST_KEYS} AND w.state <> 'stopped'"""

CLAIMS_OF_GIGQ = """
SELECT worker_id, started_at, began FROM jobs
WHERE status = 'running' AND execution_id IS NULL AND worker_id IS NOT NULL
LIMIT ?"""

# A dead worker's row, while something of it may go on, when another one takes its id.
RENAME_WORKER = "UPDATE OR REPLACE core_workers SET id = :new WHERE id = :id"
RENAME_HOLDER = """
UPDATE jobs INDEXED BY core_running SET worker_id = :new
WHERE status = 'running' AND worker_id = :id"""

FORGET_OLD_WORKERS = """
DELETE FROM core_workers WHERE state = 'stopped' AND ended < :before"""

# --- housekeeping ----------------------------------------------------------------------------

_JOB = _EQUALS_BYTES.format(":job")

DELETED_BEFORE = """
SELECT CAST(job_id AS BLOB) FROM core_tombstones WHERE deleted_at < ?
ORDER BY deleted_at LIMIT ?"""

FORGET_EXECUTIONS = f"""
DELETE FROM job_executions
WHERE job_id {_JOB} AND NOT EXISTS (SELECT 1 FROM jobs WHERE id {_JOB})
RETURNING id"""

FORGET_DELETED = f"DELETE FROM core_tombstones WHERE job_id {_JOB}"

_IF_GONE = f"WHERE job_id {_JOB} AND NOT EXISTS (SELECT 1 FROM jobs WHERE id {_JOB})"
FORGET_SAID = (f"DELETE FROM core_progress {_IF_GONE}", f"DELETE FROM core_saves {_IF_GONE}")

# Failures that were recorded without what failed.
UNREAD_FAILURES = f"""
SELECT rowid AS place, {FAILURE_TEXTS}
FROM job_executions INDEXED BY core_failures WHERE {IS_UNREAD_FAILURE} LIMIT ?"""

NOTE_FAILURE = f"""
UPDATE job_executions SET {_TYPED} WHERE rowid = :place AND {IS_UNREAD_FAILURE}"""

# --- rescue ----------------------------------------------------------------------------------

RUNNING_JOBS = """
SELECT j.rowid AS place, j.id, coalesce(substr(CAST(j.name AS TEXT), 1, 200), '') AS name,
       j.execution_id, CAST(j.execution_id AS BLOB) AS token, j.worker_id, j.attempts,
       j.max_attempts, j.timeout, j.retry_delay, j.on_crash, j.retry_policy,
       j.stop_requested_at, j.began, substr(CAST(j.error AS TEXT), 1, 200) AS error,
       w.rowid AS registered, w.state, w.host, w.pid,
       w.pid_started, w.boot_id, w.pid_namespace, w.beat, w.owner, w.isolation
FROM jobs j INDEXED BY core_running LEFT JOIN core_workers w ON w.id = j.worker_id
WHERE j.status = 'running'"""

# One job by its id, whatever its status.
RUNNING_JOB = RUNNING_JOBS.replace(" INDEXED BY core_running", "").replace(
    "WHERE j.status = 'running'", "WHERE j.status = 'running' AND j.id = ?"
)

LIVE_WORKERS = """
SELECT rowid AS place, id, host, pid, pid_started, boot_id, pid_namespace, beat FROM core_workers
WHERE state IS NOT 'stopped'"""

LIVE_WORKER_AT = LIVE_WORKERS + " AND rowid = ?"

BURY_WORKER = """
UPDATE core_workers SET state = 'stopped', request = NULL, stopped_at = :now, ended = :utc
WHERE rowid = :place"""

# In `core_meta`, behind the word the id of a worker that was found dead and buried, and not one
# that said goodbye; the value is when, in UTC seconds.
_DIED_KEY = "died:"
_DIED_KEYS = "key >= 'died:' AND key < 'died;'"

NOTE_DEATH = f"""
INSERT OR REPLACE INTO core_meta (key, value)
SELECT '{_DIED_KEY}' || id, :utc FROM core_workers WHERE rowid = :place"""

FORGET_DEATHS = f"""
DELETE FROM core_meta
WHERE {_DIED_KEYS} AND substr(key, {len(_DIED_KEY) + 1}) NOT IN (
    SELECT id FROM core_workers WHERE state = 'stopped')"""

# Whether the worker `w` is one of those.
HAS_DIED = f"EXISTS (SELECT 1 FROM core_meta m WHERE m.key = '{_DIED_KEY}' || w.id)"

# The process stands there once the attempt has begun, unless that was a moment ago.
PROCESS_OF = "SELECT pid FROM job_executions WHERE id = ?"

END_CRASHED_EXECUTION = f"""
UPDATE job_executions
SET status = 'crashed', completed_at = :now, ended = :utc, error = :error, output = :output,
    decision = :decision, {_TYPED}
WHERE id {_EQUALS_BYTES.format(":token")} AND status = 'running'"""

END_TIMED_OUT_EXECUTION = END_CRASHED_EXECUTION.replace("'crashed'", "'timeout'")

# GigQ's own rule for rows that its own workers run: they bear no token.
GIGQ_TIMEOUT = """
UPDATE jobs SET status = :status, updated_at = :now, worker_id = NULL, error = :error,
                retry_after = :retry_after, due = :due, due_in = :due_in, ended = :ended
WHERE rowid = :place AND status = 'running' AND execution_id IS NULL AND began = :began"""

GIGQ_TIMEOUT_EXECUTIONS = f"""
UPDATE job_executions
SET status = 'timeout', completed_at = :now, ended = :utc, error = :error, {_TYPED}
WHERE job_id = (SELECT id FROM jobs WHERE rowid = :place) AND status = 'running'"""
