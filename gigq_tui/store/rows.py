"""The line of the table, made of a row of the file, whatever a damaged one holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gigq_core.functions.script import SCRIPT_MODULE
from gigq_core.job import DEFAULT_MAX_ATTEMPTS
from gigq_core.lane_names import HIDDEN
from gigq_core.rows.decoding import (
    as_int,
    as_optional_text,
    as_text,
    as_timeout_s,
    is_parked,
    is_shown,
)
from gigq_core.schema.ddl import WORDS
from gigq_core.status import JobStatus
from gigq_core.units.times import moment_told
from gigq_tui.store.instants import BEGAN, CREATED, ENDED
from gigq_tui.store.models import JobRow

# Read once: each row of a picture is compared with them.
_PENDING, _RUNNING = JobStatus.PENDING.value, JobStatus.RUNNING.value


def job_row(record: sqlite3.Row | Mapping[str, Any]) -> JobRow:
    """One line of the table from the columns of `queries.line_columns`.

    What other rows say of it (parents, holder) is filled in afterwards.
    """
    status = as_text(record["status"])
    waiting = status == _PENDING
    retry_after = as_text(record["retry_after"])
    module, lane = as_text(record["function_module"]), as_text(record["lane"])
    function = as_text(record["function_name"])
    return JobRow(
        key=as_int(record["key"]),
        id=as_text(record["id"]),
        name=as_text(record["name"]),
        function=f"{module}.{function}" if module else function,
        status=status,
        priority=as_int(record["priority"]),
        attempts=as_int(record["attempts"]),
        max_attempts=as_int(record["max_attempts"], DEFAULT_MAX_ATTEMPTS),
        timeout_s=as_timeout_s(record["timeout"]),
        created_at=CREATED.of(record),
        started_at=BEGAN.of(record),
        completed_at=ENDED.of(record),
        due=_due(record["due"], retry_after) if waiting else None,
        worker_id=as_optional_text(record["worker_id"]),
        error=as_text(record["error"]),
        stop_requested=status == _RUNNING and record["stop_requested_at"] is not None,
        blocked=waiting and is_parked(retry_after),
        in_script=module == SCRIPT_MODULE,
        hidden=bool(record["hidden"]),
        has_policy=bool(record["has_policy"]),
        batch=as_text(record["batch"]),
        lane="" if lane == HIDDEN else lane,
        is_shown=waiting and is_shown(retry_after),
        schedule=as_text(record["schedule"]),
    )


def _due(due: object, retry_after: str) -> datetime | None:
    """When a job is due; the words by which GigQ passes a row by are no time."""
    return moment_told(due, None if retry_after in WORDS else retry_after)
