"""What the detail screen says about a job, as lines; nothing here acts or waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gigq_core.graph.blocking import blocks_in_words
from gigq_core.reasons.why import (
    RUNNING_STATES,
    WAITING_STATES,
    State,
    done_share,
    done_words,
    first_line,
    state_of,
    why,
)
from gigq_core.status import JobStatus
from gigq_core.units.moments import clock_time
from gigq_tui.format import (
    MARKS,
    bar,
    cut,
    duration,
    elapsed,
    inert,
    limit,
)
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import TREE
from gigq_tui.screens.job.option_words import delay_words, option_words
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.lines import Line, Span, line_width

# From so many cells on there is room for the long words, and for the short ones.
WIDE = 100
ROOMY = 70
# A bar takes so much of the width: one in so many cells.
BAR_PART = 6
# What is told of a job that doesn't run takes so many cells at most.
TOLD_CELLS = 60


def path_line(
    detail: JobDetail, now: datetime, width: int, hints: KeyHints = DEFAULT_HINTS
) -> Line:
    """Say how the job came to where it is: queued, started, ended, wait and run time apart.

    Args:
        detail: The job.
        now: The present moment.
        width: In cells.
        hints: How keys are called.
    """
    wide = width >= WIDE
    row = detail.row
    state = state_of(row, now)
    mark = MARKS[state]
    first = detail.attempts[0].started_at if detail.attempts else None
    started = first or row.started_at
    spans: list[Span] = [(f" queued {clock_time(row.created_at, now)} ", "")]
    word = f"{mark.glyph} {mark.word}"
    if started is None:
        waits = _between(row.created_at, now if state in WAITING_STATES else row.completed_at)
        spans += [(_arrow(waits, wide, ticking=state in WAITING_STATES), "dim"), (word, mark.role)]
    else:
        began = "started" if wide else "run"
        spans.append((_arrow(_between(row.created_at, started), wide), "dim"))
        # The day is said once, unless it is another.
        spans.append((f"{began} {clock_time(started, row.created_at or now)} ", ""))
        spans.append((_run(detail, started, now, width), "dim"))
        spans.append((word, mark.role))
    ended = ""
    if row.completed_at is not None and row.status not in (
        JobStatus.PENDING.value,
        JobStatus.RUNNING.value,
    ):
        ended = f" {clock_time(row.completed_at, started or row.created_at or now)}"
    tries = f"{row.attempts}/{row.max_attempts}"
    tries = f"   attempts {tries}" if wide else f"  try {tries}"
    blocked = ""
    if detail.blocks:
        room = width - line_width(tuple(spans)) - len(tries)
        blocked = _blocks(detail.blocks, room - len(ended), hints)
        if not blocked and (blocked := _blocks(detail.blocks, room, hints)):
            # When it ended follows from the rest, and how many it blocks does not.
            ended = ""
    role = "warn" if state in (State.FAILED, State.TIMEOUT) else "dim"
    spans += [(ended, ""), (tries, "dim"), (blocked, role)]
    return tuple(spans)


def _blocks(count: int, room: int, hints: KeyHints) -> str:
    """How many jobs a job blocks, in as many words as there are cells for."""
    short = f"  blocks {count:,}"
    key = hints(TREE)
    texts = (
        f"   {blocks_in_words(count)} ({key})",
        f"{short} ({key})",
        short,
    )
    return next((text for text in texts if len(text) <= room), "")


def _arrow(seconds: float | None, wide: bool, *, ticking: bool = False) -> str:
    if seconds is None:
        return "--> "
    text = elapsed(seconds) if ticking else duration(seconds)
    return f"--({text})--> " if wide else f"-{text}-> "


def _run(detail: JobDetail, started: datetime, now: datetime, width: int) -> str:
    """The arrow of the run time; with several attempts, the waits between them told apart."""
    row = detail.row
    running = row.status == JobStatus.RUNNING.value
    last = detail.attempts[-1].completed_at if detail.attempts else None
    # One that is to be retried has not ended, but its last attempt has.
    end = now if running else row.completed_at or last
    whole = _between(started, end)
    wide = width >= WIDE
    if whole is None or len(detail.attempts) < 2 or width < ROOMY:
        return _arrow(whole, wide, ticking=running)
    ran = 0.0
    for attempt in detail.attempts:
        ran += _between(attempt.started_at, attempt.completed_at or end) or 0.0
    text = elapsed(ran) if running else duration(ran)
    waited = duration(max(0.0, whole - ran))
    return f"--(ran {text}, waited {waited})--> " if wide else f"-{text}+{waited}-> "


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def fact_lines(
    detail: JobDetail, now: datetime, width: int, *, reason: bool, says: str = ""
) -> list[Line]:
    """Why the job is where it is, and in a few lines what was asked for when it was submitted.

    Args:
        detail: The job.
        now: The present moment.
        width: How many cells a line has.
        reason: Whether to say why also where that is only the error of the last attempt.
        says: How far it is by the last line of its output, where that says so.
    """
    row = detail.row
    facts = [
        inert(row.function),
        f"priority {row.priority}",
        f"timeout {limit(row.timeout_s)}",
        delay_words(detail),
    ]
    ident = [f"id {inert(row.id)}", f"created {clock_time(row.created_at, now)}"]
    if row.status != JobStatus.RUNNING.value and detail.attempts and detail.attempts[-1].host:
        # Of one that runs it is said why it does.
        ident.append(f"ran on {inert(detail.attempts[-1].host)}")
    if detail.description:
        ident.append(cut(inert(detail.description), 60))
    options = [inert(words) for words in option_words(detail, now)]
    texts = [" " + "   ".join(part) for part in (facts, options, ident) if part]
    lines: list[Line] = [((cut(text, width), "dim"),) for text in texts]
    because = why(row, now)
    last = detail.attempts[-1].error if detail.attempts else ""
    if because and (reason or because != first_line(last)):
        mark = MARKS[state_of(row, now)]
        share = done_share(row)
        drawn = () if share is None else (*bar(share, width // BAR_PART), (" ", ""))
        lead: list[Span] = [(f" {mark.glyph} ", mark.role), *drawn]
        told = _told(detail, now)
        if says and row.progress is None and row.status == JobStatus.RUNNING.value:
            because = f"{because}, says {says}"
        room = width - line_width(tuple(lead)) - len(told) - 1
        lines.insert(0, (*lead, (cut(inert(because), room), ""), (told, "dim")))
    return lines


def _told(detail: JobDetail, now: datetime) -> str:
    """When the job reported last; of one that doesn't run, how far it was then, too."""
    last = detail.progress
    if last is None:
        return ""
    at = clock_time(last.at, now)
    if detail.row.progress is not None:
        return f"   told {at}"
    note = f": {inert(last.note)}" if last.note else ""
    return f"   told {done_words(last)} at {at}{note}"[:TOLD_CELLS]


def missing_lines(job_id: str) -> Iterable[Line]:
    """What is shown once the job is gone from the file, or where its id finds nothing."""
    return [
        ((f"Job {inert(job_id[:8])} is no longer in the queue,", "warn"),),
        (("or its id is not plain text, so it can't be found.", "warn"),),
    ]


def opening_tab(detail: JobDetail, now: datetime) -> str:
    """Say which tab answers the question that a job in this state raises."""
    state = state_of(detail.row, now)
    if state in (State.BLOCKED, State.DOOMED):
        return "Deps"
    if state is State.COMPLETED:
        return "Result"
    tried = detail.attempts or detail.row.error or state in RUNNING_STATES
    return "Attempts" if tried else "Params"
