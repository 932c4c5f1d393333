"""The door to the file: one read-only connection, and whether what it reads is still true."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gigq_core.errors import DatabaseError
from gigq_core.rows.decoding import as_int
from gigq_core.schema.held_file import HeldFile
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.system.paths import queue_file
from gigq_tui.store.file_schema import FileSchema, read_schema, schema_version
from gigq_tui.store.filter.folding import add_functions

# SQLite's steps between two looks at whether a read is still wanted: well under a millisecond.
PROGRESS_STEPS = 20_000


class Interrupted(DatabaseError):
    """The read was given up because nobody wants its result any more."""


class Door:
    """One read-only connection to a queue file.

    All but `interrupt` belongs to one thread at a time.

    Args:
        path: The queue file, attached or GigQ's own.

    Attributes:
        path: The same; where a link leads.
        conn: The connection.
        version: The data version of the last transaction.

    Raises:
        DatabaseError: the file can't be read; so may every method that reads.
    """

    def __init__(self, path: Path) -> None:
        # What SQLite keeps beside a file that is reached through a link lies where the link leads.
        self.path = path = queue_file(path)
        self.conn = open_read_only(path)
        add_functions(self.conn)
        # Whether what is read is what others write: told by the files themselves.
        self._still = self.conn.still
        self._held = None if self._still else HeldFile(self.conn, path, read_only=True)
        self._known_schema: FileSchema | None = None
        self._unwanted = False
        # `Connection.interrupt` reaches only a statement that is running; this, the next one too.
        self.conn.set_progress_handler(lambda: self._unwanted, PROGRESS_STEPS)
        self.version = 0

    @property
    def is_still(self) -> bool:
        """Whether this process may not write the file, and reads it as it stands."""
        return self._still is not None

    def data_version(self) -> int:
        """A number that moves whenever another connection has committed a change."""
        with self._explained():
            self._check_files()
            return self._read_version()

    def interrupt(self) -> None:
        """Make the read that goes on, or else the next, raise `Interrupted`. From any thread."""
        self._unwanted = True
        try:
            self.conn.interrupt()
        except sqlite3.ProgrammingError:  # it was closed meanwhile
            pass

    def rearm(self) -> None:
        """Forget an interrupt: the next read is wanted."""
        self._unwanted = False

    def close(self) -> None:
        """End the connection. No other method works afterwards."""
        if self._held is None:
            self.conn.close()
        else:
            self._held.close()

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, FileSchema]]:
        """One read transaction: everything in it is of one moment."""
        with self._explained():
            self._end()
            self._check_files()
            self.conn.execute("BEGIN")
            try:
                # The first read takes the snapshot; the version asked after it is that snapshot's.
                schema = self.schema()
                self.version = self._read_version()
                yield self.conn, schema
            except sqlite3.Error:
                # A page that was written meanwhile may look like damage.
                self._check_still()
                raise
            finally:
                self._end()
            self._check_still()

    def schema(self) -> FileSchema:
        """What the file is made of now."""
        version = schema_version(self.conn)
        if self._known_schema is None or self._known_schema.version != version:
            self._known_schema = read_schema(self.conn, version)
        return self._known_schema

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            if "interrupted" in str(problem):
                raise Interrupted("The read was given up.") from None
            raise explain(problem, self.path) from None

    def _check_files(self) -> None:
        self._check_still()
        if self._held is not None:
            self._held.files.check()

    def _check_still(self) -> None:
        if self._still is not None:
            self._still.check()

    def _end(self) -> None:
        # A reader that stays in its transaction would make the WAL grow without end. Nothing was
        # written but what stands in for a missing table, and that is to stay.
        if self.conn.in_transaction:
            self.conn.execute("COMMIT")

    def _read_version(self) -> int:
        return as_int(self.conn.execute("PRAGMA data_version").fetchone()[0])
