"""The rows of new jobs: their values, and the statements that insert them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from gigq_core.job import Encoded, Job
from gigq_core.lane_names import HIDDEN, filled
from gigq_core.schema import statements as sql
from gigq_core.schema.ddl import HELD, OURS
from gigq_core.schema.features import Feature, use
from gigq_core.units.times import Moment

_COLUMNS = (
    *("id", "name", "function_name", "function_module", "params", "priority", "dependencies"),
    *("max_attempts", "timeout", "description", "pass_parent_results", "retry_delay", "on_crash"),
    *("created", "created_at", "updated_at"),
)
# Most jobs use none of these, and are inserted without them.
_MORE = (
    *("retry_after", "due", "due_in", "lane", "retry_policy", "on_parent_failure"),
    *("workflow", "workflow_id", "batch", "stall_timeout"),
    *("unique_key", "unique_until", "unique_within", "memory"),
    *("submitted_by", "hook", "schedule", "slot"),
)
_INSERT = sql.insert_job(_COLUMNS)
_INSERT_MORE = sql.insert_job(_COLUMNS + _MORE)


def row_of(job: Job, now: Moment) -> dict[str, Any]:
    """The values of a job's new row.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
    """
    encoded = job.encoded()
    ours = job.check_call(encoded.function).ours
    passing = job.pass_parent_results
    row: dict[str, Any] = {
        "id": job.id,
        "name": job.name,
        "function_name": encoded.function.name,
        "function_module": encoded.function.module,
        "params": encoded.params,
        "priority": job.priority,
        "dependencies": encoded.dependencies,
        "max_attempts": job.max_attempts,
        "timeout": job.timeout,
        "description": job.description,
        "pass_parent_results": None if passing is None else int(passing),
        "retry_delay": job.retry_delay,
        "on_crash": job.on_crash,
        "created": now.utc,
        "created_at": job.created_at,
        "updated_at": now.text,
    }
    if ours or job.uses_more:
        row |= _more(job, encoded, now, ours)
    return row


def insert(conn: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Insert new rows, within the caller's transaction.

    Raises:
        sqlite3.IntegrityError: one of them is there already.
    """
    # In the order of submission, in which they will be claimed.
    for uses_more, part in groupby(rows, _uses_more):
        if not uses_more:
            conn.executemany(_INSERT, part)
            continue
        together = list(part)
        if any(row["lane"] for row in together):
            use(conn, Feature.HIDING)
        waits_in_lane = any(row["lane"] not in (None, HIDDEN) for row in together)
        if waits_in_lane:
            use(conn, Feature.LANES)
        if any(row["on_parent_failure"] and row["dependencies"] != "[]" for row in together):
            use(conn, Feature.POLICIES)
        conn.executemany(_INSERT_MORE, together)
        if waits_in_lane:
            from gigq_core.lanes.settling import settle

            settle(conn, Moment.now().utc)


def _uses_more(row: dict[str, Any]) -> bool:
    return "lane" in row


def _more(job: Job, encoded: Encoded, now: Moment, ours: bool) -> dict[str, Any]:
    """The values of the columns that only some jobs use.

    Args:
        job: the job, checked.
        encoded: its definition as the file holds it.
        now: when it is submitted.
        ours: whether its function is for our workers alone.
    """
    from gigq_core.retry import RetryPolicy
    from gigq_core.rows.due import due_after, due_at
    from gigq_core.unique import columns_of

    # They have the one form that checking gave them.
    options: Any = job
    policy = RetryPolicy(options.retry, options.retry_on, options.give_up_on, options.on_timeout)
    if isinstance(job.run_at, datetime):
        due = due_at(job.run_at.timestamp(), now)
    else:
        due = due_after(options.run_after or 0, now)
    lane = filled(job.lane, job.params) or None
    capped = job.stall_timeout is not None or job.memory is not None
    if lane is None and (ours or job.ours or policy.needs_ours or capped):
        lane = HIDDEN
    if lane is not None:
        shown = lane == HIDDEN and due["due"] is None
        due["retry_after"] = OURS if shown else HELD
    more = {
        "lane": lane,
        "retry_policy": policy.encode(),
        "on_parent_failure": None if job.on_parent_failure == "wait" else job.on_parent_failure,
        "workflow": job.workflow,
        "workflow_id": job.workflow_id,
        "batch": job.batch or None,
        "stall_timeout": job.stall_timeout,
        "memory": job.memory,
        "submitted_by": job.submitted_by,
        "hook": job.hook,
        **columns_of(job.unique, ".".join(encoded.function), encoded.params),
        "schedule": job.schedule,
        "slot": job.slot,
        **due,
    }
    if policy.first_delay_s is not None:
        # GigQ's workers know no other delay.
        more["retry_delay"] = policy.first_delay_s
    return more
