"""What is folded in the shapes of a graph, and whether the jobs that completed are left out."""

from __future__ import annotations


class Folds:
    """What somebody folded and unfolded; it outlives the screen, for the next graph too.

    Attributes:
        alike: Whether jobs that look alike are one row, where nothing else was chosen.
        hides_done: Whether jobs that completed are left out.
    """

    def __init__(self) -> None:
        self.alike = True
        self.hides_done = False
        self._chosen: dict[str, bool] = {}

    def choose(self, key: str, *, is_open: bool) -> None:
        """Fold or unfold one thing, whatever holds for its like."""
        self._chosen[key] = is_open

    def fold_alike(self, *, alike: bool) -> None:
        """Fold all jobs that look alike, or none; what was chosen one by one is forgotten."""
        self.alike = alike
        self._chosen.clear()

    def is_open(self, key: str) -> bool:
        """Whether a group of jobs is drawn row by row."""
        return self._chosen.get(key, not self.alike)

    def opened(self, kind: str) -> frozenset[str]:
        """What was unfolded, of the keys that begin so; the rest of each."""
        return self._of(kind, is_open=True)

    def closed(self, kind: str) -> frozenset[str]:
        """What was folded, of the keys that begin so; the rest of each."""
        return self._of(kind, is_open=False)

    def _of(self, kind: str, *, is_open: bool) -> frozenset[str]:
        return frozenset(
            key.removeprefix(kind)
            for key, chosen in self._chosen.items()
            if chosen is is_open and key.startswith(kind)
        )
