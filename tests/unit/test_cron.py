"""Slots on the line of time: what fields mean, also on the nights on which clocks change."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_core.schedules.cron import (
    MOST_COUNTED,
    NICKNAMES,
    Rule,
    check_when,
    check_zone,
    preview,
    when_words,
)

# Changes by an hour, by half an hour, by two hours; at midnight, and at a quarter to.
NIGHTS = [
    # zone, the noon before, fields, the local times of the next two slots, the first one's note
    ("Europe/Berlin", "2027-03-27", "30 2 * * *", "03:00+02:00 02:30+02:00", "28 March 03:00"),
    ("Europe/Berlin", "2027-10-30", "30 2 * * *", "02:30+02:00 02:30+01:00", "31 October"),
    ("Europe/Berlin", "2027-03-27", "0 3 * * *", "03:00+02:00 03:00+02:00", ""),
    (
        "Australia/Lord_Howe",
        "2026-10-03",
        "15 2 * * *",
        "02:30+11:00 02:15+11:00",
        "4 October 02:30",
    ),
    ("Australia/Lord_Howe", "2027-04-03", "45 1 * * *", "01:45+11:00 01:45+10:30", "4 April"),
    (
        "Pacific/Chatham",
        "2026-09-26",
        "50 2 * * *",
        "03:45+13:45 02:50+13:45",
        "27 September 03:45",
    ),
    ("Pacific/Chatham", "2027-04-03", "0 3 * * *", "03:00+13:45 03:00+12:45", "4 April"),
    ("Antarctica/Troll", "2027-03-27", "30 1 * * *", "03:00+02:00 01:30+02:00", "28 March 03:00"),
    ("Antarctica/Troll", "2026-10-24", "30 1 * * *", "01:30+02:00 01:30+00:00", "25 October"),
    ("America/Santiago", "2026-09-05", "@daily", "01:00-03:00 00:00-03:00", "6 September 01:00"),
    ("America/Santiago", "2027-04-03", "30 23 * * *", "23:30-03:00 23:30-04:00", "3 April"),
]
ZONES = sorted({zone for zone, *_ in NIGHTS})


def noon(day: str, zone: str) -> float:
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(("zone", "day", "when", "locals_", "odd"), NIGHTS)
def test_a_time_of_the_day_comes_once_on_each_night(
    zone: str, day: str, when: str, locals_: str, odd: str
) -> None:
    slots = preview(when, zone, 4, noon(day, zone))
    assert (
        " ".join(slot.local.isoformat()[11:16] + slot.local.isoformat()[19:] for slot in slots[:2])
        == locals_
    )
    assert [slot.local.timestamp() for slot in slots] == [slot.at for slot in slots]
    # One for each day, and the rest are as ever.
    days = [slot.local.date() for slot in slots]
    assert days == [days[0] + timedelta(days=n) for n in range(4)]
    assert [slot.note for slot in slots[1:]] == ["", "", ""]
    if not odd:
        assert slots[0].note == ""
    elif odd[-1].isdigit():
        on, _, runs = odd.rpartition(" ")
        assert slots[0].note == f"does not exist on {on}: runs {runs}"
    else:
        assert slots[0].note == f"comes twice on {odd}: runs once, at the first"


def test_two_times_that_one_night_leaves_out_come_together() -> None:
    slots = preview("10,50 2 * * *", "Europe/Berlin", 2, noon("2027-03-27", "Europe/Berlin"))
    assert [f"{slot.local:%d %H:%M}" for slot in slots] == ["28 03:00", "29 02:10"]
    assert slots[0].note == "does not exist on 28 March: runs 03:00"


FIELD = {
    "minute": st.sampled_from(("*", "*/5", "*/20", "0", "30", "0,45", "7-20/3")),
    "hour": st.sampled_from(("*", "*/3", "0", "2", "0-3", "1,23", "3")),
    "day": st.sampled_from(("*", "*", "1", "28-31", "L")),
    "month": st.sampled_from(("*", "3,10", "9,4")),
    "weekday": st.sampled_from(("*", "*", "SUN", "MON#1")),
}


@settings(max_examples=12, deadline=None)
@given(
    parts=st.tuples(*FIELD.values()),
    zone=st.sampled_from(ZONES),
    month=st.sampled_from((3, 4, 9, 10)),
    year=st.integers(2026, 2032),
    odd_s=st.integers(0, 37 * 86_400),
)
def test_slots_are_those_that_a_walk_through_every_minute_finds(
    parts: tuple[str, ...], zone: str, month: int, year: int, odd_s: int
) -> None:
    where, fields = ZoneInfo(zone), " ".join(parts)
    start = datetime(year, month, 1, tzinfo=timezone.utc).timestamp() + odd_s
    end = start + 3 * 86_400
    # What the clock shows on these days and the fields mean, with no thought of any zone.
    first = datetime.fromtimestamp(start) - timedelta(days=2)
    meant: set[datetime] = set()
    for wall in CronSim(fields, first.replace(tzinfo=None)):
        if wall.timestamp() > end + 2 * 86_400:
            break
        meant.add(wall)
    shown: dict[datetime, float] = {}
    again: set[float] = set()
    late: set[float] = set()
    minute = start - start % 60 - 86_400
    before = None
    while minute <= end:
        wall = datetime.fromtimestamp(minute, where).replace(tzinfo=None)
        if before is not None and wall - before > timedelta(minutes=1):
            gone = {
                before + timedelta(minutes=n) for n in range(1, int((wall - before).seconds / 60))
            }
            if gone & meant:
                late.add(minute)
        if wall in meant:
            again.add(minute)
            shown.setdefault(wall, minute)
        before = wall
        minute += 60
    if parts[0].startswith("*") or parts[1].startswith("*"):
        wanted = again
    else:
        wanted = set(shown.values()) | late
    found = [at for at in islice(Rule.of(fields, zone).after(start), 6_000) if at <= end]
    assert found == sorted(at for at in wanted if start < at <= end)


@pytest.mark.parametrize("zone", ["UTC", *ZONES])
def test_an_interval_is_counted_from_one_moment_for_all(zone: str) -> None:
    start = noon("2027-03-27", "UTC") + 123.4
    slots = [slot.at for slot in preview("every 15m", zone, 200, start)]
    assert slots == [start - start % 900 + 900 * n for n in range(1, 201)]
    # Whoever asks in between gets the same.
    assert preview("every 15m", zone, 1, slots[40] + 1)[0].at == slots[41]
    assert preview("every 15m", zone, 1, slots[40])[0].at == slots[41]


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("  30  2 * *   1-5 ", "30 2 * * 1-5"),
        ("@Daily", "@daily"),
        ("every 15m", "every 15m"),
        ("EVERY 90", "every 1m30s"),
        ("every 1h 30m", "every 1h30m"),
        ("every 1d", "every 1d"),
        ("0 0 L * *", "0 0 L * *"),
    ],
)
def test_a_rule_is_kept_in_one_form(given_: str, kept: str) -> None:
    assert check_when(given_) == kept
    assert check_when(kept) == kept


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("61 * * * *", "its minute can't be '61'"),
        ("* 24 * * *", "its hour can't be '24'"),
        ("* * 0 * *", "its day-of-month can't be '0'"),
        ("* * * 13 *", "its month can't be '13'"),
        ("* * * * MOO", "its day-of-week can't be 'MOO'"),
        ("*/0 * * * *", "its minute can't be"),
        ("0 0 30 2 *", "can't be '30'"),
        ("0 0 * 2 MON#5,TUE#5 *", "which has 6 fields"),
        ("* * * *", "which has 4 fields"),
        ("nightly", "which has 1 field in"),
        ("@reboot", "say one of @hourly"),
        ("every", "write every with a time"),
        ("every now", "write every with a time"),
        ("every 0s", "from 1s"),
        ("every 1.5s", "whole seconds"),
        ("every 400d", "366d"),
        ("9" * 300, "300 characters"),
        ("\x1b[2J * * * *", "minute"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_sentence(when: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as problem:
        check_when(when)
    assert str(problem.value).endswith(".")
    assert str(problem.value).isprintable()
    with pytest.raises(ValueError, match=re.escape(words)):
        preview(when)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("local", "differs from machine to machine"),
        ("LocalTime", "differs from machine to machine"),
        ("right/Europe/Berlin", "counts leap seconds: write Europe/Berlin."),
        ("", "is empty"),
        ("Berlin", "does not know"),
        ("../../etc/passwd", "does not know"),
        ("/etc/localtime", "does not know"),
        ("Europe", "does not know"),
        ("Europe/Berlin\x00", "does not know"),
        ("+02:00", "does not know"),
    ],
)
def test_what_is_no_zone_is_refused_in_a_sentence(zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as problem:
        check_zone(zone)
    assert "Europe/Berlin" in str(problem.value)


@pytest.mark.parametrize("value", [None, 5, ["* * * * *"]])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        check_when(value)
    with pytest.raises(TypeError):
        check_zone(value)


@pytest.mark.parametrize("when", ["* * * * *", "every 1s", "0 0 29 2 *", "30 2 * * *", "every 7h"])
@pytest.mark.parametrize("days", [0.01, 1, 30, 4_000])
def test_a_stretch_has_its_newest_slots_however_long_it_is(when: str, days: float) -> None:
    rule = Rule.of(when, "Europe/Berlin")
    first = rule.next(noon("2026-11-28", "UTC"))
    assert first is not None
    until = first + days * 86_400
    found = rule.between(first, until, 5)
    assert found.first == first
    assert all(at <= until for at in found.newest)
    after = rule.next(found.newest[-1])
    assert after is None or after > until
    assert list(found.newest) == list(
        islice(rule.after(found.newest[0] - 0.001), len(found.newest))
    )
    few = list(islice(rule.after(first - 0.001), MOST_COUNTED + 1))
    assert found.count == sum(at <= until for at in few)
    assert len(found.newest) == min(5, found.count)


def test_a_stretch_without_a_slot_is_empty() -> None:
    rule = Rule.of("0 0 29 2 *", "UTC")
    start = noon("2026-11-28", "UTC")
    assert rule.between(start, start + 86_400, 3).count == 0


@pytest.mark.parametrize("when", ["30 2 * * *", *NICKNAMES])
def test_a_rule_can_be_said_in_words(when: str) -> None:
    assert when_words(when)[0] == "A" or when_words(when)[:2] == "Ev"


def test_nothing_is_loaded_until_a_rule_is_read() -> None:
    code = (
        "import sys, gigq_core, gigq_core.schedules.cron; "
        "print({'cronsim', 'zoneinfo'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
