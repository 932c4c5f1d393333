"""Jobs of an export, submitted again: what they bring along, and what is left behind."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue, Unique, Workflow
from gigq_core.cli.main import cli
from gigq_core.job import OPTION_NAMES

LOAD = "shop_to_move.load"
# Each option as it is not by default.
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"name": "special"},
    "priority": {"priority": 7},
    "timeout": {"timeout": 2.5},
    "max_attempts": {"max_attempts": 9},
    "retry_delay": {"retry_delay": 4},
    "dependencies": {"dependencies": ["00000000-0000-4000-8000-000000000000"]},
    "description": {"description": "a note\nin two lines"},
    "on_crash": {"on_crash": "fail"},
    "pass_parent_results": {"pass_parent_results": False},
    "retry": {"retry": [10, 60, 300]},
    "retry_on": {"retry_on": ["OSError", "shop.Odd"]},
    "give_up_on": {"give_up_on": ["ValueError"]},
    "on_timeout": {"on_timeout": "fail"},
    "run_at": {"run_at": "2040-01-31T08:00:00.500+01:00"},
    "run_after": {"run_after": 3600},
    "on_parent_failure": {"on_parent_failure": "run"},
    "batch": {"batch": "b"},
    "stall_timeout": {"stall_timeout": 60},
    "ours": {"ours": True},
    "lane": {"lane": "fetch:h"},
    "unique": {"unique": Unique("key", until="started", within=60)},
    "memory": {"memory": "500M"},
}
# What differs though nothing was lost: when they were submitted.
OWN = ("created", "created_at", "updated_at", "due_in")


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop_to_move.py").write_text("def load(host='h', n=0, parent_results=None): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "jobs.db"


def run(db: Path, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), *words], input=stdin)


def exported(db: Path, *words: str) -> list[dict[str, Any]]:
    result = run(db, "export", "--jsonl", "-", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def moved(db: Path, target: Path, *words: str) -> Result:
    assert run(db, "export", "--jsonl", "moved.jsonl", *words).exit_code == 0
    return run(target, "submit", "--jsonl", "moved.jsonl")


def essence(job: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in job.items() if key not in OWN}
    return {**told, "due": round(job["due"], 3)} if "due" in told else told


@pytest.mark.parametrize("option", OPTION_NAMES)
def test_each_option_comes_along(db: Path, tmp_path: Path, option: str) -> None:
    JobQueue(db).submit(Job(**{"name": "job", "function": LOAD, **OPTIONS[option]}))
    target = tmp_path / "other.db"
    assert moved(db, target).exit_code == 0
    (before,), (after,) = (exported(path)[1:-1] for path in (db, target))
    assert essence(after) == essence(before)
    assert JobQueue(target).get_status(before["id"])["status"] == "pending"


def test_workflows_stay_together_and_what_is_done_stays_behind(db: Path, tmp_path: Path) -> None:
    queue = JobQueue(db)
    flow = Workflow("nightly")
    first, second, third = (Job(name, LOAD, {"n": 3}) for name in ("first", "second", "third"))
    flow.add_job(first)
    flow.add_job(second, depends_on=[first])
    flow.add_job(third, depends_on=[first, second])
    flow.submit_all(queue)
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute("UPDATE jobs SET status = 'running' WHERE name = 'first'")
    conn.execute("UPDATE jobs SET status = 'completed', result = '1' WHERE name = 'first'")
    conn.close()
    target = tmp_path / "other.db"
    result = moved(db, target)
    assert result.exit_code == 0, result.output
    assert "2 jobs go on without parents that had completed" in result.stderr
    assert "Left out, since they don't wait: 1 completed." in result.stderr
    told = {job["name"]: job for job in exported(target)[1:-1]}
    assert told["second"].get("depends_on") is None
    assert told["third"]["depends_on"] == [told["second"]["id"]]
    assert {job["workflow"] for job in told.values()} == {"nightly"}
    assert len({job["workflow_id"] for job in told.values()}) == 1
    # Back again: to the file that still has the parent.
    for name in ("second", "third"):
        assert queue.cancel(told[name]["id"])
    assert queue.clear_jobs([told["third"]["id"], told["second"]["id"]], True)
    result = moved(target, db)
    assert result.exit_code == 0, result.output
    back = {job["name"]: job for job in exported(db, "--status", "pending")[1:-1]}
    assert set(back) == {"second", "third"}


def test_none_comes_twice_and_nothing_is_written_then(db: Path, tmp_path: Path) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job(str(n), LOAD) for n in range(3)])
    target = tmp_path / "other.db"
    assert moved(db, target).exit_code == 0
    queue.submit(Job("new", LOAD))
    again = moved(db, target)
    assert again.exit_code == 1
    assert "3 jobs are in" in again.stderr
    assert JobQueue(target).stats()["total"] == 3


def test_an_export_can_be_split(db: Path, tmp_path: Path) -> None:
    """Each line speaks for itself: a parent may come with a later part."""
    queue = JobQueue(db)
    child = Job("child", LOAD, dependencies=[])
    parent = Job("parent", LOAD)
    child.dependencies = [parent.id]
    queue.submit_many([child, parent])
    assert run(db, "export", "--jsonl", "all.jsonl").exit_code == 0
    target = tmp_path / "other.db"
    for line in Path("all.jsonl").read_text().splitlines()[1:-1]:
        assert run(target, "submit", "--jsonl", "-", stdin=line).exit_code == 0
    told = {job["name"]: job for job in exported(target)[1:-1]}
    assert told["child"]["parents"][0]["status"] == "pending"
    assert told["child"]["blocked"] is True


def line(**changes: Any) -> str:
    job = {"gigq": "job", "status": "pending", "id": "00000000-0000-4000-8000-000000000000"}
    return json.dumps({**job, "name": "n", "function": LOAD, "params": {}, **changes})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (line(function="shop_to_move.gone"), "line 1: Could not import shop_to_move.gone"),
        (line(function="__main__.f"), "line 1: Could not import __main__.f"),
        (line(function="load"), "line 1: 'load' names no function"),
        (line(params={"wrong": 1}), "line 1: shop_to_move.load has no parameter wrong"),
        (line(params=None), "line 1: its params are not a JSON object: write {...}."),
        (line(damaged={"priority": {}}), "line 1: its row was damaged (priority): mend the line"),
        (line(id="7"), 'line 1: its id is "7": give it a UUID.'),
        (line(depends_on=["7"]), 'line 1: depends_on takes whole job ids, not "7".'),
        (line(timeout=-1), "line 1: timeout"),
        (line() + "\n" + line(), "line 2: the job 00000000-0000-4000-8000-000000000000 is there"),
        (line(status="completed"), "No job in it waits"),
        ('{"gigq": "export", "format": 1}\n{"gigq": "end"}', "There is no job in it"),
        ('{"gigq": "job"}', "line 1: it names no function"),
    ],
)
def test_what_can_not_be_submitted_is_told_and_nothing_is_written(
    db: Path, text: str, sentence: str
) -> None:
    result = run(db, "submit", "--jsonl", "-", stdin=text)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert not db.exists()


def test_a_result_of_any_size_does_not_stand_in_the_way(db: Path, tmp_path: Path) -> None:
    text = line(status="completed", result="x" * 2_000_000) + "\n" + line()
    assert run(db, "submit", "--jsonl", "-", stdin=text).exit_code == 0
    assert JobQueue(db).stats()["total"] == 1
