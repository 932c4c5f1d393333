"""The real program in a pseudo-terminal: drawn by pyte, typed to by pexpect."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pexpect
import pyte
from wcwidth import wcwidth

from tests.waiting import wait_until

LEFT_SCREEN, SHOWN_CURSOR = "\x1b[?1049l", "\x1b[?25h"
ENTERED_SCREEN, HIDDEN_CURSOR = "\x1b[?1049h", "\x1b[?25l"


def terminal_environment(**env: str) -> dict[str, str]:
    """This process's environment for a program in a terminal, which itself says how large it is."""
    sizes = ("COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if name not in sizes}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env}


class Screen(pyte.Screen):
    """A screen that goes on behind a mark that takes no cell; pyte drops the text behind some."""

    def draw(self, data: str) -> None:
        super().draw("".join(c for c in data if wcwidth(c) or unicodedata.combining(c)))


class ConsoleTerminal:
    """`gigq-tui` with these arguments, in a terminal of `columns` x `rows`.

    `program` is what Python runs instead of the package itself: `-c` and a text, for one.
    """

    def __init__(
        self,
        *words: str | Path,
        cwd: Path,
        columns: int = 120,
        rows: int = 32,
        program: tuple[str, ...] = ("-m", "gigq_tui"),
        **env: str,
    ) -> None:
        environment = terminal_environment(**env)
        self._screen = Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.written = ""
        self._hung_up = False
        self.process = pexpect.spawn(
            sys.executable,
            [*program, *map(str, words)],
            cwd=str(cwd),
            env=environment,
            dimensions=(rows, columns),
            encoding="utf-8",
            codec_errors="replace",
            timeout=5,
        )
        # Typed keys are for the program's own reading, never echoed by the terminal.
        self.process.delaybeforesend = None

    def __enter__(self) -> ConsoleTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if problem is not None:
            print(self.text())
        if self._hung_up:
            self.process.ptyproc.wait()
        else:
            self.process.close(force=True)

    def take(self) -> str:
        """Draw what was written since, and return what now stands on the screen."""
        while True:
            try:
                piece = self.process.read_nonblocking(65536, timeout=0)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return self.text()
            self.written += piece
            # pyte does not know these requests, and would draw them.
            self._stream.feed(re.sub(r"\x1b\[[<>=][0-9;]*[a-z]|\x1b\[\?[0-9;]*\$p", "", piece))

    def text(self) -> str:
        """The lines of the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def rows(self) -> list[list[str]]:
        """What stands in each cell of each line; the second cell of a wide character is empty."""
        screen = self._screen
        return [
            [screen.buffer[y][x].data for x in range(screen.columns)] for y in range(screen.lines)
        ]

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size, and tell the program."""
        self._screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def press(self, keys: str) -> None:
        """Type."""
        self.process.send(keys)

    def forget(self) -> None:
        """Begin with an empty screen, as a shell leaves it."""
        self.take()
        self._screen.reset()

    def wait_for(
        self, wanted: str | Callable[[str], object], timeout_s: float = 20.0
    ) -> re.Match[str] | None:
        """Wait until the screen matches a pattern, or until a condition holds of its text."""
        pattern = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "a condition")
        found: list[re.Match[str] | None] = []

        def holds() -> bool:
            text = self.take()
            match = re.search(wanted, text, re.MULTILINE) if isinstance(wanted, str) else None
            found.append(match)
            return bool(match) if isinstance(wanted, str) else bool(wanted(text))

        wait_until(holds, timeout_s, f"{pattern!r} on the screen")
        return found[-1]

    def wait_for_focus(self, pattern: str, timeout_s: float = 20.0) -> None:
        """Wait until the line with the terminal's cursor, where one types, matches a pattern."""

        def holds() -> bool:
            line = self.take().splitlines()[self._screen.cursor.y]
            return re.search(pattern, line) is not None

        wait_until(holds, timeout_s, f"the cursor on a line with {pattern!r}")

    def wait_until_gone(self, pattern: str, timeout_s: float = 20.0) -> None:
        """Wait until nothing on the screen matches."""
        wait_until(lambda: not re.search(pattern, self.take()), timeout_s, f"no {pattern!r}")

    def wait_for_end(self, timeout_s: float = 20.0) -> int:
        """Wait until the program has ended; its exit status, or minus the signal's number."""
        wait_until(lambda: (self.take(), not self.process.isalive())[1], timeout_s, "the end")
        self.take()
        if self.process.exitstatus is None:
            return -int(self.process.signalstatus or 0)
        return int(self.process.exitstatus)

    def hang_up(self) -> None:
        """Close the terminal, as when a connection breaks or a window is closed."""
        self.process.ptyproc.fileobj.close()
        self.process.ptyproc.closed = self.process.closed = self._hung_up = True

    def restored(self) -> bool:
        """Whether the terminal got its own screen and its cursor back."""
        return all(
            self.written.rfind(back) > self.written.rfind(away) >= 0
            for back, away in ((LEFT_SCREEN, ENTERED_SCREEN), (SHOWN_CURSOR, HIDDEN_CURSOR))
        )
