"""Async functions are jobs: each runs in an event loop of its own, and ends when it is stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, task
from gigq_core.functions.call_signature import needs_ours
from gigq_core.job import FunctionReference
from tests.integration import chores, telling
from tests.integration.conftest import BEGUN_BY_S, Place, Works, gone
from tests.waiting import wait_until


def submit(place: Place, function: str, **options: Any) -> str:
    reference = FunctionReference(telling.__name__, function)
    return place.queue.submit(Job(function, reference, **options))


@pytest.mark.parametrize(
    ("function", "params", "result"),
    [
        ("at_once", {}, "at once"),
        ("later", {"value": [1]}, [[1], 1]),
        ("wrapped_later", {"value": None}, [None, 1]),
        ("save_async", {}, True),
    ],
)
def test_what_it_returns_is_the_result(
    place: Place, works: Works, function: str, params: dict[str, Any], result: Any
) -> None:
    works()
    job = place.end(submit(place, function, params=params, max_attempts=1))
    assert (job["status"], job["result"]) == ("completed", result), job["error"]


def test_a_failure_tells_of_the_jobs_own_lines(place: Place, works: Works) -> None:
    works()
    job = place.end(submit(place, "fail_later", max_attempts=1))
    assert (job["status"], job["error"]) == ("failed", "KeyError: 'customer'")
    told = job["executions"][0]["traceback"]
    assert "telling.py" in told
    assert "asyncio" not in told
    assert "runner.py" not in told


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_it_is_cancelled_and_can_tidy_up(
    place: Place, works: Works, tmp_path: Path, how: str
) -> None:
    works()
    params = {"path": str(tmp_path / "pid"), "cleaned": str(tmp_path / "cleaned")}
    timeout = BEGUN_BY_S if how == "timeout" else 60
    job_id = submit(place, "hold_async", params=params, timeout=timeout, max_attempts=1)
    place.lines("pid")
    if how == "cancel":
        place.queue.cancel(job_id)
    began = time.monotonic()
    job = place.end(job_id)
    assert job["status"] == {"timeout": "timeout", "cancel": "cancelled"}[how]
    assert place.lines("cleaned") == ["cleaned up"]
    assert time.monotonic() - began < 15
    # The next one runs as if nothing had been.
    assert place.end(submit(place, "at_once"))["result"] == "at once"


def test_one_that_will_not_be_cancelled_is_killed(place: Place, tmp_path: Path) -> None:
    place.worker("--grace", "0.3")
    params = {"path": str(tmp_path / "pid")}
    job_id = submit(
        place, "hold_stubbornly_async", params=params, timeout=BEGUN_BY_S, max_attempts=1
    )
    pid = int(place.lines("pid")[0])
    job = place.end(job_id)
    assert job["status"] == "timeout"
    wait_until(lambda: gone(pid))
    assert "not I" in place.lines("pid", 2)


def test_one_process_runs_them_among_others(place: Place) -> None:
    place.worker()
    jobs = []
    for _ in range(5):
        jobs.append(place.submit(telling.short))
        place.submit(telling.at_once)
        place.submit(chores.nothing)
    assert len({job["result"] for job in place.ended(*jobs)}) == 1
    assert place.progress(jobs[0])["done"] == 2


async def awaited(job_context: Any = None) -> None: ...


def needing(x: int, *, job_context: Any) -> None: ...


def free(x: int, job_context: Any = None, **more: Any) -> None: ...


def of_any(**more: Any) -> None: ...


def by_position(job_context: Any, /) -> None: ...


@pytest.mark.parametrize(
    ("function", "ours"),
    [
        (awaited, True),
        (task(awaited), True),
        (needing, True),
        (task(needing), True),
        (telling.passing_on(telling.passing_on(needing)), True),
        # What wraps an async function, and is none itself, may have a loop of its own.
        (telling.passing_on(awaited), False),
        (free, False),
        (telling.passing_on(free), False),
        (of_any, False),
        (by_position, False),
        (chores.add, False),
        (print, False),
        (int, False),
    ],
)
def test_what_gigqs_workers_could_not_run(function: Any, ours: bool) -> None:
    assert needs_ours(function) is ours
    assert needs_ours(function) is ours
