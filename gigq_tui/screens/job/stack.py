"""The stack of the running function: asked of the job's process in a thread, and shown."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.units.moments import clock_time
from gigq_tui.actions.stack import StackTaken, take_stack
from gigq_tui.format import inert, split_lines
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.reading_actions import STACK
from gigq_tui.screens.parts.needs import FindsOut
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.text_view import TextView


class HasId(Protocol):
    """What the stack needs of the part that knows the job."""

    @property
    def id(self) -> str:
        """The job that is shown."""


class DrawsText(Protocol):
    """Where the stack is shown."""

    def draw_text(self) -> None:
        """Draw the text, where it has changed."""


class ChoosesTab(Protocol):
    """What brings it to the screen."""

    def choose(self, name: str) -> None:
        """Show another tab."""


class StackHost(Protocol):
    """What the stack needs of its screen."""

    @property
    def page(self) -> DrawsText:
        """What draws it."""

    @property
    def tabs(self) -> ChoosesTab:
        """The tabs, of which one shows it."""


class Stack(Part):
    """The stack as it was taken last; what its tab shows.

    Args:
        path: The queue file.
        clock: Says when it was taken.
        read_only: Whether the file must not be written: an agent is asked through it.
        hints: How keys are called.
        reads: What asks the process.
        job: The job.
        host: The screen.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        read_only: bool,
        hints: KeyHints,
        reads: FindsOut,
        job: HasId,
        host: StackHost,
    ) -> None:
        self._path = path
        self._clock = clock
        self._read_only = read_only
        self._hints = hints
        self._reads = reads
        self._job = job
        self._host = host
        self.taken: StackTaken | None = None
        self.is_awaited = False

    @does(STACK)
    def show(self) -> None:
        """Take the stack of the running function, and show it."""
        self._host.tabs.choose("Stack")
        self.take()

    def take(self) -> None:
        """Ask the job's process for its stack, in a thread."""
        if not self.is_awaited:
            self.is_awaited = True
            call = partial(
                take_stack, self._path, self._job.id, self._clock, read_only=self._read_only
            )
            self._reads.find_out(call, self._receive)
            self._host.page.draw_text()

    def _receive(self, stack: StackTaken) -> None:
        self.is_awaited = False
        if stack.job_id == self._job.id:
            self.taken = stack
        self._host.page.draw_text()

    def start_over(self) -> None:
        """Forget it, as of another job."""
        self.taken = None

    # What its tab shows

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job."""
        return (self.taken, self.is_awaited)

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show the stack, or why there is none."""
        host = detail.row.host
        lines = stack_lines(self.taken, taking=self.is_awaited, hints=self._hints, host=host)
        view.show_lines(lines)

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say when it was taken, and by which command."""
        stack = self.taken
        if stack is None or self.is_awaited:
            return ""
        verb = "asked" if stack.trouble else "taken"
        again = f"{self._hints(STACK)} takes another"
        return f"{verb} {clock_time(stack.taken_at, now)}, {again}   {inert(stack.twin)}"


def stack_lines(
    stack: StackTaken | None, *, taking: bool, hints: KeyHints = DEFAULT_HINTS, host: str = ""
) -> list[Line]:
    """The stack as it was taken last, or why there is none; `host` is where an agent runs it.

    Args:
        stack: What was taken last; None before anything was.
        taking: Whether one is being taken.
        hints: How keys are called.
        host: Where an agent runs the job; empty for this machine.
    """
    if stack is None or taking:
        if taking:
            there = f" on {inert(host)}" if host else ""
            return [((f"asking its process{there}..", "dim"),)]
        if host:
            key = hints(STACK)
            return [
                ((f"Press {key} to see where the job's code is now. Its worker asks the", "dim"),),
                ((f"agent on {inert(host)}; the job does not notice.", "dim"),),
            ]
        return [
            (
                (
                    f"Press {hints(STACK)} to see where the job's code is now. A signal asks its",
                    "dim",
                ),
            ),
            (("process; the job does not notice, and the queue file is not changed.", "dim"),),
        ]
    if stack.trouble:
        return [((stack.trouble, "warn"),)]
    lines = split_lines(stack.text) or ["It is not running Python code at the moment."]
    return [((line, "heading" if line.startswith("Thread") else ""),) for line in lines]
