"""The row of a form in which an environment is typed: what looks like a secret is never shown."""

from __future__ import annotations

from rich.highlighter import Highlighter
from rich.text import Text

from gigq_tui.actions.workers import environment
from gigq_tui.widgets.form_row import Field, FormRow

ENVIRONMENT_HINT = "A=1 B='x y', secrets masked"


class HideSecrets(Highlighter):
    """Draws a text without the secrets that it holds."""

    def highlight(self, text: Text) -> None:
        text.plain = environment.hide_secrets(text.plain)


class EnvironmentField(Field):
    """An input that shows no secret, and hands none to the clipboard."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.highlighter = HideSecrets()

    def action_copy(self) -> None:
        """Copy nothing: the selection may hold a secret."""

    def action_cut(self) -> None:
        self.delete_selection()


class EnvironmentRow(FormRow):
    """The row for the environment."""

    def __init__(self, text: str) -> None:
        super().__init__("environment", "environment", text, hint=ENVIRONMENT_HINT)
        self.field = EnvironmentField(text)
