"""Hooks with real workers: what fails is told, once, whoever wrote it and whatever is killed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from gigq_core import Job, Worker, Workflow, run_command
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, Works, stop
from tests.integration.hearing import hear, hear_and_fail, hear_and_submit
from tests.waiting import wait_until

HEARD = "heard"


def make_hook(place: Place, match: str = "", every: float = 0, **options: Any) -> str:
    job = Job("page", hear, {"path": str(place.folder / HEARD)}, **options)
    return place.queue.hook("failed", job, match, every, "h")


def heard(place: Place) -> list[dict[str, Any]]:
    path = place.folder / HEARD
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def told(place: Place) -> list[str]:
    """The names of the jobs that were told."""
    return [job["name"] for one in heard(place) for job in one["jobs"]]


def until_told(place: Place, n: int) -> list[str]:
    """Wait until so many jobs were told."""
    wait_until(
        lambda: sum(one["count"] for one in heard(place)) >= n,
        what=f"{n} to be told: {heard(place)}\n{place.log()}",
    )
    return told(place)


def test_what_fails_is_told_by_a_job_with_its_error(place: Place, works: Works) -> None:
    make_hook(place)
    failed = place.submit(chores.fail, name="bad", params={"message": "oh"}, max_attempts=2)
    place.submit(chores.nothing)
    works()
    assert until_told(place, 1) == ["bad"]
    (job,) = heard(place)[0]["jobs"]
    assert job["id"] == failed
    assert job["function"] == "tests.integration.chores.fail"
    assert (job["error_type"], job["error_message"]) == ("ValueError", "oh")
    assert (job["attempts"], job["max_attempts"]) == (2, 2)
    assert job["worker"] in place.live_workers()
    assert job["ended"] == place.job(failed)["ended"]


def test_all_ends_that_are_failures_are_told_and_no_other(place: Place) -> None:
    make_hook(place)
    place.submit(chores.hold, name="late", params={"path": "/dev/null"}, timeout=0.2, **ONCE)
    place.submit(chores.segfault, name="crashed", **ONCE)
    place.submit(chores.nothing, name="fine")
    held = place.submit(chores.hold, name="stopped", params={"path": str(place.folder / "pid")})
    flow = Workflow("w")
    parent = flow.add_job(Job("parent", chores.fail, {}, max_attempts=1))
    child = Job("child", chores.nothing, on_parent_failure="cancel")
    flow.add_job(child, depends_on=[parent])
    flow.submit_all(place.queue)
    place.worker("--concurrency", "4")
    place.lines("pid")
    place.queue.cancel(held)
    place.end(held)
    assert sorted(until_told(place, 4)) == ["child", "crashed", "late", "parent"]
    place.end(place.submit(chores.nothing))
    assert len(told(place)) == 4


ONCE: dict[str, Any] = {"max_attempts": 1}


def test_a_job_whose_worker_was_killed_is_told(place: Place) -> None:
    make_hook(place)
    params = {"path": str(place.folder / "pid")}
    place.submit(chores.hold, name="lost", params=params, on_crash="fail")
    first = place.worker()
    place.lines("pid")
    os.kill(first.pid, signal.SIGKILL)
    place.worker()
    assert until_told(place, 1) == ["lost"]
    assert "died" in heard(place)[0]["jobs"][0]["error_message"]


def test_a_burst_of_failures_is_told_by_one_job(place: Place) -> None:
    make_hook(place, every=600, priority=1)
    jobs = [Job(f"bad {i}", chores.fail, {}, max_attempts=1) for i in range(1_000)]
    place.queue.submit_many(jobs)
    # Threads: a process is replaced when two jobs in a row have failed in it.
    worker = Worker(place.db, concurrency=4)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        wait_until(lambda: heard(place), timeout_s=60, what="the burst to be told")
        place.ended(jobs[-1].id, timeout_s=60)
    finally:
        worker.stop()
        thread.join(20)
    (only,) = heard(place)
    (hook,) = place.queue.hooks()
    # On a machine that is very slow the rest is for the next interval.
    assert only["count"] + hook.waiting == 1_000
    assert hook.jobs == 1
    assert len({job["id"] for job in only["jobs"]}) == len(only["jobs"]) == 100


def test_three_workers_at_once_submit_one_job_for_each_interval(place: Place) -> None:
    make_hook(place, every=0.5)
    for _ in range(3):
        place.worker("--concurrency", "2")
    n = 0
    while len(heard(place)) < 5:
        place.ended(*(place.submit(chores.fail, **ONCE) for _ in range(10)))
        n += 10
    wait_until(lambda: sum(one["count"] for one in heard(place)) >= n, what="all to be told")
    assert sum(one["count"] for one in heard(place)) == n
    rows = place.rows("SELECT created, id FROM jobs WHERE hook = 'h' ORDER BY created")
    times = [row["created"] for row in rows]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.5
    assert len(rows) == len(heard(place))
    ids = [job["id"] for one in heard(place) for job in one["jobs"]]
    assert len(ids) == len(set(ids)) == n


def test_a_hooks_own_failure_fires_nothing_and_it_goes_on(place: Place, works: Works) -> None:
    params = {"path": str(place.folder / HEARD)}
    place.queue.hook("failed", Job("page", hear_and_fail, params, max_attempts=2), name="h")
    works()
    for n in (1, 2, 3):
        place.end(place.submit(chores.fail, name=f"bad {n}", **ONCE))
        wait_until(
            lambda n=n: place.queue.hooks()[0].failures_in_a_row == n,
            what=f"{n} failures of the hook",
        )
    (hook,) = place.queue.hooks()
    assert (hook.jobs, hook.told, hook.waiting, hook.last_status) == (3, 3, 0, "failed")
    assert told(place) == ["bad 1", "bad 1", "bad 2", "bad 2", "bad 3", "bad 3"]
    assert place.queue.requeue_job(hook.last_job_id)
    place.end(hook.last_job_id)
    wait_until(lambda: place.queue.hooks()[0].failures_in_a_row == 4, what="the fourth")
    assert place.queue.hooks()[0].jobs == 3


def test_what_a_hooks_job_submits_fires_nothing(place: Place) -> None:
    params = {"path": str(place.folder / HEARD)}
    place.queue.hook("failed", Job("page", hear_and_submit, params), name="h")
    place.queue.hook("failed", Job("page", hear, params), name="other")
    place.worker()
    place.submit(chores.fail, name="bad", **ONCE)
    made = wait_until(
        lambda: place.rows("SELECT id FROM jobs WHERE submitted_by IS NOT NULL"),
        what="the job of the hook's job",
    )
    assert place.end(made[0]["id"])["status"] == "failed"
    place.end(place.submit(chores.nothing))
    hooks = place.queue.hooks()
    assert [(h.jobs, h.told, h.waiting, h.failures_in_a_row) for h in hooks] == [(1, 1, 0, 0)] * 2
    assert told(place) == ["bad", "bad"]


def test_what_comes_with_us_runs_where_our_package_is_not_installed(place: Place) -> None:
    environment = place.folder / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(command, check=True, timeout=60)
    python = str(environment / "bin" / "python")
    out = place.folder / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    job = run_command.to_job(command=[python, "-c", code, str(out)])
    place.queue.hook("failed", job, name="h")
    place.worker("--python", python, "--chdir", str(place.folder))
    lost = place.submit(chores.nothing, name="lost", **ONCE)
    assert "ModuleNotFoundError" in place.end(lost)["error"]
    wait_until(lambda: place.queue.hooks()[0].last_status == "completed", what="the hook's job")
    assert [one["id"] for one in json.loads(out.read_text())["jobs"]] == [lost]
    path = place.queue.submit(Job("named", "gigq_core.run_command", {"command": ["true"]}))
    assert place.end(path)["result"] == 0


def test_what_gigqs_own_worker_fails_is_told(place: Place) -> None:
    pytest.importorskip("gigq")
    make_hook(place, match="err:oh")
    place.submit(chores.fail, name="bad", params={"message": "oh"}, max_attempts=2)
    place.submit(chores.fail, name="other", params={"message": "no"}, **ONCE)
    script = (
        "import sys; from gigq import Worker, JobQueue\n"
        "worker = Worker(sys.argv[1])\n"
        "while worker.process_one(): pass\n"
    )
    run = [sys.executable, "-c", script, str(place.db)]
    subprocess.run(run, cwd=ROOT, check=True, timeout=60, capture_output=True)
    assert place.queue.hooks()[0].waiting == 1
    place.worker()
    assert until_told(place, 1) == ["bad"]
    (job,) = heard(place)[0]["jobs"]
    assert (job["attempts"], job["error_message"]) == (2, "oh")
    assert job["worker"].startswith("worker-")


KILLED = """
import os, sqlite3, sys
from contextlib import contextmanager
from gigq_core import agenda
from gigq_core.duties import duty_of
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.transaction import write

