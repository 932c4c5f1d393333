"""The `[keys]` of the configuration: ids and keys that exist, no clash, and a way out left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigq_tui.config.problem import Problem, unknown
from gigq_tui.keys import ACTIONS, BEFORE_FIELDS, BY_ID, Action, Keymap, Scope, actions_for
from gigq_tui.keys.key_names import is_typed, key_label, key_name

# What leaves a screen that lies over another one; the jobs screen itself is left with `leave`.
_LEAVING = ("leave", "back", "close_help")


def read_keys(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the keys of the actions that the table rebinds, by Textual's names.

    Raises:
        Problem: an id, a type or a key is wrong, two actions of a screen have the same key, or
            no key is left to quit.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for id, value in table.items():
        if id not in BY_ID:
            raise Problem(f"keys.{id}", unknown("action", id, BY_ID))
        keys = _keys_of(BY_ID[id], value)
        if keys != BY_ID[id].keys:
            chosen[id] = keys
    keymap = Keymap(chosen)
    for scope in Scope:
        _check_clashes(scope, keymap)
        _check_way_out(scope, keymap)
    return chosen


def _keys_of(action: Action, value: Any) -> tuple[str, ...]:
    where = f"keys.{action.id}"
    if isinstance(value, str):
        # A comma alone is that key; otherwise it stands between keys.
        words = [value] if value.strip() == "," else value.split(",") if value.strip() else []
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = value
    else:
        raise Problem(where, 'write keys as ["a", "ctrl+x"] or "a,ctrl+x", or "" for none.')
    keys: list[str] = []
    for word in words:
        name = key_name(word)
        if name is None:
            raise Problem(
                where,
                f"{word.strip()!r} is not a key: write it like c, C, /, space, pgdn, f5, ctrl+x "
                "or alt+x.",
            )
        if action.id in BEFORE_FIELDS and is_typed(name):
            raise Problem(
                where,
                f"{word.strip()!r} is typed into fields too, and {action.id} comes before them: "
                "take a key with ctrl or alt.",
            )
        if name not in keys:
            keys.append(name)
    return tuple(keys)


def _check_clashes(scope: Scope, keymap: Keymap) -> None:
    holders: dict[str, str] = {}
    for action in keymap.rebound(actions_for(scope)):
        for key in action.keys:
            other = holders.setdefault(key, action.id)
            if other == action.id:
                continue
            at, with_ = (action.id, other) if action.id in keymap.chosen else (other, action.id)
            raise Problem(
                f"keys.{at}",
                f"{key_label(key)!r} is the key of {with_} on the {scope.value} screen too: take "
                f"another one, or give {with_} another one.",
            )


def _check_way_out(scope: Scope, keymap: Keymap) -> None:
    def has_key(*ids: str) -> bool:
        return any(a.keys and a.id in ids for a in keymap.rebound(actions_for(scope)))

    if has_key("quit"):
        return
    home = any(a.keys for a in keymap.rebound(ACTIONS) if a.id == "leave")
    if not home or not has_key(*_LEAVING):
        raise Problem(
            "keys.quit", f"no key is left to leave the {scope.value} screen: give quit one."
        )
