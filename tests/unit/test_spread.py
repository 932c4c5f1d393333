"""A time that is not known exactly is said no finer than it is known, however late it is."""

from __future__ import annotations

import math

import pytest

from gigq_core.units.spread import Spread, in_words

YEAR_S = 365 * 86_400.0


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        ((1, 2, 3), "under 5s"),
        ((230, 240, 250), "about 4m"),
        ((180, 240, 360), "3m to 6m"),
        ((-50, 0, 600), "1m to 10m"),
        ((86_400, 30 * YEAR_S, 1e300), "1d or more"),
        ((20 * YEAR_S, 1e300, math.inf), "more than 10 years"),
    ],
)
def test_what_is_said(spread: tuple[float, float, float], words: str) -> None:
    assert in_words(Spread(*spread)) == words
