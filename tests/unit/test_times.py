"""A moment is the same one in every zone; what a person reads is their own zone's clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from gigq_core.cli.output import shown_time
from gigq_core.units.moments import clock_time, time_of_day
from gigq_core.units.times import local, moment_of, parse_time, to_text
from tests.zones import ZONES, changes, moments, standing_in


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[ZoneInfo]:
    """The zone that the reader is in."""
    with standing_in(request.param) as zone:
        yield zone


def test_the_zones_have_nights_on_which_the_clocks_change() -> None:
    assert {key for key in ZONES if len([*changes(ZoneInfo(key), 2026)]) == 2} == {
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
    }


def test_a_moment_is_drawn_as_the_clock_on_the_readers_wall(zone: ZoneInfo) -> None:
    now = datetime(2026, 7, 1, 12, 30, tzinfo=timezone.utc)
    for moment in moments(zone):
        wall = moment.astimezone(zone)
        assert local(moment).replace(tzinfo=None) == wall.replace(tzinfo=None)
        assert time_of_day(moment) == f"{wall:%H:%M:%S}"
        today = wall.date() == now.astimezone(zone).date()
        assert clock_time(moment, now) == f"{wall:{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}}"


def test_a_text_without_a_zone_is_the_readers_time_and_of_two_the_earlier(zone: ZoneInfo) -> None:
    for moment in moments(zone):
        text = to_text(moment)
        assert text == moment.astimezone(zone).replace(tzinfo=None).isoformat()
        read = parse_time(text)
        assert read is not None
        assert read.tzinfo is timezone.utc
        assert to_text(read) == text
        assert read == moment or (
            moment.astimezone(zone).fold == 1 and timedelta() < moment - read <= timedelta(hours=1)
        )
        assert shown_time(text) == f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("key", ZONES)
def test_a_text_with_an_offset_is_the_same_moment_for_every_reader(
    zone: ZoneInfo, key: str
) -> None:
    moment = datetime(2026, 10, 25, 0, 59, 59, 999999, tzinfo=timezone.utc)
    assert parse_time(moment.astimezone(ZoneInfo(key)).isoformat()) == moment
    assert parse_time(f"{moment.replace(tzinfo=None).isoformat()}Z") == moment


def test_seconds_are_the_same_moment_for_every_reader(zone: ZoneInfo) -> None:
    for moment in moments(zone):
        assert moment_of(moment.timestamp()) == moment


@pytest.mark.parametrize("odd", [None, "", "1", b"1", float("nan"), float("inf"), -1e300, 1e300])
def test_what_is_no_number_of_a_calendar_is_no_moment(odd: object) -> None:
    assert moment_of(odd) is None


def test_the_ends_of_the_calendar_are_no_trouble(zone: ZoneInfo) -> None:
    for end in (datetime.min, datetime.max):
        moment = end.replace(tzinfo=timezone.utc)
        assert clock_time(moment, moment)
        assert time_of_day(moment)
        assert to_text(moment)
        parse_time(end.isoformat())
        assert shown_time(end.isoformat())
