"""The worker subprocesses of the console: spawned, drained, killed, left, told of when dead."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import DatabaseMissing, GigQError
from gigq_core.identity import process_start
from gigq_core.job import FunctionReference
from gigq_tui.actions.worker_setup import WorkerSetup
from gigq_tui.actions.workers import WorkerPool, last_line
from gigq_tui.store.models import Health
from gigq_tui.store.reader import Reader
from gigq_tui.store.view import View
from tests.waiting import wait_until

PROJECT = '''
import pathlib
import threading


def touch(path):
    pathlib.Path(path).write_text("done")
    return path


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


def test_stopping_lets_the_job_finish(pool: WorkerPool, path: Path, folder: Path) -> None:
    job = submit(path, "wait_for", path=str(folder / "go"))
    worker = pool.spawn()
    wait_until(lambda: status(path, job) == "running", what="the job to run")
    pool.stop(worker.worker_id)
    with pytest.raises(GigQError, match="asked already"):
        pool.stop(worker.worker_id)
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
    assert pool.stop_some(2, busy_too=False) == ([idle.worker_id], [])
    wait_until(lambda: pool.alive() == (busy,), what="the idle worker to end")
    assert pool.stop_some(1, busy_too=False) == ([], [])
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
    JobQueue(path).request_worker(worker.worker_id, "stop")
    wait_until(lambda: process_start(worker.pid) is None, what="the worker to end")


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
        WorkerPool(path, WorkerSetup(sys.executable, folder)).stop("w1")


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
