"""The panel of one schedule: what it runs, its next slots, and what became of the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from gigq_core.schedules.cron import Slot
from gigq_core.schedules.rules import Schedule
from gigq_core.units.times import moment_of
from gigq_tui.actions.shell_command import param_text
from gigq_tui.format import inert, limit
from gigq_tui.screens.parts.slots import (
    ago_words,
    long_time,
    obeys_words,
    rule_words,
    slot_lines,
    there,
)
from gigq_tui.screens.schedules.words import SKIP_GLYPH, outcome_words, several_words
from gigq_tui.store.schedules import ListedSchedule, PastSlot
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, fit, line_width
from gigq_tui.widgets.question import wrap_words

# From so many cells on, what comes stands beside what has been.
SIDE_BY_SIDE = 76
_MOST_TROUBLE_LINES = 2
# Options that are seconds.
_SECONDS = frozenset(("timeout", "retry_delay", "stall_timeout", "run_after"))


def panel_lines(
    listed: ListedSchedule,
    coming: Sequence[Slot],
    past: Sequence[PastSlot] | None,
    now: datetime,
    width: int,
) -> list[Line]:
    """Return the whole panel.

    Args:
        listed: The schedule.
        coming: Its next slots.
        past: What became of its last ones, newest first; None while that is being read.
        now: The present moment.
        width: In cells.
    """
    schedule = listed.schedule
    lines = [title_line(schedule, width - 1), *_facts(schedule, now, width)]
    is_double = width >= SIDE_BY_SIDE
    left = _coming(schedule, coming, now, width // 2 - 1 if is_double else width - 1)
    right = _past(schedule, past, now)
    if not is_double:
        return [*lines, *left, *right]
    half = max((line_width(line) for line in left), default=0) + 3
    half = min(max(half, width // 3), width // 2)
    for one, other in zip_longest(left, right, fillvalue=()):
        one = fit(one, half - 1)
        gap = " " * (half - line_width(one))
        lines.append((*one, (gap, ""), *fit(other, width - half - 1)))
    return lines


def title_line(schedule: Schedule, width: int) -> Line:
    """Return the line over the panel, with the name in it."""
    title = f" {inert(schedule.name)} "
    rest = theme.RULE * max(0, width - 3 - len(title))
    return fit(((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule")), width)


def _facts(schedule: Schedule, now: datetime, width: int) -> list[Line]:
    words = rule_words(schedule.when)
    rule = f"{inert(schedule.when)}{f', {words}' if words else ''}, in {inert(schedule.zone)}"
    lines: list[Line] = [
        fit(((f" {rule}", ""), (f"   {_options(schedule)}", "dim")), width - 1),
        fit(((f" {inert(schedule.function)}", ""), (f"  {_params(schedule)}", "dim")), width - 1),
    ]
    lines += [
        ((f" {piece}", "dim"),)
        for piece in wrap_words(obeys_words(schedule.catch_up, schedule.overlap), width - 2)
    ]
    if schedule.trouble:
        pieces = wrap_words(f"Can't be submitted: {inert(schedule.trouble)}", width - 4)
        lines += [((f" ! {piece}", "fail"),) for piece in pieces[:_MOST_TROUBLE_LINES]]
    if schedule.paused_at is not None:
        ago = ago_words(now.timestamp() - schedule.paused_at)
        lines.append(((f" Paused {ago}: no slot runs until it is resumed.", "warn"),))
    return lines


def _params(schedule: Schedule) -> str:
    return " ".join(
        inert(f"{key}={param_text(key, value)}") for key, value in schedule.params.items()
    )


def _options(schedule: Schedule) -> str:
    return "  ".join(
        inert(f"{name.replace('_', ' ')} {_option_text(name, value)}")
        for name, value in schedule.options.items()
    )


def _option_text(name: str, value: object) -> str:
    if name in _SECONDS and isinstance(value, (int, float)):
        return limit(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def _coming(schedule: Schedule, slots: Sequence[Slot], now: datetime, width: int) -> list[Line]:
    paused = schedule.paused_at is not None
    lines: list[Line] = [((" WOULD COME" if paused else " NEXT", "heading"),)]
    if not slots:
        lines.append(((" It never comes again.", "warn"),))
    for slot in slots:
        lines += slot_lines(slot, schedule.zone, now, width, dim=paused)
    return lines


def _past(schedule: Schedule, past: Sequence[PastSlot] | None, now: datetime) -> list[Line]:
    lines: list[Line] = [((" LAST", "heading"),)]
    if past is None:
        lines.append(((" reading..", "dim"),))
    elif not past:
        lines.append(((" No slot has come yet.", "dim"),))
    return [*lines, *(_past_line(one, schedule.zone, now) for one in past or ())]


def _past_line(one: PastSlot, zone: str, now: datetime) -> Line:
    here = there(one.slot, zone) or moment_of(one.slot)
    if here is None:
        return ()
    today = now.astimezone(here.tzinfo)
    spans: list[Span] = [(f" {long_time(here, today)}  ", "")]
    if one.job is not None:
        return (*spans, *outcome_words(one.job, now))
    assert one.skip is not None
    spans.append((f"{SKIP_GLYPH} skipped: {inert(one.skip.why)}", "warn"))
    if several := several_words(one.skip, zone, today):
        spans.append((f"  {several}", "dim"))
    return tuple(spans)
