"""Whether a process stood still: it was suspended, or waited for a processor or a disk."""

from __future__ import annotations

import time

# Whoever gets on so much later than it wanted to, in seconds, stood still.
AWAY_S = 2.0


class Standstill:
    """Measures a loop that works a little and then waits: neither takes long by itself."""

    def __init__(self) -> None:
        # When the last wait ended; before the first, nothing is late.
        self._woke: float | None = None
        # Whether it stood still, and nobody has looked yet what it lost by that.
        self.is_unsettled = False

    def woken(self, began: float, timeout: float) -> float:
        """For how long the process stood still, in seconds; 0 if it did not.

        Args:
            began: when the wait began that ends now, by the monotonic clock.
            timeout: how long it was to be at most, in seconds.
        """
        now = time.monotonic()
        # What came early makes up for nothing: it may stand still at any place.
        working_s = 0.0 if self._woke is None else began - self._woke
        away_s = working_s + max(0.0, now - began - timeout)
        self._woke = now
        if away_s <= AWAY_S:
            return 0.0
        self.is_unsettled = True
        return away_s
