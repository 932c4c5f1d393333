"""The attempts of a job: one line each, everything about the chosen one, and what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.reasons.why import why
from gigq_core.status import ExecutionStatus, JobStatus
from gigq_core.units.moments import clock_time, time_of_day
from gigq_tui.format import (
    duration,
    elapsed,
    inert,
    pad,
    size,
    split_lines,
)
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import DETAIL_OPEN, FIRST, LOG
from gigq_tui.screens.parts.needs import FindsOut
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import Attempt, JobDetail
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES, Tail, read_output, said_share
from gigq_tui.terminal.theme import OUTPUT
from gigq_tui.widgets.lines import Line, Span
from gigq_tui.widgets.text_view import Mark, TextView

# From so many cells on there is room for start and end of an attempt.
WIDE = 100
# How many lines of the output are shown below error and traceback; enter shows it all.
OUTPUT_LINES = 400
GAP_ROLE = "warn"
# Of a fingerprint, as the filter takes it.
SHOWN_DIGITS = 6

_OUTCOME_ROLES = {
    "completed": "ok",
    "running": "run",
    "failed": "fail",
    "crashed": "fail",
    "timeout": "fail",
    "cancelled": "dim",
    "superseded": "dim",
    "snoozed": "dim",
}


def attempt_head(wide: bool, *, hosts: bool = False) -> Line:
    """The titles over the attempts; with `hosts` where agents ran them is among it."""
    who = "host          " if hosts and not wide else "worker        "
    who += "host          " if hosts and wide else ""
    times = "started   ended     " if wide else ""
    return ((f"   try  {who}{times}took    outcome     error", "heading"),)


def attempt_line(attempt: Attempt, now: datetime, *, wide: bool, hosts: bool = False) -> Line:
    """One attempt as a line, without its gutter; with `hosts` it says where an agent ran it.

    Args:
        attempt: The attempt.
        now: The present moment.
        wide: Whether there is room for all of it.
        hosts: Whether it says where an agent ran it.
    """
    took = _seconds(attempt)
    time = duration(took) if took is not None else "-"
    if attempt.status == ExecutionStatus.RUNNING.value and attempt.started_at is not None:
        time = elapsed((now - attempt.started_at).total_seconds())
    spans: list[Span] = [(f"{attempt.number:>3}  ", "")]
    if wide or not hosts:
        spans.append((pad(inert(attempt.agent or attempt.worker_id or "-"), 13) + " ", "dim"))
    if hosts:
        spans.append((pad(inert(attempt.host or "-"), 13) + " ", "" if attempt.host else "dim"))
    if wide:
        started, ended = (time_of_day(m) for m in (attempt.started_at, attempt.completed_at))
        spans.append((f"{started:<10}{ended:<10}", ""))
    first = next((line for line in attempt.error.splitlines() if line.strip()), "")
    spans += [
        (f"{time:<8}", ""),
        (pad(inert(attempt.status), 12), _OUTCOME_ROLES.get(attempt.status, "warn")),
        (inert(first.strip()), ""),
    ]
    return tuple(spans)


def describe_attempt(attempt: Attempt, of: int, now: datetime) -> str:
    """Say which attempt it is, where it ran and how it ended, in words that don't tick."""
    where = f"on {attempt.worker_id}" if attempt.worker_id else "on no worker"
    if attempt.host:
        where = f"on {attempt.host}" + (f" by {attempt.agent}" if attempt.agent else "")
    if attempt.pid is not None:
        where += f", pid {attempt.pid}{' there' if attempt.host else ''}"
    times = clock_time(attempt.started_at, now)
    if attempt.completed_at is not None:
        times += f" to {clock_time(attempt.completed_at, attempt.started_at or now)}"
    took = _seconds(attempt)
    if took is not None:
        times += f", took {duration(took)}"
    kind = f", fp:{attempt.fingerprint[:SHOWN_DIGITS]}" if attempt.fingerprint else ""
    return inert(f"attempt {attempt.number} of {of}, {attempt.status} {where}, {times}{kind}")


def describe_output(
    attempt: Attempt, tail: Tail | None, *, more: bool, hints: KeyHints = DEFAULT_HINTS
) -> str:
    """Say whose output it is, and how much of it is shown.

    Args:
        attempt: The attempt.
        tail: What was read of its output.
        more: Whether more of it could be read.
        hints: How keys are called.
    """
    there = f" on {inert(attempt.host)}" if attempt.host else ""
    text = f"attempt {attempt.number}, {inert(attempt.status)}{there}"
    if tail is None or tail.trouble:
        return text
    text += f", {size(tail.size)}"
    if tail.skipped:
        text += f", the last {size(tail.size - tail.skipped)} of it"
        text += f" ({hints(FIRST)} reads on)" if more else ""
    if tail.left_out:
        text += f", {size(tail.left_out)} left out in the middle"
    return text


