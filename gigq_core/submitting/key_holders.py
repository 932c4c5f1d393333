"""Who holds the key of a unique job, and what that means for another one with the same key."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from gigq_core.rows.decoding import as_text
from gigq_core.schema import unique_statements as sql
from gigq_core.schema.features import Feature, is_used
from gigq_core.status import JobStatus
from gigq_core.units.times import utc_now

DELETED = "deleted"

_ALREADY = {
    JobStatus.PENDING.value: "waiting",
    JobStatus.RUNNING.value: "running",
    JobStatus.COMPLETED.value: "completed",
    JobStatus.FAILED.value: "failed",
    JobStatus.TIMEOUT.value: "timed out",
    JobStatus.CANCELLED.value: "cancelled",
    DELETED: "submitted and deleted",
}
_VERBS = {
    JobStatus.PENDING.value: "waits",
    JobStatus.RUNNING.value: "runs",
    JobStatus.COMPLETED.value: "has completed",
    JobStatus.FAILED.value: "has failed",
    JobStatus.TIMEOUT.value: "has timed out",
    JobStatus.CANCELLED.value: "was cancelled",
    DELETED: "was deleted",
}


class Holder(NamedTuple):
    """A job that holds a key. `status` is `deleted` where only its key is left."""

    id: str
    name: str
    status: str
    # Of the attempt that a worker of ours runs.
    execution_id: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to run."""
        return self.status == JobStatus.PENDING.value

    @property
    def runs(self) -> bool:
        """Whether it runs now."""
        return self.status == JobStatus.RUNNING.value

    @property
    def sentence(self) -> str:
        """What it says to another one: `a job with the same key waits: 9f3c`."""
        return f"a job with the same key {_VERBS.get(self.status, 'is there')}: {self.id[:4]}"


def already(status: str) -> str:
    """The state of the job that was there before: `Already waiting`."""
    return f"Already {_ALREADY.get(status, 'there')}"


def live_holders(conn: sqlite3.Connection, key: str, but: str = "") -> list[Holder]:
    """The jobs that wait or run and hold the key; the newest that waits comes first.

    Args:
        conn: The queue file, attached.
        key: As it is stored.
        but: The id of a job that is passed over.
    """
    rows = conn.execute(sql.LIVE_HOLDERS, {"key": key, "but": but}).fetchall()
    return [_holder(row) for row in rows]


def lasting_holder(conn: sqlite3.Connection, key: str, utc: float, but: str = "") -> Holder | None:
    """The job that holds the key for longer than it waits or runs, if there is one.

    Args:
        conn: The queue file, attached.
        key: As it is stored.
        utc: The present moment.
        but: The id of a job that is passed over.
    """
    values = {"key": key, "utc": utc, "but": but}
    for statement in (sql.LASTING_HOLDER, sql.DELETED_HOLDER):
        for row in conn.execute(statement, values):
            return _holder(row)
    return None


def reason_against_return(conn: sqlite3.Connection, job_id: str) -> str:
    """Why a job may not wait again, since another one holds its key; empty if it may."""
    row = conn.execute(sql.KEY_OF, (job_id,)).fetchone()
    if row is None or row[0] is None or not is_used(conn, Feature.KEYS):
        return ""
    key = row[0]
    for holder in live_holders(conn, key, job_id):
        return holder.sentence
    if is_used(conn, Feature.LASTING_KEYS):
        lasting = lasting_holder(conn, key, utc_now(), job_id)
        return "" if lasting is None else lasting.sentence
    return ""


def count_shared_keys(conn: sqlite3.Connection) -> int:
    """How many keys two jobs hold, of which none waits for the other.

    A requeue of GigQ's makes them so: it does not ask. None in a file that is not attached.
    """
    try:
        if not is_used(conn, Feature.KEYS):
            return 0
        return int(conn.execute(sql.COUNT_SHARED).fetchone()[0])
    except sqlite3.OperationalError as problem:
        if "no such" not in str(problem):
            raise
        return 0


def has_expired_keys(conn: sqlite3.Connection, utc: float) -> bool:
    """Whether deleted jobs hold keys no more of which there still is a trace; a plain read."""
    return conn.execute(sql.HAS_EXPIRED_KEYS, (utc,)).fetchone() is not None


def forget_expired_keys(conn: sqlite3.Connection, utc: float, most: int) -> None:
    """Delete such traces, within the caller's transaction.

    Args:
        conn: The queue file, attached.
        utc: The present moment.
        most: How many at most.
    """
    conn.execute(sql.FORGET_EXPIRED_KEYS, (utc, most))


def _holder(row: sqlite3.Row) -> Holder:
    id, name, status, execution_id = row
    return Holder(as_text(id), as_text(name), as_text(status), execution_id)
