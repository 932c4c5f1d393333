"""One cell of a table: what stands in it, and how wide it is."""

from __future__ import annotations

import unicodedata

from gigq_core.text import inert
from gigq_core.times import parse_time

CELL_LIMIT = 200


def cell(value: object) -> str:
    """`value` for one cell of a table: inert, on one line, cut to a bearable length."""
    text = str(value)
    cut = text[: CELL_LIMIT + 1]
    return inert(cut[:CELL_LIMIT] + "…" if len(cut) > CELL_LIMIT else cut)


def width(text: str) -> int:
    """The columns that `text` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def shown_time(text: object) -> str:
    """A stored timestamp, to the second; "-" where there is none."""
    if text is None or text == "":
        return "-"
    moment = parse_time(text)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else cell(text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
