"""Workers keep to a job's retry policy, and do what a job asks for by what it raises."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Backoff, Job, JobQueue
from gigq_core.worker.decisions import SNOOZED_IN_A_ROW
from tests.integration import asking
from tests.integration.conftest import Place
from tests.waiting import wait_until


@pytest.fixture(params=["process", "thread"])
def working(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A file, and a worker on it."""
    place = Place(tmp_path)
    place.worker("--isolation", request.param, "--concurrency", "4")
    yield place
    place.close()


def calls(place: Place, name: str) -> list[float]:
    """When a job's function was called."""
    return [float(line) for line in place.lines(name)]


def submit(place: Place, name: str, function: Callable[..., Any], **more: Any) -> str:
    """Submit a job that notes its calls in a file of that name."""
    params = {"path": str(place.folder / name), **more.pop("params", {})}
    return place.submit(function, name=name, params=params, **more)


def decisions(job: dict[str, Any]) -> list[str | None]:
    """What was decided after each attempt."""
    return [execution["decision"] for execution in job["executions"]]


# name, what is raised, options, how often it is called, what was decided at last
KINDS: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("ValueError", {}, 3, None),
    ("ValueError", {"retry_on": [ValueError]}, 3, "its attempts are used up (3 of 3)"),
    ("ValueError", {"retry_on": ["OSError", "KeyError"]}, 1, "ValueError is not in retry_on"),
    ("ValueError", {"give_up_on": [ValueError]}, 1, "ValueError is in give_up_on"),
    ("ValueError", {"give_up_on": [OSError]}, 3, "its attempts are used up (3 of 3)"),
    ("KeyError", {"retry_on": [LookupError]}, 3, "its attempts are used up (3 of 3)"),
    ("KeyError", {"give_up_on": "Exception"}, 1, "Exception is in give_up_on"),
    ("Busy", {"retry_on": ["OSError"]}, 3, "its attempts are used up (3 of 3)"),
    ("Busy", {"retry_on": [asking.Busy]}, 3, "its attempts are used up (3 of 3)"),
    (
        "Busy",
        {"retry_on": [OSError], "give_up_on": ["tests.integration.asking.Busy"]},
        1,
        "tests.integration.asking.Busy is in give_up_on",
    ),
    ("Deep", {"retry_on": [asking.Busy]}, 3, "its attempts are used up (3 of 3)"),
    ("Deep", {"give_up_on": [ConnectionError]}, 1, "ConnectionError is in give_up_on"),
    ("Busy", {"retry_on": [asking.Deep1]}, 1, "tests.integration.asking.Busy is not in retry_on"),
    ("Deepest", {"retry_on": ["OSError"]}, 3, "its attempts are used up (3 of 3)"),
    ("Deepest", {"give_up_on": ["OSError"]}, 1, "OSError is in give_up_on"),
    ("exit", {"give_up_on": [SystemExit]}, 1, "SystemExit is in give_up_on"),
    ("foreign", {}, 3, None),
]


def test_exceptions_decide_whether_it_is_tried_again(working: Place) -> None:
    ids = [
        submit(working, f"{n}", asking.fails, params={"kind": kind}, **options)
        for n, (kind, options, _, _) in enumerate(KINDS)
    ]
    for n, (job, (kind, options, times, decided)) in enumerate(
        zip(working.ended(*ids), KINDS, strict=True)
    ):
        case = (kind, options)
        assert job["status"] == "failed", case
        assert (job["attempts"], len(calls(working, f"{n}"))) == (times, times), case
        last = None if decided is None else f"not retried: {decided}"
        again = None if decided is None else "retry at once"
        assert decisions(job) == [*[again] * (times - 1), last], case
        assert all(execution["status"] == "failed" for execution in job["executions"])


def test_a_class_is_known_by_every_name_that_holds_it(working: Place) -> None:
    # As from a process that has not imported it: there, the name of the class itself is kept.
    kinds = [
        ("give_up_on", "tests.integration.asking.Broken", 1),
        ("retry_on", "no.such.Broken", 1),
    ]
    kinds += [
        ("retry_on", "tests.integration.asking.Broken", 3),
        ("give_up_on", "asking.Broken", 3),
    ]
    ids = []
    for n, (option, name, _) in enumerate(kinds):
        params = {"kind": "Broken"}
        job_id = submit(working, f"{n}", asking.fails, params=params, ours=True, run_after="1h")
        working.change(
            "UPDATE jobs SET retry_policy = ?, due = 1 WHERE id = ?",
            json.dumps({option: [name]}),
            job_id,
        )
        ids.append(job_id)
    for job, (option, name, attempts) in zip(working.ended(*ids), kinds, strict=True):
        assert job["attempts"] == attempts, (option, name)
    assert decisions(working.job(ids[0])) == [
        "not retried: tests.integration.asking.Broken is in give_up_on"
    ]


