"""`gigq-core submit` of many jobs: copies, and the lines of a file or of stdin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gigq_core import JobQueue
from gigq_core.cli.main import cli

LINES = '{"src": "a"}\n{"params": {"src": "b"}, "name": "special", "priority": 9}\n'


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop_of_lines.py").write_text("def resize(src, w=1, parent_results=None): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "jobs.db"


def run(db: Path, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), "submit", *words], input=stdin)


def test_a_line_is_a_job(db: Path) -> None:
    Path("jobs.jsonl").write_text(LINES)
    words = ("shop_of_lines.resize", "--jsonl", "jobs.jsonl", "-p", "w=7", "--on-crash", "fail")
    result = run(db, *words, "--no-parent-results", "--json")
    assert result.exit_code == 0, result.output
    queue = JobQueue(db)
    first, second = (queue.get_status(id) for id in json.loads(result.stdout)["ids"])
    assert (first["name"], first["params"]) == ("resize", {"src": "a", "w": 7})
    assert (second["name"], second["params"], second["priority"]) == (
        "special",
        {"src": "b", "w": 7},
        9,
    )
    assert first["on_crash"] == second["on_crash"] == "fail"
    assert first["pass_parent_results"] == 0


def test_stdin_is_a_file_too(db: Path) -> None:
    result = run(db, "shop_of_lines.resize", "--jsonl", "-", stdin=LINES)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 jobs submitted, the first: ")
    assert JobQueue(db).stats()["total"] == 2


def test_one_line_is_one_job(db: Path) -> None:
    result = run(db, "shop_of_lines.resize", "--jsonl", "-", stdin='{"src": "a"}')
    assert result.stdout.startswith("1 job submitted, the first: ")


def test_a_wrong_line_writes_nothing(db: Path) -> None:
    result = run(
        db,
        "shop_of_lines.resize",
        "--jsonl",
        "-",
        stdin=LINES + '{"w": 1}\n{"src": 1, "\\u001b[2J": 2}\n{',
    )
    assert result.exit_code == 1
    assert "line 3: shop_of_lines.resize needs a value for src." in result.stderr
    assert "line 4: shop_of_lines.resize has no parameter \\x1b[2J: it takes" in result.stderr
    assert "line 5: not JSON" in result.stderr
    assert result.stderr.endswith("Error: Nothing was submitted.\n")
    assert "\x1b" not in result.stderr
    assert not db.exists()


def test_what_can_not_be_read_is_refused(db: Path) -> None:
    result = run(db, "shop_of_lines.resize", "--jsonl", "nowhere.jsonl")
    assert result.exit_code == 1
    assert "There is no file nowhere.jsonl" in result.stderr
    assert not db.exists()


def test_copies(db: Path) -> None:
    result = run(db, "shop_of_lines.resize", "-p", "src=a", "--copies", "3", "--json")
    assert len(set(json.loads(result.stdout)["ids"])) == 3
    assert JobQueue(db).stats()["total"] == 3
    for words in (("--copies", "0"), ("--copies", "2", "--jsonl", "-")):
        assert run(db, "shop_of_lines.resize", *words).exit_code == 2
