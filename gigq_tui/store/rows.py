"""Values out of the file, whatever a damaged row holds, and the line of the table made of them."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gigq_core.schema.ddl import PARKED
from gigq_core.times import parse_time
from gigq_tui.store.models import DEFAULT_TIMEOUT_S, JobRow

SCRIPT_MODULE = "__main__"


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


def as_int(value: Any, default: int = 0) -> int:
    """Any SQLite value as an integer; what is none becomes `default`."""
    return int(as_float(value, default))


def as_float(value: Any, default: float = 0.0) -> float:
    """Any SQLite value as a finite number; what is none becomes `default`."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    return default


def as_datetime(value: Any) -> datetime | None:
    """Any SQLite value as naive local time, or None."""
    try:
        return parse_time(value)
    except (OverflowError, OSError):  # a zone that shifts it out of the calendar
        return None


def as_timeout_s(value: Any) -> float:
    """A stored timeout in seconds, with GigQ's default for 0, NULL and nonsense."""
    seconds = as_float(value)
    return seconds if seconds > 0 else DEFAULT_TIMEOUT_S


def job_row(record: sqlite3.Row | Mapping[str, Any]) -> JobRow:
    """One line of the table from the columns of `queries.line_columns`.

    What other rows say of it (parents, holder) is filled in afterwards.
    """
    status = as_text(record["status"])
    waiting = status == "pending"
    retry_after = as_text(record["retry_after"])
    parked = waiting and retry_after == PARKED
    due = as_text(record["due_at"]) if parked else retry_after
    module = as_text(record["function_module"])
    function = as_text(record["function_name"])
    return JobRow(
        key=as_int(record["key"]),
        id=as_text(record["id"]),
        name=as_text(record["name"]),
        function=f"{module}.{function}" if module else function,
        status=status,
        priority=as_int(record["priority"]),
        attempts=as_int(record["attempts"]),
        max_attempts=as_int(record["max_attempts"], 3),
        timeout_s=as_timeout_s(record["timeout"]),
        created_at=as_datetime(record["created_at"]),
        started_at=as_datetime(record["started_at"]),
        completed_at=as_datetime(record["completed_at"]),
        due_at=as_datetime(due) if waiting else None,
        worker_id=as_optional_text(record["worker_id"]),
        error=as_text(record["error"]),
        stop_requested=status == "running" and record["stop_requested_at"] is not None,
        blocked=parked,
        in_script=module == SCRIPT_MODULE,
    )
