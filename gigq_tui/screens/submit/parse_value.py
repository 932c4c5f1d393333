"""What is typed into the form, as values: pure functions, and the sentences about mistakes."""

from __future__ import annotations

import json
import math
from typing import Any

from gigq_core.units.durations import seconds_in
from gigq_tui.screens.submit.field_types import Base, FieldType

# A longer value is not offered for editing: it is kept as it is, or typed anew.
LONGEST_TEXT = 4_000


class ValueTrouble(ValueError):
    """What is typed can't be used; the message is a short clause for beside the field."""


def parse_value(text: str, kind: FieldType) -> Any:
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
    value = _decoded(text, stripped, kind)
    if kind.takes_text and not isinstance(value, str) and not kind.fits(value):
        # Where only text would fit, a word that happens to be JSON is that word.
        value = stripped if kind.fits(stripped) else value
    complaint = kind.complaint(value)
    if complaint:
        raise ValueTrouble(complaint)
    return value


def _decoded(text: str, stripped: str, kind: FieldType) -> Any:
    try:
        return _json(stripped)
    except ValueTrouble:
        # A schedule's slot in a text is no JSON either.
        json_meant = stripped[:1] in ("{", "[", '"') and not stripped.startswith("{slot")
        if kind.takes_text and not json_meant:
            return stripped if kind.choices else text
        if json_meant and (kind.takes_text or kind.base in (Base.ANY, Base.LIST, Base.OBJECT)):
            raise
        raise ValueTrouble(f"must be {kind.wanted}") from None


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
        raise ValueTrouble(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueTrouble:
        raise
    except json.JSONDecodeError as problem:
        raise ValueTrouble(f"not JSON: {problem.msg}, character {problem.pos + 1}") from None
    except RecursionError:
        raise ValueTrouble("nested too deeply") from None
    except ValueError:
        raise ValueTrouble("a number of too many digits") from None


def text_of(value: Any, kind: FieldType) -> str | None:
    """Write a value so that `parse_value` reads the same again; None where it can't be offered."""
    if isinstance(value, str) and value.isprintable() and value and _reads_as(value, kind, value):
        return value if len(value) <= LONGEST_TEXT else None
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    if len(text) > LONGEST_TEXT or not _reads_as(text, kind, value):
        return None
    return text


def _reads_as(text: str, kind: FieldType, value: Any) -> bool:
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
    return key, parse_value(value, FieldType())


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
    """Read a number of seconds, or `90s`, `1h30m`; nothing typed is the default.

    Raises:
        ValueTrouble: It is none, negative, or 0 where `zero` does not allow it.
    """
    typed = text.strip()
    if not typed:
        return default
    # A space before the unit is a slip of the hand.
    negative = typed.startswith("-")
    value = seconds_in("".join(typed.lstrip("-").split()))
    if value is None or not math.isfinite(value):
        raise ValueTrouble("must be a number of seconds, or 90s, 1h30m")
    if negative or (value == 0 and not zero):
        raise ValueTrouble("must be 0 or more" if zero else "must be more than 0")
    return value


def parse_word(text: str, words: tuple[str, ...]) -> str:
    """Read one of some words; nothing typed is the first.

    Raises:
        ValueTrouble: It is none of them.
    """
    typed = text.strip().lower()
    if not typed:
        return words[0]
    if typed not in words:
        raise ValueTrouble(f"must be {', '.join(words[:-1])} or {words[-1]}")
    return typed


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
