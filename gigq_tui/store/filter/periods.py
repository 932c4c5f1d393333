"""Times as a filter says them: `02:00..04:00`, `2026-11-27`, `2h..1h`, `yesterday`.

A time without a zone is by the reader's clock. What was typed is kept as it is, and means moments
only once it is known what time it is now: `02:00` is the last time that clocks showed it, and `2h`
is two hours ago.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Literal, NamedTuple

from gigq_core.units.times import clock_at, local
from gigq_tui.store.durations import seconds_of

TODAY, YESTERDAY, NOW_WORD = "today", "yesterday", "now"
RANGE = ".."
# What no clock or zone moves out of the calendar.
FIRST_YEAR, LAST_YEAR = 1970, 9998
DAY_S = 86_400
KINDS = "02:00, 2026-11-27, 2026-11-27T02:00, today, yesterday or 20m (ago)"

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<part>\.\d{1,6})?)?"
_DAY = r"(?P<date>\d{4}-\d\d?-\d\d?)|(?P<word>today|yesterday)"
_ZONE = r"(?P<zone>[zZ]|[+-]\d\d:?\d\d)"
_POINT = re.compile(rf"(?:(?:{_DAY})(?:[Tt ]{_CLOCK}{_ZONE}?)?)", re.IGNORECASE)
_BARE_CLOCK = re.compile(_CLOCK)
_SECOND = timedelta(seconds=1)


class PeriodError(ValueError):
    """A text is no time.

    Args:
        message: one sentence that says what to write instead.
        position: the character of the text that it is about, from 0.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Point:
    """One time as it was typed.

    `ago_s` is for so many seconds ago. Else `day` is a date, one of the words for one, or None for
    a clock time of whichever day; `clock_s` the seconds from its midnight by the clock, or None
    for the whole day; `grain_s` how long what was typed lasts; `zone_s` its offset from UTC.
    """

    day: date | Literal["today", "yesterday"] | None = None
    clock_s: float | None = None
    grain_s: int = DAY_S
    zone_s: int | None = None
    ago_s: float | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same moment whenever it is asked for, in one zone."""
        return isinstance(self.day, date)


@dataclass(frozen=True)
class Span:
    """A time, or the range between two, of which either may be open."""

    since: Point | None
    until: Point | None
    is_range: bool = True

    @property
    def is_fixed(self) -> bool:
        """Whether it means the same whenever it is asked for."""
        return all(point is None or point.is_fixed for point in (self.since, self.until))


class Bounds(NamedTuple):
    """Moments in UTC seconds, None for an open side; whether they belong to what is between."""

    since: float | None = None
    until: float | None = None
    with_since: bool = True
    with_until: bool = False


def read_span(text: str, operator: str, name: str) -> Span:
    """Read what stands behind a field.

    Args:
        text: the value.
        operator: what stands before it: `:`, `=`, or a comparison.
        name: the field's, for sentences.

    Raises:
        PeriodError: it is none; the place is one in `text`.
    """
    since_text, dots, until_text = text.partition(RANGE)
    if not dots:
        point = read_point(text, 0)
        if operator in (":", "=") and (point.ago_s is not None):
            raise PeriodError(
                f"write {name}<{text} for the last {text}, {name}>{text} for before that, or a "
                f"range like {name}:{text}..1m"
                if point.ago_s
                else f"write a range like {name}:20m..{NOW_WORD}"
            )
        return Span(point, point, is_range=False)
    if operator not in (":", "="):
        raise PeriodError(f"a range needs a colon: write {name}:{text}")
    if not since_text.strip() and not until_text.strip():
        raise PeriodError(f"write a time before the dots, behind them, or both: {name}:02:00..")
    since = read_point(since_text, 0) if since_text.strip() else None
    until = read_point(until_text, len(since_text) + len(RANGE)) if until_text.strip() else None
    span = Span(since, until)
    if since is not None and until is not None:
        _check_order(since, until, name)
    return span


def _check_order(since: Point, until: Point, name: str) -> None:
    if since.ago_s is not None and until.ago_s is not None:
        if until.ago_s >= since.ago_s:
            raise PeriodError(f"the longer time ago comes first, as in {name}:2h..1h")
    elif since.is_fixed and until.is_fixed:
        bounds = bounds_of(Span(since, until), ":", datetime.now(timezone.utc))
        days = since.clock_s is until.clock_s is None
        if (bounds.until or 0) < (bounds.since or 0) or (days and bounds.until == bounds.since):
            raise PeriodError("the earlier time comes first")


def read_point(text: str, at: int) -> Point:
    """Read one time.

    Args:
        text: what was typed.
        at: its place in the value, for the error.

    Raises:
        PeriodError: it is none.
    """
    typed = text.strip()
    if typed.lower() == NOW_WORD:
        return Point(ago_s=0.0)
    found = _POINT.fullmatch(typed)
    bare = None if found is not None else _BARE_CLOCK.fullmatch(typed)
    if found is None and bare is None:
        return Point(ago_s=_ago(typed, at))
    groups = (found or bare).groupdict()  # type: ignore[union-attr]
    clock_s, grain_s = _clock(groups, typed, at)
    day = _day(groups.get("date"), groups.get("word"), typed, at)
    return Point(day, clock_s, grain_s, _zone(groups.get("zone"), typed, at))


def _ago(typed: str, at: int) -> float:
    if not typed or not (typed[0].isdigit() or typed[0] == ".") or not typed[-1].isalpha():
        raise PeriodError(f"{typed} is not a time: write {KINDS}", at)
    try:
        return seconds_of(typed)
    except ValueError as problem:
        told = str(problem)
        if "is not a time" in told:
            told = f"{typed} is not a time: write {KINDS}"
        raise PeriodError(told, at) from None


def _clock(groups: dict[str, str | None], typed: str, at: int) -> tuple[float | None, int]:
    hour, minute, second = (groups[name] for name in ("hour", "minute", "second"))
    if hour is None or minute is None:
        return None, DAY_S
    parts = int(hour), int(minute), int(second or 0)
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2] + float(groups["part"] or 0)
    if parts[1] > 59 or parts[2] > 59 or seconds > DAY_S:
        raise PeriodError(f"{typed} is not a time of day: write 00:00 to 24:00", at)
    return seconds, 60 if second is None else 1


def _day(
    told: str | None, word: str | None, typed: str, at: int
) -> date | Literal["today", "yesterday"] | None:
    if word is not None:
        return "today" if word.lower() == TODAY else "yesterday"
    if told is None:
        return None
    try:
        year, month, day = map(int, told.split("-"))
        found = date(year, month, day)
    except ValueError:
        raise PeriodError(f"there is no day {told}", at) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise PeriodError(f"{typed}: write a year from {FIRST_YEAR} to {LAST_YEAR}", at)
    return found


def _zone(told: str | None, typed: str, at: int) -> int | None:
    if told is None or told in "zZ":
        return None if told is None else 0
    hours, minutes = int(told[1:3]), int(told[-2:])
    if hours > 14 or minutes > 59:
        raise PeriodError(f"{typed} has no offset that a zone has", at)
    return (hours * 3600 + minutes * 60) * (-1 if told[0] == "-" else 1)


# --- what it means now ------------------------------------------------------------------------


def bounds_of(span: Span, operator: str, now: datetime) -> Bounds:
    """The moments that a period means.

    A comparison with a duration goes by how long ago: `<20m` is what is less than that ago. A
    range ends before its second time, and a whole day belongs to it.

    Args:
        span: what was typed.
        operator: what stood before it.
        now: the present moment.
    """
    if span.is_range:
        since = None if span.since is None else _first(span.since, now)
        until = None if span.until is None else _last(span.until, now, span.since)
        return Bounds(since, until)
    point = span.since
    assert point is not None
    if point.ago_s is not None:
        return _compared(_AGO[operator], now.timestamp() - point.ago_s)
    first, end = _first(point, now), _end(point, now)
    if operator in (":", "="):
        return Bounds(first, end)
    if point.clock_s is not None:
        later = _moment(point, now, later=True)
        return _compared(operator, later if operator.startswith("<") else first)
    # Of a whole day: after its end, from its beginning on, before that, up to its end.
    return {
        ">": Bounds(since=end),
        ">=": Bounds(since=first),
        "<": Bounds(until=first),
        "<=": Bounds(until=end),
    }[operator]


_AGO = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _compared(operator: str, moment: float) -> Bounds:
    if operator.startswith(">"):
        return Bounds(since=moment, with_since=operator == ">=")
    return Bounds(until=moment, with_until=operator == "<=")


def _first(point: Point, now: datetime) -> float:
    """Where a time begins; a clock time that comes twice in a night is the earlier one."""
    return _moment(point, now, later=False)


def _end(point: Point, now: datetime) -> float:
    """Where what was typed ends: a minute, a second, or a day."""
    if point.clock_s is None:
        return _day_end(point, now)
    return _first(point, now) + point.grain_s


def _last(point: Point, now: datetime, since: Point | None) -> float:
    """Where a range ends: a clock time alone is the first one behind its beginning."""
    if point.ago_s is None and point.clock_s is None:
        return _day_end(point, now)
    if point.ago_s is None and point.day is None and since is not None:
        begins = clock_at(_first(since, now))
        day, at_s = begins.date(), _seconds_of_day(begins)
        if since.zone_s is None and since.clock_s is not None:
            # As it was typed, which clocks may have leapt over.
            at_s = since.clock_s % DAY_S
        assert point.clock_s is not None
        if point.clock_s <= at_s:
            day += timedelta(days=1)
        return _utc(day, point.clock_s, later=True)
    return _moment(point, now, later=True)


def _day_end(point: Point, now: datetime) -> float:
    return _utc(_date_of(point, now) + timedelta(days=1), 0.0, later=False)


def _date_of(point: Point, now: datetime) -> date:
    if isinstance(point.day, date):
        return point.day
    today = local(now).date()
    return today - timedelta(days=1) if point.day == YESTERDAY else today


def _moment(point: Point, now: datetime, *, later: bool) -> float:
    if point.ago_s is not None:
        return now.timestamp() - point.ago_s
    clock_s = point.clock_s or 0.0
    if point.day is not None:
        day = _date_of(point, now)
        if point.zone_s is not None:
            midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
            return midnight.timestamp() + clock_s - point.zone_s
        return _utc(day, clock_s, later=later)
    # The last time that clocks showed it.
    today = local(now).date()
    shown = (
        _utc(today - timedelta(days=back), clock_s, later=fold)
        for back in range(3)
        for fold in ((True, False) if later else (False,))
    )
    return next(moment for moment in shown if moment <= now.timestamp())


def _utc(day: date, clock_s: float, *, later: bool) -> float:
    """The moment at which clocks here show a time; of two the one that is wanted.

    A time that clocks leap over in that night is the moment at which they do.
    """
    shown = datetime.combine(day, time.min) + timedelta(seconds=clock_s)
    first, second = (shown.replace(fold=fold).timestamp() for fold in (0, 1))
    if first <= second:
        return second if later else first
    before, after = math.floor(second), math.ceil(first)
    offset = _offset(before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle) == offset else (before, middle)
    return float(after)


def _offset(instant: float) -> timedelta | None:
    return clock_at(instant).astimezone().utcoffset()


def _seconds_of_day(shown: datetime) -> float:
    midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (shown.replace(fold=0) - midnight) / _SECOND


# --- written ----------------------------------------------------------------------------------


def comes_twice(shown: datetime) -> bool:
    """Whether clocks here show a time twice in that night. Naive."""
    return shown.replace(fold=0).timestamp() != shown.replace(fold=1).timestamp()


def point_text(instant: float, *, with_zone: bool = False) -> str:
    """A moment as `read_point` reads it, with a date, by the reader's clock.

    Args:
        instant: UTC seconds.
        with_zone: name the offset, so that it is the same moment for a reader elsewhere.
    """
    shown = clock_at(math.floor(instant * 1e6 + 0.5) / 1e6)
    text = f"{shown:%Y-%m-%d}T{clock_text(shown)}"
    if not with_zone and not comes_twice(shown):
        return text
    return text + shown.astimezone().isoformat()[-6:]


def clock_text(shown: datetime) -> str:
    """The time of a day in as few digits as tell it."""
    if shown.microsecond:
        return f"{shown:%H:%M:%S.%f}".rstrip("0")
    return f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"


def range_text(since: float | None, until: float | None, *, with_zone: bool = False) -> str:
    """A range as `read_span` reads it; None is an open side, and both can't be.

    The second time is as short as it can be: `2026-11-27T02:00..04:00`.
    """
    first = "" if since is None else point_text(since, with_zone=with_zone)
    last = "" if until is None else point_text(until, with_zone=with_zone)
    if since is not None and until is not None and not with_zone and since < until:
        short = clock_text(clock_at(until))
        span = read_span(f"{first}{RANGE}{short}", ":", "")
        now = datetime.fromtimestamp(until, timezone.utc)
        told = bounds_of(span, ":", now)
        if (told.since, told.until) == (since, until) and not comes_twice(clock_at(until)):
            last = short
    return f"{first}{RANGE}{last}"
