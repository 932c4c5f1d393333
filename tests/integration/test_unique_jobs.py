"""Unique jobs with real workers: what runs again, what is stopped, and GigQ's workers beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, Unique
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until


def unique(conflict: Any) -> Unique:
    return Unique("sync", conflict=conflict)


def runs(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def held(place: Place, conflict: Any, **options: Any) -> tuple[str, Path]:
    """A job that runs until it is let go."""
    began = place.folder / "began"
    params = {"path": str(began), "free": str(place.folder / "free")}
    job_id = place.submit(chores.hold_until, params=params, unique=unique(conflict), **options)
    wait_until(lambda: runs(began) == 1)
    return job_id, began


def test_no_trigger_during_a_run_is_lost_and_none_runs_twice(place: Place) -> None:
    place.worker("--concurrency", "4")
    first, began = held(place, "again")
    ids = {
        place.submit(
            chores.note, params={"path": str(began), "text": "again"}, unique=unique("again")
        )
        for _ in range(5)
    }
    (again,) = ids
    assert again != first
    assert place.status(again) == "pending"
    assert runs(began) == 1
    (place.folder / "free").touch()
    place.ended(first, again)
    assert [place.status(id) for id in (first, again)] == ["completed"] * 2
    assert runs(began) == 2
    # The key is free.
    assert place.submit(chores.nothing, unique=unique("error")) not in (first, again)


@pytest.mark.parametrize("conflict", ["again", "replace"])
def test_it_runs_after_a_run_that_failed_or_died_too(place: Place, conflict: Any) -> None:
    place.worker("--concurrency", "2", "--grace", "0.2")
    began = place.folder / "began"
    first = place.submit(
        chores.hold,
        params={"path": str(began)},
        unique=unique(conflict),
        max_attempts=1,
        timeout=60,
    )
    wait_until(lambda: runs(began) == 1)
    next_one = place.submit(chores.nothing, unique=unique(conflict))
    if conflict == "again":
        assert place.queue.cancel(first)
    # Replaced, it was asked to stop along with it.
    place.ended(first, next_one)
    assert place.status(first) == "cancelled"
    assert place.status(next_one) == "completed"
    assert place.job(first)["ended"] <= place.job(next_one)["began"]


def test_what_waits_for_a_replaced_job_runs_after_the_new_one(place: Place) -> None:
    old = place.submit(chores.fail, unique=unique("existing"), max_attempts=1)
    child = place.submit(chores.collect, dependencies=[old])
    new = place.submit(chores.add, params={"a": 1, "b": 2}, unique=unique("replace"))
    place.worker()
    place.ended(new, child)
    assert place.status(old) == "cancelled"
    assert place.queue.get_result(child) == [3]


def test_a_key_outlives_no_worker_that_is_killed(place: Place) -> None:
    worker = place.worker()
    began = place.folder / "began"
    job = Job("n", chores.hold, {"path": str(began)}, unique="k", on_crash="fail")
    place.queue.submit(job)
    wait_until(lambda: runs(began) == 1)
    worker.kill()
    worker.wait()
    twin = Job("n", chores.nothing, unique="k")
    # It is still said to run: nobody has looked.
    assert place.queue.submit(twin) == job.id
    place.worker()
    place.ended(job.id)
    other = Job("n", chores.nothing, unique="k")
    assert place.queue.submit(other) == other.id
    place.ended(other.id)


def test_a_job_may_submit_its_own_twin_for_later(place: Place) -> None:
    """The twin comes with its ending: with `again` it runs after it, and else it is there."""
    place.worker()
    for conflict, n in (("again", 2), ("existing", 1)):
        path = place.folder / conflict
        job_id = place.submit(
            chores.submit_twin,
            params={"path": str(path), "conflict": conflict},
            unique=Unique(conflict, conflict=conflict),
        )
        place.ended(job_id)
        wait_until(lambda: place.queue.stats()["pending"] + place.queue.stats()["running"] == 0)
        assert runs(path) == n
