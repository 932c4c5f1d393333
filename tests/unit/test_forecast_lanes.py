"""The forecast keeps to lanes: against queues worked off second by second, and closed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import pytest

from gigq_core.forecasting import forecast as subject
from gigq_core.forecasting.forecast import (
    LANES_CLOSED,
    OTHER_LANES_ALONE,
    Crew,
    Forecast,
    LaneLimits,
    PastRuns,
    Unfinished,
    forecast,
    simulate,
)

TOOK = {"short": 1.0, "long": 10.0}
STEADY = {name: PastRuns(done=(took,) * 400) for name, took in TOOK.items()}


@dataclass
class Case:
    jobs: list[Unfinished]
    crews: list[Crew]
    lanes: dict[str, LaneLimits]


def made(seed: int) -> Case:
    random = Random(seed)
    names = ["", "a", "b", "c"][: random.choice((2, 3, 4))]
    lanes = {}
    for name in names[1:]:
        burst = random.choice((1, 1, 4))
        lanes[name] = LaneLimits(
            running=random.choice((None, 1, 2, 5)),
            apart_s=random.choice((0.0, 0.0, 1.0, 4.0)),
            burst=burst,
            earned_s=random.choice((0.0, 0.0, 20.0)),
            opens_s=random.choice((0.0, 0.0, 30.0)),
        )
    crews = [Crew(random.choice((1, 3, 8)), frozenset(names))]
    if random.random() < 0.4:
        # Others that take one lane alone, which the first leave to them.
        crews = [Crew(random.choice((1, 2)), frozenset({"a"})), Crew(3, frozenset(names) - {"a"})]
    jobs: list[Unfinished] = []
    for place in range(random.choice((5, 30, 90))):
        parents = random.sample(jobs, min(len(jobs), random.choice((0, 0, 0, 1, 2))))
        jobs.append(
            Unfinished(
                str(place),
                random.choice(("short", "short", "long")),
                tuple(parent.id for parent in parents),
                priority=random.choice((0, 0, 5)),
                place=place,
                lane=random.choice(names),
            )
        )
    return Case(jobs, crews, lanes)


def makespan(case: Case) -> float:
    """Second by second, as the engine's rules say it: whoever is first by priority and place,
    whose parents are done, whose lane is open, runs fewer than it may, and has a start to spend."""
    left = {job.id: TOOK[job.function] for job in case.jobs}
    by_turn = sorted(case.jobs, key=lambda job: (-job.priority, job.place))
    running: dict[str, tuple[Unfinished, int]] = {}
    spent = {name: limits.earned_s for name, limits in case.lanes.items()}
    now = 0.0
    while left:
        for job in by_turn:
            if job.id not in left or job.id in running or set(job.parents) & left.keys():
                continue
            limits = case.lanes.get(job.lane, LaneLimits())
            in_lane = sum(other.lane == job.lane for other, _ in running.values())
            if (limits.running is not None and in_lane >= limits.running) or now < limits.opens_s:
                continue
            earned = max(spent.get(job.lane, 0.0), now)
            if limits.apart_s and earned - now > (limits.burst - 1) * limits.apart_s:
                continue
            for at, crew in enumerate(case.crews):
                taken = sum(on == at for _, on in running.values())
                if crew.takes(job.lane) and taken < crew.slots:
                    running[job.id] = (job, at)
                    spent[job.lane] = earned + limits.apart_s
                    break
        now += 1.0
        for id in list(running):
            left[id] -= 1.0
            if left[id] <= 0:
                del running[id], left[id]
        assert now < 100_000
    return now


def told(case: Case) -> Forecast:
    return forecast(case.jobs, STEADY, case.crews, lanes=case.lanes)


@pytest.mark.parametrize("first", range(0, 120, 30))
def test_the_lanes_are_kept(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # All runs are the same, and nothing is left to chance.
    monkeypatch.setattr(subject, "LEAST_SCATTER", 0.0)
    monkeypatch.setattr(subject, "MOST_RUNS", 1)
    monkeypatch.setattr(subject, "LEAST_RUNS", 1)
    for seed in range(first, first + 30):
        case = made(seed)
        end = told(case).end
        assert end is not None
        assert end.p50 == pytest.approx(makespan(case)), seed


def test_without_its_lanes_many_would_end_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the property above can fail."""
    wrong = 0
    monkeypatch.setattr(subject, "MOST_RUNS", 10)
    for seed in range(20):
        case = made(seed)
        end = forecast(case.jobs, STEADY, case.crews).end
        wrong += end is None or end.p50 < 0.9 * makespan(case)
    assert wrong >= 5