def attempt_lines(
    detail: JobDetail,
    attempt: Attempt | None,
    tail: Tail | None,
    now: datetime,
    hints: KeyHints = DEFAULT_HINTS,
) -> list[Line]:
    """Everything of one attempt: its error, its traceback, and the end of its output.

    Args:
        detail: Its job.
        attempt: The attempt; None where there was none.
        tail: The end of its output; None before that is read.
        now: The present moment.
        hints: How keys are called.
    """
    lines: list[Line] = []
    error = attempt.error if attempt is not None else detail.error
    if error:
        lines += [((line, "fail"),) for line in split_lines(error)]
    if attempt is None:
        if not error:
            text = "No attempts yet." if why(detail.row, now) else "No attempts."
            lines.append(((text, "dim"),))
        elif detail.row.status != JobStatus.PENDING.value:
            lines += [(), (("Its attempts were not recorded.", "dim"),)]
        return lines
    if attempt.decision:
        lines.append(((inert(attempt.decision), "dim"),))
    if attempt.traceback:
        lines += [*_gap(lines), (("traceback", "heading"),)]
        lines += [((f"  {line}", ""),) for line in split_lines(attempt.traceback)]
    return [*lines, *_output_end(lines, tail, hints)]


def _output_end(before: list[Line], tail: Tail | None, hints: KeyHints) -> list[Line]:
    if tail is None:
        return []
    if tail.trouble:
        return [*_gap(before), ((tail.trouble, "dim"),)]
    first = max(0, len(tail.lines) - OUTPUT_LINES)
    title = f"output, {size(tail.size)}"
    if tail.skipped or first:
        title += f", its end ({hints(DETAIL_OPEN)} or {hints(LOG)} shows it all)"
    lines: list[Line] = [*_gap(before), ((title, "heading"),)]
    return lines + [(("  ", ""), *spans) for spans in output_spans(tail, first)]


def _gap(before: list[Line]) -> list[Line]:
    return [()] if before else []


def _seconds(attempt: Attempt) -> float | None:
    if attempt.started_at is None or attempt.completed_at is None:
        return None
    return (attempt.completed_at - attempt.started_at).total_seconds()


def _has_hosts(detail: JobDetail) -> bool:
    """Whether an agent ran one of the attempts."""
    return any(attempt.host for attempt in detail.attempts)


def output_marks(tail: Tail) -> dict[int, list[Mark]]:
    """The roles of parts of the output's lines, by the number of the line: its own colours."""
    marks = {
        number: [(start, end, f"{OUTPUT}{style.sgr}") for start, end, style in pieces]
        for number, pieces in tail.pieces.items()
    }
    if tail.gap is not None:
        marks[tail.gap] = [(0, len(tail.lines[tail.gap]), GAP_ROLE)]
    return marks


def output_spans(tail: Tail, first: int) -> Iterator[tuple[Span, ...]]:
    """The lines of the output from the one with that number on, each as spans."""
    marks = output_marks(tail)
    for number in range(first, len(tail.lines)):
        line = tail.lines[number]
        spans: list[Span] = []
        at = 0
        for start, end, role in marks.get(number, ()):
            spans += [(line[at:start], ""), (line[start:end], role)]
            at = end
        yield (*spans, (line[at:], ""))


class KnowsJob(Protocol):
    """What the attempts need of the part that knows the job."""

    @property
    def detail(self) -> JobDetail | None:
        """What is known of the job that is shown."""


class OutputPage(Protocol):
    """Where what an attempt wrote is shown."""

    @property
    def shows_output(self) -> bool:
        """Whether it is on the screen now."""

    def start_text(self) -> None:
        """Show another text, from where it begins."""

    def draw_text(self) -> None:
        """Draw the text, where it has changed."""


class AttemptsHost(Protocol):
    """What the attempts need of their screen."""

    @property
    def page(self) -> OutputPage:
        """What draws it."""


