"""What the submit form asks of the file: jobs to depend on, functions to call, a place in line."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from gigq_core.rows.decoding import as_int, as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.filter.sql import prefix_range
from gigq_tui.store.filter.sql_text import holds
from gigq_tui.store.graph.ancestors import read_lines
from gigq_tui.store.models import JobRow

# Jobs that one search offers.
MAX_FOUND = 20
# A search by name looks through so many of the newest rows: it must cost the same in any file.
SEARCHED_ROWS = 20_000
# The functions of so many of the newest rows are offered.
RECENT_ROWS = 1_000
MAX_FUNCTIONS = 50
# A place in line beyond this is not counted.
MAX_PLACE = 10_000
# From so many characters on, what is typed may well be the beginning of an id.
_LEAST_OF_ID = 4


def find_jobs(conn: sqlite3.Connection, schema: FileSchema, words: str) -> tuple[JobRow, ...]:
    """Jobs whose id begins with what was typed, then the newest whose name holds it.

    Args:
        words: What was typed; nothing finds the newest jobs.
    """
    words = words.strip()
    if words != words.encode("utf-8", "replace").decode():
        return ()
    ids: list[str] = []
    if len(words) >= _LEAST_OF_ID:
        bounds = prefix_range(words)
        ids += _ids(conn, queries.IDS_WITH_PREFIX, (*bounds, MAX_FOUND))
    if len(ids) < MAX_FOUND:
        test, values = holds("name", words)
        ids += _ids(conn, queries.ids_by_name(test), (SEARCHED_ROWS, *values, MAX_FOUND))
    wanted = list(dict.fromkeys(ids))[:MAX_FOUND]
    lines = read_lines(conn, schema, wanted)
    return tuple(lines[id] for id in wanted if id in lines)


def recent_functions(conn: sqlite3.Connection) -> tuple[str, ...]:
    """The functions of the newest jobs, the latest used first."""
    records = conn.execute(queries.RECENT_FUNCTIONS, (RECENT_ROWS, MAX_FUNCTIONS)).fetchall()
    return tuple(f"{as_text(record['module'])}.{as_text(record['name'])}" for record in records)


def jobs_ahead(
    conn: sqlite3.Connection, schema: FileSchema, priority: int, now: datetime
) -> int | None:
    """How many jobs are claimed before a new one of that priority; None if they are too many.

    On a GigQ file that is also the answer where too many jobs wait to look at each.

    Args:
        conn: A connection to the file.
        schema: What the file is made of.
        priority: Of the new job.
        now: The present moment.
    """
    if not schema.has_claim_order:
        looked_at, ahead = conn.execute(
            queries.ahead_of_priority_unattached(schema), (priority, MAX_PLACE + 1)
        ).fetchone()
        return as_int(ahead) if as_int(looked_at) <= MAX_PLACE else None
    ready = conn.execute(queries.READY_AHEAD, (priority, MAX_PLACE + 1)).fetchone()
    due = conn.execute(queries.DUE_AHEAD, (now.timestamp(), MAX_PLACE + 1, priority)).fetchone()
    ahead = as_int(ready[0]) + as_int(due[0])
    return ahead if ahead <= MAX_PLACE else None


def _ids(conn: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> list[str]:
    return [as_text(record[0]) for record in conn.execute(statement, values).fetchall()]
