"""What others ask, through the file, of jobs that run at this worker's agents; and the answers."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gigq_core.fleet.asks import LONGEST_ANSWER, STALE_S
from gigq_core.schema import ask_statements as sql
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.units.times import utc_now
from gigq_core.worker.agents.wire import Stack

logger = logging.getLogger("gigq_core.worker")

# So many are looked at in one read.
MOST_AT_ONCE = 50
CUT = "\n…"


class AsksAgents(Protocol):
    """The pool, as far as it is asked for stacks."""

    def ask_stack(self, token: str, number: int) -> None:
        """Ask where an attempt is; the answer comes back with the number, also if there is none."""
        ...

    def take_stacks(self) -> Sequence[Stack]:
        """The answers since the last call."""
        ...


class AskedOfAgents:
    """Takes questions out of the file, and writes their answers, in transactions of their own.

    Args:
        conn: the supervisor's connection.
        writing: begins a transaction of its.
        worker_id: the worker that is asked.
        pool: who is asked for it.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
        worker_id: str,
        pool: AsksAgents,
    ) -> None:
        self._conn = conn
        self._writing = writing
        self._worker_id = worker_id
        self._pool = pool
        self._last_number = 0
        # The questions that wait for an answer: by the number that they have on the way, and by
        # what tells them apart in the file.
        self._waiting: dict[int, tuple[int, float]] = {}
        self._answers: list[dict[str, Any]] = []
        # Whether that was told.
        self._is_unreadable = False

    def look(self) -> None:
        """Pass on what is new in the file; a plain read, after each change of it."""
        try:
            rows = self._conn.execute(sql.ASKED_OF, (self._worker_id, MOST_AT_ONCE)).fetchall()
        except sqlite3.Error as problem:
            if is_passing(problem):
                raise
            # Whatever has become of that table, jobs go on.
            if not self._is_unreadable:
                logger.error("Requests about jobs at agents can't be read: %s", problem)
            self._is_unreadable = True
            return
        if not rows and not self._waiting:
            return
        known = {*self._waiting.values(), *((a["id"], a["asked"]) for a in self._answers)}
        open_ones = {(row["id"], row["asked"]) for row in rows}
        # Whoever asked may have given up.
        self._waiting = {n: which for n, which in self._waiting.items() if which in open_ones}
        now = utc_now()
        for row in rows:
            which = (row["id"], row["asked"])
            if which in known or abs(now - row["asked"]) > STALE_S:
                continue
            if row["what"] != "stack":
                self._note(which, None, "its worker can't tell that")
                continue
            self._last_number += 1
            self._waiting[self._last_number] = which
            self._pool.ask_stack(row["execution_id"], self._last_number)

    def answer(self) -> None:
        """Write the answers that have come.

        Raises:
            LockBusy: they are kept for the next call.
        """
        for told in self._pool.take_stacks():
            which = self._waiting.pop(told.number, None)
            if which is not None:
                self._note(which, told.text, told.trouble)
        if not self._answers:
            return
        with self._writing() as conn:
            now = utc_now()
            try:
                with savepoint(conn):
                    conn.execute(sql.FORGET_STALE, {"now": now, "stale_s": STALE_S})
                    conn.executemany(sql.ANSWER, [{**a, "now": now} for a in self._answers])
            except sqlite3.Error as problem:
                if is_passing(problem) or not conn.in_transaction:
                    raise
                logger.error("Requests about jobs at agents can't be answered: %s", problem)
        self._answers = []

    def _note(self, which: tuple[int, float], text: str | None, trouble: str | None) -> None:
        if text is not None and len(text) > LONGEST_ANSWER:
            text = text[: LONGEST_ANSWER - len(CUT)] + CUT
        self._answers.append(
            {"id": which[0], "asked": which[1], "answer": text, "trouble": trouble}
        )
