"""`gigq-core count`, by one key and by two, as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.grouping.counting import PLAIN_KEYS
from gigq_core.job import FunctionReference
from tests.store_files import digest
from tests.unit.test_core_cli import run

CUSTOMERS = [17] * 100 + [170] * 20 + ["17"] * 3


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Customer 17 has 55 jobs done, 25 failed and 20 that wait; 170 has 20 that wait."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    function = FunctionReference("shop", "charge")
    jobs = [Job("j", function, params={"customer": customer}) for customer in CUSTOMERS]
    ids = queue.submit_many([*jobs, Job("without", function, batch="b")])
    queue.close()
    conn = sqlite3.connect(path)
    with conn:
        for status, some in (("completed", ids[:55]), ("failed", ids[55:80])):
            conn.executemany(
                "UPDATE jobs SET status = ?, began = 100.0, ended = 100.6 WHERE id = ?",
                [(status, id) for id in some],
            )
    conn.close()
    return path


def test_two_keys_as_a_table(db: Path) -> None:
    before = digest(db)
    result = run(db, "count", "--by", "param.customer", "--by", "state")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == [
        *("param.customer", "state", "Jobs", "Done", "Failed", "Waiting"),
        *("Running", "Cancelled", "p50"),
    ]
    assert lines[1:] == [
        ["17", "completed", "55", "55", "-", "-", "-", "-", "0.6s"],
        ["17", "failed", "25", "-", "25", "-", "-", "-", "0.6s"],
        ["17", "pending", "20", "-", "-", "20", "-", "-", "-"],
        ["170", "pending", "20", "-", "-", "20", "-", "-", "-"],
        ['"17"', "pending", "3", "-", "-", "3", "-", "-", "-"],
        ["-", "pending", "1", "-", "-", "1", "-", "-", "-"],
    ]
    assert digest(db) == before


def test_json_tells_values_apart_and_leaves_out_what_a_job_does_not_have(db: Path) -> None:
    found = json.loads(run(db, "count", "--by", "param.customer", "--json").output)
    assert [row.get("param.customer", "none") for row in found] == [17, 170, "17", "none"]
    assert found[0] == {
        "param.customer": 17,
        "jobs": 100,
        "done": 55,
        "failed": 25,
        "waiting": 20,
        "running": 0,
        "cancelled": 0,
        "p50_s": 0.6,
    }


def test_csv_is_read_by_a_spreadsheet(db: Path) -> None:
    text = run(db, "count", "--by", "param.customer", "--by", "fn", "--csv").output
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["param.customer"], row["fn"], row["jobs"]) for row in rows] == [
        ("17", "shop.charge", "100"),
        ("170", "shop.charge", "20"),
        ('"17"', "shop.charge", "3"),
        ("", "shop.charge", "1"),
    ]


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (["--status", "failed"], {17: 25}),
        (["--status", "pending"], {17: 20, 170: 20, "17": 3, None: 1}),
        (["--batch", "b"], {None: 1}),
        (["--workflow", "no such"], {}),
        (["--failure", "0"], {}),
    ],
)
def test_the_options_of_list_say_what_is_counted(
    db: Path, options: list[str], jobs: dict[object, int]
) -> None:
    found = json.loads(run(db, "count", "--by", "param.customer", *options, "--json").output)
    assert {row.get("param.customer"): row["jobs"] for row in found} == jobs


def test_what_is_left_out_is_told(db: Path) -> None:
    result = run(db, "count", "--by", "param.customer", "--limit", "1")
    assert result.output.splitlines()[-1] == (
        "And 3 more values of param.customer: --limit shows more."
    )
    result = run(db, "count", "--by", "param.customer", "--limit", "1", "--json")
    assert len(json.loads(result.stdout)) == 1
    assert "3 more values" in result.stderr


def test_the_order_is_chosen(db: Path) -> None:
    def order(by: str) -> list[object]:
        found = json.loads(
            run(db, "count", "--by", "param.customer", "--sort", by, "--json").output
        )
        return [row.get("param.customer") for row in found]

    assert order("value") == [17, 170, "17", None]
    assert order("waiting")[2:] == ["17", None]
    assert order("p50")[0] == 17


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "--by"),
        (["--by", "colour"], "choose from fn"),
        (["--by", "fn", "--by", "name", "--by", "state"], "one or two"),
        (["--by", "state", "--by", "status"], "twice"),
        (["--by", "state", "--csv", "--json"], "choose one"),
        (["--by", "ended"], "ended.hour"),
    ],
)
def test_what_makes_no_sense_is_refused(db: Path, options: list[str], sentence: str) -> None:
    result = run(db, "count", *options)
    assert result.exit_code == 2
    assert sentence in result.output


def test_the_help_names_each_key(tmp_path: Path) -> None:
    said = run(tmp_path / "jobs.db", "count", "--help").output.partition("Failed includes")[0]
    words = said.replace(",", " ").split()
    assert {key.partition(".")[0] for key in PLAIN_KEYS} <= set(words)
