"""What a screen is made of: parts, each with one subject, its state and its actions.

A part is a plain object. It is given what it uses of the screen and of the services, as a small
Protocol beside it, so that it runs in a test on a stand-in, without an app. Its methods that do an
action are marked `@does(ACTION)`; two parts of a screen never do the same one. Textual hands
messages to screens and widgets alone: the screen's `@on` methods are one line each, and call the
part.
"""

from __future__ import annotations

from textual import events

from gigq_tui.keys.action import Action
from gigq_tui.widgets.takes_keys import TakesKeys


class Part:
    """One subject of a screen, which asks its parts in their order and takes the first yes."""

    @property
    def typed_into(self) -> TakesKeys | None:
        """What of it is typed into now, if anything: it gets keys before they mean actions."""
        return None

    def takes_key(self, event: events.Key) -> bool:
        """Handle a key that belongs to no action; say whether it meant anything here."""
        return False

    @property
    def expects(self) -> bool:
        """Whether something that a key asked for is about to change what keys mean here."""
        return False

    def awaits(self, action: Action) -> bool:
        """Whether an action is about something that was asked for and is not here yet."""
        return False

    def forestalls(self, action: Action) -> bool:
        """Whether an action means something else now, or nothing; then that has been done."""
        return False
