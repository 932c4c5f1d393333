"""Where jobs are since an action on them: what is read again and again until they have ended."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path

from gigq_core.decoding import as_float, as_int, as_text, is_parked
from gigq_core.failures import failure_of
from gigq_core.schema.ddl import WORDS
from gigq_core.schema.opening import explained, open_read_only
from gigq_core.times import moment_told
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.outcomes import statements
from gigq_tui.store.queries import EXECUTIONS_INDEX
from gigq_tui.store.statuses import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, TIMEOUT
from gigq_tui.store.stepwise import STEP_S, SoFar

# So many are asked for by one statement; a step is as many of those as it has time for.
AT_ONCE = 500
# So many are all looked at again after news, since what has ended may be retried elsewhere; of
# more, those that have not ended.
FEW = 2_000


class JobNow(IntEnum):
    """Where a job is since an action on it."""

    UNREAD = 0
    FAILED_SAME = 1
    FAILED_OTHER = 2
    # There is nothing to compare its failure with.
    FAILED = 3
    CANCELLED = 4
    GONE = 5
    # A later action has changed it: that one follows it.
    IN_LATER_ACTION = 6
    RUNNING = 7
    STOPPING = 8
    WAITING = 9
    DELAYED = 10
    BLOCKED = 11
    PASSED = 12
    # Of a status that this release doesn't know.
    UNKNOWN = 13

    @property
    def has_failed(self) -> bool:
        """Whether it has failed, or timed out."""
        return self in _BAD

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, or nobody has looked yet."""
        return self in _OPEN


_BAD = (JobNow.FAILED_SAME, JobNow.FAILED_OTHER, JobNow.FAILED)
_WAITS = (JobNow.WAITING, JobNow.DELAYED, JobNow.BLOCKED)
_OPEN = (JobNow.UNREAD, JobNow.RUNNING, JobNow.STOPPING, *_WAITS)
_IS_OPEN = bytes(int(code in _OPEN) for code in range(256))
_ENDS = {COMPLETED: JobNow.PASSED, CANCELLED: JobNow.CANCELLED}


@dataclass(frozen=True)
class JobsNow:
    """Where each of some jobs is, by its place among them."""

    codes: bytes

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, place: int) -> JobNow:
        """Where one of them is."""
        return JobNow(self.codes[place])

    def count(self, *states: JobNow) -> int:
        """How many are in any of some states."""
        return sum(self.codes.count(state) for state in states)

    def places(self, *states: JobNow) -> Iterator[int]:
        """The places of those that are in any of some states."""
        return (place for place, code in enumerate(self.codes) if code in states)

    @property
    def passed(self) -> int:
        """How many have completed."""
        return self.count(JobNow.PASSED)

    @property
    def failed(self) -> int:
        """How many have failed, or timed out."""
        return self.count(*_BAD)

    @property
    def failed_same(self) -> int:
        """How many have failed as they had failed before the action."""
        return self.count(JobNow.FAILED_SAME)

    @property
    def running(self) -> int:
        """How many run."""
        return self.count(JobNow.RUNNING, JobNow.STOPPING)

    @property
    def waiting(self) -> int:
        """How many wait: for a worker, their time, or a parent."""
        return self.count(*_WAITS)

    @property
    def open(self) -> int:
        """How many have not ended, or were not looked at yet."""
        return self.count(*_OPEN)

    def with_state(self, places: Iterable[int], state: JobNow) -> JobsNow:
        """The same with some of them in another state."""
        codes = bytearray(self.codes)
        for place in places:
            codes[place] = state
        return JobsNow(bytes(codes))


