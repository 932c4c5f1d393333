"""Lanes: named queues within the file, with limits, and how they stand.

A rule is for the lane of its name, or for all whose names begin with what stands before its star.
Of the rules that fit a lane the exact one wins, else the longest. A pause stands apart from rules,
so that its end leaves none behind.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gigq_core.lane_names import HIDDEN, check_lane
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.schema import lane_statements as sql
from gigq_core.schema import view_statements as view
from gigq_core.status import WorkerState
from gigq_core.system.identity import ProcessIdentity, is_dead
from gigq_core.units.spans import span

# What a rate counts by, in seconds.
PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# So many of a lane's jobs are shown to workers at a time.
MOST_SHOWN = 256
# Beyond this a number is none that a lane could keep to.
MOST = 1_000_000
# Fewer starts in a period are none either, and could not be written as they are read.
FEWEST = 0.001

_RATE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*(?:1\s*)?([smhd])\s*")
_STAR = ":*"
_RUNNING: WorkerState = "running"


class Rate(NamedTuple):
    """So many starts in so many seconds."""

    starts: float
    period_s: float

    @property
    def apart_s(self) -> float:
        """From one start to the next."""
        return self.period_s / self.starts


@dataclass(frozen=True)
class Rule:
    """The limits of a lane, or of all with a prefix: each of these has them for itself."""

    pattern: str
    running: int | None = None
    rate: str | None = None
    burst: int = 1
    reserved: bool = False

    @property
    def has_limit(self) -> bool:
        """Whether it ever holds a job back."""
        return self.running is not None or self.rate is not None


NO_RULE = Rule("")


# --- checking --------------------------------------------------------------------------------


def check_pattern(pattern: str, label: str = "the lane") -> str:
    """A lane's name, or `prefix:*`, as it is stored.

    Raises:
        TypeError: it is no text.
        ValueError: it is neither.
    """
    if isinstance(pattern, str) and "*" in pattern:
        if not pattern.endswith(_STAR) or pattern.count("*") > 1 or pattern == _STAR:
            raise ValueError(
                f"{label} is {pattern[:40]!r}: write a lane's name, or a prefix as in fetch:*."
            )
        check_lane(pattern[: -len(_STAR)], label)
        return pattern
    return check_lane(pattern, label)


def check_patterns(patterns: Iterable[str] | str, label: str) -> tuple[str, ...]:
    """Names of lanes and prefixes, checked, each once.

    Raises:
        TypeError, ValueError: as for `check_pattern`.
    """
    if isinstance(patterns, str):
        raise TypeError(f"{label} must be a list of lanes, not one string: write [{patterns!r}].")
    if not isinstance(patterns, Iterable):
        raise TypeError(f"{label} must be a list of lanes, not {type(patterns).__name__}.")
    return tuple(dict.fromkeys(check_pattern(pattern, label) for pattern in patterns))


def rate_of(text: str) -> Rate:
    """What `10/m` says.

    Raises:
        TypeError: it is no text.
        ValueError: it is no rate.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"rate must be text like '10/m', not a value of type {type(text).__name__}."
        )
    found = _RATE.fullmatch(text)
    starts = 0.0 if found is None else float(found[1])
    if found is None or not FEWEST <= starts <= MOST:
        raise ValueError(
            f"rate is {text[:40]!r}: write a number from {FEWEST} to {MOST:,} for each second, "
            "minute, hour or day, as in 5/s, 10/m, 100/h or 1/d."
        )
    return Rate(starts, PERIODS_S[found[2]])


def rate_text(text: str) -> str:
    """A rate in its one form."""
    rate = rate_of(text)
    unit = next(unit for unit, period_s in PERIODS_S.items() if period_s == rate.period_s)
    return f"{rate.starts:.12g}/{unit}"


