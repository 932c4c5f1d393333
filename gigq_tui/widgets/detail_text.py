"""What the detail screen says about a job, as lines; nothing here acts or waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gigq_tui.format import (
    MARKS,
    as_json,
    clock_time,
    count,
    cut,
    duration,
    elapsed,
    inert,
    inert_lines,
    limit,
    masked,
    pad,
    plural,
    size,
    wrap,
)
from gigq_tui.output import Tail
from gigq_tui.store.derive import RUNNING_STATES, WAITING_STATES, state_of, why
from gigq_tui.store.models import Attempt, JobDetail, JobRow, Relative, State
from gigq_tui.widgets.lines import Line, Span, line_width

MAX_LINES = 5_000
_OUTCOME_ROLES = {
    "completed": "ok",
    "running": "run",
    "failed": "fail",
    "crashed": "fail",
    "timeout": "fail",
    "cancelled": "dim",
    "superseded": "dim",
}


def path_line(detail: JobDetail, now: datetime, width: int, *, wide: bool) -> Line:
    """Say how the job came to where it is: queued, started, ended, wait and run time apart."""
    row = detail.row
    state = state_of(row, now)
    mark = MARKS[state]
    first = detail.attempts[0].started_at if detail.attempts else None
    started = first or row.started_at
    spans: list[Span] = [(f" queued {clock_time(row.created_at, now)} ", "")]
    word = f"{mark.glyph} {mark.word}"
    if state in WAITING_STATES or started is None:
        waits = _between(row.created_at, now if state in WAITING_STATES else row.completed_at)
        spans += [(_arrow(waits, wide, ticking=state in WAITING_STATES), "dim"), (word, mark.role)]
    else:
        began = "started" if wide else "run"
        spans.append((_arrow(_between(row.created_at, started), wide), "dim"))
        spans.append((f"{began} {clock_time(started, now)} ", ""))
        running = state in RUNNING_STATES
        end = now if running else row.completed_at
        spans.append((_arrow(_between(started, end), wide, ticking=running), "dim"))
        spans.append((word, mark.role))
    if row.completed_at is not None and row.status not in ("pending", "running"):
        spans.append((f" {clock_time(row.completed_at, now)}", ""))
    tries = f"{row.attempts}/{row.max_attempts}"
    spans.append((f"   attempts {tries}" if wide else f"  try {tries}", "dim"))
    if detail.child_count and state is not State.COMPLETED:
        held = plural(detail.child_count, "job waits", "jobs wait")
        told = f"   {held} for it (t)"
        if not wide:
            told = f"  {plural(detail.child_count, 'waits', 'wait')} for it"
        if line_width(tuple(spans)) + len(told) <= width:
            spans.append((told, "warn" if state in (State.FAILED, State.TIMEOUT) else "dim"))
    return tuple(spans)


def _arrow(seconds: float | None, wide: bool, *, ticking: bool = False) -> str:
    if seconds is None:
        return "--> "
    told = elapsed(seconds) if ticking else duration(seconds)
    return f"--({told})--> " if wide else f"-{told}-> "


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def text_lines(text: str, width: int, role: str = "", indent: int = 1) -> list[Line]:
    """Return a text of any size as wrapped lines, cut at some thousands."""
    room = max(8, width - indent - 1)
    lines: list[Line] = []
    for line in inert_lines(text, MAX_LINES):
        for piece in wrap(line, room):
            lines.append(((" " * indent + piece, role),))
            if len(lines) >= MAX_LINES:
                lines.append(((" .. the rest is not shown", "dim"),))
                return lines
    return lines


def error_lines(
    detail: JobDetail, attempt: Attempt | None, now: datetime, width: int
) -> list[Line]:
    """What went wrong: the reason in words, the error, and the traceback of the attempt."""
    row = detail.row
    mark = MARKS[state_of(row, now)]
    reason = why(row, now)
    lines: list[Line] = []
    error = attempt.error if attempt is not None and attempt.error else detail.error
    first = next((line.strip() for line in error.splitlines() if line.strip()), "")
    if reason and reason != first:
        lines.append(((f" {mark.glyph} ", mark.role), (inert(reason), "")))
        lines.append(())
    if error:
        lines += text_lines(error, width, "fail")
    elif not reason:
        lines.append(((" Nothing went wrong.", "dim"),))
    if attempt is not None and attempt.traceback:
        lines.append(())
        lines.append(((f" traceback of attempt {attempt.number}", "dim"),))
        lines += text_lines(attempt.traceback, width, indent=3)
    return lines


def value_lines(value: Any, width: int, empty: str) -> list[Line]:
    """A decoded value as JSON, secrets masked."""
    if value is None or value == {}:
        return [((f" {empty}", "dim"),)]
    return text_lines(as_json(masked(value), indent=2), width)


def raw_lines(detail: JobDetail, width: int) -> list[Line]:
    """The columns of the row as they are stored; values that could hold secrets are masked."""
    lines: list[Line] = []
    known = {"params": detail.params, "result": detail.result}
    cells = max((len(name) for name in detail.raw), default=0) + 2
    for name, value in detail.raw.items():
        told = as_json(masked(known[name])) if name in known and value is not None else value
        text = "NULL" if told is None else str(told)
        pieces = [
            piece
            for line in inert_lines(text, MAX_LINES) or [""]
            for piece in wrap(line, max(8, width - cells - 2))
        ]
        for at, piece in enumerate(pieces[:MAX_LINES]):
            label = pad(inert(name), cells) if at == 0 else " " * cells
            lines.append(((f" {label}", "dim"), (piece, "dim" if told is None else "")))
    return lines


def log_lines(attempt: Attempt | None, tail: Tail | None, width: int) -> list[Line]:
    """The end of what an attempt printed."""
    if attempt is None:
        return [((" No attempt has run yet.", "dim"),)]
    head = f" attempt {attempt.number}, {attempt.status}, on {attempt.worker_id or 'no worker'}"
    if tail is None:
        return [((inert(head), "dim"),)]
    if tail.trouble:
        return [((inert(head), "dim"),), (), ((f" {inert(tail.trouble)}", ""),)]
    told = size(tail.size)
    head += (
        f", the last {size(tail.size - tail.skipped)} of {told}" if tail.skipped else f", {told}"
    )
    lines: list[Line] = [((inert(head), "dim"),), ()]
    for line in tail.lines:
        lines += [((f" {piece}", ""),) for piece in wrap(line, max(8, width - 2))]
    return lines[:2] + lines[2:][-MAX_LINES:]


def attempt_head(wide: bool) -> Line:
    """The titles over the attempts."""
    titles = "try  worker        started   ended     took    outcome     error"
    return (
        (f"   {titles if wide else 'try  worker        took    outcome     error'}", "heading"),
    )


def attempt_line(attempt: Attempt, now: datetime, *, wide: bool) -> Line:
    """One attempt as a line, without its gutter."""
    took = _between(attempt.started_at, attempt.completed_at)
    told = duration(took) if took is not None else "-"
    if attempt.status == "running" and attempt.started_at is not None:
        told = elapsed((now - attempt.started_at).total_seconds())
    spans: list[Span] = [
        (f"{attempt.number:>3}  ", ""),
        (pad(inert(attempt.worker_id or "-"), 13) + " ", "dim"),
    ]
    if wide:
        started, ended = (_hour(m) for m in (attempt.started_at, attempt.completed_at))
        spans.append((f"{started:<10}{ended:<10}", ""))
    first = next((line for line in attempt.error.splitlines() if line.strip()), "")
    spans += [
        (f"{told:<8}", ""),
        (pad(inert(attempt.status), 12), _OUTCOME_ROLES.get(attempt.status, "warn")),
        (inert(first.strip()), ""),
    ]
    return tuple(spans)


def _hour(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%H:%M:%S}"


def relative_rows(detail: JobDetail, now: datetime) -> list[tuple[str, Line]]:
    """Parents and children as rows of a list, each with a unique id of its own."""
    rows: list[tuple[str, Line]] = []
    for kind, relatives in (("waits for", detail.parents), ("holds up", detail.children)):
        rows += [(f"{kind}/{r.id}", _relative_line(kind, r, now)) for r in relatives]
    hidden = detail.child_count - len(detail.children)
    if hidden > 0:
        rows.append(("more/", ((f"          and {count(hidden)} more", "dim"),)))
    return rows


def _relative_line(kind: str, relative: Relative, now: datetime) -> Line:
    lead: Span = (f"{kind:<10}", "dim")
    if relative.row is None:
        told = "not in the queue"
        told += ", counts as completed" if relative.waived else ""
        return (lead, (f"{inert(relative.id[:8])}  ", "dim"), (told, "warn"))
    row = relative.row
    mark = MARKS[state_of(row, now)]
    return (
        lead,
        (f"{inert(row.id[:8])}  ", "dim"),
        (pad(inert(row.name), 24) + " ", ""),
        (f"{mark.glyph} {mark.word:<10} ", mark.role),
        (inert(why(row, now)), ""),
    )


def fact_lines(detail: JobDetail, now: datetime, width: int, *, reason: bool) -> list[Line]:
    """What was asked for when the job was submitted, in two lines, after the reason if wanted."""
    row = detail.row
    facts = [
        inert(row.function),
        f"priority {row.priority}",
        f"timeout {limit(row.timeout_s)}",
        f"retry delay {limit(detail.retry_delay_s)}",
    ]
    ident = [f"id {inert(row.id)}", f"created {clock_time(row.created_at, now)}"]
    if detail.description:
        ident.append(cut(inert(detail.description), 60))
    lines = [" " + "   ".join(part) for part in (facts, ident)]
    told: list[Line] = [((cut(line, width), "dim"),) for line in lines]
    because = why(row, now) if reason else ""
    if because:
        mark = MARKS[state_of(row, now)]
        told.insert(0, ((f" {mark.glyph} ", mark.role), (cut(inert(because), width - 4), "")))
    return told


def missing_lines(job_id: str) -> Iterable[Line]:
    """What stands here once the job is gone from the file."""
    return [((f" The job {inert(job_id[:8])} is no longer in the file.", "warn"),)]


def opening_tab(row: JobRow, now: datetime) -> str:
    """Say which tab answers the question that a job in this state raises."""
    state = state_of(row, now)
    if state in (State.BLOCKED, State.DOOMED):
        return "Deps"
    if state in RUNNING_STATES and not row.error:
        return "Log"
    if state is State.COMPLETED:
        return "Result"
    return "Error" if row.error or state in RUNNING_STATES else "Params"
