"""A time that is not known exactly, and how that is said."""

from __future__ import annotations

from typing import NamedTuple

from gigq_core.units.spans import DAY_S, HOUR_S, MINUTE_S, span

# What is said is a multiple of one of these, in seconds.
_MINUTES = tuple(minutes * MINUTE_S for minutes in (1, 5, 10, 30))
_STEPS = (5, 10, 30, *_MINUTES, HOUR_S, 6 * HOUR_S, DAY_S)
# A spread of less than this share is told as one time.
SAID_AS_ONE = 0.3
# What is later than that is not worth a number: ten years.
MOST_SAID_S = 3_650 * DAY_S


class Spread(NamedTuple):
    """A time in seconds from now: one of ten is earlier than `p10`, one of ten later than `p90`."""

    p10: float
    p50: float
    p90: float


def in_words(spread: Spread) -> str:
    """When it will be done, no finer than it is known: `about 4m`, `3m to 6m`.

    Args:
        spread: in seconds from now; what lies behind counts as now.
    """
    low, middle, high = (max(0.0, value) for value in spread)
    if low > MOST_SAID_S:
        return "more than 10 years"
    width = high - low
    step = max((s for s in _STEPS if s <= max(width / 3, middle / 20)), default=_STEPS[0])
    if middle < _STEPS[0] and width < _STEPS[1]:
        return f"under {_STEPS[0]}s"
    if high > MOST_SAID_S:
        return f"{span(float(max(step, round(low / step) * step)))} or more"
    low, middle, high = (max(step, round(value / step) * step) for value in (low, middle, high))
    if high - low <= step or width <= SAID_AS_ONE * middle:
        return f"about {span(float(middle))}"
    return f"{span(float(low))} to {span(float(high))}"
