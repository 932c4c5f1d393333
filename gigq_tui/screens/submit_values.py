"""What is typed into the form, as values: pure functions, and the sentences about mistakes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gigq_tui.actions.functions import FunctionInfo, Parameter

# A longer value is not offered for editing: it is kept as it is, or typed anew.
LONGEST_TEXT = 4_000
# The worker gives this parameter itself.
GIVEN_BY_WORKER = "parent_results"
_NAMED_KINDS = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


class ValueTrouble(ValueError):
    """What is typed can't be used; the message is a short clause for beside the field."""


class Base(Enum):
    """The kinds of values, each with what a person calls it."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TRUTH = "true or false"
    LIST = "a JSON list"
    OBJECT = "a JSON object"
    ANY = "text or JSON"


@dataclass(frozen=True)
class Kind:
    """What a parameter takes; `nullable` ones take `null` too."""

    base: Base = Base.ANY
    nullable: bool = False


_BASES = {
    "str": Base.TEXT,
    "int": Base.WHOLE,
    "float": Base.NUMBER,
    "bool": Base.TRUTH,
    "list": Base.LIST,
    "tuple": Base.LIST,
    "sequence": Base.LIST,
    "iterable": Base.LIST,
    "dict": Base.OBJECT,
    "mapping": Base.OBJECT,
}
_OF_DEFAULT: tuple[tuple[type, Base], ...] = (
    (str, Base.TEXT),
    (bool, Base.TRUTH),
    (int, Base.WHOLE),
    (float, Base.NUMBER),
    (list, Base.LIST),
    (dict, Base.OBJECT),
)
_FITS: dict[Base, Callable[[Any], bool]] = {
    Base.WHOLE: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Base.NUMBER: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    Base.TRUTH: lambda value: isinstance(value, bool),
    Base.LIST: lambda value: isinstance(value, list),
    Base.OBJECT: lambda value: isinstance(value, dict),
}


def kind_of(parameter: Parameter) -> Kind:
    """Say what a parameter takes, from its annotation, or else from its default."""
    annotation = parameter.annotation.strip().strip("'\"").replace("typing.", "")
    nullable = parameter.default == "null"
    wrapped = re.fullmatch(r"Optional\[(.*)\]", annotation)
    if wrapped:
        annotation, nullable = wrapped[1], True
    parts = [part.strip() for part in annotation.split("|")]
    if len(parts) > 1 and "[" not in annotation:
        nullable = nullable or "None" in parts
        parts = [part for part in parts if part != "None"]
    elif annotation.endswith("| None"):
        nullable = True
        parts = [annotation[: -len("| None")].strip()]
    else:
        parts = [annotation]
    if len(parts) > 1:
        return Kind(Base.ANY, nullable)
    word = parts[0].partition("[")[0].rpartition(".")[2].lower()
    if word:
        return Kind(_BASES.get(word, Base.ANY), nullable)
    return Kind(_base_of_default(parameter.default), nullable)


def _base_of_default(default: str) -> Base:
    try:
        value = json.loads(default)
    except ValueError:
        return Base.ANY
    # An untyped 0 may well stand for 0.5: only text, lists and objects are sure.
    base = next((base for kind, base in _OF_DEFAULT if isinstance(value, kind)), Base.ANY)
    return Base.NUMBER if base is Base.WHOLE else base


def parse_value(text: str, kind: Kind) -> Any:
    """Read a value that was typed.

    Text is taken as it stands; between double quotes it is read as JSON, so that any text can be
    written. Whatever else is JSON.

    Raises:
        ValueTrouble: It is not of that kind.
    """
    stripped = text.strip()
    if kind.nullable and stripped == "null":
        return None
    if kind.base is Base.TEXT:
        return _quoted(stripped, text)
    if kind.base is Base.TRUTH and stripped.lower() in ("true", "false"):
        return stripped.lower() == "true"
    try:
        value = _json(stripped)
    except ValueTrouble:
        if kind.base is Base.ANY and stripped[:1] not in ("{", "[", '"'):
            return text
        if kind.base in (Base.ANY, Base.LIST, Base.OBJECT) and stripped[:1] in ("{", "[", '"'):
            raise
        raise ValueTrouble(f"must be {kind.base.value}") from None
    fits = _FITS.get(kind.base)
    if fits is not None and not fits(value):
        raise ValueTrouble(f"must be {kind.base.value}")
    return value


def _quoted(stripped: str, text: str) -> str:
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        try:
            value = json.loads(stripped)
        except ValueError:
            return text
        if isinstance(value, str):
            return value
    return text


def _json(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueTrouble(f"{constant} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueTrouble:
        raise
    except json.JSONDecodeError as problem:
        raise ValueTrouble(f"no JSON: {problem.msg}, character {problem.pos + 1}") from None
    except RecursionError:
        raise ValueTrouble("nested too deeply") from None


def text_of(value: Any, kind: Kind) -> str | None:
    """Write a value so that `parse_value` reads the same again; None where it can't be offered."""
    if isinstance(value, str) and value.isprintable() and value and _reads_as(value, kind, value):
        return value if len(value) <= LONGEST_TEXT else None
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    if len(text) > LONGEST_TEXT or not _reads_as(text, kind, value):
        return None
    return text


