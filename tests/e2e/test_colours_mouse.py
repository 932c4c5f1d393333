"""What is sent to terminals of every kind: colours, characters, the mouse asked for or not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import scene
from tests.e2e.terminal import ConsoleTerminal

TRUE = re.compile(r"\x1b\[(?:[\d;]*;)?[34]8;2;\d+;\d+;\d+")
OF_256 = re.compile(r"\x1b\[(?:[\d;]*;)?[34]8;5;\d+")
# 30 to 37, 40 to 47 and their bright ones; 39 and 49 are the terminal's own two.
OF_16 = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7])(?:;[\d;]*)?m")
MOUSE = re.compile(r"\x1b\[\?(?:9|1000|1001|1002|1003|1005|1006|1015|1016)h")
NAMES = "größe_日本_é"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The scene, with a failed job whose name is not ASCII."""
    from gigq_core import Job, JobQueue
    from gigq_core.job import FunctionReference

    file = tmp_path / "jobs.db"
    scene.build(file)
    queue = JobQueue(file)
    queue.submit(Job(NAMES, FunctionReference("json", "dumps")))
    queue.close()
    return file


def seen(path: Path, *words: str, **env: str) -> str:
    """Everything that was written while a question was asked and other screens looked at."""
    with ConsoleTerminal(path, *words, cwd=path.parent, **env) as console:
        console.wait_for(r"\[1 All \d+\]")
        console.press("2c")
        console.wait_for(r"\[ No \(n\) \]")
        console.press("n")
        console.wait_until_gone(r"\[ No \(n\) \]")
        console.press("w")
        console.wait_for(r"> Workers")
        console.press("?")
        console.wait_for(r"> Help")
        console.press("q")
        console.wait_for(r"> Workers")
        console.press("q")
        console.wait_for(r"\[2 Waiting \d+\]")
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.restored()
        return console.written


def test_truecolor(path: Path) -> None:
    assert TRUE.search(seen(path))


def test_256_colours(path: Path) -> None:
    written = seen(path, COLORTERM="")
    assert OF_256.search(written)
    assert not TRUE.search(written)


@pytest.mark.parametrize("term", ["linux", "vt100", "xterm"])
def test_16_colours(path: Path, term: str) -> None:
    written = seen(path, TERM=term, COLORTERM="")
    assert OF_16.search(written)
    assert not TRUE.search(written)
    assert not OF_256.search(written)


def test_a_theme_that_was_named_is_kept(path: Path) -> None:
    # As near as 16 colours come to it: its own ground is painted.
    written = seen(path, "--theme", "light", TERM="xterm", COLORTERM="")
    assert re.search(r"\x1b\[(?:[\d;]*;)?(?:47|107)(?:;[\d;]*)?m", written)


@pytest.mark.parametrize("words", [(), ("--theme", "light")])
def test_no_colour_at_all(path: Path, words: tuple[str, ...]) -> None:
    written = seen(path, *words, NO_COLOR="1")
    assert not TRUE.search(written)
    assert not OF_256.search(written)
    assert not OF_16.search(written)
    # Bold and reverse are no colours.
    assert re.search(r"\x1b\[(?:[\d;]*;)?7(?:;[\d;]*)?m", written)


@pytest.mark.parametrize("env", [{"GIGQ_ASCII": "1"}, {"LC_ALL": "C"}])
def test_ascii_alone(path: Path, env: dict[str, str]) -> None:
    with ConsoleTerminal(path, cwd=path.parent, columns=80, rows=24, **env) as console:
        console.wait_for(r"gr\?\?e_\?\?\?\?_\?")
        console.press("\r")
        console.wait_for(r"Params")
        console.press("t")
        console.wait_for(r"Tree of")
        console.press("q")
        console.wait_for(r"Params")
        console.press("q")
        console.wait_for(r"\[1 All")
        console.press("/")
        console.wait_for(r"^ / ")
        console.press("größe日")
        # What is typed is drawn by a field, cell by cell as well.
        console.wait_for(r"/ gr\?\?e\?\?")
        console.press("\x1b")
        console.wait_until_gone(r"/ gr")
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.written.isascii()


def test_more_than_ascii_where_it_is_understood(path: Path) -> None:
    with ConsoleTerminal(path, cwd=path.parent, columns=80, rows=24) as console:
        console.wait_for("größe_")
        console.press("q")
        assert console.wait_for_end() == 0


def test_the_mouse_is_the_consoles(path: Path) -> None:
    written = seen(path)
    assert MOUSE.search(written)
    assert written.rfind("\x1b[?1000l") > written.rfind("\x1b[?1000h")


def test_without_the_mouse_selecting_is_left_to_the_terminal(path: Path, tmp_path: Path) -> None:
    assert not MOUSE.search(seen(path, "--no-mouse"))
    config = tmp_path / "config.toml"
    config.write_text("mouse = false")
    assert not MOUSE.search(seen(path, "--config", str(config)))
    assert MOUSE.search(seen(path, "--config", str(config), "--mouse"))


def test_what_the_configuration_says_of_a_file_holds(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[keys]\nspawn_worker = "ctrl+t"\n'
        f'[[database]]\npath = "{path}"\nlabel = "prod"\ncolour = "red"\nread_only = true\n'
    )
    env = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    with ConsoleTerminal(path, "--config", config, cwd=tmp_path, **env) as console:
        console.wait_for(r"jobs\.db  prod@\w+ .*")
        console.wait_for(r"READ-ONLY")
        console.press("\x14")
        console.wait_for(r"read-only, so it can't start a worker")
        console.press("q")
        assert console.wait_for_end() == 0
    with ConsoleTerminal(path, "--config", config, "--read-write", cwd=tmp_path) as console:
        console.wait_for(r"READ-WRITE")
        console.press("q")
        assert console.wait_for_end() == 0
