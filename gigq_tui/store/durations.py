"""Seconds as people type them."""

from __future__ import annotations

from gigq_core.units.durations import seconds_in
from gigq_core.units.spans import MAX_TIME_S


def seconds_of(text: str) -> float:
    """Read a time as people write it: `90s`, `2m`, `1h30m`, `0.5d`; a bare number is seconds.

    Raises:
        ValueError: it is none; the message says what to write instead.
    """
    total = seconds_in(text)
    if total is None:
        raise ValueError(f"{text} is not a time: write 30s, 2m, 1h30m or 7d")
    if total > MAX_TIME_S:
        raise ValueError("that is more than a hundred years")
    return total
