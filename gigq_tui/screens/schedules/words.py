"""What is said of a schedule, in words: when it comes, what its last job came to, what it obeys."""

from __future__ import annotations

from datetime import datetime

from gigq_core.reasons.why import RUNNING_STATES, first_line, run_seconds, state_of
from gigq_core.schedules.rules import Schedule, Skip
from gigq_tui.format import MARKS, age, duration, elapsed, inert
from gigq_tui.screens.parts.slots import (
    ago_words,
    in_words,
    long_time,
    rule_words,
    short_time,
    there,
)
from gigq_tui.store.models import JobRow
from gigq_tui.store.schedules import MOST_RUNS, ListedSchedule, is_late
from gigq_tui.widgets.lines import Line

SKIP_GLYPH = "~"
NOTHING = "-"


def next_words(schedule: Schedule, now: datetime) -> str:
    """When its next slot is, in its zone; nothing where there is none."""
    if schedule.next_at is None:
        return ""
    here = there(schedule.next_at, schedule.zone)
    if here is None:
        return ""
    return short_time(here, now.astimezone(here.tzinfo))


def left(schedule: Schedule, now: datetime) -> Line:
    """How long it is until its next slot: `3h12m`; `paused`, `late 3m`, or `never`."""
    if schedule.paused_at is not None:
        return (("paused", "warn"),)
    if schedule.next_at is None:
        return (("never", "warn"),)
    seconds = schedule.next_at - now.timestamp()
    if is_late(schedule, now.timestamp()):
        return ((f"late {ago_words(-seconds).removesuffix(' ago')}", "fail"),)
    return ((in_words(seconds), ""),)


def skips_since(schedule: Schedule) -> list[Skip]:
    """What was skipped since it made its last job, newest first."""
    last = schedule.last_slot
    return [skip for skip in schedule.skips if last is None or skip.slot > last]


def skip_words(schedule: Schedule) -> str:
    """How many slots were skipped since its last job, and why the newest was: `2 skipped: …`."""
    skips = skips_since(schedule)
    if not skips:
        return ""
    # Only so many were read: there may be more.
    more = "+" if len(skips) == MOST_RUNS else ""
    return f"{sum(skip.count for skip in skips)}{more} skipped: {inert(skips[0].why)}"


def last_cell(listed: ListedSchedule, now: datetime, *, brief: bool = False) -> Line:
    """What its last job came to: `+ 4m12s  21h ago`."""
    job = listed.last
    if job is None:
        gone = listed.schedule.last_job_id is not None
        return (("deleted" if gone else NOTHING, "dim"),)
    mark, took = MARKS[state_of(job, now)], took_words(job, now)
    word = took or mark.word
    ended = job.completed_at
    if ended is None or state_of(job, now) in RUNNING_STATES:
        return ((f"{mark.glyph} {word}", mark.role),)
    ago = age((now - ended).total_seconds())
    return ((f"{mark.glyph} {word}", mark.role), (f"  {ago}" if brief else f"  {ago} ago", "dim"))


def took_words(job: JobRow, now: datetime) -> str:
    """How long a job ran, or has been running; nothing where it has not begun."""
    took = run_seconds(job, now)
    if took is None:
        return ""
    return elapsed(took) if state_of(job, now) in RUNNING_STATES else duration(took)


def outcome_words(job: JobRow, now: datetime) -> Line:
    """What a job came to, with its error: `X FAILED 12s  ValueError: no rows`."""
    mark = MARKS[state_of(job, now)]
    took = took_words(job, now)
    spans = [(f"{mark.glyph} {mark.word}{f' {took}' if took else ''}", mark.role)]
    if job.error and mark.role == "fail":
        spans.append((f"  {inert(first_line(job.error))}", ""))
    return tuple(spans)


def note(listed: ListedSchedule, now: datetime, *, has_workers: bool) -> tuple[str, str]:
    """What needs somebody, and the role that colours it; or else its rule in words.

    Args:
        listed: The schedule.
        now: The present moment.
        has_workers: Whether any worker lives that fires schedules.
    """
    schedule = listed.schedule
    if schedule.trouble:
        return f"! {inert(schedule.trouble)}", "fail"
    if is_late(schedule, now.timestamp()):
        return ("late" if has_workers else "late: no workers running"), "fail"
    if schedule.paused_at is not None:
        return f"paused {ago_words(now.timestamp() - schedule.paused_at)}", "warn"
    if words := skip_words(schedule):
        return words, "warn"
    last = listed.last
    if last is not None and last.error and MARKS[state_of(last, now)].role == "fail":
        return inert(first_line(last.error)), "fail"
    return rule_words(schedule.when), "dim"


def several_words(skip: Skip, zone: str, today: datetime) -> str:
    """Since which slot a skip tells, where it is about several: `since Thu 26 Nov 02:30`."""
    first = there(skip.first, zone)
    if skip.count < 2 or first is None:
        return ""
    return f"since {long_time(first, today)}"
