"""Unique jobs: the key that no other job is to have, and for how long it is held."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gigq_core.units.durations import duration_text, seconds_of

Until = Literal["ended", "started", "forever"]
UNTIL = get_args(Until)
Conflict = Literal["existing", "error", "replace", "again"]
CONFLICT = get_args(Conflict)

LONGEST_KEY = 1_000

_PARTS = ("key", "until", "within", "conflict")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Unique:
    """How a job is to be the only one with its key.

    Keys are compared exactly. The jobs' own rows say who holds one, so that no key is left behind
    by a process that dies.

    Args:
        key: What no other job may have; True makes it from the function and its parameters.
        until: How long a job holds it: until it has "ended", until its first attempt has
            "started", or "forever", also when the job is deleted.
        within: It is also held for this long after the submission, whatever becomes of the job:
            seconds, or text like `1h`. A job that was deleted holds it for 30 days at most.
        conflict: What happens to a job whose key another one holds. "existing": nothing is
            submitted, and the other one's id is given back. "error": `DuplicateJob` is raised.
            "replace": the other one is cancelled if it waits, and asked to stop if it runs; the new
            one starts when that has ended, and whatever waits for the other one waits for it.
            "again": it runs once more after the one that runs; if one waits already, that one is
            given back. Where the other one has ended, "replace" and "again" are as "existing".

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: A value is out of range.
    """

    key: str | bool = True
    until: Until = "ended"
    within: float | str | None = None
    conflict: Conflict = "existing"

    def __post_init__(self) -> None:
        _check_key(self.key)
        for label, value, choices in (
            ("until", self.until, UNTIL),
            ("conflict", self.conflict, CONFLICT),
        ):
            if not isinstance(value, str) or value not in choices:
                said = ", ".join(map(repr, choices[:-1]))
                raise ValueError(f"unique has {label}={value!r}: say {said} or {choices[-1]!r}.")
        if self.within is None:
            return
        within = seconds_of(self.within, "unique's within")
        if within <= 0:
            raise ValueError("unique has within=0: give a time that is more than 0.")
        if self.until == "forever":
            raise ValueError(
                "unique has within and until='forever', which holds the key anyway: give one."
            )
        object.__setattr__(self, "within", within)


def _check_key(key: object) -> None:
    if key is True:
        return
    if key is False:
        raise ValueError("unique has the key False: give a key as text, or True.")
    if not isinstance(key, str):
        raise TypeError(
            f"unique must be True, a key as text, or a Unique, not a value of type "
            f"{type(key).__name__}."
        )
    if not key.strip():
        raise ValueError("unique has an empty key: give some text, or True.")
    if len(key) > LONGEST_KEY:
        raise ValueError(
            f"unique has a key of {len(key):,} characters: {LONGEST_KEY:,} are the most."
        )
    if "\0" in key:
        raise ValueError("unique has a key with a NUL character in it: leave that out.")
    try:
        key.encode()
    except UnicodeEncodeError as problem:
        raise ValueError(
            f"unique has a key that can't be stored, because character {problem.start + 1} of it "
            "is not text (a file name that is not UTF-8?): replace it."
        ) from None


def unique_of(value: object) -> Unique | Literal[False]:
    """What was given as a job's `unique`, in its one form.

    Where there is no Python, as in a line of JSONL, it is an object with the arguments of `Unique`.

    Raises:
        TypeError: It is none of these.
        ValueError: A value is out of range.
    """
    if value is False or isinstance(value, Unique):
        return value
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in _PARTS]
        if unknown:
            raise ValueError(
                f"unique has {unknown[0]!r}, which it does not know: it takes {', '.join(_PARTS)}."
            )
        return Unique(**value)
    _check_key(value)
    return Unique(value)  # type: ignore[arg-type]


def words_of(key: str, until: object, within: object) -> str:
    """A stored key for people, and for how long it is held: `sync 7, until it has started`."""
    told = {"started": ", until it has started", "forever": ", for ever"}.get(str(until), "")
    if isinstance(within, (int, float)) and within > 0:
        told += f", for {duration_text(within)} at least"
    return key + told


def key_of(unique: Unique, function: str, params: str) -> str:
    """The key of a job, as it is stored.

    Args:
        unique: What it asks for.
        function: `package.module.function`.
        params: Its parameters, as JSON. In which order they stand makes no difference.
    """
    if isinstance(unique.key, str):
        return unique.key
    canonical = _encode(json.loads(params))
    return f"{function}:{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"


def columns_of(unique: object, function: str, params: str) -> dict[str, Any]:
    """The values of a new row's columns; see `key_of`."""
    given = unique_of(unique)
    if given is False:
        return {"unique_key": None, "unique_until": None, "unique_within": None}
    return {
        "unique_key": key_of(given, function, params),
        "unique_until": given.until,
        "unique_within": given.within,
    }
