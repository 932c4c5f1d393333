"""Which jobs of a lane are shown to workers: as many of the best as its limits leave room for.

The others are held, whatever their priority, so that no claim walks past them. There is no
semaphore: what runs is counted, so that a job that ends, by whatever means, frees its place in the
commit that ends it. Triggers mark the lanes in which something changes; whoever writes next looks
at them, and writes the difference between what is shown and what is to be shown.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gigq_core import agenda
from gigq_core.lanes.rules import (
    MOST_SHOWN,
    Rule,
    allowed_now,
    is_lane,
    patterns_for,
    rate_of,
    rule_for,
    span_of,
)
from gigq_core.schema import lane_statements as sql
from gigq_core.schema.ddl import HELD, OURS, RESERVED
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.units.times import Moment

logger = logging.getLogger("gigq_core.lanes")

# How many lanes are looked at in one transaction.
LANES_AT_ONCE = 200
# How many held jobs of a lane that has no limit any more are shown in one transaction.
FREED_AT_ONCE = 2_000
# A lane that can't be looked at waits for so long, in seconds.
PUT_OFF_S = 60.0
# So much later than it can be, a moment tells of a clock that was set back, in seconds.
SLACK_S = 1.0
# The entry of the agenda, and what stands there where no lane is to be looked at: never.
WHAT = "lanes:"
NEVER = 1e15
# How often the states of lanes without jobs are forgotten, in seconds.
FORGET_EVERY_S = 3600.0

# What a damaged row, or a rule that somebody wrote, makes of a lane.
_ODD = (sqlite3.Error, ValueError, OverflowError, TypeError)


class State(NamedTuple):
    """What is known of a lane."""

    word: str = HELD
    shows: str = OURS
    tat: float | None = None
    opens_at: float | None = None
    shut_for: float | None = None
    next_at: float | None = None


def settle(conn: sqlite3.Connection, now_utc: float) -> int:
    """Look at the lanes in which something has changed, within the caller's transaction.

    A lane for which that fails is put off, and costs nobody else anything.

    Args:
        conn: the file.
        now_utc: the present moment, in UTC seconds.

    Returns:
        How many lanes were looked at.

    Raises:
        sqlite3.OperationalError: what passes by itself, as a full disk.
    """
    row = conn.execute(sql.LANES_DUE).fetchone()
    if row is None or row[0] > now_utc:
        return 0
    if row[0] > 0:
        conn.execute(sql.MARK_DUE, (now_utc,))
    lanes = [row[0] for row in conn.execute(sql.DIRTY, (LANES_AT_ONCE,)).fetchall()]
    if not _settle_all(conn, lanes, now_utc):
        for lane in lanes:
            if not _settle_all(conn, [lane], now_utc):
                state = _state_of(conn, lane)
                _set_state(conn, lane, state._replace(next_at=now_utc + PUT_OFF_S))
                conn.execute(sql.CLEAN, (lane,))
    _note_next(conn, row[0])
    return len(lanes)


def _settle_all(conn: sqlite3.Connection, lanes: Sequence[str], now_utc: float) -> bool:
    """Look at all of these, or at none."""
    try:
        with savepoint(conn):
            for lane in lanes:
                if settle_lane(conn, lane, now_utc):
                    conn.execute(sql.CLEAN, (lane,))
    except _ODD as problem:
        if is_passing(problem) or not conn.in_transaction:
            raise
        if len(lanes) == 1:
            logger.error(
                "Lane %s can't be settled, and is tried again in a minute: %s", lanes[0], problem
            )
        return False
    return True


def _note_next(conn: sqlite3.Connection, noted: float | None = None) -> None:
    """Put on the agenda when a lane is to be looked at next; `noted` stands there so far."""
    is_dirty, opening = conn.execute(sql.NEXT).fetchone()
    at = 0.0 if is_dirty else NEVER if opening is None else opening
    if at != noted:
        agenda.enter(conn, WHAT, at, anew=True)


def settle_lane(conn: sqlite3.Connection, lane: str, now_utc: float) -> bool:
    """Show the best jobs of a lane that it has room for, and no others.

    Returns:
        Whether that is done; False where more are to be shown in the next transaction.
    """
    patterns = json.dumps(patterns_for(lane))
    rule, known = rule_for(conn, lane, patterns), _known_state(conn, lane)
    running, is_paused = conn.execute(sql.STANDING, (lane, patterns)).fetchone()
    before = known or State()
    state = _without_what_is_over(before, rule, now_utc)
    is_shut = state.opens_at is not None or bool(is_paused)
    shows = RESERVED if rule.reserved else OURS
    is_free = not (is_shut or rule.has_limit)
    word = shows if is_free else HELD
    state = state._replace(word=word, shows=shows, next_at=state.opens_at)
    if (word, shows) != (before.word, before.shows):
        # First: the triggers go by it while jobs are shown and held.
        _set_state(conn, lane, state)
    if shows != before.shows:
        conn.execute(sql.HIDE_ALL, {"lane": lane})
    done = True
    if is_free:
        values = {"lane": lane, "word": shows, "room": FREED_AT_ONCE}
        done = conn.execute(sql.SHOW_BEST, values).rowcount < FREED_AT_ONCE
    elif is_shut:
        conn.execute(sql.HIDE_ALL, {"lane": lane})
    else:
        state = _show_within_limits(conn, lane, rule, running, state, now_utc)
    if state != known:
        _set_state(conn, lane, state)
    return done


def _show_within_limits(
    conn: sqlite3.Connection, lane: str, rule: Rule, running: int, state: State, now_utc: float
) -> State:
    """Show as many as there is room for; gives the state with when there will be more of it."""
    most = MOST_SHOWN
    if rule.running is not None:
        most = min(most, max(0, rule.running - running))
    if rule.rate is None:
        _show_best(conn, lane, most, state.shows)
        return state
    rate = rate_of(rule.rate)
    earned = allowed_now(rate, rule.burst, state.tat, now_utc)
    _show_best(conn, lane, min(most, earned), state.shows)
    if state.tat is None or earned >= min(most, rule.burst):
        # It has all that it can have, or waits for one that runs.
        return state
    if conn.execute(sql.HAS_HELD, {"lane": lane}).fetchone() is None:
        return state
    return state._replace(next_at=state.tat - (rule.burst - 1 - earned) * rate.apart_s)


def _show_best(conn: sqlite3.Connection, lane: str, room: int, word: str) -> None:
    """Show so many of the best, and write nothing where they are shown already."""
    values: dict[str, Any] = {"lane": lane, "word": word, "room": room}
    many = {"lane": lane, "most": MOST_SHOWN + 1}
    shown = {row[0] for row in conn.execute(sql.SHOWN_IN, many).fetchall()}
    if shown and (room == 0 or len(shown) > MOST_SHOWN):
        conn.execute(sql.HIDE_ALL, {"lane": lane})
        shown = set()
    if room == 0:
        return
    if not shown:
        conn.execute(sql.SHOW_BEST, values)
        return
    best = {row[0] for row in conn.execute(sql.BEST_IN, values).fetchall()}
    for places, new in ((shown - best, HELD), (best - shown, word)):
        if places:
            conn.execute(sql.SHOW, {"word": new, "places": json.dumps(sorted(places))})


def _state_of(conn: sqlite3.Connection, lane: str) -> State:
    return _known_state(conn, lane) or State()


def _set_state(conn: sqlite3.Connection, lane: str, state: State) -> None:
    conn.execute(sql.SET_STATE, {"lane": lane, **state._asdict()})


def _known_state(conn: sqlite3.Connection, lane: str) -> State | None:
    row = conn.execute(sql.STATE, (lane,)).fetchone()
    if row is None:
        return None
    word, shows, *times = row
    return State(word, shows, *(at if isinstance(at, (int, float)) else None for at in times))


def _without_what_is_over(state: State, rule: Rule, now_utc: float) -> State:
    """The state as it counts now, with no moment in it that is farther off than it can be."""
    if state.opens_at is not None:
        longest = state.shut_for or 0.0
        if state.opens_at > now_utc + longest + SLACK_S:
            state = state._replace(opens_at=now_utc + longest)
        if state.opens_at is not None and state.opens_at <= now_utc:
            state = state._replace(opens_at=None, shut_for=None)
    if state.tat is not None and rule.rate is None:
        return state._replace(tat=None)
    if state.tat is not None and rule.rate is not None:
        longest = rate_of(rule.rate).apart_s * rule.burst
        if state.tat > now_utc + longest + SLACK_S:
            return state._replace(tat=now_utc + longest)
    return state


# --- what moves a lane's times -----------------------------------------------------------------


def spend(conn: sqlite3.Connection, lanes: Iterable[object], now_utc: float) -> None:
    """Count starts against the rates of their lanes, within the caller's transaction.

    A claim marks no lane; here those are marked that have more to show now, or later.

    Args:
        conn: the file.
        lanes: those of the claimed jobs, one each.
        now_utc: when they were claimed, in UTC seconds.
    """
    for lane, starts in Counter(lane for lane in lanes if is_lane(lane)).items():
        rule = rule_for(conn, str(lane))
        if rule.rate is not None or (rule.running or 0) > MOST_SHOWN:
            conn.execute(sql.MARK, (lane,))
        if rule.rate is not None:
            before = _state_of(conn, str(lane))
            tat = max(before.tat or 0.0, now_utc) + starts * rate_of(rule.rate).apart_s
            values = {"lane": lane, "word": before.word, "shows": before.shows, "tat": tat}
            conn.execute(sql.SET_SPENT, values)


def unspend(conn: sqlite3.Connection, lane: str) -> None:
    """Count a start no more, of a job that was claimed and has not begun; within the caller's
    transaction."""
    rule, before = rule_for(conn, lane), _state_of(conn, lane)
    if rule.rate is not None and before.tat is not None:
        tat = before.tat - rate_of(rule.rate).apart_s
        values = {"lane": lane, "word": before.word, "shows": before.shows, "tat": tat}
        conn.execute(sql.SET_SPENT, values)
        conn.execute(sql.MARK, (lane,))


def shut(conn: sqlite3.Connection, lane: str, seconds: float, now_utc: float) -> None:
    """Let no job of a lane begin for so many seconds, within the caller's transaction."""
    before = _state_of(conn, lane)
    values = {
        "lane": lane,
        "word": before.word,
        "shows": before.shows,
        "opens_at": now_utc + seconds,
        "shut_for": seconds,
        "utc": now_utc,
    }
    conn.execute(sql.SHUT, values)
    conn.execute(sql.MARK, (lane,))
    # At once: many others may stand before it, and the same transaction claims.
    settle_lane(conn, lane, now_utc)
    logger.warning("Lane %s is shut for %.0f s, as a job asked", lane, seconds)


