"""What the tree says of the job under its cursor: what it waits for, blocks, and a retry frees."""

from __future__ import annotations

from datetime import datetime

from gigq_core.graph.blame import BAD_ENDS
from gigq_core.graph.blocking import (
    blocked_by,
    blocking,
    blocks_in_words,
    freed_by,
    retry_in_words,
)
from gigq_core.reasons.why import (
    RUNNING_STATES,
    State,
    done_words,
    doom_reason,
    first_line,
    run_seconds,
    shown_name,
    state_of,
    told_reason,
)
from gigq_core.status import JobStatus
from gigq_core.units.moments import clock_time
from gigq_tui.format import count, duration, elapsed, inert, plural
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import CANCEL, RETRY
from gigq_tui.keys.screen_actions import RETRY_UP
from gigq_tui.store.graph.focus import to_retry
from gigq_tui.store.models import Graph, GraphNode, JobRow

_ENDED = {
    JobStatus.FAILED.value: "FAILED",
    JobStatus.TIMEOUT.value: "TIMED OUT",
    JobStatus.CANCELLED.value: "was cancelled",
}


def job_sentence(graph: Graph, id: str, now: datetime, hints: KeyHints = DEFAULT_HINTS) -> str:
    """Return one or two sentences about a job of the graph.

    Args:
        graph: The graph.
        id: The job.
        now: The present moment.
        hints: How keys are called.
    """
    node = graph.nodes.get(id)
    if node is None:
        return ""
    if node.row is None:
        return f"There is no job {inert(id)} in the file; it {_blocks(graph, id)}."
    return inert(_about(graph, node, node.row, now, hints))


def _about(graph: Graph, node: GraphNode, row: JobRow, now: datetime, hints: KeyHints) -> str:
    state = state_of(row, now)
    if state in (State.DOOMED, State.BLOCKED):
        return _blocked(graph, node, row, now, hints)
    if row.status in BAD_ENDS:
        return _ended_badly(graph, row, now, hints)
    if state in RUNNING_STATES:
        took = run_seconds(row, now)
        since = f" for {elapsed(took)}" if took is not None else ""
        since += f", {done_words(row.progress)}" if row.progress is not None else ""
        return f"{row.name}: runs{since}; {_blocks(graph, row.id)}."
    if state is State.COMPLETED:
        took = run_seconds(row, now)
        took_text = f" in {duration(took)}" if took is not None else ""
        ended = clock_time(row.completed_at, now)
        return f"{row.name}: done{took_text}, at {ended}; {_children(node)}."
    return f"{row.name}: {state.value}, not blocked; {_blocks(graph, row.id)}."


def _blocked(graph: Graph, node: GraphNode, row: JobRow, now: datetime, hints: KeyHints) -> str:
    unmet = max(row.unmet, len(node.unmet))
    parents = plural(max(unmet, len(node.parents)), "parent")
    needs = f"{row.name}: {count(unmet)} of {parents} not done"
    culprit = row.culprit
    if culprit is None:
        return f"{needs}."
    if culprit.told:
        return f"{needs}; {told_reason(culprit)}."
    if not row.doomed:
        return f"{needs}; {shown_name(culprit)} is {culprit.problem}."
    if culprit.problem == "missing":
        return f"{needs}; {doom_reason(culprit)}: it can only be cancelled ({hints(CANCEL)})."
    if culprit.problem == "cycle":
        return f"{needs}; {doom_reason(culprit)}: cancel one of them ({hints(CANCEL)})."
    blamed = graph.nodes.get(culprit.id)
    ended = blamed.row.completed_at if blamed is not None and blamed.row is not None else None
    at = f" {clock_time(ended, now)}" if ended is not None else ""
    said = f"{needs}; {shown_name(culprit)} {_ENDED.get(culprit.problem, culprit.problem)}{at}."
    rows = to_retry(graph, (row.id,))
    freed = len(freed_by(graph.waits, [row.id for row in rows]))
    if len(rows) > 1:
        all_of_them = f"retries all {count(len(rows))} failed upstream jobs"
        return f"{said} {hints(RETRY_UP)} {all_of_them} and frees {count(freed)}."
    if blamed is None:
        return said
    return f"{said} {hints(RETRY_UP)} retries it and frees {plural(freed, 'job')}."


def _ended_badly(graph: Graph, row: JobRow, now: datetime, hints: KeyHints) -> str:
    at = f" {clock_time(row.completed_at, now)}" if row.completed_at is not None else ""
    error = first_line(row.error)
    said = f"{row.name}: {_ENDED[row.status]}{at}"
    if error:
        said += f", {error.rstrip('.')}"
    numbers = blocking(graph.waits, [row.id], children=0)
    if not numbers.blocks:
        return f"{said}. It {_blocks(graph, row.id)}. {hints(RETRY)} retries it."
    return f"{said}. {retry_in_words(numbers, one=hints(RETRY), all=hints(RETRY_UP))}"


def _blocks(graph: Graph, id: str) -> str:
    return blocks_in_words(len(blocked_by(graph.waits, [id])))


def _children(node: GraphNode) -> str:
    children = len(node.children)
    return plural(children, "direct child", "direct children") if children else "no children"
