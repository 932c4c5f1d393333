"""What can be copied of a job that is a row of a list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.shell_command import for_jobs
from gigq_tui.format import as_json, cut, inert, masked
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.parts.job_actions import trouble_of
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import JobDetail, JobRow


class Copying(Protocol):
    """What the part needs of the console."""

    @property
    def path(self) -> Path: ...

    @property
    def last_report(self) -> Report | None: ...

    def copy_fresh_twin(self) -> bool: ...

    def copy_command(self, twin: str) -> None: ...

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None: ...

    def notice(self, text: str, tone: str = "info") -> None: ...


class CopyHost(Protocol):
    """What the part needs of its screen."""

    @property
    def console(self) -> Copying:
        """The services."""

    def current_row(self) -> JobRow | None:
        """The job under the cursor, or None."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""

    def ask(self, kind: str, subject: Any, receive: Callable[[Any], None]) -> None:
        """Have the reader thread find something out."""


class JobCopy(Part):
    """Copies what is asked for of the job under the cursor."""

    def __init__(self, host: CopyHost) -> None:
        self._host = host

    @does(COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        row, copying = self._host.current_row(), self._host.console
        if copying.copy_fresh_twin() or row is None:
            return
        choices = [
            Choice("escape", "Nothing"),
            self._choice("i", "id", row.id),
            self._choice("n", "name", row.name),
        ]
        if row.error:
            choices.append(self._choice("e", "error", row.error))
        choices.append(Choice("p", "params", partial(self._copy_params, row.id)))
        choices.append(self._choice("c", "command", for_jobs(copying.path, "status", [row.id])))
        choices += last_command(copying)
        title = f"Copy from {cut(inert(row.name), 40)} {row.id[:8]}?"
        self._host.question(Question(title, (), tuple(choices), harmless=True))

    def _choice(self, key: str, what: str, text: str) -> Choice:
        return Choice(key, what, partial(self._host.console.copy_text, text, f"the {what}"))

    def _copy_params(self, job_id: str) -> None:
        self._host.ask("detail", job_id, self._params_read)

    def _params_read(self, answer: Any) -> None:
        if isinstance(answer, JobDetail):
            text = as_json(masked(answer.params), indent=2)
            self._host.console.copy_text(text, "the params, secrets masked")
        else:
            self._host.console.notice(trouble_of(answer), "warn")


def last_command(copying: Copying) -> list[Choice]:
    """The choice to copy the command that does what the last action did, if there was one."""
    report = copying.last_report
    if report is None or not report.twin:
        return []
    return [Choice("l", "last act's command", partial(copying.copy_command, report.twin))]
