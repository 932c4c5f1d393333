"""Import one function in the user's interpreter and describe it: standard library only.

Run as a file, `PYTHON inspector.py MODULE NAME`, in the folder that the workers use. What it
prints is one line of JSON: {"ok": true, "doc", "async", "parameters": [{"name", "kind",
"annotation", "default", "required", "choices", "object"}]} or {"ok": false, "error"}. Whatever the
user's modules print while they are imported goes to stderr.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import os
import select
import signal
import sys
import threading
import typing

_TEXT_LIMIT = 2000
_MAX_CHOICES = 100


def describe(module_name: str, function_name: str) -> dict:  # type: ignore[type-arg]
    """What is found under that name, or why nothing is."""
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except BaseException as problem:  # noqa: BLE001 - user code may raise anything, SystemExit too
        text = " ".join(str(problem).split())[:_TEXT_LIMIT]
        return {"ok": False, "error": f"{type(problem).__name__}: {text}"}
    if not callable(found):
        return {"ok": False, "error": f"it is {type(found).__name__}, not a function"}
    try:
        hints = _hints(found)
        parameters = [_parameter(p, hints) for p in inspect.signature(found).parameters.values()]
    except (TypeError, ValueError):
        # Some functions written in C have no signature to be asked for.
        parameters = [
            {
                "name": "params",
                "kind": "VAR_KEYWORD",
                "annotation": "",
                "default": "",
                "required": False,
            }
        ]
    doc = (inspect.getdoc(found) or "")[:_TEXT_LIMIT]
    # A function that wraps an async one may run it by its own means.
    plain = found if inspect.isfunction(found) else getattr(found, "__wrapped__", found)
    is_async = inspect.iscoroutinefunction(plain)
    return {"ok": True, "doc": doc, "async": is_async, "parameters": parameters}


def _hints(function: object) -> dict:  # type: ignore[type-arg]
    """The types that the annotations stand for, as far as they can be told."""
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - an annotation may name anything, or nothing
        return {}


def _not_none(hint: object) -> object:
    """What stands beside `None` in an optional type."""
    if getattr(hint, "__origin__", None) is typing.Union or type(hint).__name__ == "UnionType":
        others = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return others[0] if len(others) == 1 else hint
    return hint


def _choices(hint: object) -> list:  # type: ignore[type-arg]
    """The values of an enumeration, as far as JSON can hold them."""
    if not (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return []
    values = [member.value for member in hint][:_MAX_CHOICES]
    return [value for value in values if isinstance(value, (str, int, float, bool))]


def _is_object(hint: object) -> bool:
    """Whether it is a class with fields: a dataclass, or a dictionary with named keys."""
    fields = hasattr(hint, "__dataclass_fields__") or hasattr(hint, "__total__")
    return isinstance(hint, type) and fields


def _parameter(parameter: inspect.Parameter, hints: dict) -> dict:  # type: ignore[type-arg]
    empty = inspect.Parameter.empty
    hint = hints.get(parameter.name)
    if hint is None and parameter.annotation is not empty:
        hint = parameter.annotation
    hint = _not_none(hint)
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return {
        "name": parameter.name,
        "kind": parameter.kind.name,
        "annotation": _annotation(parameter.annotation),
        "default": "" if parameter.default is empty else _default(parameter.default),
        "required": parameter.default is empty and not variadic,
        "choices": _choices(hint),
        "object": _is_object(hint),
    }


def _annotation(annotation: object) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation[:_TEXT_LIMIT]
    return inspect.formatannotation(annotation)[:_TEXT_LIMIT]


def _default(value: object) -> str:
    """The default as JSON where JSON can hold it, so that a form can offer it; else its repr."""
    if isinstance(value, enum.Enum):
        value = value.value
    try:
        return json.dumps(value, allow_nan=False)[:_TEXT_LIMIT]
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return repr(value)[:_TEXT_LIMIT]
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        return "..."


def end_without_a_listener(answer_to: int) -> None:
    """End this process, and what the import started, when nobody waits for the answer any more."""
    watch = select.poll()
    watch.register(answer_to, 0)
    if not any(event & select.POLLERR for _, event in watch.poll()):
        return  # a system that tells it in another way
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Answer on the real stdout, and keep it from everything that is imported."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    if not getattr(sys.flags, "safe_path", False):
        # The folder of this file, where nothing of the user's is.
        del sys.path[0]
    if hasattr(select, "poll"):
        threading.Thread(target=end_without_a_listener, args=(answer_to,), daemon=True).start()
    sys.path.insert(0, os.getcwd())
    answer = json.dumps(describe(sys.argv[1], sys.argv[2])).encode("ascii")
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(answer + b"\n")
    # Threads that an import started must not keep this process.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
