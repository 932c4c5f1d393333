"""Ages go by the time that was seen to pass: clocks that are set, and times without anybody."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from gigq_core.keeping.seen_time import (
    LEAP_S,
    UNSEEN_MOST_S,
    Cutoff,
    Look,
    Stretch,
    Stretches,
    decode,
    encode,
    looked,
    needed,
    older_than,
)

NOON = 1_900_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY


class World:
    """A true time, a clock that may be off, and processes that look now and then."""

    def __init__(self) -> None:
        self.true = 0.0
        self.off = 0.0
        self.seen: Stretches = ()
        self.last: dict[str, Look] = {}
        # What the clock showed when something ended, and when that was.
        self.ended: list[tuple[float, float]] = []

    @property
    def clock(self) -> float:
        return NOON + self.true + self.off

    def look(self, who: str = "worker") -> None:
        now = Look(self.clock, self.true)
        self.seen = decode(encode(looked(self.seen, self.last.get(who), now)))
        self.last[who] = now

    def run(self, seconds: float, every: float = HOUR, who: str = "worker") -> None:
        """Let time pass while somebody looks."""
        end = self.true + seconds
        while self.true < end:
            self.true = min(end, self.true + every)
            self.look(who)

    def end_something(self) -> None:
        self.ended.append((self.clock, self.true))

    def cutoff(self, age: float) -> Cutoff:
        return older_than(age, self.seen, self.clock)

    def taken(self, age: float) -> list[float]:
        """For how long those that would be deleted now have truly been there."""
        cutoff = self.cutoff(age)
        return [self.true - at for shown, at in self.ended if cutoff.takes(shown)]


def world(*before: float) -> World:
    """One in which something ended so many seconds before somebody first looked."""
    made = World()
    for seconds in sorted(before, reverse=True):
        made.ended.append((NOON - seconds, -seconds))
    made.look()
    return made


def test_before_anybody_looked_the_clock_is_believed() -> None:
    made = world(8 * DAY, 6 * DAY, HOUR)
    assert made.taken(7 * DAY) == [8 * DAY]
    assert sorted(made.taken(0.0)) == [HOUR, 6 * DAY, 8 * DAY]


@pytest.mark.parametrize("age", [4.0, HOUR, 7 * DAY])
def test_while_the_clock_runs_evenly_an_age_is_what_it_says(age: float) -> None:
    made = world()
    made.run(DAY)
    made.end_something()
    made.run(age * 0.99, every=min(HOUR, age / 4))
    assert made.taken(age) == []
    made.run(age * 0.02, every=age / 100)
    assert len(made.taken(age)) == 1


@pytest.mark.parametrize("leap", [-YEAR, -DAY, -HOUR, HOUR, DAY, YEAR])
@pytest.mark.parametrize("age", [HOUR, DAY, 7 * DAY])
def test_a_clock_that_is_set_takes_nothing_before_its_time(leap: float, age: float) -> None:
    """Neither while it is wrong nor when it is put right."""
    made = world()
    made.run(30 * DAY)
    for _ in range(8):
        made.end_something()
        made.run(age / 8, every=age / 40)
    made.off = leap
    for _ in range(8):
        made.look()
        assert all(been >= age * 0.99 for been in made.taken(age))
        made.end_something()
        made.run(age / 40, every=age / 80)
    made.off = 0.0
    for _ in range(8):
        made.look()
        assert all(been >= age * 0.99 for been in made.taken(age))
        made.run(age / 40, every=age / 80)


@pytest.mark.parametrize("leap", [-DAY, -HOUR, HOUR, DAY, YEAR])
@pytest.mark.parametrize("age", [HOUR, 7 * DAY])
def test_in_the_end_all_goes_whatever_the_clock_was_set_to(leap: float, age: float) -> None:
    made = world()
    made.run(3 * DAY)
    made.end_something()
    made.off = leap
    made.run(HOUR)
    made.end_something()
    made.run(max(age, -leap) + age + HOUR)
    assert len(made.taken(age)) == 2


def test_a_fresh_worker_under_a_wrong_clock_takes_a_quarter_of_an_age_too_early_at_most() -> None:
    made = world()
    made.run(30 * DAY)
    for _ in range(100):
        made.end_something()
        made.run(HOUR / 100, every=HOUR / 100)
    made.off = YEAR
    made.look("another")
    assert 0 < len(made.taken(HOUR)) <= 26
    # And none of them for a longer age, of which a day counts at most.
    assert made.taken(7 * DAY) == []
    # Once the one that ran through it has looked, no more than before.
    made.look("worker")
    assert all(been >= HOUR for been in made.taken(HOUR))


def test_a_machine_that_is_off_each_night_takes_as_long_as_the_clock_says() -> None:
    made = world()
    made.run(8 * HOUR)
    made.end_something()
    for day in range(20):
        made.true += 16 * HOUR
        made.run(8 * HOUR, who=f"worker {day}")
        been = made.true - made.ended[0][1]
        assert bool(made.taken(7 * DAY)) == (been >= 7 * DAY)


def test_of_a_year_in_which_nobody_looked_a_day_counts() -> None:
    made = world()
    made.run(DAY)
    made.end_something()
    made.true += YEAR
    made.look("another")
    assert made.taken(7 * DAY) == []
    made.run(6 * DAY - HOUR, who="another")
    assert made.taken(7 * DAY) == []
    made.run(HOUR, who="another")
    assert len(made.taken(7 * DAY)) == 1


def test_two_workers_that_look_by_turns_see_one_stretch() -> None:
    made = world()
    for who in ("one", "two"):
        made.look(who)
    for _ in range(50):
        made.run(HOUR / 2, every=HOUR / 2, who="one")
        made.run(HOUR / 2, every=HOUR / 2, who="two")
    assert made.seen == (Stretch(NOON, made.clock),)


def test_a_clock_that_drifts_is_no_clock_that_was_set() -> None:
    made = world()
    for _ in range(1000):
        made.off += LEAP_S / 100
        made.run(HOUR)
    assert len(made.seen) == 1


def test_what_is_no_moment_is_never_old() -> None:
    cutoff = Cutoff(NOON)
    for value in (None, "2020-01-01", b"", float("nan"), NOON + 1):
        assert not cutoff.takes(value)
    assert cutoff.takes(NOON)


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "[[1]]", '[["a", 1, 2]]', 5, b"x"])
def test_a_damaged_memory_is_none(text: object) -> None:
    assert decode(text) == ()


def test_only_so_much_is_remembered_as_the_longest_age_needs() -> None:
    made = world()
    for number in range(60):
        made.run(DAY, who=f"worker {number}")
        made.true += 8 * HOUR
    kept = needed(made.seen, 7 * DAY)
    assert len(kept) < 12
    for age in (HOUR, DAY, 7 * DAY):
        assert older_than(age, kept, made.clock) == made.cutoff(age)


def steps(chance: random.Random) -> Iterable[str]:
    for _ in range(60):
        yield chance.choice(["run", "run", "run", "end", "end", "leap", "right", "night", "fresh"])


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_nothing_goes_much_too_early(seed: int) -> None:
    """A fresh worker believes a quarter of an age for each time in which nobody looked."""
    chance = random.Random(seed)
    made, age, unseen = world(), chance.choice([HOUR, DAY, 7 * DAY]), 0.0
    who = "worker"
    made.run(age)
    given: list[tuple[float, float]] = []
    for number, step in enumerate(steps(chance)):
        if step == "run":
            made.run(chance.random() * age / 4, every=age / 16, who=who)
        elif step == "end":
            made.end_something()
        elif step == "leap":
            made.off = chance.choice([-YEAR, -DAY, -HOUR, HOUR, DAY, YEAR])
            made.look(who)
        elif step == "right":
            made.off = 0.0
            made.look(who)
        else:
            passed = chance.random() * 16 * HOUR if step == "night" else 0.0
            made.true += passed
            who = f"worker {number}"
            made.look(who)
            unseen = min(UNSEEN_MOST_S, age / 4)
            given.append((made.true, unseen))
        for shown, at in made.ended:
            if made.cutoff(age).takes(shown):
                early = sum(most for when, most in given if when >= at)
                assert made.true - at >= age - early - 1.0
