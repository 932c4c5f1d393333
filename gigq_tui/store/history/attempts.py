"""What has happened to the queue: attempts read once each, backwards and as they come.

`job_executions` has no index on its times, but its rows stand in the order in which attempts
began. So the past is walked from the newest row downwards, a chunk at each call, and afterwards
only rows above the newest are read, and again those whose attempt had not ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from datetime import datetime
from typing import NamedTuple

from gigq_core.decoding import as_int, as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history.backlog import Backlog
from gigq_tui.store.history.rings import End, Past, Rings
from gigq_tui.store.instants import BEGAN, CREATED, ENDED, When
from gigq_tui.store.statuses import CANCELLED, PENDING, RUNNING

# The first look, with the first picture of the file: some twenty milliseconds.
FIRST_ATTEMPTS = 1_000
# One step into the past, between two pictures: less than a tenth of a second.
CHUNK = 3_000
# How far back it is walked, in attempts and in jobs.
MAX_ATTEMPTS = 200_000
# What is read anew at each refresh: attempts that had not ended.
MAX_OPEN = 1_000
# Beyond so many functions, further ones are counted together.
MAX_FUNCTIONS = 500
# An attempt that began so long before a window may have ended in it.
LONG_RUN_S = 3_600.0
# The newest rows, remembered so that rowids given twice are noticed.
TAIL = 512
# The last rows of a chunk say how far back it reaches: one damaged time must not decide it.
REACH = 50
# Rows that come with an end so long ago were put back (an undo): they were counted before.
PUT_BACK_S = 120.0
# What the figures of the header are made of.
RECENT = 500

OTHERS = "(other functions)"
DELETED = "(deleted jobs)"

_ENDS = {end.value: end for end in End}


class Ended(NamedTuple):
    """An attempt that ended by itself; times in seconds, `at` of the epoch."""

    at: float
    bad: bool
    run_s: float | None


def seconds(at: datetime) -> float:
    """A moment in seconds of the epoch that everything here counts in."""
    return at.timestamp()


def function_of(record: sqlite3.Row) -> str:
    """The full name of the function of a record with `function_module` and `function_name`."""
    module, name = as_text(record["function_module"]), as_text(record["function_name"])
    return f"{module}.{name}" if module else name


class History:
    """What is known of the past of one file. It belongs to the thread that reads."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.rings = Rings()
        self.backlog = Backlog()
        self.attempts = 0
        # Every attempt that began after this is known, in seconds of the epoch.
        self.known_from = float("inf")
        # Whether rows were left for the next call.
        self.behind = False
        self._recent: list[Ended] = []
        self._functions: set[str] = set()
        self._tail: deque[tuple[int, str]] = deque(maxlen=TAIL)
        self._open: dict[int, str] = {}
        # Long ones, looked for before the walk came to their rows.
        self._early: set[int] = set()
        self._followed_at = float("-inf")
        self._newest = self._oldest = 0
        self._oldest_job = 0
        self._jobs = 0
        self._jobs_from = float("inf")
        self._begun = False

    # --- reading --------------------------------------------------------------------------------

    def follow(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime, waiting: int
    ) -> None:
        """Take in what happened since the last call; the first one looks at the newest rows.

        Args:
            conn: within a read transaction.
            schema: the file's.
            now: the present moment.
            waiting: how many jobs wait.
        """
        at = seconds(now)
        if self._begun and not self._anchored(conn):
            self._begin_anew()
        self.backlog.saw(at, waiting)
        if self._begun:
            self._read_new(conn, schema, at)
        else:
            self._read_first(conn, schema, at)
        self.rings.forget_old(at)
        self._followed_at = at

    def deepen(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime, window: Past
    ) -> bool:
        """Walk one chunk further into the past.

        Returns:
            Whether more is to be read before the window is covered, as far as it may be.
        """
        if not self._begun:
            return False
        at = seconds(now)
        if self._wants_attempts(at, window):
            records = conn.execute(queries.attempts_below(schema), (self._oldest, CHUNK)).fetchall()
            self._take_older(records, CHUNK, at)
        if self._wants_jobs(at, window):
            found = conn.execute(queries.jobs_below(schema), (self._oldest_job, CHUNK))
            self._take_jobs(found.fetchall())
        return self._wants_attempts(at, window) or self._wants_jobs(at, window)

    def _wants_attempts(self, at: float, window: Past) -> bool:
        back_to = at - window.value - LONG_RUN_S
        return self.known_from > back_to and self.attempts < MAX_ATTEMPTS

    def _wants_jobs(self, at: float, window: Past) -> bool:
        if self.backlog.since is None or self._jobs >= MAX_ATTEMPTS:
            return False
        return self._jobs_from > at - window.value

    def _anchored(self, conn: sqlite3.Connection) -> bool:
        """Whether the rows known are still those: attempts are deleted, and rowids used again.

        What was deleted at the end is forgotten, as far as it had not ended.
        """
        while self._tail:
            key, id = self._tail[-1]
            found = conn.execute(queries.ATTEMPT_ID, (key,)).fetchone()
            if found is not None and as_text(found["id"]) == id:
                self._newest = key
                return True
            self._tail.pop()
            self._open.pop(key, None)
        return self._newest == 0

    def _read_first(self, conn: sqlite3.Connection, schema: FileSchema, at: float) -> None:
        newest = as_int(conn.execute(queries.NEWEST_ATTEMPT).fetchone()[0])
        newest_job = as_int(conn.execute(queries.NEWEST_JOB).fetchone()[0])
        records = conn.execute(
            queries.attempts_below(schema), (newest + 1, FIRST_ATTEMPTS)
        ).fetchall()
        live = []
        if "execution_id" in schema.job_columns:
            live = conn.execute(queries.attempts_that_run(schema), (MAX_OPEN,)).fetchall()
        self._newest, self._oldest = newest, newest + 1
        self._oldest_job = newest_job + 1
        self._begun = True
        self._tail.extend((as_int(r["key"]), as_text(r["id"])) for r in reversed(records[:TAIL]))
        self._take_older(records, FIRST_ATTEMPTS, at)
        for record in live:
            key = as_int(record["key"])
            if key < self._oldest:
                self._open[key] = as_text(record["id"])
                self._early.add(key)

    def _read_new(self, conn: sqlite3.Connection, schema: FileSchema, at: float) -> None:
        if self._open:
            wanted = json.dumps(list(self._open))
            again = conn.execute(queries.attempts_at(schema), (wanted,)).fetchall()
            self._look_again(again, at)
        records = conn.execute(queries.attempts_above(schema), (self._newest, CHUNK)).fetchall()
        for record in records:
            self._newest = as_int(record["key"])
            self._tail.append((self._newest, as_text(record["id"])))
            if not self._put_back(record, at):
                self._take(record, at)
        self.attempts += len(records)
        self.behind = len(records) == CHUNK

    def _put_back(self, record: sqlite3.Row, at: float) -> bool:
        ended = ENDED.at(record)
        # A clock that was set back puts nothing back.
        seen = min(self._followed_at, at)
        return ended is not None and ended < seen - PUT_BACK_S

    def _look_again(self, records: list[sqlite3.Row], at: float) -> None:
        before, self._open = self._open, {}
        for record in records:
            # Another id: the attempt was deleted, and its rowid given to a new one.
            if before.get(as_int(record["key"])) == as_text(record["id"]):
                self._take(record, at, again=True)

    def _take_older(self, records: list[sqlite3.Row], asked: int, at: float) -> None:
        for record in records:
            self._oldest = as_int(record["key"])
            if self._oldest in self._early:
                self._left(record)
            else:
                self._take(record, at)
        self.attempts += len(records)
        self.known_from = min(self.known_from, _reach(records, BEGAN, asked))

    def _take(self, record: sqlite3.Row, at: float, *, again: bool = False) -> None:
        """Count one attempt, or remember to look at it again while it goes on."""
        if not again:
            self._left(record)
        status = as_text(record["status"])
        if status == RUNNING:
            self._keep_open(as_int(record["key"]), as_text(record["id"]))
            return
        ended = ENDED.at(record)
        if ended is None:
            return
        end = _ENDS.get(status, End.OTHER)
        began = BEGAN.at(record)
        if began is not None and _came_back(record, began):
            self.backlog.came(ended)
        tried = end is End.DONE or end.bad
        run_s = _between(began, ended) if tried else None
        self.rings.add(self._named(record), end, ended, at, run_s, _waited(record, began))
        if tried:
            self._recent.append(Ended(ended, end.bad, run_s))
            if len(self._recent) > 4 * RECENT:
                self._trim_recent()

    def _left(self, record: sqlite3.Row) -> None:
        began = BEGAN.at(record)
        if began is not None and record["job_status"] is not None:
            self.backlog.left(began)

    def _keep_open(self, key: int, id: str) -> None:
        self._open[key] = id
        if len(self._open) > MAX_OPEN:
            # GigQ leaves attempts of dead workers open for ever: the oldest are given up.
            del self._open[min(self._open)]

    def _named(self, record: sqlite3.Row) -> str:
        if record["job_status"] is None:
            return DELETED
        name = function_of(record)
        if name in self._functions:
            return name
        if len(self._functions) >= MAX_FUNCTIONS:
            return OTHERS
        self._functions.add(name)
        return name

    def _take_jobs(self, records: list[sqlite3.Row]) -> None:
        for record in records:
            self._oldest_job = as_int(record["key"])
            created = CREATED.at(record)
            if created is None:
                continue
            self.backlog.came(created)
            ended = ENDED.at(record)
            never_ran = as_text(record["status"]) == CANCELLED and BEGAN.at(record) is None
            if never_ran and ended is not None:
                self.backlog.left(ended)
        self._jobs += len(records)
        self._jobs_from = min(self._jobs_from, _reach(records, CREATED, CHUNK))

    # --- what is known --------------------------------------------------------------------------

    def owed_in(self) -> float | None:
        """0 while rows were left for the next call; None if all that is new was read."""
        return 0.0 if self.behind else None

    def recent(self) -> list[Ended]:
        """The newest attempts that ended by themselves, the oldest first."""
        self._trim_recent()
        return list(self._recent)

    def _trim_recent(self) -> None:
        self._recent.sort(key=lambda ended: ended.at)
        del self._recent[:-RECENT]

    def waiting(self, window: Past, now: datetime) -> tuple[int | None, ...]:
        """How many jobs waited at the end of each of the window's buckets, the oldest first."""
        known_from = max(self.known_from, self._jobs_from)
        return self.backlog.values(window, seconds(now), known_from)


def _reach(records: list[sqlite3.Row], when: When, asked: int) -> float:
    """The moment after which everything is known once these rows, newest first, were read."""
    if len(records) < asked:
        return float("-inf")
    last = [at for at in map(when.at, records[-REACH:]) if at is not None]
    return max(last) if last else float("inf")


def _between(began: float | None, ended: float) -> float | None:
    """How many seconds an attempt took; None where a clock was set back meanwhile."""
    took = None if began is None else ended - began
    return took if took is not None and took >= 0 else None


def _came_back(record: sqlite3.Row, began: float) -> bool:
    """Whether the attempt's end sent its job back to wait: it waits now, or began once more."""
    last_began = BEGAN.at(record, queries.JOB)
    begun_again = last_began is not None and last_began > began
    return as_text(record["job_status"]) == PENDING or begun_again


def _waited(record: sqlite3.Row, began: float | None) -> float | None:
    """How many seconds a job waited for its first attempt; None for any later one."""
    submitted = CREATED.at(record, queries.JOB)
    if began is None or submitted is None or as_int(record["attempts"]) > 1:
        return None
    return max(0.0, began - submitted)
