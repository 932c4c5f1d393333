"""Which rows of the screen a text takes, wrapped or not, and where in it something is found.

Texts come from jobs: a line may have a megabyte, a text half a million lines. Nothing here looks
at every character of an ASCII text, and rows that nobody looks at are only counted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from gigq_tui.format import inert, width_of

MOST_MATCHES = 10_000


class Row(NamedTuple):
    """One row: which line it shows, from which character to which."""

    line: int
    start: int
    end: int


class Match(NamedTuple):
    """Something that was found: in which line, from which character to which."""

    line: int
    start: int
    end: int


class TextRows:
    """The rows of a text.

    Args:
        lines: Its lines, without line ends.
        width: Cells to wrap at; None lets every line be one row, however long it is.
    """

    def __init__(self, lines: Sequence[str], width: int | None) -> None:
        self.lines = lines
        self.width = None if width is None else max(1, width)
        self.longest = max(map(len, lines), default=0)
        # Offsets of the pieces of lines that are wrapped and not plain ASCII.
        self._breaks: dict[int, list[int]] = {}
        self._first: Sequence[int] = range(len(lines) + 1)
        if self.width is not None and (
            self.longest * 2 > self.width or not all(map(str.isascii, lines))
        ):
            self._first = [0, *accumulate(self._count(at) for at in range(len(lines)))]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return self._first[-1]

    def _count(self, at: int) -> int:
        line, width = self.lines[at], self.width
        assert width is not None
        if len(line) * 2 <= width:
            return 1
        if line.isascii():
            return -(-len(line) // width) or 1
        breaks = _breaks(line, width)
        if len(breaks) > 1:
            self._breaks[at] = breaks
        return len(breaks)

    def row(self, index: int) -> Row:
        """Return row `index`."""
        line = bisect_right(self._first, index) - 1
        length = len(self.lines[line])
        if self.width is None:
            return Row(line, 0, length)
        piece = index - self._first[line]
        breaks = self._breaks.get(line)
        if breaks is None:
            if length <= self.width:
                return Row(line, 0, length)
            return Row(line, piece * self.width, min(length, (piece + 1) * self.width))
        end = breaks[piece + 1] if piece + 1 < len(breaks) else length
        return Row(line, breaks[piece], end)

    def row_of(self, line: int, character: int = 0) -> int:
        """Return which row shows a character of a line."""
        if not self.lines:
            return 0
        line = max(0, min(line, len(self.lines) - 1))
        first = self._first[line]
        if self.width is None:
            return first
        breaks = self._breaks.get(line)
        if breaks is not None:
            return first + max(0, bisect_right(breaks, character) - 1)
        if len(self.lines[line]) <= self.width:
            return first
        return min(first + character // self.width, self._first[line + 1] - 1)


def _breaks(line: str, width: int) -> list[int]:
    """Where the pieces of a line begin that has characters of other widths than one cell."""
    cells: dict[str, int] = {}
    breaks = [0]
    used = 0
    for at, char in enumerate(line):
        wide = cells.get(char)
        if wide is None:
            wide = cells[char] = width_of(inert(char))
        if used + wide > width and used:
            breaks.append(at)
            used = 0
        used += wide
    return breaks


def find(lines: Sequence[str], wanted: str) -> list[Match]:
    """Return where a text is found, small and capital letters alike, up to `MOST_MATCHES`."""
    if not wanted:
        return []
    pattern = re.compile(re.escape(wanted), re.IGNORECASE)
    whole = "\n".join(lines)
    firsts: list[int] | None = None
    found: list[Match] = []
    for match in pattern.finditer(whole):
        if firsts is None:
            firsts = [0, *accumulate(len(line) + 1 for line in lines)]
        line = bisect_right(firsts, match.start()) - 1
        first = firsts[line]
        found.append(Match(line, match.start() - first, match.end() - first))
        if len(found) == MOST_MATCHES:
            break
    return found
