"""The blocks of code in the documents, and the marks that say what tests do with each.

Before a block, `<!-- file -->` writes a file of the block's title, `<!-- run -->` runs the block as
it stands, in the same folder, and `<!-- example: NAME -->` gives it a name to be asked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "pages"
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted(PAGES.rglob("*.md")))

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block: its mark, language and title, each of which may be empty, and its text."""

    mark: str
    language: str
    title: str
    text: str


def blocks_of(document: Path) -> list[Block]:
    """Return the fenced blocks of a document, in their order."""
    found = _BLOCK.finditer(document.read_text("utf-8"))
    return [Block(*(part or "" for part in block.group(*Block._fields))) for block in found]


def examples_of(document: Path) -> dict[str, str]:
    """Return the blocks that are marked as examples, by their names."""
    return {
        block.mark.removeprefix("example: "): block.text
        for block in blocks_of(document)
        if block.mark.startswith("example: ")
    }
