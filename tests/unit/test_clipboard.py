"""The bytes that copy a text, through whatever stands between here and the terminal."""

from __future__ import annotations

import base64
import re

import pytest

from gigq_tui.clipboard import MAX_BYTES, SCREEN_PIECE, osc52

PLAIN = "\x1b]52;c;aGk=\x07"
FOR_TMUX = "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"
FOR_SCREEN = f"\x1bP{PLAIN}\x1b\\"
TMUX, STY = "/tmp/tmux-0/default,1,0", "123.pts-0.host"


@pytest.mark.parametrize(
    ("environment", "sequence"),
    [
        ({"TERM": "xterm-256color"}, PLAIN),
        ({}, PLAIN),
        ({"TMUX": TMUX, "TERM": "tmux-256color"}, PLAIN + FOR_TMUX),
        ({"TMUX": TMUX, "TERM": "screen"}, PLAIN + FOR_TMUX),
        # Over SSH from within a tmux only TERM comes along.
        ({"SSH_TTY": "/dev/pts/1", "TERM": "tmux-256color"}, PLAIN + FOR_TMUX),
        ({"SSH_TTY": "/dev/pts/1", "TERM": "screen-256color"}, PLAIN),
        ({"STY": STY, "TERM": "screen.xterm-256color"}, FOR_SCREEN),
        ({"STY": STY, "TERM": "screen"}, FOR_SCREEN),
        # screen in tmux, tmux in screen, and what can't be told apart.
        ({"STY": STY, "TMUX": TMUX, "TERM": "screen.tmux-256color"}, FOR_SCREEN),
        (
            {"STY": STY, "TMUX": TMUX, "TERM": "tmux-256color"},
            PLAIN + "\x1bPtmux;" + FOR_SCREEN.replace("\x1b", "\x1b\x1b") + "\x1b\\",
        ),
        ({"STY": STY, "TMUX": TMUX, "TERM": "screen"}, PLAIN),
    ],
)
def test_what_is_sent_where(environment: dict[str, str], sequence: str) -> None:
    assert osc52("hi", environment) == (sequence, "hi")


def test_screen_gets_pieces_that_it_does_not_cut() -> None:
    sent = osc52("x" * 5_000, {"STY": STY}).sequence
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sent, re.DOTALL)
    assert len(pieces) > 5
    assert all(len(piece) <= SCREEN_PIECE for piece in pieces)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == sent
    assert "".join(pieces) == osc52("x" * 5_000, {}).sequence


def carried(sequence: str) -> bytes:
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    return base64.b64decode(sequence[7:-1], validate=True)


@pytest.mark.parametrize(
    "text", ["x" * MAX_BYTES, "x" * (MAX_BYTES + 1), "é" * MAX_BYTES, "日" * 25_001]
)
def test_no_more_is_sent_than_terminals_take(text: str) -> None:
    copy = osc52(text, {})
    assert len(copy.sequence) <= 100_000
    assert carried(copy.sequence).decode() == copy.text
    assert text.startswith(copy.text)
    # Nothing is left out that would fit, and no letter is halved.
    assert copy.text == text or len(copy.text.encode()) > MAX_BYTES - 4


def test_what_is_no_text_is_copied_as_well_as_can_be() -> None:
    assert carried(osc52("lone \udcff", {}).sequence) == b"lone ?"
    assert carried(osc52("\x1b[31m\n日", {}).sequence).decode() == "\x1b[31m\n日"
