"""What the rows of a page hold in columns of somebody's own: values of parameters and results."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from gigq_core.grouping.counting import Kind, Value, count_key, values_of_rows
from gigq_tui.store.models import JobRow


def with_own(
    conn: sqlite3.Connection, rows: Sequence[JobRow], names: Sequence[str]
) -> tuple[JobRow, ...]:
    """The rows with their own values.

    Args:
        conn: The file, in the transaction that the rows were read in.
        rows: A page of them.
        names: Of the columns: `param.customer`, `result.rows`.
    """
    if not names or not rows:
        return tuple(rows)
    keys = [count_key(name) for name in names]
    statement, parameters = values_of_rows(keys)
    listed = json.dumps([row.key for row in rows])
    found = {
        key: tuple(
            (name, Value(Kind(kind), value))
            for name, kind, value in zip(names, told[::2], told[1::2], strict=True)
        )
        for key, *told in map(tuple, conn.execute(statement, (*parameters, listed)))
    }
    return tuple(replace(row, own=found.get(row.key, ())) for row in rows)
