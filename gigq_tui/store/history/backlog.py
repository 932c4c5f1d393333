"""How many jobs waited at each moment: seen while the console looked, reckoned for before."""

from __future__ import annotations

from gigq_tui.store.history.rings import BUCKETS, Past


class Backlog:
    """The number of waiting jobs over time.

    From the first look on it is what was seen: the file is read whenever it changes, so what was
    seen last holds until the next look. Before, it is reckoned backwards from the first look: a
    job that began or was given up waited until then, one that was submitted or came back for
    another attempt did not. Cleared jobs left no trace, so for that time it is an estimate.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._first = 0
        self._seen: dict[Past, dict[int, int]] = {w: {} for w in Past}
        # What a bucket before the first look took from the waiting jobs, less what it added.
        self._taken: dict[Past, dict[int, int]] = {w: {} for w in Past}
        self._sized = [(w.value, w.bucket_s, taken) for w, taken in self._taken.items()]

    @property
    def since(self) -> float | None:
        """When it was first looked, in seconds of the epoch."""
        return self._since

    def saw(self, now: float, waiting: int) -> None:
        """Note how many jobs wait now."""
        if self._since is None:
            self._since, self._first = now, waiting
        for window, seen in self._seen.items():
            last = int(now // window.bucket_s)
            seen[last] = waiting
            old = sorted(index for index in seen if index < last - BUCKETS)
            # The newest of the old ones still says what the window began with.
            for index in old[:-1]:
                del seen[index]
            ahead = [index for index in seen if index > last]
            for index in ahead:  # the clock was set back
                del seen[index]

    def left(self, at: float) -> None:
        """A waiting job began, or was given up."""
        self._step(at, 1)

    def came(self, at: float) -> None:
        """A job was submitted, or came back to wait once more."""
        self._step(at, -1)

    def _step(self, at: float, step: int) -> None:
        if self._since is None or at > self._since:
            return
        ago = self._since - at
        for length, bucket_s, taken in self._sized:
            if ago <= length:
                index = int(at // bucket_s)
                taken[index] = taken.get(index, 0) + step

    def values(self, window: Past, now: float, known_from: float) -> tuple[int | None, ...]:
        """How many jobs waited at the end of each of the window's buckets, the oldest first.

        Args:
            window: which window, up to `now`.
            now: seconds of the epoch.
            known_from: what began before this moment is not known.
        """
        last = int(now // window.bucket_s)
        wanted = range(last - BUCKETS + 1, last + 1)
        if self._since is None:
            return (None,) * BUCKETS
        first = int(self._since // window.bucket_s)
        seen, taken = self._seen[window], self._taken[window]
        values: dict[int, int | None] = {}
        known = [index for index in seen if index <= wanted.start]
        level = seen[max(known)] if known else self._first
        for index in range(max(first, wanted.start), last + 1):
            level = seen.get(index, level)
            values[index] = level
        level = self._first
        for index in range(min(first, last) - 1, wanted.start - 1, -1):
            level += taken.get(index + 1, 0)
            covered = (index + 1) * window.bucket_s >= known_from
            values[index] = max(0, level) if covered else None
        return tuple(values.get(index) for index in wanted)
