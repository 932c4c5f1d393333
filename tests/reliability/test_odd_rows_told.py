"""A row may hold anything: every command says what it has to say, and ends as it should."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue
from gigq_core.changes.clearing import ClearPlan
from gigq_core.changes.undo import Undo
from gigq_core.cli.main import cli
from gigq_core.schema.ddl import CREATE_JOBS
from tests.commands import all_commands
from tests.hostile import STEERING
from tests.integration.chores import nothing
from tests.reliability.odd_rows import OddRows, loosen

EXIT_CODES = (0, 1, 2)
# These run until somebody ends them.
ENDLESS = {"worker"}
# With these a command runs on, or takes a file that is not there.
ENDLESS_OPTIONS = ("--follow", "-f", "--raw", "--watch")
CALLS = 2
FEW, MANY = 30, 60


def odd_file(folder: Path, seed: int, kind: str, rows: int) -> Path:
    """A queue of odd rows: attached, GigQ's own, or one of which only the jobs are left."""
    path = folder / "jobs.db"
    if kind == "attached":
        queue = JobQueue(path)
        parent = Job("parent", nothing)
        queue.submit_many([parent, Job("child", nothing, dependencies=[parent.id])])
        queue.close()
    else:
        source = Path(__file__).parents[1] / "data" / "gigq-0.5.1.db"
        shutil.copy(source, path)
        if kind == "jobs-only":
            conn = sqlite3.connect(path)
            conn.execute("DROP TABLE job_executions")
            conn.close()
    loosen(path)
    odd = OddRows(path, seed)
    odd.write(rows)
    odd.write(rows, triggers=False)
    return path


def ids_in(path: Path) -> list[Any]:
    conn = sqlite3.connect(path)
    conn.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        return [row[0] for row in conn.execute("SELECT id FROM jobs")]
    finally:
        conn.close()


class Callers:
    """Makes up command lines for any command of the group, from what its parameters say."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.random = random.Random(seed)
        found = [value for value in ids_in(path) if isinstance(value, str) and value]
        self.ids = [value for value in found if "\0" not in value and not value.startswith("-")]

    def words(self, name: str, command: click.Command, as_json: bool) -> list[str]:
        """One way to call the command."""
        words = name.split()
        for param in command.params:
            if isinstance(param, click.Argument):
                words += self.arguments(param)
            elif "--json" in param.opts:
                words += ["--json"] if as_json else []
            elif self.random.random() < 0.5 and param.opts[0] not in ENDLESS_OPTIONS:
                words += self.option(param)
        return words

    def arguments(self, param: click.Argument) -> list[str]:
        if param.name in ("job_id", "job_ids"):
            return self.random.sample(self.ids, 1 if param.nargs == 1 else 6)
        if isinstance(param.type, click.Choice):
            return [self.random.choice(list(param.type.choices))]
        if param.name == "function":
            return ["tests.integration.chores.nothing"]
        return ["steady"] if param.required else []

    def option(self, param: click.Parameter) -> list[str]:
        assert isinstance(param, click.Option)
        if param.is_flag:
            return [param.opts[0]]
        if isinstance(param.type, click.Choice):
            return [param.opts[0], self.random.choice(list(param.type.choices))]
        if isinstance(param.type, (click.types.IntParamType, click.types.FloatParamType)):
            return [param.opts[0], self.random.choice(["1", "2", "100"])]
        return []


def said(path: Path, words: list[str]) -> str:
    """What a command says; it ends with a documented code, and says nothing that steers."""
    answer = CliRunner().invoke(cli, ["--db", str(path), *words])
    problem = answer.exception
    if problem is not None and not isinstance(problem, SystemExit):
        raise AssertionError(f"{words!r}") from problem
    assert answer.exit_code in EXIT_CODES, (words, answer.output)
    text = answer.output
    assert not STEERING.findall(re.sub(r"[\n\t]", "", text)), words
    return text


def every_command_tells(folder: Path, seed: int, kind: str, rows: int = FEW) -> None:
    path = odd_file(folder, seed, kind, rows)
    callers = Callers(path, seed)
    for name, command in all_commands().items():
        for number in range(CALLS * 2):
            if name in ENDLESS:
                continue
            words = callers.words(name, command, as_json=number % 2 == 1)
            text = said(path, words)
            if "--json" in words and text.startswith(("{", "[")):
                json.JSONDecoder().raw_decode(text)
    for job_id in callers.ids:
        said(path, ["status", "--show-params", "--show-result", "--show-executions", job_id])
        said(path, ["logs", job_id])
        said(path, ["tree", "--all", job_id])
    said(path, ["list", "--limit", "100000"])
    said(path, ["list", "--limit", "100000", "--json"])


KINDS = ("attached", "gigq", "jobs-only")


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_tells_of_rows_of_any_content(tmp_path: Path, kind: str) -> None:
    every_command_tells(tmp_path, 1, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 130))
def test_every_command_tells_of_rows_of_any_content_long(
    tmp_path: Path, kind: str, seed: int
) -> None:
    every_command_tells(tmp_path, seed, kind, MANY)


def the_interface_answers(folder: Path, seed: int, kind: str, rows: int = FEW) -> None:
    queue = JobQueue(odd_file(folder, seed, kind, rows))
    ids = ids_in(Path(queue.db_path))
    queue.stats()
    queue.list_jobs(limit=100_000)
    queue.is_paused()
    for job_id in ids:
        if isinstance(job_id, str):
            queue.get_status(job_id)
            try:
                queue.get_result(job_id)
            except KeyError:
                assert "\ufffd" in job_id or "\0" in job_id
    texts = [job_id for job_id in ids if isinstance(job_id, str)]
    assert isinstance(queue.plan_clear(texts), ClearPlan)
    third = len(texts) // 3
    undo = Undo()
    queue.cancel_jobs(texts[:third], undo)
    queue.requeue_jobs(texts[third:], undo)
    queue.change_priority(texts, 1, undo)
    queue.release_jobs(texts)
    queue.clear_jobs(texts, include_needed=True, undo=undo)
    queue.restore_jobs(undo)
    queue.clear_completed()
    queue.cancel_jobs(["\udcff", "\ud800", "\0", ""])
    assert queue.get_status("\udcff") == {"exists": False}
    queue.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_interface_answers_whatever_rows_hold(tmp_path: Path, kind: str) -> None:
    the_interface_answers(tmp_path, 2, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 130))
def test_the_interface_answers_whatever_rows_hold_long(
    tmp_path: Path, kind: str, seed: int
) -> None:
    the_interface_answers(tmp_path, seed, kind, MANY)


def test_looking_at_a_file_of_jobs_alone_does_not_change_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    conn = sqlite3.connect(path)
    conn.execute(CREATE_JOBS)
    conn.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, status, created_at,"
        " updated_at) VALUES ('a', 'a', 'f', 'm', 'pending', '2026-01-01', '2026-01-01')"
    )
    conn.commit()
    conn.close()
    before = path.read_bytes()
    for words in (["list"], ["status", "a"], ["stats"], ["doctor"], ["workers"], ["logs", "a"]):
        said(path, words)
    assert path.read_bytes() == before
