"""What ended when: counts and run times of attempts, in rings of sixty buckets for each window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from gigq_tui.store.durations import seconds_of

BUCKETS = 60
# Two neighbouring steps of the run times lie two per cent apart, so a percentile is off by one.
_STEP = math.log(1.02)
_LEAST_RUN_S = 0.0005


class Past(Enum):
    """How far back one looks; the value is in seconds."""

    MINUTE_1 = 60
    MINUTES_5 = 300
    MINUTES_15 = 900
    MINUTES_60 = 3_600
    HOURS_6 = 21_600
    HOURS_24 = 86_400

    @property
    def bucket_s(self) -> int:
        """How many seconds one bucket of this window holds."""
        return self.value // BUCKETS

    @property
    def word(self) -> str:
        """How it is written: `5m`, `6h`."""
        return f"{self.value // 3_600}h" if self.value > 3_600 else f"{self.value // 60}m"


# How far back one looks where nothing else is said.
USUAL = Past.MINUTES_60


def past_of(text: str) -> Past:
    """Return the time that a text like `60m` or `1h` means.

    Raises:
        ValueError: there is none that long; the message says which there are.
    """
    words = ", ".join(past.word for past in Past)
    try:
        return Past(round(seconds_of(text)))
    except ValueError:
        raise ValueError(f"there is no period {text!r}: choose from {words}") from None


class End(Enum):
    """How an attempt ended, as it counts here."""

    DONE = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    OTHER = "other"

    @property
    def bad(self) -> bool:
        """Whether it is a failure: the work was tried, and is not done."""
        return self in (End.FAILED, End.TIMEOUT, End.CRASHED)


@dataclass
class Tally:
    """What became of some attempts. `runs` counts run times by their step; waits in seconds."""

    ends: dict[End, int] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)
    longest_s: float = -1.0
    waits: int = 0
    waited_s: float = 0.0

    def add(self, end: End, run_s: float | None, wait_s: float | None) -> None:
        """Count one attempt. A time that is not known, or negative, is None."""
        self.ends[end] = self.ends.get(end, 0) + 1
        if run_s is not None:
            step = _step_of(run_s)
            self.runs[step] = self.runs.get(step, 0) + 1
            if run_s > self.longest_s:
                self.longest_s = run_s
        if wait_s is not None:
            self.waits += 1
            self.waited_s += wait_s

    def merge(self, other: Tally) -> None:
        """Count what another tally has counted."""
        for end, n in other.ends.items():
            self.ends[end] = self.ends.get(end, 0) + n
        for step, n in other.runs.items():
            self.runs[step] = self.runs.get(step, 0) + n
        self.longest_s = max(self.longest_s, other.longest_s)
        self.waits += other.waits
        self.waited_s += other.waited_s

    @property
    def done(self) -> int:
        return self.ends.get(End.DONE, 0)

    @property
    def failed(self) -> int:
        return sum(n for end, n in self.ends.items() if end.bad)

    @property
    def tried(self) -> int:
        """How many ended by themselves, well or badly."""
        return self.done + self.failed

    def run_s(self, share: float) -> float | None:
        """The run time that `share` of the attempts did not exceed, to one per cent; or None."""
        total = sum(self.runs.values())
        if not total:
            return None
        wanted = max(1, math.ceil(share * total))
        for step in sorted(self.runs):
            wanted -= self.runs[step]
            if wanted <= 0:
                return min(_seconds_of(step), self.longest_s)
        return self.longest_s


def _step_of(seconds: float) -> int:
    return round(math.log(max(seconds, _LEAST_RUN_S) / _LEAST_RUN_S) / _STEP)


def _seconds_of(step: int) -> float:
    return _LEAST_RUN_S * math.exp(step * _STEP) if step else 0.0


def merged(tallies: Iterable[Tally]) -> Tally:
    """One tally of several."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole


class Rings:
    """Tallies by bucket and function, for every window at once. Times are in seconds of an epoch.

    What lies further ahead of the hour than a window is long is left out: a clock that was set
    back must not leave memory that is never given free.
    """

    def __init__(self) -> None:
        self._rings: dict[Past, dict[int, dict[str, Tally]]] = {w: {} for w in Past}
        # An enum's attributes are slow, and this is gone through for every attempt.
        self._sized = [(w.value, w.bucket_s, ring) for w, ring in self._rings.items()]

    def add(
        self,
        function: str,
        end: End,
        at: float,
        now: float,
        run_s: float | None,
        wait_s: float | None,
    ) -> None:
        """Count an attempt of a function that ended `at`."""
        away = abs(now - at)
        for length, bucket_s, ring in self._sized:
            if away <= length:
                bucket = ring.setdefault(int(at // bucket_s), {})
                tally = bucket.get(function)
                if tally is None:
                    tally = bucket[function] = Tally()
                tally.add(end, run_s, wait_s)

    def forget_old(self, now: float) -> None:
        """Drop what has left the windows."""
        for window, ring in self._rings.items():
            last = int(now // window.bucket_s)
            for index in [i for i in ring if abs(last - i) > BUCKETS]:
                del ring[index]

    def buckets(self, window: Past, now: float) -> tuple[Mapping[str, Tally], ...]:
        """The window's sixty buckets up to now, the oldest first: tallies by function."""
        last = int(now // window.bucket_s)
        ring = self._rings[window]
        return tuple(ring.get(index, {}) for index in range(last - BUCKETS + 1, last + 1))

    def ended(self, window: Past, now: float, first: int, last: int) -> int:
        """How many ended by themselves in the buckets from `first` to `last`, 0 the present one."""
        at = int(now // window.bucket_s)
        ring = self._rings[window]
        return sum(
            tally.tried
            for age in range(first, last + 1)
            for tally in ring.get(at - age, {}).values()
        )
