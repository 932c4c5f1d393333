"""The graph of dependencies around one job, as commands show it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigq_core.graph.component import Component, find_roots, read_all_edges
from gigq_core.reasons.standing import Standing, read_standings
from gigq_core.rows.decoding import as_text
from gigq_core.schema import view_statements as view
from gigq_core.status import JobStatus

_COMPLETED = JobStatus.COMPLETED.value


@dataclass(frozen=True)
class JobGraph:
    """The jobs that hang together with one, in the order of their submission.

    `jobs` has None for a parent that is missing, `functions` what those that are there run. `met`
    tells of each dependency, by child and parent, whether it is no longer waited for. `truncated`
    says that there are more jobs.
    """

    focus: str
    jobs: Mapping[str, Standing | None]
    functions: Mapping[str, str]
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
    of_edges = {str(row[0]) for row in conn.execute(view.EDGE_COLUMNS)}
    known = None if of_edges else read_all_edges(conn)
    found = Component(conn, focus, known=known, has_policies="on_failure" in of_edges)
    columns = [row[0] for row in conn.execute(view.JOB_COLUMNS)]
    ids = json.dumps(list(found.ids))
    rows = [dict(row) for row in conn.execute(view.states_among(columns), (ids,)).fetchall()]
    there = {job.id: job for job in read_standings(conn, rows)}
    order = [*(id for id in found.ids if id not in there), *there]
    place = {id: at for at, id in enumerate(order)}

    def within(of: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return {
            id: sorted((other for other in of.get(id, ()) if other in place), key=place.__getitem__)
            for id in order
        }

    def is_met(child: str, parent: str) -> bool:
        if known is None:
            return found.edges.met[child, parent] != 0
        # GigQ takes a parent that does not exist for completed.
        return parent not in there or there[parent].status == _COMPLETED

    parents, children = within(found.edges.parents), within(found.edges.children)
    return JobGraph(
        focus,
        {id: there.get(id) for id in order},
        {as_text(row["id"]): _function(row) for row in rows},
        parents,
        children,
        {(id, parent): is_met(id, parent) for id in order for parent in parents[id]},
        find_roots(order, parents, children),
        found.truncated,
    )


def _function(row: Mapping[str, object]) -> str:
    module, name = as_text(row["function_module"]), as_text(row["function_name"])
    return f"{module}.{name}" if module else name