def test_delays_are_kept_and_the_last_attempt_never_waits(working: Place) -> None:
    more = {"params": {"kind": "ValueError"}, "max_attempts": 4}
    grows = submit(working, "grows", asking.fails, retry=Backoff(0.1, 3, 0.35), **more)
    listed = submit(working, "listed", asking.fails, retry=[0, "300ms"], **more)
    begun = time.time()
    for job in working.ended(grows, listed):
        assert (job["status"], job["attempts"]) == ("failed", 4)
        assert job["run_at"] is None
    # Well before another delay would have passed.
    assert time.time() - begun < 15
    for name, least in (("grows", [0.1, 0.3, 0.35]), ("listed", [0.0, 0.3, 0.3])):
        gaps = [later - earlier for earlier, later in pairwise(calls(working, name))]
        assert all(gap >= wanted - 0.002 for gap, wanted in zip(gaps, least, strict=True)), gaps
    said = decisions(working.job(grows))
    assert said[:3] == ["retry in 0.1s", "retry in 0.3s", "retry in 0.35s"]


def test_a_timeout_is_retried_or_not(working: Place) -> None:
    more: dict[str, Any] = {"timeout": 0.2, "max_attempts": 2}
    plain = submit(working, "plain", asking.sleeps, **more)
    fail = submit(working, "fail", asking.sleeps, on_timeout="fail", **more)
    # It is no exception, so what is said of those is not meant.
    other = submit(working, "other", asking.sleeps, retry_on=[KeyError], retry=[0.05], **more)
    jobs = working.ended(plain, fail, other)
    assert [job["status"] for job in jobs] == ["timeout"] * 3
    assert [job["attempts"] for job in jobs] == [2, 1, 2]
    assert decisions(jobs[0]) == [None, None]
    assert decisions(jobs[1]) == ["not retried: on_timeout is fail"]
    assert decisions(jobs[2]) == [
        "retry in 0.05s",
        "not retried: its attempts are used up (2 of 2)",
    ]


def test_a_job_asks_to_be_tried_again(working: Place) -> None:
    more = {"params": {"what": ["retry", 0.2], "times": 2}}
    job = working.end(submit(working, "again", asking.asks, retry_delay=3_000, **more))
    assert (job["status"], job["result"], job["attempts"]) == ("completed", 2, 3)
    first, second, third = calls(working, "again")
    assert second - first >= 0.198
    assert third - second >= 0.198
    assert decisions(job) == ["retry in 0.2s, as the job asked"] * 2 + [None]
    # It counts as an attempt, and its exception is not asked about.
    more = {"params": {"what": ["retry"]}, "max_attempts": 2, "retry": [0.1]}
    job = working.end(submit(working, "ends", asking.asks, retry_on=[KeyError], **more))
    assert (job["status"], job["attempts"]) == ("failed", 2)
    assert decisions(job) == [
        "retry in 0.1s, as the job asked",
        "not retried: its attempts are used up (2 of 2)",
    ]


@pytest.mark.parametrize("what", [["snooze", "50ms"], ["marked"]])
def test_a_job_puts_itself_off_and_that_does_not_count(working: Place, what: list[Any]) -> None:
    more = {"params": {"what": what, "times": 5}, "max_attempts": 1, "retry_delay": 3_000}
    job = working.end(submit(working, "off", asking.asks, **more))
    assert (job["status"], job["result"], job["attempts"]) == ("completed", 5, 1)
    executions = job["executions"]
    assert [one["status"] for one in executions] == ["snoozed"] * 5 + ["completed"]
    assert all(one["error"] is None and one["traceback"] is None for one in executions)
    delay = "0.05s" if len(what) == 2 else "0.01s"
    assert decisions(job) == [f"put off for {delay}, as the job asked"] * 5 + [None]
    assert all(later - earlier >= 0.009 for earlier, later in pairwise(calls(working, "off")))


