"""What stands below the rows of a graph: of the job under the cursor, or of all that a row has."""

from __future__ import annotations

from gigq_tui.format import inert, plural
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.job_actions import CANCEL, RETRY
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import FOLD_HERE
from gigq_tui.screens.tree.drawing import Drawing, Row
from gigq_tui.screens.tree.job_sentence import job_sentence
from gigq_tui.screens.tree.past_runs import NO_WORKFLOW
from gigq_tui.screens.tree.runs_drawing import RunsDrawing, run_time, task_words
from gigq_tui.screens.tree.timeline_drawing import TimelineDrawing
from gigq_tui.store.models import Graph


def row_sentence(drawing: Drawing, at: int, graph: Graph, hints: KeyHints) -> str:
    """One or two sentences about a row.

    Args:
        drawing: The rows.
        at: Which of them.
        graph: All jobs of the graph.
        hints: How keys are called.
    """
    if isinstance(drawing, RunsDrawing) and not graph.workflow:
        return NO_WORKFLOW
    if not 0 <= at < len(drawing.rows):
        return "" if isinstance(drawing, RunsDrawing) else "No job is left to show."
    if isinstance(drawing, RunsDrawing) and (run := drawing.other_run) is not None:
        jobs = drawing.chosen_jobs(at)
        how = f"{task_words(jobs)}. {hints(OPEN)} opens its tree" if jobs else "not in it"
        return inert(f"Run of {run_time(run, drawing.now)}: {how}.")
    row = drawing.rows[at]
    said = inert(drawing.outlook()) if isinstance(drawing, TimelineDrawing) else ""
    if len(row.jobs) == 1:
        return f"{said} {job_sentence(graph, row.jobs[0], drawing.now, hints)}".strip()
    return f"{said} {_of_many(row, hints) if row.jobs else ''}".strip()


def _of_many(row: Row, hints: KeyHints) -> str:
    jobs = plural(len(row.jobs), "job")
    said = f"{jobs} in one row: {hints(CANCEL)} and {hints(RETRY)} act on all of them"
    if row.fold:
        said += f", {hints(FOLD_HERE)} {'folds' if row.is_open else 'unfolds'}"
    return f"{said}."
