"""The dependency tree of the console as lines: what is said of a job decides what is folded."""

from __future__ import annotations

from gigq_core.graph.blame import Culprit
from gigq_core.graph.branches import Folding, Jobs, TreeLine
from gigq_core.graph.branches import tree_lines as lines_of
from gigq_tui.store.models import Graph
from gigq_tui.store.statuses import COMPLETED

FOLDED = Folding()


def tree_lines(graph: Graph, folding: Folding = FOLDED) -> list[TreeLine]:
    """Every job of the graph once, from its roots down, but for what is in a closed branch."""
    rows = {id: node.row for id, node in graph.nodes.items() if node.row is not None}

    def look(id: str) -> object:
        row = rows[id]
        return row.status, row.blocked, row.doomed, row.attempts > 0, row.holder

    jobs = Jobs(
        graph.roots,
        {id: node.children for id, node in graph.nodes.items()},
        {id: row.name for id, row in rows.items()},
        frozenset(id for id, row in rows.items() if row.status == COMPLETED),
        look,
    )
    return lines_of(jobs, folding)


def culprit(graph: Graph, id: str) -> Culprit | None:
    """The ancestor because of which a job of the graph can't run, if there is one."""
    node = graph.nodes.get(id)
    return node.row.culprit if node is not None and node.row is not None else None
