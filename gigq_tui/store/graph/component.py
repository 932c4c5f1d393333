"""Reading the dependencies around one job: its relatives, and the whole component."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from gigq_core.blame import TOLD, Parent
from gigq_core.blocking import Waits, blocked_by
from gigq_core.decoding import as_int, as_text
from gigq_core.schema.view_statements import COUNT_CHILDREN_OF_ONE
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.graph.ancestors import Ancestry, read_lines, with_blame
from gigq_tui.store.models import Graph, GraphNode, JobRow, Standing
from gigq_tui.store.statuses import COMPLETED, PENDING

MAX_EDGES = 200_000
_STANDINGS = {2: Standing.WAIVED, 3: Standing.PASSED_OVER}


@dataclass
class Edges:
    """Dependencies both ways: `met` by (child, parent), as in the table of edges."""

    parents: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    met: dict[tuple[str, str], int] = field(default_factory=dict)
    # See `blame_of`.
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    on_failure: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, child: str, parent: str, met: int, on_failure: int = 0) -> None:
        """Take an edge in, once."""
        if (child, parent) in self.met:
            return
        self.met[child, parent] = met
        if on_failure in TOLD:
            self.told[child, parent] = TOLD[on_failure]
            self.on_failure.setdefault(child, {})[parent] = on_failure
        self.parents.setdefault(child, []).append(parent)
        self.children.setdefault(parent, []).append(child)


def read_all_edges(conn: sqlite3.Connection) -> Edges:
    """Every dependency of a file that has no table of edges, up to a bound."""
    edges = Edges()
    for record in conn.execute(queries.ALL_EDGES, (MAX_EDGES,)).fetchall():
        edges.add(as_text(record["child_id"]), as_text(record["parent_id"]), 0)
    return edges


def relatives(
    conn: sqlite3.Connection, schema: FileSchema, job_id: str, limit: int
) -> tuple[list[tuple[str, Standing]], list[str], int]:
    """On an attached file: parents and how each is waited for, children, how many of those."""
    wanted = json.dumps([job_id])
    parents = conn.execute(queries.parent_edges(schema), (wanted, limit)).fetchall()
    children = conn.execute(queries.child_edges(schema), (wanted, limit)).fetchall()
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
    walk = _Walk(conn, schema, focus, limit, known)
    walk.spread([focus], up=True, down=False)
    walk.spread([focus], up=False, down=True)
    walk.spread(list(walk.ids), up=True, down=True)
    rows = read_lines(conn, schema, list(walk.ids), judge=False)
    return _assemble(walk, rows, focus, attached=known is None)


class _Walk:
    """A breadth-first walk that stops at a number of nodes. `ids` keeps the order of arrival."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        schema: FileSchema,
        focus: str,
        limit: int,
        known: Edges | None,
    ) -> None:
        self._conn = conn
        self._schema = schema
        self._known = known
        self._limit = max(1, limit)
        self.edges = known or Edges()
        self.ids: dict[str, None] = {focus: None}
        self.truncated = False

    def spread(self, start: list[str], *, up: bool, down: bool) -> None:
        """Take in whatever is reached from `start`, parents (`up`) and children (`down`)."""
        wave = start
        visited = set(start)
        while wave:
            reached: list[str] = []
            if up:
                self._load(queries.parent_edges(self._schema), wave)
                reached += [p for id in wave for p in self.edges.parents.get(id, ())]
            if down:
                self._load(queries.child_edges(self._schema), wave)
                reached += [c for id in wave for c in self.edges.children.get(id, ())]
            wave = []
            for id in reached:
                if id in visited:
                    continue
                if id not in self.ids:
                    if len(self.ids) >= self._limit:
                        self.truncated = True
                        continue
                    self.ids[id] = None
                visited.add(id)
                wave.append(id)

    def _load(self, statement: str, ids: list[str]) -> None:
        if self._known is not None:
            return
        room = MAX_EDGES - len(self.edges.met)
        if room <= 0:
            self.truncated = True
            return
        records = self._conn.execute(statement, (json.dumps(ids), room)).fetchall()
        for record in records:
            self.edges.add(
                as_text(record["child_id"]),
                as_text(record["parent_id"]),
                as_int(record["met"]),
                as_int(record["on_failure"]),
            )


def _assemble(walk: _Walk, rows: dict[str, JobRow], focus: str, *, attached: bool) -> Graph:
    order = sorted(walk.ids, key=lambda id: rows[id].key if id in rows else 0)
    inside = walk.ids
    edges = walk.edges
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
    return Graph(focus, nodes, find_roots(nodes), walk.truncated)


def _holds(edges: Edges, child: str, parent: str, rows: dict[str, JobRow], attached: bool) -> bool:
    """Whether `child` still has to wait for `parent`."""
    if attached:
        return edges.met[child, parent] == 0
    # GigQ takes a parent that does not exist for completed.
    return parent in rows and rows[parent].status != COMPLETED


def find_roots(nodes: dict[str, GraphNode]) -> tuple[str, ...]:
    """The nodes to begin drawing at: without parents, and one of each circle nobody leads to."""
    roots = [id for id, node in nodes.items() if not node.parents]
    reached: set[str] = set()
    candidates = [*roots, *nodes]
    chosen: list[str] = []
    for start in candidates:
        if start in reached:
            continue
        chosen.append(start)
        reached.add(start)
        stack = [start]
        while stack:
            for child in nodes[stack.pop()].children:
                if child not in reached:
                    reached.add(child)
                    stack.append(child)
    return tuple(chosen)


def count_blocked_in(conn: sqlite3.Connection, edges: Edges, job_id: str, most: int) -> int:
    """How many waiting jobs a job blocks on a GigQ file, counted up to `most`."""
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
    """The parents on a GigQ file, where a missing one counts as completed."""

    def there(id: str) -> bool:
        return conn.execute(queries.EXISTS, (id,)).fetchone() is not None

    return [
        (id, Standing.ASKED if there(id) else Standing.WAIVED)
        for id in edges.parents.get(job_id, [])[:limit]
    ]


def _standing(edge: sqlite3.Row) -> Standing:
    return _STANDINGS.get(edge["met"], Standing.ASKED)
