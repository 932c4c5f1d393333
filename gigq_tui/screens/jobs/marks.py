"""Marking jobs: single rows, a range, or all that match; marks are ids and outlive the rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import MARK, MARK_ALL, MARK_RANGE
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow


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

    @property
    def ids(self) -> tuple[str, ...]:
        """The marked jobs, as they were marked."""
        return tuple(self.rows)

    def chosen_jobs(self) -> ChosenJobs:
        """The marked jobs, or the one under the cursor."""
        if not self.rows:
            return ChosenJobs.of([self._host.current_row()])
        return ChosenJobs(self.ids, tuple(row for row in self.rows.values() if row is not None))

    def refresh_rows(self, rows: Iterable[JobRow]) -> None:
        """Keep the newest rows of the marked jobs."""
        self.rows.update((row.id, row) for row in rows if row.id in self.rows)

    def clear_last(self) -> bool:
        """Forget where a range begins, or else all marks; say whether there was any of it."""
        if self.range_from is not None:
            self.range_from = None
            return True
        if not self.rows:
            return False
        self.rows.clear()
        self._host.table.repaint()
        return True

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
            self.range_from = row.id
            self._notices.tell(f"range starts here: move, then {self._hints(MARK_RANGE)} marks it")
            self._host.draw()
            return
        ends = (self.range_from, row.id)
        self.range_from = None
        rows = table.window.rows
        if (span := _span([known.id for known in rows], ends)) is not None:
            # Rows that went and keep their places for a moment were never meant.
            gone = table.held_order.gone
            self.rows.update((known.id, known) for known in rows[span] if known.id not in gone)
            self._draw()
        else:
            view = self._host.view
            self._host.reads.ask(
                lambda reader: reader.matching_ids(view),
                partial(self._range_known, ends),
                self._warn,
                first=True,
            )

    def _range_known(self, ends: tuple[str, str], ids: tuple[str, ...]) -> None:
        if (span := _span(ids, ends)) is not None:
            self._mark_ids(ids[span])
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
        self._host.table.repaint()
        self._host.draw()


def _span(ids: Iterable[str], ends: tuple[str, str]) -> slice | None:
    """Return where a range lies among some rows, or None where they don't hold both its ends."""
    places = [at for at, job_id in enumerate(ids) if job_id in ends]
    return slice(places[0], places[-1] + 1) if len(places) == len(set(ends)) else None
