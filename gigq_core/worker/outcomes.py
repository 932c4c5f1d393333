"""What a worker writes when attempts end, within its transaction."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from typing import Any, NamedTuple

from gigq_core.failures import failure_of
from gigq_core.rows.due import due_after
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.status import ExecutionStatus, JobStatus
from gigq_core.units.times import Moment
from gigq_core.worker import runner
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.decisions import SNOOZED_IN_A_ROW, decide, delay_after

logger = logging.getLogger("gigq_core.worker")

# As the file has it: an enum tells its value by a call of Python's own.
_EXECUTION_STATUS = {
    Fate.COMPLETED: ExecutionStatus.COMPLETED.value,
    Fate.FAILED: ExecutionStatus.FAILED.value,
    Fate.SNOOZED: ExecutionStatus.SNOOZED.value,
    Fate.HOPELESS: ExecutionStatus.FAILED.value,
    Fate.TIMEOUT: ExecutionStatus.TIMEOUT.value,
    Fate.CANCELLED: ExecutionStatus.CANCELLED.value,
    Fate.CRASHED: ExecutionStatus.CRASHED.value,
    Fate.GIVEN_BACK: ExecutionStatus.CANCELLED.value,
    Fate.NOT_BEGUN: ExecutionStatus.CANCELLED.value,
}
_FINAL_STATUS = {
    Fate.COMPLETED: JobStatus.COMPLETED.value,
    Fate.FAILED: JobStatus.FAILED.value,
    Fate.HOPELESS: JobStatus.FAILED.value,
    Fate.TIMEOUT: JobStatus.TIMEOUT.value,
    Fate.CANCELLED: JobStatus.CANCELLED.value,
    Fate.CRASHED: JobStatus.FAILED.value,
    Fate.GIVEN_BACK: JobStatus.FAILED.value,
}
_FAILED = (
    ExecutionStatus.FAILED.value,
    ExecutionStatus.TIMEOUT.value,
    ExecutionStatus.CRASHED.value,
)
_NOT_THE_JOBS = (Fate.CANCELLED, Fate.GIVEN_BACK, Fate.NOT_BEGUN)
# After these, the job's policy and what it raised say what follows.
_DECIDED = (Fate.FAILED, Fate.HOPELESS, Fate.TIMEOUT)

# So often in a row an attempt that was given back is not counted.
UNCOUNTED_IN_A_ROW = 100
# A job that kills its process again and again is not given another one, whatever `max_attempts`.
CRASHES_ALLOWED = 5

# What a value, or a row, that can't be stored makes of a statement.
UNSTORABLE = (sqlite3.Error, ValueError, OverflowError, TypeError, MemoryError)


def record(conn: sqlite3.Connection, begun: Begun) -> None:
    """Write that an attempt has begun, and where."""
    values = {
        "job": begun.claim.job_id,
        "execution": begun.claim.execution_id,
        "begun": begun.at.text,
        "begun_utc": begun.at.utc,
        "pid": begun.pid,
    }
    conn.execute(sql.RECORD_JOB, values)
    conn.execute(sql.RECORD_EXECUTION, values)
    if begun.agent is not None:
        conn.execute(sql.NOTE_AGENT, (*begun.agent, begun.claim.execution_id))


def put_back(conn: sqlite3.Connection, claim: Claim, now: Moment) -> None:
    """Undo a claim of this very transaction."""
    values = {
        "job": claim.job_id,
        "execution": claim.execution_id,
        "now": now.text,
        "utc": now.utc,
    }
    if not conn.execute(sql.GIVE_BACK_JOB, values).rowcount:
        conn.execute(sql.BY_TOKEN[sql.GIVE_BACK_JOB], values)


class Written(NamedTuple):
    """What was written of some endings."""

    # As they are stored.
    endings: list[Ending]
    # Those of them whose job was no longer their own.
    superseded: list[Ending]


def end(conn: sqlite3.Connection, endings: list[Ending], now: Moment) -> Written:
    """Write how attempts ended, all of them or none."""
    stored = []
    superseded = []
    executions = []
    failed = []
    for told in endings:
        values = _values_of(told, now)
        ending, held = _end_job(conn, told, values, now)
        stored.append(ending)
        if not held:
            superseded.append(ending)
            values["status"] = ExecutionStatus.SUPERSEDED.value
        elif ending.fate is Fate.NOT_BEGUN:
            conn.execute(sql.FORGET_EXECUTION, (ending.claim.execution_id,))
            continue
        else:
            status = _EXECUTION_STATUS[ending.fate]
            values["status"] = status
            if status in _FAILED:
                raised = ending.raised[0] if ending.raised else ""
                values |= what_failed(values["error"], values["traceback"], raised)
                failed.append(values)
                continue
        executions.append(values)
    conn.executemany(sql.END_EXECUTION, executions)
    if failed:
        conn.executemany(sql.END_FAILED_EXECUTION, failed)
    elsewhere = [(*e.agent, e.claim.execution_id) for e in endings if e.agent is not None]
    if elsewhere:
        conn.executemany(sql.NOTE_AGENT, elsewhere)
    return Written(stored, superseded)


def end_each(conn: sqlite3.Connection, endings: list[Ending], now: Moment) -> Written:
    """As `end`, each in a savepoint of its own; for when `end` has failed.

    What can't be stored fails its own job for good, and keeps no other from being written.
    """
    written = Written([], [])
    for ending in endings:
        problem = _try_to_end(conn, ending, now, written)
        if problem is not None:
            problem = _try_to_end(conn, unstorable(ending, problem), now, written)
        if problem is not None:
            logger.error("The end of job %s can't be written: %s", ending.claim.job_id, problem)
    return written


def _try_to_end(
    conn: sqlite3.Connection, ending: Ending, now: Moment, written: Written
) -> Exception | None:
    try:
        with savepoint(conn):
            found = end(conn, [ending], now)
    except UNSTORABLE as problem:
        if is_passing(problem) or not conn.in_transaction:
            raise
        return problem
    written.endings.extend(found.endings)
    written.superseded.extend(found.superseded)
    return None


def unstorable(ending: Ending, problem: Exception) -> Ending:
    """What is written of an ending that can't be stored: why, and a short form of it."""
    fate = ending.fate if ending.fate in _NOT_THE_JOBS else Fate.HOPELESS
    what, value = "result", ending.result
    if ending.fate is not Fate.COMPLETED:
        what, value = "error", ending.error
    reason = f"its {what} can't be stored: {problem}\nThe {what}: {runner.shown(value)}"
    error = runner.clipped(runner.storable(reason))
    return Ending(ending.claim, fate, error=error, agent=ending.agent)


