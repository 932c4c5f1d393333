"""The `gigq-tui` command without its screen: refusals in one sentence, `--once`, `--create`."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests import scene

REFUSED = 2


def run(
    *words: str | Path, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the console as a person would; nothing it is connected to is a terminal."""
    environment = {**os.environ, **env}
    return subprocess.run(
        [sys.executable, "-m", "gigq_tui", *map(str, words)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sentence_of(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal prints, and nothing besides."""
    assert answer.returncode == REFUSED, answer
    assert answer.stdout == ""
    lines = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    assert lines[0].startswith("gigq-tui: ")
    return lines[0]


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def queue_file(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    scene.build(path)
    return path


# --- files that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--once",), ("--once", "--json"), ("--read-only",)])
def test_a_typing_error_makes_no_file(tmp_path: Path, options: tuple[str, ...]) -> None:
    answer = run(tmp_path / "jbos.db", *options)
    assert "There is no file" in sentence_of(answer)
    assert "--create" in answer.stderr
    assert listing(tmp_path) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in sentence_of(run(tmp_path))


def test_a_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no database " * 100)
    assert "is not an SQLite file" in sentence_of(run(path, "--once"))
    assert listing(tmp_path) == ["notes.txt"]


def test_an_empty_file_is_refused_and_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    sentence_of(run(path, "--once"))
    assert path.stat().st_size == 0


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "music.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (id)")
    connection.close()
    before = path.read_bytes()
    assert "not a job queue" in sentence_of(run(path))
    assert path.read_bytes() == before


def test_a_locked_file_is_told(queue_file: Path, locked: sqlite3.Connection) -> None:
    assert "locked by another process" in sentence_of(run(queue_file, "--once"))


@pytest.fixture
def locked(queue_file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(queue_file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    yield connection
    connection.execute("ROLLBACK")
    connection.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(queue_file: Path) -> None:
    queue_file.chmod(0)
    assert "may not be read" in sentence_of(run(queue_file, "--once"))


def test_a_name_that_could_steer_the_terminal_is_shown_inert(tmp_path: Path) -> None:
    answer = run(tmp_path / "\x1b[31mred.db", "--once")
    assert "\x1b" not in sentence_of(answer)


# --- wrong usage -------------------------------------------------------------------------------


def test_no_file_says_what_to_name() -> None:
    assert "GIGQ_DB" in sentence_of(run(GIGQ_DB=""))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x.db", "--json"), "--json needs --once"),
        (("x.db", "--filter", "a |"), "--filter, at character 3"),
        (("x.db", "--tab", "dead"), "no tab 'dead'"),
        (("x.db", "--open", "wrokers"), "write workers"),
        (("x.db", "--open", "tree"), "tree:ID"),
        (("x.db", "--open", "overview:soon"), "write one like 5m"),
        (("x.db", "--open", "workers", "--once"), "--once shows none"),
        (("x.db", "--tab", "done", "--sort", "claim"), "the done tab can be sorted by submitted"),
        (("--demo", "--tab", "done"), "leave --tab out"),
        (("x.db", "--limit", "3"), "--limit needs --once"),
        (("x.db", "--sort", "size"), "no order 'size'"),
        (("x.db", "--once", "--sort", "size"), "no order 'size'"),
        (("x.db", "--demo-dir", "d"), "--demo-dir needs --demo"),
        (("x.db", "--demo"), "leave FILE out"),
        (("--demo", "--once"), "leave --once out"),
        (("--demo", "--read-only"), "leave --read-only or --read-write out"),
        (("x.db", "--create", "--read-only"), "choose one"),
        (("x.db", "--limit", "-1", "--once"), "--limit"),
        (("x.db", "--theme", "pink"), "pink"),
        (("x.db", "y.db"), "y.db"),
        (("x.db", "--nonsense"), "--nonsense"),
    ],
)
def test_options_that_make_no_sense_together(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    answer = run(*words, cwd=tmp_path)
    assert answer.returncode == REFUSED
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--python", "no-such-python", "no program no-such-python"),
        ("--python", "/no/such/python", "no interpreter at /no/such/python"),
        ("--chdir", "/no/such/folder", "no folder /no/such/folder"),
    ],
)
def test_interpreter_and_folder_are_checked(
    queue_file: Path, option: str, value: str, said: str
) -> None:
    assert said in sentence_of(run(queue_file, option, value))


def test_the_screen_needs_a_terminal(queue_file: Path) -> None:
    assert "--once" in sentence_of(run(queue_file))


def test_the_demo_needs_a_terminal_and_makes_nothing_without(tmp_path: Path) -> None:
    sentence_of(run("--demo", TMPDIR=str(tmp_path)))
    assert listing(tmp_path) == []


def test_a_mistake_in_the_filter_is_told_with_its_place(queue_file: Path) -> None:
    answer = run(queue_file, "--once", "--filter", "fn:a nonsense:3")
    assert "--filter, at character 6" in sentence_of(answer)


# --- once --------------------------------------------------------------------------------------


def test_once_prints_a_table_for_people(queue_file: Path) -> None:
    answer = run(queue_file, "--once")
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert lines[0].startswith(str(queue_file))
    assert "completed 25" in lines[1]
    assert "failed 4" in lines[1]
    head = next(line for line in lines if line.startswith("ID "))
    assert head.split() == [
        "ID",
        "NAME",
        "STATE",
        "PRI",
        "ATT",
        "AGE",
        "DUR",
        "WORKER",
        "WHY",
        "/",
        "LAST",
        "ERROR",
    ]
    assert lines[-1].startswith("and ")


def test_once_is_plain_text_whatever_the_jobs_hold(queue_file: Path) -> None:
    answer = run(queue_file, "--once", "--limit", "1000")
    assert "[b]loud[/b]" in answer.stdout
    assert all(char.isprintable() for char in answer.stdout.replace("\n", ""))


def test_once_with_a_filter_and_a_limit(queue_file: Path) -> None:
    answer = run(queue_file, "--once", "--json", "--filter", "state:failed", "--limit", "2")
    picture = json.loads(answer.stdout)
    assert picture["matched"] == 4
    assert [job["state"] for job in picture["jobs"]] == ["failed", "failed"]
    assert picture["filter"] == "state:failed"
    assert json.loads(run(queue_file, "--once", "--json", "--limit", "0").stdout)["jobs"] == []


def test_once_as_json_keeps_its_keys(queue_file: Path) -> None:
    picture = json.loads(run(queue_file, "--once", "--json", "--limit", "1000").stdout)
    assert picture["format"] == 1
    assert set(picture) == {
        "format",
        "taken_at",
        "file",
        "paused",
        "counts",
        "filter",
        "sort",
        "matched",
        "jobs",
        "workers",
        "foreign_workers",
    }
    assert set(picture["file"]) == {
        "path",
        "label",
        "attached",
        "journal_mode",
        "size",
        "wal_size",
        "sqlite_version",
        "utc_offsets",
    }
    counts = picture["counts"]
    assert (counts["completed"], counts["pending"], counts["total"]) == (25, 38, 75)
    assert counts["pending"] == counts["ready"] + counts["blocked"] + counts["delayed"]
    assert len(picture["jobs"]) == picture["matched"] == counts["total"]
    assert set(picture["jobs"][0]) == {
        "id",
        "batch",
        "lane",
        "schedule",
        "host",
        "name",
        "function",
        "status",
        "state",
        "why",
        "priority",
        "attempts",
        "max_attempts",
        "timeout_s",
        "created_at",
        "started_at",
        "completed_at",
        "due_at",
        "worker_id",
        "error",
        "progress",
    }
    failed = next(job for job in picture["jobs"] if job["id"] == scene.job_id("dedupe_customers"))
    assert failed["why"] == failed["error"] == "HTTP 500 from host 3 (request 81723)"
    assert {worker["id"] for worker in picture["workers"]} >= {"w1", "w9"}
    assert [worker["id"] for worker in picture["foreign_workers"]] == ["worker-5f2c"]


@pytest.mark.parametrize("name", ["gigq-0.1.0.db", "gigq-0.5.1.db"])
def test_looking_at_gigqs_own_file_changes_nothing(
    tmp_path: Path, data_folder: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes((data_folder / name).read_bytes())
    before = path.read_bytes()
    for options in (("--once",), ("--once", "--json"), ("--once", "--read-only")):
        answer = run(path, *options)
        assert (answer.returncode, answer.stderr) == (0, "")
    assert "not changed" in run(path, "--once").stdout
    assert path.read_bytes() == before


def test_the_file_may_come_from_the_environment(queue_file: Path) -> None:
    assert run("--once", GIGQ_DB=str(queue_file)).returncode == 0


def test_create_makes_a_queue_and_leaves_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    assert "no jobs" in run(path, "--create", "--once").stdout
    queue = JobQueue(path)
    queue.submit(Job("x", FunctionReference("json", "dumps")))
    queue.close()
    answer = run(path, "--create", "--once", "--json")
    assert json.loads(answer.stdout)["counts"]["total"] == 1


def test_create_fills_an_empty_file_and_refuses_any_other(tmp_path: Path) -> None:
    empty, notes = tmp_path / "empty.db", tmp_path / "notes.txt"
    empty.touch()
    notes.write_text("no database " * 100)
    assert run(empty, "--create", "--once").returncode == 0
    assert "not an SQLite file" in sentence_of(run(notes, "--create", "--once"))


def test_create_does_not_make_folders(tmp_path: Path) -> None:
    sentence_of(run(tmp_path / "no" / "new.db", "--create", "--once"))
    assert listing(tmp_path) == []


def test_a_reader_that_goes_away_is_no_error(queue_file: Path) -> None:
    words = [sys.executable, "-m", "gigq_tui", str(queue_file), "--once", "--json"]
    command = f"{shlex.join(words)} --limit 1000 | head -c 1"
    answer = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert (answer.stdout, answer.stderr) == ("{", "")


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("gigq-tui, version ")
    answer = run("--help")
    assert answer.returncode == 0
    for option in ("--demo", "--create", "--read-only", "--once", "--python", "--chdir"):
        assert option in answer.stdout
