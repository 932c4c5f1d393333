"""Durations as people give them, read and written."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.units.durations import (
    duration_text,
    seconds_in,
    seconds_of,
    seconds_text,
    typed_seconds_of,
)

GOOD: dict[Any, float] = {
    0: 0,
    60: 60,
    0.25: 0.25,
    "0s": 0,
    "250ms": 0.25,
    "3ms": 0.003,
    "90s": 90,
    "1.5s": 1.5,
    ".5s": 0.5,
    "2m": 120,
    "1h30m": 5_400,
    "1h30m15s": 5_415,
    "1d": 86_400,
    "2w": 1_209_600,
    "1w1d1h1m1s1ms": 604_800 + 86_400 + 3_600 + 61.001,
}
BAD: list[tuple[Any, type[Exception]]] = [
    ("", ValueError),
    (" ", ValueError),
    ("s", ValueError),
    ("soon", ValueError),
    ("5 s", ValueError),
    (" 5s", ValueError),
    ("5s ", ValueError),
    ("5s\n", ValueError),
    ("5y", ValueError),
    ("5S", ValueError),
    ("-5s", ValueError),
    ("+5s", ValueError),
    ("1e3s", ValueError),
    ("1e3", ValueError),
    ("1h2", ValueError),
    ("30m1h", ValueError),
    ("1h1h", ValueError),
    ("1h 30m", ValueError),
    ("1:30", ValueError),
    ("1,5s", ValueError),
    ("\u0665s", ValueError),
    ("nan", ValueError),
    ("infs", ValueError),
    ("9" * 400 + "s", ValueError),
    ("60", TypeError),
    (-1, ValueError),
    (-0.001, ValueError),
    (math.nan, ValueError),
    (math.inf, ValueError),
    (-math.inf, ValueError),
    (2**63, ValueError),
    (True, TypeError),
    (None, TypeError),
    (b"5s", TypeError),
    ([5], TypeError),
    (1j, TypeError),
]


@pytest.mark.parametrize("value", GOOD)
def test_a_duration_is_read(value: Any) -> None:
    assert seconds_of(value, "x") == pytest.approx(GOOD[value], abs=1e-9)


@pytest.mark.parametrize(("value", "error"), BAD)
def test_anything_else_is_refused_in_one_sentence(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\Await [^\n]+\.\Z") as refused:
        seconds_of(value, "wait")
    assert len(re.findall(r"\.(?= |\Z)", str(refused.value))) == 1


def test_a_typed_number_needs_no_unit() -> None:
    assert [typed_seconds_of(text, "x") for text in ("60", "0.5", "1h")] == [60, 0.5, 3_600]
    # So that GigQ finds the whole number that it would store.
    assert type(typed_seconds_of("60", "x")) is int
    with pytest.raises(ValueError, match="finite"):
        typed_seconds_of("9" * 400, "x")


@given(
    st.one_of(
        st.integers(0, 10**12), st.floats(0, 1e12), st.integers(0, 10**9).map(lambda n: n / 1000)
    )
)
def test_what_is_written_is_read_again(seconds: float) -> None:
    assert typed_seconds_of(duration_text(seconds), "x") == seconds
    assert typed_seconds_of(seconds_text(seconds), "x") == seconds


@given(st.text(max_size=20))
def test_no_text_is_an_accident(text: str) -> None:
    found = seconds_in(text)
    assert found is None or (found >= 0 and re.fullmatch(r"[0-9.wdhms]+", text))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0s"), (30, "30s"), (0.25, "0.25s"), (60, "1m"), (90, "1m30s"), (5_400, "1h30m")],
        *[(86_400, "1d"), (604_800, "7d"), (100.5, "100.5s"), (1e-5, "0.00001s")],
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_of_any_size_is_refused_in_a_sentence(sign: int) -> None:
    with pytest.raises(ValueError, match="finite number of seconds"):
        seconds_of(sign * 10**400, "timeout")
