"""How deep each job of a graph stands: its level, the longest way down to it from a root."""

from __future__ import annotations

from collections import deque

from gigq_tui.store.models import Graph


def depths(graph: Graph) -> dict[str, int]:
    """The level of each job, from 0; what is in a circle, or behind one, stands below the rest."""
    waiting = {id: len(node.parents) for id, node in graph.nodes.items()}
    depth = dict.fromkeys(graph.nodes, 0)
    free = deque(id for id, count in waiting.items() if not count)
    met: set[str] = set()
    while free:
        id = free.popleft()
        met.add(id)
        for child in graph.nodes[id].children:
            depth[child] = max(depth[child], depth[id] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                free.append(child)
    if len(met) < len(depth):
        below = max((depth[id] for id in met), default=-1) + 1
        depth.update({id: below for id in depth if id not in met})
    return depth


def levels(graph: Graph) -> int:
    """How many levels there are; a circle is one."""
    return max(depths(graph).values(), default=-1) + 1
