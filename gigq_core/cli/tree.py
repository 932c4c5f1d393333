"""`gigq-core tree`: the dependencies around a job, as branches."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

import click

from gigq_core.cli.completion import complete_job_id
from gigq_core.cli.options import json_option
from gigq_core.cli.output import cell, say, terminal_columns, width, write_json
from gigq_core.cli.settings import Settings
from gigq_core.graph.blame import Culprit
from gigq_core.graph.branches import (
    ASCII_ART,
    BOX_ART,
    Folding,
    Jobs,
    LineKind,
    TreeLine,
    branches,
    tree_lines,
)
from gigq_core.reasons.job_graph import JobGraph
from gigq_core.reasons.why import State, state_of, why

SHORT_ID = 8
# In a graph with so many jobs, branches of which all is done are one line.
LARGE_GRAPH = 200
STATE_COLUMNS = 11
MISSING = "missing"
# What is wrong first.
_WRONG = (State.FAILED, State.TIMEOUT, State.DOOMED, State.ORPHANED, State.OVERDUE)
_ORDER = [state.value for state in (*_WRONG, *(s for s in State if s not in _WRONG))]


@click.command(short_help="Show the dependencies around a job as a tree.")
@click.argument("job_id", shell_complete=complete_job_id)
@click.option("--all", "every", is_flag=True, help="A line for each job, however alike they are.")
@json_option
@click.pass_obj
def tree(settings: Settings, job_id: str, every: bool, as_json: bool) -> None:
    """Draw the dependencies around a job, with their states.

    Each job appears once, below the first of its parents. Jobs that look alike are one line, and so
    are, in graphs of 200 jobs or more, branches in which everything is done. Of more than 5,000
    jobs the nearest are shown.

    JSON: {"id", "truncated" (whether there are more jobs), "nodes": an array of {"id", "name",
    "function", "status", "state" (as in `why`, or "missing": there is no such job), "why" (in
    words, or ""), "culprit" (null, or {"id", "name", "problem"}: whom it waits for)}, "edges": an
    array of {"parent", "child", "met"}}.
    """
    with settings.viewing() as view:
        graph = view.graph(view.resolve(job_id))
    now = datetime.now(timezone.utc)
    states = {
        id: MISSING if job is None else state_of(job, now).value for id, job in graph.jobs.items()
    }
    if as_json:
        write_json(_as_json(graph, states, now))
        return
    for line in _Drawn(graph, states, now).lines(every=every, columns=terminal_columns()):
        say(line)


def _as_json(graph: JobGraph, states: Mapping[str, str], now: datetime) -> dict[str, object]:
    return {
        "id": graph.focus,
        "truncated": graph.truncated,
        "nodes": [
            {
                "id": id,
                "name": job.name if job is not None else None,
                "function": graph.functions.get(id),
                "status": job.status if job is not None else None,
                "state": states[id],
                "why": why(job, now) if job is not None else "",
                "culprit": _culprit_as_json(job.culprit) if job is not None else None,
            }
            for id, job in graph.jobs.items()
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


class _Drawn:
    """A graph as lines for people.

    Args:
        graph: the jobs.
        states: where each of them stands.
        now: the present moment.
    """

    def __init__(self, graph: JobGraph, states: Mapping[str, str], now: datetime) -> None:
        self._graph = graph
        self._states = states
        self._now = now

    def lines(self, *, every: bool, columns: int | None) -> Iterator[str]:
        """The lines; cut to so many columns, if given."""
        graph, states = self._graph, self._states
        counts = Counter(states.values())
        told = ", ".join(
            f"{counts[state]:,} {state}" for state in (*_ORDER, MISSING) if counts[state]
        )
        jobs = f"{len(states):,} job{'s' if len(states) > 1 else ''}"
        yield f"{jobs}{' (the nearest only)' if graph.truncated else ''}: {told}"
        found = tree_lines(
            Jobs(
                graph.roots,
                graph.children,
                {id: job.name for id, job in graph.jobs.items() if job is not None},
                frozenset(id for id, state in states.items() if state == State.COMPLETED.value),
                states.__getitem__,
            ),
            Folding(alike=not every, done=not every and len(states) >= LARGE_GRAPH),
        )
        art = BOX_ART if "utf" in (sys.stdout.encoding or "").lower() else ASCII_ART
        most = 10_000 if columns is None else max(20, columns * 45 // 100)
        names = [self._called(line) for line in found]
        before = [branches(line, most // 2, art) for line in found]
        room = min(most, max(width(a) + width(b) for a, b in zip(before, names, strict=True)))
        for line, branch, name in zip(found, before, names, strict=True):
            head = branch + _cut(name, room - width(branch))
            text = f"{head}{' ' * (room - width(head))}  {self._rest(line)}".rstrip()
            yield text if columns is None else _cut(text, columns)

    def _called(self, line: TreeLine) -> str:
        if line.folded:
            alike = f" like {cell(line.stem)}*" if line.stem and line.kind is LineKind.FOLD else ""
            return f"... {len(line.folded):,} more{alike}"
        job = self._graph.jobs[line.id]
        return cell(job.name if job is not None and job.name else line.id[:SHORT_ID])

    def _rest(self, line: TreeLine) -> str:
        """What stands behind the name: the id, the state, and why."""
        if line.kind is LineKind.CYCLE:
            return "! dependency cycle back to the job above"
        if line.shown_above:
            return "(shown above)"
        is_fold = line.kind is LineKind.FOLD
        notes = [f"+{len(line.hidden):,} below"] if line.hidden else []
        job = self._graph.jobs[line.id]
        if not is_fold and job is not None:
            notes.append(cell(why(job, self._now)))
        if not is_fold and line.id == self._graph.focus:
            notes.insert(0, "<- this job")
        shown = "" if is_fold else cell(line.id[:SHORT_ID])
        text = f"{shown:{SHORT_ID}}  {self._states[line.id]:{STATE_COLUMNS}}"
        return "  ".join(filter(None, (text, *notes)))


def _cut(text: str, room: int) -> str:
    """The text in so many columns, with two dots where something was left out."""
    if width(text) <= room:
        return text
    while text and width(text) > room - 2:
        text = text[:-1]
    return f"{text.rstrip()}.."
