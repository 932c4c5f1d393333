"""Text within text, in SQL."""

from __future__ import annotations

from gigq_tui.store.filter.folding import HOLDS_FUNCTION, folded

Sql = tuple[str, list[object]]


def like(text: str) -> str:
    """The LIKE pattern (ESCAPE '\\') for whatever holds `text`."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def holds(value: str, text: str) -> Sql:
    """The condition that some value in SQL holds a text, in capitals or not; its one parameter."""
    if text.isascii():
        return f"{value} LIKE ? ESCAPE '\\'", [like(text)]
    # As a blob, so that text which is no UTF-8 costs its own row alone.
    return f"{HOLDS_FUNCTION}(CAST({value} AS BLOB), ?)", [folded(text)]
