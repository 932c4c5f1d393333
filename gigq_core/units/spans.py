"""Seconds in words, as short as a column has room for."""

from __future__ import annotations

import math

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
MAX_TIME_S = 100 * 365 * DAY_S


def span(seconds: float) -> str:
    """A measured time, in at most six characters: `12ms 0.8s 58s 1m42s 6h05m 3d4h`.

    A negative time, which a clock that was set back can leave behind, counts as none.
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0.0005:
        return "0s"
    if seconds < 0.1:
        return f"{max(1, round(seconds * 1000))}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    # Whole seconds are cut, not rounded, so that a running time never shows a second too many.
    whole = int(seconds) if seconds >= 10 else round(seconds)
    if whole < MINUTE_S:
        return f"{whole}s"
    if whole < HOUR_S:
        return _pair(whole, MINUTE_S, "m", 1, "s", 2)
    if whole < DAY_S:
        return _pair(whole, HOUR_S, "h", MINUTE_S, "m", 2)
    if whole < 100 * DAY_S:
        return _pair(whole, DAY_S, "d", HOUR_S, "h", 1)
    return f"{whole // DAY_S}d"


def estimate(seconds: float) -> str:
    """Say how long something will take, in steps so coarse that it does not flicker."""
    step = 5 if seconds < 105 else 30 if seconds < 10 * MINUTE_S else MINUTE_S
    return span(float(max(step, round(seconds / step) * step)))


def _pair(whole: int, unit_s: int, unit: str, part_s: int, part: str, digits: int) -> str:
    count, rest = divmod(whole, unit_s)
    parts = rest // part_s
    return f"{count}{unit}" if parts == 0 else f"{count}{unit}{parts:0{digits}d}{part}"
