"""With what workers are started: what is typed for it, what is looked at first, what is told."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gigq_core.errors import GigQError
from gigq_core.system.identity import process_start
from gigq_tui.actions import shell_command
from gigq_tui.actions.workers import environment, head_count, vias
from gigq_tui.actions.workers import setup as worker_setup
from gigq_tui.actions.workers.setup import (
    Examined,
    WorkerSetup,
    absolute_python_path,
    examine,
)
from tests.waiting import wait_until

# --- the environment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("A=1 B=two", (("A", "1"), ("B", "two"))),
        ("A='b c' B=\"d 'e'\"", (("A", "b c"), ("B", "d 'e'"))),
        ("A= B=x=y", (("A", ""), ("B", "x=y"))),
        (r'A=b\ c B="\"q\" \n"', (("A", "b c"), ("B", '"q" \\n'))),
        ("_x9='it'\"'\"'s'", (("_x9", "it's"),)),
    ],
)
def test_an_environment_is_read_as_a_shell_does(text: str, pairs: environment.Environment) -> None:
    assert environment.parse(text) == pairs
    assert environment.parse(environment.text_of(pairs)) == pairs
    if text:
        assert tuple(tuple(word.split("=", 1)) for word in shlex.split(text)) == pairs


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A='x", "A quote is not closed."),
        ("TOKEN=hunter2 hunter3", "Word 2 is not KEY=VALUE: quote values with spaces."),
        ("2A=x", "Word 1 is not KEY=VALUE"),
        ("A=1 A=2", "A is given twice."),
    ],
)
def test_what_is_no_environment_is_told_without_values(text: str, sentence: str) -> None:
    with pytest.raises(GigQError) as told:
        environment.parse(text)
    assert str(told.value).startswith(sentence)
    assert "hunter" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A=1 API_KEY=abc B=2", "A=1 API_KEY=*** B=2"),
        ("PASSWORD='a b", "PASSWORD=****"),
        ("MY_TOKEN", "MY_TOKEN"),
        ("X=TOKEN=abc", "X=TOKEN=abc"),
    ],
)
def test_secrets_are_hidden_while_they_are_typed(text: str, shown: str) -> None:
    assert environment.hide_secrets(text) == shown
    assert len(shown) == len(text)


# --- looking before anything starts ------------------------------------------------------------


@pytest.fixture
def setup(tmp_path: Path) -> WorkerSetup:
    return WorkerSetup(sys.executable, tmp_path)


def test_a_good_setup_is_told_with_its_versions(setup: WorkerSetup) -> None:
    # What stands in the folder must not be taken for a module of the interpreter's.
    (setup.chdir / "sqlite3.py").write_text("raise RuntimeError('not yours')")
    found = examine(setup)
    assert found.is_good
    assert found.python == ".".join(str(part) for part in sys.version_info[:3])
    assert found.sqlite.startswith("3.")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'libfoo is missing' >&2; exit 7", "(status 7): libfoo is missing"),
        ("exit 0", "does not answer as a Python"),
        ("echo gigq-examined 3 6 9 3.7", "Python 3.6.9: jobs need 3.8 or newer"),
    ],
)
def test_an_interpreter_that_is_none(setup: WorkerSetup, script: str, sentence: str) -> None:
    fake = setup.chdir / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    found = examine(replace(setup, python=str(fake)))
    assert sentence in found.python_trouble
    assert not found.is_good


def test_what_an_interpreter_leaves_behind_is_neither_waited_for_nor_left(
    setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_setup, "EXAMINATION_TIMEOUT_S", 3.0)
    fake, note = setup.chdir / "python", setup.chdir / "pid"
    fake.write_text(f"#!/bin/sh\nsleep 60 &\necho $! >{note}\necho gigq-examined 3 11 0 3.40\n")
    fake.chmod(0o755)
    assert examine(replace(setup, python=str(fake))).python == "3.11.0"
    left = int(note.read_text())
    wait_until(lambda: process_start(left) is None, what="the end of what it left")


def test_a_home_of_nobody_is_a_sentence(setup: WorkerSetup) -> None:
    found = examine(replace(setup, python="~no-such-user/python", chdir=Path("~no-such-user")))
    assert "no interpreter at" in found.python_trouble
    assert "no folder" in found.folder_trouble


def test_places_that_are_not_there(setup: WorkerSetup) -> None:
    found = examine(replace(setup, python="/no/python", chdir=setup.chdir / "none"))
    assert "no interpreter at /no/python" in found.python_trouble
    assert "no folder" in found.folder_trouble


def test_an_environment_in_which_no_worker_starts(setup: WorkerSetup) -> None:
    (setup.chdir / "click.py").write_text("raise RuntimeError('a click of the project')")
    found = examine(replace(setup, environment=(("PYTHONPATH", "."),)))
    assert "a click of the project" in found.environment_trouble
    assert not found.is_good
    assert examine(replace(setup, environment=(("A", "1"),))).is_good


def test_relative_entries_of_the_path_stay_where_they_were() -> None:
    given = {"PYTHONPATH": os.pathsep.join(["src", "", "/lib"]), "A": "1"}
    assert absolute_python_path(given, Path("/srv")) == {"PYTHONPATH": "/srv/src:/lib", "A": "1"}
    assert absolute_python_path({"A": "1"}, Path("/srv")) == {"A": "1"}
    # To Python, an entry without a name is the current folder: not one that the worker chose.
    assert absolute_python_path({"PYTHONPATH": ":"}, Path("/srv")) == {"PYTHONPATH": ""}


# --- the command that does the same ------------------------------------------------------------


def test_twin_of_a_worker() -> None:
    setup = WorkerSetup("/venv/bin/python", Path("/srv/my project"), 4)
    assert shell_command.for_worker(Path("q.db"), setup) == (
        "gigq-core --db q.db worker --concurrency 4 --python /venv/bin/python "
        "--chdir '/srv/my project'"
    )


def test_twin_of_workers_carries_no_secret() -> None:
    pairs = (("A", "b c"), ("API_KEY", "hunter2"))
    setup = WorkerSetup("python3", Path("/srv"), environment=pairs, grace_s=0.5)
    assert shell_command.for_worker(Path("q.db"), setup, 3) == (
        "for i in $(seq 3); do A='b c' API_KEY='<API_KEY>' gigq-core --db q.db worker "
        "--concurrency 1 --python python3 --chdir /srv --grace 0.5 & done"
    )


def test_twin_of_requests() -> None:
    assert (
        shell_command.for_requests(Path("q.db"), ["w1"], "drain")
        == "gigq-core --db q.db ask w1 drain"
    )
    assert shell_command.for_requests(Path("q.db"), ["w1", "w2"], "drain") == (
        'for w in w1 w2; do gigq-core --db q.db ask "$w" drain; done'
    )


# --- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "present", "change"),
    [("+2", 3, 2), (" 5 ", 3, 2), ("1", 3, -2), ("-1", 3, -1), ("0", 3, -3), ("3", 3, 0)],
)
def test_how_many_are_wanted(text: str, present: int, change: int) -> None:
    assert head_count.change_wanted(text, present) == change


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "4 in all"),
        ("some", "4 in all"),
        ("+-1", "4 in all"),
        ("+", "4 in all"),
        ("1.5", "4 in all"),
        ("\N{SUPERSCRIPT TWO}", "4 in all"),
        ("+65", "Start at most 64"),
        ("9" * 5000, "Start at most 64"),
        ("-4", "There are only 3."),
    ],
)
def test_what_is_no_number_of_workers(text: str, sentence: str) -> None:
    with pytest.raises(GigQError, match=sentence):
        head_count.change_wanted(text, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (1, "start 1 worker with 2 slots: 6 of this console then"),
        (2, "start 2 workers with 2 slots each: 7 of this console then"),
        (0, "nothing to do: 5 workers of this console already"),
        (-1, "drain 1 idle one now: 4 workers then"),
        (-4, "drain 3 idle ones now, then 1 after its job: 1 worker then"),
        (-5, "drain 3 idle ones now, then 2 after their jobs: 0 workers then"),
    ],
)
def test_what_will_happen_is_said(change: int, said: str) -> None:
    assert head_count.intention(change, 2, 5, 3) == said


@pytest.mark.parametrize(
    ("idle", "busy", "said"),
    [
        (["w2"], [], "draining w2"),
        (["w2", "w3"], ["w1"], "draining w2 and w3 and w1 after its job"),
        ([], ["w1"], "draining w1 after its job"),
        ([], [], "this console has no worker left to drain"),
    ],
)
def test_what_happened_is_said(idle: list[str], busy: list[str], said: str) -> None:
    assert head_count.stopping(idle, busy) == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("  ", ()),
        ("env", ("env",)),
        ("env; env", ("env", "env")),
        ("env A=1;dask:tcp://h:8786 ;", ("env A=1", "dask:tcp://h:8786")),
        ("env 'A=1;2' ; env B=\"3;4\"", ("env 'A=1;2'", 'env B="3;4"')),
        ("env A=1\\;2", ("env A=1\\;2",)),
        ("env 'A=\\'; env", ("env 'A=\\'", "env")),
    ],
)
def test_commands_that_lead_elsewhere_stand_apart_by_semicolons(
    text: str, found: tuple[str, ...]
) -> None:
    assert vias.parse(text) == found
    assert vias.parse(vias.text_of(found)) == found


@pytest.mark.parametrize(
    "text", ["env; 'env", " ; ;", "env; no-such-command-here", "dask:", "env \x1b"]
)
def test_one_that_leads_nowhere_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(GigQError, match=r"\.$"):
        vias.parse(text)


def test_the_command_of_a_worker_with_agents_says_nothing_of_this_machine() -> None:
    setup = WorkerSetup("/opt/py", Path("/srv"), 2, via=("ssh gpu1", "env"), remote_chdir="~/a b")
    assert shell_command.for_worker(Path("q.db"), setup) == (
        "gigq-core --db q.db worker --concurrency 2 --via 'ssh gpu1' --via env "
        "--remote-chdir '~/a b'"
    )
    assert examine(setup) == Examined()
