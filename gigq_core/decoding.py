"""Rows of a queue file as a caller gets them: JSON decoded, our own marks taken out."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

from gigq_core.schema.ddl import PARKED


def decoded_job(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `jobs` as a caller gets it."""
    job = dict(row)
    for column in ("params", "dependencies", "result"):
        job[column] = decoded(job.get(column))
    passing = job.get("pass_parent_results")
    job["pass_parent_results"] = bool(passing) if passing in (0, 1) else None
    # The mark of a blocked job is ours alone; its own due time is what a caller may see.
    due_at = job.pop("due_at", None)
    if job.get("retry_after") == PARKED:
        job["retry_after"] = due_at
    return job


def decoded_execution(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `job_executions` as a caller gets it."""
    return {**dict(row), "result": decoded(row["result"])}


def number(value: Any) -> int:
    """The whole number that a column holds; 0 for what is none."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return int(value)
    return 0


def decoded(text: Any) -> Any:
    """The value that a column holds; a damaged one comes back as the text it is."""
    if not text:
        return text
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text
