"""Counts as lines: what is counted, and a line for each value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gigq_core.grouping.counting import PLAIN_KEYS, Counted, CountKey, Figures, Kind, Value
from gigq_tui.columns import value_label
from gigq_tui.format import (
    bar,
    count,
    cut,
    duration,
    inert,
    pad,
    plural,
    width_of,
)
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import COUNT_KEYS, COUNT_SORT
from gigq_tui.store.counts.reading import Counted as Known
from gigq_tui.widgets.lines import Line, Span, line_width, spread

# A table of at least so many cells has all figures, or those that are looked at first.
_WIDE, _NARROW = 76, 54
_MOST_NAME, _LEAST_NAME = 40, 12
_MOST_BAR, _LEAST_BAR = 30, 8
# So many lines of names of one kind are shown.
_MOST_HELP = 4
_FIGURES = ("jobs", "done", "failed", "waiting", "running")
_SHORT_FIGURES = ("jobs", "done", "failed", "waiting")
_TINY_FIGURES = ("jobs", "failed")
_ROLES = {"done": "ok", "failed": "fail", "waiting": "", "running": "run", "jobs": ""}


class Row(NamedTuple):
    """One line: a value of the first key, or one of the second's below it."""

    id: str
    values: tuple[Value, ...]
    counted: Counted


def rows_of(known: Known) -> Iterator[Row]:
    """The lines of a count, each second value below its first."""
    for one in known.counts.groups:
        yield Row(row_id((one.value,)), (one.value,), one)
        for other in one.then:
            values = (one.value, other.value)
            yield Row(row_id(values), values, other)


def row_id(values: tuple[Value, ...]) -> str:
    """The id of a value's line."""
    return json.dumps([(value.kind.name, value.value) for value in values])


def head_line(
    keys: tuple[CountKey, ...], about: str, known: Known | None, width: int, hints: KeyHints
) -> Line:
    """Return what is counted by what, and of which jobs.

    Args:
        keys: What jobs are counted by.
        about: Which jobs those are; empty for all.
        known: What was counted; None before anything was.
        width: In cells.
        hints: How keys are called.
    """
    spans: list[Span] = [(" count by ", "dim")]
    for at, key in enumerate(keys):
        spans += [("  then by ", "dim")] if at else []
        spans.append((key.name, "title"))
    if about:
        spans.append((cut(f"   {inert(about)}", max(0, width - line_width(tuple(spans)) - 20)), ""))
    order = "jobs" if known is None else known.order
    right: Line = (
        (hints(COUNT_KEYS), "key"),
        (" keys  ", "dim"),
        (hints(COUNT_SORT), "key"),
        (f" by {order} ", "dim"),
    )
    if line_width(tuple(spans)) + line_width(right) + 1 > width:
        right = ()
    return spread(tuple(spans), right, width)


def help_lines(names: Sequence[str], about: str, width: int) -> list[Line]:
    """Return what jobs can be counted by, for whoever has still to say it."""
    jobs = f"the jobs of this list ({inert(about)})" if about else "all jobs"
    lines: list[Line] = [
        (),
        ((cut(f" Count {jobs} by one of these, or by two:", width), ""),),
        (),
    ]
    kinds = (
        ("parameters", [name for name in names if name.startswith("param.")]),
        ("every job", list(PLAIN_KEYS)),
        ("results", [name for name in names if name.startswith("result.")]),
    )
    indent = 14
    for title, some in kinds:
        if not some:
            continue
        for at, text in enumerate(wrapped(some, max(10, width - indent - 2))[:_MOST_HELP]):
            lines.append(((pad("" if at else f" {title}", indent), "dim"), (inert(text), "")))
        lines.append(())
    return lines


def wrapped(names: Sequence[str], width: int) -> list[str]:
    """Names, two blanks between them, in lines of at most so many cells."""
    lines: list[str] = []
    for name in names:
        if lines and width_of(lines[-1]) + 2 + width_of(name) <= width:
            lines[-1] += f"  {name}"
        else:
            lines.append(cut(name, width))
    return lines


def foot_line(known: Known | None, share: float, width: int) -> Line:
    """Return what all lines come to, what is left out of them, and how much has been read."""
    if known is None:
        return ((" counting..", "dim"),)
    counts = known.counts
    left = counts.values - len(counts.groups)
    told = f" {plural(counts.total.jobs, 'job')}, {plural(counts.values, 'value')}"
    if left > 0:
        told += f": the first {count(len(counts.groups))}, and {count(left)} more"
    reading = f"counted {share:.0%} " if share < 1 else ""
    return spread(((told, "dim"),), ((reading, "run"),), width)


class Table:
    """The columns that fit, and what stands in them.

    Args:
        known: The counts.
        width: In cells.
    """

    def __init__(self, known: Known, width: int) -> None:
        self._keys = known.keys
        self._title = " / ".join(key.name for key in known.keys)
        rows = list(rows_of(known))
        figures = _FIGURES if width >= _WIDE else _SHORT_FIGURES
        self._figures = figures if width >= _NARROW else _TINY_FIGURES
        self._has_median = width >= _NARROW
        self._cells = {
            name: max(len(name), *(len(_number(row.counted.figures, name)) for row in rows), 0)
            for name in self._figures
        }
        taken = 6 + sum(cells + 2 for cells in self._cells.values()) + 8 * self._has_median
        names = max((width_of(self._name(row)) for row in rows), default=0)
        title = max(len(key.name) + 2 * at for at, key in enumerate(self._keys))
        if width - taken - len(self._title) >= _LEAST_BAR + 2:
            title = min(len(self._title), _MOST_NAME)
        room = max(_LEAST_NAME, min(_MOST_NAME, names, width - taken), min(title, width - taken))
        self._room = max(4, min(room, width - taken))
        self._bar = min(_MOST_BAR, width - taken - self._room - 2)
        self._most = max((one.figures.jobs for one in known.counts.groups), default=0)

    def heading(self) -> Line:
        """Return the names of the columns."""
        spans: list[Span] = [
            ("    ", ""),
            (pad(cut(self._title, self._room), self._room), "heading"),
        ]
        for figure, cells in self._cells.items():
            spans.append((f"  {pad(figure.upper(), cells, right=True)}", "heading"))
        if self._has_median:
            spans.append(("     P50", "heading"))
        return tuple(spans)

    def line(self, row: Row, *, marked: bool) -> Line:
        """Return one value."""
        name, counted = cut(self._name(row), self._room), row.counted
        role = "dim" if row.values[-1].kind in (Kind.MISSING, Kind.UNREADABLE) else ""
        spans: list[Span] = [("*" if marked else " ", "mark"), (pad(name, self._room), role)]
        for figure, cells in self._cells.items():
            text = _number(counted.figures, figure)
            figure_role = _ROLES[figure] if text != "-" else "dim"
            spans.append((f"  {pad(text, cells, right=True)}", figure_role))
        if self._has_median:
            median = "-" if counted.p50_s is None else duration(counted.p50_s)
            spans.append((f"  {pad(median, 6, right=True)}", "" if median != "-" else "dim"))
        if self._bar >= _LEAST_BAR and self._most and len(row.values) == 1:
            spans += [("  ", ""), *bar(counted.figures.jobs / self._most, self._bar)]
        return tuple(spans)

    def _name(self, row: Row) -> str:
        depth = len(row.values) - 1
        return "  " * depth + value_label(self._keys[depth], row.values[depth])


def _number(figures: Figures, name: str) -> str:
    number: int = getattr(figures, name)
    return count(number) if number else "-"
