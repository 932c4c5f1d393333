"""What the form says it is going to do, as lines: the rows, their place in line, the command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from gigq_core.job import Job, JobOptions
from gigq_core.reasons.why import Health
from gigq_core.schedules.cron import Slot
from gigq_core.schedules.cron import preview as preview_slots
from gigq_core.schedules.slot_text import fill_slot
from gigq_core.status import JobStatus
from gigq_core.units.moments import due_words
from gigq_core.units.spans import span as span_of
from gigq_tui.actions.shell_command import PROGRAM, words_of_submit
from gigq_tui.actions.shell_words import quoted
from gigq_tui.actions.submit import ScheduleTerms, SubmitRequest
from gigq_tui.format import count, cut, inert, masked, plural
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import PAUSE_QUEUE, SPAWN_WORKER
from gigq_tui.screens.parts.slots import NEXT_SLOTS, obeys_words, slot_lines
from gigq_tui.screens.submit.param_specs import MISSING
from gigq_tui.store.models import JobRow, Snapshot
from gigq_tui.widgets.lines import Line, span
from gigq_tui.widgets.question import wrap_words

_MANY_LINES = 12
# As far as places in line are counted.
_FAR = 10_000
_BAD_ENDS = {
    JobStatus.FAILED.value: "has failed",
    JobStatus.TIMEOUT.value: "has timed out",
    JobStatus.CANCELLED.value: "was cancelled",
}


@dataclass(frozen=True)
class Preview:
    """What is known of how the new jobs would fare.

    `ahead` is how many jobs are claimed before the first of them: None if there are too many to
    count, `MISSING` while it is not known. `parents` are the jobs that it depends on by id, None
    for one that is not in the file. `jobs` are those of a file's lines. `changes` is the name of
    the schedule that is changed, `schedules` those that there are, `rule` the rule and zone that
    are typed; `now` is when that was asked.
    """

    ahead: object = MISSING
    parents: dict[str, JobRow | None] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    changes: str = ""
    schedules: frozenset[str] = frozenset()
    rule: tuple[str, str] | None = None
    now: datetime | None = None

    @cached_property
    def slots(self) -> Sequence[Slot]:
        """The next slots of the rule."""
        if self.rule is None or self.now is None:
            return ()
        return preview_slots(*self.rule, NEXT_SLOTS, self.now.timestamp())


def doom_of(row: JobRow | None, id: str = "") -> str:
    """Say why a job that depends on this one would never run; an empty string if it may."""
    if row is None:
        return f"{id[:8]} is not in the queue"
    if row.status in _BAD_ENDS:
        return f"{row.name} {_BAD_ENDS[row.status]}"
    return f"{row.name} can never run" if row.doomed else ""


def preview(
    path: Path,
    request: SubmitRequest | None,
    troubles: Sequence[str],
    snapshot: Snapshot | None,
    width: int,
    *,
    tried: bool,
    outlook: Preview,
    copied: str = "",
    hints: KeyHints = DEFAULT_HINTS,
) -> list[Line]:
    """What the form is going to do, as lines.

    Args:
        path: The queue file.
        request: What is submitted, or None while something stands against it.
        troubles: What stands against it.
        snapshot: What is known of the queue.
        width: How many cells a line has.
        tried: Whether somebody has tried to submit already.
        outlook: How the new jobs would fare.
        copied: The name of the job that is copied, or nothing.
        hints: How keys are called.
    """
    width = max(20, width)
    if request is None:
        lines: list[Line] = [((" Fix first:", "warn") if tried else (" Still to do:", "dim"),)]
        for text in troubles:
            lines += [(span(f"   {piece}", ""),) for piece in _words(text, width - 4)]
        return [*lines, *_slot_lines(outlook, width)]
    if request.schedule is not None:
        lines = _schedule_lines(request.schedule, request.params, outlook, width)
    else:
        lines = _said(_rows(request, outlook), width, "title")
        if copied:
            told = f"This is a new job; {copied} is not changed."
            lines += _said(told, width, "")
        lines += _said(_line(request, snapshot, outlook), width, "")
    for doom in _dooms(request, outlook):
        lines += _said(f"! {doom}: this job can't run until it is retried.", width, "fail")
    lines += _said(_workers(snapshot, hints), width, "dim")
    if outlook.jobs:
        first = outlook.jobs[0]
        shown = cut(inert(json.dumps(masked(first.params), ensure_ascii=False)), width * 2)
        lines += _said(f"The first: {first.name} {shown}", width, "dim")
    lines += [(), ((" Same as:", "dim"),)]
    tokens = [
        inert(quoted(word)) for word in (PROGRAM, "--db", str(path), *words_of_submit(request))
    ]
    command = _command(tokens, width - 6)
    if len(command) > _MANY_LINES:
        command = [*command[:_MANY_LINES], "..."]
    lines += [((f"   {piece}", "accent"),) for piece in command]
    return lines


def _schedule_lines(
    terms: ScheduleTerms, params: Mapping[str, Any], outlook: Preview, width: int
) -> list[Line]:
    """What becomes of a schedule, its next slots, and what the first of them would submit."""
    name, changes = terms.name, outlook.changes
    if name == changes:
        lines = _said(f"Will change the schedule {name}.", width, "title")
    else:
        lines = _said(f"Will add the schedule {name}.", width, "title")
        if name in outlook.schedules:
            lines = _said(f"Will replace the schedule {name}, which is there.", width, "warn")
        if changes:
            lines += _said(f"{changes} stays as it is: this has another name.", width, "warn")
    lines += _said(obeys_words(terms.catch_up, terms.overlap), width, "dim")
    lines += _slot_lines(outlook, width)
    if outlook.slots and params:
        filled = masked(fill_slot(params, outlook.slots[0].local))
        shown = cut(inert(json.dumps(filled, ensure_ascii=False)), width * 2)
        lines += _said(f"The first: {shown}", width, "dim")
    return lines


def _slot_lines(outlook: Preview, width: int) -> list[Line]:
    """The next slots, as soon as what is typed says which they are."""
    if outlook.rule is None or outlook.now is None:
        return []
    zone = outlook.rule[1]
    lines: list[Line] = [(), (span(f" Next slots, in {zone}:", "dim"),)]
    for slot in outlook.slots:
        lines += slot_lines(slot, zone, outlook.now, width)
    return lines


def _rows(request: SubmitRequest, outlook: Preview) -> str:
    if request.jsonl is not None:
        jobs = plural(len(outlook.jobs), "row")
        return f"Will insert {jobs}, one for each line of {request.jsonl.name}."
    return f"Will insert {plural(request.copies, 'row')}."


def _line(request: SubmitRequest, snapshot: Snapshot | None, outlook: Preview) -> str:
    """Where in line the job, or the first of them, would stand; nothing while it is not known."""
    number = len(outlook.jobs) if request.jsonl is not None else request.copies
    it = "It" if number == 1 else "The first"
    dependencies = outlook.jobs[0].dependencies if outlook.jobs else request.options.dependencies
    unmet = [
        id
        for id in dependencies
        if (row := outlook.parents.get(id)) is None or row.status != JobStatus.COMPLETED.value
    ]
    if unmet:
        return f"{it if number == 1 else 'They'} would wait for {plural(len(unmet), 'job')}."
    if comes := _comes(outlook.jobs[0] if outlook.jobs else request.options, snapshot):
        return f"{it if outlook.jobs or number == 1 else 'They'} would be due {comes}."
    if outlook.ahead is MISSING:
        return ""
    if not isinstance(outlook.ahead, int):
        return f"{it} would have more than {count(_FAR)} jobs ahead."
    ready = (snapshot.counts.ready if snapshot is not None else 0) + number
    ready = max(ready, outlook.ahead + number)
    return f"{it} would be number {count(outlook.ahead + 1)} of {plural(ready, 'ready job')}."


def _comes(job: Job | JobOptions, snapshot: Snapshot | None) -> str:
    """When a job may begin, where that is not at once."""
    if job.run_after:
        return f"in {span_of(float(job.run_after))}"
    if snapshot is None or not isinstance(job.run_at, datetime):
        return ""
    now = snapshot.taken_at
    return due_words(job.run_at, now) if job.run_at > now else ""


def _dooms(request: SubmitRequest, outlook: Preview) -> list[str]:
    parents = [(id, outlook.parents.get(id, MISSING)) for id in request.options.dependencies]
    told = [doom_of(row, id) for id, row in parents if row is None or isinstance(row, JobRow)]
    return [doom for doom in told if doom]


def _workers(snapshot: Snapshot | None, hints: KeyHints) -> str:
    if snapshot is None:
        return ""
    if snapshot.paused:
        return f"The queue is paused: nothing starts until it is resumed ({hints(PAUSE_QUEUE)})."
    alive = [worker for worker in snapshot.workers if worker.health is Health.ALIVE]
    busy = sum(1 for worker in alive if worker.running)
    if alive:
        return f"{plural(len(alive), 'worker')} alive, {busy} busy."
    if snapshot.foreign_workers:
        return "Only GigQ workers are running."
    return f"No workers running. Press {hints(SPAWN_WORKER)} on the jobs screen to start one."


def _said(text: str, width: int, role: str) -> list[Line]:
    return [(span(f" {piece}", role),) for piece in _words(text, width - 1)] if text else []


def _words(text: str, width: int) -> list[str]:
    return wrap_words(inert(text), width)


def _with_values(tokens: Iterable[str]) -> Iterable[str]:
    """Keep an option and its value together."""
    option = ""
    for token in tokens:
        if option:
            yield f"{option} {token}"
            option = ""
        elif token.startswith("--"):
            option = token
        else:
            yield token
    if option:
        yield option


def _command(tokens: Iterable[str], width: int) -> list[str]:
    """Lay a command out over lines that a shell would read as one."""
    lines = [""]
    for token in _with_values(tokens):
        joined = f"{lines[-1]} {token}".strip()
        if len(joined) > width and lines[-1]:
            lines[-1] += " \\"
            lines.append(f"  {token}")
        else:
            lines[-1] = f"{lines[-1]} {token}" if lines[-1] else token
    return lines
