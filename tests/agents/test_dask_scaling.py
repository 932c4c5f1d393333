"""Dask clusters that grow, shrink, die and come back, as jobs come and go."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from tests.agents.dask_cluster import LONG_ENOUGH_S, Adaptive, DaskCluster, on_scheduler
from tests.agents.dask_turns import Turns
from tests.waiting import wait_until


def test_an_adaptive_cluster_grows_from_none_keeps_what_is_busy_and_ends_with_none(
    adaptive: Adaptive,
) -> None:
    turns = Turns(adaptive.address)
    takes, here = turns.placement.takes_jobs, turns.here
    try:
        # What takes no job is no reason to grow; and two slots for two jobs are enough.
        assert adaptive.workers() == 0

        def ready(count: int, jobs: int) -> bool:
            turns.placement.wanted(jobs)
            return sum(map(takes, here)) == count

        turns.until(lambda: ready(1, 2))
        assert adaptive.workers() == 1
        (first,) = here
        turns.placement.busy(first, 2)
        # A third one finds no slot.
        turns.until(lambda: ready(2, 1))
        assert adaptive.workers() == 2
        (second,) = set(here) - {first}
        turns.placement.busy(second, 1)
        turns.placement.wanted(0)
        # The first one's jobs end, so that one is closed; never the one that is busy.
        turns.placement.busy(first, 0)
        turns.until(lambda: first not in here)
        end = time.monotonic() + LONG_ENOUGH_S
        turns.until(lambda: time.monotonic() > end)
        assert adaptive.workers() == 1
        assert takes(second)
        turns.placement.busy(second, 0)
        turns.until(lambda: not here)
        turns.until(lambda: adaptive.workers() == 0)
    finally:
        turns.close()


def test_a_scheduler_that_dies_is_told_and_found_again_when_it_is_back(tmp_path: Path) -> None:
    cluster = DaskCluster(tmp_path)
    cluster.start_worker()
    turns = Turns(cluster.address)
    try:
        turns.places(1)
        cluster.end(cluster.scheduler, signal.SIGKILL)
        trouble = turns.until(lambda: turns.placement.trouble)
        assert trouble.startswith(f"The Dask scheduler at {cluster.address} can't be reached: ")
        assert "\n" not in trouble
        turns.until(lambda: not turns.here)
        cluster.start_scheduler(int(cluster.address.rsplit(":", 1)[1]))
        cluster.start_worker()
        turns.places(1)
        turns.until(lambda: turns.placement.trouble is None)
        name = next(iter(turns.here))
        turns.until(lambda: (turns.placement.wanted(1), turns.placement.takes_jobs(name))[1])
    finally:
        turns.close()
        cluster.close()


def test_a_scheduler_that_is_not_there_is_told(tmp_path: Path) -> None:
    turns = Turns("tcp://127.0.0.1:1")
    try:
        trouble = turns.until(lambda: turns.placement.trouble)
        assert trouble.startswith("The Dask scheduler at tcp://127.0.0.1:1 can't be reached: ")
        assert "\n" not in trouble
    finally:
        turns.close()


def test_a_dask_worker_is_held_again_when_the_connection_to_the_scheduler_was_lost(
    tmp_path: Path,
) -> None:
    cluster = DaskCluster(tmp_path)
    cluster.start_worker()
    turns = Turns(cluster.address)
    try:
        (placed,) = turns.places(1)
        turns.until(lambda: (turns.placement.wanted(1), turns.placement.takes_jobs(placed.name))[1])
        turns.placement.busy(placed.name, 1)
        turns.placement.wanted(0)
        (before,) = wait_until(lambda: long_running(cluster.address))
        forget_clients(cluster.address)
        turns.until(lambda: set(long_running(cluster.address)) - {before})
        assert list(turns.here) == [placed.name]
    finally:
        turns.close()
        cluster.close()


def long_running(scheduler: str) -> list[str]:
    """The tasks that no adaptive cluster closes a Dask worker under."""
    return on_scheduler(
        scheduler,
        lambda dask_scheduler: [
            str(task.key) for one in dask_scheduler.workers.values() for task in one.long_running
        ],
    )


def forget_clients(scheduler: str) -> None:
    """Cut the connections of all bridges to it."""

    def cut(dask_scheduler: Any) -> None:
        for client, comm in list(dask_scheduler.client_comms.items()):
            if "gigq" in client:
                comm.comm.abort()

    on_scheduler(scheduler, cut)
