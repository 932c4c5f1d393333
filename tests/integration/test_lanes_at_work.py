"""Real workers keep to the limits of lanes: at a time, in a time, when one of them is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import FINAL, Place, gone
from tests.integration.lane_chores import busy_once, spans
from tests.waiting import wait_until


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def fill(place: Place, lane: str, count: int, for_s: float = 0.0, **options: object) -> list[str]:
    params = {"path": str(place.folder / lane), "for_s": for_s}
    return [
        place.submit(spans, name=f"{lane} {n}", params=params, lane=lane, **options)
        for n in range(count)
    ]


def at_once(place: Place, lane: str, count: int) -> int:
    """How many attempts of a lane ran at the same time, at most."""
    changes = []
    for line in place.lines(lane, at_least=count):
        began, ended, _ = map(float, line.split())
        changes += [(began, 1), (ended, -1)]
    running = most = 0
    for _, step in sorted(changes):
        running += step
        most = max(most, running)
    return most


def test_two_workers_together_keep_to_a_limit(place: Place) -> None:
    place.queue.set_lane("db", running=2)
    ids = fill(place, "db", 12, for_s=0.05)
    plain = [place.submit(spans, params={"path": str(place.folder / "p")}) for _ in range(5)]
    place.worker("--concurrency", "4")
    place.worker("--concurrency", "4", "--isolation", "thread")
    place.ended(*ids, *plain)
    assert at_once(place, "db", 12) == 2


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_rate_is_kept_and_used(place: Place, isolation: str) -> None:
    place.queue.set_lane("api", rate="5/s")
    ids = fill(place, "api", 10)
    place.worker("--concurrency", "4", "--isolation", isolation, "--polling-interval", "5")
    place.ended(*ids)
    starts = sorted(job["began"] for job in (place.queue.get_status(id) for id in ids))
    # Nine starts after the first, a fifth of a second apart, and nobody is woken late for one.
    assert starts[-1] - starts[0] >= 9 * 0.2 - 0.01
    assert starts[-1] - starts[0] < 9 * 0.2 * 2


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_one_that_is_told_to_wait_shuts_the_lane_for_all(place: Place, isolation: str) -> None:
    params = {"path": str(place.folder / "busy"), "after": 1.0, "lane": True}
    busy = place.submit(busy_once, params=params, lane="api", priority=5)
    ids = fill(place, "api", 5)
    free = place.submit(spans, params={"path": str(place.folder / "free")}, lane="other")
    place.worker("--isolation", isolation)
    place.ended(busy, free, *ids)
    first, again = map(float, place.lines("busy", at_least=2))
    began = [float(line.split()[0]) for line in place.lines("api", at_least=5)]
    assert min(began) >= first + 1.0
    assert again >= first + 1.0
    assert float(place.lines("free")[0].split()[0]) < first + 1.0
    # It counts as an attempt of the one that asked, and of no other.
    assert [place.job(id)["attempts"] for id in (busy, *ids)] == [2, 1, 1, 1, 1, 1]


def test_a_killed_worker_frees_the_places_of_its_jobs(place: Place) -> None:
    place.queue.set_lane("db", running=1)
    params = {"path": str(place.folder / "db"), "for_s": 60.0}
    long = place.submit(spans, name="long", params=params, lane="db", on_crash="fail")
    ids = fill(place, "db", 3)
    killed = place.worker()
    wait_until(lambda: place.status(long) == "running", what="the long job to begin")
    place.worker()
    (running,) = place.rows("SELECT pid FROM job_executions WHERE status = 'running'")
    os.kill(killed.pid, signal.SIGKILL)
    place.ended(long, *ids)
    assert place.status(long) == "failed"
    assert at_once(place, "db", 3) == 1
    wait_until(lambda: running["pid"] is None or gone(running["pid"]), what="its process to end")


def test_a_worker_of_lanes_alone_leaves_all_others(place: Place) -> None:
    place.queue.set_lane("gpu", reserved=True)
    gpu, other = fill(place, "gpu", 3), fill(place, "other", 3)
    plain = place.submit(spans, params={"path": str(place.folder / "p")})
    place.worker("--only-lanes", "gpu")
    place.ended(*gpu)
    assert {place.status(id) for id in (*other, plain)} == {"pending"}
    place.worker()
    place.ended(*other, plain)
    more = fill(place, "gpu", 2)
    place.ended(*more)
    workers = {
        row["name"]: row["worker_id"]
        for row in place.rows(
            "SELECT j.name, e.worker_id FROM jobs j JOIN job_executions e ON e.job_id = j.id"
        )
    }
    assert len({workers[f"gpu {n}"] for n in range(3)}) == 1
    assert workers["gpu 0"] != workers["other 0"]


def test_what_waits_for_its_lane_comes_when_another_program_makes_room(place: Place) -> None:
    """By what GigQ writes: nobody of ours looks at the lane before."""
    place.queue.set_lane("db", running=1)
    params = {"path": str(place.folder / "db"), "for_s": 0.0}
    (only,) = fill(place, "db", 1)
    place.worker()
    place.ended(only)
    waiting = place.submit(spans, name="waiting", params=params, lane="db", run_after=3600)
    place.change("UPDATE jobs SET due = NULL, retry_after = NULL WHERE id = ?", waiting)
    wait_until(lambda: place.status(waiting) in FINAL, what="it to be taken")
