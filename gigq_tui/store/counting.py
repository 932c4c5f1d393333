"""How many jobs stand where: from the counters, or, on GigQ's own files, counted seldom."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from gigq_core.graph.blame import TOLD, Parent, Told, blame_of, blamed_for
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.units.times import to_text
from gigq_tui.store import queries
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import Counts
from gigq_tui.store.throttle import Throttle

# Up to so many dependencies of waiting jobs are looked at to count the doomed.
MAX_EDGES = 20_000
# Up to so many waiting jobs of a GigQ file are told apart, and so many that have become due.
MAX_WAITING = 20_000

RATE_WINDOW_S = 10.0
RATE_LEAST_S = 1.0


class Doom(NamedTuple):
    """How many jobs never run, and how many ancestors are to blame; None if not counted."""

    jobs: int | None
    culprits: int | None


class Counter:
    """Reads the counts, and keeps what is dear to count for a while.

    Args:
        clock: whose monotonic half paces the dear ones.
    """

    def __init__(self, clock: Clock) -> None:
        self._counted: Throttle[Counts] = Throttle(clock)
        self._doomed: Throttle[Doom] = Throttle(clock)

    def read(
        self, conn: sqlite3.Connection, schema: FileSchema, version: int, now: datetime
    ) -> Counts:
        """The counts at this data version; see `owed_in` for what was held back."""
        if not schema.attached:
            self._doomed.skip()
            return self._counted.get(
                schema.version, version, lambda: _count_rows(conn, schema, now)
            )
        states = {as_text(r["state"]): as_int(r["n"]) for r in conn.execute(queries.COUNTERS)}
        blocked = max(0, states.pop("blocked", 0))
        self._counted.skip()
        self._doomed.skip()
        doom = Doom(0, 0)
        if blocked:
            doom = self._doomed.get(schema.version, version, lambda: _count_doomed(conn, schema))
        known = _named(states)
        delayed = max(0, states.pop("delayed", 0))
        # The release before had no column for it.
        asked = delayed and "due" in schema.job_columns
        due = min(delayed, _count_due(conn, schema, now)) if asked else 0
        return replace(
            known,
            ready=max(0, states.pop("ready", 0)) + due,
            blocked=blocked,
            delayed=delayed - due,
            other=max(0, sum(states.values())),
            doomed=None if doom.jobs is None else min(doom.jobs, blocked),
            culprits=doom.culprits,
        )

    def owed_in(self) -> float | None:
        """Seconds until counts that were held back may be read again; None if none were."""
        owed = [s for s in (self._counted.owed_in(), self._doomed.owed_in()) if s is not None]
        return min(owed, default=None)

    @property
    def fresh(self) -> bool:
        """Whether the counts last read were those of that moment."""
        return self._counted.fresh


def _named(states: dict[str, int]) -> Counts:
    """Take the statuses that are counters of their own out of `states`."""

    def take(name: str) -> int:
        return max(0, states.pop(name, 0))

    return Counts(
        running=take("running"),
        completed=take("completed"),
        failed=take("failed"),
        timeout=take("timeout"),
        cancelled=take("cancelled"),
    )


def _count_due(conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> int:
    """How many of the delayed jobs are due: the counters learn of it from a worker that claims."""
    statement = queries.due_by_now(schema)
    (due,) = conn.execute(statement, (now.timestamp(), MAX_WAITING)).fetchone()
    return as_int(due)


def _count_doomed(conn: sqlite3.Connection, schema: FileSchema) -> Doom:
    records = conn.execute(queries.unmet_edges(schema), (MAX_EDGES + 1,)).fetchall()
    if len(records) > MAX_EDGES:
        return Doom(None, None)
    unmet: dict[str, list[str]] = {}
    kin: dict[str, Parent | None] = {}
    told: dict[tuple[str, str], str] = {}
    for record in records:
        if not record["waits"]:
            continue
        child, parent = as_text(record["child_id"]), as_text(record["parent_id"])
        unmet.setdefault(child, []).append(parent)
        if record["on_failure"] in TOLD:
            told[child, parent] = TOLD[record["on_failure"]]
        missing = record["found"] is None
        kin[parent] = None if missing else Parent(parent, "", as_text(record["status"]))
    return _doom_of(unmet, kin, told)


def _doom_of(
    unmet: Mapping[str, Sequence[str]], kin: Mapping[str, Parent | None], told: Told
) -> Doom:
    judged = blame_of(unmet, kin, told)
    doomed = sum(blame.doomed for blame in judged.values())
    return Doom(doomed, len(blamed_for(judged, unmet, kin, told)))


def _count_rows(conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> Counts:
    states: dict[str, int] = {}
    for record in conn.execute(queries.COUNT_BY_STATUS).fetchall():
        status = as_text(record["status"])
        states[status] = states.get(status, 0) + as_int(record["n"])
    pending = states.pop("pending", 0)
    counts = _named(states)
    counts = replace(counts, ready=pending, other=sum(states.values()))
    told_apart = _tell_waiting_apart(conn, schema, now) if pending <= MAX_WAITING else None
    if told_apart is None:
        # Too many to look into at each refresh: they all count as ready, and that is said.
        return replace(counts, told_apart=False)
    blocked, delayed, doom = told_apart
    return replace(
        counts,
        ready=max(0, pending - blocked - delayed),
        blocked=blocked,
        delayed=delayed,
        doomed=doom.jobs,
        culprits=doom.culprits,
    )


def _tell_waiting_apart(
    conn: sqlite3.Connection, schema: FileSchema, now: datetime
) -> tuple[int, int, Doom] | None:
    """Blocked, delayed and doomed of a GigQ file; None if there are too many dependencies."""
    records = conn.execute(queries.waiting_edges(schema), (MAX_EDGES + 1,)).fetchall()
    if len(records) > MAX_EDGES:
        return None
    unmet: dict[str, list[str]] = {}
    kin: dict[str, Parent | None] = {}
    for record in records:
        parent = as_text(record["parent_id"])
        unmet.setdefault(as_text(record["child_id"]), []).append(parent)
        kin[parent] = Parent(parent, "", as_text(record["status"]))
    delayed = 0
    if "retry_after" in schema.job_columns:
        later = conn.execute(queries.waiting_later(schema), (to_text(now), MAX_WAITING)).fetchall()
        delayed = sum(as_text(record["id"]) not in unmet for record in later)
    return len(unmet), delayed, _doom_of(unmet, kin, {})


class RateMeter:
    """Jobs that end per second, from the differences of counts over the last ten seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._last: tuple[int, int, int] | None = None

    def add(self, at: float, finished: int, running: int, newest: int) -> None:
        """Note how many jobs have an end at the monotonic time `at`.

        Clearing and retrying take ended jobs away; that counts as none, not as negative. What an
        undo brings back has not ended now: no more can have than attempts have.

        Args:
            at: When, by a clock that never jumps; in seconds.
            finished: How many jobs have an end.
            running: How many run.
            newest: The number of the newest attempt in the file.
        """
        gained = 0
        if self._last is not None:
            before, ran, begun = self._last
            gained = max(0, min(finished - before, ran + newest - begun - running))
        self._last = finished, running, newest
        self._samples.append((at, gained))
        while len(self._samples) > 1 and at - self._samples[1][0] >= RATE_WINDOW_S:
            self._samples.popleft()

    def rate(self, at: float) -> float | None:
        """Ended jobs per second up to the monotonic time `at`; None while too little is known."""
        if not self._samples:
            return None
        start = max(self._samples[0][0], at - RATE_WINDOW_S)
        if at - start < RATE_LEAST_S:
            return None
        return sum(gained for when, gained in self._samples if when > start) / (at - start)
