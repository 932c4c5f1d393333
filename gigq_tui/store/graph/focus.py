"""Parts of a dependency graph: what lies above or below a job, and what an act there concerns."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum

from gigq_core.graph.blocking import all_to_retry
from gigq_core.reasons.why import State, state_of
from gigq_tui.store.models import Graph, GraphNode, JobRow
from gigq_tui.store.statuses import COMPLETED, PENDING, RUNNING

ALIVE_STATUSES = frozenset({PENDING, RUNNING})
_WRONG = (State.FAILED, State.TIMEOUT, State.DOOMED, State.ORPHANED, State.OVERDUE)


class Direction(Enum):
    """Which part of a graph is looked at."""

    ALL = "whole graph"
    UP = "upstream"
    DOWN = "downstream"


def above(graph: Graph, id: str) -> list[str]:
    """The ancestors of a job, the nearest first."""
    return _reached(graph, (id,), lambda node: node.parents)


def below(graph: Graph, id: str) -> list[str]:
    """The descendants of a job, the nearest first."""
    return _reached(graph, (id,), lambda node: node.children)


def narrowed(graph: Graph, id: str, direction: Direction) -> Graph:
    """The graph without what does not lie in that direction from a job."""
    if direction is Direction.ALL or id not in graph.nodes:
        return graph
    wanted = {id, *(above(graph, id) if direction is Direction.UP else below(graph, id))}
    nodes = _kept(graph, wanted)
    if direction is Direction.DOWN:
        roots: tuple[str, ...] = (id,)
    else:
        roots = tuple(key for key, node in nodes.items() if not node.parents)
    return replace(graph, focus=id, nodes=nodes, roots=roots)


def without_done(graph: Graph) -> Graph:
    """The graph without the jobs that completed; what waited for them begins anew."""
    wanted = {
        id for id, node in graph.nodes.items() if node.row is None or node.row.status != COMPLETED
    }
    if len(wanted) == len(graph.nodes):
        return graph
    nodes = _kept(graph, wanted)
    roots = tuple(id for id, node in nodes.items() if not node.parents)
    return replace(graph, nodes=nodes, roots=roots)


def to_retry(graph: Graph, ids: Sequence[str]) -> tuple[JobRow, ...]:
    """What has to be retried for some jobs, and for all that these block: the furthest first."""
    return tuple(reversed(_rows(graph, all_to_retry(graph.waits, ids))))


def to_cancel(graph: Graph, ids: Sequence[str]) -> tuple[JobRow, ...]:
    """The jobs and their descendants, as far as they still wait or run."""
    rows = _rows(graph, (*ids, *_reached(graph, ids, lambda node: node.children)))
    return tuple(row for row in rows if row.status in ALIVE_STATUSES)


def tally(graph: Graph, now: datetime) -> dict[State, int]:
    """How many jobs of the graph stand where, what is wrong first; zeros are left out."""
    return tally_of(state_of(node.row, now) for node in graph.nodes.values() if node.row)


def tally_of(states: Iterable[State]) -> dict[State, int]:
    """How often each state is among some, what is wrong first; those that are not are left out."""
    found = Counter(states)
    order = [*_WRONG, *(state for state in State if state not in _WRONG)]
    return {state: found[state] for state in order if found[state]}


def _kept(graph: Graph, wanted: Collection[str]) -> dict[str, GraphNode]:
    return {
        key: replace(
            node,
            parents=tuple(parent for parent in node.parents if parent in wanted),
            children=tuple(child for child in node.children if child in wanted),
        )
        for key, node in graph.nodes.items()
        if key in wanted
    }


def _reached(
    graph: Graph, start: Iterable[str], following: Callable[[GraphNode], Iterable[str]]
) -> list[str]:
    queue = deque(start)
    seen = set(queue)
    order: list[str] = []
    while queue:
        node = graph.nodes.get(queue.popleft())
        for other in following(node) if node is not None else ():
            if other not in seen:
                seen.add(other)
                order.append(other)
                queue.append(other)
    return order


def _rows(graph: Graph, ids: Iterable[str]) -> list[JobRow]:
    nodes = (graph.nodes.get(id) for id in ids)
    return [node.row for node in nodes if node is not None and node.row is not None]
