"""Where the console can go: from any screen to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gigq_core.schedules.rules import Schedule
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import OUTCOMES, SET_WORKERS
from gigq_tui.keys.looking_actions import (
    COUNT,
    GROUPS,
    LANES,
    OVERVIEW,
    SCHEDULES,
    VIEWS,
    WORKERS,
)
from gigq_tui.keys.screen_actions import HELP, PALETTE
from gigq_tui.services.notices import Notices
from gigq_tui.store.filter.language import Filter, parse
from gigq_tui.store.models import JobDetail, Tab
from gigq_tui.viewpoint import Destination, Viewpoint


class Openers(Protocol):
    """How each screen is opened, and each panel; the app knows, and no service."""

    def job(self, job_id: str, tab: str | None = None) -> None: ...

    def tree(self, job_id: str) -> None: ...

    def form(self, template: JobDetail | None) -> None: ...

    def schedule_form(self, schedule: Schedule | None) -> None: ...

    def workers(self, *, setting_up: bool = False) -> None: ...

    def overview(self) -> None: ...

    def groups(self) -> None: ...

    def count(self) -> None: ...

    def lanes(self) -> None: ...

    def schedules(self) -> None: ...

    def help(self) -> None: ...

    def palette(self) -> None: ...

    def views(self) -> None: ...

    def outcomes(self) -> None: ...

    def jobs(self, tab: Tab, matching: Filter) -> None: ...

    def view(self, viewpoint: Viewpoint) -> None: ...

    def back(self) -> None: ...

    @property
    def words(self) -> Mapping[str, Callable[[str], None]]:
        """What opens the screen that a word names, given what stands behind its colon."""


class Routes:
    """Puts another screen in front, or a panel over the one in front.

    Args:
        openers: How each is opened.
        notices: Where it is told that there is nothing to open.
        acted: Says whether there was any action on jobs.
    """

    def __init__(self, openers: Openers, notices: Notices, acted: Callable[[], bool]) -> None:
        self._open = openers
        self._notices = notices
        self._acted = acted

    def show_job(self, job_id: str, tab: str | None = None) -> None:
        """Show a job.

        Args:
            job_id: Which.
            tab: The tab that is open first; None for the one that suits the job.
        """
        self._open.job(job_id, tab)

    def show_tree(self, job_id: str) -> None:
        """Show the dependencies around a job."""
        self._open.tree(job_id)

    def show_form(self, template: JobDetail | None = None) -> None:
        """Show the form for a new job, perhaps with a copy of another."""
        self._open.form(template)

    @does(WORKERS)
    def show_workers(self) -> None:
        """Show the workers."""
        self._open.workers()

    @does(SET_WORKERS)
    def set_workers(self) -> None:
        """Ask, on the workers screen, how many workers there shall be, and with what."""
        self._open.workers(setting_up=True)

    @does(OVERVIEW)
    def show_overview(self) -> None:
        """Show the overview."""
        self._open.overview()

    @does(GROUPS)
    def show_groups(self) -> None:
        """Show the failed jobs, grouped."""
        self._open.groups()

    @does(COUNT)
    def show_count(self) -> None:
        """Count the jobs that the screen in front is about."""
        self._open.count()

    @does(LANES)
    def show_lanes(self) -> None:
        """Show the lanes."""
        self._open.lanes()

    @does(SCHEDULES)
    def show_schedules(self) -> None:
        """Show the schedules."""
        self._open.schedules()

    def show_schedule_form(self, schedule: Schedule | None = None) -> None:
        """Show the form for a new schedule, or with one that is to be changed."""
        self._open.schedule_form(schedule)

    @does(HELP)
    def show_help(self) -> None:
        """Show the keys of the screen in front."""
        self._open.help()

    @does(PALETTE)
    def open_palette(self) -> None:
        """Open the command palette on the screen in front."""
        self._open.palette()

    @does(VIEWS)
    def open_views(self) -> None:
        """Open the panel of views on the screen in front."""
        self._open.views()

    @does(OUTCOMES)
    def show_outcomes(self) -> None:
        """Show what has become of the jobs of the last action, and of those before."""
        if self._acted():
            self._open.outcomes()
        else:
            self._notices.tell("No action on jobs yet in this session.", "warn")

    def show_jobs(self, tab: Tab, filter_text: str) -> None:
        """Go back to the jobs screen, and show what a filter matches there.

        Raises:
            FilterError: the filter can't be understood; nothing is left.
        """
        self._open.jobs(tab, parse(filter_text))

    def show_view(self, view: Viewpoint) -> None:
        """Go back to the jobs screen, and show there, and over it, what a view says."""
        self._open.view(view)

    def open(self, destination: Destination) -> None:
        """Put the screen in front that a word names; the id in it is that of a job."""
        self._open.words[destination.screen](destination.argument)

    def list_jobs(self, filter_text: str) -> None:
        """The same of all tabs.

        Raises:
            FilterError: as for `show_jobs`.
        """
        self.show_jobs(Tab.ALL, filter_text)

    def back(self) -> None:
        """Go back to the screen before this one."""
        self._open.back()
