"""What the tree says of the job under its cursor: what it waits for, what it holds, what r does."""

from __future__ import annotations

from datetime import datetime

from gigq_tui.format import clock_time, count, duration, elapsed, inert, plural
from gigq_tui.store.derive import (
    RUNNING_STATES,
    doom_reason,
    first_line,
    run_seconds,
    shown_name,
    state_of,
)
from gigq_tui.store.graph.blame import BAD_ENDS
from gigq_tui.store.graph.focus import to_retry
from gigq_tui.store.graph.tree import blocks, frees
from gigq_tui.store.models import Graph, GraphNode, JobRow, State

_ENDED = {"failed": "FAILED", "timeout": "TIMED OUT", "cancelled": "was cancelled"}


def outlook(graph: Graph, id: str, now: datetime) -> str:
    """Return one or two sentences about a job of the graph."""
    node = graph.nodes.get(id)
    if node is None:
        return ""
    if node.row is None:
        return f"There is no job {inert(id)} in the file; {_held(graph, id)}."
    return inert(_about(graph, node, node.row, now))


def _about(graph: Graph, node: GraphNode, row: JobRow, now: datetime) -> str:
    state = state_of(row, now)
    if state in (State.DOOMED, State.BLOCKED):
        return _waiting(graph, node, row, now)
    if row.status in BAD_ENDS:
        return _ended_badly(graph, row, now)
    if state in RUNNING_STATES:
        took = run_seconds(row, now)
        since = f" for {elapsed(took)}" if took is not None else ""
        return f"{row.name}: runs{since}; {_held(graph, row.id)}."
    if state is State.COMPLETED:
        took = run_seconds(row, now)
        took_text = f" in {duration(took)}" if took is not None else ""
        ended = clock_time(row.completed_at, now)
        return f"{row.name}: done{took_text}, at {ended}; {_children(node)}."
    return f"{row.name}: {state.value}, no parent holds it; {_held(graph, row.id)}."


def _waiting(graph: Graph, node: GraphNode, row: JobRow, now: datetime) -> str:
    unmet = max(row.unmet, len(node.unmet))
    needs = f"{row.name}: needs {count(unmet)} of {plural(max(unmet, len(node.parents)), 'parent')}"
    culprit = row.culprit
    if culprit is None:
        return f"{needs}."
    if not row.doomed:
        return f"{needs}; {shown_name(culprit)} is {culprit.problem}."
    if culprit.problem == "missing":
        return f"{needs}; {doom_reason(culprit)}: it can only be cancelled (c)."
    if culprit.problem == "cycle":
        return f"{needs}; {doom_reason(culprit)}: cancel one of them (c)."
    blamed = graph.nodes.get(culprit.id)
    ended = blamed.row.completed_at if blamed is not None and blamed.row is not None else None
    at = f" {clock_time(ended, now)}" if ended is not None else ""
    said = f"{needs}; {shown_name(culprit)} {_ENDED.get(culprit.problem, culprit.problem)}{at}."
    rows = to_retry(graph, (row.id,))
    if len(rows) > 1:
        return f"{said} R retries it and what else failed upstream, {plural(len(rows), 'job')}."
    if blamed is None:
        return said
    return f"{said} R here retries it and frees {plural(frees(graph, culprit.id), 'job')}."


def _ended_badly(graph: Graph, row: JobRow, now: datetime) -> str:
    at = f" {clock_time(row.completed_at, now)}" if row.completed_at is not None else ""
    error = first_line(row.error)
    said = f"{row.name}: {_ENDED[row.status]}{at}"
    if error:
        said += f", {error.rstrip('.')}"
    held = blocks(graph, row.id)
    if not held:
        return f"{said}. r retries it; no job waits for it."
    freed = frees(graph, row.id)
    frees_text = f"all {count(freed)}" if freed == held else count(freed)
    return f"{said}. It holds up {plural(held, 'job')}; r retries it and frees {frees_text}."


def _held(graph: Graph, id: str) -> str:
    held = blocks(graph, id)
    if not held:
        return "no job waits for it"
    return f"{plural(held, 'job')} {'waits' if held == 1 else 'wait'} for it"


def _children(node: GraphNode) -> str:
    children = len(node.children)
    if not children:
        return "nothing depends on it"
    return f"{plural(children, 'job')} {'depends' if children == 1 else 'depend'} on it"
