"""An input that is handed its keys one by one, and does each of them before the next one comes."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.actions import parse
from textual.binding import Binding
from textual.widgets import Input

from gigq_tui.widgets.takes_keys import first_line

# What the keys of an input do, but for those that write a letter. Enter is the form's.
EDITS = {
    binding.key: parse(binding.action)[1:]
    for binding in Binding.make_bindings(Input.BINDINGS)
    if binding.action != "submit"
}


class TypedInput(Input):
    """An input whose cursor does not blink, and which does its own keys itself.

    Args:
        value: What stands in it at first.
        password: Do not show what is typed.
        placeholder: What stands in it while it is empty.
        id: The id of the widget.
    """

    def __init__(
        self,
        value: str = "",
        *,
        password: bool = False,
        placeholder: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(
            value, password=password, placeholder=placeholder, select_on_focus=False, id=id
        )
        self.cursor_blink = False
        # Asked first about every key; true if it was not meant for the field.
        self.keys_first: Callable[[events.Key], bool] | None = None

    def meant_elsewhere(self, event: events.Key) -> bool:
        """Whether a key means something else here than to an input, and has been seen to."""
        return self.keys_first is not None and self.keys_first(event)

    def take_key(self, event: events.Key) -> bool:
        """Type, edit, or move in the text; say whether it was a key for that."""
        if self.meant_elsewhere(event):
            return True
        if event.key in EDITS:
            name, params = EDITS[event.key]
            getattr(self, f"action_{name}")(*params)
            return True
        # Terminals send alt and a letter as that letter, but nobody means it as text.
        if not event.is_printable or event.character is None or event.key.startswith("alt+"):
            return False
        self._put(event.character)
        return True

    def take_paste(self, text: str) -> None:
        """Put the first line of what is pasted at the cursor."""
        self._put(first_line(text))

    def _put(self, text: str) -> None:
        if self.selection.is_empty:
            self.insert_text_at_cursor(text)
        else:
            self.replace(text, *self.selection)
