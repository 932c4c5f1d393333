"""Where jobs are since an action on them: what is read again and again until they have ended."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from gigq_core.failures import failure_of
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schema.opening import explained, open_read_only
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.outcomes import statements
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.queries import EXECUTIONS_INDEX
from gigq_tui.store.stepwise import STEP_S, SoFar

# So many are asked for by one statement; a step is as many of those as it has time for.
AT_ONCE = 500
# So many are all looked at again after news, since what has ended may be retried elsewhere; of
# more, those that have not ended.
FEW = 2_000

_IS_OPEN = bytes(state.is_open for state in JobNow)
_HAS_FAILED = bytes(state.has_failed for state in JobNow)


class FollowedJobs:
    """Reads where some jobs are, in steps; see `Stepwise`.

    Args:
        ids: The jobs.
        newest: The id of the newest attempt in the file before the action, as `newest_attempt`
            tells it: by that a failure since is told from one before. Empty where there was none,
            None where failures are not compared.

    Attributes:
        ids: The jobs.
    """

    def __init__(self, ids: Sequence[str], newest: str | None) -> None:
        self.ids = tuple(ids)
        self._newest = newest
        self._codes = bytearray(len(self.ids))
        self._left: deque[int] = deque(range(len(self.ids)))

    def begin(self) -> None:
        """Look at all of them."""
        self._codes = bytearray(len(self.ids))
        self._left = deque(range(len(self.ids)))

    def renew(self) -> None:
        """Look again at those that may be elsewhere now."""
        places = range(len(self.ids))
        if len(self.ids) > FEW:
            self._left = deque(place for place in places if _IS_OPEN[self._codes[place]])
        else:
            self._left = deque(places)

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[JobsNow]:
        """Look at the next ones."""
        end = time.monotonic() + STEP_S
        while self._left and time.monotonic() < end:
            places = [self._left[n] for n in range(min(AT_ONCE, len(self._left)))]
            self._read(conn, schema, now, places)
            for _ in places:
                self._left.popleft()
        total = len(self.ids)
        return SoFar(JobsNow(bytes(self._codes)), total - len(self._left), total)

    def _read(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime, places: list[int]
    ) -> None:
        ids = json.dumps([self.ids[place] for place in places])
        statement = statements.where_they_are(schema)
        records = conn.execute(statement, (now.timestamp(), ids)).fetchall()
        failed: list[int] = []
        found: dict[int, JobNow] = {}
        for place, record in zip(places, records, strict=True):
            state = JobNow(as_int(record[0]))
            found[place] = state
            if state.has_failed:
                if _HAS_FAILED[self._codes[place]]:
                    found[place] = JobNow(self._codes[place])
                else:
                    failed.append(place)
        found |= self._causes(conn, schema, failed)
        for place, state in found.items():
            self._codes[place] = state

    def _causes(
        self, conn: sqlite3.Connection, schema: FileSchema, failed: list[int]
    ) -> dict[int, JobNow]:
        """Which of some that have failed did so as before, or in another way."""
        found: dict[int, JobNow] = {}
        since = self._since(conn)
        if not failed or since is None or EXECUTIONS_INDEX not in schema.indexes:
            return found
        ids = json.dumps([self.ids[place] for place in failed])
        for record in conn.execute(statements.causes(schema), (since, ids)).fetchall():
            if record["is_new"] and record["n_failed"] and record["b_failed"]:
                same = _fingerprint(record, "n") == _fingerprint(record, "b")
                state = JobNow.FAILED_SAME if same else JobNow.FAILED_OTHER
                found[failed[as_int(record["place"])]] = state
        return found

    def _since(self, conn: sqlite3.Connection) -> int | None:
        """The rowid of the newest attempt before the action; None where it isn't known."""
        if not self._newest:
            return None if self._newest is None else 0
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


def _fingerprint(record: sqlite3.Row, table: str) -> str:
    """By what the failure of an attempt is known; worked out where it does not say it itself."""
    stored = as_text(record[f"{table}_fingerprint"])
    if stored:
        return stored
    error, traceback = record[f"{table}_error"], record[f"{table}_traceback"]
    return failure_of(as_text(error), None if traceback is None else as_text(traceback)).fingerprint
