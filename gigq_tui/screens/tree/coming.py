"""What is to come of a graph: its forecast, made in steps while somebody looks at it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from gigq_core.forecast import Forecast
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, SteppedRead, StepsHost
from gigq_tui.screens.tree.drawing import Drawing
from gigq_tui.screens.tree.timeline_drawing import TimelineDrawing
from gigq_tui.store.clock import Clock
from gigq_tui.store.forecast import QueueForecast
from gigq_tui.store.graph.expected import graph_forecast
from gigq_tui.store.graph.timeline import GraphForecast
from gigq_tui.store.models import Graph
from gigq_tui.store.stepwise import SoFar


class ComingHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn."""

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""


class Coming(Part):
    """Keeps the newest forecast of one graph.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.

    Attributes:
        reading: Makes it.
    """

    def __init__(self, host: ComingHost, view: PausedView, clock: Clock) -> None:
        self.reading = SteppedRead[Forecast](host, view, clock, self._received)
        self._host = host
        self._clock = clock
        self._ids: frozenset[str] = frozenset()
        self._newest: tuple[Forecast, datetime] | None = None

    def look_at(self, graph: Graph) -> None:
        """Make a forecast of this graph, unless that goes on already."""
        ids = frozenset(graph.nodes)
        if ids != self._ids:
            self._ids = ids
            self.reading.read(QueueForecast(ids))

    def take_news(self) -> None:
        """Something was written: make it anew, once that is affordable."""
        if isinstance(self._host.drawing, TimelineDrawing):
            self.reading.take_news()

    def _received(self, so_far: SoFar[Forecast]) -> None:
        known = self._newest[0] if self._newest is not None else None
        if so_far.done and so_far.value is not known:
            self._newest = (so_far.value, self._clock.now())
            if isinstance(self._host.drawing, TimelineDrawing):
                self._host.draw_graph()

    def of(self, graph: Graph) -> GraphForecast | None:
        """What is to come of the graph; None until it has been worked out."""
        if self._newest is None:
            return None
        found, at = self._newest
        return graph_forecast(graph, found, at)
