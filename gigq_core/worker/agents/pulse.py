"""Whether an agent lives: pings and pongs, and when nothing of it can run any more."""

from __future__ import annotations

import math
import time

from gigq_core.units.times import utc_now
from gigq_core.worker.agents import wire
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.answers import Broken

# Pings that were not answered; more of them would prove nothing.
MOST_PINGS = 10


class Pulse:
    """The pings of one link, all by the monotonic clock.

    Args:
        lease: the times.
        grace_s: seconds between SIGTERM and SIGKILL.

    Attributes:
        ping_due: when the next one is to be sent.
        latency_s: how long the newest answer took, in seconds.
        heard: when it came, in UTC seconds.
        load: the load of the agent's host then.
    """

    def __init__(self, lease: Lease, grace_s: float) -> None:
        self._lease = lease
        self._grace_s = grace_s
        self.ping_due = math.inf
        self.latency_s: float | None = None
        self.heard: float | None = None
        self.load: float | None = None
        # The newest pong, when it came, and when the newest came that a ping has acknowledged.
        self._pong, self._pong_at, self._known_at = 0, 0.0, 0.0
        self._ping = 0
        self._sent_at: dict[int, float] = {}
        # Not before this it can count as silent: nobody listened.
        self._listened_from = 0.0

    def begin(self, now: float) -> None:
        """The agent has just said that it is ready, and its lease goes on from before that."""
        self._pong_at = self._known_at = self.ping_due = now
        self.heard = utc_now()

    def next_ping(self, now: float) -> wire.Ping | None:
        """The ping that is due; None while too many are under way."""
        self.ping_due = now + self._lease.ping_s
        if len(self._sent_at) >= MOST_PINGS:
            return None
        self._ping += 1
        self._sent_at[self._ping] = now
        self._known_at = self._pong_at
        return wire.Ping(self._ping, self._pong)

    def hear(self, pong: wire.Pong) -> None:
        """An answer has come.

        Raises:
            Broken: to nothing that was asked.
        """
        if pong.number > self._ping:
            raise Broken("its agent answered what it was not asked")
        sent = self._sent_at.pop(pong.number, None)
        if sent is None or pong.number <= self._pong:
            return
        now = time.monotonic()
        self._pong, self._pong_at = pong.number, now
        self._sent_at = {n: at for n, at in self._sent_at.items() if n > pong.number}
        self.latency_s = now - sent
        self.heard = utc_now()
        self.load = pong.load

    def was_away(self) -> None:
        """This process stood still: the agent's silence proves nothing."""
        self._listened_from = time.monotonic()

    def silence_s(self, now: float) -> float:
        """For how long nothing was heard of it."""
        return now - self._pong_at

    @property
    def silent_at(self) -> float:
        """From when on it counts as silent, unless it answers."""
        return max(self._pong_at, self._listened_from) + self._lease.silent_s

    @property
    def over_at(self) -> float:
        """When nothing of it runs any more, whatever has become of it.

        Its lease goes on from when it said the newest pong that it knows was heard, which was
        before that came here.
        """
        lease = self._lease
        return self._known_at + lease.lease_s + self._grace_s + lease.margin_s
