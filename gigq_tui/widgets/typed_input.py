"""An input that does what its keys say in the order in which they came.

Over a slow line several keys come in one go. An input's letters are its own at once, but its other
keys travel up to the app first: there, `ab`, backspace, `c` would lose the `c`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from textual import events
from textual.binding import Binding
from textual.widgets import Input

# What the keys of an input do, but for those that write a letter.
EDITS = {binding.key: binding.action for binding in Binding.make_bindings(Input.BINDINGS)}


@runtime_checkable
class TakesKeys(Protocol):
    """A widget to which keys belong that were on their way before it got the focus."""

    def takes(self, event: events.Key) -> bool:
        """Whether it handles this key, and lets it go no further."""


class TypedInput(Input):
    """An input whose cursor does not blink, and which does its own keys itself."""

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

    def takes(self, event: events.Key) -> bool:
        """Whether a key is one that is typed here."""
        return event.key in EDITS or (event.is_printable and not event.key.startswith("alt+"))

    def meant_elsewhere(self, event: events.Key) -> bool:
        """Whether a key means something else here than to an input, and has been seen to."""
        return self.keys_first is not None and self.keys_first(event)

    async def on_key(self, event: events.Key) -> None:
        here = self.screen.focused
        if here is not self:
            # It came behind a key that ended the typing here.
            (here or self.screen).post_message(events.Key(event.key, event.character))
        elif self.meant_elsewhere(event):
            pass
        elif event.key in EDITS:
            await self.run_action(EDITS[event.key])
        else:
            if event.key.startswith("alt+"):
                # Terminals send alt and a letter as that letter, but nobody means it as text.
                event.prevent_default()
            return
        event.stop()
        event.prevent_default()