def _reads_as(text: str, kind: Kind, value: Any) -> bool:
    try:
        return json.dumps(parse_value(text, kind)) == json.dumps(value)
    except ValueTrouble:
        return False


def parse_other(text: str) -> tuple[str, Any]:
    """Read a line `key=value`, the value JSON or bare text.

    Raises:
        ValueTrouble: There is no `=`, the key is no name, or the JSON is broken.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ValueTrouble("write key=value")
    if not key.isidentifier():
        raise ValueTrouble(f"{key} can't name a parameter")
    return key, parse_value(value, Kind())


def parse_whole(text: str, default: int, least: int | None = None) -> int:
    """Read a whole number; nothing typed is the default.

    Raises:
        ValueTrouble: It is none, or less than `least`.
    """
    if not text.strip():
        return default
    try:
        value = int(text.strip())
    except ValueError:
        raise ValueTrouble("must be a whole number") from None
    if least is not None and value < least:
        raise ValueTrouble(f"must be {least} or more")
    if abs(value) >= 2**63:
        raise ValueTrouble("is too large")
    return value


def parse_seconds(text: str, default: float, *, zero: bool) -> float:
    """Read a number of seconds, with or without an `s`; nothing typed is the default.

    Raises:
        ValueTrouble: It is none, negative, or 0 where `zero` does not allow it.
    """
    typed = text.strip().removesuffix("s").strip()
    if not typed:
        return default
    try:
        value = float(typed)
    except ValueError:
        raise ValueTrouble("must be a number of seconds") from None
    if not math.isfinite(value):
        raise ValueTrouble("must be a number of seconds")
    if value < 0 or (value == 0 and not zero):
        raise ValueTrouble("must be 0 or more" if zero else "must be more than 0")
    return value


def read_as(value: Any) -> str:
    """Say what a value that was typed freely is taken for."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return "text" if isinstance(value, str) else f"a JSON {_JSON_NAMES[type(value)]}"


_JSON_NAMES: dict[type, str] = {list: "list", dict: "object"}


def fields_of(info: FunctionInfo) -> tuple[Parameter, ...]:
    """The parameters that the form asks for."""
    return tuple(
        parameter
        for parameter in info.parameters
        if parameter.kind in _NAMED_KINDS and parameter.name != GIVEN_BY_WORKER
    )


def hint_of(parameter: Parameter) -> str:
    """What stands beside a field while nothing is wrong: type and default."""
    typed = parameter.annotation or kind_of(parameter).base.value
    if parameter.required:
        return f"{typed}, needed"
    return f"{typed} = {parameter.default}"


def signature(info: FunctionInfo) -> str:
    """What the function takes: `(src, w=1024)`."""
    words = []
    for parameter in info.parameters:
        if parameter.kind == "VAR_KEYWORD":
            words.append(f"**{parameter.name}")
        elif parameter.kind == "VAR_POSITIONAL":
            words.append(f"*{parameter.name}")
        else:
            words.append(
                parameter.name if parameter.required else f"{parameter.name}={parameter.default}"
            )
    return f"({', '.join(words)})"
