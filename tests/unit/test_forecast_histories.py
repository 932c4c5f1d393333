"""The forecast is held against queues that an engine of its own works off."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median

import pytest

from benchmarks.histories import MADE, MARKS, History, late_change, play

SEEDS = range(3)
# Of what was left at that moment.
WITHIN = 0.3


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_it_is_within_thirty_percent_of_what_was_left(make: Callable[[Random], History]) -> None:
    told = []
    for seed in SEEDS:
        random = Random(seed)
        told += play(make(random), random)
    for mark in MARKS:
        errors = [each.error for each in told if each.mark == mark]
        assert len(errors) == len(SEEDS)
        assert median(errors) <= WITHIN, (mark, errors)
    assert sum(each.covers for each in told) >= len(told) / 2


def test_what_nobody_can_know_is_missed() -> None:
    """The slots more than double after half of it: before that, it is said too late."""
    random = Random(0)
    told = {each.mark: each for each in play(late_change(random), random)}
    assert told[0.25].said.p50 > 1.2 * told[0.25].left_s
    assert told[0.75].error <= WITHIN
