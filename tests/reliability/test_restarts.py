"""A worker that dies and is started again by its service: who pays for it, and who does not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job
from tests.integration.conftest import FINAL, Place
from tests.reliability import hostile_jobs
from tests.reliability.tasks import runs
from tests.waiting import wait_until

MOST_STARTS = 60


def serve(place: Place, *options: str, until: Callable[[], bool], timeout_s: float = 120.0) -> int:
    """Start a worker, and start it again whenever it has died, until all is done."""
    workers: list[subprocess.Popen[bytes]] = []

    def turn() -> bool:
        if until():
            return True
        if not workers or workers[-1].poll() is not None:
            assert len(workers) < MOST_STARTS, place.log()
            workers.append(place.worker("--worker-id", "served", *options, wait=False))
        return False

    wait_until(turn, timeout_s, "the jobs to end")
    return len(workers)


def all_ended(place: Place, ids: list[str]) -> Callable[[], bool]:
    def ask() -> bool:
        rows = place.rows("SELECT id, status FROM jobs")
        return {row["status"] for row in rows if row["id"] in ids} <= set(FINAL)

    return ask


def submit(
    place: Place, kinds: list[str], path: Path, seconds: float = 0.0
) -> dict[str, list[str]]:
    """Good jobs and killers, in this order; the ids of each kind."""
    jobs = []
    ids: dict[str, list[str]] = {"good": [], "bad": []}
    for number, kind in enumerate(kinds):
        params: dict[str, Any] = {"path": str(path), "label": f"{kind}-{number}"}
        function = hostile_jobs.kill_the_worker
        if kind == "good":
            function, params["seconds"] = hostile_jobs.good, seconds
        jobs.append(Job(f"{kind}-{number}", function, params, max_attempts=3))
        ids[kind].append(jobs[-1].id)
    place.queue.submit_many(jobs)
    return ids


def attempts_of(place: Place, ids: list[str]) -> list[int]:
    return [place.job(job_id)["attempts"] for job_id in ids]


def assert_fair(place: Place, ids: dict[str, list[str]], path: Path, slots: int) -> None:
    for job in map(place.job, ids["bad"]):
        assert job["status"] == "failed", job
        assert "died" in job["error"]
        assert job["attempts"] == len(job["executions"]) == 3
        # Once, at most, it ran uncounted: it had been claimed ahead, and had begun a moment ago.
        assert len(runs(path)[job["name"]][0].words) <= 4
    good = [place.job(job_id) for job_id in ids["good"]]
    assert [job["status"] for job in good] == ["completed"] * len(good)
    for job in good:
        words = [execution["status"] for execution in job["executions"]]
        assert words == ["crashed"] * (len(words) - 1) + ["completed"]
        assert job["attempts"] == len(words)
    # Each death takes an attempt of those in the other slots at that moment, and of nobody else;
    # the first one of a killer, which may have been claimed ahead, also of one that had just ended,
    # if that was not on disk yet: on a busy machine its worker may not have had its turn.
    extra = sum(job["attempts"] - 1 for job in good)
    deaths = 4 * len(ids["bad"])
    assert extra <= deaths * (slots - 1) + len(ids["bad"])


def test_with_one_slot_the_row_that_kills_the_worker_pays_nearly_alone(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "runs"
    ids = submit(place, ["good"] * 30 + ["bad"] + ["good"] * 30, path)
    starts = serve(place, until=all_ended(place, ids["good"] + ids["bad"]))
    assert 4 <= starts <= 5
    assert_fair(place, ids, path, slots=1)
    assert sorted(attempts_of(place, ids["good"]))[:-1] == [1] * 59


def test_with_several_slots_only_those_pay_that_ran_at_that_moment(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "runs"
    # All of them are at work when it happens, and the same ones stand behind it each time.
    ids = submit(place, ["good"] * 3 + ["bad"] + ["good"] * 9, path, seconds=0.3)
    serve(place, "--concurrency", "3", until=all_ended(place, ids["good"] + ids["bad"]))
    assert_fair(place, ids, path, slots=3)
    # Nobody is beside it more than once.
    assert max(attempts_of(place, ids["good"])) <= 2


@pytest.mark.long
@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("gap", [1, 7, 40])
def test_many_killers_among_good_jobs(place: Place, tmp_path: Path, slots: int, gap: int) -> None:
    path = tmp_path / "runs"
    ids = submit(place, (["good"] * gap + ["bad"]) * 4 + ["good"] * 20, path, seconds=0.05)
    # One that was lost may run beside a killer that has not killed yet: once for each of the four.
    place.change("UPDATE jobs SET max_attempts = 6 WHERE name LIKE 'good-%'")
    until = all_ended(place, ids["good"] + ids["bad"])
    serve(place, "--concurrency", str(slots), until=until, timeout_s=300)
    assert_fair(place, ids, path, slots)


def test_the_jobs_of_a_worker_of_another_name_are_given_back_as_fairly(
    place: Place, tmp_path: Path
) -> None:
    ids = submit(place, ["good", "bad"] + ["good"] * 40, tmp_path / "runs")
    place.worker("--worker-id", "witness", "--concurrency", "1")
    for _ in range(4):
        place.worker(wait=False)
    done = all_ended(place, ids["good"] + ids["bad"])
    serve(place, until=done)
    assert place.job(ids["bad"][0])["status"] == "failed"
    assert {place.status(job_id) for job_id in ids["good"]} == {"completed"}
