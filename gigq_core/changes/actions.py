"""What people do to jobs, one by one, within the caller's transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable

from gigq_core.changes import cascade
from gigq_core.job import INTEGER_LIMIT
from gigq_core.rows.decoding import as_int
from gigq_core.schema import statements as sql
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.submitting.key_holders import reason_against_return
from gigq_core.units.times import Moment, now_text

logger = logging.getLogger("gigq_core.queue")

_STATE_WORDS = {
    JobStatus.PENDING.value: "it is already waiting",
    JobStatus.COMPLETED.value: "it has already completed",
    JobStatus.FAILED.value: "it has already failed",
    JobStatus.TIMEOUT.value: "it has already timed out",
    JobStatus.CANCELLED.value: "it is already cancelled",
}


def cancel(conn: sqlite3.Connection, job_ids: Iterable[str]) -> list[Outcome]:
    """Cancel what waits, and write down the wish that what runs be stopped."""
    return [_cancel_one(conn, job_id) for job_id in job_ids]


def requeue(conn: sqlite3.Connection, job_ids: Iterable[str]) -> list[Outcome]:
    """Let what failed, timed out or was cancelled wait again."""
    return [_requeue_one(conn, job_id) for job_id in job_ids]


def set_priority(conn: sqlite3.Connection, job_ids: Iterable[str], priority: int) -> list[Outcome]:
    """Give waiting jobs a priority."""
    return [_reprioritize_one(conn, job_id, lambda _: priority) for job_id in job_ids]


def change_priority(conn: sqlite3.Connection, job_ids: Iterable[str], by: int) -> list[Outcome]:
    """Raise the priority of waiting jobs, each from where it stands, or lower it."""
    return [_reprioritize_one(conn, job_id, lambda now: now + by) for job_id in job_ids]


def refusal(
    conn: sqlite3.Connection, job_id: str, if_running: str = "it is still running"
) -> Outcome:
    """The outcome for a job that is not in a state for the act: the reason is where it stands."""
    row = conn.execute(sql.JOB_STATE, (job_id,)).fetchone()
    if row is None:
        return Outcome(job_id, Change.REFUSED, "there is no such job")
    return Outcome(job_id, Change.REFUSED, describe_state(row["status"], if_running), row["name"])


def describe_state(status: object, if_running: str = "it is still running") -> str:
    """Where a job stands, as the reason why an act does not concern it."""
    if status == JobStatus.RUNNING.value:
        return if_running
    unknown = f"its status {status!r} is unknown to this release"
    return _STATE_WORDS.get(str(status), unknown)


def _cancel_one(conn: sqlite3.Connection, job_id: str) -> Outcome:
    now = Moment.now()
    values = {"id": job_id, "now": now.text, "utc": now.utc}
    for (name,) in conn.execute(sql.CANCEL_PENDING, values).fetchall():
        logger.info("Job cancelled: %s", job_id)
        return Outcome(job_id, Change.CANCELLED, name=name)
    for (name,) in conn.execute(sql.REQUEST_STOP, values).fetchall():
        logger.info("Asked to cancel: %s", job_id)
        return Outcome(job_id, Change.STOPPING, "its worker was asked to cancel it", name)
    return refusal(conn, job_id, "a GigQ worker is running it, and can't be asked to cancel it")


def _requeue_one(conn: sqlite3.Connection, job_id: str) -> Outcome:
    reason = cascade.reason_against_retry(conn, job_id) or reason_against_return(conn, job_id)
    if reason:
        name = conn.execute(sql.JOB_STATE, (job_id,)).fetchone()["name"]
        return Outcome(job_id, Change.REFUSED, reason, name)
    values = {"id": job_id, "now": now_text()}
    for (name,) in conn.execute(sql.REQUEUE, values).fetchall():
        return Outcome(job_id, Change.REQUEUED, name=name)
    return refusal(conn, job_id)


def _reprioritize_one(
    conn: sqlite3.Connection, job_id: str, choose: Callable[[int], int]
) -> Outcome:
    row = conn.execute(sql.JOB_STATE, (job_id,)).fetchone()
    if row is None or row["status"] != JobStatus.PENDING.value:
        return refusal(conn, job_id, "it is already running")
    # A damaged row may hold anything; it waits behind all numbers as it is.
    now = as_int(row["priority"])
    wanted = choose(now)
    if wanted == row["priority"]:
        reason = f"its priority is {wanted} already"
    elif not -INTEGER_LIMIT <= wanted < INTEGER_LIMIT:
        reason = f"its priority is {now}, and can't be moved that far"
    else:
        conn.execute(sql.SET_PRIORITY, {"id": job_id, "priority": wanted, "now": now_text()})
        return Outcome(job_id, Change.REPRIORITIZED, f"priority {wanted}, was {now}", row["name"])
    return Outcome(job_id, Change.REFUSED, reason, row["name"])
