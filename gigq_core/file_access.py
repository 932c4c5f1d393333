"""A queue file as each thread of a process reaches it: to read, and to write in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gigq_core.changes.action_progress import ActionProgress
from gigq_core.connections import close_connection, get_connection, get_held_file
from gigq_core.schema.attach import ensure_attached
from gigq_core.schema.features import Feature, is_used
from gigq_core.schema.opening import explain
from gigq_core.schema.transaction import read, write
from gigq_core.units.times import utc_now


class FileAccess:
    """What `JobQueue` reaches its file by. Every thread gets a connection of its own.

    Args and raises: as for `JobQueue`.
    """

    def __init__(
        self,
        db_path: str | Path,
        initialize: bool = True,
        *,
        progress: ActionProgress | None = None,
    ) -> None:
        self.db_path = db_path
        self._initialize = initialize
        self._progress = progress
        if initialize:
            self._connection()

    def close(self) -> None:
        """Close the current thread's connection to the file."""
        close_connection(self.db_path)

    @property
    def _waits(self) -> Callable[[bool], None] | None:
        progress = self._progress
        if progress is None:
            return None

        def tell(waits: bool) -> None:
            progress.waits_for_lock = waits

        return tell

    def _connection(self) -> sqlite3.Connection:
        return get_connection(self.db_path, create=self._initialize)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with read(self._connection()) as conn:
                yield conn
        except sqlite3.OperationalError as problem:
            raise explain(problem, Path(self.db_path)) from problem

    @contextmanager
    def _writing(self, submits: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; what only `submits` looks after the lanes of its jobs itself."""
        held = get_held_file(self.db_path, create=self._initialize)
        try:
            with write(held.conn, self._waits) as conn:
                # Somebody may have detached the file since this queue was opened.
                ensure_attached(conn)
                yield conn
                if not submits and is_used(conn, Feature.LANES):
                    from gigq_core.lanes.settling import settle

                    settle(conn, utc_now())
                held.check()
            held.confirm()
        except sqlite3.OperationalError as problem:
            raise explain(problem, Path(self.db_path)) from problem

    def _one(self, statement: str, *values: object) -> sqlite3.Row | None:
        return next(iter(self._all(statement, *values)), None)

    def _all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Everything is fetched at once: an open reader would keep the WAL growing."""
        try:
            return self._connection().execute(statement, values).fetchall()
        except UnicodeEncodeError:
            return []  # no row can be asked for by what the file can't hold
        except sqlite3.OperationalError as problem:
            if "no such" not in str(problem):
                raise explain(problem, Path(self.db_path)) from problem
        with self._writing() as conn:
            return conn.execute(statement, values).fetchall()