def _values_of(ending: Ending, now: Moment) -> dict[str, Any]:
    return {
        "job": ending.claim.job_id,
        "execution": ending.claim.execution_id,
        "now": now.text,
        "utc": now.utc,
        "result": ending.result,
        "error": ending.error,
        "traceback": ending.traceback,
        "output": ending.output,
        "decision": None,
        "begun": None if ending.begun is None else ending.begun.text,
        "begun_utc": None if ending.begun is None else ending.begun.utc,
        "pid": ending.pid,
    }


def what_failed(
    error: str | None, traceback: str | None = None, raised: str = ""
) -> dict[str, str | None]:
    """What is stored of a failure beside its texts, by the columns' names; see `failure_of`."""
    failure = failure_of(error, traceback, raised)
    return {
        "error_type": failure.type,
        "error_message": failure.message,
        "fingerprint": failure.fingerprint,
    }


def _end_job(
    conn: sqlite3.Connection, ending: Ending, values: dict[str, Any], now: Moment
) -> tuple[Ending, bool]:
    """Write the outcome of the job: how it is stored, and whether it was still the attempt's own.

    `values` are those of both statements; what is decided here is added to them.
    """
    fate = ending.fate
    if fate is Fate.COMPLETED:
        statement = sql.END_JOB
    elif fate in _DECIDED:
        ending, statement = _decided(conn, ending, values, now)
    elif fate is Fate.NOT_BEGUN:
        statement = sql.UNCLAIM_JOB
    elif fate is Fate.GIVEN_BACK and not _given_back_too_often(conn, ending.claim):
        statement = sql.GIVE_BACK_JOB
    elif _goes_on(conn, ending.claim, fate):
        statement = sql.RETRY_JOB
        delay_s = 0.0 if fate is Fate.GIVEN_BACK else delay_after(ending.claim)
        values |= due_after(delay_s, now)
    else:
        statement = sql.END_JOB
    if statement is sql.END_JOB:
        values["status"] = _FINAL_STATUS[fate]
    if statement is not sql.GIVE_BACK_JOB and fate is Fate.GIVEN_BACK:
        values["error"] = (
            f"{ending.error} (it was given back {UNCOUNTED_IN_A_ROW} times in a row, "
            "so each further time counts as an attempt)"
        )
    held = conn.execute(statement, values).rowcount
    return ending, held > 0 or conn.execute(sql.BY_TOKEN[statement], values).rowcount > 0


