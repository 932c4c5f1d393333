"""Whether a function can be called with some parameters: one sentence where it can't."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

CONTEXT = "job_context"
# The worker gives these parameters itself.
GIVEN_BY_WORKER = frozenset({"parent_results", CONTEXT})
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Signature:
    """What a function takes: the names it knows, those it needs, and whether any other is fine.

    `by_position` are those that it needs and that have no name for a caller; `ours` says whether
    our workers alone can run it.
    """

    function: str
    names: tuple[str, ...]
    needed: tuple[str, ...]
    others: bool = False
    by_position: tuple[str, ...] = ()
    ours: bool = False

    def misfit(self, params: Mapping[str, Any]) -> str:
        """One sentence why the function can't be called with these parameters, or nothing.

        `parent_results` and `job_context` count as given: the worker adds them.
        """
        if CONTEXT in params:
            return f"{CONTEXT} comes from the worker: leave it out of the parameters."
        if self.by_position:
            return (
                f"{self.function} takes {_listed(self.by_position)} by position only, and a job "
                "gives its parameters by name: wrap it in a function that has names for them."
            )
        missing = [n for n in self.needed if n not in params and n not in GIVEN_BY_WORKER]
        if missing:
            return f"{self.function} needs a value for {_listed(missing)}."
        if self.others:
            return ""
        unknown = [name for name in params if name not in self.names]
        if unknown:
            takes = _listed(self.names) if self.names else "no parameters"
            return f"{self.function} has no parameter {_listed(unknown)}: it takes {takes}."
        return ""


# Of a function that can't be seen from here.
UNSEEN = Signature("it", (), (), others=True)


def signature_of(path: str, function: Callable[..., Any]) -> Signature:
    """What a function that was imported takes; anything where it can't be asked.

    Args:
        path: `package.module.function`, as it is called in sentences.
        function: The function itself.
    """
    # Not every callable can be hashed.
    return (_signature_cached if isinstance(function, FunctionType) else _signature_of)(
        path, function
    )


def signature_of_loaded(module: str, name: str) -> Signature | None:
    """What a function takes that this process has imported already; None if it has not."""
    function = getattr(sys.modules.get(module), name, None)
    return signature_of(f"{module}.{name}", function) if callable(function) else None


def needs_ours(function: Callable[..., Any]) -> bool:
    """Whether our workers alone can run a function: it is async, or needs its `job_context`.

    A function that wraps an async one, and is none itself, may run it by its own means.
    """
    if not isinstance(function, FunctionType):
        # Such as `@task` makes.
        function = _within(function) or function
    if inspect.iscoroutinefunction(function):
        return True
    within: Callable[..., Any] | None = function
    while within is not None:
        try:
            found = inspect.signature(within, follow_wrapped=False).parameters.get(CONTEXT)
        except Exception:  # noqa: BLE001 - a user's own callable may raise anything
            return False
        if found is not None and found.kind in _NAMED:
            return found.default is found.empty
        within = _within(within)
    return False


def _within(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """What a function wraps (`functools.wraps`)."""
    return getattr(function, "__dict__", {}).get("__wrapped__")


def _signature_of(path: str, function: Callable[..., Any]) -> Signature:
    try:
        parameters = _inspected(function).parameters.values()
    # Some functions written in C have none to be asked for; a user's own may raise anything.
    except Exception:  # noqa: BLE001
        return Signature(path, (), (), others=True, ours=needs_ours(function))
    needed = [p for p in parameters if p.default is p.empty]
    return Signature(
        path,
        tuple(p.name for p in parameters if p.kind in _NAMED),
        tuple(p.name for p in needed if p.kind in _NAMED),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
        tuple(p.name for p in needed if p.kind is p.POSITIONAL_ONLY),
        needs_ours(function),
    )


_signature_cached = lru_cache(maxsize=1024)(_signature_of)


def _inspected(function: Callable[..., Any]) -> inspect.Signature:
    """The signature that a call has to fit.

    A function that wraps another (`functools.wraps`) may give it something of its own: then only
    what it takes itself counts.
    """
    while (within := _within(function)) is not None:
        if isinstance(function, FunctionType) and not _hands_all_on(function, within):
            break
        function = within
    return inspect.signature(function, follow_wrapped=False)


def _hands_all_on(wrapper: FunctionType, within: Callable[..., Any]) -> bool:
    """Whether a wrapper gives the function within all that it gets, and nothing else."""
    cells = zip(wrapper.__code__.co_freevars, wrapper.__closure__ or (), strict=True)
    try:
        names = {name for name, cell in cells if cell.cell_contents is within}
        tree = ast.parse(textwrap.dedent(inspect.getsource(wrapper.__code__))).body[0]
    except (OSError, SyntaxError, ValueError, TypeError):
        return False
    if not isinstance(tree, ast.FunctionDef):
        return False
    takes = tree.args
    if takes.posonlyargs or takes.args or takes.kwonlyargs or not (takes.vararg and takes.kwarg):
        return False
    gathered = (takes.vararg.arg, takes.kwarg.arg)
    handed_on = "*{}, **{}".format(*gathered)
    calls = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Call) and _of(n) in names]
    return (
        bool(calls)
        and not any(call.partition("(")[2] != f"{handed_on})" for call in calls)
        and not any(_may_change(node, gathered) for node in ast.walk(tree))
    )


def _of(call: ast.Call) -> str | None:
    return getattr(call.func, "id", None)


def _may_change(node: ast.AST, names: tuple[str, str]) -> bool:
    """Whether something may be put into one of them, or taken out."""
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return getattr(node.value, "id", None) in names
    return isinstance(node, ast.Name) and node.id in names and not isinstance(node.ctx, ast.Load)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
