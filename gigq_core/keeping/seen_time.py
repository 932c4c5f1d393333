"""How much time has really passed, as far as somebody has seen it pass.

A clock may be set by mistake, and what goes by ages would then take everything at once. So the
stretches are kept in which the clock was seen to run evenly, by processes that compared it with
one that nobody sets. Time that nobody saw pass (the clock leapt, or no worker ran) counts little.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

# A clock that differs by so much was set, in seconds.
LEAP_S = 60.0
# Of a time in which no worker ran, so much counts at most, in seconds; and a quarter of the age.
UNSEEN_MOST_S = 86_400.0
# From a clock's being set to the next look at it, and a bit, in seconds.
UNTIL_SEEN_S = 3700.0
# How many stretches are kept.
MOST_STRETCHES = 200


class Stretch(NamedTuple):
    """From one moment to another the clock ran evenly, in UTC seconds.

    `leapt` is whether somebody saw that the clock was set as it began. Else nobody watched.
    """

    start: float
    end: float
    leapt: bool = False


Stretches = tuple[Stretch, ...]


class Look(NamedTuple):
    """What two clocks showed: the one that may be set, and the one that nobody sets."""

    utc: float
    steady: float


class Cutoff(NamedTuple):
    """What is older than some age: all until `before`, but for what ended about then in `but`."""

    before: float
    but: Stretches = ()

    def takes(self, ended: object) -> bool:
        """Whether something of that moment is older; what is no moment is not."""
        if not isinstance(ended, (int, float)) or not ended <= self.before:
            return False
        return not any(
            stretch.start - UNTIL_SEEN_S <= ended <= stretch.end + UNTIL_SEEN_S
            for stretch in self.but
        )


def steady_now() -> float:
    """Seconds by a clock that nobody sets; where the system has one, it counts a sleep too."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def looked(stretches: Stretches, last: Look | None, now: Look) -> Stretches:
    """The stretches with what this process has seen since it looked last.

    Args:
        stretches: what is stored, by this process or others.
        last: when this process looked last; None where it has not.
        now: what the clocks show.
    """
    if not stretches:
        return (Stretch(now.utc, now.utc),)
    newest = stretches[-1]
    unseen, leapt = now.utc - newest.end, False
    if last is not None:
        leapt = abs(now.utc - last.utc - (now.steady - last.steady)) > LEAP_S
        if not leapt and last.utc - LEAP_S <= newest.end <= now.utc + LEAP_S:
            unseen = 0.0
    if -LEAP_S <= unseen <= LEAP_S:
        # Another process may have been here first, and not have seen that leap.
        leapt = newest.leapt or (leapt and last is not None and newest.start > last.utc)
        return (*stretches[:-1], Stretch(newest.start, max(newest.end, now.utc), leapt))
    return (*stretches, Stretch(now.utc, now.utc, leapt))[-MOST_STRETCHES:]


def older_than(age: float, stretches: Stretches, utc: float) -> Cutoff:
    """What is older than an age: by the clock, and by the time that was seen to pass.

    Before the first stretch the clock is believed.

    Args:
        age: in seconds.
        stretches: as `looked` returns them.
        utc: what the clock shows.
    """
    left = age
    later: Stretch | None = None
    passed: list[Stretch] = []
    for stretch in reversed(stretches):
        if later is not None and not later.leapt:
            left -= min(max(0.0, later.start - stretch.end), UNSEEN_MOST_S, age / 4)
        if left <= 0:
            return _cutoff(stretch.end, utc - age, passed)
        if left <= stretch.end - stretch.start:
            return _cutoff(stretch.end - left, utc - age, passed)
        left -= stretch.end - stretch.start
        passed.append(stretch)
        later = stretch
    start = utc if later is None else later.start
    return _cutoff(start - left, utc - age, passed)


def needed(stretches: Stretches, longest: float) -> Stretches:
    """The stretches that still matter for ages up to the longest."""
    kept: list[Stretch] = []
    seen = 0.0
    for stretch in reversed(stretches):
        kept.append(stretch)
        seen += stretch.end - stretch.start
        if seen > longest:
            break
    return tuple(reversed(kept))


def encode(stretches: Stretches) -> str:
    """The stretches as they are stored."""
    return json.dumps([[round(s.start, 3), round(s.end, 3), int(s.leapt)] for s in stretches])


def decode(text: object) -> Stretches:
    """What `encode` made; of anything else nothing."""
    try:
        parts: Sequence[Sequence[float]] = json.loads(text) if isinstance(text, str) else []
        return tuple(Stretch(float(start), float(end), bool(leapt)) for start, end, leapt in parts)
    except (TypeError, ValueError, RecursionError):
        return ()


def _cutoff(seen: float, told: float, younger: Sequence[Stretch]) -> Cutoff:
    before = min(seen, told)
    # While the clock was behind, what ended seems to be older than it is.
    return Cutoff(before, tuple(stretch for stretch in younger if stretch.start - 1 < before))
