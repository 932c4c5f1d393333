"""Moments: seconds since 1970 as we store them, texts of local time as GigQ does.

A time that is stored as text is naive local time, in the zone of whoever wrote it. A moment in
memory is aware, in UTC; a person's own zone is asked for where a time is drawn or typed, and
nowhere else: nights on which the clocks change then cost no thought.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import NamedTuple

# Nothing begins so late: far-off times have meanings of their own in the file.
LAST_YEAR = 9999


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


def clock_at(instant: float) -> datetime:
    """What clocks here show at a moment: naive, and with its fold where they show it twice."""
    return datetime.fromtimestamp(instant)


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
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
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


def moment_told(seconds: object, text: object) -> datetime | None:
    """The moment of a row, in UTC: by its instant, or where it has none by GigQ's text."""
    told = moment_of(seconds)
    return parse_time(text) if told is None else told


def moment_given(value: object, label: str) -> datetime:
    """The moment that somebody gives: a datetime with a zone, or ISO 8601 with an offset.

    Args:
        value: what was given.
        label: what it is called; the sentence of an error begins with it.

    Returns:
        It in UTC.

    Raises:
        TypeError: it is neither.
        ValueError: it names no zone, is no time, or is out of the calendar.
    """
    if isinstance(value, str):
        try:
            # Python understands a Z only from 3.11 on.
            moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value))
        except ValueError:
            raise ValueError(
                f"{label} is {value[:40]!r}: write a time like 2030-01-31T08:00+01:00."
            ) from None
    elif isinstance(value, datetime):
        moment = value
    else:
        raise TypeError(
            f"{label} must be a datetime with a zone, or text like 2030-01-31T08:00+01:00, not a "
            f"value of type {type(value).__name__}."
        )
    if moment.utcoffset() is None:
        raise ValueError(
            f"{label} is {moment.isoformat()}, which names no zone: add one, like "
            f"{moment.replace(microsecond=0).isoformat()}+01:00."
        )
    try:
        moment = moment.astimezone(timezone.utc)
    except OverflowError:
        # Its zone moves it out of the calendar, at one end or the other.
        moment = datetime(LAST_YEAR if moment.year > 1 else 1, 1, 1, tzinfo=timezone.utc)
    if moment.year >= LAST_YEAR:
        raise ValueError(f"{label} is {value}: give a time before the year {LAST_YEAR}.")
    return moment
