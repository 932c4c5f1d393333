"""What attempts tell of the jobs that are shown: how far they are, and what was decided after one.

Read for the rows of a picture that can have it, and for no others.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gigq_core.rows.decoding import as_text
from gigq_core.rows.progress import progress_of_row
from gigq_core.schema.statements import PROGRESS_OF
from gigq_core.units.times import moment_of
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import JobRow, Progress
from gigq_tui.store.statuses import FAILED, RUNNING, TIMEOUT

# Attempts that are remembered; beyond that it begins anew.
MOST_REMEMBERED = 5_000


def with_reports(
    conn: sqlite3.Connection, schema: FileSchema, rows: Sequence[JobRow]
) -> tuple[JobRow, ...]:
    """The rows with what their attempts tell."""
    reports = _reports(conn, schema, [row.id for row in rows if row.status == RUNNING])
    bad_ends = [row.id for row in rows if row.has_policy and row.status in (FAILED, TIMEOUT)]
    decisions = _decisions(conn, schema, bad_ends)
    if not reports and not decisions:
        return tuple(rows)
    return tuple(
        replace(row, progress=reports.get(row.id), decision=decisions.get(row.id, ""))
        if row.id in reports or row.id in decisions
        else row
        for row in rows
    )


class Paces:
    """Remembers how far attempts were that may have begun half way, when they were first seen."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, datetime]] = {}

    def remembered(self, rows: Sequence[JobRow]) -> tuple[JobRow, ...]:
        """The rows with what is remembered of them, from this picture on."""
        if len(self._first) > MOST_REMEMBERED:
            self._first.clear()
        return tuple(self._one(row) for row in rows)

    def _one(self, row: JobRow) -> JobRow:
        progress = row.progress
        if progress is None or not progress.resumed:
            return row
        first = self._first.setdefault(progress.resumed, (progress.done, progress.at))
        return replace(row, progress=replace(progress, first=first))


def last_report(conn: sqlite3.Connection, schema: FileSchema, row: JobRow) -> Progress | None:
    """What a job reported last, though the attempt that did may have ended."""
    if row.progress is not None or not schema.tables >= queries.PROGRESS_TABLES:
        return row.progress
    record = conn.execute(PROGRESS_OF, (row.id,)).fetchone()
    return None if record is None else _progress(record)


def _reports(conn: sqlite3.Connection, schema: FileSchema, ids: list[str]) -> dict[str, Progress]:
    if not ids or not schema.tables >= queries.PROGRESS_TABLES:
        return {}
    reports: dict[str, Progress] = {}
    for record in conn.execute(queries.PROGRESS, (json.dumps(ids),)).fetchall():
        report = _progress(record)
        if report is not None:
            reports[as_text(record["job_id"])] = report
    return reports


def _progress(record: sqlite3.Row) -> Progress | None:
    """What a row of `PROGRESS` says; None where a damaged one says nothing."""
    told = progress_of_row(record)
    at = None if told is None else moment_of(told["at"])
    if told is None or at is None:
        return None
    resumed = as_text(record["resumed"]) if "resumed" in record.keys() else ""  # noqa: SIM118
    return Progress(told["done"], told["total"], told["note"], at, resumed)


def _decisions(conn: sqlite3.Connection, schema: FileSchema, ids: list[str]) -> dict[str, str]:
    if not ids or "decision" not in schema.execution_columns:
        return {}
    found = conn.execute(queries.decisions(schema), (json.dumps(ids),)).fetchall()
    return {as_text(r["job_id"]): as_text(r["decision"]) for r in found if r["decision"]}
