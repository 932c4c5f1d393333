"""Undo: what acts changed is kept, and put back while the rows are still as the acts left them.

An `Undo` is filled by the acts that are given it, and `JobQueue.restore_jobs` takes it. It lives in
memory: whoever acted can take it back, in the same process.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gigq_core.changes import cascade
from gigq_core.schema import statements as sql
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.submitting.key_holders import reason_against_return

# How many bytes of rows one `Undo` holds at most; what is beyond can't be brought back.
KEPT_BYTES = 64 * 1024 * 1024

# Triggers and the workers own these: they follow from the parents, the clock and the texts beside
# them, and are computed anew.
_FOLLOWING = ("retry_after", "due", "due_in", "created", "began", "ended")

_SINCE = {
    JobStatus.PENDING.value: "it has been queued again since",
    JobStatus.RUNNING.value: "a worker has claimed it since",
    JobStatus.COMPLETED.value: "it has completed since",
    JobStatus.FAILED.value: "it has failed since",
    JobStatus.TIMEOUT.value: "it has timed out since",
    JobStatus.CANCELLED.value: "it has been cancelled since",
}

Row = dict[str, Any]


def kept_of(sizes: Iterable[int], most_bytes: int = KEPT_BYTES) -> int:
    """How many of the rows that an action will change one `Undo` can hold.

    Args:
        sizes: those of the rows, in the order of the action.
        most_bytes: how many bytes it may hold.
    """
    held = count = 0
    for size in sizes:
        if held + size <= most_bytes:
            held += size
            count += 1
    return count


@dataclass(frozen=True)
class _Changed:
    """A row that an act changed: the old values, and what the whole row was like afterwards."""

    name: str
    status: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]
    left: bytes
    # The job that it had been cancelled for; and what it had reported, which is forgotten when it
    # waits again.
    culprit: str | None
    progress: tuple[Any, ...] | None


@dataclass(frozen=True)
class _Deleted:
    """A row that an act deleted, with what it waited for, and the mark its deletion left."""

    name: str
    rowid: int
    row: Row
    edges: tuple[tuple[str, int], ...]
    tombstone: str
    culprit: str | None


@dataclass(frozen=True)
class _Lost:
    """A row that was acted on for good."""

    name: str
    reason: str


Kept = _Changed | _Deleted | _Lost


@dataclass
class Undo:
    """What some acts did, so that `JobQueue.restore_jobs` can take it back.

    Args:
        most_bytes: how many bytes of what was changed or deleted it may hold.
    """

    most_bytes: int = KEPT_BYTES
    _kept: dict[str, Kept] = field(default_factory=dict, repr=False)
    _bytes: int = 0
    _judged: set[str] = field(default_factory=set, repr=False)

    def __len__(self) -> int:
        """On how many jobs the acts had an effect."""
        return len(self._kept)

    @property
    def restorable(self) -> int:
        """How many of them can be put back, if nobody has touched them since."""
        return sum(1 for kept in self._kept.values() if not isinstance(kept, _Lost))

    @property
    def lost_because(self) -> tuple[str, ...]:
        """Why the others can't, each reason once."""
        reasons = (kept.reason for kept in self._kept.values() if isinstance(kept, _Lost))
        return tuple(dict.fromkeys(reasons))

    @property
    def held_bytes(self) -> int:
        """How much of what was changed or deleted it holds."""
        return self._bytes

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Those jobs, in the order of the acts."""
        return tuple(self._kept)

    def kept(self, job_id: str) -> Kept:
        """What is known of one of those jobs."""
        return self._kept[job_id]

    def keep(self, found: dict[str, Kept]) -> None:
        """Add what an act changed, once that is committed."""
        for job_id, kept in found.items():
            if not isinstance(kept, _Lost):
                size = _size(kept.row.values() if isinstance(kept, _Deleted) else kept.values)
                if self._bytes + size > self.most_bytes:
                    kept = _Lost(kept.name, "it was too large to be kept")
                else:
                    self._bytes += size
            self._kept[job_id] = kept

    def judge(self, job_ids: Iterable[str]) -> None:
        """Note that these have been put back, or never can be, once that is committed."""
        self._judged.update(job_ids)

    def rest(self) -> Undo:
        """What `JobQueue.restore_jobs` has not come to, as where the file was locked midway."""
        rest = Undo(self.most_bytes)
        rest.keep({id: kept for id, kept in self._kept.items() if id not in self._judged})
        return rest


Act = Callable[[sqlite3.Connection, Sequence[str]], list[Outcome]]


def recorded(
    conn: sqlite3.Connection, act: Act, job_ids: Sequence[str]
) -> tuple[list[Outcome], dict[str, Kept]]:
    """Act within the caller's transaction, and find out what that changes.

    Returns:
        The outcomes, and what an `Undo` may keep once the transaction is committed.
    """
    before = _rows(conn, job_ids)
    edges = {job_id: tuple(map(tuple, conn.execute(sql.EDGES_OF, (job_id,)))) for job_id in before}
    culprits = {job_id: _culprit_of(conn, job_id) for job_id in before}
    told = {job_id: _progress_of(conn, job_id) for job_id in before}
    outcomes = act(conn, job_ids)
    after = _rows(conn, job_ids)
    found: dict[str, Kept] = {}
    for outcome in outcomes:
        job_id, name = outcome.job_id, outcome.name
        if not outcome.done or job_id not in before:
            continue
        if outcome.change is Change.STOPPING:
            found[job_id] = _Lost(name, "its worker was asked to cancel it")
        elif not _is_whole(before[job_id]):
            found[job_id] = _Lost(name, "it holds text that is not valid and can't be written")
        elif job_id in after:
            found[job_id] = _changed(
                name, before[job_id], after[job_id], culprits[job_id], told[job_id]
            )
        else:
            row = dict(before[job_id])
            rowid = row.pop("core_rowid")
            (tombstone,) = conn.execute(sql.TOMBSTONE_OF, (job_id,)).fetchone()
            found[job_id] = _Deleted(name, rowid, row, edges[job_id], tombstone, culprits[job_id])
    return outcomes, found


def restoring(undo: Undo, along: list[str]) -> Act:
    """The act that puts rows back, as far as they are still as the acts left them.

    Args:
        undo: what the acts did.
        along: gets the ids of the jobs that were cancelled along with those that wait again.
    """

    def restore(conn: sqlite3.Connection, job_ids: Sequence[str]) -> list[Outcome]:
        present = _rows(conn, job_ids)
        outcomes = []
        for job_id in job_ids:
            row = present.get(job_id)
            outcome = _restore_one(conn, job_id, undo.kept(job_id), row)
            if outcome.done and row is not None and row["status"] == JobStatus.CANCELLED.value:
                along.extend(cascade.cancelled_since(conn, job_id, row["ended"]))
            outcomes.append(outcome)
        return outcomes

    return restore


def _restore_one(conn: sqlite3.Connection, job_id: str, kept: Kept, row: Row | None) -> Outcome:
    if isinstance(kept, _Lost):
        return Outcome(job_id, Change.REFUSED, kept.reason, kept.name)
    if isinstance(kept, _Deleted):
        reason = _insert_again(conn, job_id, kept, row)
    else:
        reason = _put_back(conn, job_id, kept, row)
    if not reason and kept.culprit is not None:
        conn.execute(sql.RESTORE_CULPRIT, (job_id, kept.culprit))
    change = Change.REFUSED if reason else Change.RESTORED
    return Outcome(job_id, change, reason, kept.name)


def _put_back(conn: sqlite3.Connection, job_id: str, kept: _Changed, row: Row | None) -> str:
    if row is None:
        return "it has been deleted since"
    if _version(row) != kept.left:
        if row["status"] == kept.status:
            return "it has been changed since"
        return _SINCE.get(str(row["status"]), "it has been changed since")
    before = dict(zip(kept.columns, kept.values, strict=True))
    waits_again = before.get("status") == JobStatus.PENDING.value
    if waits_again and (reason := reason_against_return(conn, job_id)):
        return reason
    # The columns of a file that was detached meanwhile have come back in `ensure_attached`.
    conn.execute(sql.ALLOW_OVERRIDE, (job_id,))
    conn.execute(sql.put_back(kept.columns), (*kept.values, job_id))
    conn.execute(sql.END_OVERRIDE, (job_id,))
    if kept.progress is not None:
        conn.execute(sql.RESTORE_PROGRESS, kept.progress)
    return ""


def _insert_again(conn: sqlite3.Connection, job_id: str, kept: _Deleted, row: Row | None) -> str:
    if row is not None:
        return "there is a job with that id again"
    mark = conn.execute(sql.TOMBSTONE_OF, (job_id,)).fetchone()
    if mark is None:
        return "the file was detached since, and its history is gone"
    if mark[0] != kept.tombstone:
        return "another job with that id was submitted and deleted since"
    values = dict(kept.row)
    if conn.execute(sql.ROWID_IS_TAKEN, (kept.rowid,)).fetchone() is None:
        # So that it stands in its old place among the others.
        values["rowid"] = kept.rowid
    conn.execute(sql.insert_again(values), tuple(values.values()))
    for parent, met in kept.edges:
        if met:
            conn.execute(sql.RESTORE_EDGE, {"child": job_id, "parent": parent, "met": met})
    return ""


def _rows(conn: sqlite3.Connection, job_ids: Iterable[str]) -> dict[str, Row]:
    """The rows by id, whole; bytes that are no text come as surrogates, so that none is lost."""
    usual = conn.text_factory
    conn.text_factory = _text
    try:
        found = conn.execute(sql.WHOLE_ROWS, (json.dumps(list(job_ids)),)).fetchall()
    finally:
        conn.text_factory = usual
    return {row["id"]: dict(row) for row in found}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _culprit_of(conn: sqlite3.Connection, job_id: str) -> str | None:
    row = conn.execute(sql.CULPRIT_OF, (job_id,)).fetchone()
    return None if row is None else row[0]


def _progress_of(conn: sqlite3.Connection, job_id: str) -> tuple[Any, ...] | None:
    row = conn.execute(sql.WHOLE_PROGRESS_OF, (job_id,)).fetchone()
    return None if row is None else tuple(row)


def _changed(
    name: str,
    before: Row,
    after: Row,
    culprit: str | None,
    progress: tuple[Any, ...] | None,
) -> _Changed:
    columns = tuple(column for column in before if before[column] != after[column])
    values = tuple(before[column] for column in columns)
    left = _version(after)
    return _Changed(name, after["status"], columns, values, left, culprit, progress)


def _version(row: Row) -> bytes:
    """A digest of everything in the row that an act could have changed.

    Not the rowid: VACUUM may give it another one.
    """
    facts = [row[column] for column in row if column not in _FOLLOWING and column != "core_rowid"]
    return hashlib.blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _is_whole(row: Row) -> bool:
    """Whether all text of the row can be written as it is."""
    for value in row.values():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return False
    return True


def _size(values: Iterable[Any]) -> int:
    return sum(len(value) for value in values if isinstance(value, (str, bytes)))
