"""What can be copied of one job: its id, its values without secrets, its error, its output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.shell_command import for_jobs, without_secrets
from gigq_tui.actions.stack import StackTaken
from gigq_tui.format import as_json, cut, inert, masked
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.job_copy import last_command
from gigq_tui.screens.parts.text_reader import copy_tail
from gigq_tui.store.models import Attempt, JobDetail
from gigq_tui.store.tail import WHOLE_BYTES, Tail, read_output
from gigq_tui.widgets.text_view import TextView


class DetailCopy(ConsoleScreen, inherit_bindings=False):
    """A screen about one job, whose parts can be copied."""

    detail: JobDetail | None = None
    stack: StackTaken | None = None

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is looked at."""
        return None

    @property
    def text_view(self) -> TextView:
        """The text that is read."""
        return self.query_one(TextView)

    @property
    def has_text(self) -> bool:
        """Whether a text is seen now."""
        return True

    @property
    def secrets_seen(self) -> bool:
        """Whether secrets stand in it unmasked: copies never hold them."""
        return False

    @does(COPY)
    def do_copy(self) -> None:
        """Copy the command of the last act while its notice stands; else ask what to copy."""
        detail, attempt = self.detail, self.attempt
        if self.console.copy_fresh_twin() or detail is None:
            return
        row = detail.row
        choices = [
            Choice("escape", "Nothing"),
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
        if self.stack is not None and self.stack.text:
            choices.append(self._choice("s", "stack", self.stack.text))
        if self.has_text and not self.secrets_seen:
            choices.append(self._choice("v", "what is visible", self.text_view.visible_text()))
        command = for_jobs(self.console.path, "status", [row.id])
        choices.append(self._choice("c", "command", command))
        choices += last_command(self.console)
        title = f"Copy from {cut(inert(row.name), 40)} {row.id[:8]}?"
        self.question(Question(title, (), tuple(choices), harmless=True))

    def _choice(self, key: str, what: str, text: str) -> Choice:
        named = what if what.startswith("what") else f"the {what}"
        return Choice(key, what, self._copy(text, named))

    def _copy(self, text: str, what: str) -> Callable[[], None]:
        return lambda: self.console.copy_text(text, what)

    def _copy_output(self, attempt: Attempt) -> None:
        call = partial(read_output, self.console.path, attempt, None, WHOLE_BYTES)
        self.in_thread(call, self._output_read)

    def _output_read(self, tail: Tail) -> None:
        copy_tail(tail, "the output", self.console)


def _without_secrets(value: Any) -> str:
    """A value as JSON with placeholders; text that never was JSON is searched for secrets."""
    if isinstance(value, str):
        return str(masked(value))
    return as_json(without_secrets(value), indent=2)
