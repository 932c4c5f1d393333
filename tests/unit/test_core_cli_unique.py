"""Unique jobs on the command line: what is told where another job holds the key."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue, Unique
from gigq_core.cli.main import cli

DUMP = ("submit", "json.dumps", "-p", "obj=1")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


def run(db: Path, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), *words], input=stdin)


def submitted(db: Path, *words: str) -> str:
    result = run(db, *DUMP, *words)
    assert (result.exit_code, result.stdout[:15]) == (0, "Job submitted: "), result.output
    return result.stdout.split()[-1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pending", "Already waiting: "),
        ("running", "Already running: "),
        ("completed", "Already completed: "),
        ("failed", "Already failed: "),
        ("timeout", "Already timed out: "),
        ("cancelled", "Already cancelled: "),
        (None, "Already submitted and deleted: "),
    ],
)
def test_the_job_that_is_there_is_told_with_its_state(
    db: Path, status: str | None, words: str
) -> None:
    first = submitted(db, "--unique", "--unique-until", "forever")
    conn = sqlite3.connect(db, isolation_level=None)
    if status is None:
        conn.execute("DELETE FROM jobs")
    else:
        conn.execute("UPDATE jobs SET status = ?", (status,))
    conn.close()
    result = run(db, *DUMP, "--unique")
    assert (result.exit_code, result.stdout) == (0, f"{words}{first}\n")
    told = json.loads(run(db, *DUMP, "--unique", "--json").stdout)
    assert told == {"id": first, "duplicate": True}


def test_json_says_whether_it_is_another_one(db: Path) -> None:
    first = json.loads(run(db, *DUMP, "--unique", "k", "--json").stdout)
    assert first["duplicate"] is False
    assert json.loads(run(db, *DUMP, "--unique", "k", "--json").stdout) == {
        "id": first["id"],
        "duplicate": True,
    }
    assert list(json.loads(run(db, *DUMP, "--json").stdout)) == ["id"]


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (("--unique",), Unique()),
        (("--unique", "k"), Unique("k")),
        (("--unique=k 'x'",), Unique("k 'x'")),
        (("--unique", "k", "--unique-until", "started"), Unique("k", until="started")),
        (("--unique", "k", "--unique-within", "90m"), Unique("k", within=5_400)),
        (("--unique", "--unique-within", "90", "--name", "x"), Unique(within=90)),
    ],
)
def test_the_options_say_what_unique_says(db: Path, words: tuple[str, ...], wish: Unique) -> None:
    job_id = submitted(db, *words)
    queue = JobQueue(db)
    told = queue.get_status(job_id)["unique"]
    twin = Job("n", "json.dumps", {"obj": 1}, unique=wish)
    assert queue.submit(twin) == job_id
    assert (told["until"], told["within"]) == (wish.until, wish.within)


def test_error_ends_with_1_and_a_sentence(db: Path) -> None:
    first = submitted(db, "--unique", "k")
    result = run(db, *DUMP, "--unique", "k", "--on-duplicate", "error", "--name", "second")
    assert result.exit_code == 1
    said = f"Error: 'second' was not submitted: a job with the same key waits: {first[:4]}.\n"
    assert (result.stdout, result.stderr) == ("", said)


def test_replace_submits_and_the_other_one_is_cancelled(db: Path) -> None:
    first = submitted(db, "--unique", "k")
    second = submitted(db, "--unique", "k", "--on-duplicate", "replace")
    assert JobQueue(db).get_status(first)["error"] == f"replaced by dumps ({second[:4]}…)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on-duplicate", "again"), "give --unique too"),
        (("--unique-until", "started"), "give --unique too"),
        (("--unique-within", "1h"), "give --unique too"),
        (("--unique", ""), "empty key"),
        (("--unique", "k" * 1_001), "1,001 characters"),
        (("--unique", "k", "--unique-within", "0"), "more than 0"),
        (("--unique", "k", "--unique-within", "1h", "--unique-until", "forever"), "give one"),
        (("--unique", "k", "--unique-within", "soon"), "90s"),
        (("--unique", "k", "--unique-until", "ever"), "'ever' is not one of"),
        (("--unique", "k", "--on-duplicate", "skip"), "'skip' is not one of"),
    ],
)
def test_what_can_not_be_is_refused(db: Path, words: tuple[str, ...], said: str) -> None:
    result = run(db, *DUMP, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not db.exists()


def test_lines_say_it_as_a_job_does(db: Path) -> None:
    lines = [
        {"params": {"obj": 1}, "unique": True},
        {"params": {"obj": 2}, "unique": "k"},
        {"params": {"obj": 3}, "unique": {"key": "k", "conflict": "replace"}},
        {"params": {"obj": 1}, "unique": {"within": "1h"}},
        {"obj": 4},
        {"params": {"obj": 5}, "unique": False},
    ]
    stdin = "\n".join(map(json.dumps, lines))
    result = run(db, "submit", "json.dumps", "--jsonl", "-", "--json", stdin=stdin)
    told = json.loads(result.stdout)
    ids = told["ids"]
    assert (ids[0] == ids[3], ids[1] == ids[2], told["duplicates"]) == (True, True, 2)
    assert len(set(ids)) == 4
    assert JobQueue(db).get_status(ids[1])["params"] == {"obj": 3}
    # What holds for every line is the option's.
    words = ("submit", "json.dumps", "--unique", "--jsonl", "-")
    result = run(db, *words, stdin='{"obj": 1}\n{"obj": 9}\n{"obj": 9}\n{"obj": 4}')
    assert result.stdout.startswith("2 jobs submitted, the first: ")
    assert result.stdout.endswith("; 2 not, since others hold their keys\n")
    result = run(db, *words, stdin='{"obj": 1}\n{"obj": 9}')
    assert result.stdout == "Nothing was submitted: others hold the keys of all these jobs.\n"
    wrong = run(db, *words, stdin='{"params": {"obj": 1}, "unique": {"kay": 1}}\n{"unique": 3}')
    assert wrong.exit_code == 1
    assert "line 1: unique has 'kay', which it does not know" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), "k"),
        (("--unique-until", "started"), "k, until it has started"),
        (("--unique-until", "forever"), "k, for ever"),
        (("--unique-within", "1h30m"), "k, for 1h30m at least"),
    ],
)
def test_the_status_tells_the_key(db: Path, words: tuple[str, ...], shown: str) -> None:
    job_id = submitted(db, "--unique", "k", *words)
    assert f"\nUnique key: {shown}\n" in run(db, "status", job_id).stdout


def test_the_doctor_names_keys_that_two_jobs_hold(db: Path) -> None:
    submitted(db, "--unique", "k")
    submitted(db, "--unique", "m")
    assert "held by two jobs" not in run(db, "doctor").output
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute("UPDATE jobs SET unique_key = 'k'")
    conn.close()
    assert "1 key of a unique job is held by two jobs at once" in run(db, "doctor").output
