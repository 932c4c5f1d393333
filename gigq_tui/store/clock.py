"""Where the console takes the time from, so that a test or a picture can hold it still."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """The hour for people, and a clock that never jumps for intervals."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; it never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()


class FrozenClock:
    """A clock that moves only when it is told to.

    Args:
        now: the moment it stands at, aware.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks on by `seconds`."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, by: timedelta) -> None:
        """Set the hour to another one, as an operator or a time server does."""
        self._now += by


SYSTEM_CLOCK = SystemClock()
