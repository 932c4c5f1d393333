"""The ways from a job to the screens that show it, or that make another one of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import EDIT
from gigq_tui.keys.looking_actions import LOG, OPEN, TREE
from gigq_tui.keys.reading_actions import STACK
from gigq_tui.screens.parts.job_actions import trouble_of
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import JobDetail, JobRow


class Routes(Protocol):
    """What the parts need of the console."""

    def show_job(self, job_id: str, tab: str | None = None) -> None: ...

    def show_tree(self, job_id: str) -> None: ...

    def show_form(self, template: JobDetail | None = None) -> None: ...

    def notice(self, text: str, tone: str = "info") -> None: ...


class LinkHost(Protocol):
    """What the parts need of their screen."""

    @property
    def console(self) -> Routes:
        """The services."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""

    def ask_first(self, kind: str, subject: Any, receive: Callable[[Any], None]) -> None:
        """Ask what decides what a key does."""


class JobLinks(Part):
    """From the job under the cursor to its tree, and to a form with a copy of it."""

    def __init__(self, host: LinkHost) -> None:
        self._host = host

    @does(TREE)
    def show_tree(self) -> None:
        """Open the dependency tree around the job."""
        row = self._host.current_row()
        if row is not None:
            self._host.console.show_tree(row.id)

    @does(EDIT)
    def edit(self) -> None:
        """Open the form with a copy of the job."""
        row = self._host.current_row()
        if row is not None:
            self._host.ask_first("detail", row.id, self._edit)

    def _edit(self, answer: Any) -> None:
        if not self._host.is_current:
            return
        if isinstance(answer, JobDetail):
            self._host.console.show_form(answer)
        else:
            self._host.console.notice(trouble_of(answer), "warn")


class OpenJob(Part):
    """From the job under the cursor to the screen that shows it alone."""

    def __init__(self, host: LinkHost) -> None:
        self._host = host

    @does(OPEN)
    def open(self) -> None:
        """Open the job."""
        self._open(None)

    @does(LOG)
    def open_output(self) -> None:
        """Open the output of the job."""
        self._open("Output")

    @does(STACK)
    def open_stack(self) -> None:
        """Take the stack of the job, now."""
        self._open("Stack")

    def _open(self, tab: str | None) -> None:
        row = self._host.current_row()
        if row is not None:
            self._host.console.show_job(row.id, tab)
