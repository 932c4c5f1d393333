"""The acting half of the app: run an act in a thread, tell its outcome, watch it, take it back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import RenderableType
from textual import on
from textual.app import App
from textual.binding import BindingType

from gigq_core.errors import GigQError
from gigq_core.paths import queue_file
from gigq_tui.actions.jobs import JobActions
from gigq_tui.actions.report import Report
from gigq_tui.actions.stop_watch import StopWatch
from gigq_tui.actions.undo_log import DoneAction
from gigq_tui.format import cut, inert, plural, size, without_folder
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.job_actions import OUTCOMES, UNDO
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.services.messages import ActionFinished
from gigq_tui.services.notes import MANY, attach_note
from gigq_tui.store.models import Snapshot
from gigq_tui.terminal.clipboard import MAX_BYTES, into_tmux, osc52, through_tmux, wraps_for_another
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

# An act that takes longer has its reason, which is told; in seconds.
SLOW_ACT_S = 2.0
MOST_WATCHES = 20
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
        # Commands that are copied work in any folder.
        self.path = queue_file(path).absolute()
        self.python = python
        self.chdir = chdir
        self.read_only = read_only
        self.demo = demo
        self.hints = KeyHints()
        self.jobs = JobActions(path, read_only, python=python, chdir=chdir)
        self.snapshot: Snapshot | None = None
        self.acting = 0
        self.acts_begun = 0
        self.failed = False
        # What the last act on jobs came to, and its command while the notice stood at the last key.
        self.last_report: Report | None = None
        self.fresh_twin = ""
        # When the last act ended: a picture of the file from before does not show it.
        self.acted_at: datetime | None = None
        self._acting_since = 0.0
        self._slow_told = False
        self._watches: list[StopWatch] = []

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

    def now(self) -> datetime:
        """The hour, naive local time."""
        return datetime.now()

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
        if not self.acting:
            self._acting_since, self._slow_told = self.monotonic(), False
        self.acting += 1
        self.acts_begun += 1
        self.mind_the_ticker()
        self.run_worker(partial(self._act, call, after), thread=True, group="acts")

    def _act(self, call: Callable[[], Report | None], after: Callable[[], None] | None) -> None:
        try:
            report = call()
        except (GigQError, OSError) as problem:
            self.post_message(ActionFinished(None, str(problem)))
        else:
            self.post_message(ActionFinished(report, after=after))

    @on(ActionFinished)
    def _act_finished(self, event: ActionFinished) -> None:
        self.acting -= 1
        if event.trouble:
            self.notice(event.trouble, "error")
        elif event.report is not None:
            self._tell(event.report)
        if event.after is not None:
            event.after()
        self.acted_at = self.now()
        self.refresh_feed()
        self.mind_the_ticker()

    def _tell(self, report: Report) -> None:
        if report.outcomes:
            self.last_report = report
            watch = StopWatch(report, self.monotonic())
            if watch.ids:
                self._watches = [*self._watches, watch][-MOST_WATCHES:]
        self._say(report)

    def _say(self, report: Report) -> None:
        hints = [f"{self.hints(OUTCOMES)} results"] if report.mixed else []
        if report.undoable:
            hints.append(f"{self.hints(UNDO)} undo")
        tone = "ok" if report.done else "warn"
        self.notice(report.title, tone, report.twin, "  ".join(hints))

    def notice(self, text: str, tone: str = "info", twin: str = "", hint: str = "") -> None:
        """Tell something in the notice line of the screen in front.

        Args:
            text: One sentence or less.
            tone: `info`, `ok`, `warn` or `error`.
            twin: The shell command that does the same, or an empty string.
            hint: Keys that belong to it and what they do, or an empty string.
        """
        screen = self.front
        if screen is not None and screen.is_whole:
            screen.notice_line.tell(
                without_folder(text, self.path), tone, twin, hint, self.hints(COPY)
            )
            self.mind_the_ticker()

    @does(OUTCOMES)
    def do_outcomes(self) -> None:
        """Show what became of each job of the last act."""
        from gigq_tui.widgets.outcome_panel import open_outcomes

        screen, report = self.front, self.last_report
        if report is None:
            self.notice("No action on jobs yet in this session.", "warn")
        elif screen is not None:
            open_outcomes(screen, report)

    # What becomes of jobs that are to stop

    def mind_acts(self) -> None:
        """Look what became of jobs that are to stop, and say it where an act takes its time."""
        slow = self.acting and self.monotonic() - self._acting_since >= SLOW_ACT_S
        if slow and not self._slow_told:
            self._slow_told = True
            self.notice("still writing; another process may be using the file", "warn")
        for watch in self._watches:
            self.ask("rows", watch.ids, partial(self._watched, watch))

    def _watched(self, watch: StopWatch, answer: Any) -> None:
        if watch not in self._watches or not isinstance(answer, dict):
            return
        report = watch.ended(answer, self.monotonic())
        if report is None:
            return
        self._watches.remove(watch)
        if self.last_report is watch.report:
            self.last_report = report
        self._say(report)

    def ask(self, kind: str, subject: Any, receive: Callable[[Any], None]) -> None:
        """Have the reader thread find something out."""

    # Undo

    @does(UNDO)
    def do_undo(self) -> None:
        """Take the last act back; where it was about many jobs, once that has been confirmed."""
        act, screen = self.jobs.undoable, self.front
        if act is None or screen is None:
            self.notice("Nothing to undo in this session.", "warn")
            return
        if len(act) == 1 and not self.will_attach:
            self._undo(act)
            return
        count = len(act)
        names = list(act.names)
        if count > len(names):
            names.append(f"and {count - len(names):,} more")
        details = [
            ", ".join(names),
            "Jobs that were claimed or changed since are left alone.",
        ]
        if self.will_attach:
            details.append(attach_note(self.path))
        many = count >= MANY
        screen.question(
            Question(
                f"Undo the {act.what}?",
                tuple(details),
                (
                    Choice("n", "No"),
                    Choice(
                        "Y" if many else "y",
                        f"Undo {plural(count, 'job')}",
                        partial(self._undo, act),
                        grave=many,
                    ),
                ),
            )
        )

    def _undo(self, act: DoneAction) -> None:
        self.act(lambda: self.jobs.undo(act))

    # Copying

    def in_thread(self, call: Callable[[], Any], receive: Callable[[Any], None]) -> None:
        """Run something that may block, and hand its value to `receive` in the app's thread."""

    def copy_fresh_twin(self) -> bool:
        """Copy the command of the act whose notice stood there; says whether there was one."""
        twin, self.fresh_twin = self.fresh_twin, ""
        if twin:
            self.copy_command(twin)
        return bool(twin)

    def copy_command(self, twin: str) -> None:
        """Put a command on the clipboard, unless no terminal would take it."""
        if len(twin.encode()) > MAX_BYTES:
            self.notice(
                f"The command names too many jobs for a clipboard ({len(twin) // 1000:,} kB).",
                "warn",
            )
        else:
            self.copy_text(twin, "the command")

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None:
        """Put text on the clipboard of the terminal that the person sits at.

        Args:
            text: What to copy; no more of it than terminals take is copied.
            what: What the notice calls it.
            source: The file that holds all of it, if there is one.
        """
        copy = osc52(text)
        self._clipboard = copy.text
        tell = partial(self._tell_copied, text, copy.text, what, source)
        if not wraps_for_another():
            self._send(copy.sequence)
            tell(sure=True)
            return

        def asked(tmux_has_it: bool) -> None:
            self._send(through_tmux(copy.text) if tmux_has_it else copy.sequence)
            tell(sure=tmux_has_it)

        self.in_thread(partial(into_tmux, copy.text), asked)

    def _send(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def _tell_copied(
        self, text: str, sent: str, what: str, source: Path | None, *, sure: bool
    ) -> None:
        """Say what was copied; or only sent, where nothing tells whether it arrived."""
        if sent == text:
            told = cut(inert(text[:_TOLD_CHARACTERS]), 60)
            done = f"copied {what}" if sure else f"{what} was sent to the terminal"
            self.notice(f"{done}: {told}", "ok")
            return
        part = f"{size(len(sent.encode()))} of {size(len(text.encode('utf-8', 'replace')))}"
        done = f"copied the first {part} of {what}"
        if not sure:
            done = f"the first {part} of {what} was sent to the terminal"
        place = f"; all of it is in {source}" if source is not None else ""
        self.notice(f"{done}: terminals take no more{place}", "warn")

    @property
    def will_attach(self) -> bool:
        """Whether the first act adds our tables to a file that is GigQ's own so far."""
        return self.snapshot is not None and not self.snapshot.info.attached

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        """Act at once, or ask first where the act adds our tables to GigQ's own file."""
        if self.will_attach:
            self.confirm(title, (), "Yes", act)
        else:
            act()

    def confirm(
        self, title: str, details: Sequence[str], yes: str, act: Callable[[], None]
    ) -> None:
        """Ask on the screen in front, and act once somebody says yes.

        Args:
            title: The question.
            details: What is told of it; that our tables are added to the file is told besides.
            yes: What the choice that acts is called.
            act: What is done then.
        """
        screen = self.front
        if screen is None:
            return
        told = (*details, attach_note(self.path)) if self.will_attach else tuple(details)
        screen.question(Question(title, told, (Choice("n", "No"), Choice("y", yes, act))))
