"""What `gigq-core status` and `list` say of a job's retries, times and names."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gigq_core import Backoff, Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.job import FunctionReference

FUNCTION = FunctionReference("shop", "send")
LATER = datetime(2130, 1, 31, 8, tzinfo=timezone(timedelta(hours=1)))
OURS = {"retry_policy", "due", "due_in", "unique_key", "unique_until", "unique_within"}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


def add(db: Path, **options: Any) -> str:
    queue = JobQueue(db)
    job = Job("send", FUNCTION, **options)
    job.workflow = options.get("workflow")
    found = queue.submit(job)
    queue.close()
    return found


def said(db: Path, *words: str) -> str:
    answer = CliRunner().invoke(cli, ["--db", str(db), *words])
    assert answer.exit_code == 0, answer.output
    return answer.output


def change(db: Path, statement: str, *values: object) -> None:
    conn = sqlite3.connect(db)
    with conn:
        conn.execute(statement, values)
    conn.close()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"retry": Backoff(30, jitter=0.5)}, "Delays: 30x2..1h~0.5"),
        ({"retry": [10, 60, 0.5]}, "Delays: 10s, 1m, 0.5s"),
        ({"retry_on": [OSError, "shop.Busy"]}, "Retried on: OSError, shop.Busy"),
        ({"give_up_on": [KeyError]}, "Given up on: KeyError"),
        ({"on_timeout": "fail"}, "After a timeout: it fails"),
        ({"on_parent_failure": "cancel"}, "If a parent fails: it is cancelled"),
        ({"on_parent_failure": "run"}, "If a parent fails: it runs"),
        ({"stall_timeout": 90}, "Stopped when silent for: 1m30s"),
        ({"batch": "spring\n2130"}, "Batch: spring\\x0a2130"),
        ({"ours": True}, "Hidden from GigQ's workers: yes"),
        ({"run_at": LATER}, f"Due: {LATER.astimezone():%Y-%m-%d %H:%M:%S}"),
    ],
)
def test_status_says_what_a_job_was_told(db: Path, options: dict[str, Any], line: str) -> None:
    job_id = add(db, **options)
    assert line in said(db, "status", job_id).splitlines()
    plain = said(db, "status", add(db))
    assert line.partition(":")[0] not in plain


def test_a_plain_job_is_told_as_ever(db: Path) -> None:
    labels = [line.partition(":")[0] for line in said(db, "status", add(db)).splitlines()]
    assert labels == ["Job", "Status", "Created", "Updated", "Started", "Completed", "Attempts"]


def test_a_retry_that_waits_is_explained(db: Path) -> None:
    job_id = add(db, run_at=LATER, max_attempts=5)
    at = f"{LATER.astimezone():%Y-%m-%d %H:%M:%S}"
    assert f"Waiting: due at {at}." in said(db, "status", job_id)
    change(
        db,
        "UPDATE jobs SET attempts = 2, error = ? WHERE id = ?",
        "ConnectionError: refused.\nby whom",
        job_id,
    )
    sentence = f"retry 3 of 5 at {at}: ConnectionError: refused"
    assert f"Waiting: {sentence}." in said(db, "status", job_id)
    assert json.loads(said(db, "status", job_id, "--json"))["why"] == sentence
    assert f"retry 3 of 5 at {at}" in said(db, "list")


def test_what_was_decided_is_told_once_it_has_failed(db: Path) -> None:
    job_id = add(db)
    change(
        db,
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, decision) "
        "VALUES ('e', ?, 'w', 'failed', '2030-01-01T00:00:00', ?)",
        job_id,
        "not retried: ValueError is in give_up_on",
    )
    assert "Decision" not in said(db, "status", job_id)
    change(db, "UPDATE jobs SET status = 'failed', attempts = 1 WHERE id = ?", job_id)
    assert "Decision: not retried: ValueError is in give_up_on" in said(db, "status", job_id)


@pytest.mark.parametrize(
    ("done", "total", "note", "words"),
    [
        (42, 100, "", "42 of 100 (42%)"),
        (1_234.5, None, "pages", "1,234.5 done: pages"),
        (3, 0, "a\nb", "3 of 0: a\\x0ab"),
    ],
)
def test_progress_is_told(
    db: Path, done: float, total: float | None, note: str, words: str
) -> None:
    job_id = add(db)
    change(db, "INSERT INTO core_progress VALUES (?, 'e', ?, ?, ?, 1.5)", job_id, done, total, note)
    assert f"Progress: {words}" in said(db, "status", job_id)
    for told in (
        json.loads(said(db, "status", job_id, "--json")),
        json.loads(said(db, "list", "--json"))[0],
    ):
        assert (told["progress"]["done"], told["progress"]["at"]) == (done, 1.5)


def test_json_says_all_of_it_and_nothing_of_ours(db: Path) -> None:
    options: dict[str, Any] = {
        "retry": {"base": 30, "factor": 2, "most": 3_600, "jitter": 0},
        "retry_on": ["builtins.OSError"],
        "give_up_on": ["builtins.KeyError"],
        "on_timeout": "fail",
        "run_at": LATER.astimezone(timezone.utc).isoformat(),
        "on_parent_failure": "cancel",
        "batch": "spring",
        "stall_timeout": 60,
        "ours": True,
    }
    job_id = add(db, **options)
    plain = {
        "retry": None,
        "retry_on": [],
        "give_up_on": [],
        "on_timeout": "retry",
        "run_at": None,
        "on_parent_failure": "wait",
        "batch": "",
        "stall_timeout": None,
        "ours": False,
        "workflow": None,
    }
    add(db)
    listed = json.loads(said(db, "list", "--json"))
    for told in (json.loads(said(db, "status", job_id, "--json")), listed[1]):
        assert {key: told[key] for key in options} == options
        assert not OURS & set(told)
        assert "9999" not in json.dumps(told)
    assert {key: listed[0][key] for key in plain} == plain


def test_a_file_of_gigqs_own_is_told_in_the_same_words(db: Path) -> None:
    import gigq

    queue = gigq.JobQueue(str(db))
    job_id = queue.submit(gigq.Job("theirs", pytest.fail, max_attempts=4))
    queue.close()
    later = (datetime.now() + timedelta(hours=1)).replace(microsecond=0)
    change(db, "UPDATE jobs SET attempts = 1, retry_after = ?", later.isoformat())
    told = json.loads(said(db, "status", job_id, "--json"))
    assert datetime.fromisoformat(told["run_at"]) == later.astimezone()
    assert told["why"] == f"retry 2 of 4 at {later:%Y-%m-%d %H:%M:%S}"
    assert (told["retry"], told["ours"]) == (None, False)
