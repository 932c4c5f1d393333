"""The escape sequence that puts text on the clipboard of the terminal, through tmux too."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

# Bytes of one copy: more than any value or output that is read for the screen.
MOST_BYTES = 4 * 1024 * 1024


def fitting(text: str) -> str:
    """Return as much of the beginning of `text` as one copy takes, whole characters."""
    data = text[:MOST_BYTES].encode("utf-8", "replace")
    return data[:MOST_BYTES].decode("utf-8", "ignore")


def osc52(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what to write to the terminal to copy `text`.

    Inside tmux it is sent twice: as tmux itself understands it (`set-clipboard on`), and wrapped
    for the terminal outside (`allow-passthrough on`); whichever is not allowed is ignored.
    """
    environment = os.environ if environment is None else environment
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    plain = f"\x1b]52;c;{encoded}\x07"
    if environment.get("TMUX"):
        inner = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{inner}\x1b\\"
    if environment.get("STY"):
        return f"\x1bP{plain}\x1b\\"
    return plain
