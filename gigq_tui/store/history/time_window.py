"""A stretch of time cut into bars that begin at round times of the reader's clock.

Times are in UTC seconds. Bars are equally long; those of whole days begin at the reader's
midnights, so that a night on which the clocks change makes one of them longer or shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from gigq_core.units.spans import span
from gigq_core.units.times import moment_of, parse_time
from gigq_tui.store.durations import seconds_of

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

# Each divides a day, so that bars begin at round times. Beyond them, bars are whole days.
BAR_SIZES_S = (
    *(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30),
    *(MINUTE_S * minutes for minutes in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)),
    *(HOUR_S * hours for hours in (1, 1.5, 2, 3, 4, 6, 8, 12)),
    *(DAY_S * days for days in (1, 2, 3, 7, 14, 28, 56, 112, 224, 448, 896)),
)
# How long windows are, from the shortest to the longest: zooming goes from one to the next.
LENGTHS_S = (
    *(MINUTE_S * minutes for minutes in (1, 2, 5, 15, 30)),
    *(HOUR_S * hours for hours in (1, 2, 3, 6, 12)),
    *(DAY_S * days for days in (1, 2, 4, 7, 14, 30, 60, 120, 365, 1_000, 3_650, 36_500)),
)
# What the console knows of: about the years 1971 to 9998.
_FIRST_S, _LAST_S = 366.0 * DAY_S, 253_000_000_000.0


def local_time(at: float) -> datetime:
    """A moment by the reader's clock, aware; one that no calendar has is the nearest."""
    moment = moment_of(min(max(at, _FIRST_S), _LAST_S))
    assert moment is not None
    return moment.astimezone()


def midnight(day: date) -> float:
    """When a day of the reader's begins."""
    return datetime(day.year, day.month, day.day).astimezone().timestamp()


def days_before(at: float, days: int) -> float:
    """The same time of the reader's clock, so many days before.

    A time that comes twice is the first one, and one that was left out is an hour later.
    """
    told = local_time(at).replace(tzinfo=None) - timedelta(days=days)
    return told.astimezone().timestamp()


