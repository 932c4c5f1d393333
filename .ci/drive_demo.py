"""Run a command that ends in the demo, in a pseudo-terminal, as a person would: watch, then quit.

Standard library only. Fails unless jobs are seen to complete, in the queue's file and on the
screen; the command then ends with status 0 when `q` is pressed; the terminal is left as it was; and
no worker process is left.

Usage: drive_demo.py 'COMMAND', with TMPDIR an empty folder in which the demo will make its own.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

ROWS, COLUMNS = 32, 120
ENOUGH_COMPLETED = 10
SEEN_TIMEOUT_S = 420.0
LEAVE_TIMEOUT_S = 60.0

DONE_ON_SCREEN = re.compile(r"\+ done\b|\bDone [1-9]")
CONTROL = re.compile(
    r"\x1b\[([0-9;?<>=]*)[ -/]*([@-~])"
    r"|\x1b[P\]_^][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-OQ-Z\\`-~]|[\x00-\x1a\x1c-\x1f]"
)


class Screen:
    """As much of a terminal as it takes to read what stands on it."""

    def __init__(self) -> None:
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what the program wrote."""
        text = self._rest + text
        # A sequence that is cut at the end is kept for the next piece.
        cut = text.rfind("\x1b")
        whole = len(text) if cut < 0 or CONTROL.match(text, cut) or len(text) - cut > 200 else cut
        text, self._rest = text[:whole], text[whole:]
        at = 0
        for match in CONTROL.finditer(text):
            self._write(text[at : match.start()])
            self._obey(match)
            at = match.end()
        self._write(text[at:])

    def text(self) -> str:
        """The screen's lines."""
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def _write(self, text: str) -> None:
        for char in text:
            if self.column < COLUMNS:
                self.cells[self.row][self.column] = char
                self.column += 1

    def _obey(self, match: re.Match[str]) -> None:
        if match.group() == "\r":
            self.column = 0
        elif match.group() == "\n":
            if self.row == ROWS - 1:
                self.cells = [*self.cells[1:], [" "] * COLUMNS]
            self.row = min(ROWS - 1, self.row + 1)
        elif match.group(2) in ("H", "f"):
            row, _, column = match.group(1).partition(";")
            self.row = min(ROWS, int(row or 1)) - 1
            self.column = min(COLUMNS, int(column or 1)) - 1
        elif match.group(2) == "J":
            self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        elif match.group(2) == "K":
            line = self.cells[self.row]
            line[self.column :] = [" "] * (COLUMNS - self.column)


class Terminal:
    """A command in a pseudo-terminal of our own."""

    def __init__(self, command: str) -> None:
        self.screen = Screen()
        self.output = bytearray()
        self.status: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.environ["LANG"] = os.environ["LC_ALL"] = "C.UTF-8"
            os.execvp("bash", ["bash", "-euo", "pipefail", "-c", command])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds: float = 0.2) -> None:
        """Take what comes within that time, and notice the end."""
        if self.status is not None:
            return
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        if data:
            self.output += data
            self.screen.feed(data.decode("utf-8", "replace"))
        else:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def kill(self) -> None:
        """End it, where something went wrong."""
        if self.status is None:
            os.kill(self.pid, signal.SIGHUP)
            deadline = time.monotonic() + 15
            while self.status is None and time.monotonic() < deadline:
                self.read()


def fail(terminal: Terminal, why: str) -> None:
    """Say why, with what can be seen, and end with status 1."""
    print(f"drive_demo: {why}", file=sys.stderr)
    print(terminal.screen.text(), file=sys.stderr)
    print(terminal.output[-2000:].decode("utf-8", "replace"), file=sys.stderr)
    terminal.kill()
    sys.exit(1)


def database() -> Path | None:
    """The demo's queue file, once it is there."""
    found = sorted(Path(tempfile.gettempdir()).glob("gigq-demo-*/demo.db"))
    return found[0] if found else None


def ask(path: Path | None, question: str) -> list[tuple[int]]:
    """Read from the queue's file; nothing while it can't be read yet."""
    if path is None:
        return []
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return []


def completed() -> int:
    """How many jobs of the demo have completed, by the file."""
    rows = ask(database(), "SELECT COUNT(*) FROM jobs WHERE status = 'completed'")
    return rows[0][0] if rows else 0


def lives(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


def main() -> None:
    """Watch the jobs complete, leave, and look at what is left."""
    terminal = Terminal(sys.argv[1])
    started = time.monotonic()
    done = 0
    while done < ENOUGH_COMPLETED or not DONE_ON_SCREEN.search(terminal.screen.text()):
        terminal.read()
        done = completed()
        if terminal.status is not None:
            fail(terminal, f"the command ended by itself, with status {terminal.status}")
        if time.monotonic() - started > SEEN_TIMEOUT_S:
            fail(terminal, f"{done} jobs had completed when the time was up")
    print(terminal.screen.text())
    print(f"\n{done} jobs completed after {time.monotonic() - started:.0f} s; leaving")

    workers = [pid for (pid,) in ask(database(), "SELECT pid FROM core_workers")]
    if not workers:
        fail(terminal, "no worker has a row in the file")
    terminal.press("q")
    started = time.monotonic()
    while terminal.status is None:
        terminal.read()
        if time.monotonic() - started > LEAVE_TIMEOUT_S:
            fail(terminal, "the console did not end when q was pressed")
    if terminal.status != 0:
        fail(terminal, f"the console ended with status {terminal.status}")
    if terminal.output.rfind(b"\x1b[?1049l") < terminal.output.rfind(b"\x1b[?1049h"):
        fail(terminal, "the console did not give the terminal's screen back")
    if terminal.output.rfind(b"\x1b[?25h") < terminal.output.rfind(b"\x1b[?25l"):
        fail(terminal, "the console did not give the cursor back")
    folder = database()
    if folder is None or str(folder.parent).encode() not in terminal.output:
        fail(terminal, "the console did not say where the demo's folder is")
    left = [pid for pid in workers if lives(pid)]
    if left:
        fail(terminal, f"worker processes were left running: {left}")
    print("the console ended with status 0, the terminal is restored, no worker is left")


if __name__ == "__main__":
    main()
