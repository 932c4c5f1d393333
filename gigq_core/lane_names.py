"""Names of lanes: what may be one, and those that hold parameters of their job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What stands in place of a lane of a job that is hidden from GigQ, and waits in none.
HIDDEN = "-"

LONGEST = 200

_PLACE = re.compile(r"\{([^{}]*)\}")
_BRACE = re.compile(r"[{}]")


def check_lane(name: str, label: str = "lane") -> str:
    """A lane's name as it is stored, or the sentence that says what is wrong with it.

    Args:
        name: what was given.
        label: what it is called; the sentence begins with it.

    Raises:
        TypeError: it is no text.
        ValueError: no lane can have that name.
    """
    if not isinstance(name, str):
        raise TypeError(f"{label} must be a string, not a value of type {type(name).__name__}.")
    if not name or name != name.strip():
        raise ValueError(f"{label} is {name[:40]!r}: give a name without spaces around it.")
    if name == HIDDEN:
        raise ValueError(
            f"{label} is {name!r}, which is reserved for jobs without one: choose another."
        )
    if len(name) > LONGEST:
        raise ValueError(f"{label} has {len(name):,} characters: {LONGEST} are the most.")
    if not name.isprintable():
        raise ValueError(f"{label} is {name[:40]!r}: give a name of printable characters.")
    if "*" in name:
        raise ValueError(f"{label} is {name[:40]!r}: a star is for rules, not for names.")
    return name


def check_template(text: str) -> None:
    """Refuse what can't become a lane's name once the parameters are put in.

    Raises:
        TypeError: it is no text.
        ValueError: it can't be a name, whatever the parameters are.
    """
    if not isinstance(text, str):
        raise TypeError(f"lane must be a string, not a value of type {type(text).__name__}.")
    for place in _PLACE.finditer(text):
        if not place[1].isidentifier():
            raise ValueError(f"lane has {place[0][:40]!r}: write a parameter's name in braces.")
    bare = _PLACE.sub("x", text)
    if _BRACE.search(bare):
        raise ValueError(f"lane is {text[:40]!r}: a brace has no partner; write {{param}}.")
    check_lane(bare)


def filled(text: str, params: Mapping[str, Any]) -> str:
    """The name of a job's lane, with the values of its parameters in their places.

    Args:
        text: what passes `check_template`; empty for no lane.
        params: the job's.

    Raises:
        ValueError: a parameter is missing, is no text or number, or makes a name that can't be one.
    """

    if not text:
        return ""

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name not in params:
            raise ValueError(f"lane names the parameter {name}, which this job does not have.")
        given = params[name]
        if isinstance(given, bool) or not isinstance(given, (str, int)):
            raise ValueError(
                f"lane names the parameter {name}, which is neither text nor a whole number here."
            )
        return str(given)

    return check_lane(_PLACE.sub(value, text) if "{" in text else text)
