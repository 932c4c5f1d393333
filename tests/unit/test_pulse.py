"""The lease of a link, by a clock of the test's own."""

from __future__ import annotations

import math
import random

import pytest

from gigq_core.worker.agents import pulse, wire
from gigq_core.worker.agents.agent import ALARM_AFTER_S
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.agents.pulse import MOST_PINGS, Pulse
from gigq_core.worker.answers import Broken

LEASE = Lease(lease_s=30.0, ping_s=5.0, silent_s=10.0, margin_s=5.0)
GRACE_S = 2.0
BOUND_S = 30.0 + GRACE_S + 5.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pulse, "time", made)
    return made


def begun(clock: Clock) -> Pulse:
    made = Pulse(LEASE, GRACE_S)
    made.begin(clock.now)
    return made


def pong(number: int) -> wire.Pong:
    return wire.Pong(number, busy=1, load=0.5)


def test_nothing_is_due_before_there_is_an_agent() -> None:
    assert Pulse(LEASE, GRACE_S).ping_due == math.inf


def test_a_pong_counts_only_once_a_ping_has_told_that_it_was_heard(clock: Clock) -> None:
    made = begun(clock)
    assert made.over_at == 100 + BOUND_S
    assert made.next_ping(100) == wire.Ping(1, heard=0)
    clock.now = 101
    made.hear(pong(1))
    assert made.latency_s == 1
    # The agent does not know yet that it was.
    assert made.over_at == 100 + BOUND_S
    assert made.silent_at == 111
    assert made.next_ping(105) == wire.Ping(2, heard=1)
    assert made.over_at == 101 + BOUND_S


def test_pings_that_tell_nothing_new_prolong_nothing_and_have_an_end(clock: Clock) -> None:
    made = begun(clock)
    pings = [made.next_ping(100.0 + 5 * n) for n in range(2 * MOST_PINGS)]
    assert [ping is not None for ping in pings] == [True] * MOST_PINGS + [False] * MOST_PINGS
    assert made.over_at == 100 + BOUND_S


def test_pongs_that_come_late_twice_or_in_disorder_change_nothing(clock: Clock) -> None:
    made = begun(clock)
    for n in range(3):
        made.next_ping(100.0 + n)
    clock.now = 104
    made.hear(pong(2))
    clock.now = 120
    for number in (1, 2, 2):
        made.hear(pong(number))
    assert made.silent_at == 114
    with pytest.raises(Broken):
        made.hear(pong(4))


def test_who_stood_still_does_not_call_others_silent(clock: Clock) -> None:
    made = begun(clock)
    clock.now = 200
    made.was_away()
    assert made.silent_at == 210
    # But their lease went on.
    assert made.over_at == 100 + BOUND_S


@pytest.mark.parametrize("seed", range(200))
def test_the_agents_lease_is_always_over_before_its_attempts_are(clock: Clock, seed: int) -> None:
    """An agent beside, whose messages take their time, or are lost, in either direction."""
    draw = random.Random(seed)
    made = begun(clock)
    agents_lease, said = clock.now - draw.uniform(0, 0.5) + LEASE.lease_s, {0: 0.0}
    under_way: list[tuple[float, wire.Ping | wire.Pong]] = []
    slow = draw.choice([0.01, 1.0, 20.0])
    for _ in range(200):
        clock.now += draw.uniform(0, 1)
        now = clock.now
        for item in sorted(under_way, key=lambda one: one[0]):
            due, message = item
            if due > now:
                continue
            under_way.remove(item)
            if isinstance(message, wire.Pong):
                made.hear(message)
            elif now < agents_lease:
                if message.heard in said and message.heard:
                    agents_lease = max(agents_lease, said[message.heard] + LEASE.lease_s)
                said[message.number] = now
                under_way.append((now + draw.uniform(0, slow), pong(message.number)))
        if now >= made.ping_due:
            ping = made.next_ping(now)
            if ping is not None and draw.random() > 0.1:
                under_way.append((now + draw.uniform(0, slow), ping))
        assert made.over_at >= agents_lease + GRACE_S + LEASE.margin_s - 0.001


def test_the_kernels_alarm_comes_before_jobs_are_given_back() -> None:
    # Twice as early: what it ends has to end, too, whatever the grace is.
    assert Lease().margin_s > 2 * ALARM_AFTER_S
