"""Views in the real program: the last one comes back, and the terminal's cursor goes along."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests import scene
from tests.e2e.terminal import ConsoleTerminal

# Sends its stderr to a file, and becomes the console.
ELSEWHERE = (
    "import os, sys;"
    "os.dup2(os.open('err.txt', os.O_CREAT | os.O_WRONLY), 2);"
    "os.execv(sys.executable, [sys.executable, '-m', 'gigq_tui', *sys.argv[1:]])"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return scene.build(tmp_path / "jobs.db")


def test_a_console_begins_as_the_last_one_was_left(path: Path, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with ConsoleTerminal(path, cwd=tmp_path, **state) as console:
        console.wait_for("/ filters")
        console.press("4/")
        console.press("err:HTTP\r")
        console.wait_for("1 match")
        console.press("o")
        console.wait_for("> Overview")
        console.press("6")
        console.press("\x03\x03")
        assert console.wait_for_end() == 0
    (kept,) = (tmp_path / "state" / "gigq-tui" / "views").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with ConsoleTerminal("jobs.db", cwd=tmp_path, **state) as console:
        console.wait_for("> Overview")
        console.press("\x1b")
        console.wait_for(r"\[4 Failed")
        console.wait_for("err:HTTP")
        console.press("q")
        assert console.wait_for_end() == 0
    with ConsoleTerminal(path, "--no-last-view", cwd=tmp_path, **state) as console:
        console.wait_for("/ filters")
        assert "[1 All" in console.text()
        console.press("q")
        assert console.wait_for_end() == 0
    with ConsoleTerminal(path, "--tab", "done", cwd=tmp_path, **state) as console:
        console.wait_for(r"\[6 Done")
        console.press("q")
        assert console.wait_for_end() == 0


def test_the_screen_is_shown_where_only_errors_go_to_a_file(path: Path, tmp_path: Path) -> None:
    with ConsoleTerminal(path, cwd=tmp_path, program=("-c", ELSEWHERE)) as console:
        console.wait_for("/ filters")
        console.press("q")
        assert console.wait_for_end() == 0
    assert os.path.getsize(tmp_path / "err.txt") == 0


def test_the_cursor_of_the_terminal_is_where_somebody_looks(path: Path, tmp_path: Path) -> None:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for("/ filters")
        console.press("jj")
        console.wait_for_focus(r"^ >")
        console.press("/abc")
        console.wait_for_focus("abc")
        console.press("\x1b")
        console.wait_for_focus(r"^ >")
        console.press("w")
        console.wait_for("> Workers")
        console.wait_for_focus(r"^ >")
        console.press("\x1b")
        console.wait_for("/ filters")
        console.press("q")
        assert console.wait_for_end() == 0
