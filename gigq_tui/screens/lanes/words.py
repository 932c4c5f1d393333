"""Lanes in words: how one stands, what a rule allows, and what is told of the one looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gigq_core.lanes.rules import Lane
from gigq_core.units.spans import span
from gigq_tui.format import count, inert, listed, plural
from gigq_tui.store.lanes import Standing, standing_of, startable

_PERIODS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
ROLES = {
    Standing.UNTAKEN: "fail",
    Standing.SHUT: "warn",
    Standing.PAUSED: "warn",
    Standing.FULL: "run",
    Standing.RATED: "run",
    Standing.OPEN: "ok",
    Standing.EMPTY: "dim",
}


def standing_words(lane: Lane, now: float, *, short: bool = False) -> str:
    """Say how a lane stands.

    Args:
        lane: Which.
        now: The present moment, in UTC seconds.
        short: Whether there is room for a few words only.
    """
    standing = standing_of(lane, now)
    if standing is Standing.SHUT and lane.opens_at is not None:
        told = f"shut for {_left(lane.opens_at, now)}"
        return told if short else f"{told}, as a job asked"
    if standing is Standing.FULL:
        return f"full: {lane.running} of {lane.running_limit} run"
    if standing is Standing.RATED and lane.next_start is not None:
        told = f"next start in {_left(lane.next_start, now)}"
        return told if short else f"{told} ({lane.rate})"
    if standing is Standing.EMPTY:
        return "no jobs"
    return str(standing.value)


def _left(moment: float, now: float) -> str:
    """How long it is until a moment: never less than a second."""
    return span(float(max(1, math.ceil(moment - now - 1e-3))))


def limit_words(running: int | None, rate: str | None, burst: int, *, reserved: bool) -> str:
    """Say what limits are: `at most 2 at a time, 10 starts a minute`.

    Args:
        running: How many jobs run at a time; None for any number.
        rate: How many start in what time, as it is typed; None for any number.
        burst: How many of these at once after a rest.
        reserved: Whether only workers that name the lane take from it.
    """
    parts = []
    if running is not None:
        parts.append(f"at most {count(running)} at a time")
    if rate:
        parts.append(rate_words(rate))
        if burst > 1:
            parts.append(f"up to {count(burst)} of them at once")
    if reserved:
        parts.append("only for workers that name it")
    return ", ".join(parts) or "no limit"


def rate_words(rate: str) -> str:
    """Say what a rate allows: `10 starts a minute`."""
    number, _, unit = rate.partition("/")
    period = _PERIODS.get(unit.strip(), unit)
    starts = "start" if number == "1" else "starts"
    return f"{number} {starts} {'an' if unit == 'h' else 'a'} {period}"


def waiting_words(number: int) -> str:
    """Say how many jobs wait."""
    if not number:
        return "no job waits"
    return f"{plural(number, 'job')} {'waits' if number == 1 else 'wait'}"


def lane_words(lane: Lane) -> str:
    """Say of a lane what its line has no room for: its limits in words, and who takes its jobs."""
    limits = limit_words(lane.running_limit, lane.rate, lane.burst, reserved=lane.reserved)
    if not lane.pattern:
        rule = "no rule"
    elif lane.is_rule_only:
        rule = "no jobs wait or run in such a lane"
    elif lane.pattern == lane.name:
        rule = "its own rule"
    else:
        rule = f"rule {inert(lane.pattern)}"
    parts = [f"{inert(lane.name)}: {limits} ({rule})"]
    if lane.paused_by is not None and lane.paused_by != lane.name:
        parts.append(f"paused with {inert(lane.paused_by)}")
    if lane.takers and not lane.is_rule_only:
        parts.append(f"taken by {listed([inert(taker) for taker in lane.takers])}")
    later = ((lane.delayed, "for their time"), (lane.blocked, "for parents"))
    if told := [f"{count(number)} {words}" for number, words in later if number]:
        parts.append(f"later: {' and '.join(told)}")
    return "; ".join(parts)


def summary_words(lanes: Iterable[Lane], now: float) -> list[tuple[str, str]]:
    """Say of all lanes what needs somebody, the gravest first, each with its role."""
    found: dict[Standing, int] = {}
    for lane in lanes:
        if startable(lane):
            standing = standing_of(lane, now)
            found[standing] = found.get(standing, 0) + 1
    told = []
    for standing, words in (
        (Standing.UNTAKEN, "without a worker"),
        (Standing.SHUT, "shut"),
        (Standing.PAUSED, "paused"),
        (Standing.FULL, "full"),
        (Standing.RATED, "at the rate limit"),
    ):
        if number := found.get(standing):
            told.append((f"{count(number)} {words}", ROLES[standing]))
    return told
