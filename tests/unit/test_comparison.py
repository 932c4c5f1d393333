"""What is called slower, or failing more, than the hours before: seldom by chance, surely if so."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from gigq_tui.store.history.comparison import LEAST_RUNS, compare, rank_z
from gigq_tui.store.history.tally import End, Tally, seconds_of, step_of

Draw = Callable[[Random], float]

SHAPES: dict[str, Draw] = {
    "alike": lambda chance: chance.lognormvariate(0.0, 0.4),
    "wide": lambda chance: chance.lognormvariate(0.0, 1.5),
    "two kinds": lambda chance: chance.gauss(0.2, 0.02) if chance.random() < 0.5 else 30.0,
    "memoryless": lambda chance: chance.expovariate(1.0),
    "whole seconds": lambda chance: float(chance.randrange(1, 5)),
    "tiny": lambda chance: 0.002 + chance.random() / 1_000,
}


def tally_of(chance: Random, draw: Draw, number: int, bad: float = 0.0, times: float = 1) -> Tally:
    tally = Tally()
    for _ in range(number):
        end = End.FAILED if chance.random() < bad else End.DONE
        tally.add(end, max(0.0, times * draw(chance)), None)
    return tally


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [20, 60, 400])
def test_the_same_work_is_called_different_in_less_than_one_pair_of_a_hundred(
    shape: str, number: int
) -> None:
    chance = Random(number)
    pairs = 600 if number < 100 else 150
    wrong = 0
    for _ in range(pairs):
        sizes = (number, chance.choice((number, 3 * number, LEAST_RUNS)))
        now, before = (tally_of(chance, SHAPES[shape], size, bad=0.1) for size in sizes)
        verdict = compare(now, before)
        assert verdict.compared
        wrong += bool(verdict.time or verdict.failures)
    assert wrong < pairs / 100


@pytest.mark.parametrize("shape", ["alike", "memoryless"])
def test_twice_as_slow_is_seen_in_either_direction(shape: str) -> None:
    chance = Random(3)
    for _ in range(50):
        slow = tally_of(chance, SHAPES[shape], 150, times=2.2)
        usual = tally_of(chance, SHAPES[shape], 150)
        verdict = compare(slow, usual)
        assert verdict.time == 1
        assert 1.4 < verdict.ratio < 3.5
        assert compare(usual, slow).time == -1


def test_more_failures_are_seen_and_few_runs_say_nothing() -> None:
    chance = Random(4)
    draw = SHAPES["alike"]
    bad, good = tally_of(chance, draw, 60, bad=0.7), tally_of(chance, draw, 60, bad=0.02)
    assert compare(bad, good).failures == 1
    assert compare(good, bad).failures == -1
    few = tally_of(chance, draw, LEAST_RUNS - 1, bad=0.9, times=100)
    assert not compare(few, good).compared
    assert (compare(few, good).time, compare(good, few).failures) == (0, 0)
    assert not compare(Tally(), Tally()).compared


def test_a_little_slower_is_not_worth_a_word_however_sure_it_is() -> None:
    chance = Random(5)
    draw = SHAPES["alike"]
    slower = tally_of(chance, draw, 20_000, times=1.1)
    usual = tally_of(chance, draw, 20_000)
    assert rank_z(slower.runs, usual.runs) > 5
    assert compare(slower, usual).time == 0


def test_ranks_agree_with_a_plain_count_of_pairs() -> None:
    chance = Random(6)
    for _ in range(20):
        a = [float(chance.randrange(1, 9)) for _ in range(chance.randrange(1, 30))]
        b = [float(chance.randrange(1, 9)) for _ in range(chance.randrange(1, 30))]
        now, before = ({s: list(map(step_of, x)).count(s) for s in map(step_of, x)} for x in (a, b))
        longer = sum((x > y) + (x == y) / 2 for x in a for y in b) - len(a) * len(b) / 2
        z = rank_z(now, before)
        assert z == 0 or math.copysign(1, z) == math.copysign(1, longer)
        assert rank_z(before, now) == pytest.approx(-z)


def test_a_step_and_its_run_time_agree_and_keep_the_order() -> None:
    times = [10 ** (power / 40) for power in range(-240, 260)]
    steps = [step_of(each) for each in times]
    assert steps == sorted(steps)
    for each, step in zip(times, steps, strict=True):
        if each >= 0.0001:
            assert seconds_of(step) == pytest.approx(each, rel=0.0051)
        assert step_of(seconds_of(step)) in (step, step + 1, step - 1) or each < 0.001