@dataclass(frozen=True)
class Ruler:
    """Where bars begin.

    Attributes:
        bar_s: how long one is.
        origin: where one of them begins; of no meaning to bars of whole days.
    """

    bar_s: float
    origin: float

    @classmethod
    def at(cls, bar_s: float, near: float) -> Ruler:
        """Bars that begin at round times of the day on which `near` lies."""
        if bar_s >= DAY_S:
            return cls(bar_s, 0.0)
        # One origin for all days that agree on it, so that a new day changes nothing.
        return cls(bar_s, midnight(local_time(near).date()) % bar_s)

    @property
    def _days(self) -> int:
        return int(self.bar_s // DAY_S)

    def start_of(self, at: float) -> float:
        """Where the bar begins that a moment lies in."""
        if self._days:
            ordinal = local_time(at).date().toordinal()
            return midnight(date.fromordinal(max(1, ordinal - ordinal % self._days)))
        return (at - self.origin) // self.bar_s * self.bar_s + self.origin

    def moved(self, start: float, bars: int) -> float:
        """Where the bar begins that stands so many bars behind one, or before it."""
        if self._days:
            ordinal = local_time(start).date().toordinal() + bars * self._days
            return midnight(date.fromordinal(min(max(1, ordinal), 3_600_000)))
        return start + bars * self.bar_s


@dataclass(frozen=True)
class TimeWindow:
    """So many bars, from one on; or those up to now.

    Attributes:
        ruler: where its bars begin.
        bars: how many there are.
        first: where the first one begins; None if the last one is the bar that goes on now.
    """

    ruler: Ruler
    bars: int
    first: float | None = None

    @classmethod
    def up_to_now(cls, length_s: float, now: float, room: int) -> TimeWindow:
        """The last so many seconds, in at most `room` bars; the bar that goes on is one more."""
        bar_s = bar_for(length_s, room - 1)
        return cls(Ruler.at(bar_s, now), 1 - int(-length_s // bar_s))

    @classmethod
    def between(cls, start: float, end: float, now: float, room: int) -> TimeWindow:
        """A window that holds all from `start` to `end`, in at most `room` bars.

        One that reaches the present goes on with it.
        """
        start, end = min(start, end), max(start, end)
        bar_s = bar_for(max(end - start, 1.0), room)
        while True:
            ruler = Ruler.at(bar_s, start)
            first = ruler.start_of(start)
            bars = sum(1 for _ in _starts(ruler, first, end))
            if bars <= max(1, room) or bar_s == BAR_SIZES_S[-1]:
                break
            bar_s = next(size for size in BAR_SIZES_S if size > bar_s)
        window = cls(ruler, max(1, bars), first)
        return replace(window, first=None) if window.edges(now)[-1] > now else window

    @property
    def live(self) -> bool:
        """Whether it moves on with the time."""
        return self.first is None

    @property
    def length_s(self) -> float:
        """About how long it is."""
        return self.bars * self.ruler.bar_s

    def edges(self, now: float) -> tuple[float, ...]:
        """Where each bar begins, and where the last one ends."""
        ruler = self.ruler
        first = self.first
        if first is None:
            first = ruler.moved(ruler.start_of(now), 1 - self.bars)
        return tuple(ruler.moved(first, number) for number in range(self.bars + 1))

    def moved(self, bars: int, now: float) -> TimeWindow:
        """The same, so many bars later; it goes on with the present where it reaches that."""
        edges = self.edges(now)
        window = replace(self, first=self.ruler.moved(edges[0], bars))
        return replace(window, first=None) if window.edges(now)[-1] > now else window


def bar_for(length_s: float, room: int) -> float:
    """How long a bar is, so that at most `room` of them are as long as the window."""
    for size in BAR_SIZES_S:
        if length_s <= size * max(1, room):
            return size
    return BAR_SIZES_S[-1]


def shorter(length_s: float) -> float:
    """The next shorter length of a window."""
    return max((each for each in LENGTHS_S if each < length_s - 0.5), default=LENGTHS_S[0])


def longer(length_s: float) -> float:
    """The next longer length of a window."""
    return min((each for each in LENGTHS_S if each > length_s + 0.5), default=LENGTHS_S[-1])


def _starts(ruler: Ruler, first: float, end: float) -> Iterator[float]:
    at = first
    while at < end:
        yield at
        at = ruler.moved(at, 1)


def lengths(edges: tuple[float, ...]) -> tuple[float, ...]:
    """How long each bar is."""
    return tuple(after - before for before, after in pairwise(edges))


@dataclass(frozen=True)
class Period:
    """Which window somebody wants to see: the last so many seconds, or those between two moments.

    Attributes:
        length_s: how long it is.
        start: when it begins, in UTC seconds; None if it ends now.
    """

    length_s: float
    start: float | None = None

    @property
    def word(self) -> str:
        """How it is written: `5m`, `6h`, or two times with their offsets from UTC."""
        if self.start is None:
            return span(self.length_s)
        ends = (local_time(at) for at in (self.start, self.start + self.length_s))
        return "..".join(end.isoformat(timespec="seconds") for end in ends)


# How far back one looks where nothing else is said.
USUAL = Period(HOUR_S)


def period_of(text: str) -> Period:
    """Return the window that a text means, `6h` or `2026-11-27T02:00..2026-11-27T04:00`.

    A time without an offset is the reader's.

    Raises:
        ValueError: it is none; the message says what to write instead.
    """
    first, dots, last = text.partition("..")
    if not dots:
        try:
            length_s = seconds_of(text)
        except ValueError:
            raise ValueError(f"there is no period {text!r}: write one like 5m, 6h or 2d") from None
        return Period(longer(max(0.0, length_s - 1)))
    start, end = parse_time(first), parse_time(last)
    if start is None or end is None or end <= start:
        raise ValueError(
            f"there is no period {text!r}: write two times, the earlier one first, like "
            "2026-11-27T02:00..2026-11-27T04:00"
        )
    return Period((end - start).total_seconds(), start.timestamp())
