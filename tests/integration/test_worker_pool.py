"""The worker subprocesses of the console: spawned, drained, killed, left, told of when dead."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest

from gigq_core import Job, JobQueue
from gigq_core.cli import own_command
from gigq_core.errors import DatabaseMissing, GigQError
from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.job import FunctionReference
from gigq_core.reasons.why import Health, why
from gigq_core.system.identity import process_start
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.stack import take_stack
from gigq_tui.actions.workers.held_jobs import fates_of
from gigq_tui.actions.workers.pool import WorkerPool, last_line
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.screens.workers.entries import entries
from gigq_tui.store.held_jobs import held_by
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.waiting import wait_until

PROJECT = '''
import pathlib
import threading


def touch(path):
    pathlib.Path(path).write_text("done")
    return path


def surroundings(names):
    """Where the job runs, and what it is given."""
    import os

    return [os.getcwd(), *(os.environ.get(name) for name in names)]


def wait_for(path):
    """Work that lasts until the test lets it go."""
    target = pathlib.Path(path)
    pause = threading.Event()
    while not target.exists():
        pause.wait(0.02)
    return "went on"
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pool_project.py").write_text(PROJECT)
    return tmp_path


@pytest.fixture
def path(folder: Path) -> Path:
    file = folder / "jobs.db"
    JobQueue(file).close()
    return file


@pytest.fixture
def pool(path: Path, folder: Path) -> Iterator[WorkerPool]:
    pool = WorkerPool(path, WorkerSetup(sys.executable, folder))
    yield pool
    pool.end_all(10)


def submit(path: Path, function: str, /, **params: object) -> str:
    queue = JobQueue(path)
    return queue.submit(Job(function, FunctionReference("pool_project", function), params))


def status(path: Path, job_id: str) -> str:
    return str(JobQueue(path).get_status(job_id)["status"])


def health(path: Path) -> dict[str, Health]:
    reader = Reader(path)
    try:
        return {worker.id: worker.health for worker in reader.snapshot(View()).workers}
    finally:
        reader.close()


def test_a_worker_whose_jobs_run_elsewhere_is_shown_with_its_agents_and_they_with_theirs(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    here, python = str(folder), sys.executable
    pool.setup = WorkerSetup(
        *("/no/python", Path("/no/folder"), 2),
        via=("env", "env -u GIGQ_DB"),
        remote_python=python,
        remote_chdir=here,
    )
    worker = pool.spawn()
    reader = Reader(path)

    def agents() -> list[AgentSeen]:
        return [agent for row in reader.snapshot(View()).workers for agent in row.agents]

    wait_until(
        lambda: (
            sorted(agent.busy for agent in agents() if agent.state == "ready") == [0, 1]
            and all(row.host for row in reader.snapshot(View()).window.rows)
        ),
        what="one of two agents to run the job",
    )
    busy = next(agent for agent in agents() if agent.busy)
    assert {agent.via for agent in agents()} == {"env", "env -u GIGQ_DB"}
    snapshot = reader.snapshot(View())
    (row,) = snapshot.window.rows
    assert row.host == busy.host
    assert row.link is not None
    assert row.link.id == busy.id
    told = why(row, snapshot.taken_at)
    assert told.startswith(f"runs on {busy.host}, by agent {busy.id}: ")
    (below,) = (entry for entry in entries(snapshot) if entry.job is not None)
    agent_ids = [entry.id for entry in entries(snapshot)]
    assert agent_ids.index(f"agent:{busy.id}") + 1 == agent_ids.index(below.id)
    wait_until(
        lambda: "in wait_for" in take_stack(path, job).text, what="the stack of the far process"
    )
    detail = reader.detail(job)
    assert detail is not None
    assert (detail.attempts[-1].host, detail.attempts[-1].pid) != ("", None)
    # What the far end runs is no process of this worker's: it goes with the worker all the same.
    assert pool.kill(worker.worker_id)
    assert status(path, job) == "pending"
    (stopped,) = reader.snapshot(View()).workers
    assert [entry.agent for entry in entries(replace(snapshot, workers=(stopped,)))] == [None]
    reader.close()


def test_a_spawned_worker_runs_jobs_in_the_users_folder(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    job = submit(path, "touch", path=str(folder / "made"))
    pool.setup = replace(pool.setup, slots=2)
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "completed", what="the job to complete")
    assert (folder / "made").read_text() == "done"
    assert pool.alive() == (worker,)
    assert health(path) == {worker.worker_id: Health.ALIVE}
    assert os.getsid(worker.pid) == worker.pid
    row = Reader(path).snapshot(View()).workers[0]
    assert (row.pid, row.owner, row.slots) == (worker.pid, "console", 2)
    assert row.log_path == str(worker.log_path)
    assert worker.log_path.exists()


STRANGER = "import pathlib; pathlib.Path(__file__).with_name('RAN').touch(); raise SystemExit(7)"
STRANGERS = (
    "gigq_core/__init__.py",
    "gigq_core/__main__.py",
    "click/__init__.py",
    "json.py",
    "sqlite3.py",
    "signal.py",
    "importlib/__init__.py",
    "sitecustomize.py",
    "usercustomize.py",
    "__main__.py",
    "queue.py",
)


@pytest.mark.parametrize("python_path", [None, "", ":", "::"])
def test_nothing_in_the_folder_of_logs_runs_in_a_worker(
    pool: WorkerPool,
    path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    python_path: str | None,
) -> None:
    """It stands beside the queue, and in a shared folder others can put files there."""
    if python_path is not None:
        monkeypatch.setenv("PYTHONPATH", python_path)
    logs = path.with_name(path.name + "-logs")
    for name in STRANGERS:
        file = logs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STRANGER)
    logs.chmod(0o700)
    monkeypatch.chdir(logs)
    job = submit(path, "touch", path=str(folder / "made"))
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "completed", what="the job to complete")
    assert pool.alive() == (worker,)
    assert list(logs.rglob("RAN")) == []


@pytest.mark.parametrize(
    ("zones", "gigqs", "told"),
    [
        (("UTC0",), None, ""),
        (("UTC0", "EST5"), None, ""),
        (("UTC0", "UTC0"), 0.0, ""),
        (("XXX-5:30",), 5.5, ""),
        (("UTC0", "EST5"), 0.0, "-05:00 (w2-"),
        (("XXX-5:30",), 0.0, "+00:00 (gigq-1), +05:30 (w1-"),
        (("UTC0",), -3.5, "-03:30 (gigq-1), +00:00 (w1-"),
    ],
)
def test_gigqs_workers_and_others_of_different_utc_offsets_are_told(
    pool: WorkerPool,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    zones: tuple[str, ...],
    gigqs: float | None,
    told: str,
) -> None:
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    for zone in zones:
        pool.setup = replace(pool.setup, environment=(("TZ", zone),))
        pool.spawn()
    wait_until(lambda: list(health(path).values()) == [Health.ALIVE] * len(zones), what="workers")
    if gigqs is not None:
        claimed = datetime.now(timezone.utc) + timedelta(hours=gigqs)
        with sqlite3.connect(path) as conn:
            conn.execute(
                "INSERT INTO jobs (id, name, function_module, function_name, status, created_at,"
                " updated_at) VALUES ('held', 'held', 'm', 'f', 'pending', 'now', 'now')"
            )
            conn.execute(
                "UPDATE jobs SET status = 'running', worker_id = 'gigq-1', started_at = ?"
                " WHERE id = 'held'",
                (claimed.replace(tzinfo=None).isoformat(),),
            )
        conn.close()
    reader = Reader(path)
    found = reader.snapshot(View()).info.offsets
    reader.close()
    assert told in found
    assert bool(found) == bool(told)


def test_a_worker_is_started_from_this_very_package(tmp_path: Path) -> None:
    (tmp_path / "gigq_core").mkdir()
    (tmp_path / "gigq_core" / "__init__.py").write_text("raise SystemExit(7)")
    words = [*own_command(), "--version"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, timeout=60, check=False)
    assert done.returncode == 0


def test_tied_workers_end_with_a_console_that_is_killed(path: Path, folder: Path) -> None:
    """With their jobs, which are given back; a console that is killed leaves the others."""
    jobs = [submit(path, "wait_for", path=str(folder / "never")) for _ in range(3)]

    def statuses() -> list[str]:
        return sorted(status(path, job) for job in jobs)

    code = (
        "import sys, time; from pathlib import Path\n"
        "from gigq_tui.actions.workers.setup import WorkerSetup\n"
        "from gigq_tui.actions.workers.pool import WorkerPool\n"
        "setup = WorkerSetup(sys.executable, Path(sys.argv[2]))\n"
        "for tied in (True, True, False):\n"
        "    print(WorkerPool(Path(sys.argv[1]), setup, tied=tied).spawn().pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    words = [sys.executable, "-c", code, str(path), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as console:
        assert console.stdout is not None
        *tied, free = [int(console.stdout.readline()) for _ in range(3)]
        wait_until(lambda: statuses() == ["running"] * 3, what="the jobs to run")
        started = process_start(free)
        assert started is not None
        console.kill()
    try:
        wait_until(lambda: not any(map(process_start, tied)), what="the tied workers' end")
        assert process_start(free) == started
        assert statuses() == ["pending", "pending", "running"]
    finally:
        os.kill(free, signal.SIGKILL)


def test_jobs_run_in_the_chosen_folder_and_environment(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    project = folder / "elsewhere"
    project.mkdir()
    (project / "pool_project.py").write_text(PROJECT)
    pairs = (("POOL_COLOUR", "two words"), ("POOL_TOKEN", "hunter2"))
    pool.setup = replace(pool.setup, slots=3, chdir=project, environment=pairs, grace_s=0.5)
    job = submit(path, "surroundings", names=["POOL_COLOUR", "POOL_TOKEN"])
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "completed", what="the job to complete")
    result = JobQueue(path).get_status(job)["result"]
    assert result == [str(project), "two words", "hunter2"]
    row = Reader(path).snapshot(View()).workers[0]
    assert row.slots == 3
    assert "hunter2" not in worker.log_path.read_text()
    assert not [word for word in psutil.Process(worker.pid).cmdline() if "hunter2" in word]


def test_names_and_logs_are_never_used_twice(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("gigq_tui.actions.workers.pool.secrets.token_hex", lambda _: next(tokens))
    first = pool.spawn()
    pool._spawned = 0
    second = pool.spawn()
    assert (first.worker_id, second.worker_id) == ("w1-aaaa", "w1-bbbb")
    assert first.log_path != second.log_path


def test_scaling_down_stops_idle_ones_and_then_busy_ones_after_their_job(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    busy = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    idle = [pool.spawn(), pool.spawn()]
    wait_until(lambda: len(health(path)) == 3, what="their rows")
    asked = pool.drain_some(3, busy_too=True)
    assert asked == ([idle[1].worker_id, idle[0].worker_id], [busy.worker_id])
    wait_until(lambda: pool.alive() == (busy,), what="the idle ones to end")
    assert pool.drain_some(3, busy_too=True) == ([], [])
    (folder / "go").touch()
    wait_until(lambda: pool.alive() == (), what="the busy one to end")
    assert status(path, job) == "completed"
    assert [end.exit_code for end in pool.reap()] == [0, 0, 0]


def test_a_worker_that_hears_nothing_is_killed_and_its_job_released(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    os.kill(worker.pid, signal.SIGSTOP)
    held = held_by(path, worker.worker_id)
    assert not pool.kill(worker.worker_id, patience_s=0.5)
    assert [end.exit_code for end in pool.reap()] == [-signal.SIGKILL]
    assert [fate.said(worker.worker_id) for fate in fates_of(path, held)] == ["is not released yet"]
    report = QueueActions(path).release([job])
    assert report.outcomes[0].reason == "it waits for another attempt"
    assert [fate.said(worker.worker_id) for fate in fates_of(path, held)] == [
        "went back to the queue"
    ]


def test_a_release_says_what_became_of_each(pool: WorkerPool, path: Path, folder: Path) -> None:
    queue = JobQueue(path)
    function = FunctionReference("pool_project", "wait_for")
    params = {"path": str(folder / "go")}
    last = queue.submit(Job("last", function, params, max_attempts=1))
    never = queue.submit(Job("never again", function, params, on_crash="fail"))
    pool.setup = replace(pool.setup, slots=2)
    worker = pool.spawn()
    wait_until(
        lambda: all(status(path, job) == "running" for job in (last, never)), what="both to run"
    )
    alive = QueueActions(path).release([last])
    assert "lives: cancel it instead" in alive.outcomes[0].reason
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(pool.reap, what="the worker to be dead")
    report = QueueActions(path).release([last, never])
    assert [outcome.reason for outcome in report.outcomes] == [
        "it failed: its attempts are used up (1 of 1)",
        "it failed: it must not run again after a crash",
    ]
    assert [status(path, job) for job in (last, never)] == ["failed", "failed"]


def test_stopping_lets_the_job_finish(pool: WorkerPool, path: Path, folder: Path) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    pool.drain(worker.worker_id)
    with pytest.raises(GigQError, match="draining already"):
        pool.drain(worker.worker_id)
    assert pool.alive() == (worker,)
    assert pool.staying() == ()
    (folder / "go").touch()
    ended = wait_until(pool.reap, what="the worker to end")
    assert [(end.worker_id, end.exit_code) for end in ended] == [(worker.worker_id, 0)]
    assert status(path, job) == "completed"
    assert pool.alive() == pool.reap() == ()


def test_killing_gives_the_job_back(pool: WorkerPool, path: Path, folder: Path) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    assert pool.kill(worker.worker_id)
    assert process_start(worker.pid) is None
    (ended,) = pool.reap()
    assert ended.worker_id == worker.worker_id
    assert ended.exit_code == 128 + signal.SIGTERM
    assert status(path, job) == "pending"
    assert health(path)[worker.worker_id] is Health.STOPPED


def test_an_idle_worker_is_found_among_busy_ones(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    busy = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    idle = pool.spawn()
    wait_until(lambda: len(health(path)) == 2, what="the second worker's row")
    assert pool.drain_some(2, busy_too=False) == ([idle.worker_id], [])
    wait_until(lambda: pool.alive() == (busy,), what="the idle worker to end")
    assert pool.drain_some(1, busy_too=False) == ([], [])
    assert pool.staying() == (busy,)
    (folder / "go").touch()


def test_ending_all_is_bounded_and_leaves_no_process(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    jobs = [submit(path, "wait_for", path=str(folder / "never")) for _ in range(2)]
    workers = [pool.spawn(), pool.spawn()]
    wait_until(lambda: all(status(path, job) == "running" for job in jobs), what="both jobs to run")
    ended = pool.end_all(10)
    assert {end.worker_id for end in ended} == {worker.worker_id for worker in workers}
    assert all(process_start(worker.pid) is None for worker in workers)
    assert [status(path, job) for job in jobs] == ["pending", "pending"]


def test_workers_that_are_left_go_on_without_the_console(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    worker = pool.spawn()
    wait_until(lambda: health(path), what="the worker's row")
    assert pool.leave_running() == (worker,)
    assert pool.alive() == ()
    assert pool.end_all() == ()
    job = submit(path, "touch", path=str(folder / "made"))
    wait_until(lambda: status(path, job) == "completed", what="the job to complete")
    # A console that is started later sees it as one of a console's, and can ask it.
    later = WorkerPool(path, pool.setup)
    assert later.alive() == ()
    (row,) = Reader(path).snapshot(View()).workers
    assert (row.id, row.owner, row.health) == (worker.worker_id, "console", Health.ALIVE)
    asked = QueueActions(path)
    asked.ask_worker(worker.worker_id, "pause")
    wait_until(lambda: Reader(path).snapshot(View()).workers[0].state == "paused", what="a pause")
    asked.ask_worker(worker.worker_id, "drain")
    wait_until(lambda: process_start(worker.pid) is None, what="the worker to end")
    # Its exit status was collected, although nobody here minds it any more.
    wait_until(lambda: not psutil.pid_exists(worker.pid), what="no zombie to be left")
    assert health(path)[worker.worker_id] is Health.STOPPED


def test_a_worker_that_ends_at_once_is_told_of_with_its_last_words(
    path: Path, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken-python"
    broken.write_text("#!/bin/sh\necho 'the library libfoo is missing' >&2\nexit 7\n")
    broken.chmod(0o755)
    pool = WorkerPool(path, WorkerSetup(str(broken), folder))
    try:
        submit(path, "touch", path=str(folder / "made"))
        pool.spawn()
        ended = wait_until(pool.reap, 30, what="the worker to end")
        assert ended[0].exit_code != 0
        assert ended[0].last_log_line
    finally:
        pool.end_all(10)


def test_what_cannot_be_spawned_is_told_in_a_sentence(path: Path, folder: Path) -> None:
    with pytest.raises(GigQError, match="no interpreter"):
        WorkerPool(path, WorkerSetup(str(folder / "none"), folder)).spawn()
    with pytest.raises(GigQError, match="no folder"):
        WorkerPool(path, WorkerSetup(sys.executable, folder / "none")).spawn()
    with pytest.raises(GigQError, match="at least one slot"):
        WorkerPool(path, WorkerSetup(sys.executable, folder, slots=0)).spawn()
    with pytest.raises(DatabaseMissing):
        WorkerPool(folder / "gone.db", WorkerSetup(sys.executable, folder)).spawn()
    assert not (folder / "gone.db").exists()
    with pytest.raises(GigQError, match="not a running worker"):
        WorkerPool(path, WorkerSetup(sys.executable, folder)).drain("w1")


def test_a_user_module_of_the_same_name_as_ours_does_no_harm(
    pool: WorkerPool, path: Path, folder: Path
) -> None:
    for name in ("click.py", "gigq_core.py", "logging.py"):
        (folder / name).write_text("raise RuntimeError('not yours')\n")
    pool.spawn()
    wait_until(lambda: health(path), what="the worker's row")
    assert list(health(path).values()) == [Health.ALIVE]


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"x" * 20_000 + b"\nthe end\xff\n\n  \n")
    assert last_line(log) == "the end\N{REPLACEMENT CHARACTER}"
    log.write_bytes(b"\n\n")
    assert last_line(log) == ""
