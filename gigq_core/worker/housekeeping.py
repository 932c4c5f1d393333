"""What deleted jobs leave behind, and when it goes: executions, captured output, tombstones."""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from gigq_core.logs import attempt_output, remove_private
from gigq_core.schema import worker_statements as sql
from gigq_core.times import to_text

logger = logging.getLogger("gigq_core.worker")

# How long the history of a deleted job stays, and its name still satisfies later children.
KEEP = timedelta(days=30)
# How many deleted jobs are forgotten in one transaction.
AT_ONCE = 200


def forget_deleted(conn: sqlite3.Connection) -> list[str]:
    """Forget jobs that were deleted long ago, within the caller's transaction.

    Returns:
        The ids of the executions that went; their output may go too.
    """
    before = to_text(datetime.now() - KEEP)
    old = [row[0] for row in conn.execute(sql.DELETED_BEFORE, (before, AT_ONCE)).fetchall()]
    gone: list[str] = []
    for job_id in old:
        # A job that was deleted and put back keeps its history.
        gone += [row[0] for row in conn.execute(sql.FORGET_EXECUTIONS, {"job": job_id}).fetchall()]
        conn.execute(sql.FORGET_DELETED, {"job": job_id})
    if old:
        logger.info("Forgot %d jobs that were deleted before %s", len(old), before)
    return gone


def has_forgettable(conn: sqlite3.Connection) -> bool:
    """Whether there is anything to forget; a plain read."""
    before = to_text(datetime.now() - KEEP)
    return conn.execute(sql.DELETED_BEFORE, (before, 1)).fetchone() is not None


def delete_output(db_path: str | Path, execution_ids: list[str]) -> None:
    """Delete the captured output of executions that are forgotten."""
    for execution_id in execution_ids:
        path = attempt_output(db_path, execution_id)
        if path is None:
            continue
        try:
            remove_private(path)
        except OSError as problem:
            logger.warning("Old output stays: %s", problem.strerror or problem)
            return
