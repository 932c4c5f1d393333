"""The workers' UTC offsets, which matter to GigQ's workers.

Ours go by instants. GigQ's go by texts of local time, and take whatever stands there for their own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime, timezone

from gigq_core.schema import worker_statements as sql
from gigq_core.system.identity import ProcessIdentity, is_dead

# So many claims of GigQ's workers are looked at.
MOST_CLAIMS = 100
# Zones differ by quarters of an hour; a claim is stamped twice within moments.
_STEP_S = 900
_AT_ONCE_S = 60
_FARTHEST_S = 15 * 3_600


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


def offsets_of_gigqs(conn: sqlite3.Connection) -> dict[str, int]:
    """The offset of each worker of GigQ's that holds a job, in seconds, by id; a current file.

    None of them tells it. But each stamps its claim in local time, and a trigger does in UTC.
    """
    found = {}
    for row in conn.execute(sql.CLAIMS_OF_GIGQ, (MOST_CLAIMS,)).fetchall():
        offset = _offset_between(row["started_at"], row["began"])
        if offset is not None:
            found[str(row["worker_id"])] = offset
    return found


def _offset_between(text: object, instant: object) -> int | None:
    try:
        local = datetime.fromisoformat(str(text)).replace(tzinfo=timezone.utc)
        east = local.timestamp() - float(str(instant))
        offset = round(east / _STEP_S) * _STEP_S
    except (ValueError, OverflowError):
        return None
    return offset if abs(east - offset) < _AT_ONCE_S and abs(offset) <= _FARTHEST_S else None


def differences_for_gigq(conn: sqlite3.Connection) -> str:
    """What `describe_differences` says of all workers, if any of GigQ's is at work."""
    gigqs = offsets_of_gigqs(conn)
    return describe_differences({**offsets_of_workers(conn), **gigqs}) if gigqs else ""


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
