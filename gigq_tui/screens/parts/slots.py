"""Slots and rules of schedules in words: by the clock of the schedule, and by the reader's own."""

from __future__ import annotations

import math
from datetime import datetime

from gigq_core.schedules.cron import Rule, Slot, when_words
from gigq_core.units.spans import MINUTE_S, span
from gigq_core.units.times import local, moment_of
from gigq_tui.format import age
from gigq_tui.widgets.lines import Line, Span, fit
from gigq_tui.widgets.question import wrap_words

# How many slots that come are shown.
NEXT_SLOTS = 5
_WEEK = 7

CATCH_UP_WORDS = {
    "last": "the newest missed slot runs",
    "none": "no missed slot runs",
    "all": "every missed slot runs, 100 at most",
}
OVERLAP_WORDS = {
    "skip": "the new one is skipped",
    "queue": "the new one waits until it has ended",
    "replace": "it is cancelled, and the new one runs",
    "allow": "both run",
}


def rule_words(when: str) -> str:
    """A rule in words, `at 02:30 every day`; nothing where its text says it as well."""
    try:
        words = when_words(when)
    except ValueError:
        return ""
    return words[:1].lower() + words[1:]


def there(at: float, zone: str) -> datetime | None:
    """A moment, in UTC seconds, in a zone; None where there is no such zone here, or no moment."""
    try:
        return Rule("", zone).local(at)
    except (ValueError, OverflowError, OSError):
        return None


def short_time(here: datetime, today: datetime) -> str:
    """A time with its day where that is not today: `02:30`, `Sun 02:30`, `4 Dec 02:30`.

    Args:
        here: The time.
        today: The present one, in the same zone.
    """
    clock = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    days = (here.date() - today.date()).days
    if not days:
        return clock
    if 0 < days < _WEEK:
        return f"{here:%a} {clock}"
    if here.year == today.year:
        return f"{here.day} {here:%b} {clock}"
    return f"{here:%Y-%m-%d} {clock}"


def long_time(here: datetime, today: datetime) -> str:
    """A time with its day: `Sun 29 Nov 02:30`, with its year where that is another."""
    clock = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    year = "" if here.year == today.year else f" {here.year}"
    return f"{here:%a} {here.day:2} {here:%b}{year} {clock}"


def here_words(at: float, zone: str) -> str:
    """The same moment by the clock of who reads it, where that is another: `01:30 here`."""
    moment, away = moment_of(at), there(at, zone)
    if moment is None or away is None:
        return ""
    here = local(moment)
    if here.utcoffset() == away.utcoffset():
        return ""
    day = "" if here.date() == away.date() else f"{here:%a} "
    return f"{day}{here:%H:%M} here"


def in_words(seconds: float) -> str:
    """How long it is until something comes, in steps that do not tick: `<1m`, `12m`, `3h12m`."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < MINUTE_S:
        return "<1m"
    return span(float(int(seconds // MINUTE_S) * MINUTE_S))


def obeys_words(catch_up: str, overlap: str) -> str:
    """What becomes of slots that were missed, and of one that comes while the last job runs."""
    missed = CATCH_UP_WORDS.get(catch_up, catch_up)
    overlaps = OVERLAP_WORDS.get(overlap, overlap)
    return f"After an outage {missed}. While the last job runs, {overlaps}."


def ago_words(seconds: float) -> str:
    """How long ago something was, in one coarse step: `5d ago`."""
    return f"{age(seconds)} ago" if math.isfinite(seconds) else "? ago"


def slot_lines(
    slot: Slot, zone: str, now: datetime, width: int, *, dim: bool = False
) -> list[Line]:
    """Return a slot that comes: its time there and here, how long until then, what is odd.

    Args:
        slot: The slot.
        zone: That of its schedule.
        now: The present moment.
        width: In cells.
        dim: Whether it will not come, since the schedule is paused.
    """
    today = now.astimezone(slot.local.tzinfo)
    spans: list[Span] = [(f" {long_time(slot.local, today)}", "dim" if dim else "")]
    if here := here_words(slot.at, zone):
        spans.append((f"  {here}", "dim"))
    spans.append((f"  in {in_words(slot.at - now.timestamp())}", "dim"))
    notes = wrap_words(slot.note, width - 1) if slot.note else []
    return [fit(tuple(spans), width), *(((f" {piece}", "warn"),) for piece in notes)]
