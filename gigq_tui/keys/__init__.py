"""Every action of the console, once: from here come bindings, key bar, help and palette.

To add an action, add an `Action` to one of the tables of this package and mark the method that does
it with `@does(IT)`: on the screen that it belongs to, on a part of it, or on a service when it
works from anywhere.
`ConsoleScreen.perform(action)` is the one way in: it asks `Action.refusal()` first and shows the
sentence it gets as a notice instead of acting. Keys reach it through the router, which looks them
up with `action_of()`, the mouse through the key bar, and so does the palette.

Users may choose other keys: `Keymap.rebound()` gives actions with the keys of one console,
and whatever names keys to a person asks it.

The same key may belong to different actions on different screens (`c` cancels a job here and
drains a worker there), never to two actions of one scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gigq_tui.keys.action import Action, Context, Group, Scope
from gigq_tui.keys.job_actions import JOB_ACTIONS, QUEUE_ACTIONS
from gigq_tui.keys.keymap import Keymap
from gigq_tui.keys.lane_actions import LANE_ACTIONS
from gigq_tui.keys.looking_actions import LOOK_ACTIONS, MOVE_ACTIONS
from gigq_tui.keys.reading_actions import DETAIL_TABS, READING_ACTIONS
from gigq_tui.keys.schedule_actions import SCHEDULE_ACTIONS
from gigq_tui.keys.screen_actions import (
    EDIT_PARAMS,
    QUIT,
    REPAINT,
    REVEAL_FIELD,
    SCREEN_ACTIONS,
    SUBMIT,
    SUSPEND,
)

if TYPE_CHECKING:
    from textual.binding import BindingType

__all__ = [
    "ACTIONS",
    "ALWAYS",
    "BEFORE_FIELDS",
    "BY_ID",
    "DEFAULT_KEYS",
    "DETAIL_TABS",
    "Action",
    "Context",
    "Group",
    "Keymap",
    "Scope",
    "action_of",
    "actions_for",
    "bar_actions",
    "bindings_for",
]

# At once, whatever is open: nothing that these do depends on it.
ALWAYS = frozenset(action.id for action in (QUIT, SUSPEND, REPAINT))

# Before a field: to it, alt and a letter is a letter, and ctrl+c means copy.
BEFORE_FIELDS = frozenset(action.id for action in (QUIT, SUBMIT, EDIT_PARAMS, REVEAL_FIELD))

ACTIONS: tuple[Action, ...] = (
    *MOVE_ACTIONS,
    *LOOK_ACTIONS,
    *READING_ACTIONS,
    *JOB_ACTIONS,
    *QUEUE_ACTIONS,
    *LANE_ACTIONS,
    *SCHEDULE_ACTIONS,
    *SCREEN_ACTIONS,
)

DEFAULT_KEYS = Keymap()

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def actions_for(scope: Scope) -> tuple[Action, ...]:
    """Return the actions of one screen, in the order of the registry."""
    return tuple(action for action in ACTIONS if scope in action.scopes)


def action_of(key: str, scope: Scope, keymap: Keymap = DEFAULT_KEYS) -> Action | None:
    """Return the action that a key, by Textual's name, has on a screen, or None."""
    told = keymap.rebound(actions_for(scope))
    return next((action for action in told if key in action.keys), None)


def bar_actions(scope: Scope) -> tuple[Action, ...]:
    """Return the actions that the key bar of a screen names, the weightiest first."""
    named = [action for action in actions_for(scope) if action.bar]
    return tuple(sorted(named, key=lambda action: action.bar))


def bindings_for(scope: Scope) -> list[BindingType]:
    """Return what Textual itself is told of a screen's keys, each with its id.

    The router judges every key before Textual looks at these.
    """
    # Late, since the configuration is checked against this registry before Textual is loaded.
    from textual.binding import Binding

    return [
        Binding(
            ",".join(action.keys),
            f"perform('{action.id}')",
            action.label,
            show=False,
            id=action.id,
            priority=action.id in BEFORE_FIELDS,
        )
        for action in actions_for(scope)
    ]
