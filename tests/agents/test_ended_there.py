"""Agents that somebody at the far end wants to end: their jobs are not the reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.agents.dask_cluster import START_WITHIN_S, DaskCluster, with_client
from tests.agents.places import AgentsPlace
from tests.integration import chores
from tests.integration.conftest import stop
from tests.waiting import wait_until

WHOM: dict[str, Callable[[int, list[int]], list[int]]] = {
    "the agent": lambda agent, _: [agent],
    "its inner guard": lambda agent, _: [_above(agent)],
    "its outer guard": lambda agent, _: [_above(_above(agent))],
    # As `scancel` and the host's shutdown do; which comes first is chance.
    "all, from below": lambda _, pids: sorted(pids, reverse=True),
    "all, from above": lambda _, pids: sorted(pids),
}


def _above(pid: int) -> int:
    return psutil.Process(pid).ppid()


@pytest.mark.parametrize("whom", WHOM)
def test_an_agent_that_is_told_to_end_gives_its_jobs_back(
    agents_place: AgentsPlace, whom: str
) -> None:
    place = agents_place
    free = place.folder / "free"
    params = {"path": str(place.folder / "pids"), "free": str(free)}
    jobs = [
        place.submit(chores.hold_until, params=params, on_crash="fail", max_attempts=1)
        for _ in range(2)
    ]
    worker = place.far_worker(place.via(), concurrency=2)
    place.lines("pids", 2)
    on_record = "SELECT 1 FROM job_executions WHERE agent IS NOT NULL"
    wait_until(lambda: len(place.rows(on_record)) == 2)
    (agent,) = place.agents("ready")
    for pid in WHOM[whom](agent["pid"], place.far_pids()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    place.lines("pids", 4)
    free.touch()
    for job in place.ended(*jobs, timeout_s=60):
        told = [(attempt["status"], attempt["error"]) for attempt in job["executions"]]
        assert told[-1] == ("completed", None), (told, place.log())
        assert [status for status, _ in told] == ["cancelled", "completed"], (told, place.log())
        assert "SIGTERM" in told[0][1]
        assert job["attempts"] == 1
    assert stop(worker) == 0


def test_a_dask_worker_that_is_retired_gives_its_jobs_back(
    agents_place: AgentsPlace, tmp_path: Path
) -> None:
    place = agents_place
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask")
    try:
        cluster.start_worker(threads=1)
        worker = place.far_worker(f"dask:{cluster.address}", remote_python=None)
        free = place.folder / "free"
        params = {"path": str(place.folder / "pids"), "free": str(free)}
        job = place.submit(chores.hold_until, params=params, on_crash="fail", max_attempts=1)
        place.lines("pids")
        cluster.start_worker(threads=1)
        wait_until(lambda: len(place.agents("ready")) == 2, START_WITHIN_S, "the second agent")
        # By its id, since both are on this host.
        (link,) = (a for a in place.agents() if a["busy"])
        of_link = "SELECT link FROM job_executions WHERE agent IS NOT NULL"
        (row,) = wait_until(lambda: place.rows(of_link))
        assert link["id"] == f"w0/{row['link']}"
        pid = int(place.lines("pids")[0])
        (retired,) = (
            address
            for address, its_pid in pids_of(cluster.address).items()
            if its_pid in {parent.pid for parent in psutil.Process(pid).parents()}
        )
        with_client(cluster.address, lambda client: client.retire_workers(workers=[retired]))
        wait_until(
            lambda: len((place.folder / "pids").read_text().split()) == 2,
            START_WITHIN_S,
            f"it to begin anew\n{place.log()}",
        )
        free.touch()
        (ended,) = place.ended(job, timeout_s=60)
        told = [(attempt["status"], attempt["link"]) for attempt in ended["executions"]]
        assert (ended["status"], ended["attempts"]) == ("completed", 1), (told, place.log())
        assert [status for status, _ in told] == ["cancelled", "completed"]
        assert told[0][1] == row["link"] != told[1][1]
        assert stop(worker) == 0
    finally:
        cluster.close()


def pids_of(scheduler: str) -> dict[str, int]:
    """The process of each Dask worker, by its address."""
    found: dict[str, int] = with_client(scheduler, lambda client: client.run(os.getpid))
    return found
