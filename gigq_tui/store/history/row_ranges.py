"""Where rows stand by their times, and in what order ranges of them are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gigq_core.rows.decoding import as_int

# Rows stand a little out of the order of their times: so many more are read at both ends.
OUT_OF_ORDER = 500


class Position:
    """Where rows stand by their times, found by halving: rows come in about that order.

    Args:
        conn: A connection to the file.
        sql: Reads the times of a few rows from a key on.
        oldest: The first key.
        newest: The last one.
    """

    NEAR = 20

    def __init__(self, conn: sqlite3.Connection, sql: str, oldest: int, newest: int) -> None:
        self._conn = conn
        self._sql = sql
        self._oldest = oldest
        self._newest = newest

    @property
    def first(self) -> float | None:
        """The time of the first row that has one."""
        return self._near(self._oldest)[1]

    def of(self, at: float) -> int:
        """About the first row that is not earlier; one behind the last where all are."""
        low, high = self._oldest, self._newest + 1
        while low < high:
            middle = (low + high) // 2
            key, told = self._near(middle)
            if told is None or told >= at:
                high = middle
            else:
                low = max(key, middle) + 1
        return low

    def _near(self, row: int) -> tuple[int, float | None]:
        for record in self._conn.execute(self._sql, (row, self.NEAR)).fetchall():
            if record["at"] is not None:
                return as_int(record["key"]), record["at"]
        return row, None


def apart(wanted: Iterable[tuple[int, int]], whole: tuple[int, int]) -> list[tuple[int, int]]:
    """Ranges of rows in the order in which they are wanted, none of them twice; then the rest.

    Those of one wish come with their newest rows first.
    """
    left = [whole] if whole[0] <= whole[1] else []
    parts: list[tuple[int, int]] = []
    for low, high in (*wanted, whole):
        still: list[tuple[int, int]] = []
        for first, last in left:
            start, end = max(low, first), min(high, last)
            if start > end:
                still.append((first, last))
                continue
            parts.append((start, end))
            if end < last:
                still.append((end + 1, last))
            if first < start:
                still.append((first, start - 1))
        left = still
    return parts
