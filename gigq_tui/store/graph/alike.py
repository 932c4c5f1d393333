"""Jobs of a graph that are drawn as one row: those of one level that do the same work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gigq_core.blame import BAD_ENDS
from gigq_tui.store.graph.tree import name_stem
from gigq_tui.store.models import Graph, GraphNode

# So many that look the same become one row.
SMALLEST_GROUP = 3
SHORT_ID = 8


@dataclass(frozen=True)
class Alike:
    """Jobs of one level with the same function and, but for a number, the same name.

    `key` stays the same while they are what they are. What failed and what can never run stands in
    groups of its own. `label` is what they are called together.
    """

    key: str
    level: int
    label: str
    jobs: tuple[str, ...]


def groups_of_alike(graph: Graph, depth: Mapping[str, int]) -> list[Alike]:
    """All jobs of a graph in groups, level by level; few alike stand each by itself.

    Args:
        graph: the jobs.
        depth: the level of each.
    """
    found: dict[tuple[int, str, str, str], list[str]] = {}
    for id, node in graph.nodes.items():
        found.setdefault((depth[id], *_look(node)), []).append(id)
    groups: list[Alike] = []
    for (level, function, stem, kind), jobs in sorted(found.items(), key=lambda it: it[0][0]):
        if len(jobs) < SMALLEST_GROUP:
            groups.extend(alone(graph, id, level) for id in jobs)
            continue
        key = f"{level}\0{function}\0{stem}\0{kind}"
        groups.append(Alike(key, level, f"{stem} x{len(jobs)}", tuple(jobs)))
    return groups


def alone(graph: Graph, id: str, level: int) -> Alike:
    """A job as a row of its own."""
    return Alike(id, level, job_label(graph, id), (id,))


def job_label(graph: Graph, id: str) -> str:
    """What a job of the graph is called: its name, or the beginning of its id where it is gone."""
    row = graph.nodes[id].row
    return row.name if row is not None and row.name else id[:SHORT_ID]


def has_ended_badly(graph: Graph, jobs: Iterable[str]) -> bool:
    """Whether any of some jobs failed, or is not there at all."""
    rows = (graph.nodes[id].row for id in jobs)
    return any(row is None or row.status in BAD_ENDS for row in rows)


def _look(node: GraphNode) -> tuple[str, str, str]:
    row = node.row
    if row is None:
        return "", node.id, "missing"
    kind = "failed" if row.status in BAD_ENDS else "doomed" if row.doomed else ""
    return row.function, name_stem(row.name), kind