class FollowedJobs:
    """Reads where some jobs are, in steps; see `Stepwise`.

    Args:
        ids: The jobs.
        newest: The id of the newest attempt in the file before the action, as `newest_attempt`
            tells it: by that a failure since is told from one before. Empty where there was none.
    """

    def __init__(self, ids: Sequence[str], newest: str = "") -> None:
        self._ids = tuple(ids)
        self._newest = newest
        self._codes = bytearray(len(self._ids))
        self._left: deque[int] = deque(range(len(self._ids)))

    def begin(self) -> None:
        """Look at all of them."""
        self._codes = bytearray(len(self._ids))
        self._left = deque(range(len(self._ids)))

    def renew(self) -> None:
        """Look again at those that may be elsewhere now."""
        places = range(len(self._ids))
        if len(self._ids) > FEW:
            self._left = deque(place for place in places if _IS_OPEN[self._codes[place]])
        else:
            self._left = deque(places)

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[JobsNow]:
        """Look at the next ones."""
        end = time.monotonic() + STEP_S
        while self._left and time.monotonic() < end:
            places = [self._left[n] for n in range(min(AT_ONCE, len(self._left)))]
            for place, state in self._read(conn, schema, now, places).items():
                self._codes[place] = state
            for _ in places:
                self._left.popleft()
        total = len(self._ids)
        return SoFar(JobsNow(bytes(self._codes)), total - len(self._left), total)

    def _read(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime, places: list[int]
    ) -> dict[int, JobNow]:
        ids = json.dumps([self._ids[place] for place in places])
        found: dict[int, JobNow] = {}
        failed: list[int] = []
        for record in conn.execute(statements.where_they_are(schema), (ids,)).fetchall():
            place = places[as_int(record["place"])]
            if as_text(record["status"]) not in (FAILED, TIMEOUT):
                found[place] = _where(record, now)
            elif not JobNow(self._codes[place]).has_failed:
                failed.append(place)
            else:
                found[place] = JobNow(self._codes[place])
        return found | self._causes(conn, schema, failed)

    def _causes(
        self, conn: sqlite3.Connection, schema: FileSchema, failed: list[int]
    ) -> dict[int, JobNow]:
        """Which of some that have failed did so as before."""
        found = dict.fromkeys(failed, JobNow.FAILED)
        since = self._since(conn)
        if not failed or since is None or EXECUTIONS_INDEX not in schema.indexes:
            return found
        ids = json.dumps([self._ids[place] for place in failed])
        for record in conn.execute(statements.causes(schema), (since, ids)).fetchall():
            if record["is_new"] and record["n_failed"] and record["b_failed"]:
                same = _fingerprint(record, "n") == _fingerprint(record, "b")
                state = JobNow.FAILED_SAME if same else JobNow.FAILED_OTHER
                found[failed[as_int(record["place"])]] = state
        return found

    def _since(self, conn: sqlite3.Connection) -> int | None:
        """The rowid of the newest attempt before the action; None where it is gone."""
        if not self._newest:
            return 0
        # Asked anew each time: VACUUM gives rows other numbers.
        row = conn.execute(statements.ATTEMPT_KEY, (self._newest,)).fetchone()
        return None if row is None else as_int(row[0])


def newest_attempt(path: Path) -> str:
    """The id of the newest attempt in a file; empty where there is none.

    Raises:
        DatabaseError: The file can't be read now.
    """
    with explained(path), closing(open_read_only(path)) as connection:
        row = connection.execute(statements.NEWEST_ATTEMPT).fetchone()
        return "" if row is None else as_text(row[0])


def _where(record: sqlite3.Row, now: datetime) -> JobNow:
    """Where a job is that has not failed."""
    status = record["status"]
    if status is None:
        return JobNow.GONE
    if status == RUNNING:
        return JobNow.RUNNING if record["stop_requested_at"] is None else JobNow.STOPPING
    if status == PENDING:
        return _waits(record, now)
    return _ENDS.get(as_text(status), JobNow.UNKNOWN)


def _waits(record: sqlite3.Row, now: datetime) -> JobNow:
    retry_after = as_text(record["retry_after"])
    if is_parked(retry_after):
        return JobNow.BLOCKED
    due = moment_told(record["due"], None if retry_after in WORDS else retry_after)
    return JobNow.DELAYED if due is not None and due > now else JobNow.WAITING


def _fingerprint(record: sqlite3.Row, table: str) -> str:
    """By what the failure of an attempt is known; worked out where it does not say it itself."""
    stored = as_text(record[f"{table}_fingerprint"])
    if stored:
        return stored
    error, traceback = record[f"{table}_error"], record[f"{table}_traceback"]
    return failure_of(as_text(error), None if traceback is None else as_text(traceback)).fingerprint
