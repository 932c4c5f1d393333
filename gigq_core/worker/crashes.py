"""Whether a job whose process died is tried again."""

from __future__ import annotations

import sqlite3

from gigq_core.schema import worker_statements as sql

# A job that kills its process again and again is not given another one, whatever `max_attempts`.
CRASHES_ALLOWED = 5


def goes_on(
    conn: sqlite3.Connection, job_id: str, attempts: float, max_attempts: float, on_crash: object
) -> bool:
    """Whether the job gets another attempt after this crash, which is not recorded yet.

    Args:
        conn: the queue file.
        job_id: the job.
        attempts: how often it was started, this time included.
        max_attempts: how often it may be.
        on_crash: its own wish, "retry" or "fail"; anything else means "retry".
    """
    if on_crash == "fail" or attempts >= max_attempts:
        return False
    if attempts < CRASHES_ALLOWED:
        return True
    crashes: int = conn.execute(sql.CRASHES_OF, (job_id, attempts)).fetchone()[0]
    return crashes + 1 < CRASHES_ALLOWED
