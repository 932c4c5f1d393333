"""The keys that actions have in one console: the registry's, or the user's in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gigq_tui.keys.action import Action
from gigq_tui.keys.key_names import key_label

# A keymap of Textual's can't take a key away; no terminal sends this one.
_NO_KEY = "<none>"


@dataclass(frozen=True)
class Keymap:
    """`chosen` holds Textual's key names by action id, for the actions that were rebound."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rebound(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        """Return the actions with the keys that they have here, for whatever names keys."""
        return tuple(self._rebound(action) for action in actions)

    def _rebound(self, action: Action) -> Action:
        keys = self.chosen.get(action.id)
        return action if keys is None else replace(action, keys=keys)

    def key(self, action: Action) -> str:
        """Return the first key of an action as people read it, or an empty string for none."""
        return next(map(key_label, self.chosen.get(action.id, action.keys)), "")

    def for_textual(self) -> dict[str, str]:
        """Return what `App.set_keymap()` takes."""
        return {id: ",".join(keys) or _NO_KEY for id, keys in self.chosen.items()}
