"""What can be copied of one job: its id, its values without secrets, its error, its output."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gigq_tui.actions.question import Choice
from gigq_tui.actions.shell_command import for_jobs, without_secrets
from gigq_tui.actions.stack import StackTaken
from gigq_tui.format import as_json, cut, inert, masked
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.parts.copy_choices import Copies, copy_question, text_choice
from gigq_tui.screens.parts.needs import AsksQuestion, FindsOut, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.text_reader import copy_tail
from gigq_tui.store.models import Attempt, JobDetail
from gigq_tui.store.tail import WHOLE_BYTES, Tail, read_output


class KnowsJob(Protocol):
    """The part that knows the job."""

    @property
    def detail(self) -> JobDetail | None:
        """What is known of the job that is shown."""


class KnowsAttempt(Protocol):
    """The part that knows the attempt."""

    @property
    def chosen(self) -> Attempt | None:
        """The attempt that is shown."""


class KnowsStack(Protocol):
    """The part that knows the stack."""

    @property
    def taken(self) -> StackTaken | None:
        """The stack that was taken last."""


class KnowsText(Protocol):
    """The part that knows what is seen."""

    def visible_text(self) -> str | None:
        """The text that is seen now; None where there is none, or it shows secrets."""


class DetailCopyHost(AsksQuestion, Protocol):
    """What copying needs of its screen."""

    @property
    def job(self) -> KnowsJob: ...

    @property
    def attempts(self) -> KnowsAttempt: ...

    @property
    def stack(self) -> KnowsStack: ...

    @property
    def page(self) -> KnowsText: ...


class DetailCopy(Part):
    """Copies what is asked for of the job that is shown.

    Args:
        path: The queue file.
        copying: Where it goes.
        notices: Where it is said that there is nothing.
        reads: What reads the output.
        host: The screen.
    """

    def __init__(
        self,
        path: Path,
        copying: Copies,
        notices: Tells,
        reads: FindsOut,
        host: DetailCopyHost,
    ) -> None:
        self._path = path
        self._copying = copying
        self._notices = notices
        self._reads = reads
        self._host = host

    @does(COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice is shown; else ask what to copy."""
        detail = self._host.job.detail
        if self._copying.copy_fresh_twin():
            return
        title = "Copy what?"
        choices: list[Choice] = []
        if detail is not None:
            title = f"Copy from {cut(inert(detail.row.name), 40)} {detail.row.id[:8]}?"
            choices = self._choices(detail)
        self._host.question(copy_question(self._copying, title, choices))

    def _choices(self, detail: JobDetail) -> list[Choice]:
        attempt, stack = self._host.attempts.chosen, self._host.stack.taken
        row = detail.row
        choices = [
            self._choice("i", "id", row.id),
            self._choice("n", "name", row.name),
        ]
        error = attempt.error if attempt is not None and attempt.error else detail.error
        if error:
            choices.append(self._choice("e", "error", error))
        if attempt is not None and attempt.traceback:
            choices.append(self._choice("t", "traceback", attempt.traceback))
        for key, name, value in (("p", "params", detail.params), ("r", "result", detail.result)):
            if value is not None:
                choices.append(self._choice(key, name, _without_secrets(value)))
        if attempt is not None:
            choices.append(Choice("o", "output", partial(self._copy_output, attempt)))
        if stack is not None and stack.text:
            choices.append(self._choice("s", "stack", stack.text))
        if (visible := self._host.page.visible_text()) is not None:
            choices.append(self._choice("v", "what is visible", visible))
        choices.append(self._choice("c", "command", for_jobs(self._path, "status", [row.id])))
        return choices

    def _choice(self, key: str, what: str, text: str) -> Choice:
        return text_choice(self._copying, key, what, text)

    def _copy_output(self, attempt: Attempt) -> None:
        call = partial(read_output, self._path, attempt, None, WHOLE_BYTES)
        self._reads.find_out(call, self._output_read)

    def _output_read(self, output: Tail) -> None:
        copy_tail(output, "the output", self._copying, self._notices)


def _without_secrets(value: Any) -> str:
    """A value as JSON with placeholders; text that never was JSON is searched for secrets."""
    if isinstance(value, str):
        return str(masked(value))
    return as_json(without_secrets(value), indent=2)
