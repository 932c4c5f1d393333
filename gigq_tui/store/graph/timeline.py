"""A graph along the time: when its jobs ran, and when those that have not probably will.

All moments are UTC seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gigq_core.graph.blame import BAD_ENDS
from gigq_core.units.times import local, moment_of
from gigq_tui.store.models import Graph, JobRow
from gigq_tui.store.statuses import PENDING, RUNNING

# What a cell of a bar is, the weakest first: a stronger one is drawn over it.
FREE, BETWEEN, EXPECTED, AROUND, RAN, RUNS, NOW, ENDS, FAILED = range(9)

# Steps between the clocks of an axis, in seconds.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY_S = 86_400
# The shortest time that is drawn: less would make a second a hundred cells wide.
LEAST_SPAN_S = 10.0


class Expected(NamedTuple):
    """When a job probably begins, and when it ends: at best, probably, at worst."""

    begins: float
    best: float
    ends: float
    worst: float


@dataclass(frozen=True)
class GraphForecast:
    """What is to come of a graph, as it was worked out `at` a moment.

    `end` is when all of it is done, None where that can't be told: `reason` says why. `critical` is
    the chain of jobs that decides it, `past_runs` how many runs it was learnt from, `stuck` how
    many jobs never run; `whole` is when they too are done, if so many failed jobs are `retried`.
    """

    at: float
    end: Expected | None = None
    reason: str = ""
    critical: tuple[str, ...] = ()
    jobs: Mapping[str, Expected] = field(default_factory=dict)
    past_runs: int = 0
    stuck: int = 0
    whole: Expected | None = None
    retried: int = 0


class Axis(NamedTuple):
    """A stretch of time in so many cells."""

    start: float
    end: float
    cells: int

    def cell(self, at: float) -> int:
        """The cell that a moment falls into, the nearest where it lies outside."""
        share = (at - self.start) / (self.end - self.start)
        return max(0, min(self.cells - 1, math.floor(share * self.cells)))

    def clocks(self, least_cells: int) -> list[tuple[int, float]]:
        """Round moments and their cells, at least so many cells apart.

        Rounded by the reader's clock: the offset of the first moment's zone is used throughout.
        """
        second = self.cells / (self.end - self.start)
        wanted = least_cells / second
        step = next((step for step in _STEPS if step >= wanted), None)
        if step is None:
            step = math.ceil(wanted / _DAY_S) * _DAY_S
        first = moment_of(self.start)
        offset = local(first).utcoffset() if first is not None else None
        shift = offset.total_seconds() if offset is not None else 0.0
        at = math.ceil((self.start + shift) / step) * step - shift
        found: list[tuple[int, float]] = []
        while at <= self.end:
            found.append((self.cell(at), at))
            at += step
        return found


def span_of(
    rows: Iterable[JobRow], now: float, forecast: GraphForecast | None = None
) -> tuple[float, float] | None:
    """From when to when there is something to draw; None where nothing has begun, nor is to come.

    Args:
        rows: the jobs.
        now: the present moment.
        forecast: what is to come.
    """
    start, end, goes_on = math.inf, -math.inf, False
    for row in rows:
        if row.started_at is not None and row.status != PENDING:
            start = min(start, row.started_at.timestamp())
            ended = row.completed_at.timestamp() if row.completed_at is not None else now
            end = max(end, now if row.status == RUNNING else ended)
        goes_on = goes_on or row.status in (PENDING, RUNNING)
    if goes_on:
        start, end = min(start, now), max(end, now)
    if forecast is not None and forecast.end is not None and goes_on:
        end = max(end, forecast.end.worst)
    if not math.isfinite(start):
        return None
    return start, max(end, start + LEAST_SPAN_S)


def cells_of(
    graph: Graph, jobs: Sequence[str], axis: Axis, now: float, forecast: GraphForecast | None = None
) -> list[int]:
    """What each cell of the bar of some jobs is: one of `FREE` to `FAILED`.

    Args:
        graph: The graph.
        jobs: The ids of the jobs.
        axis: Which time each cell stands for.
        now: The present moment, in UTC seconds.
        forecast: What is to come, once that has been worked out.
    """
    ran, later = [0] * (axis.cells + 1), [0] * (axis.cells + 1)
    going = [0] * (axis.cells + 1)
    failed: set[int] = set()
    runs_now = False
    expected: list[Expected] = []
    for id in jobs:
        row = graph.nodes[id].row
        if row is None:
            continue
        if forecast is not None and (coming := forecast.jobs.get(id)) is not None:
            expected.append(coming)
            _cover(later, axis, max(now, coming.begins), coming.ends)
        if row.started_at is None or row.status == PENDING:
            continue
        began = row.started_at.timestamp()
        if row.status == RUNNING:
            runs_now = True
            _cover(going, axis, began, now)
        elif row.completed_at is not None:
            ended = row.completed_at.timestamp()
            _cover(ran, axis, began, ended)
            if row.status in BAD_ENDS:
                failed.add(axis.cell(ended))
    cells = [FREE] * axis.cells
    _paint(cells, later, EXPECTED)
    if expected:
        ends = max(expected, key=lambda it: it.ends)
        last, worst = axis.cell(ends.ends), axis.cell(max(it.worst for it in expected))
        for cell in range(last + 1, worst + 1):
            cells[cell] = AROUND
        cells[last] = ENDS
    _paint(cells, ran, RAN)
    _paint(cells, going, RUNS)
    for cell in failed:
        cells[cell] = FAILED
    if runs_now:
        cells[axis.cell(now)] = NOW
    past = [cell for cell, kind in enumerate(cells) if kind in (RAN, RUNS, NOW, FAILED)]
    if past:
        for cell in range(past[0], past[-1]):
            if cells[cell] == FREE:
                cells[cell] = BETWEEN
    return cells


def _cover(counts: list[int], axis: Axis, start: float, end: float) -> None:
    """Note that something goes on from one moment to another."""
    counts[axis.cell(start)] += 1
    counts[axis.cell(max(start, end)) + 1] -= 1


def _paint(cells: list[int], counts: Sequence[int], kind: int) -> None:
    going_on = 0
    for cell in range(len(cells)):
        going_on += counts[cell]
        if going_on:
            cells[cell] = kind
