"""What became of some attempts: how they ended, and how long they took."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate

# Run times by three of their digits: the thousands are the decade, from a microsecond on.
_DECADE = 1_000
_UNITS = tuple(10.0**power for power in range(-6, 5))


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
        return self in BAD_ENDS


BAD_ENDS = frozenset({End.FAILED, End.TIMEOUT, End.CRASHED})


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
        step = None if run_s is None else step_of(run_s)
        self.add_many(end, 1, step, -1.0 if run_s is None else run_s)
        if wait_s is not None:
            self.waits += 1
            self.waited_s += wait_s

    def add_many(self, end: End, n: int, step: int | None, longest_s: float) -> None:
        """Count some that ended alike, with run times of one step; the longest of them in full."""
        self.ends[end] = self.ends.get(end, 0) + n
        if step is not None and (end is End.DONE or end in BAD_ENDS):
            self.runs[step] = self.runs.get(step, 0) + n
            self.longest_s = max(self.longest_s, longest_s)

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
        return sum(n for end, n in self.ends.items() if end in BAD_ENDS)

    @property
    def tried(self) -> int:
        """How many ended by themselves, well or badly."""
        return self.done + self.failed

    def run_s(self, share: float) -> float | None:
        """The run time that `share` of the attempts did not exceed, to a half per cent; or None."""
        (found,) = self.quantiles(share)
        return found

    def quantiles(self, *shares: float) -> tuple[float | None, ...]:
        """The run times that these shares of the attempts did not exceed."""
        steps = sorted(self.runs)
        counted = list(accumulate(self.runs[step] for step in steps))
        if not counted:
            return (None,) * len(shares)
        found = []
        for share in shares:
            wanted = max(1, math.ceil(share * counted[-1]))
            step = next(s for s, n in zip(steps, counted, strict=True) if n >= wanted)
            found.append(min(seconds_of(step), self.longest_s))
        return tuple(found)


def step_of(seconds: float) -> int:
    """The step that a run time belongs to; SQLite says the same in `statements`."""
    for decade, unit in enumerate(_UNITS):
        if seconds < _DECADE * unit or decade == len(_UNITS) - 1:
            return decade * _DECADE + min(_DECADE, math.floor(seconds / unit + 0.5))
    raise AssertionError


def seconds_of(step: int) -> float:
    """The run time in the middle of a step."""
    decade, digits = divmod(step, _DECADE)
    if digits == 0 and decade:
        # Rounded up to the next power of ten.
        decade, digits = decade - 1, _DECADE
    return digits * _UNITS[decade]


def merged(tallies: Iterable[Tally]) -> Tally:
    """One tally of several."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole
