"""How many attempts ended when, in rings of sixty buckets for each of a few lengths of time."""

from __future__ import annotations

from enum import Enum

BUCKETS = 60


class Past(Enum):
    """How far back one looks for a rate; the value is in seconds."""

    MINUTE_1 = 60
    MINUTES_5 = 300
    MINUTES_15 = 900
    MINUTES_60 = 3_600

    @property
    def bucket_s(self) -> int:
        """How many seconds one bucket of this length holds."""
        return self.value // BUCKETS


class Rings:
    """Numbers by bucket, for every length at once. Times are in seconds of an epoch.

    What lies further ahead of the hour than a length is left out: a clock that was set back must
    not leave memory that is never given free.
    """

    def __init__(self) -> None:
        self._rings: dict[Past, dict[int, int]] = {w: {} for w in Past}
        # An enum's attributes are slow, and this is gone through for every attempt.
        self._sized = [(w.value, w.bucket_s, ring) for w, ring in self._rings.items()]

    def add(self, at: float, now: float) -> None:
        """Count an attempt that ended `at`."""
        away = abs(now - at)
        for length, bucket_s, ring in self._sized:
            if away <= length:
                index = int(at // bucket_s)
                ring[index] = ring.get(index, 0) + 1

    def forget_old(self, now: float) -> None:
        """Drop what has left the lengths."""
        for past, ring in self._rings.items():
            last = int(now // past.bucket_s)
            for index in [i for i in ring if abs(last - i) > BUCKETS]:
                del ring[index]

    def ended(self, past: Past, now: float, first: int, last: int) -> int:
        """How many ended in the buckets from `first` to `last`, 0 the present one."""
        at = int(now // past.bucket_s)
        ring = self._rings[past]
        return sum(ring.get(at - age, 0) for age in range(first, last + 1))
