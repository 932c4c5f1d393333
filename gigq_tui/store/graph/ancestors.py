"""Reading what the lines of a page need of other rows: unmet parents, and whom to blame."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gigq_core.graph.blame import TOLD, Culprit, Parent, blame_of
from gigq_core.rows.decoding import as_text
from gigq_tui.store import queries
from gigq_tui.store.attempt_reports import with_reports
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import JobRow
from gigq_tui.store.rows import job_row
from gigq_tui.store.statuses import PENDING

# How far one refresh looks up the graph. What lies beyond is taken for hopeful.
MAX_NODES = 2_000
MAX_EDGES = 10_000
MAX_EDGES_OF_ONE = 5_000


@dataclass
class Ancestry:
    """The unfinished part of the graph above some waiting jobs, as far as it was read."""

    unmet: dict[str, list[str]] = field(default_factory=dict)
    waived: dict[str, str] = field(default_factory=dict)
    kin: dict[str, Parent | None] = field(default_factory=dict)
    # See `blame_of`.
    told: dict[tuple[str, str], str] = field(default_factory=dict)


def read_ancestry(conn: sqlite3.Connection, schema: FileSchema, ids: Iterable[str]) -> Ancestry:
    """Walk up from waiting jobs, breadth first, within the bounds of one refresh."""
    found = Ancestry()
    statement = queries.unmet_parents(schema)
    queue = deque(ids)
    seen = set(queue)
    edges_left = MAX_EDGES
    while queue and edges_left > 0 and len(found.unmet) < MAX_NODES:
        child = queue.popleft()
        limit = min(edges_left, MAX_EDGES_OF_ONE)
        records = conn.execute(statement, (child, limit)).fetchall()
        edges_left -= len(records)
        parents = _take(found, child, records)
        if parents:
            found.unmet[child] = parents
        for parent in parents:
            known = found.kin.get(parent)
            if known is not None and known.status == PENDING and parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return found


def _take(found: Ancestry, child: str, records: Sequence[sqlite3.Row]) -> list[str]:
    parents: dict[str, None] = {}  # a list in a GigQ file may name one parent twice
    for record in records:
        parent = as_text(record["parent_id"])
        if record["waived"]:
            found.waived.setdefault(child, parent)
            continue
        parents[parent] = None
        if record["on_failure"] in TOLD:
            found.told[child, parent] = TOLD[record["on_failure"]]
        if record["found"] is None:
            found.kin[parent] = None
        elif parent not in found.kin:
            found.kin[parent] = Parent(
                parent, as_text(record["name"]), as_text(record["status"]), as_text(record["error"])
            )
    return list(parents)


def with_ancestors(
    conn: sqlite3.Connection, schema: FileSchema, rows: Sequence[JobRow]
) -> tuple[JobRow, ...]:
    """The rows with `blocked`, `doomed`, `unmet` and `culprit` filled in."""
    waiting = [row for row in rows if row.status == PENDING]
    if schema.attached:
        ancestry = read_ancestry(conn, schema, (row.id for row in waiting if row.blocked))
        ancestry.waived.update(_waived(conn, [row.id for row in waiting if not row.blocked]))
    else:
        ancestry = read_ancestry(conn, schema, (row.id for row in waiting))
    return with_blame(rows, ancestry)


def with_blame(rows: Iterable[JobRow], ancestry: Ancestry) -> tuple[JobRow, ...]:
    """The rows as the ancestry explains them."""
    verdict_of = blame_of(ancestry.unmet, ancestry.kin, ancestry.told)
    result: list[JobRow] = []
    for row in rows:
        verdict = verdict_of.get(row.id) if row.status == PENDING else None
        if verdict is not None:
            row = replace(
                row,
                blocked=True,
                doomed=verdict.doomed,
                unmet=len(ancestry.unmet[row.id]),
                culprit=verdict.culprit,
            )
        elif row.status == PENDING and not row.blocked and row.id in ancestry.waived:
            row = replace(row, culprit=Culprit(ancestry.waived[row.id], "", "missing"))
        result.append(row)
    return tuple(result)


def _waived(conn: sqlite3.Connection, ids: list[str]) -> dict[str, str]:
    if not ids:
        return {}
    records = conn.execute(queries.WAIVED_PARENTS, (json.dumps(ids), MAX_EDGES)).fetchall()
    waived: dict[str, str] = {}
    for record in records:
        waived.setdefault(as_text(record["child_id"]), as_text(record["parent_id"]))
    return waived


def read_lines(
    conn: sqlite3.Connection, schema: FileSchema, ids: Sequence[str], *, judge: bool = True
) -> dict[str, JobRow]:
    """The lines of some jobs by id; jobs that don't exist are left out.

    Args:
        conn: an open connection, within its read transaction.
        schema: what the file is made of.
        ids: the jobs.
        judge: whether waiting ones are told apart by what their ancestors say.
    """
    if not ids:
        return {}
    records = conn.execute(queries.lines_by_id(schema), (json.dumps(ids),)).fetchall()
    rows: Sequence[JobRow] = [job_row(record) for record in records]
    if judge:
        rows = with_ancestors(conn, schema, rows)
    rows = with_reports(conn, schema, rows)
    return {row.id: row for row in rows}
