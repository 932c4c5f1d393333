"""When a schedule's slots are: cron fields in a named zone, or a fixed interval.

`cronsim` says which times of the clock five fields mean, and here those are put on the line of
time. On the nights on which clocks change it goes as Debian's cron does:

- Fields that name their hour and minute mean times of the day: one that is left out in spring comes
  at the first moment after, one that comes twice in autumn comes the first time alone.
- Fields whose hour or minute begins with `*` mean what comes again and again: what is left out
  does not come, and an hour that comes twice counts twice.

Nothing here knows of a file. The libraries are loaded when a rule is first read.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import islice

from gigq_core.text import inert
from gigq_core.units.durations import duration_text, seconds_in
from gigq_core.units.times import utc_now

UTC = "UTC"
_ANY = datetime(2000, 1, 1, tzinfo=timezone.utc)
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# Intervals, in seconds.
SHORTEST_S = 1
LONGEST_S = 366 * 86_400
# More missed slots than this are not counted.
MOST_COUNTED = 10_000
# How far back the newest slots are looked for, in seconds, before all of the time is gone through.
_STRETCHES_S = (3_600, 86_400, 40 * 86_400, 400 * 86_400)
_LONGEST_TEXT = 200

_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
# They name whatever clock the machine has that happens to read them.
_NO_ZONES = frozenset(("local", "localtime", "system", "posixrules", "factory"))
# Zones by a clock that is some seconds behind everybody's.
_LEAP = "right/"
_ADVICE = "write five fields like '30 2 * * *', @daily, or every 15m"


@dataclass(frozen=True)
class Slot:
    """A moment at which a schedule's job is due.

    Attributes:
        at: UTC seconds since 1970.
        local: The same in the schedule's zone.
        note: What is odd about it on a night on which clocks change, or nothing.
    """

    at: float
    local: datetime
    note: str = ""


@dataclass(frozen=True)
class Span:
    """The slots of a stretch of time.

    Attributes:
        newest: The last of them, in order.
        count: How many there are; MOST_COUNTED + 1 stands for more than are counted.
        first: The first of all.
    """

    newest: tuple[float, ...]
    count: int
    first: float


def check_when(when: object) -> str:
    """A rule in its one form.

    Args:
        when: Five cron fields, `@daily` and the like, or `every` with a duration.

    Raises:
        TypeError: It is no text.
        ValueError: It is no rule, or one that never comes; the sentence says what to write.
    """
    if not isinstance(when, str):
        raise TypeError(f"when must be text, not a value of type {type(when).__name__}: {_ADVICE}.")
    text = " ".join(when.split())
    if not text:
        raise ValueError(f"when is empty: {_ADVICE}.")
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"when has {len(text):,} characters: {_ADVICE}.")
    word, _, rest = text.partition(" ")
    if word.lower() == "every":
        return f"every {duration_text(_interval(rest))}"
    if word.startswith("@"):
        if text.lower() not in NICKNAMES:
            raise ValueError(f"when is {inert(text)!r}: say one of {', '.join(NICKNAMES)}.")
        return text.lower()
    _check_fields(text)
    return text


def check_zone(zone: object) -> str:
    """A zone's name, as it is stored.

    Raises:
        TypeError: It is no text.
        ValueError: There is no zone of that name, or it names a machine's own.
    """
    if not isinstance(zone, str):
        raise TypeError(f"zone must be a name, not a value of type {type(zone).__name__}.")
    name = zone.strip()
    if name.lower() in _NO_ZONES or not name:
        said = repr(name) if name else "empty"
        raise ValueError(
            f"zone is {said}, which differs from machine to machine: write a name like "
            "Europe/Berlin, or UTC."
        )
    if name.lower().startswith(_LEAP):
        raise ValueError(
            f"zone is {inert(name)[:100]!r}, whose clock counts leap seconds: write "
            f"{inert(name[len(_LEAP) :])[:100] or UTC}."
        )
    _zone(name)
    return name


def preview(when: str, zone: str = UTC, n: int = 5, after: float | None = None) -> list[Slot]:
    """The next slots of a rule.

    Args:
        when: Five cron fields, `@daily` and the like, or `every` with a duration.
        zone: The zone's name.
        n: How many.
        after: UTC seconds since 1970; None for now.

    Returns:
        Them in order; fewer where there are no more.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: `when` is no rule, or there is no such zone.
    """
    rule = Rule.of(when, zone)
    start = utc_now() if after is None else after
    return [rule.slot(at) for at in islice(rule.after(start), max(0, n))]


def when_words(when: str) -> str:
    """A rule in words: `At 02:30 every day`; nothing where its text says it as well.

    Raises:
        ValueError: It is no rule.
    """
    text = check_when(when)
    if text.startswith("every"):
        return ""
    from cronsim import CronSim

    return CronSim(NICKNAMES.get(text, text), _ANY).explain()


@dataclass(frozen=True)
class Rule:
    """A rule in a zone."""

    when: str
    zone: str

    @classmethod
    def of(cls, when: object, zone: object) -> Rule:
        """The rule, each part in its one form.

        Raises:
            TypeError: A part is no text.
            ValueError: `when` is no rule, or there is no such zone.
        """
        return cls(check_when(when), check_zone(zone))

    def after(self, utc: float) -> Iterator[float]:
        """Its slots after a moment, in order, in UTC seconds; without an end, mostly."""
        if self.when.startswith("every"):
            return _multiples(_interval(self.when.partition(" ")[2]), utc)
        fields = NICKNAMES.get(self.when, self.when)
        where = _zone(self.zone)
        return _times(fields, where, utc) if _names_times(fields) else _again(fields, where, utc)

    def next(self, utc: float) -> float | None:
        """Its first slot after a moment; None if there is none."""
        return next(self.after(utc), None)

    def between(self, first: float, until: float, most: int) -> Span:
        """Its slots from one moment to another, both counted in.

        Args:
            first: a slot of it, as a rule.
            until: not after this.
            most: how many of the newest are wanted, 1 at least.
        """
        newest: deque[float] = deque(maxlen=most)
        count, oldest = 0, first
        # The smallest step that is there at this size of number.
        for at in self.after(first - 0.001):
            if at > until:
                return Span(tuple(newest), count, oldest)
            oldest = at if not count else oldest
            count += 1
            newest.append(at)
            if count > MOST_COUNTED:
                break
        else:
            return Span(tuple(newest), count, oldest)
        for back_s in _STRETCHES_S:
            newest.clear()
            for at in self.after(max(first, until - back_s)):
                if at > until:
                    break
                newest.append(at)
            if len(newest) == most:
                break
        return Span(tuple(newest), count, oldest)

    def local(self, at: float) -> datetime:
        """A moment in the zone."""
        return datetime.fromtimestamp(at, _zone(self.zone))

    def slot(self, at: float) -> Slot:
        """A slot with what is odd about it."""
        here = self.local(at)
        fields = NICKNAMES.get(self.when, self.when)
        odd = not self.when.startswith("every") and _names_times(fields)
        return Slot(at, here, _note(fields, here) if odd else "")


# --- text ------------------------------------------------------------------------------------


def _interval(text: str) -> int:
    seconds = seconds_in(text.replace(" ", ""))
    if seconds is None:
        raise ValueError(f"when is 'every {inert(text)[:40]}': write every with a time, like 15m.")
    if not SHORTEST_S <= seconds <= LONGEST_S or seconds != int(seconds):
        raise ValueError(
            f"when is 'every {inert(text)[:40]}': give whole seconds, from 1s to 366d."
        )
    return int(seconds)


@functools.lru_cache(maxsize=256)
def _check_fields(text: str) -> None:
    from cronsim import CronSim, CronSimError

    count = len(text.split())
    if count != len(_FIELDS):
        raise ValueError(
            f"when is {inert(text)!r}, which has {count} field{'s' * (count != 1)} in place of "
            f"five: {_ADVICE}."
        )
    try:
        sim = CronSim(text, _ANY)
    except (CronSimError, ValueError, AssertionError) as problem:
        # It says which field it is.
        wrong = next((name for name in _FIELDS if str(problem).endswith(f" {name}")), "fields")
        value = text.split()[_FIELDS.index(wrong)] if wrong in _FIELDS else text
        raise ValueError(
            f"when is {inert(text)!r}: its {wrong} can't be {inert(value)!r}: {_ADVICE}."
        ) from None
    if next(sim, None) is None:
        raise ValueError(f"when is {inert(text)!r}, which never comes: {_ADVICE}.")


def _names_times(fields: str) -> bool:
    """Whether they mean times of the day, and not what comes again and again."""
    minute, hour = fields.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


@functools.lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    if name == UTC:
        return timezone.utc
    from zoneinfo import ZoneInfo

    # A name that leads out of the folder of zones is none.
    if re.fullmatch(r"[A-Za-z0-9_+/-]{1,100}", name):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise ValueError(
        f"zone is {inert(name)[:100]!r}, which this machine does not know: write a name like "
        "Europe/Berlin, or UTC."
    )


# --- the line of time ------------------------------------------------------------------------


def _multiples(step_s: int, utc: float) -> Iterator[float]:
    """Whole multiples of an interval since 1970 began, UTC: so they stay where they are, whoever
    counts them, and whenever."""
    at = (utc // step_s + 1) * step_s
    while True:
        yield at
        at += step_s


def _walls(fields: str, after: datetime) -> Iterator[datetime]:
    """Times of the clock that the fields mean, naive, after one of them."""
    from cronsim import CronSim

    # To look for a time that comes no more may lead out of the calendar.
    try:
        yield from CronSim(fields, after)
    except OverflowError:
        return


def _times(fields: str, zone: tzinfo, utc: float) -> Iterator[float]:
    last = utc
    for wall in _walls(fields, _wall(utc, zone)):
        at = _moment(wall, zone)
        # In the hour that comes twice the first one is meant, which may be over; and what is left
        # out comes together with what is due then anyway.
        if at > last:
            yield at
            last = at


def _again(fields: str, zone: tzinfo, utc: float) -> Iterator[float]:
    """Stretch by stretch: in each the clock runs evenly."""
    start, after = utc, _wall(utc, zone)
    while True:
        offset = _offset(start, zone)
        ends = _end_of_first(start, zone)
        for wall in _walls(fields, after):
            at = wall.replace(tzinfo=timezone.utc).timestamp() - offset
            if ends is None and at - start > 60:
                # Times that are over for the first time may come once more.
                ends = _end_of_first(start, zone)
            if ends is None and _is_beyond_a_change(start, at, zone):
                ends = _change(start, at, zone)
            if ends is not None and at >= ends:
                break
            yield at
            start = at
        else:
            if ends is None:
                return
        assert ends is not None
        # What is due as it begins counts in.
        start, after = ends, _wall(ends, zone) - timedelta(seconds=1)


def _is_beyond_a_change(start: float, at: float, zone: tzinfo) -> bool:
    """Whether the clock was set between two moments."""
    one, other = (datetime.fromtimestamp(utc, zone) for utc in (start, at))
    if one.utcoffset() != other.utcoffset():
        return True
    # There was a first time too, before the clock was set to the offset that it had once.
    return bool(other.fold) and not (one.fold and at - start < 86_400)


def _end_of_first(utc: float, zone: tzinfo) -> float | None:
    """Where the clock shows what it will show again, when it has done so for the first time."""
    here = datetime.fromtimestamp(utc, zone)
    overlap = _offset_of(here) - _offset_of(here.replace(fold=1))
    if here.fold or overlap <= 0:
        return None
    return _change(utc, utc + overlap, zone)


def _wall(utc: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(utc, zone).replace(tzinfo=None, fold=0)


def _moment(wall: datetime, zone: tzinfo) -> float:
    """The moment at which a clock shows this time first, or has just left it out."""
    here = wall.replace(tzinfo=zone)
    at = here.timestamp()
    if _wall(at, zone) == wall:
        return at
    # Read by the time after the change it lies before it, and the other way round.
    return _change(here.replace(fold=1).timestamp(), at, zone)


def _offset(utc: float, zone: tzinfo) -> float:
    return _offset_of(datetime.fromtimestamp(utc, zone))


def _offset_of(here: datetime) -> float:
    offset = here.utcoffset()
    assert offset is not None
    return offset.total_seconds()


def _change(before: float, after: float, zone: tzinfo) -> float:
    """The moment between two at which the offset is another, to the second: the first of them, as a
    rule."""
    low, high = int(before), int(after)
    # A day at a time: where two changes lie between, the offset may be the same again.
    was = _offset(low, zone)
    while high - low > 86_400 and _offset(low + 86_400, zone) == was:
        low += 86_400
    high = min(high, low + 86_400)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == was:
            low = middle
        else:
            high = middle
    return float(high)


def _note(fields: str, here: datetime) -> str:
    day = f"{here.day} {_MONTHS[here.month - 1]}"
    zone = here.tzinfo
    assert zone is not None
    if _offset_of(here.replace(fold=0)) > _offset_of(here.replace(fold=1)):
        return f"comes twice on {day}: runs once, at the first"
    at = here.timestamp()
    grown = _offset(at, zone) - _offset(at - 1, zone)
    if grown <= 0:
        return ""
    # The clock has just been set forward: it left out times of the day before.
    wall = here.replace(tzinfo=None, fold=0)
    left_out = next(_walls(fields, wall - timedelta(seconds=grown + 1)), None)
    if left_out is None or left_out >= wall:
        return ""
    skipped = f"{left_out.day} {_MONTHS[left_out.month - 1]}"
    shown = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    return f"does not exist on {skipped}: runs {shown}"
