"""The forecast: against schedules worked out another way, and where nobody can tell."""

from __future__ import annotations

from random import Random

import pytest

from gigq_core.forecasting import forecast as subject
from gigq_core.forecasting.forecast import (
    ALL_STUCK,
    NO_SLOTS,
    NOTHING_KNOWN,
    NOTHING_LEFT,
    PastRuns,
    Unfinished,
    forecast,
    simulate,
)

# So many equal runs that nothing is left to chance.
STEADY = {name: PastRuns(done=(took,) * 400) for name, took in (("short", 1.0), ("long", 10.0))}
TOOK = {"short": 1.0, "long": 10.0}


def makespan(jobs: list[Unfinished], slots: int) -> float:
    """List scheduling second by second: what is ready is begun by priority, then by place."""
    left = {job.id: TOOK[job.function] for job in jobs}
    parents = {job.id: {p for p in job.parents if p in left} for job in jobs}
    by_turn = sorted(jobs, key=lambda job: (-job.priority, job.place))
    running: dict[str, float] = {}
    now = 0.0
    while left:
        for job in by_turn:
            if len(running) == slots:
                break
            if job.id in left and job.id not in running and not parents[job.id] & left.keys():
                running[job.id] = left[job.id]
        now += 1.0
        for id in list(running):
            running[id] -= 1.0
            if running[id] <= 0:
                del running[id], left[id]
    return now


def graph(seed: int) -> tuple[list[Unfinished], int]:
    random = Random(seed)
    jobs: list[Unfinished] = []
    for place in range(random.choice((3, 20, 60))):
        parents = random.sample(jobs, min(len(jobs), random.choice((0, 0, 1, 2, 4))))
        jobs.append(
            Unfinished(
                str(place),
                random.choice(("short", "short", "long")),
                tuple(parent.id for parent in parents),
                priority=random.choice((0, 0, 5)),
                place=place,
            )
        )
    return jobs, random.choice((1, 2, 3, 8))


@pytest.mark.parametrize("seed", range(60))
def test_the_order_of_the_claims_is_kept(seed: int) -> None:
    jobs, slots = graph(seed)
    end = forecast(jobs, STEADY, slots).end
    assert end is not None
    assert end.p50 == pytest.approx(makespan(jobs, slots), rel=0.04)


@pytest.mark.parametrize("slots", [1, 4, 64])
def test_alike_jobs_in_portions_end_as_they_do_one_by_one(slots: int) -> None:
    random = Random(5)
    past = {"f": PastRuns(done=[random.expovariate(1.0) for _ in range(3_000)])}
    one_by_one = forecast([Unfinished(str(n), "f", place=n) for n in range(2_000)], past, slots)
    together = forecast([Unfinished("all", "f", count=2_001, last_place=2_000)], past, slots)
    assert one_by_one.end is not None
    assert together.end is not None
    assert together.end.p50 == pytest.approx(one_by_one.end.p50, rel=0.06)


@pytest.mark.parametrize(
    "jobs",
    [
        [Unfinished("all", "long", count=1_000_000, last_place=1_000_000)],
        [Unfinished(str(n), "long", place=n) for n in range(50_000)],
        [
            Unfinished("root", "short"),
            *(Unfinished(str(n), "long", ("root",), place=n + 1) for n in range(20_000)),
            Unfinished("end", "short", tuple(str(n) for n in range(20_000)), place=30_000),
        ],
        [Unfinished(str(n), "long", (str(n - 1),), place=n) for n in range(30_000)],
    ],
    ids=["counted", "flat", "fan", "chain"],
)
def test_a_large_queue_costs_a_bounded_number_of_steps(jobs: list[Unfinished]) -> None:
    steps = sum(1 for _ in simulate(jobs, STEADY, 8))
    in_runs = 2 * subject.MOST_EVENTS / subject.EVENTS_A_STEP
    assert steps <= 5 + in_runs + 4 * len(jobs) / subject.JOBS_A_STEP
    end = forecast(jobs, STEADY, 8).end
    assert end is not None
    work = sum(TOOK[job.function] * job.count for job in jobs)
    if len(jobs) == 30_000:
        assert work <= end.p50 <= 1.2 * work
    else:
        assert end.p50 == pytest.approx(work / 8, rel=0.05)


