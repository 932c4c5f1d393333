"""Reading one job whole: its values, its attempts, its parents and children."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gigq_core.fleet.agents_seen import elsewhere_of
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.rows.origin import origin_of
from gigq_core.system.kept_files import is_kept
from gigq_core.system.paths import kept_output
from gigq_tui.store import queries
from gigq_tui.store.attempt_reports import last_report
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.graph.ancestors import read_lines
from gigq_tui.store.instants import BEGAN, ENDED
from gigq_tui.store.models import Attempt, JobDetail, JobRow, Relative, Standing

# Bytes of one value that are read at all.
VALUE_BYTES = 1_000_000
# Bytes of one value on the page of the raw row.
RAW_BYTES = 20_000
# Levels of JSON that are taken apart: whoever walks it has Python's stack to walk on.
MAX_DEPTH = 100
MAX_ATTEMPTS = 500
MAX_RELATIVES = 200


def read_detail(
    conn: sqlite3.Connection,
    schema: FileSchema,
    path: Path,
    row: JobRow,
    relatives: tuple[Sequence[tuple[str, Standing]], Sequence[str], int],
    blocks: int,
) -> JobDetail | None:
    """Everything about the job of `row`.

    Args:
        conn: an open connection, in a transaction.
        schema: what the file is made of.
        path: the file, beside which captured output lies.
        row: the job's line, finished.
        relatives: its parents' ids (and how each is waited for), its children's ids, and how
            many children there are in all.
        blocks: how many waiting jobs can't run unless it completes.
    """
    whole_row = conn.execute(queries.whole_row(schema, VALUE_BYTES), (row.id,)).fetchone()
    if whole_row is None:
        return None
    values = {
        column: (whole_row[f"c{index}"], as_int(whole_row[f"n{index}"]))
        for index, column in enumerate(schema.job_columns)
    }
    parents, children, child_count = relatives
    parents = parents[:MAX_RELATIVES]
    children = children[:MAX_RELATIVES]
    lines = read_lines(conn, schema, [*(id for id, _ in parents), *children])
    return JobDetail(
        row=row,
        description=_long(values, "description"),
        params=_decoded(values, "params"),
        result=_decoded(values, "result"),
        error=_long(values, "error"),
        retry_delay_s=as_float(values.get("retry_delay", (0, 0))[0]),
        attempts=_attempts(conn, schema, path, row.id),
        parents=tuple(Relative(id, lines.get(id), standing) for id, standing in parents),
        children=tuple(Relative(id, lines.get(id)) for id in children),
        child_count=child_count,
        blocks=blocks,
        progress=last_report(conn, schema, row),
        origin=origin_of(conn, {column: value for column, (value, _) in values.items()}),
        raw={column: _raw(value, size) for column, (value, size) in values.items()},
    )


def _long(values: Mapping[str, tuple[Any, int]], column: str) -> str:
    value, size = values.get(column, (None, 0))
    return _noted(value, size)


def _decoded(values: Mapping[str, tuple[Any, int]], column: str) -> Any:
    """The JSON of a column, or its raw text where it is none, or too long, or too deep."""
    value, size = values.get(column, (None, 0))
    if value is None:
        return None
    if size > VALUE_BYTES:
        return _noted(value, size)
    raw = as_text(value)
    try:
        decoded = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return raw if _is_deep(decoded) else decoded


def _is_deep(value: Any) -> bool:
    """Whether decoded JSON has more than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return False
        level = inner
    return any(isinstance(item, (dict, list)) for item in level)


def _raw(value: Any, size: int) -> Any:
    return _noted(value[:RAW_BYTES], size) if isinstance(value, bytes) else value


def _noted(value: Any, size: int) -> str:
    """A value as text, with a note if it is not all of its `size` bytes."""
    if not isinstance(value, bytes) or size <= len(value):
        return as_text(value)
    return f"{as_text(value)}\n(cut: the first {len(value):,} of {size:,} bytes are shown)"


def _attempts(
    conn: sqlite3.Connection, schema: FileSchema, path: Path, job_id: str
) -> tuple[Attempt, ...]:
    records = conn.execute(queries.executions(schema), (job_id, MAX_ATTEMPTS)).fetchall()
    records.sort(key=lambda record: as_int(record["key"]))
    return tuple(_attempt(number, record, path) for number, record in enumerate(records, 1))


def _attempt(number: int, record: sqlite3.Row, path: Path) -> Attempt:
    return Attempt(
        number=number,
        execution_id=as_text(record["id"]),
        worker_id=as_text(record["worker_id"]),
        status=as_text(record["status"]),
        started_at=BEGAN.of(record),
        completed_at=ENDED.of(record),
        error=_with_type(as_text(record["error"]), as_text(record["error_type"])),
        traceback=as_text(record["traceback"]),
        output_path=_output_path(path, record),
        pid=record["pid"],
        decision=as_text(record["decision"]),
        fingerprint=as_text(record["fingerprint"]),
        host=as_text(record["agent"]),
        agent=_agent(record),
    )


def _agent(record: sqlite3.Row) -> str:
    """What the agent that ran it is called; nothing where none did."""
    if record["agent"] is None:
        return ""
    return elsewhere_of(record["agent"], record["link"]).agent(as_text(record["worker_id"]))


def _with_type(error: str, kind: str) -> str:
    """The error with what was raised before it: older ones, and those of GigQ's, do not say it."""
    if not kind or error.startswith(kind):
        return error
    return f"{kind}: {error}" if error else kind


def _output_path(path: Path, record: sqlite3.Row) -> str | None:
    """The file of an attempt's output, if there is one."""
    if record["output"] is None:
        return None
    file = kept_output(path, record["id"], record["output"])
    return str(file) if is_kept(file) else None
