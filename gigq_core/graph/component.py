"""The dependencies around one job: whatever hangs together with it, read wave by wave."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gigq_core.graph.blame import TOLD
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schema import graph_statements as sql

MOST_JOBS = 5_000
MOST_EDGES = 200_000


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
    for record in conn.execute(sql.ALL_EDGES, (MOST_EDGES,)).fetchall():
        edges.add(as_text(record["child_id"]), as_text(record["parent_id"]), 0)
    return edges


class Component:
    """The jobs around one, the nearest ancestors first, then descendants, then the rest.

    Attributes:
        ids: in the order of arrival, those too that are not in the file.
        edges: their dependencies, and perhaps others.
        truncated: whether there are more jobs than were asked for.

    Args:
        conn: within a transaction.
        focus: the id of a job that exists.
        limit: how many jobs at most.
        known: all edges of a file without a table of them, or None on an attached file.
        has_policies: whether an edge says what becomes of the child when the parent fails.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        focus: str,
        limit: int = MOST_JOBS,
        *,
        known: Edges | None,
        has_policies: bool,
    ) -> None:
        self._conn = conn
        self._known = known
        self._limit = max(1, limit)
        self._parents = sql.parent_edges(has_policies)
        self._children = sql.child_edges(has_policies)
        self.edges = known or Edges()
        self.ids: dict[str, None] = {focus: None}
        self.truncated = False
        self._spread([focus], up=True, down=False)
        self._spread([focus], up=False, down=True)
        self._spread(list(self.ids), up=True, down=True)

    def _spread(self, start: list[str], *, up: bool, down: bool) -> None:
        """Take in whatever is reached from `start`, parents (`up`) and children (`down`)."""
        wave = start
        visited = set(start)
        while wave:
            reached: list[str] = []
            if up:
                self._load(self._parents, wave)
                reached += [p for id in wave for p in self.edges.parents.get(id, ())]
            if down:
                self._load(self._children, wave)
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
        room = MOST_EDGES - len(self.edges.met)
        if room <= 0:
            self.truncated = True
            return
        for record in self._conn.execute(statement, (json.dumps(ids), room)).fetchall():
            self.edges.add(
                as_text(record["child_id"]),
                as_text(record["parent_id"]),
                as_int(record["met"]),
                as_int(record["on_failure"]),
            )


def find_roots(
    ids: Iterable[str], parents: Mapping[str, Sequence[str]], children: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The jobs to begin drawing at: without parents, and one of each circle nobody leads to."""
    ids = list(ids)
    roots = [id for id in ids if not parents.get(id)]
    reached: set[str] = set()
    chosen: list[str] = []
    for start in [*roots, *ids]:
        if start in reached:
            continue
        chosen.append(start)
        reached.add(start)
        stack = [start]
        while stack:
            for child in children.get(stack.pop(), ()):
                if child not in reached:
                    reached.add(child)
                    stack.append(child)
    return tuple(chosen)
