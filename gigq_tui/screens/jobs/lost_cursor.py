"""The cursor's way back: to the job that it was on, once an undo has brought that back."""

from __future__ import annotations

from collections.abc import Callable

from gigq_core.status import Change
from gigq_tui.actions.report import Report
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.jobs.window import index_of
from gigq_tui.store.models import Window


class LostCursor:
    """Knows when the cursor's job left the list, and puts the cursor back on it after an undo.

    A job that comes back for another reason is left alone: whoever has looked at the row under the
    cursor since must not find another one there.

    Args:
        table: The list.
        last_report: What the last action on jobs came to.
    """

    def __init__(self, table: JobTable, last_report: Callable[[], Report | None]) -> None:
        self._table = table
        self._last_report = last_report
        # Which job it was, and what the last action was then.
        self._lost: str | None = None
        self._report: Report | None = None

    def look(self, window: Window) -> None:
        """Look at the rows that the table gets next."""
        lost, report = self._lost, self._last_report()
        if report is None or report is self._report or lost != self._table.lost_id:
            return
        restored = {o.job_id for o in report.outcomes if o.change is Change.RESTORED}
        if lost is not None and lost in restored and index_of(window, lost) is not None:
            # From the next rows on.
            self._table.cursor_id, self._table.lost_id = lost, None

    def note(self) -> None:
        """Note what the table has lost with the rows that it got."""
        if self._table.lost_id != self._lost:
            self._lost, self._report = self._table.lost_id, self._last_report()
