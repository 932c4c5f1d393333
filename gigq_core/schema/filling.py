"""The moments of rows that were there before us: filled in some at a time, by whoever has time.

A million rows take a while, and whoever shares the file must not wait for it. Until a row has its
turn, its texts tell its moments.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import NamedTuple

from gigq_core.schema import ddl
from gigq_core.schema.transaction import write

# How many rows are filled in at once: some tens of milliseconds.
ROWS_AT_ONCE = 4_000
# Between two such parts, in seconds: whoever waits for the lock looks for it again by then.
BREATH_S = 0.005

_TABLES = {"jobs": ddl.FILL_JOBS, "job_executions": ddl.FILL_EXECUTIONS}
# In `core_meta`, with the table's name behind the word: from which rowid on, and up to which.
_KEY = "to_fill:"
_TO_FILL = f"SELECT key, value FROM core_meta WHERE key >= '{_KEY}' AND key < 'to_fill;'"
_SET = "INSERT OR REPLACE INTO core_meta (key, value) VALUES (?, ?)"
_DONE = "DELETE FROM core_meta WHERE key = ?"


class ToFill(NamedTuple):
    """What is left of one table: the rowids above `after`, up to `last`."""

    table: str
    after: int
    last: int

    @property
    def rows(self) -> int:
        """How many rows that are at most."""
        return self.last - self.after


def note_all(conn: sqlite3.Connection) -> None:
    """Write down that all present rows are to be filled in, within the caller's transaction."""
    for table in _TABLES:
        first, last = conn.execute(f"SELECT min(rowid), max(rowid) FROM {table}").fetchone()
        if last is not None:
            conn.execute(_SET, (_KEY + table, f"{first - 1} {last}"))


def left(conn: sqlite3.Connection) -> list[ToFill]:
    """What is still to be filled in; a plain read."""
    found = []
    for key, value in conn.execute(_TO_FILL).fetchall():
        after, _, last = str(value).partition(" ")
        if key[len(_KEY) :] in _TABLES and after.lstrip("-").isdigit() and last.isdigit():
            found.append(ToFill(key[len(_KEY) :], int(after), int(last)))
    return found


def fill_all(conn: sqlite3.Connection) -> Iterator[int]:
    """Fill in all that is left, in transactions of their own; yields how many rows are, each time.

    Others get their turn in between.
    """
    while parts := left(conn):
        yield sum(part.rows for part in parts)
        with write(conn):
            fill_some(conn)
        time.sleep(BREATH_S)


def fill_some(conn: sqlite3.Connection, rows: int = ROWS_AT_ONCE) -> list[ToFill]:
    """Fill in the next rows, within the caller's transaction; gives what is left."""
    for part in left(conn):
        upto = min(part.after + rows, part.last)
        conn.execute(_TABLES[part.table], (part.after, upto))
        if upto >= part.last:
            conn.execute(_DONE, (_KEY + part.table,))
        else:
            conn.execute(_SET, (_KEY + part.table, f"{upto} {part.last}"))
        break
    return left(conn)
