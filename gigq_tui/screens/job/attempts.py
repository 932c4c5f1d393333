"""What the detail screen says of a job's attempts: one line each, and everything about one."""

from __future__ import annotations

from datetime import datetime

from gigq_tui.format import clock_time, duration, elapsed, inert, pad, size, split_lines
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import DETAIL_OPEN, FIRST, LOG
from gigq_tui.screens.job.output import spans_of
from gigq_tui.store.derive import why
from gigq_tui.store.models import Attempt, JobDetail
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.lines import Line, Span

# How many lines of the output stand below error and traceback; enter shows it all.
OUTPUT_LINES = 400

_OUTCOME_ROLES = {
    "completed": "ok",
    "running": "run",
    "failed": "fail",
    "crashed": "fail",
    "timeout": "fail",
    "cancelled": "dim",
    "superseded": "dim",
}


def attempt_head(wide: bool) -> Line:
    """The titles over the attempts."""
    titles = "try  worker        started   ended     took    outcome     error"
    return (
        (f"   {titles if wide else 'try  worker        took    outcome     error'}", "heading"),
    )


def attempt_rows(detail: JobDetail, now: datetime, *, wide: bool) -> list[tuple[str, Line]]:
    """The attempts as rows of a list."""
    return [(a.execution_id, attempt_line(a, now, wide=wide)) for a in detail.attempts]


def attempt_line(attempt: Attempt, now: datetime, *, wide: bool) -> Line:
    """One attempt as a line, without its gutter."""
    took = _seconds(attempt)
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


def attempt_facts(attempt: Attempt, of: int, now: datetime) -> str:
    """Say which attempt it is, where it ran and how it ended, in words that don't tick."""
    where = f"on {attempt.worker_id}" if attempt.worker_id else "on no worker"
    if attempt.pid is not None:
        where += f", pid {attempt.pid}"
    times = clock_time(attempt.started_at, now)
    if attempt.completed_at is not None:
        times += f" to {clock_time(attempt.completed_at, attempt.started_at or now)}"
    took = _seconds(attempt)
    if took is not None:
        times += f", took {duration(took)}"
    return inert(f"attempt {attempt.number} of {of}, {attempt.status} {where}, {times}")


def output_told(
    attempt: Attempt, tail: Tail | None, *, more: bool, hints: KeyHints = DEFAULT_HINTS
) -> str:
    """Say whose output it is, and how much of it is shown.

    Args:
        attempt: The attempt.
        tail: What was read of its output.
        more: Whether more of it could be read.
        hints: How keys are called.
    """
    told = f"attempt {attempt.number}, {inert(attempt.status)}"
    if tail is None or tail.trouble:
        return told
    told += f", {size(tail.size)}"
    if tail.skipped:
        told += f", the last {size(tail.size - tail.skipped)} of it"
        told += f" ({hints(FIRST)} reads on)" if more else ""
    if tail.left_out:
        told += f", {size(tail.left_out)} left out in the middle"
    return told


def attempt_lines(
    detail: JobDetail,
    attempt: Attempt | None,
    tail: Tail | None,
    now: datetime,
    hints: KeyHints = DEFAULT_HINTS,
) -> list[Line]:
    """Everything of one attempt: its error, its traceback, and the end of its output."""
    lines: list[Line] = []
    error = attempt.error if attempt is not None else detail.error
    if error:
        lines += [((line, "fail"),) for line in split_lines(error)]
    if attempt is None:
        if not error:
            told = "No attempts yet." if why(detail.row, now) else "No attempts."
            lines.append(((told, "dim"),))
        elif detail.row.status != "pending":
            lines += [(), (("Its attempts were not recorded.", "dim"),)]
        return lines
    if attempt.traceback:
        lines += [*_gap(lines), (("traceback", "heading"),)]
        lines += [((f"  {line}", ""),) for line in split_lines(attempt.traceback)]
    return [*lines, *_output(lines, tail, hints)]


def _output(before: list[Line], tail: Tail | None, hints: KeyHints) -> list[Line]:
    if tail is None:
        return []
    if tail.trouble:
        return [*_gap(before), ((tail.trouble, "dim"),)]
    first = max(0, len(tail.lines) - OUTPUT_LINES)
    told = f"output, {size(tail.size)}"
    if tail.skipped or first:
        told += f", its end ({hints(DETAIL_OPEN)} or {hints(LOG)} shows it all)"
    lines: list[Line] = [*_gap(before), ((told, "heading"),)]
    return lines + [(("  ", ""), *spans) for spans in spans_of(tail, first)]


def _gap(before: list[Line]) -> list[Line]:
    return [()] if before else []


def _seconds(attempt: Attempt) -> float | None:
    if attempt.started_at is None or attempt.completed_at is None:
        return None
    return (attempt.completed_at - attempt.started_at).total_seconds()
