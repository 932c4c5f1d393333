"""What becomes of the children of a parent that failed, by `on_parent_failure`.

Triggers put the parent on a list, whoever wrote the failure. The list is worked off by supervisors,
and by whoever acts upon jobs, a bounded number of children in a transaction.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence

from gigq_core.rows.decoding import as_text
from gigq_core.schema import statements as sql
from gigq_core.schema.features import Feature, is_used
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.submitting.key_holders import reason_against_return
from gigq_core.units.times import Moment, now_text

logger = logging.getLogger("gigq_core.queue")

# How many children are told in one transaction.
TOLD_AT_ONCE = 250

_WHAT_HAPPENED = {
    JobStatus.FAILED.value: "failed",
    JobStatus.TIMEOUT.value: "timed out",
    JobStatus.CANCELLED.value: "was cancelled",
}
_RETRY_FIRST = {
    JobStatus.FAILED.value: "has failed",
    JobStatus.TIMEOUT.value: "has timed out",
    JobStatus.CANCELLED.value: "was cancelled",
}


def is_waiting(conn: sqlite3.Connection) -> bool:
    """Whether children are still to be told."""
    return conn.execute(sql.HAS_CASCADE).fetchone() is not None


def work_off(conn: sqlite3.Connection, most: int = TOLD_AT_ONCE) -> bool:
    """Tell children what became of their parents, within the caller's transaction.

    Args:
        conn: the queue file.
        most: how many children, or parents without any, are looked after.

    Returns:
        Whether some may be left.
    """
    room = most
    now = Moment.now()
    while room > 0:
        parent = conn.execute(sql.FIRST_OF_CASCADE).fetchone()
        if parent is None:
            return False
        # Since it was put on the list it may have been retried.
        children = []
        if parent["has_failed"]:
            wanted = {"parent": parent["place"], "most": room}
            children = conn.execute(sql.CHILDREN_TO_TELL, wanted).fetchall()
        error = as_text(parent["error"]) or _what_happened(parent)
        for child in children:
            values = {
                "parent": parent["place"],
                "child": child["place"],
                "error": error,
                "now": now.text,
                "utc": now.utc,
            }
            if child["is_cancelled"]:
                # First for whom: what is told of its end goes by that.
                conn.execute(sql.NOTE_CULPRIT, values)
                conn.execute(sql.CANCEL_CHILD, values)
            else:
                conn.execute(sql.GO_ON_WITHOUT, values)
                conn.execute(sql.RELEASE_CHILD, values)
        if children:
            logger.info("%s: %d jobs that waited for it were told", error, len(children))
        if len(children) < room:
            conn.execute(sql.FORGET_IN_CASCADE, (parent["place"],))
        room -= max(1, len(children))
    return True


def _what_happened(parent: sqlite3.Row) -> str:
    """The error of the children that are cancelled: who failed, and how."""
    name, short = as_text(parent["name"]), f"{as_text(parent['id'])[:4]}…"
    what = _WHAT_HAPPENED.get(parent["status"], "was deleted")
    return f"{name} ({short}) {what}" if name else f"{short} {what}"


def reason_against_retry(conn: sqlite3.Connection, job_id: str) -> str:
    """Why a job that has ended would be cancelled again at once; empty if it would not."""
    parent = conn.execute(sql.FAILED_PARENT_OF, (job_id,)).fetchone()
    if parent is None:
        return ""
    if parent["status"] is None:
        return "a job that it waits for was deleted: submit both anew"
    return f"{as_text(parent['name'])} {_RETRY_FIRST[parent['status']]}: retry it first"


def cancelled_by(conn: sqlite3.Connection, job_ids: Sequence[str]) -> list[str]:
    """The jobs beside these that were cancelled because some of these failed, and still are."""
    rows = conn.execute(sql.CANCELLED_BY, (json.dumps(job_ids),)).fetchall()
    there = set(job_ids)
    return [row[0] for row in rows if row[0] not in there]


def cancelled_since(conn: sqlite3.Connection, job_id: str, since: object) -> list[str]:
    """Those that were cancelled for this one at that moment or later, in UTC seconds."""
    rows = conn.execute(sql.CANCELLED_BY_SINCE, {"id": job_id, "since": since}).fetchall()
    return [row[0] for row in rows]


def with_those_left(conn: sqlite3.Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of a retry, with the reason how many stay cancelled."""
    one = "1 job that it had cancelled stays cancelled"
    many = "{:,} jobs that it had cancelled stay cancelled"
    return _counted(conn, sql.COUNT_CANCELLED_BY, outcomes, one, many)


def with_those_along(conn: sqlite3.Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of a cancel, with the reason how many were cancelled along."""
    one, many = "1 job behind it was cancelled too", "{:,} jobs behind it were cancelled too"
    return _counted(conn, sql.COUNT_CANCELLED_ALONG, outcomes, one, many)


def _counted(
    conn: sqlite3.Connection, statement: str, outcomes: Sequence[Outcome], one: str, many: str
) -> list[Outcome]:
    ids = json.dumps([outcome.job_id for outcome in outcomes if outcome.done])
    counts = dict(conn.execute(statement, (ids,)).fetchall())
    return [
        outcome._replace(reason=one if n == 1 else many.format(n))
        if outcome.done and (n := counts.get(outcome.job_id, 0))
        else outcome
        for outcome in outcomes
    ]


def bring_back(conn: sqlite3.Connection, job_ids: Iterable[str]) -> list[Outcome]:
    """Let jobs wait again that were cancelled because another one was, which has been undone."""
    outcomes = []
    for job_id in job_ids:
        if reason := reason_against_return(conn, job_id):
            name = as_text(conn.execute(sql.JOB_STATE, (job_id,)).fetchone()["name"])
            outcomes.append(Outcome(job_id, Change.REFUSED, reason, name))
            continue
        conn.execute(sql.ALLOW_OVERRIDE, (job_id,))
        values = {"id": job_id, "now": now_text()}
        rows = conn.execute(sql.BRING_BACK_CHILD, values).fetchall()
        conn.execute(sql.END_OVERRIDE, (job_id,))
        outcomes += [Outcome(job_id, Change.RESTORED, name=name) for (name,) in rows] or [
            Outcome(job_id, Change.REFUSED, "it has been changed since")
        ]
    return outcomes


def parents_first(conn: sqlite3.Connection, job_ids: Sequence[str]) -> list[int]:
    """The places of the ids in an order in which no job comes before one it is cancelled with."""
    places = list(range(len(job_ids)))
    if len(job_ids) < 2 or not is_used(conn, Feature.POLICIES):
        return places
    parents: dict[str, list[str]] = {}
    rows = conn.execute(sql.CANCELLED_WITH_AMONG, {"ids": json.dumps(list(job_ids))}).fetchall()
    for child, parent in rows:
        parents.setdefault(child, []).append(parent)
    ranks = _ranks(parents)
    return sorted(places, key=lambda place: ranks.get(job_ids[place], 0))


def _ranks(parents: dict[str, list[str]]) -> dict[str, int]:
    """How far below those without a parent each child stands; a circle ends somewhere in it."""
    ranks: dict[str, int] = {}
    for start in parents:
        path, on_path = [start], {start}
        while path:
            node = path[-1]
            above = parents.get(node, ())
            left = next((p for p in above if p not in ranks and p not in on_path), None)
            if left is not None:
                path.append(left)
                on_path.add(left)
            else:
                ranks[node] = 1 + max((ranks[p] for p in above if p in ranks), default=-1)
                path.pop()
    return ranks
