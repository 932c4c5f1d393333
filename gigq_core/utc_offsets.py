"""The workers' UTC offsets: GigQ's times are local ones, so they must be the same ones for all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from gigq_core.identity import ProcessIdentity, is_dead
from gigq_core.schema import worker_statements as sql


def utc_offset_s() -> int:
    """This process's, now."""
    return time.localtime().tm_gmtoff


def note_offset(conn: sqlite3.Connection, worker_id: str) -> int:
    """Write a worker's own offset, within the caller's transaction; gives what was written."""
    offset = utc_offset_s()
    conn.execute(sql.FORGET_OFFSETS)
    conn.execute(sql.NOTE_OFFSET, (worker_id, str(offset)))
    return offset


def offsets_of_workers(conn: sqlite3.Connection) -> dict[str, int]:
    """The offset of each live worker that told it, in seconds, by id; the file is attached.

    The worker that has been there longest comes first.
    """
    found = {}
    rows = conn.execute(sql.OFFSETS).fetchall()
    for row in sorted(rows, key=lambda row: (str(row["started_at"]), str(row["id"]))):
        try:
            offset = int(row["east_of_utc"])
        except (TypeError, ValueError):
            continue
        if is_dead(ProcessIdentity.of_row(row)) is not True:
            found[str(row["id"])] = offset
    return found


def describe_differences(offsets: Mapping[str, int]) -> str:
    """A sentence without its full stop that names the offsets where they differ; else nothing."""
    by_offset: dict[int, str] = {}
    for worker_id, offset in offsets.items():
        by_offset.setdefault(offset, worker_id)
    if len(by_offset) < 2:
        return ""
    named = ", ".join(f"{describe_offset(o)} ({by_offset[o]})" for o in sorted(by_offset))
    return f"the workers' clocks have different UTC offsets: {named}"


def describe_offset(seconds: int) -> str:
    """As `+05:30`."""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"
