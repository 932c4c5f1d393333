"""What a worker takes that names lanes: some beside all that are not reserved, or some alone.

The lanes that have something to take are found by their names in the index, and the best of each
are merged: what stands in other lanes is never walked past.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from gigq_core.lanes.rules import is_prefix, span_of
from gigq_core.schema import lane_statements as sql
from gigq_core.schema import worker_statements as worker_sql


class Takes(NamedTuple):
    """Which lanes a worker names.

    `lanes` beside all jobs that are not reserved; or `only_lanes`, and no others.
    """

    lanes: tuple[str, ...] = ()
    only_lanes: tuple[str, ...] = ()

    def ready(self, conn: sqlite3.Connection, functions: str, most: int, lost: bool) -> int:
        """How many jobs there are to take in the lanes that it names; at most so many.

        Args:
            conn: the file.
            functions: the names in `__main__` that can be called here, as JSON.
            most: where counting may stop.
            lost: whether a job is taken that may have been the end of its worker.
        """
        statement = sql.READY_BETWEEN[bool(self.only_lanes), lost]
        count = 0
        for pattern in self.only_lanes or self.lanes:
            if count < most:
                low, high = span_of(pattern)
                values = {"low": low, "high": high, "functions": functions, "most": most - count}
                count += conn.execute(statement, values).fetchone()[0]
        return count

    def heads(self, conn: sqlite3.Connection, functions: str, most: int, lost: bool) -> list[str]:
        """The lanes whose best job comes first; at most so many. Arguments as for `ready`."""
        patterns = self.only_lanes or self.lanes
        between = sql.OPEN_LANES_BETWEEN[bool(self.only_lanes)]
        names = {pattern for pattern in patterns if not is_prefix(pattern)}
        for pattern in patterns:
            if is_prefix(pattern):
                low, high = span_of(pattern)
                found = conn.execute(between, {"low": low, "high": high})
                names.update(row[0] for row in found)
        if not names or most <= 0:
            return []
        statement = sql.HEADS[bool(self.only_lanes), lost]
        values = {"names": json.dumps(sorted(names)), "functions": functions, "most": most}
        rows = conn.execute(statement, values).fetchall()
        return [row[0] for row in rows]

    def choose(
        self,
        conn: sqlite3.Connection,
        heads: Sequence[str],
        functions: str,
        slots: int,
        lost: bool,
    ) -> str:
        """The places of the best jobs that this worker takes, as JSON.

        Args:
            conn, functions, lost: as for `ready`.
            heads: what it gave.
            slots: how many jobs at most.
        """
        found: list[tuple[object, int]] = []
        values = {"functions": functions, "slots": slots}
        if not self.only_lanes:
            found += _rows(conn, worker_sql.BEST_OF_ALL[lost], values)
        statement = sql.BEST_OF_LANE[bool(self.only_lanes), lost]
        for lane in heads:
            found += _rows(conn, statement, {**values, "lane": lane})
        found.sort(key=_in_order)
        return json.dumps([place for _, place in found[:slots]])


def _rows(
    conn: sqlite3.Connection, statement: str, values: dict[str, object]
) -> list[tuple[object, int]]:
    return [(row[0], row[1]) for row in conn.execute(statement, values).fetchall()]


def _in_order(row: tuple[object, int]) -> tuple[float, int]:
    priority, place = row
    # In a damaged row it may be anything, and stands behind all numbers.
    return (-priority if isinstance(priority, (int, float)) else float("inf"), place)
