"""What running jobs say of themselves, written within the worker's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gigq_core.schema import worker_statements as sql
from gigq_core.schema.features import Feature, use
from gigq_core.units.times import utc_now
from gigq_core.worker.claims import Claim
from gigq_core.worker.heard import Report, Save


def write(conn: sqlite3.Connection, saves: Iterable[Save], reports: Iterable[Report]) -> set[str]:
    """Write what jobs have saved and reported, as far as they are the attempts' own.

    Returns:
        The tokens of the attempts whose checkpoints are stored.
    """
    use(conn, Feature.TELLING)
    now = utc_now()
    saved = {
        save.claim.execution_id
        for save in saves
        if _write(conn, sql.SAVE, save.claim, {"saved": save.text, "at": now})
    }
    for report in reports:
        values: dict[str, object] = {
            "done": float(report.done),
            "total": None if report.total is None else float(report.total),
            "note": report.note,
            "at": report.at,
        }
        _write(conn, sql.REPORT, report.claim, values)
    return saved


def _write(
    conn: sqlite3.Connection, statement: str, claim: Claim, values: dict[str, object]
) -> bool:
    values = {**values, "job": claim.job_id, "execution": claim.execution_id}
    if conn.execute(statement, values).rowcount > 0:
        return True
    return conn.execute(sql.BY_TOKEN[statement], values).rowcount > 0
