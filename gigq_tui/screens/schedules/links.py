"""Where a schedule leads, and what is copied of it: its jobs, its last one, its command."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gigq_tui.actions import shell_command
from gigq_tui.actions.schedules import request_of
from gigq_tui.format import inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import SCHEDULE_COPY, SCHEDULE_JOBS, SCHEDULE_LAST
from gigq_tui.screens.parts.copy_choices import (
    Copies,
    command_choice,
    copy_question,
    text_choice,
)
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import equal
from gigq_tui.store.models import Tab
from gigq_tui.store.schedules import ListedSchedule


class ChoosesOne(Protocol):
    """Which schedule is meant."""

    @property
    def current(self) -> ListedSchedule | None: ...


class ShowsJobs(Protocol):
    """Where jobs are shown."""

    def show_jobs(self, tab: Tab, filter_text: str) -> None: ...

    def show_job(self, job_id: str, tab: str | None = None) -> None: ...


class ScheduleLinks(Part):
    """Shows the jobs of the schedule under the cursor, and copies what is told of it.

    Args:
        host: The screen.
        choice: Which schedule is meant.
        routes: Where jobs are shown.
        copying: What copies.
        notices: Where it is told why nothing is done.
        path: The queue file.
    """

    def __init__(
        self,
        host: AsksQuestion,
        choice: ChoosesOne,
        routes: ShowsJobs,
        copying: Copies,
        notices: Tells,
        path: Path,
    ) -> None:
        self._host = host
        self._choice = choice
        self._routes = routes
        self._copying = copying
        self._notices = notices
        self._path = path

    @does(SCHEDULE_JOBS)
    def show(self) -> None:
        """List the jobs that the schedule has made."""
        if (one := self._meant()) is not None:
            self._routes.show_jobs(Tab.ALL, equal(Field.SCHEDULE, one.name))

    @does(SCHEDULE_LAST)
    def show_last(self) -> None:
        """Open the last job that it has made."""
        if (one := self._meant()) is None:
            return
        if one.last is not None:
            self._routes.show_job(one.last.id)
        elif one.schedule.last_job_id is not None:
            self._notices.tell("Its last job has been deleted.", "warn")
        else:
            self._notices.tell("It has made no job yet.", "warn")

    @does(SCHEDULE_COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        one = self._choice.current
        if self._copying.copy_fresh_twin() or one is None:
            return
        choices = [
            text_choice(self._copying, "n", "name", one.name),
            text_choice(self._copying, "f", "filter", equal(Field.SCHEDULE, one.name)),
        ]
        if one.last is not None:
            choices.append(text_choice(self._copying, "i", "id of its last job", one.last.id))
        try:
            line = shell_command.for_submit(self._path, request_of(one.schedule))
        except ValueError:
            pass
        else:
            choices.append(command_choice(self._copying, "c", "command that adds it", line))
        title = f"Copy from {inert(one.name)}?"
        self._host.question(copy_question(self._copying, title, choices))

    def _meant(self) -> ListedSchedule | None:
        one = self._choice.current
        if one is None:
            self._notices.tell("There is no schedule under the cursor.", "warn")
        return one
