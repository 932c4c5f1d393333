"""Unique jobs and several processes: who comes at once, and who dies on the way."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue, Unique
from tests.reliability.test_crashes import ROOT, assert_whole

KEYS = 40
PROCESSES = 3

# Each submits every key, in its own order, as soon as all are there.
SUBMITS = """
import sys
from gigq_core import Job, JobQueue, Unique
db, me, conflict, keys = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
queue = JobQueue(db)
print("ready", flush=True)
sys.stdin.readline()
for n in range(keys):
    key = f"k{(n * (2 * me + 1)) % keys}"
    if me % 2 == 0:
        print(key, queue.submit(Job("n", "os.getcwd", unique=Unique(key, conflict=conflict))))
    else:
        one = Job("n", "os.getcwd", unique=Unique(key, conflict=conflict))
        child = Job("child", "os.getcwd", dependencies=[one.id])
        print(key, queue.submit_many([child, one])[1])
"""

# Dies at the given statement of a submission.
DIES = """
import os, signal, sys
from gigq_core import Job, JobQueue, Unique
db, step, conflict = sys.argv[1], int(sys.argv[2]), sys.argv[3]
queue = JobQueue(db)
conn = queue._connection()
seen = 0
def trace(statement):
    global seen
    seen += 1
    if seen == step:
        os.kill(os.getpid(), signal.SIGKILL)
conn.set_trace_callback(trace)
unique = Unique("k", until="forever", conflict=conflict)
new = Job("new", "os.getcwd", unique=unique)
queue.submit_many([Job("child", "os.getcwd", dependencies=[new.id]), new])
conn.set_trace_callback(None)
print(seen)
"""


def start(program: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("conflict", ["existing", "again"])
def test_of_those_who_come_at_once_one_gets_the_key(tmp_path: Path, conflict: str) -> None:
    db = tmp_path / "jobs.db"
    JobQueue(db).close()
    words = [(str(db), str(n), conflict, str(KEYS)) for n in range(PROCESSES)]
    processes = [start(SUBMITS, *some) for some in words]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n", timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    told: dict[str, set[str]] = {}
    for line in "".join(said).splitlines():
        key, job_id = line.split()
        told.setdefault(key, set()).add(job_id)
    conn = sqlite3.connect(db)
    there = Counter(key for (key,) in conn.execute("SELECT unique_key FROM jobs WHERE name = 'n'"))
    ids = dict(conn.execute("SELECT unique_key, id FROM jobs WHERE name = 'n'").fetchall())
    parents = conn.execute("SELECT parent_id FROM core_edges").fetchall()
    conn.close()
    # One job for each key, and whoever submitted it knows its id; the children wait for it.
    assert set(there.values()) == {1}
    assert told == {key: {job_id} for key, job_id in ids.items()}
    assert len(told) == KEYS
    assert {parent for (parent,) in parents} == set(ids.values())
    assert_whole(db)


@pytest.mark.parametrize("conflict", ["existing", "replace"])
def test_no_key_is_left_by_whoever_dies_on_the_way(tmp_path: Path, conflict: str) -> None:
    before = tmp_path / "before.db"
    queue = JobQueue(before)
    if conflict == "replace":
        queue.submit(Job("old", "os.getcwd", unique="k"))
    queue._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    queue.close()

    def run(name: str, step: int) -> tuple[Path, int, str]:
        db = tmp_path / name
        shutil.copy(before, db)
        process = start(DIES, str(db), str(step), conflict)
        said = process.communicate(timeout=30)[0]
        return db, process.returncode, said

    _, code, said = run("whole.db", 0)
    assert code == 0
    total = int(said)
    assert total > 8
    for step in range(1, total + 1):
        db, code, _ = run(f"step-{step}.db", step)
        assert code == -signal.SIGKILL
        queue = JobQueue(db)
        jobs = {job["name"]: job["status"] for job in queue.list_jobs()}
        # All of it, or nothing: the key is with the job that is there.
        if "new" in jobs:
            assert jobs == {"new": "pending", "child": "pending"} | (
                {"old": "cancelled"} if conflict == "replace" else {}
            )
        else:
            assert jobs == ({"old": "pending"} if conflict == "replace" else {})
        twin = Job("twin", "os.getcwd", unique=Unique("k"))
        queue.submit(twin)
        assert (twin.duplicate_of is None) is (jobs == {})
        queue.close()
        assert_whole(db)
