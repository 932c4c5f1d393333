"""Periods in SQL: by the instants of a row, and by GigQ's texts where it has none."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from gigq_core.units.times import clock_at
from gigq_tui.store.filter.periods import Bounds, comes_twice
from gigq_tui.store.filter.sql_text import Sql
from gigq_tui.store.instants import BEGAN, CREATED, ENDED, When

# How an attempt ended that is told by the row of its job alone: all others may have been cancelled,
# or asked for again, at any time after it.
_TELLS = "('completed', 'failed', 'timeout')"


def within(bounds: Bounds, when: When, table: str, columns: Collection[str]) -> Sql:
    """The condition that a moment of a row lies between two others.

    Args:
        bounds: the moments.
        when: the columns of the row's moment.
        table: its table in the statement.
        columns: those that the table has in this file.
    """
    parts: list[str] = []
    values: list[object] = []
    for operator, bound in (
        (">=" if bounds.with_since else ">", bounds.since),
        ("<=" if bounds.with_until else "<", bounds.until),
    ):
        if bound is not None:
            part, params = _compared(when, operator, bound, table, columns)
            parts.append(part)
            values += params
    return " AND ".join(parts) or "1", values


def _compared(when: When, operator: str, bound: float, table: str, columns: Collection[str]) -> Sql:
    # A text is compared as one, so that no row's has to be parsed.
    told, text = f"{table}.{when.text} {operator} ?", _text_of(bound)
    if when.instant not in columns:
        return told, [text]
    return f"ifnull({table}.{when.instant} {operator} ?, {told})", [bound, text]


def _text_of(instant: float) -> str:
    """A moment as GigQ's texts are compared with it.

    Of two moments with the same text they mean the earlier: what comes after that, up to the end of
    the hour that comes twice, has no text.
    """
    shown = clock_at(instant)
    if not shown.fold:
        return shown.isoformat()
    shown = shown.replace(second=0, microsecond=0, fold=0)
    while comes_twice(shown):
        shown += timedelta(minutes=1)
    return shown.isoformat()


def ran(
    bounds: Bounds,
    job_columns: Collection[str],
    execution_columns: Collection[str],
    now: datetime,
    *,
    indexed: bool,
) -> Sql:
    """The condition that an attempt of a job went on at some time between two moments.

    The job's own row is asked first, which tells it of nearly all: its last attempt, and that none
    began before it was submitted, or goes on after it ended.

    Args:
        bounds: the moments.
        job_columns: those that the table of jobs has in this file.
        execution_columns: those that the table of attempts has.
        now: the present moment.
        indexed: whether attempts are found by their job.
    """
    parts: list[str] = []
    values: list[object] = []

    def add(template: str, *conditions: Sql) -> str:
        for _, params in conditions:
            values.extend(params)
        return template.format(*(part for part, _ in conditions))

    since, until = bounds.since, bounds.until
    if since is not None and since > now.timestamp():
        return "0", []
    nothing: Sql = ("1", [])

    def begun(table: str, columns: Collection[str]) -> Sql:
        return nothing if until is None else _compared(BEGAN, "<", until, table, columns)

    def over(table: str, columns: Collection[str]) -> Sql:
        return nothing if since is None else _compared(ENDED, ">=", since, table, columns)

    if since is not None:
        final = "jobs.status NOT IN ('pending', 'running')"
        parts.append(add(f"NOT ({final} AND NOT ifnull({{}}, 1))", over("jobs", job_columns)))
    own = add(
        f"jobs.{BEGAN.text} IS NOT NULL AND {{}} AND (jobs.status = 'running' "
        f"OR jobs.status IN {_TELLS} AND {{}})",
        begun("jobs", job_columns),
        over("jobs", job_columns),
    )
    young = ""
    if until is not None:
        young = add("{} AND ", _compared(CREATED, "<", until, "jobs", job_columns))
    attempt = add(
        f"e.{BEGAN.text} IS NOT NULL AND {{}} AND (e.{ENDED.text} IS NULL OR {{}})",
        begun("e", execution_columns),
        over("e", execution_columns),
    )
    attempts = (
        f"EXISTS (SELECT 1 FROM job_executions e WHERE e.job_id = jobs.id AND {attempt})"
        if indexed
        else f"jobs.id IN (SELECT e.job_id FROM job_executions e WHERE {attempt})"
    )
    parts.append(f"(ifnull({own}, 0) OR {young}{attempts})")
    return " AND ".join(parts), values
