"""The list in which each shape of a graph is drawn; its cursor stays on its job in all of them."""

from __future__ import annotations

from datetime import datetime

from gigq_tui.screens.tree.drawing import Drawing, Row
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.row_list import RowList


class GraphList(RowList):
    """Rows of a drawing, of which those that are in view are drawn."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.drawing: Drawing | None = None
        # The job under the cursor; of a row that stands for many, the one that led there.
        self.job_id: str | None = None

    @property
    def total(self) -> int:
        return len(self.drawing.rows) if self.drawing is not None else 0

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        if self.drawing is None or self.cursor >= len(self.drawing.rows):
            return None
        return self.drawing.rows[self.cursor]

    def row_id(self, index: int) -> str | None:
        if self.drawing is None or not 0 <= index < len(self.drawing.rows):
            return None
        return self.drawing.rows[index].id

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        assert self.drawing is not None
        return self.drawing.line(index, width, selected=selected)

    def show(self, drawing: Drawing) -> None:
        """Draw another shape, or the same one as it is now; the cursor stays on its job."""
        same_shape = type(drawing) is type(self.drawing)
        self.drawing = drawing
        self.settle(self._place(drawing) if same_shape else self._place_of_job(drawing))

    def _place(self, drawing: Drawing) -> int | None:
        at = next((at for at, row in enumerate(drawing.rows) if row.id == self.cursor_id), None)
        if at is not None and (self.job_id is None or drawing.rows[at].holds(self.job_id)):
            return at
        found = self._place_of_job(drawing)
        return at if found is None else found

    def _place_of_job(self, drawing: Drawing) -> int | None:
        return None if self.job_id is None else drawing.index_of(self.job_id)

    def tick(self, now: datetime) -> None:
        """Draw the times anew."""
        if self.drawing is not None:
            self.drawing.move_on(now)
            self.repaint()

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the row of a job, or on the one that holds it."""
        index = self.drawing.index_of(job_id) if self.drawing is not None else None
        if index is not None:
            self.job_id = job_id
            self.move_to(index)

    def stand_on(self, index: int) -> None:
        super().stand_on(index)
        row = self.row
        if row is not None and row.jobs and not row.holds(self.job_id or ""):
            self.job_id = row.jobs[0]
