"""Sizes as people write them: 500K, 16M, 2G."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)
_UNITS = " kmgt"
# SQLite's INTEGER holds no more.
_MOST = 2**63


def bytes_of(value: object, label: str) -> int:
    """Read a size: a number of bytes, or text like `500M` and `2G`.

    Args:
        value: what was given.
        label: what it is called; the sentence of an error begins with it.

    Raises:
        TypeError: it is neither a whole number nor text.
        ValueError: it is no size, not above zero, or too large.
    """
    if isinstance(value, str):
        try:
            size = bytes_in(value)
        except ValueError as problem:
            raise ValueError(f"{label} is wrong: {problem}.") from None
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise TypeError(
            f"{label} must be a number of bytes, or text like 2G, not a value of type "
            f"{type(value).__name__}."
        )
    if not 0 < size < _MOST:
        raise ValueError(f"{label} is {value!r}: give a size above zero that a machine can have.")
    return size


def size_text(size: int) -> str:
    """A size as it is written, in its largest whole unit: `2G`, `1536M`, `500`."""
    for power in range(len(_UNITS) - 1, 0, -1):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{_UNITS[power].upper()}"
    return str(size)


def size_words(size: float) -> str:
    """A size in words, to the nearest tenth where it is short: `2 GB`, `2.2 GB`, `512 MB`."""
    for power in range(len(_UNITS) - 1, 0, -1):
        amount = size / 1024**power
        if amount >= 1:
            digits = 1 if amount < 100 else 0
            return f"{round(amount, digits):g} {_UNITS[power].upper()}B"
    return f"{size:g} bytes"


def bytes_in(text: str) -> int:
    """A number of bytes; a K is 1,024 of them.

    Raises:
        ValueError: it is no size; the message says what to write instead.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: write 500K, 16M or 2G")
    return int(float(found[1]) * 1024 ** _UNITS.index((found[2] or " ").lower()))
