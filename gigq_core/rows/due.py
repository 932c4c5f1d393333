"""When a job may begin, as its row holds it."""

from __future__ import annotations

from typing import Any

from gigq_core.schema.ddl import LAST_DUE_S
from gigq_core.units.times import Moment, local_text


def due_at(instant: float, now: Moment) -> dict[str, Any]:
    """That a job is not to begin before an instant, by the columns' names; NULL where it is past.

    Args:
        instant: UTC seconds.
        now: the present moment.
    """
    if instant <= now.utc:
        return {"retry_after": None, "due": None, "due_in": None}
    due = min(instant, LAST_DUE_S)
    try:
        text = local_text(due)
    except (OverflowError, ValueError, OSError):
        # Beyond the calendar: as late as a date can be that is no word of ours.
        text = "9999-12-31T00:00:00"
    return {"retry_after": text, "due": due, "due_in": None}


def due_after(delay_s: float, now: Moment) -> dict[str, Any]:
    """That a job is not to begin before a delay has passed, likewise."""
    due = due_at(now.utc + delay_s, now)
    return due if due["due"] is None else {**due, "due_in": delay_s}