MANY = 100_000
TAKES_ALL = [Crew(8, frozenset({"", "a"}))]


@pytest.mark.parametrize(
    ("limits", "seconds", "each_s"),
    [
        (LaneLimits(), MANY / 8, 1 / 8),
        (LaneLimits(running=1), MANY, 1.0),
        (LaneLimits(running=3), MANY / 3, 1 / 3),
        (LaneLimits(running=100), MANY / 8, 1 / 8),
        (LaneLimits(apart_s=6.0), MANY * 6.0, 6.0),
        (LaneLimits(apart_s=6.0, burst=50), (MANY - 50) * 6.0, 6.0),
        (LaneLimits(apart_s=0.01), MANY / 8, 1 / 8),
        (LaneLimits(running=1, apart_s=6.0), MANY * 6.0, 6.0),
        (LaneLimits(opens_s=50_000.0), 50_000.0 + MANY / 8, 1 / 8),
        (LaneLimits(apart_s=6.0, earned_s=60_000.0), 60_000.0 + MANY * 6.0, 6.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [MANY, 300])
def test_many_alike_jobs_of_a_lane_end_when_it_lets_them(
    limits: LaneLimits, seconds: float, each_s: float, count: int
) -> None:
    # Of fewer, as much less, but for what is there at once or comes first.
    seconds -= (MANY - count) * each_s
    jobs = [Unfinished("all", "short", count=count, last_place=count, lane="a")]
    end = forecast(jobs, STEADY, TAKES_ALL, lanes={"a": limits}).end
    assert end is not None
    assert end.p50 == pytest.approx(seconds, rel=0.06)


def test_others_have_the_slots_that_a_lane_leaves() -> None:
    jobs = [
        Unfinished("slow", "long", count=3_000, last_place=3_000, lane="a"),
        Unfinished("quick", "short", count=3_000, place=3_000, last_place=6_000),
        Unfinished("last", "short", place=6_001),
    ]
    limits = {"a": LaneLimits(apart_s=10.0)}
    told = forecast(jobs, STEADY, [Crew(4, frozenset({"", "a"}))], lanes=limits, of=("last",))
    assert told.end is not None
    assert told.end.p50 == pytest.approx(30_000.0, rel=0.05)
    # One slot of four is for the lane; the others work off the rest.
    assert told.windows["last"].end.p50 == pytest.approx(1_000.0, rel=0.4)


def test_a_job_further_back_begins_after_those_before_it() -> None:
    jobs = [
        Unfinished("before", "short", count=1_000, last_place=1_000, lane="a"),
        Unfinished("asked", "short", place=1_001, lane="a"),
        Unfinished("behind", "short", count=9_000, place=1_002, last_place=10_002, lane="a"),
    ]
    lanes = {"a": LaneLimits(apart_s=6.0)}
    told = forecast(jobs, STEADY, TAKES_ALL, lanes=lanes, of=("asked",))
    assert told.windows["asked"].begin.p50 == pytest.approx(6_000.0, rel=0.25)


def test_slots_that_others_reserve_are_not_for_all() -> None:
    jobs = [
        Unfinished("kept", "long", count=100, last_place=100, lane="a"),
        Unfinished("free", "long", count=100, place=100, last_place=200),
    ]
    crews = [Crew(1, frozenset({"a"})), Crew(10, frozenset({""}))]
    told = forecast(jobs, STEADY, crews)
    assert told.end is not None
    assert told.end.p50 == pytest.approx(1_000.0, rel=0.05)


def test_what_runs_counts_in_its_lane_and_on_its_slot() -> None:
    runs = Unfinished("runs", "long", running_s=4.0, lane="a", worker="w")
    waits = Unfinished("waits", "short", place=1, lane="a")
    other = Unfinished("other", "short", place=2)
    crews = [Crew(2, frozenset({"", "a"}), frozenset({"w"}))]
    limits = {"a": LaneLimits(running=1)}
    found = forecast([runs, waits, other], STEADY, crews, lanes=limits, of=("waits", "other"))
    assert found.windows["other"].end.p50 == pytest.approx(1.0, rel=0.05)
    assert found.windows["waits"].end.p50 == pytest.approx(7.0, rel=0.1)


PAUSED = "lane a is paused"


@pytest.mark.parametrize(
    ("lanes", "crews", "reason"),
    [
        ({"a": LaneLimits(closed=PAUSED)}, TAKES_ALL, PAUSED),
        ({}, [Crew(3, frozenset({""}))], "lane a: no worker takes it"),
    ],
    ids=["paused", "untaken"],
)
def test_what_waits_for_a_closed_lane_is_not_known(
    lanes: Mapping[str, LaneLimits], crews: list[Crew], reason: str
) -> None:
    held = Unfinished("held", "short", lane="a")
    child = Unfinished("child", "short", ("held",), place=1)
    grandchild = Unfinished("grandchild", "short", ("child",), place=2)
    free = Unfinished("free", "short", place=3)
    asked = ("held", "child", "grandchild", "free")
    found = forecast([held, child, grandchild, free], STEADY, crews, lanes=lanes, of=asked)
    assert found.held == dict.fromkeys(asked[:3], reason)
    assert set(found.windows) == {"free"}
    assert found.stuck == 3
    # The rest has an end; without a rest, it is said why there is none.
    assert found.end is not None
    alone = forecast([held, child], STEADY, crews, lanes=lanes)
    assert (alone.end, alone.reason, alone.stuck) == (None, reason, 2)


def test_several_closed_lanes_are_told_in_one() -> None:
    jobs = [Unfinished("a", "short", lane="a"), Unfinished("b", "short", lane="b")]
    found = forecast(jobs, STEADY, [Crew(3, frozenset({""}))])
    assert found.reason == LANES_CLOSED
    found = forecast([Unfinished("free", "short")], STEADY, [Crew(3, frozenset({"a"}))])
    assert found.reason == OTHER_LANES_ALONE


def test_what_fails_in_a_paused_lane_begins_no_more() -> None:
    past = {"bad": PastRuns(failed=(1.0,) * 400)}
    runs = Unfinished("runs", "bad", running_s=0.5, attempts_left=3, lane="a")
    waits = Unfinished("waits", "bad", place=1, lane="a")
    lanes = {"a": LaneLimits(closed=PAUSED)}
    found = forecast([runs, waits], past, TAKES_ALL, lanes=lanes)
    assert (found.end, found.reason) == (None, PAUSED)


@pytest.mark.parametrize(
    "jobs",
    [
        [Unfinished("all", "long", count=1_000_000, last_place=1_000_000, lane="a")],
        [Unfinished(str(n), "long", place=n, lane="a") for n in range(50_000)],
        [Unfinished(str(n), "long", place=n, lane=f"a{n % 300}", count=200) for n in range(300)],
        [Unfinished(str(n), "long", place=n, lane=f"a{n}", count=100) for n in range(10_000)],
        [Unfinished(str(n), "long", place=n, lane=f"a{n % 7_500}") for n in range(15_000)],
    ],
    ids=["counted", "flat", "lanes", "very many lanes", "two in each"],
)
def test_lanes_cost_a_bounded_number_of_steps(jobs: list[Unfinished]) -> None:
    lanes = {job.lane: LaneLimits(running=2, apart_s=0.5) for job in jobs}
    steps = sum(1 for _ in simulate(jobs, STEADY, 8, lanes=lanes))
    in_runs = 2 * subject.MOST_EVENTS / subject.EVENTS_A_STEP
    assert steps <= 6 + in_runs + 4 * len(jobs) / subject.JOBS_A_STEP
    end = forecast(jobs, STEADY, 8, lanes=lanes).end
    assert end is not None
    work = sum(TOOK[job.function] * job.count for job in jobs)
    at_once = min(8, 2 * len(lanes))
    assert end.p50 == pytest.approx(work / at_once, rel=0.05)


def test_an_end_by_its_bounds_keeps_to_the_lanes() -> None:
    lanes = {f"a{n}": LaneLimits(running=1) for n in range(11_000)}
    lanes["slow"] = LaneLimits(apart_s=600.0)
    jobs = [Unfinished(name, "short", place=n, lane=name) for n, name in enumerate(lanes)]
    jobs.append(Unfinished("many", "short", place=20_000, count=1_000, lane="slow"))
    end = forecast(jobs, STEADY, 8, lanes=lanes).end
    assert end is not None
    assert end.p10 >= 599_000
