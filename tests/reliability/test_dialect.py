"""What we leave in a file is read by SQLites much older than ours: GigQ's interpreter has its own.

`OLD_SQLITE_PYTHON` may name an interpreter with an old SQLite, as its own or as `pysqlite3`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import Job, JobQueue
from gigq_core.schema import ddl
from gigq_core.schema.features import Feature, use
from gigq_core.schema.transaction import write
from tests.integration import chores
from tests.integration.conftest import ROOT

# Functions that SQLite 3.35 has, and keywords that may stand before a parenthesis.
KNOWN_FUNCTIONS = {
    *("abs", "cast", "coalesce", "json_each", "json_valid", "julianday", "raise", "strftime"),
    *("lower", "max", "min", "nullif", "substr"),
}
KNOWN_KEYWORDS = {
    "and",
    "conflict",
    "else",
    "exists",
    "in",
    "jobs",
    "key",
    "not",
    "or",
    "then",
    "values",
    "when",
    "where",
}
OUR_TABLES = {"job_executions", "jobs", *ddl.OUR_TABLES}
# What came after 3.35, and a trigger may not hold at all.
YOUNGER = {
    "STRICT tables, 3.37": r"\bSTRICT\b",
    "-> and ->>, 3.38": r"->",
    "IS DISTINCT FROM, 3.39": r"\bDISTINCT\s+FROM\b",
    "RIGHT and FULL JOIN, 3.39": r"\b(RIGHT|FULL)\b",
    "ORDER BY in an aggregate, 3.44": r"\(\s*\w+\s+ORDER\s+BY",
    "digits apart, 3.46": r"\d_\d",
    "an expression in RAISE, 3.47": r"RAISE\s*\(\s*(?!IGNORE\s*\))",
    "RETURNING": r"\bRETURNING\b",
    "common table expressions": r"\bWITH\s+(?!OUT)",
}

_SQLITE = """
try:
    import pysqlite3 as sqlite3
except ImportError:
    import sqlite3
"""

# Everything that GigQ's users do, on the file that the command line names.
_ACTS = (
    _SQLITE
    + """
import json, sys, types
sys.modules["sqlite3"] = sqlite3
jobs = types.ModuleType("old_jobs")
def fine(): return 1
def bad(): raise ValueError("bad")
for function in (fine, bad):
    function.__module__ = "old_jobs"
    setattr(jobs, function.__name__, function)
sys.modules["old_jobs"] = jobs
import gigq
queue, worker = gigq.JobQueue(sys.argv[1]), gigq.Worker(sys.argv[1], worker_id="old")
ids = {}
def submit(name, function, *parents, **options):
    job = gigq.Job(name, function, dependencies=[ids[p] for p in parents], **options)
    ids[name] = queue.submit(job)
submit("fine", fine)
submit("failed", bad, max_attempts=1)
submit("child", fine, "fine")
submit("doomed", fine, "failed")
submit("dropped", fine)
answers = [queue.cancel(ids["dropped"]), queue.requeue_job(ids["dropped"])]
answers += [queue.cancel(ids["dropped"]), queue.cancel(ids["doomed"])]
answers += [queue.requeue_job(ids["doomed"])]
runs = 0
while worker.process_one():
    runs += 1
answers += [runs, queue.requeue_job(ids["failed"]), worker.process_one(), queue.stats()]
cleared = queue.clear_completed()
submit("later", fine, "fine")
answers += [worker.process_one(), worker.process_one(), len(queue.list_jobs())]
found = queue.get_status(ids["later"])
print(json.dumps({"version": sqlite3.sqlite_version, "answers": answers, "cleared": cleared,
                  "later": found["result"], "executions": len(found["executions"])}))
"""
)


@pytest.fixture
def attached(tmp_path: Path) -> Path:
    """A file of ours that uses all there is, with a job that waits for one that comes later."""
    queue = JobQueue(tmp_path / "jobs.db")
    with write(queue._connection()) as conn:
        for feature in Feature:
            use(conn, feature)
    parent = Job("parent", chores.nothing)
    queue.submit(Job("waits", chores.nothing, dependencies=[parent.id]))
    queue.close()
    return tmp_path / "jobs.db"


def left_in(path: Path) -> list[str]:
    conn = sqlite3.connect(path)
    found = [row[0] for row in conn.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")]
    conn.close()
    return found


def test_nothing_younger_than_3_35_is_left_in_the_file(attached: Path) -> None:
    statements = left_in(attached)
    triggers = len(ddl.TRIGGERS) + sum(len(feature.triggers) for feature in Feature)
    assert len(statements) > triggers + len(ddl.INDEXES)
    for statement in statements:
        bare = re.sub(r"'[^']*'|--[^\n]*", "''", statement)
        for what, pattern in YOUNGER.items():
            assert not re.search(pattern, bare, re.IGNORECASE), f"{what}: {statement}"
        called = {name.lower() for name in re.findall(r"\b(\w+)\s*\(", bare)}
        assert called <= KNOWN_FUNCTIONS | KNOWN_KEYWORDS | OUR_TABLES, statement


def interpreters() -> list[str]:
    named = os.environ.get("OLD_SQLITE_PYTHON")
    names = [named] if named else [f"python3.{minor}" for minor in range(9, 20)]
    return [sys.executable, *filter(None, map(shutil.which, names))]


def version(interpreter: str) -> tuple[int, ...]:
    """The interpreter's SQLite; one that does not start, or has none, counts as young."""
    done = subprocess.run(
        [interpreter, "-c", f"{_SQLITE}\nprint(sqlite3.sqlite_version)"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", done.stdout.strip())
    return tuple(int(part) for part in numbers.groups()) if numbers else (9, 9, 9)


def test_gigq_works_with_the_file_on_the_oldest_sqlite_at_hand(
    attached: Path, tmp_path: Path
) -> None:
    oldest = min(interpreters(), key=version)
    library = tmp_path / "library"
    shutil.copytree(Path(gigq.__file__).parent, library / "gigq")
    done = subprocess.run(
        [oldest, "-c", _ACTS, str(attached)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    *acts, runs, requeued, again, stats, one, none, left = found["answers"]
    assert acts == [True] * 5
    # The fine one, the bad one, the child and the one that was cancelled twice over: three run.
    assert (runs, requeued, again) == (3, True, True)
    assert stats["completed"] == 2
    assert (stats["failed"], stats["cancelled"], stats["pending"]) == (1, 1, 2)
    assert (one, none, left) == (True, False, 4)
    assert (found["cleared"], found["later"], found["executions"]) == (3, 1, 1)
    conn = sqlite3.connect(attached)
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0"))
    assert kept == {"blocked": 2, "failed": 1, "completed": 1}
    conn.close()
