"""What can be copied of a job that is a row of a list."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_tui.actions.question import Choice
from gigq_tui.actions.shell_command import for_jobs
from gigq_tui.format import as_json, cut, inert, masked, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.parts.copy_choices import Copies, copy_question, text_choice
from gigq_tui.screens.parts.job_actions import GONE, ChosenJobs
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.models import JobDetail, JobRow


class CopyHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out the params of the job."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""

    def chosen_jobs(self) -> ChosenJobs:
        """The jobs that are marked, or the one under the cursor."""


class JobCopy(Part):
    """Copies what is asked for of the job under the cursor.

    Args:
        host: The screen.
        copying: What copies.
        notices: Where it is told that there is nothing to copy.
        path: The queue file, which a command names.
    """

    def __init__(self, host: CopyHost, copying: Copies, notices: Tells, path: Path) -> None:
        self._host = host
        self._copying = copying
        self._notices = notices
        self._path = path

    @does(COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        if self._copying.copy_fresh_twin():
            return
        row, chosen = self._host.current_row(), self._host.chosen_jobs()
        title = "Copy what?"
        choices: list[Choice] = []
        if len(chosen.ids) > 1:
            title = f"Copy from {plural(len(chosen.ids), 'job')}?"
            choices = self._choices_of_many(chosen)
        elif row is not None:
            title = f"Copy from {cut(inert(row.name), 40)} {row.id[:8]}?"
            choices = self._choices(row)
        self._host.question(copy_question(self._copying, title, choices))

    def _choices_of_many(self, chosen: ChosenJobs) -> list[Choice]:
        choices = [self._choice("i", "ids", "\n".join(chosen.ids))]
        # Of a job whose row was never in memory only the id is known.
        if len(chosen.rows) == len(chosen.ids):
            choices.append(self._choice("n", "names", "\n".join(row.name for row in chosen.rows)))
        return choices

    def _choices(self, row: JobRow) -> list[Choice]:
        choices = [self._choice("i", "id", row.id), self._choice("n", "name", row.name)]
        if row.error:
            choices.append(self._choice("e", "error", row.error))
        choices.append(Choice("p", "params", partial(self._copy_params, row.id)))
        choices.append(self._choice("c", "command", for_jobs(self._path, "status", [row.id])))
        return choices

    def _choice(self, key: str, what: str, text: str) -> Choice:
        return text_choice(self._copying, key, what, text)

    def _copy_params(self, job_id: str) -> None:
        self._host.reads.ask(lambda reader: reader.detail(job_id), self._params_read, self._warn)

    def _params_read(self, detail: JobDetail | None) -> None:
        if detail is None:
            self._warn(GONE)
        else:
            text = as_json(masked(detail.params), indent=2)
            self._copying.copy_text(text, "the params, secrets masked")

    def _warn(self, trouble: str) -> None:
        self._notices.tell(trouble, "warn")
