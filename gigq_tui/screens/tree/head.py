"""The head line of a graph: which workflow, how its jobs stand, and in which shape it is drawn."""

from __future__ import annotations

from datetime import datetime

from gigq_core.units.times import local
from gigq_tui.format import MARKS, inert, plural, short_count
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import DOWNSTREAM, HIDE_DONE, UPSTREAM
from gigq_tui.screens.tree.outline import job_title
from gigq_tui.screens.tree.shapes import Shape
from gigq_tui.store.graph.depths import levels
from gigq_tui.store.graph.focus import Direction, tally
from gigq_tui.store.models import Graph
from gigq_tui.widgets.header import WIDE
from gigq_tui.widgets.lines import Line, Span, line_width, spread


def head_line(
    graph: Graph,
    shape: Shape,
    side: tuple[Direction, str],
    *,
    hides_done: bool,
    now: datetime,
    width: int,
    hints: KeyHints,
) -> Line:
    """Say how many jobs there are, in which states, what of them is drawn, and how.

    Args:
        graph: The whole graph.
        shape: How it is drawn.
        side: What of it is, and of which job.
        hides_done: Whether jobs that completed are left out.
        now: The present moment.
        width: The cells of the line.
        hints: How keys are called.
    """
    wide = width >= WIDE
    spans: list[Span] = [(f" {_title(graph, now)}", "title")] if graph.workflow else []
    spans.append((f"{'  ' if spans else ' '}{plural(len(graph.nodes), 'job')}", "title"))
    if graph.truncated:
        spans.append((" (nearest only)", "warn"))
    if wide and not graph.workflow:
        spans.append((f", {plural(levels(graph), 'level')}", "dim"))
    for state, number in tally(graph, now).items():
        mark = MARKS[state]
        spans.append((f"  {mark.word if wide else mark.brief} {short_count(number)}", mark.role))
    notes: list[Span] = []
    direction, job_id = side
    if direction is not Direction.ALL:
        key = hints(UPSTREAM if direction is Direction.UP else DOWNSTREAM)
        notes.append((f"{direction.value} of {job_title(graph, job_id)} ({key})  ", "warn"))
    if hides_done:
        notes.append((f"done hidden ({hints(HIDE_DONE)})  ", "warn"))
    shapes = _shapes(shape)
    right: Line = (*notes, *shapes)
    if line_width(tuple(spans)) + line_width(right) + 3 > width:
        right = (*notes, (f"[{shape.value}] ", "key"))
    return spread(tuple(spans), right, width)


def _title(graph: Graph, now: datetime) -> str:
    """The workflow, and when this run of it was submitted."""
    name = inert(graph.workflow)
    row = graph.nodes[graph.focus].row if graph.focus in graph.nodes else None
    if row is None or row.created_at is None:
        return name
    here = local(row.created_at)
    if here.date() == local(now).date():
        return f"{name} {here:%H:%M}"
    return f"{name} {here:%Y-%m-%d}"


def _shapes(shown: Shape) -> Line:
    spans: list[Span] = []
    for shape in Shape:
        is_shown = shape is shown
        spans.append(
            (f"[{shape.value}]" if is_shown else shape.value, "key" if is_shown else "dim")
        )
        spans.append((" ", ""))
    return tuple(spans)
