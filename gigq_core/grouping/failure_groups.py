"""Failed attempts, grouped by what failed; of a file of any size, attached or not.

What does not say yet what failed (GigQ's attempts, and those of the previous release) is read here,
in steps, and gathered in a file of SQLite's own beside memory: nothing in the queue's file changes.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from gigq_core.failures import failure_of
from gigq_core.rows.decoding import as_text
from gigq_core.schema import failure_statements as sql

# How many rows are read at a time.
STEP = 2_000
# How many of a group's jobs are named.
JOBS_NAMED = 5

Order = Literal["last", "count"]


class FailureGroup(NamedTuple):
    """Attempts that failed in the same way."""

    fingerprint: str
    # Type and message, with whatever differs as `#`.
    title: str
    type: str | None
    # A line of the user's code, as `feeds.py:17`: of the attempt that was made last.
    where: str | None
    jobs: int
    attempts: int
    # UTC seconds, of the ends of attempts; None where no time is known.
    first: float | None
    last: float | None
    # The jobs that failed last.
    job_ids: tuple[str, ...]


class FailureGroups(NamedTuple):
    """The groups that were asked for, and how many there are in all."""

    groups: list[FailureGroup]
    total: int


class _Sum(NamedTuple):
    """The failures of one kind, summed up."""

    jobs: int
    attempts: int
    first: float | None
    last: float | None
    place: int


_NONE = _Sum(0, 0, None, None, 0)


class _Kind(NamedTuple):
    kind: str
    sum: _Sum


def failure_groups(
    conn: sqlite3.Connection,
    *,
    since: float | None = None,
    limit: int = 50,
    order: Order = "last",
) -> FailureGroups:
    """The failures of a queue file by their kind.

    Args:
        conn: the file, opened for reading, in no transaction.
        since: only attempts that ended then or later, in UTC seconds.
        limit: how many groups at most.
        order: which come first: those that failed last, or those with the most attempts.
    """
    files = _Files(conn, since)
    try:
        files.gather()
        total = 0
        shortlist: list[_Kind] = []
        by = _BY[order]
        for kind in files.kinds():
            total += 1
            shortlist.append(kind)
            if len(shortlist) >= limit + STEP:
                shortlist = heapq.nlargest(limit, shortlist, key=by)
        chosen = heapq.nlargest(limit, shortlist, key=by)
        return FailureGroups([files.shown(kind) for kind in chosen], total)
    finally:
        files.close()


def _when(instant: float | None) -> float:
    return float("-inf") if instant is None else instant


_BY: dict[Order, Callable[[_Kind], tuple[float, float]]] = {
    "last": lambda kind: (_when(kind.sum.last), kind.sum.attempts),
    "count": lambda kind: (kind.sum.attempts, _when(kind.sum.last)),
}


class _Files:
    """A queue file, and beside it what was gathered from attempts that say nothing yet."""

    def __init__(self, conn: sqlite3.Connection, since: float | None) -> None:
        self._conn = conn
        self._since = since
        self._columns = {row[0] for row in conn.execute(sql.EXECUTION_COLUMNS)}
        # Whether attempts may say already what failed.
        self._is_read = conn.execute(sql.HAS_FAILURE_INDEX).fetchone() is not None
        # An empty name is a file that SQLite makes and removes by itself; while it is small, it
        # stays in memory.
        self._beside = sqlite3.connect("")
        self._beside.execute(sql.CREATE_PLACES)
        self._beside.execute(sql.CREATE_GATHERED)

    def close(self) -> None:
        self._beside.close()

    def gather(self) -> None:
        """Read what failed in the attempts that do not say it."""
        places = self._conn.execute(sql.unread_failures(self._is_read))
        self._beside.executemany(sql.ADD_PLACE, map(tuple, places))
        statement = sql.failures_at(self._columns)
        last = -(2**63)
        while some := self._beside.execute(sql.NEXT_PLACES, (last, STEP)).fetchall():
            last = some[-1][0]
            rows = self._conn.execute(statement, (json.dumps([place for (place,) in some]),))
            self._beside.executemany(sql.GATHER, filter(None, map(self._told, rows)))

    def _told(self, row: sqlite3.Row) -> dict[str, Any] | None:
        """What an attempt adds to its kind; None for one before the time that is asked for."""
        ended, since = row["ended"], self._since
        if since is not None and (ended is None or ended < since):
            return None
        kind = failure_of(row["error"], row["traceback"]).fingerprint
        return {"kind": kind, "job": row["job"], "ended": ended, "place": row["place"]}

    def kinds(self) -> Iterator[_Kind]:
        """All kinds, in the order of their names."""
        read = self._next(self._conn, sql.NEXT_KIND, "") if self._is_read else None
        gathered = self._next(self._beside, sql.NEXT_GATHERED_KIND, "")
        while (kind := min(filter(None, (read, gathered)), default=None)) is not None:
            summed = _NONE
            if kind == read:
                summed = self._sum(self._conn, sql.FAILURES_OF_KIND, kind)
                read = self._next(self._conn, sql.NEXT_KIND, kind)
            if kind == gathered:
                more = self._sum(self._beside, sql.GATHERED_OF_KIND, kind)
                twice = self._jobs_in_both(kind) if summed.jobs else 0
                summed = _added(summed, more._replace(jobs=more.jobs - twice))
                gathered = self._next(self._beside, sql.NEXT_GATHERED_KIND, kind)
            if summed.attempts:
                yield _Kind(kind, summed)

    def _next(self, conn: sqlite3.Connection, statement: str, kind: str) -> str | None:
        row = conn.execute(statement, (kind,)).fetchone()
        if row is None or not isinstance(row[0], str) or row[0] <= kind:
            # Damaged: one that can't be asked for would come again for ever.
            return None
        return row[0]

    def _values(self, kind: str, **more: object) -> dict[str, Any]:
        return {"kind": kind, "since": self._since, **more}

    def _sum(self, conn: sqlite3.Connection, statement: str, kind: str) -> _Sum:
        jobs, attempts, first, last, place = conn.execute(statement, self._values(kind)).fetchone()
        return _Sum(jobs, attempts or 0, _number(first), _number(last), place or 0)

    def _jobs_in_both(self, kind: str) -> int:
        jobs = self._beside.execute(sql.GATHERED_JOBS_OF_KIND, {"kind": kind})
        return sum(
            self._conn.execute(sql.HAS_FAILED_SO, self._values(kind, job=job)).fetchone()
            is not None
            for (job,) in jobs
        )

    def shown(self, found: _Kind) -> FailureGroup:
        """A kind with its words."""
        place = found.sum.place
        row = self._conn.execute(sql.failure_at(self._columns), (place,)).fetchone()
        # It may be gone by now.
        error, traceback, kind = ("", "", "") if row is None else map(as_text, row)
        failure = failure_of(error, traceback, kind)
        return FailureGroup(
            fingerprint=found.kind,
            title=failure.title,
            type=failure.type,
            where=failure.where,
            jobs=found.sum.jobs,
            attempts=found.sum.attempts,
            first=found.sum.first,
            last=found.sum.last,
            job_ids=self._newest_jobs(found.kind),
        )

    def _newest_jobs(self, kind: str) -> tuple[str, ...]:
        values = self._values(kind, most=JOBS_NAMED)
        rows = self._beside.execute(sql.NEWEST_GATHERED_OF_KIND, values).fetchall()
        if self._is_read:
            rows += map(tuple, self._conn.execute(sql.NEWEST_OF_KIND, values))
        rows.sort(key=lambda row: _when(_number(row[1])), reverse=True)
        return tuple(dict.fromkeys(as_text(job) for job, _ in rows))[:JOBS_NAMED]


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _added(one: _Sum, other: _Sum) -> _Sum:
    def known(*instants: float | None) -> list[float]:
        return [instant for instant in instants if instant is not None]

    return _Sum(
        one.jobs + other.jobs,
        one.attempts + other.attempts,
        min(known(one.first, other.first), default=None),
        max(known(one.last, other.last), default=None),
        max(one.place, other.place),
    )
