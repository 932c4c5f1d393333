"""A console in which every action has another key, and a pilot that knows them."""

from __future__ import annotations

from typing import Any, cast

from textual.pilot import Pilot

from gigq_tui.config.model import Config
from gigq_tui.keys import ACTIONS, BEFORE_FIELDS, action_of
from gigq_tui.screens.base import ConsoleScreen

# Letters of no terminal's keyboard here: whatever names a key by itself is found beside them.
_LETTERS = [
    chr(code)
    for code in (
        *range(0x3B1, 0x3CA),
        *range(0x430, 0x450),
        *range(0x561, 0x587),
        *range(0x10D0, 0x10F0),
        *range(0x1200, 0x1248),
    )
]


def _chosen() -> dict[str, tuple[str, ...]]:
    letters, functions = iter(_LETTERS), iter(range(1, 13))
    return {
        action.id: (f"f{next(functions)}" if action.id in BEFORE_FIELDS else next(letters),)
        for action in ACTIONS
    }


KEYS = _chosen()


REBOUND = Config(keys=KEYS)


class ReboundPilot:
    """Presses, for a usual key of an action, the one that it has now."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pilot, name)

    def _now(self, key: str) -> str:
        screen = cast(ConsoleScreen, self._pilot.app.screen)
        action = action_of(key, screen.SCOPE)
        if action is None or screen.over is not None:
            return key
        if screen.typed_into is not None and action.id not in BEFORE_FIELDS:
            return key
        return KEYS[action.id][0]