def test_what_runs_is_judged_by_how_long_it_has_run() -> None:
    past = {"f": PastRuns(done=(1.0,) * 50 + (100.0,) * 50)}
    fresh = forecast([Unfinished("a", "f", running_s=0.0)], past, 1).end
    old = forecast([Unfinished("a", "f", running_s=50.0)], past, 1).end
    beyond = forecast([Unfinished("a", "f", running_s=400.0, timeout_s=500.0)], past, 1).end
    assert fresh is not None
    assert old is not None
    assert beyond is not None
    assert fresh.p10 == pytest.approx(1.0, rel=0.4)
    assert fresh.p90 == pytest.approx(100.0, rel=0.4)
    # All that is left of the past is what took 100 s.
    assert old.p50 == pytest.approx(50.0, rel=0.3)
    assert 0 < beyond.p50 <= 100.0


def test_what_a_job_says_itself_counts_more_than_the_past() -> None:
    job = Unfinished("a", "long", running_s=60.0, done_share=0.75)
    end = forecast([job], STEADY, 1).end
    assert end is not None
    assert end.p50 == pytest.approx(20.0, rel=0.15)


def test_slow_ones_that_still_run_are_not_forgotten() -> None:
    """By what has ended alone, which is what was short, the rest would be short as well."""
    quick = PastRuns(done=(1.0,) * 50)
    biased = PastRuns(done=(1.0,) * 50, running=(60.0,) * 50)
    jobs = [Unfinished(str(n), "f", place=n) for n in range(100)]
    without, told = (forecast(jobs, {"f": past}, 1).end for past in (quick, biased))
    assert without is not None
    assert told is not None
    assert told.p50 > 20 * without.p50


def test_failures_are_tried_again_after_their_delay() -> None:
    past = {"f": PastRuns(done=(10.0,) * 200, failed=(10.0,) * 200)}
    tries = [Unfinished(str(n), "f", place=n, attempts_left=30) for n in range(200)]
    end = forecast(tries, past, 1).end
    assert end is not None
    assert end.p50 == pytest.approx(4_000.0, rel=0.1)  # each needs two attempts on average
    always = {"f": PastRuns(failed=(1.0,) * 400)}
    waits = Unfinished("a", "f", attempts_left=3, retry_delay_s=100.0)
    end = forecast([waits], always, 1).end
    assert end is not None
    assert end.p50 == pytest.approx(203.0, rel=0.05)


@pytest.mark.parametrize(("share", "expected"), [(1.0, 10.0**18), (0.9, 10.0)])
def test_a_job_that_may_be_tried_very_often_costs_no_more(share: float, expected: float) -> None:
    failed = round(400 * share)
    past = {"f": PastRuns(done=(1.0,) * (400 - failed), failed=(1.0,) * failed)}
    steps = simulate([Unfinished("a", "f", attempts_left=10**18)], past, 1)
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            end = ended.value.end
            break
        count += 1
        assert count < 1_000
    assert end.p50 == pytest.approx(expected, rel=0.2)


def test_what_waits_for_its_time_is_not_begun_before() -> None:
    jobs = [Unfinished("a", "short", due_s=50.0), Unfinished("b", "short", ("a",), place=1)]
    told = forecast(jobs, STEADY, 4, of=("b",))
    assert told.end is not None
    assert told.end.p50 == pytest.approx(52.0, rel=0.05)
    assert told.windows["b"].begin.p50 == pytest.approx(51.0, rel=0.05)


