"""Where a graph is narrow now: the level with most jobs behind it for each that is left in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from gigq_core.reasons.why import RUNNING_STATES, State, state_of
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph

# A level in which none of these is does not hold the others up: it is held up itself.
_AT_WORK = RUNNING_STATES | {
    State.READY,
    State.DELAYED,
    State.RETRYING,
    State.FAILED,
    State.TIMEOUT,
    State.CANCELLED,
}


class Narrow(NamedTuple):
    """A level, from 0: how many of its jobs hold others up, and how many wait behind those."""

    level: int
    left: int
    behind: int


def narrow_level(
    graph: Graph, depth: Mapping[str, int], waiting: WaitingBehind, now: datetime
) -> Narrow | None:
    """The narrow level; None where nothing waits behind any.

    Of each level those jobs count that run, could run, or failed, and behind which others wait.

    Args:
        graph: The graph.
        depth: The level of each job, from 0.
        waiting: How many jobs wait behind each.
        now: The present moment.
    """
    at_work: dict[int, list[str]] = {}
    for id, node in graph.nodes.items():
        if node.row is None or state_of(node.row, now) in _AT_WORK:
            at_work.setdefault(depth[id], []).append(id)
    found: list[Narrow] = []
    for level, ids in at_work.items():
        holding = [id for id in ids if waiting.of(id)]
        if holding:
            found.append(Narrow(level, len(holding), waiting.of_all(holding)))
    return max(found, key=lambda it: (it.behind / it.left, -it.level), default=None)