class Attempts(Part):
    """Which attempt is chosen, and what it wrote; what the tab of the attempts shows.

    Args:
        path: The queue file.
        hints: How keys are called.
        reads: What reads the output.
        job: The job.
        host: The screen.
    """

    def __init__(
        self, path: Path, hints: KeyHints, reads: FindsOut, job: KnowsJob, host: AttemptsHost
    ) -> None:
        self.hints = hints
        self._path = path
        self._reads = reads
        self._job = job
        self._host = host
        # None while it goes with the newest.
        self._chosen_id: str | None = None
        self._newest_id: str | None = None
        self._bytes_wanted = TAIL_BYTES
        self.output: Tail | None = None

    @property
    def chosen(self) -> Attempt | None:
        """The attempt that is shown: the one chosen by hand, or the last."""
        detail = self._job.detail
        attempts = detail.attempts if detail is not None else ()
        for attempt in attempts:
            if attempt.execution_id == self._chosen_id:
                return attempt
        return attempts[-1] if attempts else None

    @property
    def is_running(self) -> bool:
        """Whether it runs, so that its output grows."""
        return (
            chosen := self.chosen
        ) is not None and chosen.status == ExecutionStatus.RUNNING.value

    @property
    def said_share(self) -> str:
        """How far it is by the last line of its output, while it runs."""
        return said_share(self.output) if self.is_running else ""

    @property
    def more_output(self) -> bool:
        """Whether more of its output could be read."""
        return self._bytes_wanted < WHOLE_BYTES

    def start_over(self) -> None:
        """Show the last attempt, as of another job."""
        self._newest_id = None
        self._choose(None)

    def take_newest(self) -> str | None:
        """Go with the newest attempt, where none other was chosen.

        Returns:
            The attempt that was shown until now, where another one is from now on.
        """
        detail, before = self._job.detail, self._newest_id
        attempts = detail.attempts if detail is not None else ()
        self._newest_id = attempts[-1].execution_id if attempts else None
        if before in (None, self._newest_id) or self._chosen_id is not None:
            return None
        self._choose(None)
        return before

    def choose(self, execution_id: str | None) -> None:
        """Show the attempt with that id, where it is not the one that is shown already."""
        chosen = self.chosen
        if chosen is not None and execution_id not in (None, chosen.execution_id):
            # Whoever comes back to the newest goes with it again.
            self._choose(None if execution_id == self._newest_id else execution_id)
            self._host.page.draw_text()
            self.read_output()

    def _choose(self, execution_id: str | None) -> None:
        self._chosen_id = execution_id
        self.output = None
        self._bytes_wanted = TAIL_BYTES
        self._host.page.start_text()

    # Its output

    def read_output(self) -> None:
        """Read what the attempt wrote, where it is on the screen and there is something new."""
        chosen = self.chosen
        if chosen is None or not self._host.page.shows_output:
            return
        call = partial(read_output, self._path, chosen, self.output, self._bytes_wanted)
        self._reads.find_out(call, partial(self._output_read, chosen.execution_id))

    def read_whole_output(self) -> None:
        """Read what comes before the end too, as far as it is kept."""
        if self._host.page.shows_output and self.more_output:
            self._bytes_wanted = WHOLE_BYTES
            self.read_output()

    def _output_read(self, execution_id: str, output: Tail) -> None:
        chosen = self.chosen
        if chosen is None or chosen.execution_id != execution_id or output is self.output:
            return
        if self.output is None or not output.trouble or output.trouble != self.output.trouble:
            self.output = output
            if self._host.page.shows_output:
                self._host.page.draw_text()

    # What its tab shows

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job."""
        return (self.chosen, self.output)

    def list_head(self, detail: JobDetail, now: datetime, width: int) -> Line:
        """The titles over the attempts."""
        return attempt_head(width >= WIDE, hosts=_has_hosts(detail))

    def list_rows(self, detail: JobDetail, now: datetime, width: int) -> list[tuple[str, Line]]:
        """The attempts as rows of a list."""
        wide, hosts = width >= WIDE, _has_hosts(detail)
        return [
            (attempt.execution_id, attempt_line(attempt, now, wide=wide, hosts=hosts))
            for attempt in detail.attempts
        ]

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show everything of the attempt."""
        view.show_lines(attempt_lines(detail, self.chosen, self.output, now, self.hints))

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say which attempt it is, where it ran and how it ended."""
        chosen = self.chosen
        return "" if chosen is None else describe_attempt(chosen, len(detail.attempts), now)


class Output:
    """What the tab of the output shows: all that the attempt wrote."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job."""
        return self._attempts.state

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show the output in its own colours, or why there is none."""
        output = self._attempts.output
        if output is not None and not output.trouble:
            earlier = output.skipped > 0 and self._attempts.more_output
            view.show(output.lines, marks=output_marks(output), earlier=earlier)
        elif self._attempts.chosen is None:
            view.show_lines([(("No attempts yet.", ""),)])
        else:
            view.show_lines([((output.trouble if output is not None else "", ""),)])

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say whose output it is, and how much of it is shown."""
        chosen = self._attempts.chosen
        if chosen is None:
            return ""
        attempts = self._attempts
        return describe_output(
            chosen, attempts.output, more=attempts.more_output, hints=attempts.hints
        )
