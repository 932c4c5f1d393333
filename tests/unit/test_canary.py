"""Which jobs of many that failed make a canary, and with what priority they are retried."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_core import Job, JobQueue, Undo
from gigq_core.changes.canary import LOOKED_AT, Failed, choose, may_go_on
from gigq_core.job import INTEGER_LIMIT, FunctionReference

Params = dict[str, object]
NONE: list[Failed[str]] = []
TIMES = st.one_of(st.none(), st.floats(0, 1e6), st.sampled_from([1.0, 2.0]))
JOBS = st.lists(
    st.tuples(TIMES, st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)),
    max_size=80,
)


def chosen(jobs: Sequence[Failed[str]], params: dict[str, Params], size: int) -> list[str]:
    return choose(jobs, size, lambda ids: {id: params[id] for id in ids})


@settings(deadline=None)
@given(JOBS, st.integers(1, 20), st.integers(0, 1_000))
def test_a_canary_is_spread_over_time_and_always_the_same(drawn, size: int, seed: int) -> None:
    jobs: list[Failed[str]] = [(f"{number:03}", ended) for number, (ended, _) in enumerate(drawn)]
    params: dict[str, Params] = {f"{number:03}": p for number, (_, p) in enumerate(drawn)}
    found = chosen(jobs, params, size)
    assert len(found) == len(set(found)) == min(size, len(jobs))
    order = [
        key
        for key, _ in sorted(
            jobs, key=lambda job: (float("-inf") if job[1] is None else job[1], job[0])
        )
    ]
    places = [order.index(id) for id in found]
    if len(jobs) > size:
        # One of each stretch of time, and so in their order.
        for at, place in enumerate(places):
            assert at * len(jobs) // size <= place < (at + 1) * len(jobs) // size
    assert places == sorted(places)
    shuffled = list(jobs)
    Random(seed).shuffle(shuffled)
    assert chosen(shuffled, params, size) == found


@settings(deadline=None)
@given(st.integers(2, 10), st.integers(10, 60), st.integers(0, 1_000))
def test_each_value_of_a_parameter_is_tried(customers: int, stretch: int, seed: int) -> None:
    """Where each stretch of time has them all, and each job has an id of its own besides."""
    size, jobs, params, random = 10, [], {}, Random(seed)
    for part in range(size):
        drawn = [random.randrange(customers) for _ in range(stretch - customers)]
        these = [*range(customers), *drawn]
        random.shuffle(these)
        for at, customer in enumerate(these[:LOOKED_AT]):
            name = f"{part:02}-{at:03}"
            jobs.append((name, part * 100.0 + at))
            params[name] = {"customer": customer, "url": f"http://{part}/{at}"}
    found = chosen(jobs, params, size)
    if min(stretch, LOOKED_AT) == stretch:
        assert {params[id]["customer"] for id in found} == set(range(customers))


def test_few_parameters_are_read_of_many_jobs() -> None:
    asked: list[int] = []

    def params_of(places: Sequence[int]) -> dict[int, object]:
        asked.extend(places)
        return {}

    found = choose([(number, float(number)) for number in range(100_000)], 10, params_of)
    assert len(asked) <= 10 * LOOKED_AT
    # Without parameters they lie as far apart as they can.
    assert (found[0], found[-1]) == (0, 99_999)


def test_no_canary_is_empty() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        choose(NONE, 0, lambda _: {})
    assert choose(NONE, 3, lambda _: {}) == []


@pytest.mark.parametrize(
    ("passed", "failed", "expected"),
    [(10, 0, True), (8, 2, True), (7, 3, False), (4, 1, True), (3, 1, False), (0, 1, False)],
)
def test_the_rest_may_follow_where_at_most_a_fifth_failed(passed, failed, expected) -> None:
    assert may_go_on(passed, failed) is expected


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    """Ten jobs that failed with priorities 0 to 9; one waits with 50, one is blocked with 70."""
    queue = JobQueue(tmp_path / "q.db")
    function = FunctionReference("m", "f")
    jobs = [Job(f"job {number}", function, priority=number) for number in range(10)]
    waiting = Job("waits", function, priority=50)
    queue.submit_many([*jobs, waiting, Job("b", function, priority=70, dependencies=[waiting.id])])
    conn = sqlite3.connect(queue.db_path)
    with conn:
        conn.execute("UPDATE jobs SET status = 'failed', error = 'KeyError: 1' WHERE priority < 10")
    conn.close()
    return queue


def rows(queue: JobQueue) -> list[tuple[int, str]]:
    jobs = queue.list_jobs()
    return sorted((job["priority"], job["status"]) for job in jobs if job["name"][:4] == "job ")


def failed_ids(queue: JobQueue) -> list[str]:
    jobs = sorted(queue.list_jobs("failed"), key=lambda job: job["priority"])
    return [job["id"] for job in jobs]


def test_a_canary_runs_before_all_that_waits_and_has_its_own_priority_again(queue) -> None:
    ids = failed_ids(queue)
    canary = queue.retry_first([*ids[:3], "nobody"])
    assert canary.priority == 71
    assert canary.job_ids == tuple(ids[:3])
    assert [outcome.done for outcome in canary.outcomes] == [True, True, True, False]
    assert rows(queue)[-3:] == [(71, "pending")] * 3
    # Somebody moves one meanwhile: that stands.
    queue.set_priority(ids[:1], 5)
    assert queue.end_canary(canary, ids[:2]) == 1
    assert queue.end_canary(canary) == 1
    assert [queue.get_status(id)["priority"] for id in ids[:3]] == [5, 1, 2]
    assert queue.end_canary(canary) == 0


def test_a_canary_is_undone_with_its_priority(queue) -> None:
    before, undo = rows(queue), Undo()
    canary = queue.retry_first(failed_ids(queue)[:3], undo)
    assert canary.priority == 71
    assert all(outcome.done for outcome in queue.restore_jobs(undo))
    assert rows(queue) == before


def test_no_priority_is_beyond_what_the_file_holds(queue) -> None:
    waiting = next(job["id"] for job in queue.list_jobs("pending") if job["name"] == "waits")
    queue.set_priority([waiting], INTEGER_LIMIT - 1)
    canary = queue.retry_first(failed_ids(queue)[:1])
    assert canary.priority == INTEGER_LIMIT - 1


def test_nothing_is_raised_where_nothing_waits(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "q.db")
    canary = queue.retry_first(["nobody"])
    assert (canary.job_ids, dict(canary.own)) == ((), {})
    assert queue.end_canary(canary) == 0
