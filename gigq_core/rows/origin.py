"""Where a job comes from, if not from a person or a script: in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from gigq_core.rows.decoding import as_text
from gigq_core.schema.view_statements import NAME_OF
from gigq_core.units.times import local, moment_of


def origin_of(conn: sqlite3.Connection, row: Mapping[str, Any]) -> str:
    """Where a job comes from; nothing where somebody submitted it.

    Args:
        conn: the file, attached or not.
        row: the job's, as far as the file has the columns.
    """
    return ", ".join(_parts(conn, row))


def _parts(conn: sqlite3.Connection, row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("submitted_by") is not None:
        yield f"submitted by {_shown(conn, as_text(row['submitted_by']))}"
    if row.get("schedule") is not None:
        yield f"from schedule {as_text(row['schedule'])}"
        slot = moment_of(row.get("slot"))
        if slot is not None:
            yield f"slot {local(slot):%Y-%m-%d %H:%M:%S}"
    if row.get("hook") is not None:
        yield f"from hook {as_text(row['hook'])}"


def _shown(conn: sqlite3.Connection, job_id: str) -> str:
    found, short = conn.execute(NAME_OF, (job_id,)).fetchone(), f"{job_id[:4]}…"
    return f"{short}, which was deleted" if found is None else f"{as_text(found[0])} ({short})"
