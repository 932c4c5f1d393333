"""The command palette: every action of the screen with its keys, in a panel of that screen."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.format import pad
from gigq_tui.keys import Action, Context, Group, Keymap, Scope, actions_for
from gigq_tui.keys.hints import ENTER, ESC
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.picker import Picker

KEY_CELLS = 14
# Finding a row is done with its own keys; here it would only stand in the way.
_LEFT_OUT = frozenset({"palette", "find_row", "find_row_next", "find_row_previous"})


def matching(actions: tuple[Action, ...], text: str) -> list[Action]:
    """Return the actions that hold every typed word, those first whose label it is most like.

    What moves comes last: whoever opens the palette looks for something to do.
    """
    words = text.lower().split()
    found = [
        action
        for action in actions
        if action.id not in _LEFT_OUT and all(word in _haystack(action) for word in words)
    ]
    if words:
        found.sort(key=lambda action: (_rank(action, words[0]), len(action.label)))
    else:
        found.sort(key=lambda action: action.group is Group.MOVE)
    return found


def _haystack(action: Action) -> str:
    return f"{action.label} {action.help} {action.shown}".lower()


def _rank(action: Action, word: str) -> int:
    label = action.label.lower()
    if word in (label, action.shown.lower()):
        return 0
    if label.startswith(word):
        return 1
    return 2 if word in label else 3


class Owner(Protocol):
    """The screen whose actions are listed."""

    @property
    def SCOPE(self) -> Scope: ...

    def context(self) -> Context: ...

    def perform(self, action: Action) -> None: ...


class PalettePanel(Picker):
    """Every action of the screen: typing narrows, enter runs, escape closes.

    Args:
        owner: The screen whose actions are listed.
        keymap: Which keys they have.
    """

    def __init__(self, owner: Owner, keymap: Keymap) -> None:
        self.owner = owner
        self.keymap = keymap
        self.actions = self.keymap.rebound(actions_for(owner.SCOPE))
        own = {key for action in self.actions if action.id == "palette" for key in action.keys}
        super().__init__("palette", ":", frozenset(own))
        # What can be done was decided for the row that the palette was opened on.
        self.context: Context = owner.context()
        self.all = self.found = matching(self.actions, "")

    @property
    def entries(self) -> int:
        return len(self.found)

    def title(self) -> str:
        return f"commands: {len(self.found)} of {len(self.all)}"

    def hint(self) -> str:
        return f"type to narrow, {ENTER} runs, {ESC} closes"

    def none_words(self) -> str:
        return "no such command"

    def entry(self, index: int) -> Line:
        action = self.found[index]
        refusal = action.refusal(self.context)
        return (
            (pad(action.shown, KEY_CELLS), "off" if refusal else "key"),
            (action.help, "off" if refusal else ""),
            (f"   ({refusal})" if refusal else "", "dim"),
        )

    def narrow(self, text: str) -> None:
        self.found = matching(self.actions, text)

    def choose(self, index: int) -> None:
        """Close, then do it."""
        action = self.found[index]
        self.close()
        self.owner.perform(action)