def settle_under(conn: sqlite3.Connection, pattern: str, now_utc: float) -> int:
    """Look at all lanes that a pattern stands for, at once: their limits have changed.

    Returns:
        How many there are.
    """
    lanes = [row[0] for row in conn.execute(sql.STATES_BETWEEN, span_of(pattern)).fetchall()]
    for lane in lanes:
        conn.execute(sql.MARK, (lane,))
        if settle_lane(conn, lane, now_utc):
            conn.execute(sql.CLEAN, (lane,))
    if lanes:
        _note_next(conn)
    return len(lanes)


# --- the agenda --------------------------------------------------------------------------------


class LaneDuty:
    """Looks at lanes of which something is due: a start that a rate allows, the end of a time that
    a lane is shut for, what others have changed."""

    takes_s = 0.0

    def __init__(self) -> None:
        self._forgotten_at = time.monotonic()

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> None:
        """There is nothing to prepare."""

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: object, now: Moment
    ) -> float | None:
        """Look at those that are due, some at a time."""
        settle(conn, now.utc)
        row = conn.execute(sql.LANES_DUE).fetchone()
        return NEVER if row is None else row[0]

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Let no lane be shut, and no rate be spent, for longer than can be."""
        rows = conn.execute(sql.STATES_WITH_TIMES, (now.utc,)).fetchall()
        for lane, tat, opens_at, shut_for in rows:
            state = State(tat=tat, opens_at=opens_at, shut_for=shut_for)
            if _without_what_is_over(state, rule_for(conn, lane), now.utc) != state:
                conn.execute(sql.MARK, (lane,))
        if time.monotonic() - self._forgotten_at > FORGET_EVERY_S:
            self._forgotten_at = time.monotonic()
            conn.execute(sql.FORGET_EMPTY, {"utc": now.utc})


DUTY = LaneDuty()
