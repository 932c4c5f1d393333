"""The stack of a job that an agent runs: asked through the file, answered over the link."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from gigq_core.errors import StackUnavailable
from gigq_core.inspection.stack import stack_of
from gigq_core.worker.agents.lease import Lease
from tests.agents.places import HERE, AgentsPlace
from tests.agents.sshd import Sshd
from tests.integration import chores
from tests.waiting import wait_until


@pytest.fixture
def place(agents_place: AgentsPlace) -> AgentsPlace:
    return agents_place


def holding(place: AgentsPlace, tmp_path: Path, name: str = "held") -> str:
    """A job that holds, once it does."""
    job_id = place.submit(chores.hold, name=name, params={"path": str(tmp_path / name)})
    place.lines(name)
    return job_id


def test_the_stack_of_a_job_at_an_agent(place: AgentsPlace, tmp_path: Path, sshd: Sshd) -> None:
    place.far_worker(sshd.via, worker_id="far", concurrency=2, lease=Lease())
    job_id = holding(place, tmp_path)
    for _ in range(2):
        stack = stack_of(place.db, job_id)
        assert "in hold" in stack.splitlines()[-1]
        assert "runner.py" not in stack
    assert place.status(job_id) == "running"
    words = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "stack", job_id, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "in hold" in json.loads(done.stdout)["stack"]
    assert place.rows("SELECT * FROM core_asks") == []


def test_of_one_that_computes_in_c_and_while_many_ask(place: AgentsPlace, tmp_path: Path) -> None:
    place.far_worker(HERE, worker_id="far", concurrency=2, lease=Lease())
    far = place.submit(chores.compute, params={"path": str(tmp_path / "c")})
    held = holding(place, tmp_path)
    place.lines("c")
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = stack_of(place.db, far if number % 2 else held)

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert sorted(found) == list(range(8))
    for number, stack in found.items():
        assert ("in compute" if number % 2 else "in hold") in stack.splitlines()[-1]
    assert place.rows("SELECT * FROM core_asks") == []


def test_why_there_is_no_stack(place: AgentsPlace, tmp_path: Path) -> None:
    worker = place.far_worker(HERE, worker_id="far", concurrency=2, lease=Lease())
    job_id = holding(place, tmp_path)
    (agent,) = wait_until(lambda: place.rows("SELECT * FROM core_agents WHERE state = 'ready'"))
    os.kill(agent["pid"], signal.SIGSTOP)
    try:
        wait_until(lambda: place.rows("SELECT 1 FROM core_agents WHERE state = 'silent'"))
        # Its worker knows, and answers at once.
        with pytest.raises(StackUnavailable, match=f"Its agent on {agent['host']} has been silent"):
            stack_of(place.db, job_id)
    finally:
        with suppress(ProcessLookupError):
            os.kill(agent["pid"], signal.SIGCONT)
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(StackUnavailable, match=rf"is suspended.*kill -CONT {worker.pid}\.$"):
        stack_of(place.db, job_id, -2)
    worker.kill()
    worker.wait()
    with pytest.raises(StackUnavailable, match=r"Its worker .* is gone"):
        stack_of(place.db, job_id)
