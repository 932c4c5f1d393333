"""Jobs of a real worker in Dask clusters that grow, shrink and lose what is between."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from tests.agents.dask_cluster import LONG_ENOUGH_S, START_WITHIN_S, Adaptive, DaskCluster
from tests.integration import chores
from tests.integration.conftest import Place, gone, stop
from tests.waiting import wait_until


def test_an_adaptive_cluster_comes_up_for_jobs_outlasts_long_ones_and_goes_with_the_last(
    place: Place, adaptive: Adaptive
) -> None:
    worker = place.worker("--via", f"dask:{adaptive.address}")
    # No Dask worker, no slot.
    assert place.rows("SELECT slots FROM core_workers") == [{"slots": 0}]
    free = place.folder / "free"
    held = place.submit(
        chores.hold_until,
        params={"path": str(place.folder / "pids"), "free": str(free)},
    )
    short = [place.submit(chores.add, params={"a": n, "b": 1}) for n in range(20)]
    ended = place.ended(*short, timeout_s=START_WITHIN_S)
    assert [job["result"] for job in ended] == list(range(1, 21))
    place.lines("pids")
    end = time.monotonic() + LONG_ENOUGH_S
    wait_until(lambda: time.monotonic() > end)
    assert adaptive.workers() >= 1
    free.touch()
    (job,) = place.ended(held)
    assert (job["status"], job["result"]) == ("completed", "freed")
    (attempt,) = place.rows("SELECT status FROM job_executions WHERE job_id = ?", held)
    assert attempt["status"] == "completed"
    wait_until(lambda: adaptive.workers() == 0, START_WITHIN_S, "the last Dask worker to be closed")
    assert worker.poll() is None
    assert stop(worker) == 0


def test_a_bridge_that_is_killed_takes_its_jobs_along_and_a_new_one_runs_others(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask")
    try:
        cluster.start_worker(threads=2)
        worker = place.worker("--via", f"dask:{cluster.address}", "-c", "1", "--grace", "0.5")
        path = place.folder / "pids"
        held = [place.submit(chores.hold, params={"path": str(path)}) for _ in range(2)]
        wait_until(lambda: path.exists(), START_WITHIN_S)
        (pid,) = place.pids("pids")
        # One slot, whatever the Dask worker has.
        ready = "SELECT slots, busy FROM core_agents WHERE state = 'ready'"
        wait_until(lambda: place.rows(ready) == [{"slots": 1, "busy": 1}])
        assert sorted(map(place.status, held)) == ["pending", "running"]
        (bridge,) = psutil.Process(worker.pid).children()
        os.kill(bridge.pid, signal.SIGKILL)
        wait_until(lambda: gone(pid), START_WITHIN_S)
        # What ran there is not given back before its lease has ended; the other one need not wait.
        wait_until(lambda: len(path.read_text().splitlines()) == 2, START_WITHIN_S)
        assert "The process that speaks to Dask ended with code -9" in place.log()
    finally:
        cluster.close()
