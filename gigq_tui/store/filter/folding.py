"""Looking for text whose letters are not all ASCII: SQLite itself folds the case of those alone."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from unicodedata import normalize

# A function of the reader's connection: whether a value holds a text that is `folded` already.
HOLDS_FUNCTION = "gigq_tui_holds"


def folded(text: str) -> str:
    """A text without what tells capitals from small letters, and composed ones from others."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFD", text).casefold())


def add_functions(conn: sqlite3.Connection) -> None:
    """Give a connection what filters use."""
    conn.create_function(HOLDS_FUNCTION, 2, _holds, deterministic=True)


def _holds(value: object, wanted: str) -> bool | None:
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return wanted in (text.lower() if text.isascii() else _folded(text))


# The same words stand in very many rows.
_folded = lru_cache(4_096)(folded)