def test_while_it_is_put_off_it_waits_as_any_other(working: Place) -> None:
    more = {"params": {"what": ["snooze", "1h"]}, "max_attempts": 1}
    job_id = submit(working, "off", asking.asks, **more)
    wait_until(lambda: working.job(job_id)["run_at"], what="the job to be put off")
    job = working.job(job_id)
    assert (job["status"], job["attempts"], job["error"]) == ("pending", 0, None)
    assert working.queue.stats()["pending"] == 1
    # Nothing failed, so the worker counts no failure.
    assert [row["failed"] for row in working.rows("SELECT failed FROM core_workers")] == [0]


def test_a_job_gives_up(working: Place) -> None:
    more = {"params": {"what": ["give_up", "the order is gone"]}, "max_attempts": 5}
    job = working.end(submit(working, "up", asking.asks, retry=[0.01], **more))
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert "the order is gone" in job["error"]
    assert decisions(job) == ["not retried: the job gave up"]


def test_a_job_that_puts_itself_off_for_ever_comes_to_an_end(place: Place) -> None:
    job_id = submit(place, "off", asking.asks, params={"what": ["snooze", 0]}, max_attempts=2)
    # As if it had done so again and again.
    place.change(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began) "
        "SELECT 'e' || i, ?, 'w', 'snoozed', '2020-01-01T00:00:00', i FROM n",
        SNOOZED_IN_A_ROW - 2,
        job_id,
    )
    place.worker()
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 2)
    statuses = [one["status"] for one in job["executions"]]
    assert statuses[-4:] == ["snoozed", "snoozed", "snoozed", "failed"]
    assert len(calls(place, "off")) == 4
    assert [f"{SNOOZED_IN_A_ROW:,} times in a row" in said for said in decisions(job)[-4:]] == [
        *[False, False, True, True]
    ]
    # Nothing was wrong with the process that it ran in.
    assert "is replaced" not in place.log()


def test_a_policy_that_is_damaged_fails_its_job_alone(working: Place) -> None:
    params = {"kind": "ValueError", "times": 0}
    bad = submit(working, "bad", asking.fails, params=params, run_after="1h", retry=[5])
    working.change("UPDATE jobs SET retry_policy = '{', due = 1 WHERE id = ?", bad)
    good = submit(working, "good", asking.fails, params=params, retry=[5])
    jobs = working.ended(bad, good)
    assert [job["status"] for job in jobs] == ["failed", "completed"]
    assert "retry policy" in jobs[0]["error"]


def test_a_hidden_job_runs_and_stays_hidden_between_attempts(working: Place) -> None:
    params = {"kind": "Busy", "times": 1}
    more: dict[str, Any] = {"retry_on": [OSError], "retry": [0.3], "run_after": 0.3}
    begun = time.time()
    job_id = submit(working, "hidden", asking.fails, params=params, **more)
    seen = set()

    def ended() -> bool:
        (row,) = working.rows("SELECT status, retry_after FROM jobs WHERE id = ?", job_id)
        if row["status"] == "pending":
            seen.add(row["retry_after"])
        return bool(row["status"] == "completed")

    wait_until(ended, what="the job to end")
    assert seen <= {"9999-12-31T23:59:58", "9999-12-31T23:59:57"}
    first, second = calls(working, "hidden")
    assert first - begun >= 0.298
    assert second - first >= 0.298


def test_gigqs_worker_keeps_to_the_first_delay(tmp_path: Path) -> None:
    import gigq

    queue = JobQueue(tmp_path / "q.db")
    path = str(tmp_path / "calls")
    params = {"path": path, "kind": "ValueError"}
    job_id = queue.submit(Job("j", asking.fails, params, max_attempts=3, retry=[0.2, 3_000]))
    worker = gigq.Worker(str(tmp_path / "q.db"))

    def ended() -> bool:
        worker.process_one()
        return bool(queue.get_status(job_id)["status"] == "failed")

    wait_until(ended, what="GigQ's worker to give up")
    worker.close()
    times = [float(line) for line in Path(path).read_text().splitlines()]
    assert len(times) == 3
    assert all(later - earlier >= 0.198 for earlier, later in pairwise(times))
    queue.close()
