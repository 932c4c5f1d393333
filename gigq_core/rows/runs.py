"""The runs of workflows: the jobs that one `Workflow.submit_all` submitted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from gigq_core.rows.decoding import as_text
from gigq_core.schema import statements as sql
from gigq_core.status import JobStatus


def newest_runs(fetch: Callable[..., list[sqlite3.Row]], limit: int) -> list[dict[str, Any]]:
    """The runs that were submitted last, as `JobQueue.workflows` gives them.

    Args:
        fetch: executes a statement with values, and gives all its rows.
        limit: how many at most.
    """
    return [_run(fetch, row) for row in fetch(sql.NEWEST_RUNS, limit)]


def _run(fetch: Callable[..., list[sqlite3.Row]], row: sqlite3.Row) -> dict[str, Any]:
    counts = {status.value: 0 for status in JobStatus}
    for status, n in fetch(sql.COUNTS_OF_RUN, row["name"], row["id"]):
        counts[as_text(status)] = n
    return {
        "name": as_text(row["name"]),
        "id": as_text(row["id"]),
        "submitted": row["submitted"],
        "counts": counts,
        "total": sum(counts.values()),
    }
