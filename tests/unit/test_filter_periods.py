"""Periods in the filter: what they mean at which hour, in which zone, on which night."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.periods import Bounds, bounds_of, point_text, range_text
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import absolute, period
from tests.zones import ZONES, changes, moments, standing_in

BERLIN = "Europe/Berlin"
# A Friday at noon: 12:30 there.
NOON = datetime(2026, 11, 27, 11, 30, tzinfo=timezone.utc)


def meant(text: str, now: datetime) -> Bounds:
    (term,) = parse(text).terms()
    assert term.span is not None
    return bounds_of(term.span, term.operator, now)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def told(bounds: Bounds) -> str:
    """Bounds as UTC times."""

    def shown(at: float | None) -> str:
        if at is None:
            return ""
        return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%S}"

    opening = "" if bounds.with_since else ">"
    ending = "=" if bounds.with_until else ""
    return f"{opening}{shown(bounds.since)}..{shown(bounds.until)}{ending}"


# At 12:30 by Berlin's clocks, an hour before UTC's.
MEANINGS = {
    "ran:02:00..04:00": "2026-11-27T01:00:00..2026-11-27T03:00:00",
    "ran:13:00..14:00": "2026-11-26T12:00:00..2026-11-26T13:00:00",
    "ran:12:00..13:00": "2026-11-27T11:00:00..2026-11-27T12:00:00",
    "ran:22:00..02:00": "2026-11-26T21:00:00..2026-11-27T01:00:00",
    "ran:22:00..24:00": "2026-11-26T21:00:00..2026-11-26T23:00:00",
    "ran:02:00..": "2026-11-27T01:00:00..",
    "ran:..04:00": "..2026-11-27T03:00:00",
    "ran:..13:00": "..2026-11-26T12:00:00",
    "ran:03:12": "2026-11-27T02:12:00..2026-11-27T02:13:00",
    "ran=3:12:05": "2026-11-27T02:12:05..2026-11-27T02:12:06",
    "ended:2026-11-20": "2026-11-19T23:00:00..2026-11-20T23:00:00",
    "ended:2026-11-20..2026-11-21": "2026-11-19T23:00:00..2026-11-21T23:00:00",
    "ended:2026-11-20..": "2026-11-19T23:00:00..",
    "ended:..2026-11-20": "..2026-11-20T23:00:00",
    "ended:today": "2026-11-26T23:00:00..2026-11-27T23:00:00",
    "ended:Yesterday": "2026-11-25T23:00:00..2026-11-26T23:00:00",
    "ended:yesterday..": "2026-11-25T23:00:00..",
    'ended:"yesterday 02:00..04:00"': "2026-11-26T01:00:00..2026-11-26T03:00:00",
    'ended:"yesterday 22:00..02:00"': "2026-11-26T21:00:00..2026-11-27T01:00:00",
    "ended:2026-11-20T02:00..04:00": "2026-11-20T01:00:00..2026-11-20T03:00:00",
    "ended:2026-11-20T02:00..2026-11-21T04:00": "2026-11-20T01:00:00..2026-11-21T03:00:00",
    "ended:2026-11-20T02:00Z..2026-11-20T04:00+05:30": None,
    "ended:2026-11-20T02:00Z..2026-11-20T14:00+05:30": "2026-11-20T02:00:00..2026-11-20T08:30:00",
    "started:2h..1h": "2026-11-27T09:30:00..2026-11-27T10:30:00",
    "started:2h..": "2026-11-27T09:30:00..",
    "started:..2h": "..2026-11-27T09:30:00",
    "started:2h..now": "2026-11-27T09:30:00..2026-11-27T11:30:00",
    "started:2h..12:00": "2026-11-27T09:30:00..2026-11-27T11:00:00",
    "started:1h30m..12:00": "2026-11-27T10:00:00..2026-11-27T11:00:00",
    "ended>20h": "..2026-11-26T15:30:00",
    "ended>=20h": "..2026-11-26T15:30:00=",
    "ended<20h": ">2026-11-26T15:30:00..",
    "ended<=20h": "2026-11-26T15:30:00..",
    "ended>02:00": ">2026-11-27T01:00:00..",
    "ended>=02:00": "2026-11-27T01:00:00..",
    "ended<02:00": "..2026-11-27T01:00:00",
    "ended<=02:00": "..2026-11-27T01:00:00=",
    "ended>2026-11-20": "2026-11-20T23:00:00..",
    "ended>=2026-11-20": "2026-11-19T23:00:00..",
    "ended<2026-11-20": "..2026-11-19T23:00:00",
    "ended<=2026-11-20": "..2026-11-20T23:00:00",
    "submitted<yesterday": "..2026-11-25T23:00:00",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_what_a_period_means_at_half_past_twelve(text: str) -> None:
    with standing_in(BERLIN):
        if MEANINGS[text] is None:
            with pytest.raises(ValueError, match="earlier time comes first"):
                parse(text)
        else:
            assert told(meant(text, NOON)) == MEANINGS[text]


# In Berlin clocks leap from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC, and go back from 03:00 to
# 02:00 on 2026-10-25 at 01:00 UTC.
NIGHTS = {
    "ran:2026-03-29T01:00..04:00": "2026-03-29T00:00:00..2026-03-29T02:00:00",
    "ran:2026-03-29T02:00..03:00": "2026-03-29T01:00:00..2026-03-29T01:00:00",
    "ran:2026-03-29T01:30..02:30": "2026-03-29T00:30:00..2026-03-29T01:00:00",
    "ran:2026-03-29T02:30..04:00": "2026-03-29T01:00:00..2026-03-29T02:00:00",
    "ran:2026-03-29": "2026-03-28T23:00:00..2026-03-29T22:00:00",
    "ran:2026-10-25": "2026-10-24T22:00:00..2026-10-25T23:00:00",
    "ran:2026-10-25T01:00..04:00": "2026-10-24T23:00:00..2026-10-25T03:00:00",
    "ran:2026-10-25T02:00..03:00": "2026-10-25T00:00:00..2026-10-25T02:00:00",
    "ran:2026-10-25T02:15..02:45": "2026-10-25T00:15:00..2026-10-25T01:45:00",
    "ran:2026-10-25T02:15+02:00..2026-10-25T02:45+02:00": (
        "2026-10-25T00:15:00..2026-10-25T00:45:00"
    ),
    "ran:2026-10-25T02:15+01:00..2026-10-25T02:45+01:00": (
        "2026-10-25T01:15:00..2026-10-25T01:45:00"
    ),
    "ended>2026-10-25T02:30": ">2026-10-25T00:30:00..",
    "ended<2026-10-25T02:30": "..2026-10-25T01:30:00",
}


@pytest.mark.parametrize("text", NIGHTS)
def test_what_a_period_means_on_a_night_on_which_clocks_change(text: str) -> None:
    with standing_in(BERLIN):
        assert told(meant(text, NOON)) == NIGHTS[text]


def test_the_same_words_mean_another_hour_for_a_reader_elsewhere() -> None:
    hours = set()
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        with standing_in(zone):
            hours.add(told(meant("ran:02:00..04:00", NOON)))
    assert hours == {
        "2026-11-27T02:00:00..2026-11-27T04:00:00",
        "2026-11-26T20:15:00..2026-11-26T22:15:00",
        "2026-11-27T07:00:00..2026-11-27T09:00:00",
    }


@pytest.mark.parametrize("key", ZONES)
def test_a_bare_clock_time_is_the_last_one_that_clocks_showed(key: str) -> None:
    with standing_in(key) as zone:
        leaps = [at.timestamp() for at in changes(zone, 2026)]
        for now in moments(zone):
            for minutes in range(0, 24 * 60, 97):
                clock = f"{minutes // 60:02d}:{minutes % 60:02d}"
                since = meant(f"ran:{clock}..", now).since
                assert since is not None
                assert 0 <= now.timestamp() - since < 26 * 3600
                shown = datetime.fromtimestamp(since, zone)
                assert f"{shown:%H:%M}" == clock or since in leaps
                until = meant(f"ran:..{clock}", now).until
                assert until is not None
                assert 0 <= now.timestamp() - until < 26 * 3600


@pytest.mark.parametrize("key", ZONES)
def test_a_moment_that_is_written_is_read_as_the_same_moment(key: str) -> None:
    with standing_in(key) as zone:
        around = list(moments(zone))
        for moment in around:
            instant = moment.timestamp()
            for with_zone in (False, True):
                text = f"ended>={point_text(instant, with_zone=with_zone)}"
                assert meant(text, NOON).since == pytest.approx(instant, abs=1e-6), text
        for since, until in zip(around, around[3:], strict=False):
            since, until = sorted((since, until))
            text = period(Field.RAN, since, until)
            found = meant(text, NOON)
            expected = since.timestamp(), until.timestamp()
            assert (found.since, found.until) == pytest.approx(expected, abs=1e-6), text


@settings(max_examples=300, deadline=None)
@given(
    since=st.integers(1_700_000_000, 1_900_000_000) | st.none(),
    length=st.integers(1, 200_000),
    open_end=st.booleans(),
    with_zone=st.booleans(),
)
def test_a_range_that_is_written_is_read_as_the_same_range(
    since: int | None, length: int, open_end: bool, with_zone: bool
) -> None:
    with standing_in(BERLIN):
        until = None if open_end and since is not None else float((since or 1_750_000_000) + length)
        begins = None if since is None else float(since)
        found = meant(f"ran:{range_text(begins, until, with_zone=with_zone)}", NOON)
        assert (found.since, found.until) == (begins, until)


def test_a_range_within_a_day_is_written_short() -> None:
    with standing_in(BERLIN):
        begins = datetime(2026, 11, 27, 1, 0, tzinfo=timezone.utc)
        written = period(Field.RAN, begins, begins + timedelta(hours=2))
        assert written == "ran:2026-11-27T02:00..04:00"
        assert period(Field.ENDED, begins, None) == "ended:2026-11-27T02:00.."
        assert period(Field.ENDED, None, begins) == "ended:..2026-11-27T02:00"
        longer = period(Field.RAN, begins, begins + timedelta(hours=25))
        assert longer == "ran:2026-11-27T02:00..2026-11-28T03:00"
    with pytest.raises(ValueError, match="beginning"):
        period(Field.RAN, None, None)


@pytest.fixture
def berlin() -> Iterator[None]:
    with standing_in(BERLIN):
        yield


ABSOLUTE = {
    "ran:02:00..04:00": "ran:2026-11-27T02:00+01:00..2026-11-27T04:00+01:00",
    "ran:03:12": "ran:2026-11-27T03:12+01:00..2026-11-27T03:13+01:00",
    "started:2h..1h": "started:2026-11-27T10:30+01:00..2026-11-27T11:30+01:00",
    "started:2h..": "started:2026-11-27T10:30+01:00..",
    "ended<20m": "ended>2026-11-27T12:10+01:00",
    "ended<=20m": "ended>=2026-11-27T12:10+01:00",
    "ended>=20m": "ended<=2026-11-27T12:10+01:00",
    "ended:today": "ended:2026-11-27T00:00+01:00..2026-11-28T00:00+01:00",
    "ended<=2026-07-01": "ended<2026-07-02T00:00+02:00",
    "age>2h": "submitted<2026-11-27T10:30+01:00",
    "age<=2h": "submitted>=2026-11-27T10:30+01:00",
    "a|b -(age<1h c) dur>1h": "(a|b) -(submitted>2026-11-27T11:30+01:00 c) dur>1h",
    "a  b": "a  b",
}


@pytest.mark.parametrize("text", ABSOLUTE)
@pytest.mark.usefixtures("berlin")
def test_a_filter_without_what_depends_on_the_hour(text: str) -> None:
    fixed = absolute(parse(text), NOON)
    assert fixed.text == ABSOLUTE[text]
    assert absolute(fixed, NOON + timedelta(days=3)).root == fixed.root
