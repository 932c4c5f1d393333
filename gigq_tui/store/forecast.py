"""The forecast of the console: made in small steps between two pictures, and kept for a while.

A step takes `STEP_S` of the reader's thread; the next one comes with the next look at the file, and
the next forecast once forty times the cost of the last has passed. So a console that stands open
takes a fortieth of one core for it at most, and nothing while no job runs.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Generator
from datetime import datetime
from typing import TYPE_CHECKING

from gigq_core.system.identity import is_dead
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import Ahead, Counts
from gigq_tui.store.stepwise import SoFar
from gigq_tui.store.workers import FileWorkers

if TYPE_CHECKING:
    from gigq_core.forecasting.forecast import Forecast
    from gigq_core.forecasting.outlook import IsDead, Outlook

    Steps = Generator[None, None, tuple[Forecast, Forecast | None]]


STEP_S = 0.015
# The least time between two forecasts, and how many times its own cost.
LEAST_BETWEEN_S = 3.0
PATIENCE = 40.0
# Fewer past runs say nothing.
LEAST_RUNS = 3
# From how long on it is asked what more slots would do.
LEAST_FOR_MORE_S = 20.0


class QueueForecast:
    """When some jobs of a queue, and all of it, will be done: a `Stepwise`.

    Args:
        of: ids of the jobs whose own windows are wanted.
        dead: says whether a worker's process is gone.
        retried: ids of failed jobs that are taken to wait again.
    """

    def __init__(
        self,
        of: Collection[str] = (),
        dead: IsDead | None = None,
        retried: Collection[str] = (),
    ) -> None:
        from gigq_core.forecasting.forecast import (
            Forecast,  # here: a console without work needs neither
        )
        from gigq_core.forecasting.outlook import Outlook

        self._outlook = Outlook(of, dead or is_dead, retried=retried)
        self._nothing = Forecast()
        self._steps: Steps | None = None
        self._made = 0
        self._last = self._nothing

    def begin(self) -> None:
        """Forget all: it is another file."""
        self._outlook.begin()
        self._steps = None
        self._last = self._nothing

    def renew(self) -> None:
        """Begin anew; what is known of past runs is kept."""
        self._steps = None

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Forecast]:
        """Do a little of it; the forecast before stands until the new one is there."""
        if self._steps is None:
            self._steps = self._outlook.read(conn, now.timestamp())
            self._made = 0
        steps, self._steps = self._steps, None  # what is broken off begins anew
        try:
            next(steps)
        except StopIteration as ended:
            self._last, _ = ended.value
            return SoFar(self._last, self._made, self._made)
        self._steps = steps
        self._made += 1
        return SoFar(self._last, self._made, self._made + 1)


class AheadOfQueue:
    """Keeps the forecast that the head of every screen shows.

    Args:
        clock: whose monotonic half paces it.
        dead: says whether a worker's process is gone.
    """

    def __init__(self, clock: Clock, dead: IsDead | None = None) -> None:
        self._clock = clock
        self._dead = dead or is_dead
        self._outlook: Outlook | None = None
        self._steps: Steps | None = None
        # Whether anything can be told at all, and whether every slot is taken.
        self._is_wanted = self._is_full = False
        self._slots = 0
        self._began: datetime | None = None
        self._cost_s = 0.0
        self._free_at = float("-inf")
        self.ahead: Ahead | None = None

    def saw(self, counts: Counts, staff: FileWorkers, slots: int) -> None:
        """Take in what a picture of the file says."""
        self._slots = slots
        now = self._clock.now()
        # One of GigQ's whose every job is over its timeout is silent: nothing ends by it.
        others = any(not job.is_over(now) for worker in staff.foreign for job in worker.running)
        works = bool(slots or others) and not staff.paused
        self._is_wanted = works and bool(counts.ready or counts.running)
        # More slots help only while every slot is taken and jobs of ours wait for one.
        self._is_full = counts.running >= slots and counts.ready > 0 and not staff.foreign
        if not self._is_wanted:
            self._steps = self.ahead = None
            self._free_at = float("-inf")

    def due_in(self) -> float | None:
        """Seconds until the next step may be made; None if none is needed."""
        if not self._is_wanted:
            return None
        if self._steps is not None:
            return 0.0
        return max(0.0, self._free_at - self._clock.monotonic())

    def step(self, conn: sqlite3.Connection, now: datetime) -> bool:
        """Make the next steps, for `STEP_S`; returns whether a new forecast came of it."""
        started = self._clock.monotonic()
        steps, self._steps = self._steps, None  # what is broken off begins anew
        if self._outlook is None:
            from gigq_core.forecasting.outlook import (
                Outlook,  # here: a console without work needs none
            )

            self._outlook = Outlook((), self._dead, only_now=True)
        if steps is None:
            more_from_s = LEAST_FOR_MORE_S if self._is_full else math.inf
            steps = self._outlook.read(conn, now.timestamp(), more_from_s=more_from_s)
            self._began, self._cost_s = now, 0.0
            self._free_at = started + LEAST_BETWEEN_S
        before = self.ahead
        try:
            while True:
                next(steps)
                if self._clock.monotonic() - started >= STEP_S:
                    self._steps = steps
                    break
        except StopIteration as ended:
            self._take(*ended.value)
        self._cost_s += self._clock.monotonic() - started
        if self._steps is None:
            rest_s = max(LEAST_BETWEEN_S, PATIENCE * self._cost_s)
            self._free_at = self._clock.monotonic() + rest_s
        return self.ahead != before

    def _take(self, found: Forecast, more: Forecast | None) -> None:
        began = self._began
        self.ahead = None
        if began is None or found.end is None or found.runs < LEAST_RUNS:
            return
        with_more = more.end if more is not None else None
        self.ahead = Ahead(began, found.end, with_more, 2 * self._slots)