@pytest.mark.parametrize(
    ("policy", "ends", "runs"), [("", 1.0, False), ("cancel", 1.0, False), ("run", 2.0, True)]
)
def test_the_failure_of_a_parent_does_what_the_child_was_told(
    policy: str, ends: float, runs: bool
) -> None:
    past = {"bad": PastRuns(failed=(1.0,) * 400), "short": STEADY["short"]}
    policies = {"a": policy} if policy else {}
    jobs = [
        Unfinished("a", "bad"),
        Unfinished("b", "short", ("a",), place=1, policies=policies),
    ]
    told = forecast(jobs, past, 2, of=("b",))
    assert told.end is not None
    assert told.end.p50 == pytest.approx(ends, rel=0.1)
    assert ("b" in told.windows) is runs


def test_the_chain_that_decides_is_named_from_its_first_job_on() -> None:
    jobs = [
        Unfinished("load", "short"),
        Unfinished("slow", "long", ("load",), place=1),
        *(Unfinished(f"quick{n}", "short", ("load",), place=2 + n) for n in range(3)),
        Unfinished("publish", "short", ("slow", "quick0", "quick1", "quick2"), place=9),
    ]
    told = forecast(jobs, STEADY, 8)
    assert [link.id for link in told.chain] == ["load", "slow", "publish"]
    assert [link.share for link in told.chain] == [1.0, 1.0, 1.0]
    assert told.chain_busy == pytest.approx(1.0)
    # With many of them on few slots no chain decides, and that is told.
    crowd = forecast([Unfinished(str(n), "short", place=n) for n in range(400)], STEADY, 2)
    assert crowd.chain_busy < 0.05


def test_it_says_on_what_it_stands() -> None:
    past = {"short": STEADY["short"]}
    jobs = [Unfinished("a", "short"), Unfinished("b", "new"), Unfinished("c", "newer")]
    told = forecast(jobs, past, 3)
    assert told.runs == 400
    assert told.unknown == ("new", "newer")
    assert told.end is not None
    # Nobody knows, so it may be far off.
    assert told.end.p90 > 1.5 * told.end.p10


@pytest.mark.parametrize(
    ("jobs", "slots", "reason", "stuck"),
    [
        ([], 4, NOTHING_LEFT, 0),
        ([Unfinished("a", "short")], 0, NO_SLOTS, 0),
        (
            [Unfinished("a", "short", doomed=True), Unfinished("b", "short", ("a",))],
            4,
            ALL_STUCK,
            2,
        ),
        ([Unfinished("a", "short", ("b",)), Unfinished("b", "short", ("a",))], 4, ALL_STUCK, 2),
        ([Unfinished("a", "new")], 4, NOTHING_KNOWN, 0),
    ],
    ids=["empty", "no slots", "doomed", "circle", "unknown"],
)
def test_where_nobody_can_tell_it_says_why(
    jobs: list[Unfinished], slots: int, reason: str, stuck: int
) -> None:
    past = STEADY if reason != NOTHING_KNOWN else {}
    told = forecast(jobs, past, slots)
    assert told.end is None
    assert told.reason == reason
    assert told.stuck == stuck


def test_what_never_runs_is_left_out_and_counted() -> None:
    jobs = [
        Unfinished("a", "short"),
        Unfinished("b", "long", doomed=True),
        Unfinished("c", "long", ("b",)),
    ]
    told = forecast(jobs, STEADY, 1)
    assert told.end is not None
    assert told.end.p50 == pytest.approx(1.0, rel=0.05)
    assert told.stuck == 2


def test_the_same_seed_says_the_same() -> None:
    past = {"f": PastRuns(done=(1.0, 2.0, 9.0))}
    jobs = [Unfinished(str(n), "f", place=n) for n in range(30)]
    assert forecast(jobs, past, 3) == forecast(jobs, past, 3)
    assert forecast(jobs, past, 3) != forecast(jobs, past, 3, seed=1)