def rule_of(
    pattern: str,
    running: int | None = None,
    rate: str | None = None,
    burst: int = 1,
    reserved: bool = False,
) -> Rule:
    """A rule, checked.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: a value is out of range.
    """
    check_pattern(pattern)
    if "{" in pattern:
        raise ValueError(
            f"the lane is {pattern[:40]!r}: no parameter is filled in here; write the name that "
            "it becomes, or a prefix as in fetch:*."
        )
    if running is not None:
        _check_count("running", running, "; pause the lane to let none run")
    if rate is not None:
        rate = rate_text(rate)
    _check_count("burst", burst)
    if burst != 1 and rate is None:
        raise ValueError("burst is how many may start at once within a rate: give a rate too.")
    if not isinstance(reserved, bool):
        raise TypeError(f"reserved must be True or False, not {type(reserved).__name__}.")
    return Rule(pattern, running, rate, burst, reserved)


def _check_count(label: str, value: object, advice: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{label} must be a whole number, not {type(value).__name__}.")
    if not 1 <= value <= MOST:
        raise ValueError(f"{label} is {value}: give a number from 1 to {MOST:,}{advice}.")


# --- which rule a lane has -------------------------------------------------------------------


def patterns_for(lane: str) -> list[str]:
    """What a rule for the lane can be called, the one that wins first."""
    prefixes = [lane[: n + 1] + "*" for n, letter in enumerate(lane) if letter == ":"]
    return [lane, *reversed(prefixes)]


def matches(pattern: str, lane: str) -> bool:
    """Whether a lane is one of those that a pattern stands for."""
    return lane == pattern or (is_prefix(pattern) and lane.startswith(pattern[:-1]))


def is_prefix(pattern: str) -> bool:
    """Whether a pattern stands for all lanes whose names begin so."""
    return pattern.endswith(_STAR)


def span_of(pattern: str) -> tuple[str, str]:
    """The least name that a pattern stands for, and the least beyond those."""
    if is_prefix(pattern):
        return pattern[:-1], pattern[: -len(_STAR)] + chr(ord(":") + 1)
    return pattern, pattern + "\0"


def rule_for(conn: sqlite3.Connection, lane: str, patterns: str | None = None) -> Rule:
    """The rule that a lane has; `NO_RULE` where none fits.

    Args:
        conn: the file.
        lane: the lane.
        patterns: `patterns_for` it, as JSON, where that is at hand.
    """
    asked = json.dumps(patterns_for(lane)) if patterns is None else patterns
    rows = conn.execute(sql.RULES_AMONG, (asked,)).fetchall()
    if not rows:
        return NO_RULE
    return _best({rule.pattern: rule for rule in map(_rule_of_row, rows)}, lane)


def read_rules(conn: sqlite3.Connection) -> list[tuple[Rule, float | None]]:
    """All rules, and since when the lanes of each are paused, in UTC seconds; by their patterns.

    What is paused and has no rule stands among them, without a limit.
    """
    if conn.execute(sql.HAS_LANES).fetchone() is None:
        return []
    rules = {rule.pattern: rule for rule in map(_rule_of_row, conn.execute(sql.ALL_RULES))}
    pauses = {as_text(pattern): as_float(at) for pattern, at in conn.execute(sql.ALL_PAUSES)}
    names = sorted(rules.keys() | pauses.keys())
    return [(rules.get(name, Rule(name)), pauses.get(name)) for name in names]


def _best(rules: Mapping[str, Rule], lane: str) -> Rule:
    return next((rules[one] for one in patterns_for(lane) if one in rules), NO_RULE)


def _rule_of_row(row: Sequence[Any]) -> Rule:
    """A rule as it is stored; what can't be one is none."""
    pattern, running, rate, burst, reserved = row
    text = rate if isinstance(rate, str) and _RATE.fullmatch(rate) else None
    most = running if isinstance(running, int) and running > 0 else None
    return Rule(as_text(pattern), most, text, max(1, as_int(burst)), bool(reserved))


# --- how lanes stand -------------------------------------------------------------------------


@dataclass(frozen=True)
class Lane:
    """How a lane stands, with the limits that it has; times are in UTC seconds since 1970.

    Attributes:
        name: The lane's; of a rule whose lanes have no jobs, its pattern.
        pattern: Of the rule that it has; None where no rule fits.
        running_limit: How many of its jobs may run at a time; None for any number.
        rate: How many may start, as `10/m`; None for any number.
        burst: How many of these at once.
        reserved: Whether only workers that name it take its jobs.
        paused_at: When it was paused; None where it is not.
        paused_by: Which pattern is paused, and so is to be resumed.
        running: How many of its jobs run.
        ready: How many are shown to workers: they run as soon as one has a free slot.
        held: How many could run, but for the limits.
        delayed: How many wait for their time.
        blocked: How many wait for parents.
        opens_at: Until when a job has shut it; None where it is not shut.
        shut_for: For how many seconds that was.
        next_start: When its rate lets the next job start; None where that is now.
        takers: The workers that take its jobs now.
        is_rule_only: Whether this is a rule whose lanes have no jobs.
    """

    name: str
    pattern: str | None = None
    running_limit: int | None = None
    rate: str | None = None
    burst: int = 1
    reserved: bool = False
    paused_at: float | None = None
    paused_by: str | None = None
    running: int = 0
    ready: int = 0
    held: int = 0
    delayed: int = 0
    blocked: int = 0
    opens_at: float | None = None
    shut_for: float | None = None
    next_start: float | None = None
    takers: tuple[str, ...] = ()
    is_rule_only: bool = False

    @property
    def waiting(self) -> int:
        """How many of its jobs have not begun."""
        return self.ready + self.held + self.delayed + self.blocked

    @property
    def is_paused(self) -> bool:
        """Whether it is paused."""
        return self.paused_at is not None

    @property
    def has_limit(self) -> bool:
        """Whether its rule ever holds a job back."""
        return self.running_limit is not None or self.rate is not None


class InLane(NamedTuple):
    """Where a waiting job stands: in a lane, shown to workers or held."""

    lane: Lane
    shown: bool


class Taker(NamedTuple):
    """A worker that takes jobs: `lanes` beside all that are not reserved, or only some."""

    id: str
    lanes: tuple[str, ...] = ()
    only_lanes: tuple[str, ...] = ()

    def takes(self, lane: str, reserved: bool) -> bool:
        """Whether it takes a lane's jobs."""
        if self.only_lanes:
            return any(matches(pattern, lane) for pattern in self.only_lanes)
        return not reserved or any(matches(pattern, lane) for pattern in self.lanes)


def read_lanes(conn: sqlite3.Connection, now_utc: float) -> list[Lane]:
    """The lanes in which jobs wait or run, and the rules whose lanes have none, by their names.

    Args:
        conn: the file, attached or not.
        now_utc: the present moment, in UTC seconds.
    """
    if conn.execute(sql.HAS_LANES).fetchone() is None:
        return []
    rules = {rule.pattern: rule for rule in map(_rule_of_row, conn.execute(sql.ALL_RULES))}
    pauses = {as_text(pattern): at for pattern, at in conn.execute(sql.ALL_PAUSES)}
    counts = _counts(conn)
    if not (rules or pauses or counts):
        return []
    states = {as_text(row[0]): tuple(row) for row in conn.execute(sql.ALL_TIMES)}
    takers = read_takers(conn)
    found = [_lane(name, rules, pauses, takers) for name in counts]
    lanes = [
        _with_times(replace(lane, **counts[lane.name]), states.get(lane.name), now_utc)
        for lane in found
    ]
    used = {lane.pattern for lane in lanes} | {lane.paused_by for lane in lanes}
    lanes += [
        replace(_lane(pattern, rules, pauses, takers), is_rule_only=True)
        for pattern in rules.keys() | pauses.keys()
        if pattern not in used and pattern not in counts
    ]
    return sorted(lanes, key=lambda lane: lane.name)


def read_lane(conn: sqlite3.Connection, name: str, now_utc: float) -> Lane:
    """How one lane stands, whether it has jobs or not."""
    if conn.execute(sql.HAS_LANES).fetchone() is None:
        return Lane(name)
    rules = {rule.pattern: rule for rule in map(_rule_of_row, conn.execute(sql.ALL_RULES))}
    pauses = {as_text(pattern): at for pattern, at in conn.execute(sql.ALL_PAUSES)}
    lane = _lane(name, rules, pauses, read_takers(conn))
    if conn.execute(sql.HAS_LANE_INDEXES).fetchone()[0]:
        counted = map(as_int, conn.execute(sql.COUNT_ONE, {"lane": name}).fetchone())
        running, ready, held, waiting, blocked = counted
        lane = replace(
            lane,
            running=running,
            ready=ready,
            held=held,
            delayed=waiting - blocked,
            blocked=blocked,
        )
    state = conn.execute(sql.TIMES_OF, (name,)).fetchone()
    return _with_times(lane, None if state is None else tuple(state), now_utc)


def read_limits(conn: sqlite3.Connection, names: Iterable[str], now_utc: float) -> dict[str, Lane]:
    """How some lanes stand, but for how many jobs wait in them: a refresh has no time to count.

    Args:
        conn: the file, attached or not.
        names: the lanes' names.
        now_utc: the present moment, in UTC seconds.
    """
    if conn.execute(sql.HAS_LANES).fetchone() is None:
        return {name: Lane(name) for name in names}
    rules = {rule.pattern: rule for rule in map(_rule_of_row, conn.execute(sql.ALL_RULES))}
    pauses = {as_text(pattern): at for pattern, at in conn.execute(sql.ALL_PAUSES)}
    takers = read_takers(conn)
    is_counted = conn.execute(sql.HAS_LANE_INDEXES).fetchone()[0]
    found: dict[str, Lane] = {}
    for name in names:
        lane = _lane(name, rules, pauses, takers)
        if is_counted and lane.running_limit is not None:
            running = conn.execute(sql.COUNT_RUNNING_IN, (name,)).fetchone()[0]
            lane = replace(lane, running=as_int(running))
        state = conn.execute(sql.TIMES_OF, (name,)).fetchone()
        found[name] = _with_times(lane, None if state is None else tuple(state), now_utc)
    return found


def holds_any(conn: sqlite3.Connection) -> bool:
    """Whether a job that is ready is held by its lane, or left to workers that name the lane."""
    if not conn.execute(sql.HAS_LANE_INDEXES).fetchone()[0]:
        return False
    return bool(conn.execute(sql.HOLDS_ANY).fetchone()[0])


class Terms(NamedTuple):
    """A lane's limits, without counts; `tat` is when all starts that it spent are earned again."""

    lane: Lane
    tat: float | None


def read_terms(
    conn: sqlite3.Connection, names: Iterable[str], now_utc: float, takers: Sequence[Taker]
) -> Iterator[Terms]:
    """The limits of lanes, one after another, as far as a forecast goes by them.

    Args:
        conn: the file, attached or not.
        names: the lanes' names.
        now_utc: the present moment, in UTC seconds.
        takers: the workers that take jobs.
    """
    if conn.execute(sql.HAS_LANES).fetchone() is None:
        return
    rules = {rule.pattern: rule for rule in map(_rule_of_row, conn.execute(sql.ALL_RULES))}
    pauses = {as_text(pattern): at for pattern, at in conn.execute(sql.ALL_PAUSES)}
    for name in names:
        lane = _lane(name, rules, pauses, takers)
        state = conn.execute(sql.TIMES_OF, (name,)).fetchone()
        if state is None:
            yield Terms(lane, None)
            continue
        tat = state[1] if isinstance(state[1], (int, float)) else None
        yield Terms(_with_times(lane, tuple(state), now_utc), tat)


def _counts(conn: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """How many jobs of each lane stand where, by the names of the fields."""
    counts: dict[str, dict[str, Any]] = {}
    if not conn.execute(sql.HAS_LANE_INDEXES).fetchone()[0]:
        return counts

    def add(lane: object, field: str, n: object) -> None:
        counts.setdefault(as_text(lane), {})[field] = as_int(n)

    for field, statement in _COUNTED.items():
        for lane, n in conn.execute(statement):
            add(lane, field, n)
    for lane, n, blocked in conn.execute(sql.COUNT_WAITING):
        add(lane, "blocked", blocked)
        add(lane, "delayed", as_int(n) - as_int(blocked))
    return counts


_COUNTED = {"running": sql.COUNT_RUNNING, "ready": sql.COUNT_OPEN, "held": sql.COUNT_HELD}


def _lane(
    name: str, rules: Mapping[str, Rule], pauses: Mapping[str, Any], takers: Iterable[Taker]
) -> Lane:
    rule = rules.get(name) or _best(rules, name)
    paused_by = next((one for one in patterns_for(name) if one in pauses), None)
    if paused_by is None and name in pauses:
        paused_by = name
    paused_at = None if paused_by is None else pauses[paused_by]
    return Lane(
        name=name,
        pattern=rule.pattern or None,
        running_limit=rule.running,
        rate=rule.rate,
        burst=rule.burst,
        reserved=rule.reserved,
        paused_at=float(paused_at) if isinstance(paused_at, (int, float)) else None,
        paused_by=paused_by,
        takers=tuple(taker.id for taker in takers if taker.takes(name, rule.reserved)),
    )


def _with_times(lane: Lane, state: tuple[Any, ...] | None, now_utc: float) -> Lane:
    if state is None:
        return lane
    _, tat, opens_at, shut_for = state
    told: dict[str, Any] = {}
    if isinstance(opens_at, (int, float)) and opens_at > now_utc:
        told = {"opens_at": opens_at, "shut_for": shut_for}
    if lane.rate is not None and isinstance(tat, (int, float)):
        rate = rate_of(lane.rate)
        if allowed_now(rate, lane.burst, tat, now_utc) == 0:
            told["next_start"] = tat - (lane.burst - 1) * rate.apart_s
    return replace(lane, **told) if told else lane


def allowed_now(rate: Rate, burst: int, tat: float | None, now_utc: float) -> int:
    """How many starts a rate allows at a moment.

    Args:
        rate: how many may start in a time.
        burst: how many of these may start at once.
        tat: the moment at which all that was spent is earned again; None where nothing was.
        now_utc: UTC seconds.
    """
    if tat is None or tat <= now_utc:
        return burst
    earned = (now_utc - tat) / rate.apart_s + burst
    # A moment that has come by the clock must not be missed by the last digit of a sum.
    return max(0, min(burst, math.floor(earned + min(0.5, 1e-6 / rate.apart_s))))


def read_takers(conn: sqlite3.Connection) -> list[Taker]:
    """The workers that take jobs now, as far as they are known to live, with what they take."""
    takers = []
    for row in map(dict, conn.execute(view.WORKERS)):
        if row["state"] != _RUNNING or row["request"] not in (None, "resume"):
            continue
        if is_dead(ProcessIdentity.of_row(row)) is True:
            continue
        takers.append(taker_of(row))
    return takers


def taker_of(row: Mapping[str, Any]) -> Taker:
    """What a worker takes, of its row."""
    lanes, only = (_patterns(row.get(column)) for column in ("lanes", "only_lanes"))
    return Taker(as_text(row["id"]), lanes, only)


def _patterns(stored: object) -> tuple[str, ...]:
    try:
        found = json.loads(stored) if isinstance(stored, str) else []
    except ValueError:
        return ()
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


_UNTAKEN = "no worker takes it"


def lane_words(lane: Lane, now_utc: float) -> str:
    """What holds a lane's jobs back, in a few words; empty where nothing does."""
    if lane.is_paused:
        return "paused"
    if lane.opens_at is not None and lane.opens_at > now_utc:
        return f"shut for {_seconds(lane.opens_at - now_utc)}, as a job asked"
    if lane.running_limit is not None and lane.running >= lane.running_limit:
        return f"{lane.running:,} of {lane.running_limit:,} run"
    if lane.next_start is not None and lane.next_start > now_utc:
        return f"next start in {_seconds(lane.next_start - now_utc)} ({lane.rate})"
    if lane.waiting and not lane.takers:
        return _UNTAKEN
    return ""


def in_lane_words(in_lane: InLane, now_utc: float) -> str:
    """Why a job that waits in a lane does not run; empty where that is not because of the lane."""
    lane, shown = in_lane
    if shown:
        return "" if lane.takers else f"lane {lane.name}: {_UNTAKEN}"
    if lane.is_paused:
        return f"lane {lane.name} is paused"
    others = "others in it come first" if lane.takers else _UNTAKEN
    return f"lane {lane.name}: {lane_words(lane, now_utc) or others}"


def _seconds(seconds: float) -> str:
    """A time to wait: whole seconds, and at least one, as `0s` would be a time that is over."""
    return span(float(max(1, math.ceil(seconds - 1e-3))))


def is_lane(value: object) -> bool:
    """Whether a column holds a lane's name."""
    return isinstance(value, str) and value != HIDDEN and value != ""
