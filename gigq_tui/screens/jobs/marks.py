"""Marking jobs: single rows, a range, or all that match; marks are ids and outlive the rows.

A range goes from where it was begun to the cursor, wherever that moves; its rows are painted as
marked meanwhile, and what acts on marked jobs ends it and takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

from gigq_tui.format import plural
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import (
    CANCEL,
    CLEAR_FINISHED,
    LOWER_PRIORITY,
    MARK,
    MARK_ALL,
    MARK_RANGE,
    RAISE_PRIORITY,
    RETRY,
)
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow, Tab

# What is about the marked jobs.
_TAKES_MARKS = frozenset(
    action.id for action in (CANCEL, RETRY, RAISE_PRIORITY, LOWER_PRIORITY, CLEAR_FINISHED, COPY)
)


class MarkHost(Protocol):
    """What the part needs of its screen."""

    @property
    def table(self) -> JobTable:
        """The rows that are marked."""

    @property
    def view(self) -> View:
        """What is listed."""

    @property
    def is_whole(self) -> bool:
        """Whether its widgets are there."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out which jobs match."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""

    def draw(self) -> None:
        """Draw what depends on the cursor, the marks and the view."""

    def perform(self, action: Action) -> None:
        """Do an action."""


class Marks(Part):
    """The marked jobs, and where a range of them begins.

    Args:
        host: The screen.
        notices: Where it is told what a range needs.
        hints: What keys are called.

    Attributes:
        rows: The marked jobs by id; None where a job's row was never in memory.
        range_from: The id of the job where a range begins, or None.
    """

    def __init__(self, host: MarkHost, notices: Tells, hints: KeyHints = DEFAULT_HINTS) -> None:
        self._host = host
        self._notices = notices
        self._hints = hints
        self.rows: dict[str, JobRow | None] = {}
        self.range_from: str | None = None
        # Where that row was, and which rows in memory lie between it and the cursor.
        self._begun_at = 0
        self._in_range: frozenset[str] = frozenset()
        # The lists in which jobs were marked, by tab and filter.
        self._marked_in: set[tuple[Tab, str]] = set()

    def __contains__(self, job_id: object) -> bool:
        """Whether a job is marked, or lies in the range."""
        return job_id in self.rows or job_id in self._in_range

    @property
    def count(self) -> int:
        """How many jobs are marked, with those of the range."""
        added = len(self._in_range.difference(self.rows))
        if self.range_from is None or self.range_from in self._in_range:
            return len(self.rows) + added
        # Not all of it is in memory.
        return len(self.rows) + abs(self._host.table.cursor - self._begun_at) + 1

    @property
    def ids(self) -> tuple[str, ...]:
        """The marked jobs, as they were marked."""
        return tuple(self.rows)

    def chosen_jobs(self) -> ChosenJobs:
        """The marked jobs, or the one under the cursor."""
        row = self._host.current_row()
        if not self.rows:
            return replace(
                ChosenJobs.of([row]), stale=self._stale(() if row is None else (row.id,))
            )
        rows = tuple(each for each in self.rows.values() if each is not None)
        return ChosenJobs(self.ids, rows, self._told(), self._stale(self.ids))

    def _stale(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of some jobs of which no row is in memory as it is now."""
        table, row = self._host.table, self._host.current_row()
        shown = {each.id for each in table.window.rows}
        if row is not None:
            # It may be followed where the list does not hold it.
            shown.add(row.id)
        return frozenset(ids) - shown | frozenset(ids) & table.held_order.gone

    def _told(self) -> tuple[str, ...]:
        """What a question says of marked jobs that the list doesn't show."""
        window, view = self._host.table.window, self._host.view
        if len(window.rows) == window.matching:
            hidden = len(self.rows.keys() - {row.id for row in window.rows})
            are = plural(hidden, "of them is", "of them are")
            return (f"{are} not in this list.",) if hidden else ()
        here = (view.tab, view.filter.text)
        elsewhere = any(place != here for place in self._marked_in)
        return ("Some of them were marked in another list.",) if elsewhere else ()

    def refresh_rows(self, rows: Iterable[JobRow]) -> None:
        """Keep the newest rows of the marked jobs."""
        self.rows.update((row.id, row) for row in rows if row.id in self.rows)

    def clear_last(self) -> bool:
        """Forget where a range begins, or else all marks; say whether there was any of it."""
        if self.range_from is not None:
            self.drop_range()
            return True
        if not self.rows:
            return False
        self.rows.clear()
        self._marked_in.clear()
        self._host.table.repaint()
        return True

    def drop_range(self) -> None:
        """Let no range go on; what was marked before stays."""
        self.range_from = None
        self._in_range = frozenset()
        self._host.table.repaint()

    def follow_cursor(self) -> None:
        """Let the range reach to the cursor."""
        before, self._in_range = self._in_range, self._rows_in_range()
        if before != self._in_range:
            self._host.table.repaint()

    def _rows_in_range(self) -> frozenset[str]:
        """The rows in memory that lie in the range, without those that have gone."""
        if self.range_from is None:
            return frozenset()
        table, row = self._host.table, self._host.current_row()
        rows, first = table.window.rows, table.window.start
        begun = next((at for at, known in enumerate(rows) if known.id == self.range_from), None)
        if begun is not None:
            begun += first
        elif not first <= self._begun_at < first + len(rows):
            begun = self._begun_at
        if row is None or begun is None:
            return frozenset()
        ends = sorted((begun, table.cursor))
        low, high = max(0, ends[0] - first), max(0, ends[1] - first + 1)
        gone = table.held_order.gone
        return frozenset(known.id for known in rows[low:high] if known.id not in gone)

    def forestalls(self, action: Action) -> bool:
        """What is about marked jobs takes those of the range: once it is known which they are."""
        if self.range_from is None or action.id not in _TAKES_MARKS:
            return False
        return not self._end_range(partial(self._host.perform, action))

    def clear(self) -> None:
        """Something was done to the marked jobs: the marks have served."""
        self.rows.clear()
        if self._host.is_whole:
            self._draw()

    @does(MARK)
    def mark(self) -> None:
        """Mark the row, or take its mark away, and go one down."""
        row = self._host.current_row()
        if row is None:
            return
        if row.id in self.rows:
            del self.rows[row.id]
        else:
            self.rows[row.id] = row
        self._host.table.step(1)
        self._draw()

    @does(MARK_RANGE)
    def mark_range(self) -> None:
        """Begin a range at the cursor, or mark all from where it began to the cursor."""
        row, table = self._host.current_row(), self._host.table
        if row is None:
            return
        if self.range_from is None:
            self.range_from, self._begun_at = row.id, table.cursor
            self._notices.tell(
                "range starts here: move to extend it; an action takes all of it, "
                f"{self._hints(MARK_RANGE)} ends it"
            )
            self._host.draw()
            return
        self._end_range()

    def _end_range(self, then: Callable[[], None] | None = None) -> bool:
        """Mark what lies in the range; false where that is read first, and `then` called."""
        row, table = self._host.current_row(), self._host.table
        if row is None or self.range_from is None:
            return True
        ends = (self.range_from, row.id)
        self.drop_range()
        rows = table.window.rows
        if (span := _span([known.id for known in rows], ends)) is not None:
            # Rows that went and keep their places for a moment were never meant.
            gone = table.held_order.gone
            self.rows.update((known.id, known) for known in rows[span] if known.id not in gone)
            self._draw()
            return True
        view = self._host.view
        self._host.reads.ask(
            lambda reader: reader.matching_ids(view),
            partial(self._range_known, ends, then),
            self._warn,
            first=True,
        )
        return False

    def _range_known(
        self, ends: tuple[str, str], then: Callable[[], None] | None, ids: tuple[str, ...]
    ) -> None:
        if (span := _span(ids, ends)) is not None:
            self._mark_ids(ids[span])
            if then is not None:
                then()
        else:
            self._notices.tell("The row where the range started is gone.", "warn")

    @does(MARK_ALL)
    def mark_all(self) -> None:
        """Mark every job that the tab and the filter let through."""
        view = self._host.view
        self._host.reads.ask(
            lambda reader: reader.matching_ids(view), self._mark_ids, self._warn, first=True
        )

    def _mark_ids(self, ids: Iterable[str]) -> None:
        known = {row.id: row for row in self._host.table.window.rows}
        for job_id in ids:
            self.rows[job_id] = known.get(job_id, self.rows.get(job_id))
        self._draw()

    def _warn(self, trouble: str) -> None:
        self._notices.tell(trouble, "warn")

    def _draw(self) -> None:
        if self.rows:
            self._marked_in.add((self._host.view.tab, self._host.view.filter.text))
        else:
            self._marked_in.clear()
        self._host.table.repaint()
        self._host.draw()


def _span(ids: Iterable[str], ends: tuple[str, str]) -> slice | None:
    """Return where a range lies among some rows, or None where they don't hold both its ends."""
    places = [at for at, job_id in enumerate(ids) if job_id in ends]
    return slice(places[0], places[-1] + 1) if len(places) == len(set(ends)) else None
