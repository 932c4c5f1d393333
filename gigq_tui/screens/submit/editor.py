"""The parameters in the user's own editor: the terminal is lent to it, and mistakes lead back."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import SuspendNotSupported
from textual.message import Message

from gigq_core.errors import GigQError
from gigq_core.job import encode_params
from gigq_tui.actions.editor import edit_text
from gigq_tui.actions.question import Choice, Question
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import EDIT_PARAMS
from gigq_tui.screens.submit.lookups import SubmitLookups
from gigq_tui.screens.submit.texts import Offer, TextMistake, offer, read_back


class ParamsEditing(SubmitLookups, inherit_bindings=False):
    """The submit screen's way into an editor and back."""

    class Edited(Message):
        """The editor left these parameters."""

        def __init__(self, params: dict[str, Any]) -> None:
            self.params = params
            super().__init__()

    @does(EDIT_PARAMS)
    def do_edit_params(self) -> None:
        """Edit the parameters in $EDITOR."""
        self.review()
        values = self.verdict.params
        self._edit(offer(self.form.specs, values), values)

    def _edit(self, given: Offer, values: dict[str, Any], text: str = "", line: int = 1) -> None:
        left: str | GigQError
        try:
            with self.app.suspend():
                left = _edited(text or given.text, line)
        except SuspendNotSupported:
            self.console.notice("This terminal can't run an editor.", "warn")
            return
        if isinstance(left, GigQError):
            self.console.notice(str(left), "warn")
            return
        try:
            params = read_back(left, given, self.form.specs, values)
            encode_params(params)
        except (TextMistake, ValueError, TypeError) as problem:
            at = problem.line if isinstance(problem, TextMistake) else 1
            self._ask_again(str(problem), given, values, left, at)
            return
        if left.strip() == given.text.strip():
            self.console.notice("No changes.")
            return
        self.post_message(self.Edited(params))

    @on(Edited)
    async def _edited(self, event: Edited) -> None:
        await self.form.put_params(event.params, self.known.info)
        self.review()
        self.console.notice("Parameters taken from the editor.", "ok")

    def _ask_again(
        self, mistake: str, given: Offer, values: dict[str, Any], left: str, line: int
    ) -> None:
        self.question(
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
