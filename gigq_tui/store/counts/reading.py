"""Reading counts in steps, and the names of what jobs can be counted by."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gigq_core.grouping.counting import PLAIN_KEYS, Counting, CountKey, Counts, names_within
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.filter.sql import Context
from gigq_tui.store.models import Tab
from gigq_tui.store.stepwise import STEP_S, SoFar

# So many values are shown, and so many second values below each.
MOST_VALUES, MOST_PARTS = 200, 20
# How many names of parameters and results are offered, at most.
MOST_NAMES = 50
# The run times of so many values are read in one step.
AT_ONCE = 40
# What is known so far is put together anew once so many times its own cost has passed.
_PATIENCE = 8.0


@dataclass(frozen=True)
class Counted:
    """What is known of a count.

    `is_whole` says that all jobs have been counted once; `order` is that of `counts`.
    """

    keys: tuple[CountKey, ...]
    counts: Counts
    order: str
    is_whole: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every value is among those that are shown."""
        counts = self.counts
        return counts.values <= len(counts.groups) and all(
            one.parts <= len(one.then) for one in counts.groups
        )


class CountsReading:
    """Counts jobs; a `Stepwise`. What was counted wholly stays until it is counted anew.

    Args:
        keys: What they are counted by.
        tab: Only the jobs of this tab,
        filter: and of those, the ones that this lets through.
        order: Which values come first; see `gigq_core.grouping.counting.ORDERS`.
        lost_workers: The ids of workers that are gone, for the filter.
    """

    def __init__(
        self,
        keys: Sequence[CountKey],
        tab: Tab = Tab.ALL,
        filter: Filter = NO_FILTER,
        order: str = "jobs",
        lost_workers: Sequence[str] = (),
    ) -> None:
        self.keys = tuple(keys)
        self.tab, self.filter, self.order = tab, filter, order
        self._lost_workers = tuple(lost_workers)
        self.begin()

    def begin(self) -> None:
        """Forget all."""
        self._known = Counted(self.keys, Counts(), self.order)
        self._told_at = self._telling_s = 0.0
        self.renew()

    def renew(self) -> None:
        """Count all anew, beside what is known."""
        self._counting: Counting | None = None
        # Whose run times are still to be read, once all is counted; and those that were.
        self._untimed: list[int] | None = None
        self._medians: dict[int, float] = {}

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Counted]:
        """Count some more jobs."""
        counting = self._counting or self._begin(schema, now)
        is_done = self._time(conn, counting) if counting.done else counting.step(conn)
        self._counting = counting
        if is_done and self._untimed is None:
            self._untimed = counting.shown_ids(conn, MOST_VALUES, MOST_PARTS)
            is_done = not self._untimed
        began = time.perf_counter()
        is_due = began - self._told_at >= _PATIENCE * self._telling_s
        if is_done or (not self._known.is_whole and is_due):
            medians = self._medians
            if not is_done:
                ids = counting.shown_ids(conn, AT_ONCE, AT_ONCE)
                medians = counting.medians(conn, ids[:AT_ONCE])
            counts = counting.counts(conn, MOST_VALUES, MOST_PARTS, medians)
            self._known = Counted(self.keys, counts, counting.order, is_whole=is_done)
            self._told_at = time.perf_counter()
            self._telling_s = self._told_at - began
        rows = counting.rows if is_done else max(counting.rows, counting.read + 1)
        return SoFar(self._known, counting.read, rows)

    def _time(self, conn: sqlite3.Connection, counting: Counting) -> bool:
        """Read the run times of some more values; say whether those were the last."""
        assert self._untimed is not None
        some, left = self._untimed[:AT_ONCE], self._untimed[AT_ONCE:]
        found = counting.medians(conn, some)
        self._medians |= found
        self._untimed = left
        return not left

    def _begin(self, schema: FileSchema, now: datetime) -> Counting:
        context = Context(
            now,
            schema.attached,
            schema.job_columns,
            self._lost_workers,
            schema.execution_columns,
            schema.indexes,
        )
        condition, values = self.filter.sql(context)
        status = None if self.tab is Tab.ALL else self.tab.value
        return Counting(
            self.keys,
            condition if self.filter else "true",
            values,
            status=status,
            order=self.order,
            step_s=STEP_S / 2,
        )


class NamesReading:
    """Reads what the newest jobs can be counted by, in one step; a `Stepwise`."""

    def begin(self) -> None:
        """Know nothing, as always."""

    def renew(self) -> None:
        """Know nothing, as always."""

    def step(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime
    ) -> SoFar[tuple[str, ...]]:
        """Read the names: of parameters, then what every job has, then of results."""
        params = names_within(conn, "param", MOST_NAMES)
        results = names_within(conn, "result", MOST_NAMES)
        return SoFar((*params, *PLAIN_KEYS, *results), 1, 1)
