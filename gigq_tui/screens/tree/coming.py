"""What is to come of a graph: its forecast, made in steps while somebody looks at it."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from gigq_core.forecasting.forecast import Forecast
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, SteppedRead, StepsHost
from gigq_tui.screens.tree.drawing import Drawing
from gigq_tui.screens.tree.timeline_drawing import TimelineDrawing
from gigq_tui.store.clock import Clock
from gigq_tui.store.forecast import QueueForecast
from gigq_tui.store.graph.expected import Made, graph_forecast, to_retry_for_all
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
    """Keeps the newest forecast of one graph: as things stand, and if what failed is retried.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
    """

    def __init__(self, host: ComingHost, view: PausedView, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._readings = (
            SteppedRead[Forecast](host, view, clock, partial(self._received, 0)),
            SteppedRead[Forecast](host, view, clock, partial(self._received, 1)),
        )
        self._graph: Graph | None = None
        # The jobs of the graph, and those that failed.
        self._asked: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
        self._newest: list[Made | None] = [None, None]

    def look_at(self, graph: Graph) -> None:
        """Make a forecast of this graph, unless that goes on already."""
        if graph is self._graph:
            return
        self._graph = graph
        ids, retried = frozenset(graph.nodes), frozenset(to_retry_for_all(graph))
        ids_before, retried_before = self._asked
        self._asked = ids, retried
        if ids != ids_before:
            self._readings[0].read(QueueForecast(ids))
        if retried and (ids, retried) != (ids_before, retried_before):
            self._newest[1] = None
            self._readings[1].read(QueueForecast(ids, retried=retried))

    def keep_up(self) -> None:
        """Go on with what is being made; the screen calls it each `PACE_S`."""
        for reading in self._readings:
            reading.keep_up()

    def take_news(self) -> None:
        """Something was written: make them anew, once that is affordable."""
        if isinstance(self._host.drawing, TimelineDrawing):
            for reading in self._readings:
                reading.take_news()

    def _received(self, which: int, so_far: SoFar[Forecast]) -> None:
        known = self._newest[which]
        if so_far.done and (known is None or so_far.value is not known.forecast):
            self._newest[which] = Made(so_far.value, self._clock.now())
            if isinstance(self._host.drawing, TimelineDrawing):
                self._host.draw_graph()

    def of(self, graph: Graph) -> GraphForecast | None:
        """What is to come of the graph; None until it has been worked out."""
        known, if_retried = self._newest
        if known is None:
            return None
        _, retried = self._asked
        return graph_forecast(graph, known, if_retried if retried else None, len(retried))
