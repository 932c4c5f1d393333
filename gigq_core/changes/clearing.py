"""Clearing finished jobs: what would go, what others still need, and the deletion itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gigq_core.changes import actions
from gigq_core.schema import statements as sql
from gigq_core.schema.opening import is_attached
from gigq_core.status import FINAL_STATUSES, Change, JobStatus, Outcome
from gigq_core.units.times import moment_told

_FINAL = frozenset(status.value for status in FINAL_STATUSES)
_COLUMNS = "SELECT name FROM pragma_table_info(?)"
_COLUMN_EXISTS = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"


class Finished(NamedTuple):
    """A job that could be cleared.

    `ended` is when it ended, in UTC, or None where no time is stored; `need` says who still needs
    it, and is empty where nobody does; `size` is that of its values, in characters.
    """

    job_id: str
    name: str
    status: str
    ended: datetime | None
    need: str
    size: int


@dataclass(frozen=True)
class ClearPlan:
    """What clearing some jobs would do.

    `finished` are those that could go, in the order asked; `refused` those that could not. The
    history of what goes stays for 30 days: `attempts` of the finished jobs that nobody needs, and
    `outputs`, how many of them left a file.
    """

    finished: tuple[Finished, ...] = ()
    refused: tuple[Outcome, ...] = ()
    attempts: int = 0
    outputs: int = 0

    @property
    def free(self) -> tuple[Finished, ...]:
        """The jobs that nobody needs any more."""
        return tuple(job for job in self.finished if not job.need)

    @property
    def needed(self) -> tuple[Finished, ...]:
        """The jobs that others still need; they stay unless they are asked for."""
        return tuple(job for job in self.finished if job.need)


def plan(conn: sqlite3.Connection, job_ids: Sequence[str]) -> ClearPlan:
    """Find out what clearing these jobs would do; changes nothing, and needs nothing of ours."""
    asked = list(dict.fromkeys(job_ids))
    finished, refused = _judged(conn, asked, _needs(conn, asked))
    going = json.dumps([job.job_id for job in finished if not job.need])
    with_output = _has_column(conn, "job_executions", "output")
    history = conn.execute(sql.history_of(with_output), (going,)).fetchone()
    return ClearPlan(finished, refused, history["attempts"], history["outputs"])


def clearing(
    include_needed: bool,
) -> Callable[[sqlite3.Connection, Sequence[str]], list[Outcome]]:
    """The act that deletes finished jobs, with or without those that others still need."""

    def clear(conn: sqlite3.Connection, job_ids: Sequence[str]) -> list[Outcome]:
        # Asked within the transaction: a child may have come since the plan was made.
        finished, refused = _judged(conn, job_ids, _needs(conn, job_ids))
        outcomes = {outcome.job_id: outcome for outcome in refused}
        for job in finished:
            if job.need and not include_needed:
                outcomes[job.job_id] = Outcome(job.job_id, Change.REFUSED, job.need, job.name)
            else:
                conn.execute(sql.DELETE_FINISHED, (job.job_id,))
                outcomes[job.job_id] = Outcome(job.job_id, Change.CLEARED, job.need, job.name)
        return [outcomes[job_id] for job_id in job_ids]

    return clear


def free_for_good(conn: sqlite3.Connection, places: Sequence[int]) -> set[int]:
    """Which of some jobs that have ended nobody needs, nor would if it were retried.

    Where nobody looks at what goes, more stays than where somebody does: a child that failed, or
    was cancelled, may be retried, or that may be taken back, and it needs its parents then; and a
    hook tells of a job by what the file says when its time comes.

    Args:
        conn: the queue file, attached.
        places: the rowids of jobs that are to go together.
    """
    asked = {"places": json.dumps(list(places))}
    needed = {
        row["place"]
        for statement in (sql.NEEDED_ELSEWHERE, sql.NEEDED_BY_HOOKS)
        for row in conn.execute(statement, asked)
    }
    # What stays needs its own parents in turn.
    parents: dict[int, list[int]] = {}
    for row in conn.execute(sql.NEEDED_AMONG_THEM, asked):
        parents.setdefault(row["child"], []).append(row["place"])
    left = list(needed)
    while left:
        more = [parent for parent in parents.get(left.pop(), ()) if parent not in needed]
        needed.update(more)
        left += more
    return set(places) - needed


def _judged(
    conn: sqlite3.Connection, job_ids: Sequence[str], needs: dict[str, tuple[int, int]]
) -> tuple[tuple[Finished, ...], tuple[Outcome, ...]]:
    finished, refused = [], []
    columns = [row[0] for row in conn.execute(_COLUMNS, ("jobs",))]
    statement = sql.finished_among(columns)
    for row in conn.execute(statement, (json.dumps(list(job_ids)),)).fetchall():
        job_id = job_ids[row["place"]]
        # SQLite's JSON ends a text at a NUL, and may so have found another job.
        if row["id"] != job_id:
            refused.append(Outcome(job_id, Change.REFUSED, "there is no such job"))
        elif row["status"] not in _FINAL:
            waiting = row["status"] == JobStatus.PENDING.value
            reason = "it is still waiting" if waiting else actions.describe_state(row["status"])
            refused.append(Outcome(job_id, Change.REFUSED, reason, row["name"]))
        else:
            need = _need(row["status"], *needs.get(job_id, (0, 0)))
            ended = moment_told(row["ended"], row["ended_at"])
            job = Finished(job_id, row["name"], row["status"], ended, need, row["size"])
            finished.append(job)
    return tuple(finished), tuple(refused)


def _need(status: str, waiting: int, reading: int) -> str:
    """Who needs a finished job: those that may read its result, or that wait for its retry."""
    if status == JobStatus.COMPLETED.value:
        if not reading:
            return ""
        verb = "job that waits" if reading == 1 else "jobs that wait"
        return f"{reading} {verb} may read its result"
    if not waiting:
        return ""
    verb = "job waits" if waiting == 1 else "jobs wait"
    return f"{waiting} {verb} for it, and could never run without it"


def _needs(conn: sqlite3.Connection, job_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many jobs wait behind each, and how many of those may read its result."""
    if is_attached(conn):
        statement = sql.NEEDED_AMONG
    else:
        with_wish = _has_column(conn, "jobs", "pass_parent_results")
        statement = sql.needed_among_unattached(with_wish)
    found = conn.execute(statement, (json.dumps(list(job_ids)),)).fetchall()
    return {row["parent_id"]: (row["waiting"], row["reading"]) for row in found}


def _has_column(conn: sqlite3.Connection, table: str, column: str) -> bool:
    return conn.execute(_COLUMN_EXISTS, (table, column)).fetchone() is not None
