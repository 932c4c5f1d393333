"""The delays between attempts, the exceptions that count, and how a row holds both."""

from __future__ import annotations

import decimal
import itertools
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gigq_core
from gigq_core import Backoff, GiveUp, Retry, Snooze
from gigq_core.retry import (
    LONGEST_NAME,
    MOST_DELAYS,
    MOST_NAMES,
    RetryPolicy,
    exception_names,
    retry_of,
    shown,
)
from gigq_core.worker import runner

SECONDS = st.floats(0, 2.0**62, exclude_min=True)


class Outer:
    class OfOurs(LookupError):
        pass


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff(30), [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]),
        (Backoff("30s", factor=3, most="2m"), [30, 90, 120, 120]),
        (Backoff(5, factor=1), [5, 5, 5]),
        (Backoff(7200), [3600, 3600]),
        (Backoff(0.5, factor=1.5, most=10), [0.5, 0.75, 1.125, 1.6875]),
    ],
)
def test_a_backoff_grows_until_its_longest_delay(backoff: Backoff, delays: list[float]) -> None:
    assert [backoff.delay(n) for n in range(1, len(delays) + 1)] == delays


@given(
    SECONDS,
    st.floats(1, 1e300),
    SECONDS,
    st.lists(st.integers(1, 10**9), min_size=1).map(sorted),
)
@example(30.0, 1e300, 3600.0, [1, 2, 10**9])
@example(5e-324, 1.5, 1e18, [1, 1_800, 1_850, 10**9])
@example(30.0, 1 + 2**-52, 3600.0, [1, 2, 3, 10**9])
def test_delays_never_shrink_nor_pass_their_bound(
    base: float, factor: float, most: float, attempts: list[int]
) -> None:
    backoff = Backoff(base, factor, most)
    delays = [backoff.delay(n) for n in attempts]
    assert all(0 < delay <= most for delay in delays)
    assert all(before <= after * (1 + 1e-12) for before, after in itertools.pairwise(delays))
    assert backoff.delay(1) == min(base, most)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 30))
def test_jitter_draws_its_share_and_no_more(jitter: float, drawn: float, n: int) -> None:
    whole = Backoff(30).delay(n)
    delay = RetryPolicy(Backoff(30, jitter=jitter)).delay_s(n, draw=lambda: drawn)
    assert delay is not None
    assert whole * (1 - jitter) * (1 - 1e-9) <= delay <= whole


def test_full_jitter_is_all_of_it() -> None:
    policy = RetryPolicy(Backoff(60, jitter="full"))
    delays = {policy.delay_s(1) or 0.0 for _ in range(200)}
    assert len(delays) > 150
    assert min(delays) < 20 < 40 < max(delays) <= 60
    # What is written for whoever knows no policies is not drawn.
    assert policy.first_delay_s == 60


@pytest.mark.parametrize(
    "arguments",
    [
        {"base": 0},
        {"base": -1},
        {"base": math.nan},
        {"base": math.inf},
        {"base": "soon"},
        {"base": None},
        {"base": True},
        {"factor": 0.99},
        {"factor": 0},
        {"factor": -2},
        {"factor": math.nan},
        {"factor": math.inf},
        {"factor": "2"},
        {"most": 0},
        {"most": -1},
        {"most": math.inf},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": math.nan},
        {"jitter": "half"},
        {"jitter": True},
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\AA backoff's [^\n]+\.\Z"):
        Backoff(**{"base": 30, **arguments})


@pytest.mark.parametrize(
    ("text", "backoff"),
    [
        ("30", Backoff(30)),
        ("30s", Backoff(30)),
        ("30x2..1h", Backoff(30, 2, 3600)),
        ("0.5x1.5..10s", Backoff(0.5, 1.5, 10)),
        ("2m..1d", Backoff(120, most=86_400)),
        ("30x2..1h~0.25", Backoff(30, jitter=0.25)),
        ("30~full", Backoff(30, jitter=1)),
    ],
)
def test_a_backoff_as_text(text: str, backoff: Backoff) -> None:
    assert Backoff.parse(text) == backoff
    assert Backoff.parse(str(backoff)) == backoff


@given(
    st.floats(1e-9, 1e9), st.floats(1, 1e300), st.floats(1e-9, 1e9), st.floats(0, 1) | st.just(1)
)
def test_a_backoff_as_text_is_the_same_one(
    base: float, factor: float, most: float, jitter: float
) -> None:
    backoff = Backoff(base, factor, most, jitter)
    assert Backoff.parse(str(backoff)) == backoff


@pytest.mark.parametrize(
    "text",
    [
        *["", "x2", "30x", "30x2..", "..1h", "30x0.5", "0x2", "30~", "30~2", "30xx2", "30xnan"],
        *["30x2..1h~full~1", "30x2..1h..2h", "nan", "30x2,1h", "30 x2", "30x2...1h", "30x2. .1h"],
    ],
)
def test_text_that_is_no_backoff_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.\Z"):
        Backoff.parse(text)


def test_of_a_list_the_last_delay_repeats() -> None:
    policy = RetryPolicy(retry_of([10, "1m", 300]))
    assert [policy.delay_s(n) for n in (1, 2, 3, 4, 10**9)] == [10, 60, 300, 300, 300]
    assert RetryPolicy().delay_s(1) is None


@pytest.mark.parametrize(
    "value",
    [
        *[[], [10, -1], [10, math.nan], ["soon"], [None], [1] * (MOST_DELAYS + 1), {30, 60}],
        *[30, True, {"factor": 2}, {"base": 0}, {"base": 30, "cap": 1}, "soon", b"30"],
    ],
)
def test_what_is_no_retry_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"[.}]\Z"):
        retry_of(value)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (ValueError, ("builtins.ValueError",)),
        ("ValueError", ("builtins.ValueError",)),
        ([OSError, "IOError"], ("builtins.OSError",)),
        (("json.JSONDecodeError",), ("json.decoder.JSONDecodeError",)),
        ([decimal.InvalidOperation], ("decimal.InvalidOperation",)),
        (["nowhere.to.be.Found"], ("nowhere.to.be.Found",)),
        ([Outer.OfOurs], (f"{__name__}.Outer.OfOurs",)),
        ([f"{__name__}.Outer.OfOurs"], (f"{__name__}.Outer.OfOurs",)),
        ((), ()),
    ],
)
def test_exceptions_are_known_by_their_whole_names(given: Any, names: tuple[str, ...]) -> None:
    assert exception_names(given, "retry_on") == names


