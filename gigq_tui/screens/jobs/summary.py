"""The job under the cursor in a few lines, at the bottom of a tall jobs screen."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.graph.blame import BAD_ENDS
from gigq_core.graph.blocking import blocks_in_words
from gigq_core.reasons.why import done_share, state_of, wait_seconds, why
from gigq_core.status import ExecutionStatus, JobStatus
from gigq_core.units.moments import clock_time
from gigq_tui.columns import GONE
from gigq_tui.format import (
    as_json,
    bar,
    cut,
    duration,
    elapsed,
    inert,
    limit,
    masked,
    plural,
)
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import Attempt, JobDetail, JobRow, Standing
from gigq_tui.store.tail import Tail, read_output, said_share
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, TextLines, fit, line_width

LOG_LINES = 2
BAR_CELLS = 16
TAIL_BYTES = 4096
_LABEL = 9


def summary_lines(
    row: JobRow | None,
    detail: JobDetail | None,
    tail: Tail | None,
    now: datetime,
    width: int,
    *,
    hints: KeyHints = DEFAULT_HINTS,
    empty: str = "",
    gone: bool = False,
) -> tuple[Line, ...]:
    """Return the lines of the panel; what is not known yet is left out.

    Args:
        row: The job, or None.
        detail: What else is known of it.
        tail: The end of its output.
        now: The present moment.
        width: How many cells a line has.
        hints: How its keys are called.
        empty: What stands there where there is no job.
        gone: Whether the list has lost the job: then the row is of before, and only what was read
            since tells where it is.
    """
    if row is None:
        return (rule("", "", width), ((f" {empty}", "dim"),))
    if gone:
        return _of_gone(row, detail, now, width)
    lines = [rule(inert(f"{row.id[:8]} {row.name}"), f"{hints(OPEN)} opens", width)]
    if reason := why(row, now):
        says = said_share(tail) if row.progress is None and detail is not None else ""
        runs = row.status == JobStatus.RUNNING.value
        reason = f"{reason}, says {says}" if says and runs else reason
        lines.append(_why(row, reason, width))
    lines.append(_first(row, now))
    if detail is None or detail.row.id != row.id:
        return tuple(lines)
    lines.append(labelled("params", as_json(masked(detail.params)), width))
    lines.append(_dependencies(detail))
    attempt = detail.attempts[-1] if detail.attempts else None
    lines.append(_try(attempt, row, now, width))
    if tail is not None and tail.lines:
        last = [line for line in tail.lines if line.strip()][-LOG_LINES:]
        for index, text in enumerate(last):
            lines.append(labelled("" if index else "log", text, width))
    return tuple(lines)


def _of_gone(row: JobRow, detail: JobDetail | None, now: datetime, width: int) -> tuple[Line, ...]:
    """What is said of a job that the list has lost."""
    title = rule(inert(f"{row.id[:8]} {row.name}"), "", width)
    if detail is None or detail.row.id != row.id:
        return (title, labelled("why", GONE, width))
    state, now_is = state_of(detail.row, now).value, why(detail.row, now)
    if not now_is or detail.row.status == JobStatus.RUNNING.value:
        now_is = f"{state}, {now_is}" if now_is else state
    return (title, labelled("why", f"{GONE}: {now_is}", width), _first(detail.row, now))


def rule(left: str, right: str, width: int) -> Line:
    """Return a line across, with a title at its left and a hint at its right."""
    line = theme.RULE
    spans: list[Span] = [(line * 3, "rule")]
    if left:
        spans.append((f" {cut(left, max(8, width - 30))} ", "title"))
    used = line_width(tuple(spans))
    tail = f" {right} {line * 2}" if right else ""
    spans.append((line * max(0, width - used - len(tail)), "rule"))
    if tail:
        spans.append((tail, "rule"))
    return fit(tuple(spans), width)


def labelled(label: str, text: str, width: int) -> Line:
    """Return a value after its label."""
    return (
        (f" {label:<{_LABEL - 1}}", "dim"),
        (cut(inert(text), max(4, width - _LABEL - 1)), ""),
    )


def _why(row: JobRow, reason: str, width: int) -> Line:
    share = done_share(row)
    if share is None:
        return labelled("why", reason, width)
    label, (text, role) = labelled("why", reason, width - BAR_CELLS - 1)
    return (label, *bar(share, BAR_CELLS), (f" {text}", role))


def _first(row: JobRow, now: datetime) -> Line:
    waited = wait_seconds(row, now)
    parts = [row.function, f"created {clock_time(row.created_at, now)}"]
    if waited is not None:
        parts.append(f"waited {duration(waited)}" if row.started_at else f"waits {elapsed(waited)}")
    if row.started_at is not None:
        parts.append(f"started {clock_time(row.started_at, now)}")
    parts.append(f"timeout {limit(row.timeout_s)}")
    return ((f" {'fn':<{_LABEL - 1}}", "dim"), (inert("   ".join(parts)), ""))


def _dependencies(detail: JobDetail) -> Line:
    done = sum(
        1
        for parent in detail.parents
        if parent.standing is not Standing.ASKED
        or (parent.row is not None and parent.row.status == JobStatus.COMPLETED.value)
    )
    parents = f"{done}/{len(detail.parents)} done" if detail.parents else "none"
    children = plural(detail.child_count, "job depends on it", "jobs depend on it")
    has_failed = detail.row.status in BAD_ENDS and detail.blocks
    blocks = f"; it {blocks_in_words(detail.blocks)}" if has_failed else ""
    return ((f" {'deps':<{_LABEL - 1}}", "dim"), (f"{parents}      {children}{blocks}", ""))


def _try(attempt: Attempt | None, row: JobRow, now: datetime, width: int) -> Line:
    if attempt is None:
        return labelled("try", f"no attempts yet (max {row.max_attempts})", width)
    there = f" on {attempt.host}" if attempt.host else ""
    text = f"{attempt.number}  {attempt.worker_id}{there}  {clock_time(attempt.started_at, now)}"
    if attempt.started_at is not None:
        if attempt.completed_at is not None:
            took = duration((attempt.completed_at - attempt.started_at).total_seconds())
            text += f" -> {clock_time(attempt.completed_at, now)}  {attempt.status} after {took}"
        elif attempt.status == ExecutionStatus.RUNNING.value:
            text += f" -> ..  running {elapsed((now - attempt.started_at).total_seconds())}"
    if attempt.error:
        text += f"  {attempt.error}"
    return labelled("try", text, width)


class SummaryPanel(TextLines):
    """The panel itself."""

    DEFAULT_CSS = """
    SummaryPanel { height: 8; }
    """


class SummaryHost(Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out more of the job."""

    @property
    def summary_panel(self) -> SummaryPanel | None:
        """Where it is drawn; None where the terminal is too low for it."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""

    @property
    def has_left_list(self) -> bool:
        """Whether the list has lost that job since."""

    def describe_empty(self) -> str:
        """Say why there is no job here."""


class Summary(Part):
    """Reads more of the job under the cursor, and draws it.

    Args:
        host: The screen.
        path: The queue file, beside which outputs lie.
        clock: What time it is.
        hints: What keys are called.
    """

    def __init__(
        self, host: SummaryHost, path: Path, clock: Clock, hints: KeyHints = DEFAULT_HINTS
    ) -> None:
        self._host = host
        self._path = path
        self._clock = clock
        self._hints = hints
        self._detail: JobDetail | None = None
        self._tail: Tail | None = None
        self._was_gone = False

    def read(self) -> None:
        """Have more read of the job under the cursor, where there is room for it."""
        row = self._host.current_row()
        if row is not None and self._host.summary_panel is not None:
            job_id = row.id
            self._host.reads.ask(lambda reader: reader.detail(job_id), self._detail_read)

    def _detail_read(self, detail: JobDetail | None) -> None:
        row = self._host.current_row()
        if detail is None or row is None or detail.row.id != row.id:
            if detail is None and self._host.has_left_list:
                # It has been deleted: what was known of it is no longer so.
                self._detail = None
                self.draw()
            return
        if self._detail is None or self._detail.row.id != row.id:
            self._tail = None
        self._detail = detail
        self.draw()
        self._read_output()

    def _read_output(self) -> None:
        detail = self._detail
        if detail is not None and detail.attempts:
            call = partial(read_output, self._path, detail.attempts[-1], self._tail, TAIL_BYTES)
            self._host.reads.find_out(call, partial(self._output_read, detail.row.id))

    def _output_read(self, job_id: str, tail: Tail) -> None:
        if self._detail is not None and self._detail.row.id == job_id:
            self._tail = tail
            self.draw()

    def tick(self, row: JobRow) -> None:
        """Tell how long a job has been running, and what it has written meanwhile."""
        self.draw()
        if row.status == JobStatus.RUNNING.value and self._host.summary_panel is not None:
            self._read_output()

    def draw(self) -> None:
        """Draw what is known of the job under the cursor."""
        panel, row = self._host.summary_panel, self._host.current_row()
        if panel is None:
            return
        gone = self._host.has_left_list
        if gone and not self._was_gone:
            # What was known of it is of before.
            self._detail = None
        self._was_gone = gone
        fresh = self._detail is not None and row is not None and self._detail.row.id == row.id
        panel.show(
            *summary_lines(
                row,
                self._detail if fresh else None,
                self._tail if fresh else None,
                self._clock.now(),
                panel.app.size.width,
                hints=self._hints,
                empty=self._host.describe_empty() if row is None else "",
                gone=gone,
            )
        )
