"""Being told that a queue file changed, without asking all the time."""

from __future__ import annotations

import logging
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from gigq_core.system.paths import queue_file

logger = logging.getLogger("gigq_core.change_hints")

# Seconds to wait before each further look after a hint: with full synchronisation the file changes
# before the commit can be seen.
LADDER_S = (0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.016)

# linux/inotify.h
_IN_MODIFY, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_IN_Q_OVERFLOW = 0x4000
_TAKEN_AWAY = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE
_EVENT = struct.Struct("iIII")

# How long watchfiles gathers changes, in milliseconds.
_STEP_MS = 10


class FolderEvents:
    """The kernel's events for a queue file and its WAL (Linux): a descriptor to wait on.

    It never opens the files themselves: closing one would drop SQLite's locks.

    Raises:
        OSError: this system has no inotify, or no more watches.
    """

    def __init__(self, path: str | Path) -> None:
        if sys.platform != "linux":
            raise OSError("inotify is Linux's")
        import ctypes

        file = queue_file(path).absolute()
        self._names = {os.fsencode(file.name), os.fsencode(file.name + "-wal")}
        self._all_names = self._names | {os.fsencode(file.name + "-shm")}
        # Whether one of the files was deleted, or moved, since somebody looked at this.
        self.taken_away = False
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        mask = _IN_MODIFY | _IN_CREATE | _TAKEN_AWAY
        if libc.inotify_add_watch(self._fd, os.fsencode(file.parent), mask) < 0:
            number = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(number, "inotify_add_watch")

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._fd

    def drain(self) -> bool:
        """Take in all events; says whether one of them was about the queue file."""
        found = False
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length].rstrip(b"\0")
                at += length
                found = found or name in self._names or bool(mask & _IN_Q_OVERFLOW)
                if mask & _TAKEN_AWAY and name in self._all_names:
                    self.taken_away = True

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)


class ChangeHints:
    """Calls back when a queue file, or its WAL, may have changed.

    A hint, not the truth: ask `PRAGMA data_version`, and again after each of `LADDER_S`, since the
    event comes before the commit can be seen; and ask now and then without a hint.

    Args:
        path: the queue file.
        callback: called from a thread of this object's; it must return quickly.
    """

    def __init__(self, path: str | Path, callback: Callable[[], None]) -> None:
        self._path = queue_file(path).absolute()
        self._callback = callback
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin to watch. Where that can't be done, no hint ever comes."""
        if self._thread is not None:
            return
        target = self._watch_elsewhere
        if sys.platform == "linux":
            self._wake = os.pipe()
            target = self._watch_linux
        self._thread = threading.Thread(target=target, name="change-hints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; no callback comes after this."""
        self._stopped.set()
        if self._wake is not None:
            os.write(self._wake[1], b"\0")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        if self._wake is not None:
            for fd in self._wake:
                os.close(fd)
            self._wake = None

    def _watch_linux(self) -> None:
        import select

        try:
            events = FolderEvents(self._path)
        except OSError as problem:
            logger.warning("Changes of %s are found by asking: %s", self._path, problem)
            return
        assert self._wake is not None
        try:
            while not self._stopped.is_set():
                select.select([events.fileno(), self._wake[0]], [], [])
                if events.drain() and not self._stopped.is_set():
                    self._callback()
        finally:
            events.close()

    def _watch_elsewhere(self) -> None:
        from watchfiles import watch

        names = {self._path.name, self._path.name + "-wal"}
        try:
            for changes in watch(
                self._path.parent,
                watch_filter=lambda _, changed: Path(changed).name in names,
                debounce=2 * _STEP_MS,
                step=_STEP_MS,
                stop_event=self._stopped,
                recursive=False,
                raise_interrupt=False,
            ):
                if changes:
                    self._callback()
        except (OSError, RuntimeError) as problem:
            logger.warning("Changes of %s are found by asking: %s", self._path, problem)
