"""Durations as people give them: a number of seconds, or `90s`, `1h30m`, `250ms`."""

from __future__ import annotations

import re

# SQLite's INTEGER holds no more, and no clock lives to see it.
LONGEST_S = float(2**63)

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_ORDER = list(_UNITS_MS)

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PLAIN = re.compile(_NUMBER)
_PART = re.compile(rf"({_NUMBER})(ms|[smhdw])")


def seconds_in(text: str) -> float | None:
    """The seconds that a text stands for: `90`, `90s`, `1h30m`; None where it is no duration.

    Larger units stand before smaller ones, and each stands there once.
    """
    if _PLAIN.fullmatch(text):
        return float(text)
    total, place, last = 0.0, 0, -1
    while part := _PART.match(text, place):
        unit = _ORDER.index(part[2])
        if unit <= last:
            return None
        unit_ms = _UNITS_MS[part[2]]
        total += float(part[1]) / 1000 if unit_ms == 1 else float(part[1]) * (unit_ms // 1000)
        place, last = part.end(), unit
    return total if place and place == len(text) else None


def seconds_of(value: object, label: str) -> float:
    """Read a duration: a number of seconds, or text with units like `90s`, `1h30m`, `250ms`.

    Args:
        value: What was given. A number comes back as it is.
        label: What it is called; the sentence of an error begins with it.

    Raises:
        TypeError: It is neither a number nor text, or a number as text.
        ValueError: It is no duration, below zero, or has no end.
    """
    seconds: float | None
    if isinstance(value, str):
        seconds = seconds_in(value)
        if seconds is None:
            raise ValueError(
                f"{label} is {value[:40]!r}: write a number of seconds, or units like 90s, 1h30m "
                "or 250ms."
            )
        if _PLAIN.fullmatch(value):
            raise TypeError(
                f"{label} is the text {value[:40]!r}: give a number, or text with its unit."
            )
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{label} must be a number of seconds or text like '90s', not a value of type "
            f"{type(value).__name__}."
        )
    else:
        seconds = value
    # Compared, not asked: a whole number of any size compares, and NaN with nothing.
    if not -LONGEST_S < seconds < LONGEST_S:
        raise ValueError(f"{label} is {value}: give a finite number of seconds.")
    if seconds < 0:
        raise ValueError(f"{label} is {value}: it can't be negative.")
    return seconds


def typed_seconds_of(text: str, label: str) -> float:
    """Read a duration that was typed, where a number is text too: `90`, `90s`, `1h30m`.

    Raises:
        ValueError: As for `seconds_of`.
    """
    plain = seconds_in(text) if _PLAIN.fullmatch(text) else None
    if plain is not None and plain.is_integer():
        plain = int(plain)
    return seconds_of(text if plain is None else plain, label)


def seconds_text(seconds: float) -> str:
    """A number of seconds as it is typed, never with an exponent: `90`, `0.25`, `0.00001`."""
    if seconds == int(seconds):
        return str(int(seconds))
    text = repr(seconds)
    if "e" not in text:
        return text
    from decimal import Decimal  # rarely needed, and large

    return format(Decimal(text), "f")


def duration_text(seconds: float) -> str:
    """A duration in the words that `seconds_of` reads: `30s`, `1h30m`, `0.25s`."""
    if seconds != int(seconds) or seconds < 60:
        return f"{seconds_text(seconds)}s"
    words, rest = "", int(seconds)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNITS_MS[unit] // 1000)
        words += f"{count}{unit}" if count else ""
    return words
