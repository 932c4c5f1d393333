"""The columns of failure groups, and what their times say."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gigq_core.grouping.failed_now import FailedJobs, FailedNow, Retried
from gigq_tui.format import plural
from gigq_tui.screens.groups.lines import Table, summary
from gigq_tui.screens.groups.panel import HEIGHT, panel_lines
from gigq_tui.store.failures.grouping import CAUSE, FUNCTION, WORKER, Grouping
from gigq_tui.store.failures.reading import Groups
from gigq_tui.widgets.lines import Line, line_width

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


LONG = "ValueError: " + "the price of an article of shop # in the feed of # is # " * 4
GROUPS: dict[str, tuple[FailedJobs, Grouping]] = {
    "of one cause": (
        FailedJobs("f" * 16, TITLE, "feeds.py:17", ("6001", "6002"), 118, 2, 1, 0.0, 9.0, (), None),
        CAUSE,
    ),
    "with a long text": (
        FailedJobs("f" * 16, LONG, None, (), 1, 0, 1, None, None, (), Retried(2, 1, 3)),
        CAUSE,
    ),
    "of a function": (
        FailedJobs("feeds.fetch", TITLE, "feeds.py:17", (), 5, 0, 3, 0.0, 9.0, (), None),
        FUNCTION,
    ),
    "of no worker": (
        FailedJobs(None, TITLE, None, (), 5, 0, 1, 0.0, 9.0, (), Retried(4, 0, 0)),
        WORKER,
    ),
}


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", GROUPS)
def test_the_panel_has_all_of_a_group_in_its_few_lines(name: str, width: int) -> None:
    group, by = GROUPS[name]
    lines = panel_lines(group, by, NOW, width, tells_retries=True)
    assert len(lines) <= HEIGHT
    assert all(line_width(line) <= width for line in lines)
    text = " ".join("".join(part for part, _ in line) for line in lines)
    assert plural(group.jobs, "job") in text
    if width >= 60:
        assert " ".join(text.split()).count(group.title[:40].rstrip()) >= 1
        assert group.where is None or group.where in text
        assert ("never" in text) is (group.retried is None)
        assert ("fp:ffffffff" in text) is (by == CAUSE)
