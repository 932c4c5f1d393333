"""Marking jobs: single rows, a range, or all that match; marks are ids and outlive the rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CLEAR_FINISHED, MARK, MARK_ALL, MARK_RANGE
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.jobs import clear
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs, trouble_of
from gigq_tui.services import Services
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow


class Marking(ConsoleScreen, inherit_bindings=False):
    """A screen around a job table whose acts are about the marked jobs, if there are any."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.marked: dict[str, JobRow | None] = {}
        self.range_from: str | None = None

    @property
    def table(self) -> JobTable:
        """The table of jobs."""
        return self.query_one(JobTable)

    @property
    def view(self) -> View:
        """What is looked at."""
        return self.services.picture.view

    def refresh_parts(self) -> None:
        """Draw what depends on the cursor, the marks and the filter."""

    def draw_status(self) -> None:
        """Draw the filter and the marks."""

    def marked_count(self) -> int:
        return len(self.marked)

    def chosen_jobs(self) -> ChosenJobs:
        """The marked jobs, or the one under the cursor."""
        if not self.marked:
            return ChosenJobs.of([self.current_row()])
        rows = tuple(row for row in self.marked.values() if row is not None)
        return ChosenJobs(tuple(self.marked), rows)

    def acted(self) -> None:
        """Something was done to the chosen jobs: the marks have served."""
        self.marked.clear()
        if self.is_mounted:
            self.table.repaint()
            self.draw_status()

    @does(CLEAR_FINISHED)
    def do_clear_finished(self) -> None:
        """Say what clearing finished jobs would do, and do it where it is chosen."""
        clear.begin(self)

    @does(MARK)
    def do_mark(self) -> None:
        """Mark the row, or take its mark away, and go one down."""
        row = self.current_row()
        if row is None:
            return
        if row.id in self.marked:
            del self.marked[row.id]
        else:
            self.marked[row.id] = row
        self.table.step(1)
        self.table.repaint()
        self.refresh_parts()

    @does(MARK_RANGE)
    def do_mark_range(self) -> None:
        """Begin a range at the cursor, or mark all from where it began to the cursor."""
        row = self.current_row()
        if row is None:
            return
        if self.range_from is None:
            self.range_from = row.id
            self.console.notice(
                f"range starts here: move, then {self.console.hints(MARK_RANGE)} marks it"
            )
            self.draw_status()
            return
        ends = (self.range_from, row.id)
        self.range_from = None
        rows = self.table.window.rows
        places = [at for at, known in enumerate(rows) if known.id in ends]
        if len(places) == len(set(ends)):
            # Rows that went and keep their places for a moment were never meant.
            between = rows[places[0] : places[-1] + 1]
            self._mark(row for row in between if row.id not in self.table.gone)
        else:
            self.ask_first("matching_ids", self.view, partial(self._range_known, ends))

    def _range_known(self, ends: tuple[str, str], answer: Any) -> None:
        if not isinstance(answer, tuple):
            self.console.notice(trouble_of(answer), "warn")
            return
        places = [at for at, job_id in enumerate(answer) if job_id in ends]
        if len(places) == len(set(ends)):
            self._mark_ids(answer[places[0] : places[-1] + 1])
        else:
            self.console.notice("The row where the range started is gone.", "warn")

    def _mark(self, rows: Iterable[JobRow]) -> None:
        self.marked.update((row.id, row) for row in rows)
        self.table.repaint()
        self.refresh_parts()

    def _mark_ids(self, ids: Iterable[str]) -> None:
        known = {row.id: row for row in self.table.window.rows}
        for job_id in ids:
            self.marked[job_id] = known.get(job_id, self.marked.get(job_id))
        self.table.repaint()
        self.refresh_parts()

    @does(MARK_ALL)
    def do_mark_all(self) -> None:
        """Mark every job that the tab and the filter let through."""
        self.ask_first("matching_ids", self.view, self._all_known)

    def _all_known(self, answer: Any) -> None:
        if isinstance(answer, tuple):
            self._mark_ids(answer)
        else:
            self.console.notice(trouble_of(answer), "warn")
