"""The `gigq-tui` command and its configuration: refused in one sentence, printed, obeyed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gigq_tui.config import Config
from gigq_tui.config.load import config_of
from tests import scene
from tests.unit.test_tui_cli import REFUSED, listing, run, sentence_of


@pytest.fixture
def queue_file(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    scene.build(path)
    return path


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


@pytest.mark.parametrize("options", [(), ("--once",), ("--print-config",), ("--demo",)])
def test_a_wrong_file_is_refused_whatever_was_asked_for(
    queue_file: Path, config_file: Path, options: tuple[str, ...]
) -> None:
    config_file.write_text('[keys]\ncancle = "x"')
    words = () if "--demo" in options else (queue_file,)
    told = sentence_of(run(*words, "--config", config_file, *options))
    assert told.startswith(f"gigq-tui: {config_file}, keys.cancle: there is no action")
    assert "did you mean cancel?" in told


def test_the_variable_names_a_file_too(queue_file: Path, config_file: Path) -> None:
    config_file.write_text("mouse = 1")
    answer = run(queue_file, "--once", GIGQ_TUI_CONFIG=str(config_file))
    assert f"{config_file}, mouse:" in sentence_of(answer)
    # The option comes first.
    config_file.with_name("good.toml").write_text("mouse = true")
    words = (queue_file, "--once", "--config", config_file.with_name("good.toml"))
    assert run(*words, GIGQ_TUI_CONFIG=str(config_file)).returncode == 0


def test_a_named_file_has_to_be_there(queue_file: Path, config_file: Path) -> None:
    told = sentence_of(run(queue_file, "--once", "--config", config_file))
    assert f"no configuration file {config_file}" in told


def test_the_usual_place_is_read_and_may_be_empty(queue_file: Path, tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "home"), "GIGQ_TUI_CONFIG": ""}
    assert run(queue_file, "--once", **env).returncode == 0
    folder = tmp_path / "home" / "gigq-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("mouse = 1")
    assert f"{folder / 'config.toml'}, mouse:" in sentence_of(run(queue_file, "--once", **env))


def test_it_is_printed_as_a_file_that_can_be_saved(tmp_path: Path, config_file: Path) -> None:
    answer = run("--print-config", GIGQ_TUI_CONFIG="", XDG_CONFIG_HOME=str(tmp_path / "home"))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert str(tmp_path / "home" / "gigq-tui" / "config.toml") in answer.stdout
    assert "is not there" in answer.stdout
    assert config_of(answer.stdout) == Config()
    assert listing(tmp_path) == []
    config_file.write_text(answer.stdout)
    again = run("--print-config", "--config", config_file)
    assert "was read" in again.stdout
    assert config_of(again.stdout) == Config()


def test_options_of_the_command_line_are_printed_with_it() -> None:
    answer = run("--print-config", "--theme", "light", "--no-mouse")
    config = config_of(answer.stdout)
    assert (config.theme, config.mouse) == ("light", False)


def test_the_label_stands_in_what_is_printed_once(queue_file: Path, config_file: Path) -> None:
    config_file.write_text(f'[[database]]\npath = "{queue_file.parent}/*.db"\nlabel = "prod"')
    words = (queue_file, "--once", "--config", config_file)
    assert run(*words).stdout.startswith(f"{queue_file}  prod  ")
    assert json.loads(run(*words, "--json").stdout)["file"]["label"] == "prod"
    assert json.loads(run(queue_file, "--once", "--json").stdout)["file"]["label"] is None
    over_ssh = run(*words, SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22").stdout
    assert over_ssh.startswith(f"{queue_file}  prod@{os.uname().nodename.partition('.')[0]}  ")


def test_a_file_that_is_only_looked_at_is_not_made(tmp_path: Path, config_file: Path) -> None:
    path = tmp_path / "new.db"
    config_file.write_text(f'[[database]]\npath = "{path}"\nread_only = true')
    words = (path, "--create", "--once", "--config", config_file)
    assert "--read-write" in sentence_of(run(*words))
    assert not path.exists()
    assert run(*words, "--read-write").returncode == 0


def test_interpreter_and_folder_of_the_file_are_checked(
    queue_file: Path, config_file: Path
) -> None:
    config_file.write_text(f'[[database]]\npath = "{queue_file}"\npython = "/no/such/python"')
    words = (queue_file, "--once", "--config", config_file)
    assert "no interpreter at /no/such/python" in sentence_of(run(*words))
    config_file.write_text(f'[[database]]\npath = "{queue_file}"\nchdir = "/no/such/folder"')
    assert "no folder /no/such/folder" in sentence_of(run(*words))
    assert run(*words, "--chdir", queue_file.parent).returncode == 0


def test_print_config_and_the_demo_are_two_things() -> None:
    answer = run("--demo", "--print-config")
    assert answer.returncode == REFUSED
    assert "leave --print-config out" in answer.stderr


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_can_show_no_screen_is_refused(queue_file: Path, term: str) -> None:
    told = sentence_of(run(queue_file, TERM=term))
    assert f"TERM={term}" in told
    assert "--once" in told
