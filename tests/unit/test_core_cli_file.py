"""Which file `gigq-core` works on, for every command there is: named where, and never made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from tests.commands import all_commands

ALL = all_commands()
COMMANDS = sorted(ALL)
# It is about the shell: no file is asked for anything.
WITHOUT_A_FILE = "completion"
OF_A_FILE = [name for name in COMMANDS if name not in ("submit", WITHOUT_A_FILE)]
# What a command can't be called without, beside its arguments.
FUNCTION = "gigq_core.post_json"
MORE = {
    "hook add": ["-p", "url=http://localhost"],
    "schedule add": ["-p", "url=http://localhost"],
    "count": ["--by", "fn"],
    "priority": ["--set", "1"],
    "worker": ["--once"],
    "export": ["--jsonl"],
}
SUBMIT = ["submit", "json.dumps", "-p", "obj=1"]


def words_for(name: str, job_id: str = "abcd1234") -> list[str]:
    """A call of the command that is right but for the file."""
    if name == "submit":
        return SUBMIT
    words = name.split()
    for param in ALL[name].params:
        if isinstance(param, click.Argument) and param.name == "function":
            words.append(FUNCTION)
        elif isinstance(param, click.Argument) and param.name == "when":
            words.append("@daily")
        elif isinstance(param, click.Argument) and param.name != "file":
            choices = getattr(param.type, "choices", None)
            words.append(str(choices[0]) if choices else job_id)
    return words + MORE.get(name, [])


def run(*args: str, env: dict[str, str | None] | None = None) -> Result:
    try:
        runner = CliRunner(mix_stderr=False)  # type: ignore[call-arg, unused-ignore]
    except TypeError:
        runner = CliRunner()
    return runner.invoke(cli, list(args), env=env)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GIGQ_DB", raising=False)
    return tmp_path


@pytest.mark.parametrize("where", ["default", "before", "after", "environment"])
@pytest.mark.parametrize("name", OF_A_FILE)
def test_no_command_but_submit_makes_anything_where_there_is_no_file(
    folder: Path, name: str, where: str
) -> None:
    words = words_for(name)
    before = ["--db", "q.db"] if where == "before" else []
    after = ["--db", "q.db"] if where == "after" else []
    env: dict[str, str | None] = {"GIGQ_DB": "q.db" if where == "environment" else None}
    result = run(*before, *words, *after, env=env)
    assert result.exit_code == 2
    assert ("gigq.db" if where == "default" else "q.db") in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_the_command_without_a_file_makes_none(folder: Path) -> None:
    result = run("--db", "q.db", *words_for(WITHOUT_A_FILE))
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", OF_A_FILE)
def test_no_command_but_submit_takes_an_empty_file_for_a_new_queue(folder: Path, name: str) -> None:
    (folder / "gigq.db").touch()
    result = run(*words_for(name), env={"GIGQ_DB": None})
    assert result.exit_code == 2
    assert (folder / "gigq.db").stat().st_size == 0


@pytest.mark.parametrize("form", [[], ["--db", "other.db"], ["--json"]])
def test_submit_says_which_file_it_made_and_only_then(folder: Path, form: list[str]) -> None:
    made = folder / ("other.db" if "--db" in form else "gigq.db")
    first = run(*SUBMIT, *form)
    assert first.exit_code == 0
    assert first.stderr == f"Created the queue file {made}.\n"
    if "--json" in form:
        assert set(json.loads(first.stdout)) == {"id"}
    second = run(*SUBMIT, *form)
    assert second.exit_code == 0
    assert second.stderr == ""
    assert JobQueue(made).stats()["total"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "no.such.function"],
        ["submit", "json.dumps", "--timeout", "0"],
        ["submit", "json.dumps", "--depends-on", "1234"],
        ["submit", "json.dumps", "--jsonl", "missing.jsonl"],
    ],
    ids=lambda words: words[-1],
)
def test_a_submission_that_is_refused_makes_no_file(folder: Path, words: list[str]) -> None:
    assert run(*words).exit_code != 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_its_file_behind_it_as_before_it(folder: Path, name: str) -> None:
    answers = []
    for place in ("before", "after", "both"):
        (folder / place).mkdir()
        db = str(folder / place / "jobs.db")
        queue = JobQueue(db)
        job = Job("one", "json.dumps", {"obj": 1})
        job.id = "abcd1234-0000-4000-8000-000000000000"
        job.created_at = "2026-01-01T00:00:00"
        queue.submit(job)
        queue.close()
        words = words_for(name)
        if place == "before":
            result = run("--db", db, *words)
        elif place == "after":
            result = run(*words, "--db", db)
        else:
            result = run("--db", "missing.db", words[0], "--db", db, *words[1:])
        answers.append((result.exit_code, len(result.output.splitlines())))
        assert "no file" not in result.output
    assert answers[0] == answers[1] == answers[2]
    assert {path.name for path in folder.iterdir()} == {"before", "after", "both"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_names_the_option(name: str) -> None:
    result = run(*name.split(), "--help")
    assert "--db FILE" in result.stdout


def test_the_file_behind_the_command_comes_over_the_environment(folder: Path) -> None:
    JobQueue(folder / "named.db").close()
    env: dict[str, str | None] = {"GIGQ_DB": "missing.db"}
    assert run("stats", "--db", "named.db", env=env).exit_code == 0


def test_a_command_as_a_timer_starts_it_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "GIGQ_DB"}
    for words in (["requeue", "abcd1234"], ["worker", "--once"], ["stats"]):
        command = [sys.executable, "-m", "gigq_core", *words]
        answer = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert answer.returncode == 2
        assert "gigq.db" in answer.stderr
    assert list(tmp_path.iterdir()) == []
