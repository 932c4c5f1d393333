"""What keeps a worker from its file: told once when it begins to matter, and when it is over."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

logger = logging.getLogger("gigq_core.worker")

# A lock is told of when it has kept the worker waiting for so long, in seconds.
LOCK_LOGGED_AFTER_S = 5.0
# A WAL this large is looked after, so often, and told of when a reader has kept it for so long.
LARGE_WAL_BYTES = 64 * 1024 * 1024
WAL_EVERY_S = 5.0
WAL_LOGGED_AFTER_S = 20.0


class Trouble:
    """One kind of trouble with one file.

    Args:
        log_after_s: how long it may last, in seconds, before it is worth a line.
    """

    def __init__(self, log_after_s: float) -> None:
        self._log_after_s = log_after_s
        self._since: float | None = None
        self._logged = False

    def goes_on(self, what: str) -> None:
        """It is there, from now on."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        lasted = now - self._since
        if not self._logged and lasted >= self._log_after_s:
            self._logged = True
            logger.warning("%s%s", what, f" (for {lasted:.0f} s so far)" if lasted >= 1 else "")

    def is_over(self, what: str) -> None:
        """It is not there, or not any more."""
        if self._since is not None and self._logged:
            logger.warning("%s, after %.0f s", what, time.monotonic() - self._since)
        self._since, self._logged = None, False


class FileTroubles:
    """Every kind of trouble that a worker may have with its file.

    Args:
        path: the queue's file.
        conn: the worker's connection.
    """

    def __init__(self, path: Path, conn: sqlite3.Connection) -> None:
        self._path = path
        self._wal = f"{path}-wal"
        self._conn = conn
        self._lock = Trouble(LOCK_LOGGED_AFTER_S)
        self._disk = Trouble(0.0)
        self._reader = Trouble(WAL_LOGGED_AFTER_S)
        self._last_check = 0.0

    def locked(self) -> None:
        """Another process keeps the write lock."""
        self._lock.goes_on(
            f"{self._path} is locked by another process, so nothing is claimed or ended; "
            "`gigq-core doctor` says which"
        )

    def unusable(self, problem: sqlite3.Error) -> None:
        """SQLite could not read or write it."""
        self._disk.goes_on(f"{self._path} can't be used for now: {problem}")

    def fine(self) -> None:
        """What was to be read and written has been."""
        self._lock.is_over(f"{self._path} is no longer locked by another process")
        self._disk.is_over(f"{self._path} can be used again")

    def look_after_wal(self, now: float) -> None:
        """Make a large WAL smaller where it can be done; tell where a reader prevents it.

        Args:
            now: by the monotonic clock.
        """
        if now - self._last_check < WAL_EVERY_S:
            return
        self._last_check = now
        size = _size(self._wal)
        if size <= LARGE_WAL_BYTES:
            self._reader.is_over(f"The WAL of {self._path} could be copied back")
            return
        if not self._is_copied_back():
            self._reader.goes_on(
                f"The WAL of {self._path} has grown to {size / 1e6:.0f} MB, since a program holds "
                "a read transaction open; end it: `gigq-core doctor` says which"
            )
            return
        self._reader.is_over(f"The WAL of {self._path} could be copied back")

    def _is_copied_back(self) -> bool:
        """Copy the WAL back into the file, and cut it off if that needs nobody's patience."""
        try:
            _, frames, copied = self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if copied < frames:
                return False
            self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            # Others are at it.
            pass
        return True


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
