"""The clock under the charts: round times of the reader's own, in any zone and on any night."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from gigq_core.units.moments import stretch_words
from gigq_tui.screens.overview.clocks import marks
from gigq_tui.store.history.time_window import (
    LENGTHS_S,
    Ruler,
    TimeWindow,
    days_before,
    local_time,
    period_of,
)
from tests.zones import ZONES, changes, moments, standing_in


@pytest.mark.parametrize("key", ZONES)
def test_every_mark_is_a_round_time_where_it_stands(key: str) -> None:
    with standing_in(key) as zone:
        for moment in list(moments(zone))[::3]:
            now = moment.timestamp()
            for length_s in LENGTHS_S[:16]:
                for room in (24, 51, 91):
                    window = TimeWindow.up_to_now(length_s, now, room)
                    edges = window.edges(now)
                    assert edges[-2] <= now < edges[-1]
                    assert edges[-1] - edges[0] >= length_s
                    told = marks(edges, 1)
                    ends = [at + len(text) for at, text in told]
                    assert all(end < at for end, (at, _) in zip(ends, told[1:], strict=False))
                    assert all(end <= len(edges) - 1 for end in ends)
                    for at, text in told:
                        says(text, edges[at], edges[at + 1])


def says(text: str, start: float, end: float) -> None:
    """Whether a time that stands under a bar lies in it."""
    if match := re.match(r"(\d\d):(\d\d)(?::(\d\d))?", text):
        wanted = tuple(int(part or 0) for part in match.groups())
        at = start
        while at < end:
            here = local_time(at)
            if (here.hour, here.minute, here.second) == wanted:
                return
            at += 1 if end - start <= 3_600 else 60 - here.second if here.second else 60
        raise AssertionError((text, local_time(start), local_time(end)))


def test_charts_of_a_day_have_clocks() -> None:
    with standing_in("Europe/Berlin"):
        now = datetime(2026, 11, 27, 8, 30).astimezone().timestamp()
        for length_s, least in ((60, 2), (300, 2), (900, 3), (3_600, 3), (21_600, 3), (86_400, 3)):
            told = marks(TimeWindow.up_to_now(length_s, now, 51).edges(now), 1)
            assert len(told) >= least, (length_s, told)


def test_the_hour_that_comes_twice_is_told() -> None:
    with standing_in("Europe/Berlin") as zone:
        change = list(changes(zone, 2026))[1]
        window = TimeWindow.between(
            (change - timedelta(hours=3)).timestamp(),
            (change + timedelta(hours=3)).timestamp(),
            (change + timedelta(days=9)).timestamp(),
            91,
        )
        edges = window.edges(0)
        assert edges[-1] - edges[0] == 6 * 3_600
        texts = [text for _, text in marks(edges, 1)]
        assert "02:00+02" in texts
        assert "02:00+01" in texts
        assert "03:00" in texts
        first, second = change - timedelta(minutes=30), change + timedelta(minutes=30)
        assert stretch_words(first, second) == "Sun 25 Oct 02:30+02 - 02:30+01"


def test_days_begin_at_midnight_even_when_one_is_longer() -> None:
    with standing_in("Europe/Berlin"):
        now = datetime(2026, 10, 28, 12).astimezone().timestamp()
        edges = TimeWindow.up_to_now(14 * 86_400, now, 51).edges(now)
        lengths = {round(end - start) for start, end in pairwise(edges)}
        window = TimeWindow.up_to_now(30 * 86_400, now, 35)
        days = window.edges(now)
        assert {local_time(at).strftime("%H:%M") for at in days} == {"00:00"}
        assert 90_000 in {round(end - start) for start, end in pairwise(days)}
        assert len(lengths) == 1


@pytest.mark.parametrize("key", ZONES)
def test_the_same_hours_the_day_before_have_the_same_clock(key: str) -> None:
    with standing_in(key) as zone:
        for moment in moments(zone):
            for days in (1, 7):
                then = local_time(days_before(moment.timestamp(), days))
                here = local_time(moment.timestamp())
                left_out = then.replace(tzinfo=None) != here.replace(tzinfo=None) - timedelta(days)
                if not left_out:
                    continue
                # Only a time that there was not on that day is told otherwise.
                naive = here.replace(tzinfo=None) - timedelta(days=days)
                assert naive.astimezone().replace(tzinfo=None) != naive


def test_bars_stay_where_they_are_as_time_goes_on() -> None:
    for key in ZONES:
        with standing_in(key):
            at = datetime(2026, 7, 1, 22, tzinfo=timezone.utc).timestamp()
            for length_s in (60, 3_600, 21_600, 86_400, 7 * 86_400):
                window = TimeWindow.up_to_now(length_s, at, 51)
                later = TimeWindow.up_to_now(length_s, at + 5 * 3_600, 51)
                assert window.ruler == later.ruler
                shared = set(window.edges(at + 5 * 3_600))
                assert shared == set(later.edges(at + 5 * 3_600))


def test_a_period_is_read_as_it_is_written() -> None:
    for text in ("60m", "6h", "1h", "2d", "5m"):
        period = period_of(text)
        assert period_of(period.word) == period
    with standing_in("Europe/Berlin"):
        night = period_of("2026-11-27T02:00..2026-11-27T04:00")
        assert night.length_s == 7_200
        assert night.word == "2026-11-27T02:00:00+01:00..2026-11-27T04:00:00+01:00"
        assert period_of(night.word) == night
    for wrong in ("soon", "2026-11-27T04:00..2026-11-27T02:00", "x..y", ""):
        with pytest.raises(ValueError, match="there is no period"):
            period_of(wrong)


def test_a_ruler_of_weeks_stands_still() -> None:
    ruler = Ruler(7 * 86_400, 0.0)
    at = datetime(2026, 11, 27, 8, 30).astimezone().timestamp()
    start = ruler.start_of(at)
    assert ruler.start_of(ruler.moved(start, 3)) == ruler.moved(start, 3)
    assert ruler.moved(ruler.moved(start, 3), -3) == start
