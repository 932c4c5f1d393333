"""Where jobs are since an action on them, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum


class JobNow(IntEnum):
    """Where a job is since an action on it."""

    UNREAD = 0
    FAILED_SAME = 1
    FAILED_OTHER = 2
    # There is nothing to compare its failure with.
    FAILED = 3
    CANCELLED = 4
    GONE = 5
    # A later action has changed it: that one follows it.
    IN_LATER_ACTION = 6
    RUNNING = 7
    STOPPING = 8
    WAITING = 9
    DELAYED = 10
    BLOCKED = 11
    PASSED = 12
    # Of a status that this release doesn't know.
    UNKNOWN = 13
    TIMED_OUT = 14
    # Running in a worker of GigQ's, which can't be asked anything.
    FOREIGN = 15

    @property
    def has_failed(self) -> bool:
        """Whether it has failed, or timed out."""
        return self in _BAD

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, or nobody has looked yet."""
        return self in _OPEN


_BAD = (JobNow.FAILED_SAME, JobNow.FAILED_OTHER, JobNow.FAILED, JobNow.TIMED_OUT)
_RUNS = (JobNow.RUNNING, JobNow.FOREIGN, JobNow.STOPPING)
_WAITS = (JobNow.WAITING, JobNow.DELAYED, JobNow.BLOCKED)
_OPEN = (JobNow.UNREAD, *_RUNS, *_WAITS)


@dataclass(frozen=True)
class JobsNow:
    """Where each of some jobs is, by its place among them."""

    codes: bytes

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, place: int) -> JobNow:
        """Where one of them is."""
        return JobNow(self.codes[place])

    def count(self, *states: JobNow) -> int:
        """How many are in any of some states."""
        return sum(self.codes.count(state) for state in states)

    def places(self, *states: JobNow) -> Iterator[int]:
        """The places of those that are in any of some states."""
        return (place for place, code in enumerate(self.codes) if code in states)

    @property
    def passed(self) -> int:
        """How many have completed."""
        return self.count(JobNow.PASSED)

    @property
    def failed(self) -> int:
        """How many have failed, or timed out."""
        return self.count(*_BAD)

    @property
    def failed_same(self) -> int:
        """How many have failed as they had failed before the action."""
        return self.count(JobNow.FAILED_SAME)

    @property
    def running(self) -> int:
        """How many run."""
        return self.count(*_RUNS)

    @property
    def waiting(self) -> int:
        """How many wait: for a worker, their time, or a parent."""
        return self.count(*_WAITS)

    @property
    def open(self) -> int:
        """How many have not ended, or were not looked at yet."""
        return self.count(*_OPEN)

    def with_state(self, places: Iterable[int], state: JobNow) -> JobsNow:
        """The same with some of them in another state."""
        codes = bytearray(self.codes)
        for place in places:
            codes[place] = state
        return JobsNow(bytes(codes))
