"""The runs of the workflow that a graph is of: read in steps once they are looked at."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import NEWER_RUN, OLDER_RUN
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, SteppedRead, StepsHost
from gigq_tui.screens.tree.drawing import Drawing
from gigq_tui.screens.tree.runs_drawing import RunsDrawing
from gigq_tui.store.clock import Clock
from gigq_tui.store.graph.runs import Run, RunsOfWorkflow
from gigq_tui.store.stepwise import SoFar

NO_WORKFLOW = (
    "These jobs were submitted without a workflow's name, so there are no runs to compare: "
    "Workflow(name).submit_all(queue) gives them one."
)


class RunsHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn."""

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""


class PastRuns(Part):
    """Which runs are known, and which of them the cursor is on.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
        notices: Where it is told that runs are shown elsewhere.

    Attributes:
        chosen: The run that the cursor is on.
        reading: Reads them.
    """

    def __init__(self, host: RunsHost, view: PausedView, clock: Clock, notices: Tells) -> None:
        self.chosen = ""
        self.reading = SteppedRead[tuple[Run, ...]](host, view, clock, self._draw, notices.tell)
        self._notices = notices
        self._host = host
        self._workflow = ""

    def look_at(self, workflow: str, run_id: str) -> None:
        """Read the runs of a workflow; the cursor begins on one of them."""
        if workflow and workflow != self._workflow:
            self._workflow = workflow
            self.chosen = run_id
            self.reading.read(RunsOfWorkflow(workflow))

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have been read, the newest first."""
        so_far = self.reading.so_far
        return so_far.value if so_far is not None else ()

    def take_news(self) -> None:
        """Something was written: read them anew, once that is affordable."""
        if isinstance(self._host.drawing, RunsDrawing):
            self.reading.take_news()

    def _draw(self, so_far: SoFar[tuple[Run, ...]]) -> None:
        if isinstance(self._host.drawing, RunsDrawing):
            self._host.draw_graph()

    @does(OLDER_RUN)
    def show_older(self) -> None:
        """Put the cursor on the run before."""
        self._step(-1)

    @does(NEWER_RUN)
    def show_newer(self) -> None:
        """Put the cursor on the run after."""
        self._step(1)

    def _step(self, step: int) -> None:
        drawing = self._host.drawing
        if not isinstance(drawing, RunsDrawing):
            self._notices.tell("Runs are side by side in the shape Runs.", "warn")
            return
        self.chosen = drawing.beside(step)
        self._host.draw_graph()
