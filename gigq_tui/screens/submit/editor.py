"""The parameters in the user's own editor: the terminal is lent to it, and mistakes lead back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from textual.app import SuspendNotSupported

from gigq_core.errors import GigQError
from gigq_core.job import encode_params
from gigq_tui.actions.editor import edit_text
from gigq_tui.actions.question import Choice, Question
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import EDIT_PARAMS
from gigq_tui.screens.parts.needs import AsksQuestion
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.submit.check import FormResult
from gigq_tui.screens.submit.form import SubmitForm
from gigq_tui.screens.submit.host import Known, Notices
from gigq_tui.screens.submit.texts import Offer, TextMistake, offer, read_back


class EditorHost(AsksQuestion, Protocol):
    """The screen, as the editor knows it."""

    form: SubmitForm
    known: Known
    result: FormResult

    def review(self) -> None:
        """Tell what is wrong, and what would be submitted."""

    def call_later(self, callback: Callable[..., Awaitable[None]], *args: Any) -> bool:
        """Call something in the screen's own turn."""


class ParamsEditor(Part):
    """The form's way into an editor and back.

    Args:
        host: The screen.
        lend_terminal: Gives the terminal away while the editor has it.
        notices: Where it is said how it went.
    """

    def __init__(
        self,
        host: EditorHost,
        lend_terminal: Callable[[], AbstractContextManager[None]],
        notices: Notices,
    ) -> None:
        self._host = host
        self._lend_terminal = lend_terminal
        self._notices = notices

    @does(EDIT_PARAMS)
    def edit_params(self) -> None:
        """Edit the parameters in $EDITOR."""
        self._host.review()
        values = self._host.result.params
        self._edit(offer(self._host.form.specs, values), values)

    def _edit(self, given: Offer, values: dict[str, Any], text: str = "", line: int = 1) -> None:
        left: str | GigQError
        try:
            with self._lend_terminal():
                left = _edited(text or given.text, line)
        except SuspendNotSupported:
            self._notices.tell("This terminal can't run an editor.", "warn")
            return
        if isinstance(left, GigQError):
            self._notices.tell(str(left), "warn")
            return
        try:
            params = read_back(left, given, self._host.form.specs, values)
            encode_params(params)
        except (TextMistake, ValueError, TypeError) as problem:
            at = problem.line if isinstance(problem, TextMistake) else 1
            self._ask_again(str(problem), given, values, left, at)
            return
        if left.strip() == given.text.strip():
            self._notices.tell("No changes.")
            return
        self._host.call_later(self._put, params)

    async def _put(self, params: dict[str, Any]) -> None:
        await self._host.form.put_params(params, self._host.known.info)
        self._host.review()
        self._notices.tell("Parameters taken from the editor.", "ok")

    def _ask_again(
        self, mistake: str, given: Offer, values: dict[str, Any], left: str, line: int
    ) -> None:
        self._host.question(
            Question(
                f"These parameters can't be read: {mistake}",
                ("The form was not changed.",),
                (
                    Choice("e", "Edit again", lambda: self._edit(given, values, left, line)),
                    Choice("d", "Discard changes"),
                ),
            )
        )


def _edited(text: str, line: int) -> str | GigQError:
    """What the editor left, or why there is nothing: raised, that would leave us suspended."""
    try:
        return edit_text(text, line=line)
    except GigQError as problem:
        return problem
