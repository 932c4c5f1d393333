"""Reading the dependencies around one job: its relatives, and the whole component."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from gigq_core.graph.blame import Parent
from gigq_core.graph.blocking import Waits, blocked_by
from gigq_core.graph.component import Component, Edges, find_roots
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schema import graph_statements as sql
from gigq_core.schema.view_statements import COUNT_CHILDREN_OF_ONE
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.graph.ancestors import Ancestry, read_lines, with_blame
from gigq_tui.store.models import Graph, GraphNode, JobRow, Standing
from gigq_tui.store.statuses import COMPLETED, PENDING

_STANDINGS = {2: Standing.WAIVED, 3: Standing.PASSED_OVER}


def relatives(
    conn: sqlite3.Connection, schema: FileSchema, job_id: str, limit: int
) -> tuple[list[tuple[str, Standing]], list[str], int]:
    """On an attached file: parents and how each is waited for, children, how many of those.

    Args:
        conn: A connection to the file.
        schema: What the file is made of.
        job_id: The job.
        limit: How many parents, and how many children, are read at most.
    """
    wanted = json.dumps([job_id])
    parents = conn.execute(sql.parent_edges(schema.has_policies), (wanted, limit)).fetchall()
    children = conn.execute(sql.child_edges(schema.has_policies), (wanted, limit)).fetchall()
    count = as_int(conn.execute(COUNT_CHILDREN_OF_ONE, (job_id,)).fetchone()[0])
    return (
        [(as_text(edge["parent_id"]), _standing(edge)) for edge in parents],
        [as_text(edge["child_id"]) for edge in children],
        count,
    )


def read_graph(
    conn: sqlite3.Connection, schema: FileSchema, focus: str, limit: int, known: Edges | None
) -> Graph:
    """The component around `focus`, nearest ancestors first, then descendants, then the rest.

    Args:
        conn: an open connection, in a transaction.
        schema: what the file is made of.
        focus: the id of a job that exists.
        limit: how many nodes at most.
        known: all edges of a file without a table of them, or None on an attached file.
    """
    found = Component(conn, focus, limit, known=known, has_policies=schema.has_policies)
    rows = read_lines(conn, schema, list(found.ids), judge=False)
    return _assemble(found, rows, focus, attached=known is None)


def _assemble(found: Component, rows: dict[str, JobRow], focus: str, *, attached: bool) -> Graph:
    order = sorted(found.ids, key=lambda id: rows[id].key if id in rows else 0)
    inside = found.ids
    edges = found.edges
    unmet = {
        id: [p for p in edges.parents.get(id, ()) if _holds(edges, id, p, rows, attached)]
        for id in order
    }
    kin: dict[str, Parent | None] = {}
    for id in order:
        row = rows.get(id)
        kin[id] = Parent(id, row.name, row.status, row.error[:200]) if row else None
    waiting = {
        id: parents
        for id, parents in unmet.items()
        if parents and id in rows and rows[id].status == PENDING
    }
    waived = {
        id: parent
        for id in order
        for parent in edges.parents.get(id, ())
        if parent not in rows and parent in inside and parent not in unmet[id]
    }
    explained = {
        row.id: row
        for row in with_blame(
            (rows[id] for id in order if id in rows), Ancestry(waiting, waived, kin, edges.told)
        )
    }
    position = {id: index for index, id in enumerate(order)}

    def within(ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted((id for id in ids if id in inside), key=position.__getitem__))

    nodes = {
        id: GraphNode(
            id,
            explained.get(id),
            within(edges.parents.get(id, ())),
            within(edges.children.get(id, ())),
            within(unmet[id]),
            edges.on_failure.get(id, {}),
        )
        for id in order
    }
    parents = {id: node.parents for id, node in nodes.items()}
    children = {id: node.children for id, node in nodes.items()}
    return Graph(focus, nodes, find_roots(nodes, parents, children), found.truncated)


def _holds(edges: Edges, child: str, parent: str, rows: dict[str, JobRow], attached: bool) -> bool:
    """Whether `child` still has to wait for `parent`."""
    if attached:
        return edges.met[child, parent] == 0
    # GigQ takes a parent that does not exist for completed.
    return parent in rows and rows[parent].status != COMPLETED


def count_blocked_in(conn: sqlite3.Connection, edges: Edges, job_id: str, most: int) -> int:
    """How many waiting jobs a job blocks on a GigQ file, counted up to `most`.

    Args:
        conn: A connection to the file.
        edges: Who waits for whom.
        job_id: The job.
        most: Where the counting ends.
    """
    below = [job_id]
    seen = {job_id}
    for parent in below:  # grows meanwhile
        for child in edges.children.get(parent, ()):
            if child not in seen and len(seen) <= most:
                seen.add(child)
                below.append(child)
    found = conn.execute(queries.FATES, (json.dumps(below),))
    waits = Waits({as_text(row["id"]): as_text(row["status"]) for row in found})
    for parent in below:
        for child in edges.children.get(parent, ()):
            if child in seen:
                waits.add(child, parent)
    return len(blocked_by(waits, [job_id]))


def waived_where_missing(
    conn: sqlite3.Connection, edges: Edges, job_id: str, limit: int
) -> list[tuple[str, Standing]]:
    """The parents on a GigQ file, where a missing one counts as completed.

    Args:
        conn: A connection to the file.
        edges: Who waits for whom.
        job_id: The job.
        limit: How many parents are looked at.
    """

    def there(id: str) -> bool:
        return conn.execute(queries.EXISTS, (id,)).fetchone() is not None

    return [
        (id, Standing.ASKED if there(id) else Standing.WAIVED)
        for id in edges.parents.get(job_id, [])[:limit]
    ]


def _standing(edge: sqlite3.Row) -> Standing:
    return _STANDINGS.get(edge["met"], Standing.ASKED)
