"""Which part of the graph is drawn: all of it, or what lies on one side of a job."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.format import inert, width_of
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import DOWNSTREAM, UPSTREAM
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.graph.focus import Direction, narrowed
from gigq_tui.store.models import Graph


class OutlineHost(Protocol):
    """What the outline needs of its screen."""

    @property
    def cursor_job(self) -> str:
        """The job under the cursor."""

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""


class Outline(Part):
    """What lies in one direction from a job.

    Args:
        job_id: The job around which the graph is.
        host: The screen.
    """

    def __init__(self, job_id: str, host: OutlineHost) -> None:
        self.direction = Direction.ALL
        # The job of which only one side is drawn.
        self.narrowed_to = job_id
        self._host = host

    def shown(self, graph: Graph) -> Graph:
        """The part of the graph that is drawn."""
        return narrowed(graph, self.narrowed_to, self.direction)

    def show_all(self) -> None:
        """Show the whole graph again."""
        self.direction = Direction.ALL
        self._host.draw_graph()

    @does(UPSTREAM)
    def show_upstream(self) -> None:
        """Show only what the job under the cursor waits for, or all again."""
        self._narrow(Direction.UP)

    @does(DOWNSTREAM)
    def show_downstream(self) -> None:
        """Show only what waits for the job under the cursor, or all again."""
        self._narrow(Direction.DOWN)

    def _narrow(self, direction: Direction) -> None:
        if self.direction is direction:
            self.direction = Direction.ALL
        else:
            self.direction, self.narrowed_to = direction, self._host.cursor_job
        self._host.draw_graph()


def job_title(graph: Graph | None, job_id: str) -> str:
    """The name and the short id of a job of the graph."""
    node = graph.nodes.get(job_id) if graph is not None else None
    name = node.row.name if node is not None and node.row is not None else ""
    short = job_id[:8]
    return inert(f"{name} {short}" if width_of(name) < 40 else f"{name[:36]}.. {short}").strip()
