"""`gigq-core priority`, `clear` and lists of ids: what they do, say, and end with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gigq_core import JobQueue
from gigq_core.cli.main import cli
from tests.store_files import GIGQ_FILES, digest, gigq_copy
from tests.unit.test_core_cli import add, attempt, db, end, one_sentence, run, runner

__all__ = ["db"]


def test_priority_sets_and_moves(db: Path) -> None:
    first, second = add(db), add(db, priority=3)
    result = run(db, "priority", first[:8], second, "--by", "-2")
    assert result.stdout.splitlines() == [
        f"Job {first} has priority -2, was 0.",
        f"Job {second} has priority 1, was 3.",
    ]
    told = json.loads(run(db, "priority", first, "--set", "9", "--json").stdout)
    assert told == [
        {
            "id": first,
            "name": "n",
            "change": "reprioritized",
            "done": True,
            "reason": "priority 9, was -2",
        }
    ]
    assert JobQueue(db).get_status(first)["priority"] == 9


@pytest.mark.parametrize(
    "options", [[], ["--set", "1", "--by", "1"], ["--set", "x"], ["--by", str(2**64)]]
)
def test_priority_asked_for_wrongly(db: Path, options: list[str]) -> None:
    assert run(db, "priority", add(db), *options).exit_code == 2


def test_priority_of_what_no_longer_waits_is_refused(db: Path) -> None:
    job_id = add(db)
    end(db, job_id, "completed")
    result = run(db, "priority", job_id, "--set", "1")
    assert result.exit_code == 1
    assert "it has already completed" in one_sentence(result)


@pytest.mark.parametrize("verb", [["cancel"], ["priority", "--by", "1"]])
def test_ids_come_from_stdin_or_a_file(db: Path, tmp_path: Path, verb: list[str]) -> None:
    ids = [add(db) for _ in range(3)]
    command = ["--db", str(db), verb[0], *verb[1:], "--json", "--ids-from"]
    piped = runner().invoke(cli, [*command, "-", ids[0]], input=f"{ids[1]}\n\n {ids[2]} \n")
    assert [o["id"] for o in json.loads(piped.stdout)] == ids
    names = tmp_path / "ids"
    names.write_text(f"{ids[0]}\nno-such-job\n")
    filed = runner().invoke(cli, [*command, str(names)])
    assert filed.exit_code == 1
    assert json.loads(filed.stdout)[1]["reason"].startswith("Job no-such-job not found")


def test_no_id_at_all_is_wrong_usage_but_an_empty_list_is_not(db: Path) -> None:
    add(db)
    assert run(db, "cancel").exit_code == 2
    empty = runner().invoke(cli, ["--db", str(db), "cancel", "--ids-from", "-"], input="")
    assert (empty.exit_code, empty.stdout) == (0, "")
    cleared = runner().invoke(cli, ["--db", str(db), "clear", "--ids-from", "-"], input="")
    assert cleared.stdout == "Cleared 0 jobs.\n"


def test_a_dry_run_says_what_would_go_and_what_is_needed(db: Path) -> None:
    done, read, cancelled, failed = (add(db, name) for name in ("done", "read", "c", "f"))
    add(db, "child", dependencies=[read])
    end(db, done, "completed")
    end(db, read, "completed")
    end(db, cancelled, "cancelled")
    end(db, failed, "failed")
    attempt(db, done, 1, "output\n")
    said = run(db, "clear", "--dry-run").stdout.splitlines()
    assert said == [
        "Would clear 2 jobs: 1 completed, 1 cancelled.",
        "Their 1 attempt and 1 file of output would be deleted 30 days later.",
        "Kept because other jobs need them (--needed deletes them too): 1 job.",
        f"  {read} (read): 1 job that waits may read its result",
    ]
    assert JobQueue(db).stats()["total"] == 5
    told = json.loads(run(db, "clear", "--status", "failed", "--json").stdout)
    assert (told["cleared"], told["by_status"]) == (1, {"failed": 1})
    assert run(db, "clear").stdout.startswith("Cleared 2 jobs: ")
    assert run(db, "clear", "--needed").stdout == "Cleared 1 job: 1 completed.\n"


def test_named_jobs_that_cannot_go_are_refused(db: Path) -> None:
    waits, read, old = add(db), add(db), add(db)
    add(db, "child", dependencies=[read])
    end(db, read, "completed")
    end(db, old, "failed", completed_at="2020-01-01")
    result = run(db, "clear", waits, read, old, "no-such-job", "--before", "9")
    assert result.exit_code == 1
    assert result.stdout.startswith("Cleared 1 job: 1 failed.")
    assert f"Could not clear job {waits}: it is still waiting." in result.stderr
    assert "Job no-such-job not found" in result.stderr
    assert JobQueue(db).stats()["total"] == 3


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_a_dry_run_leaves_gigqs_file_alone(tmp_path: Path, name: str) -> None:
    path = gigq_copy(tmp_path, name)
    before = digest(path)
    result = run(path, "clear", "--dry-run", "--status", "completed", "--status", "failed")
    assert (result.exit_code, digest(path)) == (0, before)
    assert result.stdout.startswith("Would clear ")
