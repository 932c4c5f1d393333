"""The acting half of the app: run an act in a thread, tell its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.console import RenderableType
from textual import on
from textual.app import App
from textual.binding import BindingType

from gigq_core.errors import GigQError
from gigq_tui.actions.jobs import JobActions
from gigq_tui.actions.outcome import Report
from gigq_tui.clipboard import MOST_BYTES, fitting, osc52
from gigq_tui.format import cut, inert, size, without_folder
from gigq_tui.messages import ActFinished
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.steering_notes import attach_note
from gigq_tui.store.models import Snapshot
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

_TOLD_CHARACTERS = 200


class SteeringApp(App[None], inherit_bindings=False):
    """What the console can do, without how it reads and draws.

    Args:
        path: The queue file.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Refuse whatever writes.
        demo: The demonstration this console shows, or None.
    """

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, path: Path, *, python: str, chdir: Path, read_only: bool, demo: DemoSession | None
    ) -> None:
        super().__init__()
        # Nothing moves by itself: an animation is a flood of bytes on a slow line.
        self.animation_level = "none"
        self.path = path
        self.python = python
        self.chdir = chdir
        self.read_only = read_only
        self.demo = demo
        self.jobs = JobActions(path, read_only, python=python, chdir=chdir)
        self.snapshot: Snapshot | None = None
        self.acting = 0
        self.failed = False

    @property
    def front(self) -> ConsoleScreen | None:
        """The screen in front, if it is one of ours."""
        if not self.screen_stack:
            return None
        screen = self.screen
        return screen if isinstance(screen, ConsoleScreen) else None

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def mind_the_ticker(self) -> None:
        """Let the ticker run while anything changes by the second."""

    def refresh_feed(self) -> None:
        """Have the file read again soon."""

    def panic(self, *renderables: RenderableType) -> None:
        """End because of a fault, as when the terminal's input is lost."""
        self.failed = True
        super().panic(*renderables)

    # Acts and their outcome

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None:
        """Run a blocking act in a thread and tell its outcome.

        Args:
            call: What to do; a `GigQError` becomes a notice.
            after: Called in the app's own thread once it has succeeded.
        """
        self.acting += 1
        self.run_worker(partial(self._act, call, after), thread=True, group="acts")

    def _act(self, call: Callable[[], Report | None], after: Callable[[], None] | None) -> None:
        try:
            report = call()
        except (GigQError, OSError) as problem:
            self.post_message(ActFinished(None, str(problem)))
        else:
            self.post_message(ActFinished(report, after=after))

    @on(ActFinished)
    def _act_finished(self, event: ActFinished) -> None:
        self.acting -= 1
        if event.trouble:
            self.notice(event.trouble, "error")
        elif event.report is not None:
            report = event.report
            self.notice(report.title, "ok" if report.done else "warn", report.twin)
        if event.after is not None:
            event.after()
        self.refresh_feed()
        self.mind_the_ticker()

    def notice(self, text: str, tone: str = "info", twin: str = "") -> None:
        """Tell something in the notice line of the screen in front.

        Args:
            text: One sentence or less.
            tone: `info`, `ok`, `warn` or `error`.
            twin: The shell command that does the same, or an empty string.
        """
        screen = self.front
        if screen is not None and screen.is_whole:
            screen.notice_line.tell(without_folder(text, self.path), tone, twin)
            self.mind_the_ticker()

    def copy_text(self, text: str, what: str) -> None:
        """Put text on the clipboard of the terminal that the person sits at, or its beginning."""
        copied = fitting(text)
        self._clipboard = copied
        if self._driver is not None:
            self._driver.write(osc52(copied))
        start = cut(inert(copied[:_TOLD_CHARACTERS]), 60)
        if len(copied) < len(text):
            told = f"copied the first {size(MOST_BYTES)} of {what}, which is longer: {start}"
            self.notice(told, "warn")
        else:
            self.notice(f"copied {what}: {start}", "ok")

    @property
    def will_attach(self) -> bool:
        """Whether the first act adds our tables to a file that is GigQ's own so far."""
        return self.snapshot is not None and not self.snapshot.info.attached

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        """Act at once, or ask first where the act adds our tables to GigQ's own file."""
        screen = self.front
        if not self.will_attach or screen is None:
            act()
            return
        screen.question(
            Question(
                title,
                (attach_note(self.path),),
                (Choice("n", "No"), Choice("y", "Yes", act)),
            )
        )
