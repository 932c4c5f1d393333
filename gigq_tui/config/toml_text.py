"""Values as TOML writes them."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(text: str) -> str:
    """A basic string of TOML; what it does not allow as it is stands as an escape."""
    escaped = "".join(
        f"\\{char}"
        if char in '"\\'
        else char
        if char.isprintable()
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
        for char in text
    )
    return f'"{escaped}"'


def listed(words: Iterable[str]) -> str:
    """An array of strings on one line."""
    return f"[{', '.join(map(quoted, words))}]"


def truth(value: bool) -> str:
    """`true` or `false`."""
    return "true" if value else "false"
