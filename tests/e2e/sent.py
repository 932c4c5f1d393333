"""What a program sent to its terminal, told apart: text, and the sequences that steer."""

from __future__ import annotations

import re

# All that the console's screen sends by itself: the pointer's shape, the cursor's place, colours
# and styles, modes of the screen, mouse, paste and keyboard, and questions after what the terminal
# can do.
OURS = re.compile(
    r"\x1b\]22;[a-z-]*\x07|\x1b\[(?:"
    r"\d+;\d+H|[\d;:]*m"
    r"|\?(?:1049|25|1000|1002|1003|1004|1006|1015|1016|2004|2026|2048|7)[hl]"
    r"|\?(?:2026|2048)\$p|>\d+u|<u|=\d+;\d+u|\?u|c|6n"
    r")"
)
COPIED = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def text_of(written: str) -> str:
    """What was written without what the console sends by itself, and without line ends."""
    rest = COPIED.sub("", OURS.sub("", written))
    return rest.replace("\r", "").replace("\n", "")


def foreign(written: str) -> list[str]:
    """Every sequence or control character that the console does not send by itself.

    Clipboard sequences are left out: see `COPIED`.
    """
    rest = text_of(written)
    return [rest[found.start() : found.start() + 20] for found in _CONTROL.finditer(rest)]
