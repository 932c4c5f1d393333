"""Seconds in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.units.spans import span

SPANS = {
    -5: "0s",
    0: "0s",
    0.0004: "0s",
    0.002: "2ms",
    0.0996: "100ms",
    0.1: "0.1s",
    0.84: "0.8s",
    1: "1s",
    1.24: "1.2s",
    8.1: "8.1s",
    9.94: "9.9s",
    9.96: "10s",
    10.99: "10s",
    58.2: "58s",
    59.999: "59s",
    60: "1m",
    102: "1m42s",
    240: "4m",
    718: "11m58s",
    3599.9: "59m59s",
    3600: "1h",
    6 * 3600 + 5 * 60: "6h05m",
    86400: "1d",
    3 * 86400 + 4 * 3600: "3d4h",
    math.inf: "?",
    math.nan: "?",
}


@pytest.mark.parametrize("seconds", SPANS)
def test_span(seconds: float) -> None:
    assert span(seconds) == SPANS[seconds]


@given(st.floats(0, 360 * 86400))
def test_words_stay_short(seconds: float) -> None:
    assert len(span(seconds)) <= 6
