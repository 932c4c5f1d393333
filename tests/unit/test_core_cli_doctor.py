"""`gigq-core doctor`: its table, its JSON, its exit codes, and that it changes nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.cli.maintain import draw_findings
from gigq_core.inspection.doctor import Finding, Level
from gigq_core.job import FunctionReference
from tests.unit.test_core_cli import run

WORK = FunctionReference("json", "dumps")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    JobQueue(tmp_path / "q.db").submit(Job("n", WORK))
    return tmp_path / "q.db"


def test_a_sound_file_gives_zero_and_a_line_for_each_check(db: Path) -> None:
    result = run(db, "doctor")
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["LEVEL", "CHECK", "FOUND"]
    assert {line.split()[1] for line in lines} >= {"journal_mode", "schema", "counters", "orphans"}
    assert "wrong" not in {line.split()[0] for line in lines}


def test_warnings_alone_give_zero(db: Path) -> None:
    JobQueue(db).submit(Job("waits", WORK, dependencies=["nowhere"]))
    result = run(db, "doctor", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["wrong"] is False
    (finding,) = [f for f in found["findings"] if f["check"] == "missing_parents"]
    assert finding["level"] == "warning"
    assert finding["text"].startswith("1 job is waiting for a parent")


def test_what_is_wrong_gives_one(db: Path) -> None:
    conn = sqlite3.connect(db)
    conn.execute("DROP INDEX core_open")
    conn.close()
    result = run(db, "doctor", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["file"], found["wrong"]) == (str(db), True)
    (finding,) = [f for f in found["findings"] if f["level"] == "wrong"]
    assert finding["check"] == "schema"
    assert "core_open" in finding["text"]
    assert run(db, "doctor").exit_code == 1


def test_the_file_may_be_named_instead_of_db_and_is_left_alone(
    tmp_path: Path, data_folder: Path
) -> None:
    file = Path(shutil.copyfile(data_folder / "gigq-0.1.0.db", tmp_path / "old.db"))
    before = file.read_bytes()
    result = run(tmp_path / "other.db", "doctor", str(file))
    assert result.exit_code == 0
    assert "GigQ's own file" in result.stdout
    assert file.read_bytes() == before


@pytest.mark.parametrize("kind", ["missing", "text"])
def test_what_is_no_queue_gives_two_and_one_sentence(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x.db"
    if kind == "text":
        file.write_text("to do\n" * 200)
    result = run(file, "doctor")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_a_terminal_gets_whole_sentences_and_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = "The name is [bold]a\x1b[31mred[/], " + "and so on " * 20 + "to the end."
    draw_findings([Finding("schema", Level.WRONG, text)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "[bold]a" in shown
    assert "\x1b[31mred" not in shown
    assert shown.endswith("to the end.")
    assert "…" not in shown
