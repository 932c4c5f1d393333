"""The newest attempts of a file, read once each as they come: what the header's figures stand on.

`job_executions` has no index on its times, but its rows stand in the order in which attempts
began. So the newest rows are read once, and afterwards only those above them, and again those
whose attempt had not ended. What happened in a window of time is read by `account`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from datetime import datetime
from typing import NamedTuple

from gigq_core.rows.decoding import as_int, as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.history.rings import Rings
from gigq_tui.store.history.tally import BAD_ENDS, End
from gigq_tui.store.instants import BEGAN, ENDED
from gigq_tui.store.statuses import RUNNING

# The first look, with the first picture of the file: some milliseconds.
FIRST_ATTEMPTS = 1_000
# What is new is read in such chunks, between two pictures.
CHUNK = 3_000
# What is read anew at each refresh: attempts that had not ended.
MAX_OPEN = 1_000
# The newest rows, remembered so that rowids given twice are noticed.
TAIL = 512
# The last rows of the first look say how far back it reaches: one damaged time must not decide it.
REACH = 50
# Rows that come with an end so long ago were put back (an undo): they were counted before.
PUT_BACK_S = 120.0
# What the figures of the header are made of.
RECENT = 500

_TRIED = {end.value: end for end in (End.DONE, *BAD_ENDS)}


class Ended(NamedTuple):
    """An attempt that ended by itself; times in seconds, `at` of the epoch."""

    at: float
    bad: bool
    run_s: float | None


def seconds(at: datetime) -> float:
    """A moment in seconds of the epoch that everything here counts in."""
    return at.timestamp()


class History:
    """The newest attempts of one file. It belongs to the thread that reads."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.rings = Rings()
        # Every attempt that began after this is known, in seconds of the epoch.
        self.known_from = float("inf")
        # Whether rows were left for the next call.
        self.behind = False
        self._recent: list[Ended] = []
        self._tail: deque[tuple[int, str]] = deque(maxlen=TAIL)
        self._open: dict[int, str] = {}
        self._followed_at = float("-inf")
        self._newest = 0
        self._begun = False

    # --- reading --------------------------------------------------------------------------------

    def follow(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> None:
        """Take in what happened since the last call; the first one looks at the newest rows.

        Args:
            conn: within a read transaction.
            schema: the file's.
            now: the present moment.
        """
        at = seconds(now)
        if self._begun and not self._anchored(conn):
            self._begin_anew()
        if self._begun:
            self._read_new(conn, schema, at)
        else:
            self._read_first(conn, schema, at)
        self.rings.forget_old(at)
        self._followed_at = at

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
        records = conn.execute(
            queries.attempts_below(schema), (newest + 1, FIRST_ATTEMPTS)
        ).fetchall()
        live = []
        if "execution_id" in schema.job_columns:
            live = conn.execute(queries.attempts_that_run(schema), (MAX_OPEN,)).fetchall()
        self._newest = newest
        self._begun = True
        self._tail.extend((as_int(r["key"]), as_text(r["id"])) for r in reversed(records[:TAIL]))
        for record in records:
            self._take(record, at)
        self.known_from = _reach(records)
        for record in live:
            self._open[as_int(record["key"])] = as_text(record["id"])

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
                self._take(record, at)

    def _take(self, record: sqlite3.Row, at: float) -> None:
        """Count one attempt, or remember to look at it again while it goes on."""
        status = as_text(record["status"])
        if status == RUNNING:
            self._keep_open(as_int(record["key"]), as_text(record["id"]))
            return
        ended = ENDED.at(record)
        end = _TRIED.get(status)
        if ended is None or end is None:
            return
        began = BEGAN.at(record)
        self.rings.add(ended, at)
        self._recent.append(Ended(ended, end.bad, _between(began, ended)))
        if len(self._recent) > 4 * RECENT:
            self._trim_recent()

    def _keep_open(self, key: int, id: str) -> None:
        self._open[key] = id
        if len(self._open) > MAX_OPEN:
            # GigQ leaves attempts of dead workers open for ever: the oldest are given up.
            del self._open[min(self._open)]

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


def _reach(records: list[sqlite3.Row]) -> float:
    """The moment after which everything is known once the first rows, newest first, were read."""
    if len(records) < FIRST_ATTEMPTS:
        return float("-inf")
    last = [at for at in map(BEGAN.at, records[-REACH:]) if at is not None]
    return max(last) if last else float("inf")


def _between(began: float | None, ended: float) -> float | None:
    """How many seconds an attempt took; None where a clock was set back meanwhile."""
    took = None if began is None else ended - began
    return took if took is not None and took >= 0 else None
