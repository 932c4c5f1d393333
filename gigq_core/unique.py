"""Unique jobs: the key that no other job is to have, and for how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gigq_core.durations import seconds_of

Until = Literal["ended", "started", "forever"]
_UNTIL = get_args(Until)
Conflict = Literal["existing", "error", "replace", "again"]
_CONFLICT = get_args(Conflict)

LONGEST_KEY = 1_000


@dataclass(frozen=True)
class Unique:
    """How a job is to be the only one with its key.

    Args:
        key: What is not to be there twice; True makes it of the function and the parameters.
        until: How long the job holds it: until it has "ended", until its first attempt has
            "started", or "forever".
        within: In place of `until`: for so long after it was submitted, whatever becomes of it;
            at most 30 days beyond its deletion.
        conflict: What comes of a job whose key another one holds: "existing" gives back that one's
            id, "error" raises `DuplicateJob`, "replace" takes its place, and "again" lets it run
            after the other one, once.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: A value is out of range.
    """

    key: str | bool = True
    until: Until = "ended"
    within: float | str | None = None
    conflict: Conflict = "existing"

    def __post_init__(self) -> None:
        if isinstance(self.key, bool):
            if not self.key:
                raise ValueError("unique has the key False: leave it out, or give a key.")
        elif not isinstance(self.key, str):
            raise TypeError(
                "unique must be True, a key as text, or a Unique, not a value of type "
                f"{type(self.key).__name__}."
            )
        elif not self.key:
            raise ValueError("unique has an empty key: give some text, or True.")
        elif len(self.key) > LONGEST_KEY:
            raise ValueError(
                f"unique has a key of {len(self.key):,} characters: {LONGEST_KEY:,} are the most."
            )
        for label, value, choices in (
            ("until", self.until, _UNTIL),
            ("conflict", self.conflict, _CONFLICT),
        ):
            if value not in choices:
                said = ", ".join(map(repr, choices[:-1]))
                raise ValueError(f"unique has {label}={value!r}: say {said} or {choices[-1]!r}.")
        if self.within is not None:
            if self.until != "ended":
                raise ValueError("unique has both until and within: give one of them.")
            within = seconds_of(self.within, "within")
            if within <= 0:
                raise ValueError("unique has within=0: give a time that is more than 0.")
            object.__setattr__(self, "within", within)


def unique_of(value: object) -> Unique | Literal[False]:
    """What was given as a job's `unique`, in its one form.

    Raises:
        TypeError: It is neither a bool, text nor a `Unique`.
        ValueError: A value is out of range.
    """
    if value is False or isinstance(value, Unique):
        return value
    return Unique(value)  # type: ignore[arg-type]


def key_of(unique: Unique, function: str, params: Mapping[str, Any]) -> str:
    """The key of a job, as it is stored.

    Args:
        unique: what it asked for.
        function: its function's whole name.
        params: its parameters.
    """
    if isinstance(unique.key, str):
        return unique.key
    encoded = json.dumps(params, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{function}:{hashlib.sha256(encoded.encode()).hexdigest()[:32]}"


def unique_columns(
    unique: Unique | Literal[False], function: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a new row's columns; see `key_of`."""
    if unique is False:
        return dict.fromkeys(("unique_key", "unique_until", "unique_within"))
    return {
        "unique_key": key_of(unique, function, params),
        "unique_until": "within" if unique.within is not None else unique.until,
        "unique_within": unique.within,
    }
