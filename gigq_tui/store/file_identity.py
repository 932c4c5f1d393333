"""Which file stands at a path: whether it is still the one that was read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from gigq_core.errors import DatabaseError, DatabaseMissing

_Identity = tuple[int, int]


class FileIdentity:
    """A path, and what was found there last.

    Args:
        path: where the queue file should be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: _Identity | None = None
        self._folder: _Identity | None = None

    def is_as_before(self) -> bool:
        """Whether the file there is that of the last time this was asked.

        Raises:
            DatabaseMissing: nothing is there.
            DatabaseError: it can't be looked at.
        """
        file = self._found()
        same = file == self._file
        self._file = file
        return same

    def make_sure_it_is_there(self) -> None:
        """Look whether there is a file still, whichever; raises what `is_as_before` does."""
        self._found()

    def _found(self) -> _Identity:
        try:
            return _identity(self._path)
        except FileNotFoundError:
            # The folder may be gone with it, and the next one may get its number.
            self._folder = None
            raise DatabaseMissing(f"{self._path.name} is gone: this was read before.") from None
        except OSError as problem:
            raise DatabaseError(f"{self._path.name} can't be checked: {problem}.") from None

    def folder_is_as_before(self) -> bool:
        """Whether the folder is that of the last time this was asked: a watch dies with it."""
        folder = _identity_if_there(self._path.absolute().parent)
        same = folder is None or folder == self._folder
        self._folder = folder or self._folder
        return same


def holders_of_deleted(path: Path) -> list[int] | None:
    """The processes that still have a WAL or an index open that was deleted at that path.

    Returns:
        Their pids, as far as this user may see them; None where the system can't be asked.
    """
    if sys.platform != "linux":
        return None
    real = os.path.realpath(path)
    wanted = {f"{real}{end} (deleted)" for end in ("-wal", "-shm")}
    return sorted(pid for pid in _pids() if not wanted.isdisjoint(_open_files(pid)))


def _pids() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            yield int(name)


def _open_files(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def _identity_if_there(path: Path) -> _Identity | None:
    try:
        return _identity(path)
    except OSError:
        return None