steps = int(sys.argv[2])
conn = open_for_work(sys.argv[1], create=False)

def step(statement):
    global steps
    if statement.startswith("--"):
        return
    steps -= 1
    if steps < 0:
        os._exit(9)

conn.set_trace_callback(step)
agenda.work_off(conn, lambda: write(conn), duty_of)
"""


def test_a_kill_at_each_step_loses_nothing_and_doubles_nothing(place: Place) -> None:
    make_hook(place)
    for steps in range(60):
        with place.queue._writing() as conn:
            conn.execute(
                "INSERT INTO jobs (id, name, function_name, function_module, status, created_at,"
                " updated_at) VALUES (?, ?, 'f', 'm', 'running', '', '')",
                (f"id {steps}", f"bad {steps}"),
            )
            conn.execute("UPDATE jobs SET status = 'failed' WHERE id = ?", (f"id {steps}",))
        run = [sys.executable, "-c", KILLED, str(place.db), str(steps)]
        code = subprocess.run(run, cwd=ROOT, timeout=60, check=False).returncode
        rows = place.rows("SELECT params FROM jobs WHERE hook = 'h'")
        waiting = [row["name"] for row in place.rows("SELECT name FROM core_hook_outbox")]
        names = [job["name"] for row in rows for job in json.loads(row["params"])["jobs"]]
        assert sorted(names + waiting) == sorted(f"bad {n}" for n in range(steps + 1)), steps
        if code == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert steps > 5
    assert waiting == []
    assert len(rows) == 1


def test_a_worker_that_is_idle_wakes_for_a_hook_that_is_due(place: Place) -> None:
    make_hook(place, every=1.5)
    process = place.worker()
    for n in (1, 2):
        place.end(place.submit(chores.fail, name=f"bad {n}", **ONCE))
    until_told(place, 2)
    assert stop(process) == 0


def test_the_end_of_a_job_is_written_whatever_becomes_of_a_hook(place: Place) -> None:
    make_hook(place)
    place.change("UPDATE core_hook_jobs SET definition = 'no such thing'")
    place.worker()
    assert place.end(place.submit(chores.fail, **ONCE))["error"].endswith("no good")
    hook = wait_until(
        lambda: next((h for h in place.queue.hooks() if h.problem), None), what="the problem"
    )
    assert hook.problem.startswith("The job's definition can't be read")
    assert hook.waiting == 1
    assert place.end(place.submit(chores.add, params={"a": 1, "b": 2}))["result"] == 3