@pytest.mark.parametrize(
    "given",
    [
        *[int, "int", "json.JSONDecoder", "json.dumps.", ".json", "no name", "HTTPError", "", 3],
        None,
        {"ValueError": 1},
        [ValueError()],
        [b"ValueError"],
        ["x" * 501],
        [f"m.E{n}" for n in range(101)],
    ],
)
def test_what_is_no_exception_class_is_refused(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\Agive_up_on [^\n]+\.\Z"):
        exception_names(given, "give_up_on")


def test_as_many_names_pass_from_a_process_as_a_policy_may_have() -> None:
    assert (runner.MOST_ASKED, runner.LONGEST_NAME) == (2 * MOST_NAMES, LONGEST_NAME)


def raised(error: type[BaseException]) -> tuple[str, ...]:
    return tuple(f"{one.__module__}.{one.__qualname__}" for one in error.__mro__)


@pytest.mark.parametrize(
    ("policy", "error", "refusal"),
    [
        ({}, KeyError, ""),
        ({"retry_on": [LookupError]}, KeyError, ""),
        ({"retry_on": ["OSError"]}, ConnectionResetError, ""),
        ({"retry_on": [KeyError]}, LookupError, "LookupError is not in retry_on"),
        ({"give_up_on": [LookupError]}, KeyError, "LookupError is in give_up_on"),
        ({"give_up_on": [ValueError]}, KeyError, ""),
        # Giving up wins.
        (
            {"retry_on": [KeyError], "give_up_on": [KeyError]},
            KeyError,
            "KeyError is in give_up_on",
        ),
        ({"retry_on": [Outer.OfOurs]}, Outer.OfOurs, ""),
        ({"give_up_on": [LookupError]}, Outer.OfOurs, "LookupError is in give_up_on"),
    ],
)
def test_subclasses_count_and_giving_up_wins(
    policy: dict[str, Any], error: type[BaseException], refusal: str
) -> None:
    names = {key: exception_names(value, key) for key, value in policy.items()}
    assert RetryPolicy(**names).refusal(raised(error)) == refusal


POLICIES = st.builds(
    RetryPolicy,
    st.none()
    | st.lists(st.integers(0, 10**6) | st.floats(0, 1e6), min_size=1, max_size=9).map(tuple)
    | st.builds(Backoff, SECONDS, st.floats(1, 1e300), SECONDS, st.floats(0, 1)),
    st.lists(st.sampled_from(["builtins.OSError", "a.b.C"]), unique=True).map(tuple),
    st.lists(st.sampled_from(["builtins.KeyError", "d.E"]), unique=True).map(tuple),
    st.sampled_from(["retry", "fail"]),
)


@given(POLICIES)
def test_a_policy_comes_back_as_it_was_stored(policy: RetryPolicy) -> None:
    text = policy.encode()
    assert (text is None) == (policy == RetryPolicy())
    assert RetryPolicy.decode(text) == (None if text is None else policy)
    # What commands print is what a line of JSONL takes.
    assert retry_of(json.loads(json.dumps(shown(policy.retry)))) == policy.retry


@pytest.mark.parametrize(
    "stored",
    [
        *["", "{", "[]", "3", '{"retry": 3}', '{"retry": {"base": 0}}', '{"on_timeout": "wait"}'],
        *['{"retry_on": "OSError"}', '{"give_up_on": [3]}', '{"retry": [NaN]}', "[" * 100_000],
        *[b"{}", 3, 1.5],
    ],
)
def test_a_damaged_policy_is_told(stored: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        RetryPolicy.decode(stored)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (Retry(), "retry", "again"),
        (Retry("90s"), "retry", "again in 1m30s"),
        (Snooze(0.5), "snooze", "again in 0.5s"),
        (GiveUp("the order is gone"), "give_up", "the order is gone"),
        (GiveUp(), "give_up", ""),
    ],
)
def test_what_a_function_may_raise_tells_what_it_is(error: Exception, kind: str, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    for one in (error, copy):
        assert (one.__gigq_core__, str(one)) == (kind, text)
    assert getattr(copy, "after", None) == getattr(error, "after", None)


@pytest.mark.parametrize("after", [-1, math.nan, "soon", "5", True, 2**63])
@pytest.mark.parametrize("kind", [Retry, Snooze])
def test_a_time_that_is_none_is_refused_where_it_is_raised(kind: Any, after: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=kind.__name__):
        kind(after)


def test_they_are_exported() -> None:
    assert {"Backoff", "Retry", "Snooze", "GiveUp"} <= set(gigq_core.__all__)
