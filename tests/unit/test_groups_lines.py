"""The columns of failure groups, and what their times say."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gigq_core.grouping.failed_now import FailedJobs, FailedNow
from gigq_tui.screens.groups.lines import Table, summary
from gigq_tui.store.failures.grouping import CAUSE
from gigq_tui.store.failures.reading import Groups
from gigq_tui.widgets.lines import Line

NOW = datetime(2026, 11, 28, 3, 30).astimezone()
TITLE = "ConnectionRefusedError: connect to # refused"


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def table(first: datetime, last: datetime, width: int = 120) -> Table:
    a, b = first.timestamp(), last.timestamp()
    group = FailedJobs("f" * 16, TITLE, "feeds.py:17", (), 118, 0, 1, a, b, (1, 2, 3), None)
    known = FailedNow(
        groups=(group,),
        jobs=118,
        total=1,
        first=a,
        last=b,
        begins=a,
        ends=b,
        tells_retries=True,
    )
    assert summary(Groups(CAUSE, known, True), 1.0, NOW)
    return Table(known, CAUSE, NOW, width)


@pytest.mark.parametrize("days_ago", [0, 1, 5, 400])
def test_within_one_day_the_hour_will_do_and_the_cause_has_the_room(days_ago: int) -> None:
    day = NOW.replace(hour=2, minute=7) - timedelta(days=days_ago)
    shown = table(day, day + timedelta(minutes=47))
    line = text(shown.line(shown._known.groups[0], marked=False))
    assert TITLE in line
    assert "02:07" in line
    assert "02:54" in line
    assert "TREND 02:07-02:54" in text(shown.heading())


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(seconds=5), "TREND over 5.0s "),
        (timedelta(seconds=119), "TREND over 1m59s "),
        (timedelta(days=5), "TREND over 5d0h "),
    ],
)
def test_the_trend_says_of_what_time_it_is(length: timedelta, told: str) -> None:
    assert told in text(table(NOW - length, NOW).heading())
