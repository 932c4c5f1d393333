"""Looking ahead whether a worker would find the functions of what waits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference
from gigq_tui.actions.workers.preflight import Preflight
from gigq_tui.actions.workers.setup import WorkerSetup


def queue_of(path: Path, *functions: tuple[str, str]) -> Path:
    queue = JobQueue(path)
    for number, (module, name) in enumerate(functions):
        queue.submit(Job(name=f"j{number}", function=FunctionReference(module, name)))
    queue.close()
    return path


def test_a_worker_that_would_find_nothing_is_told_of(tmp_path: Path) -> None:
    path = queue_of(tmp_path / "jobs.db", ("not_here", "work"), ("nor_here", "work"))
    foresight, setup = Preflight(path), WorkerSetup(sys.executable, tmp_path)
    with pytest.raises(GigQError, match=r"No module named 'no.*_here'") as told:
        foresight.look(setup, "=")
    assert str(tmp_path) in str(told.value)
    assert "= sets up workers" in str(told.value)
    # A person may know better.
    foresight.trust(setup)
    foresight.look(setup, "=")


def test_one_function_that_is_found_is_enough(tmp_path: Path) -> None:
    path = queue_of(tmp_path / "jobs.db", ("not_here", "work"), ("project", "work"))
    (tmp_path / "project.py").write_text("def work(): ...\n")
    Preflight(path).look(WorkerSetup(sys.executable, tmp_path), "=")


def test_what_is_not_known_stands_against_nobody(tmp_path: Path) -> None:
    setup = WorkerSetup(sys.executable, tmp_path)
    Preflight(tmp_path / "no-such.db").look(setup, "=")
    (tmp_path / "empty.db").touch()
    Preflight(tmp_path / "empty.db").look(setup, "=")
    Preflight(queue_of(tmp_path / "idle.db")).look(setup, "=")
    path = queue_of(tmp_path / "jobs.db", ("not_here", "work"))
    elsewhere = WorkerSetup(sys.executable, tmp_path, environment=(("PYTHONPATH", "/srv"),))
    Preflight(path).look(elsewhere, "=")
