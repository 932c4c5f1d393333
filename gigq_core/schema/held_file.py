"""An open queue file and the files on disk under it: whether their paths still lead to them.

SQLite goes on writing into a WAL that somebody deleted. Whoever opens the queue after that gets a
new WAL, and nobody sees the other's work; worse, the first to close copies the old WAL over the
file and deletes the new one. So it has to be noticed, and such a connection must not be closed.

Only paths are asked after, with `os.stat`: to open one of the files, and close it again, would
drop SQLite's locks.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import weakref
from enum import Enum
from pathlib import Path

from gigq_core.errors import FilesLost
from gigq_core.system.paths import queue_file

_SUFFIXES = ("", "-wal", "-shm")

# Before a read nobody looks more often than this, in seconds.
GLANCE_EVERY_S = 0.5
# A file system's clock may stand still for so long, in nanoseconds.
_CLOCK_STEP_NS = 100_000_000

_Identity = tuple[int, int]
# Of a file that had gone before it could be looked at: no file has it.
_NO_FILE = (-1, -1)


class Loss(Enum):
    """What became of the files: some path leads nowhere, or to another file than before."""

    GONE = "gone"
    REPLACED = "replaced"


class DiskFiles:
    """The queue's file, its WAL and its index as they were when a connection had opened them.

    To be made right after the connection has read for the first time, since the WAL is opened then.

    Args:
        path: the queue's file.
        wal: whether the connection found it in WAL mode.

    Raises:
        FilesLost: another connection of this process has lost them; SQLite shares what it knows
            of the WAL between all of them, so this one would not read what is on disk.
    """

    def __init__(self, path: str | Path, wal: bool) -> None:
        self.path = Path(path)
        real = os.path.abspath(queue_file(path))
        self._folder = os.path.dirname(real)
        self._paths = tuple(real + suffix for suffix in _SUFFIXES)
        # The folder as it was when all files were found in their places, if it can prove that.
        self._quiet: _Identity | None = None
        now = self._now()
        for other in tuple(_watched):
            if other._paths == self._paths and other._known[0] == now[0]:
                other.check()
        self._known: tuple[_Identity | None, ...] = tuple(
            found or (_NO_FILE if wal else None) for found in now
        )
        _watched.add(self)

    def lost(self) -> Loss | None:
        """What became of the files, or None while all are in their places.

        Mostly one look at the folder, whose time of change moves with every name in it.
        """
        folder = _changed(self._folder)
        if folder is not None and folder == self._quiet:
            return None
        now = self._now()
        if now == self._known:
            self._quiet = folder if _is_settled(folder) else None
            return None
        self._quiet = None
        known = self._known
        # A file that was not in WAL mode at first may have got there since.
        self._known = tuple(old or new for old, new in zip(known, now, strict=True))
        pairs = list(zip(self._known, now, strict=True))
        if any(new is not None and new != old for old, new in pairs):
            return Loss.REPLACED
        return Loss.GONE if any(old is not None and new is None for old, new in pairs) else None

    def check(self) -> None:
        """Make sure that all are in their places.

        Raises:
            FilesLost: they are not; the sentence says which.
        """
        if self.lost() is not None:
            raise FilesLost(self.sentence())

    def sentence(self) -> str:
        """What happened and what to do, for a person; only right once `lost` tells of a loss."""
        pairs = zip(self._paths, self._known, self._now(), strict=True)
        names = [os.path.basename(path) for path, old, new in pairs if old != new]
        shown = " and ".join(names) or self.path.name
        be = "were" if len(names) > 1 else "was"
        return (
            f"{shown} {be} deleted or replaced while {self.path} was in use, so nothing more is "
            "written to it from here: end every program that has the queue open, check that its "
            "newest jobs are there, and start again."
        )

    def forget(self) -> None:
        """The connection has been closed: what becomes of the files is no concern any more."""
        _watched.discard(self)

    def _now(self) -> tuple[_Identity | None, ...]:
        return tuple(_identity(path) for path in self._paths)


class HeldFile:
    """A connection together with the files that it stands on; closes it where that does no harm.

    Args:
        conn: a connection that has read already.
        path: the queue's file.
        read_only: it was opened so: then closing it never touches the files.

    Raises:
        FilesLost, sqlite3.Error: the connection can't be used; it is closed.
    """

    def __init__(
        self, conn: sqlite3.Connection, path: str | Path, *, read_only: bool = False
    ) -> None:
        self.conn = conn
        try:
            mode = conn.execute("PRAGMA journal_mode").fetchone()[0]
            self.files = DiskFiles(path, mode == "wal")
        except BaseException:
            conn.close()
            raise
        self._read_only = read_only
        self._checked = time.monotonic()
        # Also where the owner is forgotten, and when the interpreter ends.
        self._leave = weakref.finalize(
            self, _keep_if_harmful, conn, self.files, os.getpid(), read_only
        )

    def glance(self) -> None:
        """As `check`, but not if that was done just now: for what is called all the time."""
        if time.monotonic() - self._checked > GLANCE_EVERY_S:
            self.check()

    def check(self) -> None:
        """Make sure that what is written now can be found again.

        Raises:
            FilesLost: it could not. What was committed before has been saved if it could be,
                unless this was asked within a transaction.
        """
        if self.files.lost() is None:
            self._checked = time.monotonic()
            return
        self._checked = float("-inf")
        self.save()
        self.files.check()

    def confirm(self) -> None:
        """As `check`, after a commit: a loss that could be made good is none of the caller's.

        Raises:
            FilesLost: nobody can tell whether the commit is in the file.
        """
        if self.files.lost() is not None and not self.save():
            self.check()

    def save(self) -> bool:
        """Bring what stands in a WAL that was deleted into the file itself, if nobody has made a
        new one meanwhile; says whether everything is there."""
        if self._read_only or self.conn.in_transaction or self.files.lost() is not Loss.GONE:
            return False
        try:
            row = self.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            # A full disk, for example: there is another chance when it is closed.
            return False
        busy, frames, copied = row
        return busy == 0 and frames == copied and self.files.lost() is Loss.GONE

    def close(self) -> None:
        """Close the connection, or leave it open for ever if closing it would do harm."""
        if self._leave.alive and not self._leave():
            self.conn.close()


# Those of all connections that are open in this process.
_watched: set[DiskFiles] = set()


def _keep_if_harmful(conn: sqlite3.Connection, files: DiskFiles, pid: int, read_only: bool) -> bool:
    """Whether the connection has been made to outlast the interpreter.

    Closing it would copy an old WAL over what others wrote since, and delete theirs. In a copy of
    the process that opened it (a fork) it would take SQLite's locks for its own.
    """
    if os.getpid() == pid and (read_only or files.lost() is not Loss.REPLACED):
        files.forget()
        return False
    if sys.implementation.name == "cpython":
        import ctypes  # rarely needed, and large

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(conn))
    return True


def _changed(folder: str) -> _Identity | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _is_settled(folder: _Identity | None) -> bool:
    """Whether a change from now on would get another time than the last one has."""
    return folder is not None and folder[1] < time.time_ns() - _CLOCK_STEP_NS


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
