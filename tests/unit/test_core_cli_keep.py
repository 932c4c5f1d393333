"""`gigq-core keep`: what is said, shown and refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.worker.ledger import Ledger

NOTHING = "tests.integration.chores.nothing"
OLD = sorted((Path(__file__).parents[1] / "data").glob("gigq-*.db"))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Of each way to end one job that ended a day ago, and one that ended ten days ago."""
    path = tmp_path / "jobs.db"
    queue = JobQueue(path)
    conn = sqlite3.connect(path, isolation_level=None)
    for days in (1, 10):
        for status in ("completed", "failed", "timeout", "cancelled"):
            job = queue.submit(Job(status, NOTHING))
            conn.execute("UPDATE jobs SET status = ? WHERE id = ?", (status, job))
            ended = time.time() - days * 86_400
            conn.execute("UPDATE jobs SET ended = ? WHERE id = ?", (ended, job))
    conn.close()
    queue.close()
    return path


def keep(db: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), "keep", *words])


def test_without_options_it_shows_what_holds_and_changes_nothing(db: Path) -> None:
    before = db.read_bytes()
    answer = keep(db)
    assert answer.exit_code == 0
    assert answer.output.splitlines() == [
        "completed  for ever",
        "failed     for ever",
        "cancelled  for ever",
        "archive    none",
    ]
    assert db.read_bytes() == before


def test_ages_are_set_shown_and_lifted(db: Path, tmp_path: Path) -> None:
    answer = keep(db, "--completed", "7d", "--failed", "90d", "--archive", str(tmp_path / "a"))
    assert answer.exit_code == 0
    assert "completed  7d\n" in answer.output
    assert "failed     90d\n" in answer.output
    assert "No worker is running on the file" in answer.output
    found = json.loads(keep(db, "--json").stdout)
    assert found["completed"] == 604_800
    assert found["failed"] == 7_776_000
    assert found["cancelled"] is None
    assert found["archive"] == str(tmp_path / "a")
    assert found["overdue"] == 1
    assert found["gone"] == 0
    assert keep(db, "--failed", "forever", "--no-archive").exit_code == 0
    found = json.loads(keep(db, "--json").stdout)
    assert (found["completed"], found["failed"], found["archive"]) == (604_800, None, None)
    assert keep(db, "--off").exit_code == 0
    assert json.loads(keep(db, "--json").stdout)["completed"] is None


def test_a_dry_run_counts_and_sets_nothing(db: Path) -> None:
    answer = keep(db, "--completed", "7d", "--failed", "12h", "--dry-run")
    assert answer.output == "5 jobs would be deleted now: 1 completed, 2 failed, 2 timeout.\n"
    answer = keep(db, "--dry-run", "--cancelled", "7d", "--json")
    assert json.loads(answer.stdout) == {
        "dry_run": True,
        "going": {"cancelled": 1},
        "needed": 0,
    }
    assert keep(db, "--dry-run").output == "0 jobs would be deleted now.\n"
    assert json.loads(keep(db, "--json").stdout)["next_run"] is None


@pytest.mark.parametrize("source", OLD, ids=lambda path: path.name)
def test_a_dry_run_on_a_file_that_is_not_attached_says_what_to_do(
    tmp_path: Path, source: Path
) -> None:
    old = Path(shutil.copy(source, tmp_path))
    before = old.read_bytes()
    answer = keep(old, "--completed", "0s", "--dry-run")
    assert answer.exit_code == 2
    assert "run `gigq-core attach` first" in answer.output
    assert old.read_bytes() == before


def test_what_has_gone_is_told(db: Path) -> None:
    keep(db, "--completed", "7d", "--cancelled", "7d")
    ledger = Ledger(db, runs_script=False)
    conn = sqlite3.connect(db, isolation_level=None)
    for _ in range(3):
        conn.execute("UPDATE core_agenda SET at = 0")
        ledger.work_off_agenda()
    ledger.close()
    conn.close()
    assert "2 jobs deleted so far.\n" in keep(db).output
    assert JobQueue(db).stats()["total"] == 6


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--completed", "soon"), "write an age like 7d or 12h, or forever, not 'soon'."),
        (("--failed", "-3d"), "write an age like 7d or 12h, or forever, not '-3d'."),
        (("--off", "--completed", "7d"), "--off can't be combined with other options."),
        (("--archive", "a", "--no-archive"), "Give --archive or --no-archive, not both."),
        (("--archive", "/nowhere/at/all"), "There is no folder /nowhere/at for the archive"),
        (("--archive", "/dev/null"), "The archive /dev/null is not a folder: name another."),
        # Not another folder, whose name is written like that.
        (("--archive", "caf\udce9"), "archive can't be stored, because character 4 of it"),
    ],
)
def test_what_makes_no_sense_is_refused(db: Path, words: tuple[str, ...], sentence: str) -> None:
    answer = keep(db, *words)
    assert answer.exit_code == 2
    assert sentence in answer.output
    assert json.loads(keep(db, "--json").stdout)["next_run"] is None
