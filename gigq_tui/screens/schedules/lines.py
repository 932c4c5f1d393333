"""The list of schedules as lines: what they are, and a line for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gigq_core.text import inert
from gigq_tui.format import pad, plural, width_of
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.schedule_actions import SCHEDULE_NEW, SCHEDULE_SORT
from gigq_tui.screens.schedules.words import (
    last_cell,
    left,
    next_words,
    note,
    skips_since,
)
from gigq_tui.store.schedules import ListedSchedule, is_late
from gigq_tui.widgets.lines import Line, Span, fit, line_width, spread

WIDE = 116
MIDDLE = 76
NARROW = 56
_LEAST_NAME, _MOST_NAME = 8, 24
_MOST_WHEN, _SHORT_WHEN = 16, 12
_MOST_ZONE = 16
_LEAST_NOTE = 12

Cell = Callable[[ListedSchedule], Line]


def head_line(
    listed: Sequence[ListedSchedule],
    shown: int,
    lead: str,
    now: datetime,
    width: int,
    hints: KeyHints,
    sort: str,
) -> Line:
    """Return how many there are, and how many need somebody; by what they are sorted.

    Args:
        listed: All schedules.
        shown: How many of them are shown.
        lead: What is said of marks and of the filter.
        now: The present moment.
        width: In cells.
        hints: How keys are called.
        sort: By what they are sorted.
    """
    schedules = [one.schedule for one in listed]
    number = plural(len(listed), "schedule")
    spans: list[Span] = [(f" {number}", "title")]
    if shown < len(listed):
        spans = [(f" {shown} of {number}", "title")]
    told = (
        ("can't be submitted", "fail", sum(1 for one in schedules if one.trouble)),
        ("late", "fail", sum(1 for one in schedules if is_late(one, now.timestamp()))),
        ("paused", "warn", sum(1 for one in schedules if one.paused_at is not None)),
        ("skipping", "warn", sum(1 for one in schedules if skips_since(one))),
    )
    spans += [(f"   {count} {word}", role) for word, role, count in told if count]
    if lead:
        spans.append((f"   {lead}", "accent"))
    right = ((f"{hints(SCHEDULE_SORT)} ", "key"), (f"by {sort} ", "dim"))
    return spread(tuple(spans), right, width)


def no_schedules(hints: KeyHints, *, read_only: bool) -> list[Line]:
    """What stands in the place of an empty list."""
    lines: list[Line] = [(), ((" No schedules in this file.", "dim"),)]
    if not read_only:
        key = hints(SCHEDULE_NEW)
        lines.append(((f" {key}", "key"), (" adds one: a job that comes at its times.", "dim")))
    return lines


class Table:
    """The columns that fit, and what stands in them.

    Args:
        listed: The schedules that are shown.
        now: The present moment.
        width: In cells.
        has_workers: Whether any worker lives that fires schedules.
    """

    def __init__(
        self,
        listed: Sequence[ListedSchedule],
        now: datetime,
        width: int,
        *,
        has_workers: bool,
    ) -> None:
        self._now = now
        self._has_workers = has_workers
        wide, middle = width >= WIDE, width >= MIDDLE
        # What the list itself takes: its gutter, its scroll bar, and the mark.
        room = width - 6
        columns: list[tuple[str, int, Cell]] = []
        if middle:
            most = _MOST_WHEN if wide else _SHORT_WHEN
            columns.append(("WHEN", self._widest(listed, "when", 9, most), self._when))
        if wide:
            columns.append(("ZONE", self._widest(listed, "zone", 4, _MOST_ZONE), self._zone))
        if width >= NARROW:
            times = [width_of(next_words(one.schedule, now)) for one in listed]
            columns.append(("NEXT", max(9, *times, 0), self._next))
        times = [line_width(left(one.schedule, now)) for one in listed]
        columns.append(("IN", -max(6, *times, 0), lambda one: left(one.schedule, now)))
        cells = [line_width(self._last(one, brief=not wide)) for one in listed]
        columns.append(("LAST", max(11, *cells, 0), lambda one: self._last(one, brief=not wide)))
        taken = sum(abs(cells) + 2 for _, cells, _ in columns)
        names = max((width_of(inert(one.name)) for one in listed), default=0)
        # Names first, so that no two schedules look alike.
        name = max(_LEAST_NAME, min(names, _MOST_NAME, room - taken))
        self._name = name
        self._note = room - taken - name - 2
        if self._note < _LEAST_NOTE:
            self._name, self._note = max(name, room - taken), 0
        self._columns = columns

    def _widest(self, listed: Sequence[ListedSchedule], part: str, least: int, most: int) -> int:
        texts = [inert(getattr(one.schedule, part)) for one in listed]
        return max(least, min(most, max(map(width_of, texts), default=0)))

    def heading(self) -> Line:
        """Return the names of the columns."""
        spans: list[Span] = [("     ", ""), (pad("NAME", self._name), "heading")]
        for title, cells, _ in self._columns:
            spans += [("  ", ""), (pad(title, abs(cells), right=cells < 0), "heading")]
        return tuple(spans)

    def line(self, one: ListedSchedule, *, marked: bool) -> Line:
        """Return one schedule."""
        paused = one.schedule.paused_at is not None
        spans: list[Span] = [
            ("* " if marked else "  ", "mark"),
            (pad(inert(one.name), self._name), "dim" if paused else ""),
        ]
        for _, cells, cell in self._columns:
            told = fit(cell(one), abs(cells))
            gap = " " * max(0, abs(cells) - line_width(told))
            spans.append(("  ", ""))
            spans += [(gap, ""), *told] if cells < 0 else [*told, (gap, "")]
        if self._note:
            text, role = note(one, self._now, has_workers=self._has_workers)
            spans += [("  ", ""), *fit(((text, role),), self._note)]
        return tuple(spans)

    def _when(self, one: ListedSchedule) -> Line:
        return ((inert(one.schedule.when), ""),)

    def _zone(self, one: ListedSchedule) -> Line:
        return ((inert(one.schedule.zone), "dim"),)

    def _next(self, one: ListedSchedule) -> Line:
        return ((next_words(one.schedule, self._now), ""),)

    def _last(self, one: ListedSchedule, *, brief: bool) -> Line:
        return last_cell(one, self._now, brief=brief)
