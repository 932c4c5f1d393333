"""Jobs that were disturbed by what ends those who run them."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from gigq_core.worker.claims import Ending, Fate

# How long the failure of a job that got a signal from outside waits for one to us, in seconds.
DISTURBED_S = 0.25


class Disturbed:
    """Jobs that failed by a signal from outside, which may be on its way to us too.

    Whoever ends a whole service signals the jobs' processes as well. What fails by that, while the
    worker or the agent that runs it is ending, is given back.
    """

    def __init__(self) -> None:
        # With the time until which each is kept, by the monotonic clock; the first comes first.
        self._kept: deque[tuple[float, Ending]] = deque()

    def settle(self, endings: Iterable[Ending], leaving: bool = False) -> list[Ending]:
        """Those of these, and of the ones that were kept, of which it is known how they ended.

        Args:
            endings: what ended since.
            leaving: whether who runs them is ending.
        """
        now = time.monotonic()
        settled = []
        for ending in endings:
            if ending.signal is None:
                settled.append(ending)
            else:
                self._kept.append((now + DISTURBED_S, ending))
        if leaving:
            return settled + [_given_back(ending) for ending in self.rest()]
        while self._kept and self._kept[0][0] <= now:
            settled.append(self._kept.popleft()[1])
        return settled

    def rest(self) -> list[Ending]:
        """Those that are kept, which are kept no more."""
        kept, self._kept = self._kept, deque()
        return [ending for _, ending in kept]

    def due(self) -> float | None:
        """Until when the first of them is kept, by the monotonic clock; None where none is."""
        return self._kept[0][0] if self._kept else None


def _given_back(ending: Ending) -> Ending:
    """The ending of an attempt that was disturbed by what ends this worker."""
    name = signal.Signals(ending.signal or 0).name
    return replace(
        ending,
        fate=Fate.GIVEN_BACK,
        error=f"{name} from outside reached its process while the worker was ending: "
        f"{ending.error}",
    )
