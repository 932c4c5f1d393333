"""Which file stands at a path: whether it is still the one that was read, and its WAL with it."""

from __future__ import annotations

from pathlib import Path

from gigq_core.errors import DatabaseError, DatabaseMissing

_Identity = tuple[int, int]


class Place:
    """A path, and what was found there last.

    Args:
        path: where the queue file should be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal_path = path.with_name(path.name + "-wal")
        self._file: _Identity | None = None
        self._wal: _Identity | None = None
        self._folder: _Identity | None = None

    def is_as_before(self) -> bool:
        """Whether the file and the WAL there are those of the last time this was asked.

        A WAL appears with the first read; one that goes, or is another, is not a reader's own.

        Raises:
            DatabaseMissing: nothing is there.
            DatabaseError: it can't be looked at.
        """
        try:
            file = _identity(self._path)
        except FileNotFoundError:
            # The folder may be gone with it, and the next one may get its number.
            self._folder = None
            raise DatabaseMissing(
                f"{self._path.name} is gone: what is shown was read before."
            ) from None
        except OSError as problem:
            raise DatabaseError(f"{self._path.name} can't be looked at: {problem}.") from None
        wal = _identity_if_there(self._wal_path)
        same = file == self._file and self._wal in (None, wal)
        self._file, self._wal = file, wal
        return same

    def folder_is_as_before(self) -> bool:
        """Whether the folder is that of the last time this was asked: a watch dies with it."""
        folder = _identity_if_there(self._path.absolute().parent)
        same = folder is None or folder == self._folder
        self._folder = folder or self._folder
        return same


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def _identity_if_there(path: Path) -> _Identity | None:
    try:
        return _identity(path)
    except OSError:
        return None
