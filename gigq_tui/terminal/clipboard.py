"""The escape sequence that puts text on the clipboard of the terminal, through tmux and screen."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

# Terminals drop longer sequences, many at 100,000 characters: 7 before the text, 1 behind it.
MAX_BYTES = 74_994
# GNU screen cuts the strings that it passes through at 768 characters.
SCREEN_PIECE = 700


# tmux answers at once, or hangs.
TMUX_ANSWERS_S = 2.0


class Copy(NamedTuple):
    """What to write to the terminal, and the text that it holds: as much as terminals take."""

    sequence: str
    text: str


def osc52(text: str, environment: Mapping[str, str] | None = None) -> Copy:
    """Return what to write to the terminal to copy `text`, cut where it is too long for one.

    tmux is sent it twice: as tmux itself understands it (`set-clipboard on`), and wrapped for the
    terminal outside (`allow-passthrough on`); whichever is not allowed is ignored. GNU screen
    gets it wrapped, in pieces. Where both are around and it can't be told which is the inner one,
    it is sent plain: what is wrapped for the wrong one would be seen as text.
    """
    environment = os.environ if environment is None else environment
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        text = data[:MAX_BYTES].decode("utf-8", "ignore")
        data = text.encode()
    plain = f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"
    term = environment.get("TERM", "")
    in_tmux = bool(environment.get("TMUX")) or term.startswith("tmux")
    in_screen = bool(environment.get("STY"))
    if in_tmux and in_screen:
        if term.startswith("tmux"):
            return Copy(plain + _through_tmux(_through_screen(plain)), text)
        # That is how screen calls itself on a terminal that it knows.
        return Copy(_through_screen(plain) if term.startswith("screen.") else plain, text)
    if in_tmux:
        return Copy(plain + _through_tmux(plain), text)
    return Copy(_through_screen(plain) if in_screen else plain, text)


def wraps_for_another(environment: Mapping[str, str] | None = None) -> bool:
    """Whether tmux or screen stands between here and the terminal: they may drop a sequence."""
    environment = os.environ if environment is None else environment
    known = environment.get("TMUX") or environment.get("STY")
    return bool(known) or environment.get("TERM", "").startswith(("tmux", "screen"))


def into_tmux(text: str, environment: Mapping[str, str] | None = None) -> bool:
    """Put a text into tmux's newest buffer, and on the clipboard of the terminal outside.

    tmux does that whatever its options say about sequences. It blocks for up to
    `2 * TMUX_ANSWERS_S`.

    Returns:
        Whether tmux has it; False where there is no tmux around us.
    """
    environment = os.environ if environment is None else environment
    if not environment.get("TMUX"):
        return False
    data = text.encode("utf-8", "replace")
    # Before 3.2 tmux could not hand a buffer on.
    return any(_load_buffer(data, options, environment) for options in (["-w"], []))


def through_tmux(text: str) -> str:
    """The sequence for the terminal outside alone, where tmux has the text already."""
    data = text.encode("utf-8", "replace")
    return _through_tmux(f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07")


def _load_buffer(data: bytes, options: list[str], environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", *options, "-"],
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            timeout=TMUX_ANSWERS_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _through_tmux(sequence: str) -> str:
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"


def _through_screen(sequence: str) -> str:
    pieces = range(0, len(sequence), SCREEN_PIECE)
    return "".join(f"\x1bP{sequence[at : at + SCREEN_PIECE]}\x1b\\" for at in pieces)
