"""How values look: nothing that a job says can steer a terminal, and nothing outgrows its cells."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.reasons.why import State
from gigq_core.units.moments import clock_time
from gigq_tui import format as fmt
from gigq_tui.widgets.question import wrap_words

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=60)
STEERING = ("\x1b", "\x9b", "\x00", "\x07", "\r", "\n", "\u202e", "\u2066", "\u200b", "\udc80")


@given(ANY_TEXT)
def test_inert_text_steers_nothing(text: str) -> None:
    shown = fmt.inert(text)
    assert not any(char in shown for char in STEERING)
    assert fmt.inert(shown) == shown
    shown.encode("utf-8")


@given(ANY_TEXT)
def test_inert_text_is_as_wide_as_its_characters(text: str) -> None:
    shown = fmt.inert(text)
    assert fmt.width_of(shown) == sum(map(fmt.width_of, shown))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u0065\u0301", "caf\u0065\u0301"),
        ("\u2764\ufe0f ok", "\u2764 ok"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d"),
        ("\U0001f1e9\U0001f1ea", "DE"),
        ("a\u3164b\u034f\U000e0041", "a?b??"),
        ("a" + "\u0301" * 1_000 + "b", "a" + "\u0301" * 4 + "?b"),
        ("\u0301" * 9, "\u0301" * 4 + "?"),
        (
            "-- \u2500\u2500\u2500\u2500\u2500\u2500\u2500 --",
            "-- \u2500\u2500\u2500\u2500\u2500\u2500\u2500 --",
        ),
    ],
)
def test_what_terminals_draw_differently_is_settled(text: str, shown: str) -> None:
    assert fmt.inert(text) == shown.replace("?", fmt.inert("\0"))


@given(ANY_TEXT, st.integers(0, 40))
def test_cut_and_pad_keep_to_their_cells(text: str, width: int) -> None:
    inert = fmt.inert(text)
    assert fmt.width_of(fmt.cut(inert, width)) <= width
    assert fmt.width_of(fmt.pad(inert, width)) == width
    assert fmt.width_of(fmt.pad(inert, width, right=True)) == width


@given(ANY_TEXT, st.integers(2, 40))
def test_broken_between_words_a_text_loses_only_blanks(text: str, width: int) -> None:
    inert = fmt.inert(text)
    lines = wrap_words(inert, width)
    assert "".join("".join(lines).split()) == "".join(inert.split())
    assert all(fmt.width_of(line) <= width for line in lines)


def test_lines_are_split_and_not_yet_inert() -> None:
    assert fmt.split_lines("a\r\nb\tc\n\x1b[0m\n") == ["a", "b   c", "\x1b[0m"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0ms"),
        (0.04, "40ms"),
        (8.12, "8.1s"),
        (58, "58s"),
        (102, "1m42s"),
        (7500, "2h05m"),
        (273_600, "3d4h"),
        (-5, "0ms"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert fmt.duration(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(5, "<1m"), (61, "1m"), (3599, "59m"), (7200, "2h"), (400_000, "4d"), (-1, "<1m")],
)
def test_ages_are_coarse(seconds: float, told: str) -> None:
    assert fmt.age(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *[(0.5, "0.5s"), (90, "90s"), (240, "4m"), (300, "5m"), (7200, "2h"), (5400, "1h30m")],
        *[(1_209_600, "14d"), (604_800.5, "604800.5s"), (1_000_001, "1000001s")],
    ],
)
def test_limits(seconds: float, told: str) -> None:
    assert fmt.limit(seconds) == told


@pytest.mark.parametrize(
    ("number", "told"), [(47, "47"), (9_999, "9999"), (18_204, "18k"), (1_250_000, "1.2M")]
)
def test_short_counts(number: int, told: str) -> None:
    assert fmt.short_count(number) == told


@pytest.mark.parametrize(
    ("octets", "told"), [(0, "0B"), (640, "640B"), (4_300_000, "4.1M"), (65_536, "64K")]
)
def test_sizes(octets: int, told: str) -> None:
    assert fmt.size(octets) == told


def test_moments_of_another_day_carry_their_date() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
    today, yesterday = (datetime(2026, 11, day, 9, 8, 7, tzinfo=timezone.utc) for day in (23, 22))
    assert clock_time(None, now) == "-"
    assert clock_time(today, now) == "09:08:07"
    assert clock_time(yesterday, now) == "2026-11-22 09:08:07"


@pytest.mark.parametrize(
    "key",
    ["password", "DB_PASSWORD", "passwd", "api_key", "apiKey", "token", "access_token", "secret"],
)
def test_secret_keys(key: str) -> None:
    assert fmt.is_secret(key)


@pytest.mark.parametrize("key", ["src", "path", "compass", "monkey", "author"])
def test_other_keys(key: str) -> None:
    assert not fmt.is_secret(key)


def test_masking_goes_deep_and_copies() -> None:
    value: Any = {"a": [{"token": "x"}, 1], "secret": {"b": 2}}
    assert fmt.masked(value) == {"a": [{"token": fmt.MASK}, 1], "secret": fmt.MASK}
    assert value["a"][0]["token"] == "x"


def test_every_state_has_a_mark_of_its_own() -> None:
    assert set(fmt.MARKS) == set(State)
    words = [mark.word for mark in fmt.MARKS.values()]
    assert len(set(words)) == len(words)
    assert all((mark.glyph + mark.word).isascii() for mark in fmt.MARKS.values())


def test_masking_reaches_text_that_was_too_long_to_be_decoded() -> None:
    long = '{"src": "a \\" b", "password": "hunter2 \\" tail", "n": [1], "api_key": 12, "z": "'
    told = fmt.masked(long + "x" * 50)
    assert not [word for word in ("hunter2", "tail", "12,") if word in told]
    assert told.count(fmt.MASK) == 2
    assert '"src": "a \\" b"' in told
    assert told.endswith("x" * 50)
    assert "hunter2" not in fmt.masked('{"secret": {"a": "hunter2"}, "b": "hunter2"')
    assert fmt.masked('{"token": "cut in its mid') == f'{{"token": "{fmt.MASK}"'
    assert fmt.masked("plain text") == "plain text"
