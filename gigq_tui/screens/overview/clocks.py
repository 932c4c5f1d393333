"""The clock under a chart: round times of the reader's own, where they stand among the bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from gigq_core.units.moments import comes_twice, offset_of
from gigq_tui.store.history.time_window import DAY_S, HOUR_S, MINUTE_S, local_time

# What times a clock may tell, by their distance: seconds within a day, then whole days.
_STEPS_S = (
    *(1, 5, 10, 15, 30),
    *(MINUTE_S * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(HOUR_S * hours for hours in (1, 2, 3, 6, 12)),
    *(DAY_S * days for days in (1, 2, 7, 14, 28, 91, 365, 1_826, 18_262)),
)
# Cells between two of them, at least.
_GAP = 2


def marks(edges: Sequence[float], cells: int) -> list[tuple[int, str]]:
    """What is told at which cell, in their order, with room between them.

    Args:
        edges: where the bars begin, and where the last one ends, in UTC seconds.
        cells: how many cells a bar takes.
    """
    width = (len(edges) - 1) * cells
    length_s = edges[-1] - edges[0]
    for step in _STEPS_S:
        # What is sure to fit; a label may still be left out where the clocks change.
        if step * width >= (len(_label(edges[0], step)) + _GAP) * length_s:
            return _marks(edges, cells, step)
    return []


def _marks(edges: Sequence[float], cells: int, step: int) -> list[tuple[int, str]]:
    width = (len(edges) - 1) * cells
    found: list[tuple[int, str]] = []
    free_from = 0
    for number, (start, end) in enumerate(pairwise(edges)):
        at = _round_time_in(start, end, step)
        if at is None:
            continue
        text = _label(at, step)
        if comes_twice(local_time(at)) and step < DAY_S:
            text += offset_of(local_time(at))
        cell = number * cells
        if cell >= free_from and cell + len(text) <= width:
            found.append((cell, text))
            free_from = cell + len(text) + 1
    return found


def _round_time_in(start: float, end: float, step: int) -> float | None:
    """The first round time of the reader's clock within a bar, or None."""
    here = local_time(start)
    if step >= DAY_S:
        days = step // DAY_S
        day = here.date() if here == _midnight(here) else here.date() + timedelta(days=1)
        while day.toordinal() % days:
            day += timedelta(days=1)
            if (day - here.date()).days * DAY_S > end - start + 2 * DAY_S:
                return None
        at = datetime(day.year, day.month, day.day).astimezone().timestamp()
        return at if at < end else None
    of_day = here.hour * 3_600 + here.minute * 60 + here.second + here.microsecond / 1e6
    at = start + -of_day % step
    return at if at < end else None


def _midnight(here: datetime) -> datetime:
    return datetime(here.year, here.month, here.day).astimezone()


def _label(at: float, step: int) -> str:
    here = local_time(at)
    if step >= 365 * DAY_S:
        return f"{here:%Y}"
    if step >= DAY_S:
        return f"{here.day} {here:%b}"
    if step < MINUTE_S:
        return f"{here:%H:%M:%S}"
    return f"{here:%H:%M}"
