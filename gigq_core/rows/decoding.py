"""Values out of a queue file, whatever a damaged row holds, and rows as a caller gets them."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

from gigq_core.job import DEFAULT_TIMEOUT_S
from gigq_core.lane_names import HIDDEN
from gigq_core.schema.ddl import OURS, PARKED, RESERVED, WORDS
from gigq_core.status import JobStatus
from gigq_core.units.times import local_text, moment_of, parse_time

# Columns that hold what callers get in another form, or not at all.
_INNER = ("due", "due_in", "retry_policy", "unique_key", "unique_until", "unique_within")

# --- values ----------------------------------------------------------------------------------


def as_text(value: Any) -> str:
    """Any SQLite value as text; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def as_optional_text(value: Any) -> str | None:
    """Any SQLite value as text; NULL and empty text are None."""
    return as_text(value) or None


def as_float(value: Any, default: float = 0.0) -> float:
    """Any SQLite value as a finite number; what is none becomes `default`."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    return default


def as_int(value: Any, default: int = 0) -> int:
    """Any SQLite value as a whole number; what is none becomes `default`."""
    return int(as_float(value, default))


def as_timeout_s(value: Any) -> float:
    """A stored timeout in seconds, with GigQ's default for 0, NULL and nonsense."""
    seconds = as_float(value)
    return seconds if seconds > 0 else float(DEFAULT_TIMEOUT_S)


def as_json(text: Any) -> Any:
    """The value that a column's JSON stands for; what is no JSON comes back as it is."""
    if not text:
        return text
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def is_parked(retry_after: Any) -> bool:
    """Whether that is our mark of a job which waits for a parent."""
    return bool(retry_after == PARKED)


def is_shown(retry_after: Any) -> bool:
    """Whether that is our mark of a job in a lane that workers may take."""
    return retry_after in (OURS, RESERVED)


def due_of(retry_after: Any, due: Any) -> str | None:
    """When a job is due, as GigQ stores it: the words by which GigQ passes a row by are ours."""
    text = as_text(retry_after)
    if text not in WORDS:
        return text or None
    return local_text(as_float(due)) if due is not None else None


# --- rows ------------------------------------------------------------------------------------


def decoded_job(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `jobs` as a caller gets it: JSON decoded, our own marks taken out."""
    job = dict(row)
    for column in ("params", "dependencies", "result"):
        job[column] = as_json(job.get(column))
    passing = job.get("pass_parent_results")
    job["pass_parent_results"] = bool(passing) if passing in (0, 1) else None
    job["retry_after"] = due_of(job.get("retry_after"), job.get("due"))
    job |= options_of(job)
    for column in _INNER:
        job.pop(column, None)
    return job


def options_of(job: dict[str, Any]) -> dict[str, Any]:
    """The options that GigQ does not know, as a line of JSONL gives them.

    `run_at` is when the job is due, while it waits for that; `ours` whether it is hidden from
    GigQ's workers, whatever for.
    """
    from gigq_core.retry import RetryPolicy, shown

    try:
        policy = RetryPolicy.decode(job.get("retry_policy")) or RetryPolicy()
    except ValueError:
        policy = RetryPolicy()
    waits = job.get("status") == JobStatus.PENDING.value
    # A file of GigQ's own has the text alone.
    due = moment_of(job["due"]) if "due" in job else parse_time(job.get("retry_after"))
    return {
        "retry": shown(policy.retry),
        "retry_on": list(policy.retry_on),
        "give_up_on": list(policy.give_up_on),
        "on_timeout": policy.on_timeout,
        "run_at": due.isoformat() if waits and due is not None else None,
        "on_parent_failure": as_text(job.get("on_parent_failure")) or "wait",
        "batch": as_text(job.get("batch")),
        "workflow": as_optional_text(job.get("workflow")),
        "workflow_id": as_optional_text(job.get("workflow_id")),
        "submitted_by": as_optional_text(job.get("submitted_by")),
        "schedule": as_optional_text(job.get("schedule")),
        "hook": as_optional_text(job.get("hook")),
        "stall_timeout": as_float(job.get("stall_timeout")) or None,
        "ours": job.get("lane") is not None,
        "lane": lane if (lane := as_text(job.get("lane"))) != HIDDEN else "",
        "unique": _unique_of(job),
        "memory": job.get("memory") if isinstance(job.get("memory"), int) else None,
    }


def _unique_of(job: dict[str, Any]) -> dict[str, Any] | bool:
    """The key that the job holds, and for how long; False where it has none."""
    if job.get("unique_key") is None:
        return False
    return {
        "key": as_text(job["unique_key"]),
        "until": as_text(job.get("unique_until")),
        "within": as_float(job.get("unique_within")) or None,
    }


def decoded_execution(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `job_executions` as a caller gets it."""
    return {**dict(row), "result": as_json(row["result"])}
