"""The sentence by which a wrong configuration is refused."""

from __future__ import annotations

from collections.abc import Iterable

from gigq_core.errors import GigQError


class ConfigError(GigQError):
    """The configuration can't be used: file, key, and what to write instead."""


class Problem(Exception):
    """Something wrong with one key of the file; whoever knows the file makes it a sentence.

    Args:
        key: where it is, like `keys.cancel` or `database[2].label`; empty for the whole file.
        said: what is wrong, and what to write instead.
    """

    def __init__(self, key: str, said: str) -> None:
        super().__init__(said)
        self.key = key
        self.said = said


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such name, with the nearest there is, or all if none is near."""
    from difflib import get_close_matches

    known = list(known)
    near = get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}."
    return f"there is no {what} {name!r}: {hint}"
