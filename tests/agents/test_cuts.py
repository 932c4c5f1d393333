"""Links that are cut, hang or are spoilt at each kind of message: one outcome for each job.

Several links of one worker are spoilt at a time, each at another message, and beside them is one
that is sound: so its jobs go on, and those of a lost agent come to it.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from gigq_core import Job
from tests.agents import cutting, work
from tests.agents.cutting import BACK, OUT, Plan, Rule
from tests.agents.places import (
    LATE_S,
    QUICK,
    AgentsPlace,
    assert_each_ended_once,
    attempts_of,
    longest_overlap,
)
from tests.agents.sshd import Sshd
from tests.integration import chores
from tests.integration.conftest import stop
from tests.waiting import wait_until

# Every message that the jobs below cause, and which of its kind is spoilt.
MESSAGES = {
    OUT: {"hello": 1, "run": 2, "give": 2, "stored": 2, "ping": 3},
    BACK: {
        "ready": 1,
        "pong": 3,
        "began": 1,
        "output": 2,
        "reported": 1,
        "saved": 2,
        "ask": 1,
        "submit": 2,
        "ended": 1,
    },
}
CHILDREN = 2
# Long enough for a job to be put on record as running; and longer than a lost agent lives.
SHORT_S, LONG_S = 0.3, QUICK.lease_s + 1


class Spoilt(NamedTuple):
    """A worker whose links are spoilt, its plans, and the jobs that it has."""

    labels: list[str]
    plans: list[Plan]
    path: Path
    via: list[str]


def spoil(place: AgentsPlace, through: str, way: str, do: str, *, seconds: float = 0.0) -> Spoilt:
    """A link for each kind of message in one direction, and jobs enough for all of them."""
    via = place.via(through)
    # Where nobody is told, jobs are long enough to be at work when the far side is ended.
    is_long = do in cutting.HANGS
    plans = [
        Plan(
            place.folder / f"plan-{kind}",
            Rule(way, kind, do, nth=1 if is_long and kind == "run" else nth, seconds=seconds),
        )
        for kind, nth in MESSAGES[way].items()
    ]
    path = place.folder / "moments"
    parent = place.submit(chores.add, name="parent", params={"a": 1, "b": 2})
    labels = [f"job-{number}" for number in range(len(plans) + 1 if is_long else 4 * len(plans))]
    place.queue.submit_many(
        [
            Job(
                label,
                work.all_of_it,
                {"path": str(path), "label": label, "seconds": LONG_S if is_long else SHORT_S},
                dependencies=[parent],
                # As many as it takes: which of the links runs it is a matter of luck.
                max_attempts=20,
            )
            for label in labels
        ]
    )
    return Spoilt(labels, plans, path, [*(plan.via(via) for plan in plans), via])


def assert_all_is_well(place: AgentsPlace, spoilt: Spoilt, *, bound_s: float = 0.0) -> None:
    """Every link was spoilt, and nobody can tell by the jobs."""
    wait_until(
        lambda: all(plan.done() for plan in spoilt.plans),
        30,
        f"each link to be spoilt: {[plan.seen()[-5:] for plan in spoilt.plans]}\n{place.log()}",
    )
    place.all_ended(60)
    assert_each_ended_once(place, spoilt.labels, spoilt.path, CHILDREN)
    assert longest_overlap(spoilt.path) <= bound_s


@pytest.mark.parametrize("do", cutting.CUTS)
@pytest.mark.parametrize("way", [OUT, BACK])
def test_a_link_is_cut_at_each_kind_of_message(
    agents_place: AgentsPlace, sshd: Sshd, way: str, do: str
) -> None:
    spoilt = spoil(agents_place, sshd.via, way, do)
    worker = agents_place.far_worker(*spoilt.via, wait=False)
    assert_all_is_well(agents_place, spoilt)
    # Each link that was cut has been made anew.
    wait_until(lambda: all(len(plan.started()) >= 2 for plan in spoilt.plans), 10)
    assert stop(worker) == 0
    agents_place.until_far_is_dead(LATE_S)


@pytest.mark.parametrize("do", cutting.HANGS)
@pytest.mark.parametrize("way", [OUT, BACK])
def test_a_link_hangs_at_each_kind_of_message(agents_place: AgentsPlace, way: str, do: str) -> None:
    """Nobody is told: it is the lease that ends the far side, before the near side goes on.

    Another worker has room for whatever is freed, at once; but not before all links have jobs.
    """
    patient = QUICK._replace(lease_s=60.0, ping_s=0.1, silent_s=30.0)
    other = agents_place.far_worker(agents_place.via(), concurrency=8, lease=patient)
    other.send_signal(signal.SIGSTOP)
    spoilt = spoil(agents_place, "", way, do)
    worker = agents_place.far_worker(*spoilt.via, wait=False)
    try:
        # One hangs at its greeting, and one may before its job begins; beside them one is sound.
        wait_until(lambda: len(attempts_of(spoilt.path)) >= len(spoilt.plans) - 1, 30)
    finally:
        other.send_signal(signal.SIGCONT)
    assert_all_is_well(agents_place, spoilt)
    for each in (worker, other):
        assert stop(each) == 0
    agents_place.until_far_is_dead(QUICK.lease_s + LATE_S)


@pytest.mark.parametrize("do", [cutting.TWICE, cutting.LATE])
@pytest.mark.parametrize("way", [OUT, BACK])
def test_a_message_that_comes_twice_or_late_changes_nothing(
    agents_place: AgentsPlace, way: str, do: str
) -> None:
    spoilt = spoil(agents_place, "", way, do, seconds=QUICK.silent_s + 0.3)
    worker = agents_place.far_worker(*spoilt.via, wait=False)
    assert_all_is_well(agents_place, spoilt)
    assert stop(worker) == 0
    agents_place.until_far_is_dead(LATE_S)


@pytest.mark.parametrize("way", [OUT, BACK])
@pytest.mark.parametrize("through", ["a pipe", "ssh"])
def test_what_is_stopped_at_each_kind_of_message_and_goes_on_too_late(
    agents_place: AgentsPlace, sshd: Sshd, way: str, through: str
) -> None:
    """Stopped is the client of ssh, or, over a pipe, the guard of the agent."""
    text = sshd.via if through == "ssh" else ""
    spoilt = spoil(agents_place, text, way, cutting.FREEZE, seconds=QUICK.lease_s + 1)
    worker = agents_place.far_worker(*spoilt.via, wait=False)
    assert_all_is_well(agents_place, spoilt)
    assert stop(worker) == 0
    agents_place.until_far_is_dead(QUICK.lease_s + LATE_S)


def test_a_stop_that_is_cut_off_stops_all_the_same(agents_place: AgentsPlace) -> None:
    """A job that was asked to stop is not run again, wherever the wish was lost."""
    path = agents_place.folder / "moments"
    plans = [
        Plan(agents_place.folder / f"plan-{number}", Rule(OUT, "stop", do))
        for number, do in enumerate((*cutting.CUTS, *cutting.HANGS, cutting.TWICE))
    ]
    via = agents_place.via()
    worker = agents_place.far_worker(*(plan.via(via) for plan in plans))
    labels = [f"job-{number}" for number in range(len(plans))]
    ids = [
        agents_place.submit(
            work.moments, name=label, params={"path": str(path), "label": label, "seconds": 60}
        )
        for label in labels
    ]
    wait_until(lambda: len(attempts_of(path)) == len(labels), what="all to begin")
    for job_id in ids:
        agents_place.queue.cancel(job_id)
    jobs = agents_place.ended(*ids)
    assert [job["status"] for job in jobs] == ["cancelled"] * len(jobs)
    assert all(plan.done() for plan in plans)
    assert all(len(found) == 1 for found in attempts_of(path).values())
    assert stop(worker) == 0
    agents_place.until_far_is_dead(QUICK.lease_s + LATE_S)
