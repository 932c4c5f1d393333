"""How many jobs each job of a graph blocks, worked out for all of them together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gigq_core.graph.blocking import blocked_by
from gigq_tui.store.models import Graph


class WaitingBehind:
    """The same numbers as of `blocked_by`, which for thousands of jobs would take seconds.

    Each job has the others that it blocks as a set of bits, made of those of its children.

    Args:
        graph: the jobs.
    """

    def __init__(self, graph: Graph) -> None:
        self._waits = waits = graph.waits
        # Of each job whose way down ends; not of those in a circle, or above one.
        self._bits: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        if any(any(told.values()) for told in waits.children.values()):
            return  # what a failure brings about depends on whose it is
        bit = {id: 1 << at for at, id in enumerate(waits.statuses)}
        left = {id: len(waits.children.get(id, ())) for id in waits.statuses}
        free = deque(id for id, count in left.items() if not count)
        while free:
            id = free.popleft()
            bits = 0
            for child in waits.children.get(id, ()):
                if waits.waits(child):
                    bits |= bit[child] | self._bits[child]
                elif waits.has_failed(child):
                    bits |= self._bits[child]
            self._bits[id] = bits
            for parent in waits.parents.get(id, ()):
                if parent in left:
                    left[parent] -= 1
                    if not left[parent]:
                        free.append(parent)

    def of(self, id: str) -> int:
        """How many jobs one blocks."""
        bits = self._bits.get(id)
        if bits is not None:
            return bits.bit_count()
        if id not in self._counted:
            self._counted[id] = len(blocked_by(self._waits, [id]))
        return self._counted[id]

    def of_all(self, ids: Sequence[str]) -> int:
        """How many others some jobs block together."""
        return self.of(ids[0]) if len(ids) == 1 else len(blocked_by(self._waits, ids))
