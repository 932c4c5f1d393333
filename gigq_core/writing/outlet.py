"""Writing that never makes its caller wait: a bounded buffer, and a thread that empties it."""

from __future__ import annotations

import atexit
import io
import logging
import os
import select
import signal
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

# What waits to be written, at most; beyond that it is dropped, and counted.
MOST_BYTES = 1024 * 1024
# When the process ends: how long writing may stand still, and how long it may go on, in seconds.
STANDSTILL_S = 1.0
FLUSH_S = 5.0
# Lines of one job follow each other closely: they are gathered for so long, in seconds.
GATHER_S = 0.005

# How much goes to the sink at a time.
PIECE_BYTES = 65536


class Sink(Protocol):
    """Where bytes go; may block, and may raise OSError."""

    def write(self, data: bytes | bytearray) -> None: ...


class Descriptor:
    """An open descriptor, such as that of stderr."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes | bytearray) -> None:
        """Write all of it, however long that takes."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                # Somebody else made it so, for all who share it.
                ready = select.poll()
                ready.register(self._fd, select.POLLOUT)
                ready.poll()


class LogFile:
    """A file that begins anew when it is large, and keeps its predecessors: PATH.1, PATH.2, ...

    Args:
        path: the file; it is added to. What is not a regular file is never large.
        size: the most bytes it has, but for one line that is longer; 0 for no end.
        keep: how many predecessors are kept.

    Raises:
        OSError: it can't be opened.
    """

    def __init__(self, path: Path, size: int = 0, keep: int = 0) -> None:
        self.path = path
        self._size = size
        self._keep = keep
        self._fd = -1
        self._written = 0
        self._reopen = False
        self._open()

    def write(self, data: bytes | bytearray) -> None:
        """Add the lines, to the next file where this one is full."""
        if self._reopen:
            self._reopen = False
            self._open()
        for piece in self._pieces(data):
            if self._rotates and self._written and self._written + len(piece) > self._size:
                self._rotate()
            Descriptor(self._fd).write(piece)
            self._written += len(piece)

    def reopen(self) -> None:
        """Before the next line, open the file by its name again; from any thread."""
        self._reopen = True

    def is_open_as(self, fd: int) -> bool:
        """Whether a descriptor leads to this file too."""
        try:
            return os.path.samestat(os.fstat(fd), os.fstat(self._fd))
        except OSError:
            return False

    def _pieces(self, data: bytes | bytearray) -> Sequence[bytes | bytearray]:
        if not self._rotates or len(data) <= self._size - self._written:
            return [data]
        return data.splitlines(keepends=True)

    def _open(self) -> None:
        # Nothing is waited for here, whatever stands there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(self.path, flags, 0o666)
        if self._fd >= 0:
            # What a process prints may go to its log too, past us.
            for shared in (1, 2):
                if self.is_open_as(shared):
                    os.dup2(fd, shared)
            os.close(self._fd)
        self._fd = fd
        found = os.fstat(fd)
        self._rotates = self._size > 0 and stat.S_ISREG(found.st_mode)
        self._written = found.st_size

    def _rotate(self) -> None:
        """Move every file on by one; where that fails, go on with this one."""
        mode = stat.S_IMODE(os.fstat(self._fd).st_mode)
        try:
            if self._keep:
                for number in range(self._keep - 1, 0, -1):
                    if (older := self._numbered(number)).exists():
                        os.replace(older, self._numbered(number + 1))
                os.replace(self.path, self._numbered(1))
            else:
                os.unlink(self.path)
            self._open()
            os.fchmod(self._fd, mode)
        except OSError:
            # Not tried again for every line.
            self._written = 0

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


class Outlet:
    """A bounded buffer in front of a sink that may block: `put` never waits for it.

    What finds no room is dropped; once there is room again a line says how many were.
    """

    def __init__(self, sink: Sink, encoding: str = "utf-8") -> None:
        self.encoding = encoding
        self._sink = sink
        self._begin_anew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self.flush)

    def _begin_anew(self) -> None:
        """In a forked copy there is no thread, and what waits is the original's to write."""
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._writing = False
        self._progress = 0.0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def put(self, text: str) -> None:
        """Have `text`, one line or some, written soon."""
        data = text.encode(self.encoding, "backslashreplace")
        with self._changed:
            if self._bytes + len(data) > MOST_BYTES:
                self._dropped += max(1, data.count(b"\n"))
                return
            self._tell_dropped()
            self._add(data)
            if self._thread is None:
                self._thread = self._started()
            if not self._writing:
                self._changed.notify_all()

    def _started(self) -> threading.Thread | None:
        thread = threading.Thread(target=self._empty, name="outlet", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more threads are allowed: the next line tries again.
            return None
        return thread

    def flush(self) -> None:
        """Wait until all is written, but not for a reader that takes nothing."""
        if self._thread is None:
            self._thread = self._started()
        began = self._progress = time.monotonic()
        with self._changed:
            self._tell_dropped()
            self._changed.notify_all()
            while self._waiting or self._writing:
                until = min(self._progress + STANDSTILL_S, began + FLUSH_S)
                left = until - time.monotonic()
                if left <= 0 or self._thread is None or not self._thread.is_alive():
                    return
                self._changed.wait(min(left, 0.05))

    def _add(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)

    def _tell_dropped(self) -> None:
        if self._dropped:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            lines = "line" if self._dropped == 1 else "lines"
            line = f"{now} - {self._dropped} log {lines} dropped: nobody took them in time\n"
            self._dropped = 0
            self._add(line.encode())

    def _empty(self) -> None:
        # A terminal stops a background process that writes to it, unless the signal is blocked.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        changed = self._changed
        while True:
            with changed:
                self._writing = False
                while not self._waiting:
                    changed.notify_all()
                    changed.wait()
                self._writing = True
            if self._bytes < PIECE_BYTES:
                time.sleep(GATHER_S)
            with changed:
                piece = bytearray()
                while self._waiting and len(piece) < PIECE_BYTES:
                    piece += self._waiting.popleft()
            try:
                self._sink.write(piece)
                failed = 0
            except (OSError, ValueError):
                # The terminal or the reader is gone, or the disk is full.
                failed = piece.count(b"\n")
            with changed:
                # What is being written takes room too: it may be stuck.
                self._bytes -= len(piece)
                self._dropped += failed
                self._progress = time.monotonic()


class OutletHandler(logging.Handler):
    """A logging handler for an outlet."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self.outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line over."""
        try:
            self.outlet.put(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - as every handler does with a record that can't be told
            self.handleError(record)


class OutletStream(io.TextIOBase):
    """A text stream in place of stderr, for whatever else this process has to say."""

    errors = "backslashreplace"

    def __init__(self, *outlets: Outlet) -> None:
        super().__init__()
        self._outlets = outlets

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What the text becomes in the end."""
        return self._outlets[0].encoding

    def write(self, text: str) -> int:
        """Hand the text over."""
        for outlet in self._outlets:
            outlet.put(text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return sys.__stderr__ is not None and sys.__stderr__.isatty()

    def fileno(self) -> int:
        if sys.__stderr__ is None:
            raise io.UnsupportedOperation("fileno")
        return sys.__stderr__.fileno()
