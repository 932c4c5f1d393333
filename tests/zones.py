"""Zones in which tests read and write, and moments around the nights on which clocks change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

# Summer time of an hour and of half an hour, offsets of quarters, both sides of the date line.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Marquesas",
)


@contextmanager
def standing_in(key: str) -> Iterator[ZoneInfo]:
    """This process in a zone: whatever it reads or writes as local time is that zone's."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", key)
            time.tzset()
            yield ZoneInfo(key)
    finally:
        time.tzset()


def changes(zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """The moments of the year at which the clocks change, to the minute: two in most zones."""
    at = datetime(year, 1, 1, tzinfo=timezone.utc)
    while at.year == year:
        after = at + timedelta(hours=1)
        if at.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            minutes = (at + timedelta(minutes=minute) for minute in range(61))
            before = at.astimezone(zone).utcoffset()
            yield next(m for m in minutes if m.astimezone(zone).utcoffset() != before)
        at = after


def moments(zone: ZoneInfo) -> Iterator[datetime]:
    """Moments around both nights on which the clocks change, and around noon of a day."""
    for change in (*changes(zone, 2026), datetime(2026, 7, 1, 12, tzinfo=timezone.utc)):
        for minutes in (-1500, -90, -61, -31, -30, -1, 0, 1, 29, 30, 59, 61, 90, 1500):
            yield change + timedelta(minutes=minutes, seconds=7, microseconds=250)
