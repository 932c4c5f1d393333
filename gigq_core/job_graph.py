"""The graph of dependencies around one job, as commands show it: each job with why it waits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gigq_core.blame import Culprit, Parent, blame_of
from gigq_core.component import Component, find_roots, read_all_edges
from gigq_core.decoding import as_int, as_text
from gigq_core.schema import graph_statements as sql
from gigq_core.schema import view_statements as view
from gigq_core.status import JobStatus

BLOCKED, DOOMED, MISSING = "blocked", "doomed", "missing"


class GraphJob(NamedTuple):
    """A job of a graph: `state` is its status, or `blocked`, `doomed` or `missing`.

    `culprit` is whom it waits for, of one that waits for another.
    """

    id: str
    name: str = ""
    function: str = ""
    status: str = ""
    state: str = MISSING
    culprit: Culprit | None = None


@dataclass(frozen=True)
class JobGraph:
    """The jobs that hang together with one, in the order of their submission.

    `met` tells of each dependency, by child and parent, whether it is no longer waited for.
    `truncated` says that there are more jobs.
    """

    focus: str
    jobs: Mapping[str, GraphJob]
    parents: Mapping[str, Sequence[str]]
    children: Mapping[str, Sequence[str]]
    met: Mapping[tuple[str, str], bool]
    roots: Sequence[str]
    truncated: bool


def read_job_graph(conn: sqlite3.Connection, focus: str) -> JobGraph:
    """The graph around a job of a file, attached or not.

    Args:
        conn: the file.
        focus: the id of a job that exists.
    """
    columns = {str(row[0]) for row in conn.execute(view.EDGE_COLUMNS)}
    known = None if columns else read_all_edges(conn)
    found = Component(conn, focus, known=known, has_policies="on_failure" in columns)
    ids = json.dumps(list(found.ids))
    rows = {as_text(row["id"]): row for row in conn.execute(sql.JOBS_OF_GRAPH, (ids,)).fetchall()}
    order = sorted(found.ids, key=lambda id: as_int(rows[id]["key"]) if id in rows else 0)
    place = {id: at for at, id in enumerate(order)}

    def within(of: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return {
            id: sorted((other for other in of.get(id, ()) if other in place), key=place.__getitem__)
            for id in order
        }

    parents, children = within(found.edges.parents), within(found.edges.children)
    statuses = {id: as_text(row["status"]) for id, row in rows.items()}

    def is_met(child: str, parent: str) -> bool:
        if known is None:
            return found.edges.met[child, parent] != 0
        # GigQ takes a parent that does not exist for completed.
        return statuses.get(parent, _COMPLETED) == _COMPLETED

    met = {(id, parent): is_met(id, parent) for id in order for parent in parents[id]}
    unmet = {
        id: left
        for id in order
        if statuses.get(id) == JobStatus.PENDING.value
        and (left := [p for p in found.edges.parents.get(id, ()) if not met.get((id, p), True)])
    }
    kin = {
        id: Parent(id, as_text(rows[id]["name"]), statuses[id], as_text(rows[id]["error"]))
        if id in rows
        else None
        for id in order
    }
    blames = blame_of(unmet, kin, found.edges.told)
    jobs: dict[str, GraphJob] = {}
    for id in order:
        if id not in rows:
            jobs[id] = GraphJob(id)
            continue
        blame = blames.get(id)
        state = statuses[id] if blame is None else DOOMED if blame.doomed else BLOCKED
        jobs[id] = GraphJob(
            id,
            as_text(rows[id]["name"]),
            _function(rows[id]),
            statuses[id],
            state,
            blame.culprit if blame is not None else None,
        )
    roots = find_roots(order, parents, children)
    return JobGraph(focus, jobs, parents, children, met, roots, found.truncated)


_COMPLETED = JobStatus.COMPLETED.value


def _function(row: sqlite3.Row) -> str:
    module, name = as_text(row["function_module"]), as_text(row["function_name"])
    return f"{module}.{name}" if module else name
