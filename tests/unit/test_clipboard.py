"""The bytes that copy a text, through whatever stands between here and the terminal."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from gigq_tui.terminal import clipboard
from gigq_tui.terminal.clipboard import MAX_BYTES, SCREEN_PIECE, into_tmux, osc52

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


def test_there_is_no_tmux_to_ask_outside_of_one() -> None:
    assert not into_tmux("hi", {"PATH": "/usr/bin:/bin"})


def test_a_tmux_that_hangs_or_fails_does_not_hold_anything_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "TMUX_ANSWERS_S", 0.2)
    program = tmp_path / "tmux"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    environment = {"TMUX": TMUX, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    for script in ("exec sleep 600", "exit 1"):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert not into_tmux("hi", environment)
    # An old one, which does not know -w.
    program.write_text('#!/bin/sh\n[ "$2" = -w ] && exit 1\ncat > "$0.buffer"\n')
    assert into_tmux("h\u00e9", environment)
    assert (tmp_path / "tmux.buffer").read_text() == "h\u00e9"


@pytest.mark.parametrize(
    ("environment", "between"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TMUX": TMUX, "TERM": "screen"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"STY": STY, "TERM": "screen"}, True),
    ],
)
def test_what_may_drop_a_sequence(environment: dict[str, str], between: bool) -> None:
    assert clipboard.wraps_for_another(environment) is between
