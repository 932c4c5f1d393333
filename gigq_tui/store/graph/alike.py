"""Jobs of a graph that are drawn as one row: those of one level that do the same work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gigq_core.graph.blame import BAD_ENDS
from gigq_core.graph.branches import name_stem
from gigq_tui.store.models import Graph, GraphNode

# So many that look the same become one row.
SMALLEST_GROUP = 3
SHORT_ID = 8

_FIRST_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Alike:
    """Jobs of one level with the same function, and names that begin with the same word.

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
    for (level, function, word, kind), jobs in sorted(found.items(), key=lambda it: it[0][0]):
        if len(jobs) < SMALLEST_GROUP:
            groups.extend(alone(graph, id, level) for id in jobs)
            continue
        key = f"{level}\0{function}\0{word}\0{kind}"
        label = common_name([job_label(graph, id) for id in jobs])
        groups.append(Alike(key, level, f"{label} x{len(jobs)}", tuple(jobs)))
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
    return row.function, first_word(row.name), kind


def first_word(name: str) -> str:
    """The word that a name begins with; one that begins with none is its own."""
    found = _FIRST_WORD.match(name)
    return found[0].casefold() if found else name_stem(name)


def common_name(names: Sequence[str]) -> str:
    """What names have in common at their beginning, without the number behind."""
    first, last = min(names), max(names)
    pairs = enumerate(zip(first, last, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), len(first))
    common = first[:same]
    return name_stem(common).rstrip(" _-.:/#") or first_word(names[0])
