"""The slot in a scheduled job's parameters: `{slot:%Y-%m-%d}`, filled by pattern alone.

What is filled in is never looked at again, and no other brace means anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gigq_core.text import inert

_PLACE = re.compile(r"\{slot(?::([^{}]*))?\}")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
# Those that mean the same on every system, and that need no zone but the slot's own.
KNOWN = "aAbBdHIjmMpSuVGyYzZ%"


def check_slot_text(params: Mapping[str, Any]) -> None:
    """Refuse parameters whose `{slot:…}` can't be filled.

    Raises:
        ValueError: A format has a directive that is not known; the sentence names it.
    """
    _fill(params, None)


def fill_slot(params: Mapping[str, Any], slot: datetime) -> dict[str, Any]:
    """The parameters with each `{slot:FORMAT}` in a string replaced.

    Args:
        params: The parameters as they were given.
        slot: The slot, aware, in the schedule's zone. `{slot}` alone is written in ISO 8601.

    Raises:
        ValueError: A format has a directive that is not known; the sentence names it.
    """
    return _fill(params, slot)


def _fill(params: Mapping[str, Any], slot: datetime | None) -> dict[str, Any]:
    try:
        return {name: _filled(value, slot) for name, value in params.items()}
    except RecursionError:
        raise ValueError("The parameters of a schedule's job are nested too deeply.") from None


def _filled(value: Any, slot: datetime | None) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda place: _text(place[1], slot), value) if "{slot" in value else value
    if isinstance(value, Mapping):
        return {name: _filled(inner, slot) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(inner, slot) for inner in value]
    return value


def _text(form: str | None, slot: datetime | None) -> str:
    for directive in _DIRECTIVE.findall(form or ""):
        if not directive or directive not in KNOWN:
            raise ValueError(
                f"{{slot:{inert(form)[:60]}}} holds %{inert(directive)}, which can't be filled: "
                "write it with %Y %m %d %H %M %S %z, and the like."
            )
    if slot is None:
        return ""
    if not form:
        return slot.isoformat()
    # One by one, so that what else it holds is no business of the system's.
    return _DIRECTIVE.sub(lambda found: slot.strftime(found[0]), form)
