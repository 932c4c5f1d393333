"""Where a group leads, and what is copied of it: the filter of its jobs, and commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gigq_core.changes.canary import CANARY_JOBS
from gigq_core.grouping.failed_now import FailedJobs
from gigq_core.schema.failure_statements import MOST_GROUPED_BY
from gigq_tui.actions.question import Choice
from gigq_tui.actions.shell_command import command
from gigq_tui.format import cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import GROUP_COPY, GROUP_JOBS
from gigq_tui.screens.groups.lines import label_of
from gigq_tui.screens.parts.copy_choices import (
    Copies,
    command_choice,
    copy_question,
    text_choice,
)
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.failures.grouping import Grouping
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import all_of, equal, exactly
from gigq_tui.store.models import Tab

FAILED = "state:failed|state:timeout"
SHOWN_DIGITS = 8


class ChoosesOne(Protocol):
    """Which group is meant."""

    @property
    def by(self) -> Grouping: ...

    @property
    def current(self) -> FailedJobs | None: ...


def filter_of(group: FailedJobs, by: Grouping) -> str:
    """The filter that lists a group's jobs; empty where none does."""
    value = group.value
    if not value or by.by == "worker":
        # An attempt's worker is no longer with the job.
        return ""
    if len(value) >= MOST_GROUPED_BY:
        # There may be more of it.
        return ""
    try:
        return all_of(_named_by(value, by), FAILED)
    except ValueError:
        return ""


def _named_by(value: str, by: Grouping) -> str:
    if by.by == "cause":
        return f"fp:{value[:SHOWN_DIGITS]}"
    if by.by == "function":
        return equal(Field.FUNCTION, value)
    return f"{by.name}={exactly(value)}"


class GroupLinks(Part):
    """Lists the jobs of the group under the cursor, and copies what names them.

    Args:
        host: The screen.
        choice: Which group is meant.
        show_jobs: Lists jobs by a tab and a filter.
        copying: What copies.
        notices: Where it is told that there is no filter for them.
        path: The queue file.
    """

    def __init__(
        self,
        host: AsksQuestion,
        choice: ChoosesOne,
        show_jobs: Callable[[Tab, str], None],
        copying: Copies,
        notices: Tells,
        path: Path,
    ) -> None:
        self._host = host
        self._choice = choice
        self._show_jobs = show_jobs
        self._copying = copying
        self._notices = notices
        self._path = path

    @does(GROUP_JOBS)
    def show_jobs(self) -> None:
        """List the jobs of the group."""
        if (group := self._choice.current) is None:
            self._notices.tell("There is no group under the cursor.", "warn")
        elif text := filter_of(group, self._choice.by):
            try:
                self._show_jobs(Tab.ALL, text)
            except FilterError as problem:
                self._notices.tell(f"These can't be searched for: {problem.message}.", "warn")
        else:
            self._notices.tell("No filter lists these jobs: group them by something else.", "warn")

    @does(GROUP_COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        group, by = self._choice.current, self._choice.by
        if self._copying.copy_fresh_twin() or group is None:
            return
        choices: list[Choice] = []
        if text := filter_of(group, by):
            choices.append(text_choice(self._copying, "f", "filter", text))
        if by.by == "cause" and group.value:
            retry = ("retry", "--failure", group.value)
            canary = (*retry, "--canary", str(CANARY_JOBS))
            choices += [
                self._command("r", "retry command", retry),
                self._command("c", "canary command", canary),
                text_choice(self._copying, "m", "message", group.title),
            ]
        title = f"Copy from {cut(inert(label_of(group, by)), 60)}?"
        self._host.question(copy_question(self._copying, title, choices))

    def _command(self, key: str, what: str, words: tuple[str, ...]) -> Choice:
        return command_choice(self._copying, key, what, command(self._path, *words))
