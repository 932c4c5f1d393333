"""The commands that lead elsewhere, as a person types them for new workers: apart by semicolons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gigq_core.errors import GigQError
from gigq_core.worker.agents.via import via_of

SEPARATOR = ";"


def parse(text: str) -> tuple[str, ...]:
    """The commands that stand in a line, in its order; the same twice means two agents.

    Raises:
        GigQError: One of them can't lead anywhere.
    """
    pieces = list(_pieces(text))
    if text.strip() and not pieces:
        pieces = [""]  # semicolons alone: refused as a command of no words is
    try:
        return tuple(via_of(piece).text for piece in pieces)
    except ValueError as problem:
        raise GigQError(str(problem).removeprefix("--via ")) from None


def text_of(vias: Iterable[str]) -> str:
    """The line that `parse` reads as these."""
    return f"{SEPARATOR} ".join(vias)


def _pieces(text: str) -> Iterator[str]:
    """What stands between semicolons, but for those within quotes, as a shell has it."""
    piece = quote = ""
    escaped = False
    for char in text:
        if char == SEPARATOR and not quote and not escaped:
            if piece.strip():
                yield piece.strip()
            piece = ""
            continue
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char == quote:
            quote = ""
        elif char in "'\"" and not quote:
            quote = char
        piece += char
    if piece.strip():
        yield piece.strip()
