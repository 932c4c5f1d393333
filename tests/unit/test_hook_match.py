"""Which jobs a hook is about: its match in the file's trigger against a plain model of it."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.hooks.match import read_match
from tests.integration.hearing import hear

JOBS = [
    {"name": "load the feed", "fn": "etl.feeds.load", "err": "ValueError: bad row 7"},
    {
        "name": "Fetch A*b",
        "fn": "web.fetch",
        "err": "TimeoutError: [slow] host?",
        "lane": "fetch:a",
    },
    {
        "name": "étude",
        "fn": "etl.clean",
        "err": "OSError",
        "batch": "night 1",
        "workflow": "Nightly",
    },
    {"name": "x|y", "fn": "my_etl.load", "err": "boom -err", "worker": "w-1", "schedule": "daily"},
    {"name": "ETL.load", "fn": "a.b", "err": None},
]
FIELDS = ("fn", "name", "err", "lane", "workflow", "batch", "schedule", "worker")


def told(match: str, folder: Path) -> list[int]:
    """The places of the jobs that a hook is told of when each of them fails."""
    db = folder / f"{len(list(folder.iterdir()))}.db"
    queue = JobQueue(db)
    queue.hook("failed", Job("h", hear, {"path": "x"}), match, name="h")
    conn = sqlite3.connect(db)
    for place, job in enumerate(JOBS):
        module, _, name = str(job["fn"]).rpartition(".")
        conn.execute(
            "INSERT INTO jobs (id, name, function_name, function_module, status, created_at, "
            "updated_at, params, lane, workflow, batch, schedule, worker_id) "
            "VALUES (?, ?, ?, ?, 'running', '', '', '{}', ?, ?, ?, ?, ?)",
            (
                *(str(place), job["name"], name, module, job.get("lane"), job.get("workflow")),
                *(job.get("batch"), job.get("schedule"), job.get("worker")),
            ),
        )
        conn.execute(
            "UPDATE jobs SET status = 'failed', error = ?, worker_id = NULL WHERE id = ?",
            (job["err"], str(place)),
        )
    rows = conn.execute("SELECT job_id FROM core_hook_outbox ORDER BY place").fetchall()
    conn.close()
    queue.close()
    return [int(row[0]) for row in rows]


# --- the model: a match is lists of alternatives, each (turned, field, operator, text) -----------


def small(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def holds(job: dict[str, str | None], field: str, operator: str, text: str) -> bool:
    value = job.get(field) or ""
    if operator == "=":
        return value == text
    if "*" in text:
        parts = map(re.escape, small(text).split("*"))
        return re.fullmatch(".*".join(parts), small(value), re.DOTALL) is not None
    return small(text) in small(value)


def fits(job: dict[str, str | None], term: tuple[bool, str, str, str]) -> bool:
    turned, field, operator, text = term
    if field:
        found = holds(job, field, operator, text)
    else:
        found = any(holds(job, f, ":", text) for f in ("name", "fn", "err"))
    return found is not turned


def written(term: tuple[bool, str, str, str]) -> str:
    turned, field, operator, text = term
    if not text.isalnum() and not re.fullmatch(r"[\w.*:]+", text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return ("-" if turned else "") + field + (operator if field else "") + text


TEXTS = (
    "etl",
    "ETL.",
    "load",
    "etl.*",
    "*.load",
    "*e*t*",
    "a*",
    "a",
    "é",
    "Étude",
    "bad",
    "[slow]",
)
TEXTS += ("fetch", "host?", "night", "-err", "x|y", "OSError", "etl.clean", "Nightly", "w-1", "zzz")


def random_match(drawn: random.Random) -> list[list[tuple[bool, str, str, str]]]:
    def term() -> tuple[bool, str, str, str]:
        field = drawn.choice((*FIELDS, "", ""))
        text = drawn.choice(TEXTS)
        operator = drawn.choice("::=")
        if not field or not re.fullmatch(r"[\w.*:]+", text):
            text = text.replace("*", "")
        return drawn.random() < 0.3, field, operator if field else "", text

    return [
        [term() for _ in range(drawn.choice((1, 1, 2, 3)))] for _ in range(drawn.choice((1, 2)))
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_hook_is_told_of_what_the_model_says(seed: int, tmp_path: Path) -> None:
    match = random_match(random.Random(seed))
    text = " ".join("|".join(map(written, group)) for group in match)
    wanted = [
        place
        for place, job in enumerate(JOBS)
        if all(any(fits(job, term) for term in group) for group in match)
    ]
    assert told(text, tmp_path) == wanted, text


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("fn:etl.*", [0, 2]),
        ("fn:etl", [0, 2, 3]),
        ("fn=etl.clean", [2]),
        ("fn=etl", []),
        ("name:etl.LOAD", [4]),
        ("load", [0, 3, 4]),
        ("-load", [1, 2]),
        ("err:timeouterror | err:oserror", [1, 2]),
        ("err:*row*", [0]),
        ("lane:fetch:*", [1]),
        ("-lane:fetch", [0, 2, 3, 4]),
        ('name:"A*b"', [1]),
        ('batch:"night 1" workflow:nightly', [2]),
        ("schedule:daily worker=w-1", [3]),
        ("-err:o|name:etl", [4]),
    ],
)
def test_a_match_means_what_is_written(match: str, wanted: list[int], tmp_path: Path) -> None:
    assert told(match, tmp_path) == wanted


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        ("fun:etl", "no field fun: write one of fn: name: err:"),
        ("state:failed", "no field state"),
        ("err>3", "write err: in place of err>"),
        ("fn:", "nothing behind fn:"),
        ("a | ", "| without a term on each side"),
        ("| a", "| without a term on each side"),
        ("a || b", "| without a term on each side"),
        ("(a b)", "no groups"),
        ("- a", "nothing behind -"),
        ('name:"a', 'lacks a closing "'),
        ('name:"a"b', 'a space behind the closing "'),
        ("etl.*", "a star needs a field, as in fn:etl.*"),
        ("a" * 1_001, "1,000 are the most"),
        (" ".join(["-a"] * 20), "more than 50 terms"),
        ("a\0", "no job's texts can hold"),
        (3, "must be a string"),
    ],
)
def test_a_match_that_means_nothing_is_refused_with_what_to_write(
    match: str, sentence: str
) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        read_match(match)
    assert sentence in str(refused.value)
