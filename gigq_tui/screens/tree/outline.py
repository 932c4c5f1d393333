"""What of the graph is drawn as a tree: all, or one side of a job; folded, or line by line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gigq_tui.format import MARKS, inert, plural, short_count, width_of
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import DOWNSTREAM, FOLD, UPSTREAM
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.graph.focus import Direction, levels, narrowed, tally
from gigq_tui.store.graph.tree import TreeLine, tree_lines
from gigq_tui.store.models import Graph
from gigq_tui.widgets.header import WIDE
from gigq_tui.widgets.lines import Line, Span, line_width, spread


class OutlineHost(Protocol):
    """What the outline needs of its screen."""

    @property
    def line(self) -> TreeLine | None:
        """The line under the cursor."""

    def draw_tree(self) -> None:
        """Draw the lines anew."""

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the line of a job."""


class Outline(Part):
    """What is left out of the tree.

    Args:
        job_id: The job around which the graph is.
        hints: How keys are called.
        host: The screen.
    """

    def __init__(self, job_id: str, hints: KeyHints, host: OutlineHost) -> None:
        self.is_folded = True
        self.direction = Direction.ALL
        # The job of which only one side is drawn.
        self.narrowed_to = job_id
        self._hints = hints
        self._host = host

    def lines(self, graph: Graph) -> Sequence[TreeLine]:
        """The lines of the tree."""
        return tree_lines(narrowed(graph, self.narrowed_to, self.direction), self.is_folded)

    def head(self, graph: Graph, now: datetime, width: int) -> Line:
        """Say how many jobs there are, in which states, and what of them is drawn."""
        fold = f"{'folded' if self.is_folded else 'unfolded'} ({self._hints(FOLD)})"
        side = self.direction.value
        if self.direction is not Direction.ALL:
            key = self._hints(UPSTREAM if self.direction is Direction.UP else DOWNSTREAM)
            side = f"{side} of {job_title(graph, self.narrowed_to)} ({key})"
        right: Line = (
            (f"{side}  ", "" if self.direction is Direction.ALL else "warn"),
            (fold, "dim"),
        )
        spans: list[Span] = [(f" {plural(len(graph.nodes), 'job')}", "title")]
        if graph.truncated:
            spans.append((" (nearest only)", "warn"))
        wide = width >= WIDE
        if wide:
            spans.append((f", {plural(levels(graph), 'level')}", "dim"))
        for state, number in tally(graph, now).items():
            mark = MARKS[state]
            word = mark.word if wide else mark.short
            spans.append((f"  {word} {short_count(number)}", mark.role))
        if line_width(tuple(spans)) + line_width(right) + 3 > width:
            right = right[:1] if self.direction is not Direction.ALL else ((fold, "dim"),)
        return spread(tuple(spans), (*right, (" ", "")), width)

    @does(UPSTREAM)
    def show_upstream(self) -> None:
        """Show only what the job under the cursor waits for, or all again."""
        self._narrow(Direction.UP)

    @does(DOWNSTREAM)
    def show_downstream(self) -> None:
        """Show only what waits for the job under the cursor, or all again."""
        self._narrow(Direction.DOWN)

    def _narrow(self, direction: Direction) -> None:
        line = self._host.line
        if line is None:
            return
        if self.direction is direction:
            self.direction = Direction.ALL
        else:
            self.direction, self.narrowed_to = direction, line.id
        self._host.draw_tree()
        self._host.select_job(line.id)

    @does(FOLD)
    def toggle_fold(self) -> None:
        """Fold jobs that look alike into one line, or unfold them."""
        line = self._host.line
        self.is_folded = not self.is_folded
        self._host.draw_tree()
        if line is not None:
            self._host.select_job(line.id)


def job_title(graph: Graph | None, job_id: str) -> str:
    """The name and the short id of a job of the graph."""
    node = graph.nodes.get(job_id) if graph is not None else None
    name = node.row.name if node is not None and node.row is not None else ""
    short = job_id[:8]
    return inert(f"{name} {short}" if width_of(name) < 40 else f"{name[:36]}.. {short}").strip()
