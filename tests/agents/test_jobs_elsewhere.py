"""Jobs of a worker whose agents stand behind links: all that holds for jobs here holds there."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agents.dask_cluster import DaskCluster
from tests.integration import chores
from tests.integration.conftest import BEGUN_BY_S, Place, gone, stop
from tests.waiting import wait_until

PYTHON = ("--remote-python", sys.executable)
# A command that is executed as it is, and two that hand the words to a shell.
PREFIXES = ("env", "sh -c '\"$@\"' --", "sh -c '$*' --")


def agents(place: Place) -> list[dict[str, Any]]:
    return place.rows("SELECT * FROM core_agents ORDER BY id")


def attempts(place: Place, job_id: str) -> list[dict[str, Any]]:
    return place.rows("SELECT * FROM job_executions WHERE job_id = ? ORDER BY rowid", job_id)


@pytest.mark.parametrize("via", PREFIXES)
def test_jobs_run_wherever_a_command_leads(place: Place, via: str) -> None:
    done = [place.submit(chores.add, params={"a": n, "b": 1}) for n in range(12)]
    failed = place.submit(chores.fail, max_attempts=1)
    worker = place.worker("--via", via, *PYTHON, "-c", "2")
    assert [job["result"] for job in place.ended(*done)] == list(range(1, 13))
    job = place.end(failed)
    assert (job["status"], job["error"]) == ("failed", "ValueError: no good")
    (attempt,) = attempts(place, failed)
    assert "chores.py" in attempt["traceback"]
    (agent,) = agents(place)
    assert (agent["via"], agent["state"], agent["slots"]) == (via, "ready", 2)
    assert attempt["agent"] == agent["host"]
    assert attempt["pid"] not in (None, worker.pid)
    assert stop(worker) == 0
    (agent,) = agents(place)
    assert (agent["state"], agent["busy"]) == ("stopped", 0)
    assert gone(agent["pid"])


def test_no_job_of_it_runs_here_and_each_agent_has_its_slots(place: Place) -> None:
    worker = place.worker("--via", "env A=1", "--via", "env A=2", *PYTHON, "-c", "2")
    notes = str(place.folder / "pids")
    sleepers = [place.submit(chores.hold, params={"path": notes}) for _ in range(6)]
    wait_until(lambda: sum(place.status(job) == "running" for job in sleepers) == 4)
    wait_until(lambda: [agent["busy"] for agent in agents(place)] == [2, 2])
    (row,) = place.rows("SELECT isolation, slots FROM core_workers")
    assert row == {"isolation": "agents", "slots": 4}
    # They are told of with where they run, and that is no process of the worker's own.
    statement = "SELECT pid FROM job_executions WHERE agent IS NOT NULL"
    wait_until(lambda: len(place.rows(statement)) == 4)
    pids = {row["pid"] for row in place.rows(statement)}
    assert pids == set(map(int, place.lines("pids", 4)))
    # Both are on this host, and it is known which of them runs which.
    running = place.rows("SELECT link, count(*) AS n FROM job_executions GROUP BY link")
    assert running == [{"link": 1, "n": 2}, {"link": 2, "n": 2}]
    place.queue.cancel(sleepers[0])
    assert place.end(sleepers[0])["status"] == "cancelled"
    # A first signal lets them go on, a second one gives them back.
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: "is draining" in place.log())
    assert stop(worker) == 128 + signal.SIGTERM
    assert {place.status(job) for job in sleepers[1:]} == {"pending"}
    assert all(gone(pid) for pid in place.pids("pids"))


def test_a_timeout_kills_the_whole_tree_there(place: Place) -> None:
    notes = str(place.folder / "pids")
    options = {"timeout": BEGUN_BY_S, "max_attempts": 1}
    job = place.submit(chores.hold_stubbornly, params={"path": notes}, **options)
    place.worker("--via", "env", *PYTHON, "--grace", "0.5")
    assert place.end(job)["status"] == "timeout"
    assert all(gone(pid) for pid in place.pids("pids"))


def test_one_job_is_run_and_the_worker_ends(place: Place) -> None:
    job = place.submit(chores.add, params={"a": 1, "b": 2})
    place.submit(chores.nothing)
    made = "SELECT 1 FROM sqlite_master WHERE name = 'core_agent_jobs'"
    assert place.rows(made) == []
    worker = place.worker("--via", "env", *PYTHON, "--once", wait=False)
    assert worker.wait(60) == 0
    # By the first worker with agents: other files need not pay for it.
    assert len(place.rows(made)) == 1
    assert place.status(job) == "completed"
    assert place.queue.stats()["pending"] == 1


def test_each_dask_worker_has_an_agent_and_what_joins_or_leaves_is_followed(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask")
    try:
        first = cluster.start_worker(threads=2)
        place.worker("--via", f"dask:{cluster.address}", "--grace", "0.5")
        done = [place.submit(chores.add, params={"a": n, "b": 1}) for n in range(6)]
        assert [j["result"] for j in place.ended(*done, timeout_s=60)] == [1, 2, 3, 4, 5, 6]
        (agent,) = agents(place)
        assert (agent["state"], agent["slots"]) == ("ready", 2)
        second = cluster.start_worker(threads=1)
        wait_until(lambda: len(agents(place)) == 2, 60, "the second agent")
        held = [
            place.submit(chores.hold, params={"path": str(place.folder / "pids")}) for _ in range(3)
        ]
        wait_until(lambda: all(place.status(job) == "running" for job in held), 60)
        pids = [int(line) for line in place.lines("pids", 3)]
        cluster.end(second)
        # What ran there is dead, and runs again where there is room.
        wait_until(lambda: [agent["slots"] for agent in agents(place)] == [2], 60)
        wait_until(lambda: sum(gone(pid) for pid in pids) == 1)
        for job in held:
            place.queue.cancel(job)
        place.ended(*held, timeout_s=60)
        cluster.end(first)
    finally:
        cluster.close()


def test_a_pause_keeps_new_jobs_from_agents_and_what_runs_goes_on(place: Place) -> None:
    free = place.folder / "free"
    params = {"path": str(place.folder / "notes"), "free": str(free)}
    held = place.submit(chores.hold_until, params=params)
    worker = place.worker("--via", "env", *PYTHON, "-c", "2")
    place.lines("notes")
    place.queue.pause()
    later = place.submit(chores.add, params={"a": 1, "b": 2})
    free.touch()
    assert place.end(held)["status"] == "completed"
    assert place.status(later) == "pending"
    place.queue.resume()
    assert place.end(later)["result"] == 3
    assert stop(worker) == 0


def test_lanes_limit_what_runs_at_all_agents_together(place: Place) -> None:
    place.queue.set_lane("one", running=1)
    notes = str(place.folder / "notes")
    (place.folder / "notes.go").touch()
    jobs = [place.submit(chores.note_twice, params={"path": notes}, lane="one") for _ in range(8)]
    place.worker("--via", "env A=1", "--via", "env A=2", *PYTHON, "-c", "2")
    place.ended(*jobs, timeout_s=60)
    # Each wrote its two lines with nobody in between.
    assert place.lines("notes", 16) == ["begun", "ended"] * 8


def test_what_still_runs_is_given_back_so_long_after_the_first_signal(place: Place) -> None:
    params = {"path": str(place.folder / "notes")}
    job = place.submit(chores.hold_stubbornly, params=params)
    worker = place.worker("--via", "env", *PYTHON, "--grace", "0.5", "--stop-within", "0.5")
    place.lines("notes")
    assert stop(worker) == 0
    assert (place.status(job), place.job(job)["attempts"]) == ("pending", 0)
    assert all(gone(pid) for pid in place.pids("notes"))
