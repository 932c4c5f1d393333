"""`gigq-core hook`: hooks from the command line, for people and for scripts."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import click
import pytest

from gigq_core import Job, JobQueue
from gigq_core.cli.completion import complete_hook
from gigq_core.cli.settings import Settings
from tests.store_files import DATA, digest, gigq_copy
from tests.unit.test_core_cli import run

HEAR = ["tests.integration.hearing.hear", "-p", "path=x"]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "q.db"
    JobQueue(path).close()
    return path


def said(db: Path, *words: str) -> str:
    result = run(db, "hook", *words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def printed(db: Path, *words: str) -> Any:
    return json.loads(said(db, *words, "--json"))


def refused(db: Path, *words: str, code: int = 2) -> str:
    result = run(db, "hook", *words)
    assert result.exit_code == code, result.output
    return result.stderr


def fail(db: Path, n: int = 1) -> None:
    queue = JobQueue(db)
    ids = queue.submit_many(Job("bad", "etl.load") for _ in range(n))
    queue.close()
    with sqlite3.connect(db) as conn:
        for id in ids:
            conn.execute("UPDATE jobs SET status = 'failed', error = 'no' WHERE id = ?", (id,))


def test_a_hook_is_added_shown_and_listed(db: Path) -> None:
    options = ["--match", "fn:etl.*", "--every", "5m", "--name", "pager", "--priority", "100"]
    assert said(db, "add", "failed", *HEAR, *options) == "Hook pager added.\n"
    fail(db, 3)
    hook = printed(db, "show", "pager")
    assert printed(db, "list") == [hook]
    assert hook["function"] == "tests.integration.hearing.hear"
    assert hook["params"] == {"path": "x"}
    assert hook["options"] == {"name": "hear", "priority": 100}
    assert (hook["event"], hook["match"], hook["every"]) == ("failed", "fn:etl.*", 300)
    assert (hook["waiting"], hook["paused_at"], hook["last_job_id"]) == (3, None, "")
    lines = said(db, "list").splitlines()
    assert lines[0] == "NAME   EVENT   MATCH     EVERY  WAITING  NEXT                 LAST  STATUS"
    assert lines[1].split()[:5] == ["pager", "failed", "fn:etl.*", "5m", "3"]
    assert 'Parameters: {"path": "x"}' in said(db, "show", "pager")


def test_what_comes_with_us_is_named_by_its_public_path(db: Path) -> None:
    assert printed(db, "add", "failed", "gigq_core.post_json", "-p", "url=http://a") == {
        "name": "post_json"
    }
    assert printed(db, "show", "post_json")["function"] == "gigq_core.notify.post_json"


def test_a_function_needs_no_defaults_for_what_the_hook_gives_it(db: Path) -> None:
    function = "tests.integration.hearing.hear_needing_it"
    assert said(db, "add", "failed", function, "-p", "path=x", "--name", "h") == "Hook h added.\n"
    hook = printed(db, "show", "h")
    assert (hook["function"], hook["params"]) == (function, {"path": "x"})


def test_where_nobody_is_there_to_tell_it_is_said(db: Path) -> None:
    said(db, "add", "failed", *HEAR, "--name", "h")
    fail(db)
    assert run(db, "hook", "list").stderr == ""
    with sqlite3.connect(db) as conn:
        conn.execute("UPDATE core_agenda SET at = at - 60")
    assert "No worker is running on the file" in run(db, "hook", "list").stderr
    assert run(db, "hook", "list", "--json").stderr == ""


def test_a_hook_is_paused_resumed_tried_out_and_removed(db: Path) -> None:
    said(db, "add", "completed", *HEAR, "--name", "h")
    assert printed(db, "pause", "h") == [{"name": "h", "done": True, "reason": ""}]
    assert said(db, "list").splitlines()[1].endswith("paused")
    assert "Paused:     since" in said(db, "show", "h")
    assert said(db, "resume", "h") == "Hook h resumed.\n"
    tried = printed(db, "test", "h")
    assert "Origin: from hook h\n" in run(db, "status", tried["id"]).stdout
    assert tried == {"name": "h", "id": printed(db, "show", "h")["last_job_id"]}
    assert said(db, "remove", "h") == "Hook h removed.\n"
    assert printed(db, "list") == []
    assert said(db, "list") == "There is no hook: add one with `gigq-core hook add`.\n"


def test_a_hook_whose_job_can_not_be_submitted_any_more_says_so_when_it_is_tried(db: Path) -> None:
    said(db, "add", "failed", *HEAR, "--name", "h")
    with sqlite3.connect(db) as conn:
        conn.execute("UPDATE core_hook_jobs SET definition = '{}'")
    told = refused(db, "test", "h", code=1)
    assert told.startswith("Error: Hook h can't be tried: The job's definition can't be read")
    assert run(db, "list", "--json").stdout == "[]\n"


@pytest.mark.parametrize("command", ["pause", "resume", "remove"])
def test_of_several_hooks_each_is_told(db: Path, command: str) -> None:
    for name in ("a", "b"):
        said(db, "add", "failed", *HEAR, "--name", name)
    result = run(db, "hook", command, "a", "x", "b")
    assert result.exit_code == 1
    assert result.stdout.count("Hook ") == 2
    assert result.stderr == "Hook x: there is no such hook.\n"
    result = run(db, "hook", command, "x", "--json")
    told = [{"name": "x", "done": False, "reason": "there is no such hook"}]
    assert (result.exit_code, json.loads(result.stdout)) == (1, told)


def test_the_names_of_hooks_are_completed(db: Path) -> None:
    for name in ("pager", "paper", "chat"):
        said(db, "add", "failed", *HEAR, "--name", name, "--match", "fn:etl")
    context = click.Context(click.Command("hook"), obj=Settings(db))
    param = click.Argument(["name"])
    found = [(item.value, item.help) for item in complete_hook(context, param, "pa")]
    assert found == [("pager", "failed fn:etl"), ("paper", "failed fn:etl")]


@pytest.mark.parametrize("command", ["show", "test"])
def test_a_hook_that_is_not_there_is_told_of(db: Path, command: str) -> None:
    sentence = "Error: There is no hook x: `gigq-core hook list` shows them.\n"
    assert refused(db, command, "x", code=1) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["failed", *HEAR, "--match", "fun:a"], "match knows no field fun"),
        (["failed", *HEAR, "--every", "often"], "often"),
        (["failed", *HEAR, "--name", " a"], "without spaces around it"),
        (["failed", "tests.integration.hearing.hear"], "needs a value for path"),
        (["failed", "tests.integration.hearing.hear_none", "-p", "path=x"], "jobs and count"),
        (["fails", *HEAR], "'fails' is not one of"),
        (["failed", *HEAR, "--unique"], "No such option"),
    ],
)
def test_what_is_wrong_is_refused_in_one_sentence(
    db: Path, words: list[str], sentence: str
) -> None:
    assert sentence in refused(db, "add", *words)
    assert printed(db, "list") == []


def test_hooks_of_a_file_of_gigqs_own_are_none(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, sorted(DATA.glob("*.db"))[0].name)
    before = digest(path)
    assert printed(path, "list") == []
    assert digest(path) == before


def test_what_is_wrong_with_a_hook_is_its_status(db: Path) -> None:
    said(db, "add", "failed", *HEAR, "--name", "h")
    with sqlite3.connect(db) as conn:
        conn.execute("UPDATE core_hooks SET failures = 3")
    assert said(db, "list").splitlines()[1].endswith("3 of its jobs failed in a row")
    with sqlite3.connect(db) as conn:
        conn.execute("INSERT INTO core_agenda VALUES ('hook:h', 0, 'it can''t be')")
    assert said(db, "list").splitlines()[1].endswith("it can't be")
    assert "Problem:    it can't be" in said(db, "show", "h")
