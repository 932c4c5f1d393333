"""What an attempt printed, as lines on this terminal, or in a pipe."""

from __future__ import annotations

import os
import shutil
import sys

from gigq_core.streams import put
from gigq_core.terminal_text import Line, TerminalText
from gigq_core.text import inert

_NO_COLOURS = ("", "dumb", "unknown")


class Printed:
    """Prints captured output piece by piece, cut anywhere: of a progress bar the last state.

    Words have their colours where stdout is a terminal that takes them, and are plain otherwise.

    Args:
        live: show a line before it has ended, too, where stdout is a terminal: it is written anew
            as it changes. A pipe gets lines that have ended.
    """

    def __init__(self, *, live: bool) -> None:
        self._text = TerminalText()
        self._live = live and sys.stdout is not None and sys.stdout.isatty()
        self._colours = _takes_colours()
        self._open: Line | None = None
        self.wrote = False

    def put(self, data: bytes) -> None:
        """Take in what was read, and print what it tells.

        Raises:
            OSError: as for `gigq_core.streams.put`.
        """
        self.wrote = self.wrote or bool(data)
        written = "".join(self._finished(line) + "\n" for line in self._text.feed_bytes(data))
        if self._live:
            written += self._live_line()
        if written:
            put(written)

    def close(self) -> None:
        """Print the line that has not ended, now that nothing more comes."""
        last = self._text.close()
        if last is not None:
            put(self._finished(last))

    def _finished(self, line: Line) -> str:
        told = self._told(line)
        if self._open is None:
            return told
        self._open = None
        return f"\r\x1b[K{told}"

    def _live_line(self) -> str:
        line = self._text.open_line
        if line is None or line == self._open:
            return ""
        again = "" if self._open is None else "\r\x1b[K"
        self._open = line
        # What runs over the edge could not be taken back: a cell may take ten characters.
        text = line.text.expandtabs()[: max(1, (shutil.get_terminal_size().columns - 1) // 2)]
        return again + (self._told(line) if text == line.text and text.isascii() else inert(text))

    def _told(self, line: Line) -> str:
        if not self._colours or not line.pieces:
            return inert(line.text, lines=True)
        parts = []
        at = 0
        for start, end, look in line.pieces:
            parts.append(inert(line.text[at:start], lines=True))
            parts.append(f"\x1b[{look.sgr}m{inert(line.text[start:end], lines=True)}\x1b[0m")
            at = end
        return "".join(parts) + inert(line.text[at:], lines=True)


def _takes_colours() -> bool:
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return False
    return os.environ.get("TERM", "") not in _NO_COLOURS
