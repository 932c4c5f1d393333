"""The parameters as a text for an editor, and back: secrets stand in it as placeholders only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gigq_core.submitting.bulk import refuse_twice
from gigq_tui.format import is_secret
from gigq_tui.screens.submit.param_specs import MISSING, ParamSpec

_PLACEHOLDER = re.compile(r"<kept: .*>")
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextMistake(ValueError):
    """The text can't be used. `line` and `column` from 1, or 0 where it is not one place."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        self.line = line
        super().__init__(f"line {line}, column {column}: {reason}" if line else reason)


@dataclass(frozen=True)
class Offer:
    """What the editor is given.

    `shown` are the parameters, `text` is what they look like, and `kept` the secrets behind the
    placeholders that stand in it.
    """

    shown: dict[str, Any]
    text: str
    kept: dict[str, Any]


def offer(specs: list[ParamSpec], values: Mapping[str, Any]) -> Offer:
    """Write the parameters down for an editor, with a placeholder for each secret.

    Args:
        specs: The parameters that the function takes, or the copied job has.
        values: What is typed so far.
    """
    shown = _shown(specs, values)
    kept: dict[str, Any] = {}
    hidden = _hidden(shown, kept)
    text = json.dumps(hidden, indent=2, ensure_ascii=False)
    if _SURROGATE.search(text):
        # Halves of characters, which JSON can hold as escapes only.
        text = json.dumps(hidden, indent=2)
    return Offer(shown, text + "\n", kept)


def _shown(specs: list[ParamSpec], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values there are, the defaults, and null for what is needed."""
    shown: dict[str, Any] = {}
    for spec in specs:
        if spec.name in values:
            shown[spec.name] = values[spec.name]
        elif spec.required:
            shown[spec.name] = None
        elif spec.default is not MISSING:
            shown[spec.name] = spec.default
    return {**shown, **{name: value for name, value in values.items() if name not in shown}}


def read_back(
    text: str, offer: Offer, specs: list[ParamSpec], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters that the editor left.

    What was only offered and left alone, a default or the null of what is needed, is left out.

    Args:
        text: What the editor left.
        offer: What it was given.
        specs: The parameters that the function takes.
        values: What was typed before.

    Raises:
        TextMistake: It is not JSON object, or a placeholder stands in it that keeps nothing.
    """
    try:
        told = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as problem:
        raise TextMistake(problem.msg, problem.lineno, problem.colno) from None
    except RecursionError:
        raise TextMistake("it is nested too deeply") from None
    except ValueError as problem:
        raise TextMistake(str(problem)) from None
    if not isinstance(told, dict):
        raise TextMistake("write one JSON object, {...}", 1, 1)
    found = {key: _revealed(value, offer.kept) for key, value in told.items()}
    only_offered = {spec.name for spec in specs if spec.name not in values}
    return {
        key: value
        for key, value in found.items()
        if not (key in only_offered and key in offer.shown and _same(value, offer.shown[key]))
    }


def _hidden(value: Any, kept: dict[str, Any], key: str = "") -> Any:
    if key and is_secret(key) and value is not None:
        # Numbered, so that each goes back to its own place after others were taken out.
        placeholder = f"<kept: {key}>" if not kept else f"<kept: {key}, {len(kept) + 1}>"
        kept[placeholder] = value
        return placeholder
    if isinstance(value, Mapping):
        return {str(name): _hidden(inner, kept, str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(inner, kept) for inner in value]
    return value


def _revealed(value: Any, kept: Mapping[str, Any]) -> Any:
    """The value with the secrets back in the places of their placeholders."""
    if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
        if value not in kept:
            raise TextMistake(f"{value} is not a placeholder of this text: write the value itself")
        return kept[value]
    if isinstance(value, dict):
        return {name: _revealed(inner, kept) for name, inner in value.items()}
    return [_revealed(inner, kept) for inner in value] if isinstance(value, list) else value


def _same(value: Any, other: Any) -> bool:
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
