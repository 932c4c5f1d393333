"""Moments: seconds since 1970 as we store them, texts of local time as GigQ does.

A time that is stored as text is naive local time, in the zone of whoever wrote it. A moment in
memory is aware, in UTC; a person's own zone is asked for where a time is drawn or typed, and
nowhere else: nights on which the clocks change then cost no thought.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Moment(NamedTuple):
    """The same moment twice: in seconds since 1970, and as GigQ's columns hold it."""

    utc: float
    text: str

    @classmethod
    def now(cls) -> Moment:
        """The present one."""
        utc = time.time()
        return cls(utc, datetime.fromtimestamp(utc).isoformat())


def utc_now() -> float:
    """The present moment, in seconds since 1970."""
    return time.time()


def now_text() -> str:
    """The present moment, as GigQ stores it: naive local time in ISO 8601."""
    return datetime.now().isoformat()


def utc_text() -> str:
    """The present moment, as our own tables hold it where a person may read it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_text(instant: float) -> str:
    """A moment as GigQ stores it: the text of this process's zone."""
    return datetime.fromtimestamp(instant).isoformat()


def to_text(moment: datetime) -> str:
    """`moment` (aware) as GigQ stores it: naive local time in ISO 8601."""
    return local(moment).replace(tzinfo=None).isoformat()


def local(moment: datetime) -> datetime:
    """`moment` (aware) in the zone of whoever reads it, so that it can be drawn or printed."""
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return moment  # the zone would move it out of the calendar


def moment_of(seconds: object) -> datetime | None:
    """The moment of so many UTC seconds, or None where it is no number or lies in no calendar."""
    if not isinstance(seconds, (int, float)):
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def parse_time(text: object) -> datetime | None:
    """The moment that `text` stands for, in UTC, or None where it stands for none.

    A column of a damaged file may hold anything, so anything is accepted. A time without a zone
    is the reader's local time; of two moments with the same local time it means the earlier.
    """
    if not isinstance(text, str):
        return None
    if text.endswith(("Z", "z")):
        text = f"{text[:-1]}+00:00"  # Python understands it only from 3.11 on
    try:
        return datetime.fromisoformat(text).astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        # No time, or one that its zone moves out of the calendar.
        return None
