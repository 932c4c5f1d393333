"""Copying in a real tmux: to its own buffer, and to the terminal outside."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests import scene
from tests.e2e.terminal import terminal_environment
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")


class Tmux:
    """A server of its own with one window, in which the console runs on the scene."""

    def __init__(self, folder: Path, settings: str) -> None:
        path = folder / "jobs.db"
        scene.build(path)
        (folder / "tmux.conf").write_text(settings)
        # The path of a socket must be short.
        self._socket = f"gigq-test-{os.getpid()}-{folder.name}"[-60:]
        self._environment = terminal_environment()
        self.written = ""
        self.terminal = pexpect.spawn(
            "tmux",
            [
                *("-L", self._socket, "-f", str(folder / "tmux.conf"), "new-session"),
                f"{sys.executable} -m gigq_tui {path}",
            ],
            env=self._environment,
            dimensions=(33, 120),
            encoding="utf-8",
            codec_errors="replace",
        )

    def ask(self, *words: str) -> str:
        """The answer of a command of tmux's; empty where it fails."""
        command = ["tmux", "-L", self._socket, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def take(self) -> str:
        """Everything that the terminal outside was sent so far."""
        while True:
            try:
                self.written += self.terminal.read_nonblocking(65536, timeout=0)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return self.written

    def wait_for(self, text: str) -> None:
        wait_until(lambda: (self.take(), text in self.ask("capture-pane", "-p"))[1], what=text)

    def close(self) -> None:
        self.ask("kill-server")
        self.terminal.close(force=True)


@pytest.fixture
def tmux(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tmux]:
    held = Tmux(tmp_path, request.param)
    yield held
    held.close()


def copy_an_id(tmux: Tmux) -> str:
    """Copy the id of the job under the cursor, and return it."""
    tmux.wait_for("/ filters")
    tmux.terminal.send("y")
    tmux.wait_for("Copy")
    tmux.terminal.send("i")
    tmux.wait_for("copied the id: ")
    (line,) = (ln for ln in tmux.ask("capture-pane", "-p").splitlines() if "copied the id: " in ln)
    return line.partition("copied the id: ")[2].split()[0]


def sequence_of(text: str) -> str:
    return f";{base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "tmux", ["set -g set-clipboard on\nset -g allow-passthrough off\n"], indirect=True
)
def test_tmux_takes_it_and_hands_it_on(tmux: Tmux) -> None:
    copied = copy_an_id(tmux)
    assert len(copied) == 36
    assert wait_until(lambda: tmux.ask("show-buffer"), what="tmux's buffer") == copied
    wait_until(lambda: sequence_of(copied) in tmux.take(), what="the terminal outside")


@pytest.mark.parametrize(
    "tmux",
    ["set -g set-clipboard off\nset -g allow-passthrough on\nset -g default-terminal screen\n"],
    indirect=True,
)
def test_it_is_passed_through_where_tmux_takes_no_sequence(tmux: Tmux) -> None:
    copied = copy_an_id(tmux)
    wait_until(lambda: f"\x1b]52;c{sequence_of(copied)}\x07" in tmux.take(), what="outside")
    assert tmux.ask("show-buffer") == copied


@pytest.mark.parametrize("tmux", ["", "set -g set-clipboard off\n"], indirect=True)
def test_it_is_in_tmux_whatever_its_options(tmux: Tmux) -> None:
    copied = copy_an_id(tmux)
    assert len(copied) == 36
    assert tmux.ask("show-buffer") == copied


@pytest.mark.parametrize("tmux", [""], indirect=True)
def test_what_nothing_confirms_is_said_to_be_sent(tmux: Tmux, tmp_path: Path) -> None:
    tmux.wait_for("/ filters")
    # A server that is not there any more, as behind `su` or in a container.
    gone = f"env TMUX=/nowhere/tmux,1,0 {sys.executable} -m gigq_tui {tmp_path / 'jobs.db'}"
    tmux.ask("respawn-pane", "-k", gone)
    tmux.wait_for("/ filters")
    tmux.terminal.send("y")
    tmux.wait_for("Copy")
    tmux.terminal.send("i")
    tmux.wait_for("the id was sent to the terminal: ")
