"""Moments as a person reads them: by the reader's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from gigq_core.units.spans import HOUR_S, span
from gigq_core.units.times import local


def clock_time(moment: datetime | None, now: datetime) -> str:
    """Write a moment by the reader's clock: `12:03:10`, with its date unless that is today.

    None is written `-`.
    """
    if moment is None:
        return "-"
    here = local(moment)
    if here.date() == local(now).date():
        return f"{here:%H:%M:%S}"
    return f"{here:%Y-%m-%d %H:%M:%S}"


def brief_time(moment: datetime | None, now: datetime) -> str:
    """Write a moment by the reader's clock in at most eleven cells.

    `12:03:10` today, `11-27 12:03` on another day of the year, or else `2025-11-27`; `-` for None.
    """
    if moment is None:
        return "-"
    here, today = local(moment), local(now)
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    return f"{here:%m-%d %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d}"


def time_of_day(moment: datetime | None) -> str:
    """Write when on its day a moment was, by the reader's clock: `12:03:10`; `-` for None."""
    return "-" if moment is None else f"{local(moment):%H:%M:%S}"


def due_words(moment: datetime, now: datetime) -> str:
    """Say when something comes: `in 22s` within the hour, then `at 14:00`, with its date."""
    left = (moment - now).total_seconds()
    if left < HOUR_S:
        # Whole seconds, so that it is drawn anew once a second at most.
        return f"in {span(float(max(1, round(left))))}"
    here, today = local(moment), local(now).date()
    time = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    if here.date() == today:
        return f"at {time}"
    if here.date() == today + timedelta(days=1):
        return f"tomorrow at {time}"
    return f"at {here:%Y-%m-%d} {time}"


def comes_twice(here: datetime) -> bool:
    """Whether the clock of the reader shows this time twice, since it is set back that night."""
    naive = here.replace(tzinfo=None)
    first, second = (naive.replace(fold=fold).astimezone() for fold in (0, 1))
    return first.utcoffset() != second.utcoffset()


def offset_of(here: datetime) -> str:
    """The offset of a time from UTC: `+02`, or `+05:45`."""
    text = f"{here:%z}"
    return text[:3] if text.endswith("00") else f"{text[:3]}:{text[3:5]}"


def moment_words(moment: datetime) -> str:
    """Write a moment by the reader's clock: `Fri 27 Nov 02:00`.

    A time that comes twice on its night has its offset with it.
    """
    here = local(moment)
    return f"{_day(here)} {_time(here)}"


def stretch_words(start: datetime, end: datetime) -> str:
    """Write a stretch of time by the reader's clock: `Fri 27 Nov 02:00 - 04:00`."""
    here, there = local(start), local(end)
    if here.date() == there.date() or (end - start <= timedelta(days=1) and not there.hour):
        return f"{moment_words(start)} - {_time(there)}"
    return f"{moment_words(start)} - {moment_words(end)}"


def _day(here: datetime) -> str:
    return f"{here:%a} {here.day} {here:%b}"


def _time(here: datetime) -> str:
    text = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    return text + offset_of(here) if comes_twice(here) else text