def _decided(
    conn: sqlite3.Connection, ending: Ending, values: dict[str, Any], now: Moment
) -> tuple[Ending, str]:
    """The ending and the statement, as it is decided on a failure or a timeout."""
    claim = ending.claim
    decision = decide(ending, lambda: _snoozed_too_often(conn, claim))
    values["decision"] = decision.sentence
    if not decision.goes_on:
        return ending, sql.END_JOB
    values |= due_after(decision.delay_s, now)
    if decision.snoozes:
        # It did not fail.
        values |= {"error": None, "traceback": None}
        ending = replace(ending, fate=Fate.SNOOZED, error=None, traceback=None)
    return ending, sql.RETRY_JOB if decision.counts else sql.SNOOZE_JOB


def _goes_on(conn: sqlite3.Connection, claim: Claim, fate: Fate) -> bool:
    """Whether the job gets another attempt after this one, which was not ended by itself."""
    if fate is Fate.CRASHED:
        return goes_on_after_crash(
            conn, claim.job_id, claim.attempt, claim.max_attempts, claim.on_crash
        )
    return fate is Fate.GIVEN_BACK and claim.attempt < claim.max_attempts


def goes_on_after_crash(
    conn: sqlite3.Connection, job_id: str, attempts: float, max_attempts: float, on_crash: object
) -> bool:
    """Whether the job gets another attempt after this crash, which is not recorded yet.

    Args:
        conn: the queue file.
        job_id: the job.
        attempts: how often it was started, this time included.
        max_attempts: how often it may be.
        on_crash: its own wish, "retry" or "fail"; anything else means "retry".
    """
    if on_crash == "fail" or attempts >= max_attempts:
        return False
    if attempts < CRASHES_ALLOWED:
        return True
    crashes: int = conn.execute(sql.CRASHES_OF, (job_id, attempts)).fetchone()[0]
    return crashes + 1 < CRASHES_ALLOWED


def _given_back_too_often(conn: sqlite3.Connection, claim: Claim) -> bool:
    """Whether so many attempts before were given back that this one counts."""
    uncounted: int = conn.execute(
        sql.GIVEN_BACK_OF, (claim.job_id, claim.execution_id, UNCOUNTED_IN_A_ROW)
    ).fetchone()[0]
    return uncounted >= UNCOUNTED_IN_A_ROW


def _snoozed_too_often(conn: sqlite3.Connection, claim: Claim) -> bool:
    """Whether so many attempts before asked to be run later that this one counts."""
    uncounted: int = conn.execute(
        sql.SNOOZED_OF, (claim.job_id, claim.execution_id, SNOOZED_IN_A_ROW)
    ).fetchone()[0]
    return uncounted >= SNOOZED_IN_A_ROW
