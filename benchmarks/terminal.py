"""The far end of a slow line: the console in a pseudo-terminal, its bytes counted and not drawn."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from benchmarks.processes import ROOT, Trouble

COLUMNS, ROWS = 120, 32
# Nothing for so long: what was asked for has been drawn.
QUIET_S = 0.6
END_TIMEOUT_S = 5.0
_PIECE = 65_536
# What every screen's header says once the file has been read.
_READ = b"live"


class Line:
    """`gigq-tui` at the other end of a line.

    Args:
        path: the queue file.
        theme: as `--theme` takes it.

    Raises:
        Trouble: it did not show the file in time, or ended.
    """

    def __init__(self, path: Path, theme: str = "dark") -> None:
        ours, theirs = pty.openpty()
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gigq_tui", str(path), "--theme", theme],
            cwd=ROOT,
            env={**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._end = ours
        self.first_paint_s = 0.0
        try:
            painted = self._until_read(started)
            self.first_paint_bytes = painted + self.read()
        except Trouble:
            self.close()
            raise

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _until_read(self, started: float, timeout_s: float = 30.0) -> int:
        seen, count = b"", 0
        while _READ not in seen:
            if time.monotonic() - started > timeout_s:
                raise Trouble("the console did not show the file")
            piece = self._piece(QUIET_S)
            if piece and not count:
                self.first_paint_s = time.monotonic() - started
            count += len(piece)
            seen = seen[-len(_READ) :] + piece
        return count

    def _piece(self, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._end], [], [], wait_s)
        if not ready:
            return b""
        try:
            return os.read(self._end, _PIECE)
        except OSError:  # Linux says so when the other side has ended
            raise Trouble("the console ended") from None

    def read(self, quiet_s: float = QUIET_S) -> int:
        """How many bytes come until nothing has come for `quiet_s` seconds."""
        count = 0
        while piece := self._piece(quiet_s):
            count += len(piece)
        return count

    def press(self, keys: str, quiet_s: float = QUIET_S) -> int:
        """How many bytes these keys bring."""
        os.write(self._end, keys.encode())
        return self.read(quiet_s)

    def close(self) -> None:
        """End the console, and hang up."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + END_TIMEOUT_S
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    self._piece(0.05)  # a full line would keep it from ending
                except Trouble:
                    break
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._end)
