"""Questions that only a worker can answer, and that go to it through the file.

Who asks writes a row, looks for the answer, and takes the row away again, whatever became of it;
rows of those who could not are removed by whoever asks next.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gigq_core.rows.decoding import as_text
from gigq_core.schema import ask_statements as sql
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.opening import explain
from gigq_core.schema.transaction import write
from gigq_core.units.times import utc_now

# What can be asked for.
Asked = Literal["stack"]

# After so long nobody waits for an answer any more, in seconds.
STALE_S = 60.0
# The most characters of an answer.
LONGEST_ANSWER = 256 * 1024
# How often it is looked for, in seconds.
LOOK_EVERY_S = 0.01


class Answer(NamedTuple):
    """What came of a question: an answer, or a sentence that tells why there is none."""

    text: str | None
    trouble: str | None


def ask_worker(
    path: Path, worker_id: str, execution_id: str, what: Asked, timeout_s: float
) -> Answer | None:
    """Ask a worker about an attempt of its, and wait for the answer.

    Args:
        path: the queue's file, which has to be written for that.
        worker_id: the worker.
        execution_id: the attempt.
        what: what to ask for.
        timeout_s: how long to wait, in seconds.

    Returns:
        What it answered; None if nothing in time.

    Raises:
        DatabaseError: the file can't be written, or not in time.
    """
    try:
        with closing(open_for_work(path, create=False)) as conn:
            return _ask(conn, worker_id, execution_id, what, timeout_s)
    except sqlite3.Error as problem:
        raise explain(problem, path) from None


def _ask(
    conn: sqlite3.Connection, worker_id: str, execution_id: str, what: Asked, timeout_s: float
) -> Answer | None:
    now = utc_now()
    with write(conn):
        conn.execute(sql.FORGET_STALE, {"now": now, "stale_s": STALE_S})
        values = {"worker": worker_id, "execution": execution_id, "what": what, "now": now}
        question = {"id": conn.execute(sql.ASK, values).lastrowid, "asked": now}
    try:
        return _wait(conn, question, time.monotonic() + timeout_s)
    finally:
        try:
            with write(conn):
                conn.execute(sql.TAKE_BACK, question)
        except sqlite3.OperationalError:
            pass  # it is stale soon, and removed by whoever asks next


def _wait(conn: sqlite3.Connection, question: dict[str, Any], until: float) -> Answer | None:
    version = -1
    while True:
        late = time.monotonic() > until
        changed = conn.execute("PRAGMA data_version").fetchone()[0]
        if changed != version or late:
            version = changed
            row = conn.execute(sql.ANSWER_TO, question).fetchone()
            if row is None:
                return None  # somebody took it away: nobody will answer
            if row["answered"] is not None:
                trouble = row["trouble"]
                return Answer(
                    None if trouble is not None else as_text(row["answer"])[:LONGEST_ANSWER],
                    None if trouble is None else as_text(trouble),
                )
        if late:
            return None
        time.sleep(LOOK_EVERY_S)
