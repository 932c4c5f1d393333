"""How many jobs waited at each moment of a window, reckoned back from how many wait now.

A job that began or was given up waited until then; one that was submitted, or came back for
another attempt, did not before. Cleared jobs left no trace, so it is an estimate of the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from gigq_tui.store.history.time_window import Ruler

# So many stretches of a window are told apart at most; they are whole seconds, at least one.
MAX_GRAINS = 260_000


class Backlog:
    """What changed the number of waiting jobs, and when; a peak is the same in bars of any width.

    Args:
        ruler: where the bars begin.
        since: where the first one does.
        grain: seconds within which changes are added up.
    """

    def __init__(self, ruler: Ruler, since: float, grain: int) -> None:
        self.ruler = ruler
        self.since = since
        self.grain = grain
        self._bars: dict[float, dict[int, int]] = {}
        # How much a bar changed the number, and the most by which it lay lower at its end than
        # at some moment of it.
        self._sums: dict[float, tuple[int, int]] = {}

    def add(self, changes: Iterable[tuple[int, int]]) -> int:
        """Take in changes: pairs of a grain's number and by how many it changed.

        Returns:
            By how many they changed it in all.
        """
        total = 0
        for grain, change in changes:
            total += change
            start = self.ruler.start_of(max(grain * self.grain, self.since))
            bar = self._bars.setdefault(start, {})
            bar[grain] = bar.get(grain, 0) + change
            self._sums.pop(start, None)
        return total

    def values(self, edges: Sequence[float], waiting: int) -> tuple[int, ...]:
        """The most jobs that waited at once in each bar.

        Args:
            edges: where the bars begin, and where the last one ends.
            waiting: how many wait now.
        """
        level = waiting
        for start in self._bars:
            if start >= edges[-1]:
                level -= self._sum(start)[0]
        values = []
        for start, _ in reversed(list(pairwise(edges))):
            change, peak = self._sum(start)
            values.append(max(0, level + peak))
            level -= change
        return tuple(reversed(values))

    def change_since(self, at: float) -> int:
        """By how many the number has changed since a moment."""
        first = self.ruler.start_of(at)
        wanted = at // self.grain
        return sum(
            change
            for start, bar in self._bars.items()
            if start >= first
            for grain, change in bar.items()
            if grain >= wanted
        )

    def forget_before(self, start: float) -> None:
        """Drop the bars that began before this one."""
        for old in [bar for bar in self._bars if bar < start]:
            del self._bars[old]
            self._sums.pop(old, None)

    def _sum(self, start: float) -> tuple[int, int]:
        known = self._sums.get(start)
        if known is None:
            change = peak = 0
            bar = self._bars.get(start, {})
            for grain in sorted(bar, reverse=True):
                change += bar[grain]
                peak = max(peak, -change)
            known = self._sums[start] = (change, peak)
        return known
