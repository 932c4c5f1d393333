"""Which method does an action: marked where it is written, collected once.

`@does(CANCEL)` names the action by its constant, so that "go to definition" leads from the key to
what it does, and "find usages" from the action to its handler. Screens, their parts and the
services mark their methods in this one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from gigq_tui.keys.action import Action

Handler = Callable[[], None]
_Method = TypeVar("_Method", bound=Callable[..., None])
_MARK = "_does"


def does(action: Action) -> Callable[[_Method], _Method]:
    """Mark the method that does an action; it takes nothing but itself."""
    return _marked({action.id: ()})


def does_each(actions: Sequence[Action]) -> Callable[[_Method], _Method]:
    """Mark the method that does each of some actions; it takes which one it was, from 0."""
    return _marked({action.id: (index,) for index, action in enumerate(actions)})


def handlers_of(owner: object) -> dict[str, Handler]:
    """Return what one object does, by the actions' ids; a subclass comes before its base.

    Raises:
        TypeError: two methods of one class do the same action.
    """
    found: dict[str, Handler] = {}
    for kind in reversed(type(owner).__mro__):
        here: dict[str, Handler] = {}
        for name, method in vars(kind).items():
            for action_id, args in _mark_of(method).items():
                if action_id in here:
                    raise TypeError(f"{kind.__name__} has two methods for {action_id!r}.")
                bound = getattr(owner, name)
                here[action_id] = partial(bound, *args) if args else bound
        found.update(here)
    return found


def collect(parts: Iterable[object]) -> dict[str, Handler]:
    """Return what some objects do that stand side by side, by the actions' ids.

    Raises:
        TypeError: two of them do the same action.
    """
    found: dict[str, Handler] = {}
    for part in parts:
        for action_id, handler in handlers_of(part).items():
            if action_id in found:
                raise TypeError(f"{type(part).__name__} is the second that does {action_id!r}.")
            found[action_id] = handler
    return found


def _marked(marks: Mapping[str, tuple[int, ...]]) -> Callable[[_Method], _Method]:
    def mark(method: _Method) -> _Method:
        setattr(method, _MARK, {**_mark_of(method), **marks})
        return method

    return mark


def _mark_of(method: Any) -> Mapping[str, tuple[int, ...]]:
    found = getattr(method, _MARK, None) if callable(method) else None
    return found if isinstance(found, dict) else {}
