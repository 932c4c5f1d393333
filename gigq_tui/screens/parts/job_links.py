"""The ways from a job to the screens that show it, or that make another one of it."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import EDIT
from gigq_tui.keys.looking_actions import LOG, OPEN, TREE
from gigq_tui.keys.reading_actions import STACK
from gigq_tui.screens.parts.job_actions import GONE
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.models import JobDetail, JobRow


class ShowsRow(Protocol):
    """What the parts need of their screen."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""


class LinkHost(ShowsRow, Protocol):
    """What the part with a copy of the job needs of its screen."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out what else is known of the job."""


class JobRoutes(Protocol):
    """Puts the screens of a job in front."""

    def show_job(self, job_id: str, tab: str | None = None) -> None: ...

    def show_tree(self, job_id: str) -> None: ...

    def show_form(self, template: JobDetail | None = None) -> None: ...


class JobLinks(Part):
    """From the job under the cursor to its tree, and to a form with a copy of it.

    Args:
        host: The screen.
        routes: The way to the others.
        notices: Where it is told that there is nothing to copy.
    """

    def __init__(self, host: LinkHost, routes: JobRoutes, notices: Tells) -> None:
        self._host = host
        self._routes = routes
        self._notices = notices

    @does(TREE)
    def show_tree(self) -> None:
        """Open the dependency tree around the job."""
        row = self._host.current_row()
        if row is not None:
            self._routes.show_tree(row.id)

    @does(EDIT)
    def edit(self) -> None:
        """Open the form with a copy of the job."""
        row = self._host.current_row()
        if row is not None:
            job_id = row.id
            self._host.reads.ask(
                lambda reader: reader.detail(job_id), self._edit, self._warn, first=True
            )

    def _edit(self, detail: JobDetail | None) -> None:
        if detail is None:
            self._warn(GONE)
        elif self._host.is_current:
            self._routes.show_form(detail)

    def _warn(self, trouble: str) -> None:
        if self._host.is_current:
            self._notices.tell(trouble, "warn")


class OpenJob(Part):
    """From the job under the cursor to the screen that shows it alone.

    Args:
        host: The screen.
        routes: The way to the other.
    """

    def __init__(self, host: ShowsRow, routes: JobRoutes) -> None:
        self._host = host
        self._routes = routes

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
            self._routes.show_job(row.id, tab)
