"""Whether a function can be called with some parameters: one sentence where it can't."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# The worker gives this parameter itself.
GIVEN_BY_WORKER = "parent_results"
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Takes:
    """What a function takes: the names it knows, those it needs, and whether any other is fine."""

    function: str
    names: tuple[str, ...]
    needed: tuple[str, ...]
    others: bool = False

    def misfit(self, params: Mapping[str, Any]) -> str:
        """One sentence why the function can't be called with these parameters, or nothing.

        `parent_results` counts as given: the worker adds it.
        """
        missing = [n for n in self.needed if n not in params and n != GIVEN_BY_WORKER]
        if missing:
            return f"{self.function} needs a value for {_listed(missing)}."
        if self.others:
            return ""
        unknown = [name for name in params if name not in self.names]
        if unknown:
            takes = _listed(list(self.names)) if self.names else "no parameters"
            return f"{self.function} has no parameter {_listed(unknown)}: it takes {takes}."
        return ""


def takes_of(path: str, function: Callable[..., Any]) -> Takes:
    """What a function that was imported takes; anything where it can't be asked.

    Args:
        path: `package.module.function`, as it is called in sentences.
        function: The function itself.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        # Some functions written in C have no signature to be asked for.
        return Takes(path, (), (), others=True)
    return Takes(
        path,
        tuple(p.name for p in parameters if p.kind in _NAMED),
        tuple(p.name for p in parameters if p.kind in _NAMED and p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
