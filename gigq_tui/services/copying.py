"""Copying: text to the clipboard of the terminal that the person sits at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_tui.actions.question import Choice
from gigq_tui.actions.report import Report
from gigq_tui.format import inert, size
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import COPY_VIEW
from gigq_tui.services.notices import Notices
from gigq_tui.services.waiting import RunsWorkers, find_out
from gigq_tui.terminal.clipboard import MAX_BYTES, into_tmux, osc52, through_tmux, wraps_for_another

_TOLD_CHARACTERS = 200


class Terminal(RunsWorkers, Protocol):
    """The app, as far as text is copied by it."""

    def keep_copy(self, text: str) -> None:
        """Let this be what was copied last."""

    def send(self, sequence: str) -> None:
        """Write a sequence to the terminal."""


class Copying:
    """Copies text and commands, and tells it.

    Args:
        terminal: Where they are written to.
        notices: Where it is told.
        last_report: What the last action on jobs came to.
        view_command: The command that shows what is looked at now.
    """

    def __init__(
        self,
        terminal: Terminal,
        notices: Notices,
        last_report: Callable[[], Report | None],
        view_command: Callable[[], str],
    ) -> None:
        self._terminal = terminal
        self._notices = notices
        self._last_report = last_report
        self._view_command = view_command

    def copy_fresh_twin(self) -> bool:
        """Copy the command of the action whose notice stood there; says whether there was one."""
        twin, self._notices.fresh_twin = self._notices.fresh_twin, ""
        if twin:
            self.copy_command(twin)
        return bool(twin)

    def everywhere(self) -> list[Choice]:
        """What can be copied on any screen: this view, and the last action's command, if any."""
        choices = [Choice("w", "this view as a command", self.copy_view)]
        report = self._last_report()
        if report is not None and report.twin:
            copy = partial(self.copy_command, report.twin)
            choices.append(Choice("l", "last action's command", copy))
        return choices

    @does(COPY_VIEW)
    def copy_view(self) -> None:
        """Copy the command that shows what is looked at now."""
        self.copy_text(self._view_command(), "the view")

    def copy_command(self, twin: str) -> None:
        """Copy a command, unless no terminal would take it."""
        if len(twin.encode()) > MAX_BYTES:
            self._notices.tell(
                f"The command names too many jobs for a clipboard ({len(twin) // 1000:,} kB).",
                "warn",
            )
        else:
            self.copy_text(twin, "the command")

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None:
        """Copy text.

        Args:
            text: What to copy; no more of it than terminals take is copied.
            what: What the notice calls it.
            source: The file that holds all of it, if there is one.
        """
        copy = osc52(text)
        self._terminal.keep_copy(copy.text)
        tell = partial(self._tell, text, copy.text, what, source)
        if not wraps_for_another():
            self._terminal.send(copy.sequence)
            tell(sure=True)
            return

        def asked(tmux_has_it: bool) -> None:
            self._terminal.send(through_tmux(copy.text) if tmux_has_it else copy.sequence)
            tell(sure=tmux_has_it)

        find_out(self._terminal, partial(into_tmux, copy.text), asked)

    def _tell(self, text: str, sent: str, what: str, source: Path | None, *, sure: bool) -> None:
        """Say what was copied; or only sent, where nothing tells whether it arrived."""
        if sent == text:
            told = inert(text[:_TOLD_CHARACTERS])
            done = f"copied {what}" if sure else f"{what} was sent to the terminal"
            self._notices.tell(f"{done}: {told}", "ok")
            return
        part = f"{size(len(sent.encode()))} of {size(len(text.encode('utf-8', 'replace')))}"
        done = f"copied the first {part} of {what}"
        if not sure:
            done = f"the first {part} of {what} was sent to the terminal"
        place = f"; all of it is in {source}" if source is not None else ""
        self._notices.tell(f"{done}: terminals take no more{place}", "warn")
