"""`gigq-core tree`: the dependencies around a job, as branches."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

import click

from gigq_core.blame import Culprit
from gigq_core.branches import (
    ASCII_ART,
    BOX_ART,
    Folding,
    Jobs,
    LineKind,
    TreeLine,
    branches,
    tree_lines,
)
from gigq_core.cli.completion import complete_job_id
from gigq_core.cli.options import json_option
from gigq_core.cli.output import cell, say, terminal_columns, width, write_json
from gigq_core.cli.settings import Settings
from gigq_core.job_graph import BLOCKED, DOOMED, MISSING, GraphJob, JobGraph
from gigq_core.status import JobStatus

SHORT_ID = 8
# In a graph with so many jobs, branches of which all is done are one line.
LARGE_GRAPH = 200
STATE_COLUMNS = 11
LEAST_NOTE = 12
# What is wrong first.
_ORDER = (
    *(JobStatus.FAILED.value, JobStatus.TIMEOUT.value, DOOMED, MISSING),
    *(JobStatus.RUNNING.value, JobStatus.PENDING.value, BLOCKED, JobStatus.COMPLETED.value),
)
_ENDS = {
    JobStatus.FAILED.value: "failed",
    JobStatus.TIMEOUT.value: "timed out",
    JobStatus.CANCELLED.value: "was cancelled",
    "missing": "is missing",
    "cycle": "closes a dependency cycle",
}


@click.command()
@click.argument("job_id", shell_complete=complete_job_id)
@click.option("--all", "every", is_flag=True, help="A line for each job, however alike they are.")
@json_option
@click.pass_obj
def tree(settings: Settings, job_id: str, every: bool, as_json: bool) -> None:
    """Show the dependencies around a job, as a tree with the state of each job.

    Each job stands once, below the first of its parents; jobs that look alike are one line, and
    so are, among 200 jobs and more, branches in which all is done. Of more than 5,000 jobs the
    nearest are shown.

    JSON: {"id", "truncated" (whether there are more jobs), "nodes": an array of {"id", "name",
    "function", "status", "state" (the status, or "blocked", "doomed": it never runs as things
    stand, or "missing": there is no such job), "culprit" (null, or {"id", "name", "problem"}: whom
    it waits for)}, "edges": an array of {"parent", "child", "met"}}.
    """
    with settings.viewing() as view:
        graph = view.graph(view.resolve(job_id))
    if as_json:
        write_json(_as_json(graph))
        return
    for line in _drawn(graph, every=every, columns=terminal_columns()):
        say(line)


def _as_json(graph: JobGraph) -> dict[str, object]:
    return {
        "id": graph.focus,
        "truncated": graph.truncated,
        "nodes": [
            {
                "id": job.id,
                "name": job.name,
                "function": job.function,
                "status": job.status or None,
                "state": job.state,
                "culprit": _culprit_as_json(job.culprit),
            }
            for job in graph.jobs.values()
        ],
        "edges": [
            {"parent": parent, "child": child, "met": met}
            for (child, parent), met in graph.met.items()
        ],
    }


def _culprit_as_json(culprit: Culprit | None) -> dict[str, str] | None:
    if culprit is None:
        return None
    return {"id": culprit.id, "name": culprit.name, "problem": culprit.problem}


def _drawn(graph: JobGraph, *, every: bool, columns: int | None) -> Iterator[str]:
    """The lines; cut to so many columns, if given."""
    counts = Counter(job.state for job in graph.jobs.values())
    states = [*_ORDER, *sorted(set(counts) - set(_ORDER))]
    told = ", ".join(f"{counts[state]:,} {cell(state)}" for state in states if counts[state])
    jobs = f"{len(graph.jobs):,} job{'s' if len(graph.jobs) > 1 else ''}"
    yield f"{jobs}{' (the nearest only)' if graph.truncated else ''}: {told}"
    lines = tree_lines(
        Jobs(
            graph.roots,
            graph.children,
            {id: job.name for id, job in graph.jobs.items() if job.state != MISSING},
            frozenset(id for id, job in graph.jobs.items() if _is_done(job)),
            lambda id: graph.jobs[id].state,
        ),
        Folding(alike=not every, done=not every and len(graph.jobs) >= LARGE_GRAPH),
    )
    art = BOX_ART if "utf" in (sys.stdout.encoding or "").lower() else ASCII_ART
    most = 10_000 if columns is None else max(20, columns * 45 // 100)
    names = [_called(graph, line) for line in lines]
    before = [branches(line, most // 2, art) for line in lines]
    room = min(most, max(width(a) + width(b) for a, b in zip(before, names, strict=True)))
    for line, branch, name in zip(lines, before, names, strict=True):
        head = branch + _cut(name, room - width(branch))
        text = f"{head}{' ' * (room - width(head))}  {_rest(graph, line)}".rstrip()
        yield text if columns is None else _cut(text, columns)


def _called(graph: JobGraph, line: TreeLine) -> str:
    if line.folded:
        alike = f" like {cell(line.stem)}*" if line.stem and line.kind is LineKind.FOLD else ""
        return f"... {len(line.folded):,} more{alike}"
    return cell(graph.jobs[line.id].name or line.id[:SHORT_ID])


def _rest(graph: JobGraph, line: TreeLine) -> str:
    """What stands behind the name: the id, the state, and why."""
    job = graph.jobs[line.id]
    if line.kind is LineKind.CYCLE:
        return "! dependency cycle back to the job above"
    if line.shown_above:
        return "(shown above)"
    notes = [_why(job)] if line.kind is not LineKind.FOLD else []
    if line.hidden:
        notes.append(f"+{len(line.hidden):,} below")
    if line.id == graph.focus and line.kind is not LineKind.FOLD:
        notes.append("<- this job")
    shown = "" if line.kind is LineKind.FOLD else cell(job.id[:SHORT_ID])
    text = f"{shown:{SHORT_ID}}  {cell(job.state):{STATE_COLUMNS}}"
    return "  ".join(filter(None, (text, *notes)))


def _why(job: GraphJob) -> str:
    culprit = job.culprit
    if culprit is None:
        return ""
    name = cell(culprit.name or culprit.id[:SHORT_ID])
    if job.state == DOOMED:
        return f"never runs: {name} {_ENDS.get(culprit.problem, culprit.problem)}"
    return f"waits for {name} ({culprit.problem})"


def _is_done(job: GraphJob) -> bool:
    return job.status == JobStatus.COMPLETED.value


def _cut(text: str, room: int) -> str:
    """The text in so many columns, with two dots where something was left out."""
    if width(text) <= room:
        return text
    while text and width(text) > room - 2:
        text = text[:-1]
    return f"{text.rstrip()}.."
