"""Sizes as people write them: 500K, 16M, 2G."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)
_UNITS = " kmgt"


def bytes_in(text: str) -> int:
    """A number of bytes; a K is 1,024 of them.

    Raises:
        ValueError: it is no size; the message says what to write instead.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: write 500K, 16M or 2G")
    return int(float(found[1]) * 1024 ** _UNITS.index((found[2] or " ").lower()))
