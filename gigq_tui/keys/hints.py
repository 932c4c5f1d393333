"""What sentences call a key: that of an action, as it is bound in this console, or a fixed one."""

from __future__ import annotations

from dataclasses import dataclass

from gigq_tui.keys import DEFAULT_KEYS, Action, Keymap
from gigq_tui.keys.screen_actions import PALETTE

# The keys that nobody can rebind: those of questions, panels and fields.
ESC = "esc"
ENTER = "enter"
TAB = "tab"
SPACE = "space"
DOWN = "down"
APPLY = "alt+s"


@dataclass(frozen=True)
class KeyHints:
    """Names the keys of actions for sentences: `hints(RETRY)` is `r`, or what it was rebound to.

    Args:
        keymap: The keys of this console.
    """

    keymap: Keymap = DEFAULT_KEYS

    def __call__(self, action: Action) -> str:
        """Return the first key of an action; where it has none, the command that does the same.

        Args:
            action: An action of the registry.
        """
        if key := self.keymap.key(action):
            return key
        opens = self.keymap.key(PALETTE)
        return f"{opens}{action.label}" if opens else action.label

    def has_key(self, action: Action) -> bool:
        """Whether an action has a key here."""
        return bool(self.keymap.key(action))


DEFAULT_HINTS = KeyHints()
