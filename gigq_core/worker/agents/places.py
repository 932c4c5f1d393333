"""Where the agents of a worker stand: what becomes of a link, and when there is another one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from gigq_core.fleet.agents_seen import AgentSeen, AgentState
from gigq_core.fleet.elsewhere import agent_id
from gigq_core.text import inert, storable
from gigq_core.worker.agents import wire
from gigq_core.worker.agents.agent_link import AgentLink
from gigq_core.worker.agents.dask_placement import DaskPlacement, Placed
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.agents.streams import Command, Handed
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.claims import Ending

logger = logging.getLogger("gigq_core.worker")

# A link that stood for so long begins with the shortest pause again, in seconds.
PROVEN_AFTER_S = 60.0
# So many jobs that wait are told to a cluster that may grow for them.
MOST_WANTED = 1_000


class Place:
    """Where one agent stands: its present link, and what is left of those before.

    Args:
        number: of the place, among those of its worker.
        via: the words that lead there.
        slots: how many jobs run there at a time.

    Attributes:
        trouble: what is wrong, for a person.
        refused: why there will be no other link; empty where there may be.
        failures: how many links in a row led to no agent.
        proven: whether any ever did.
        changed: whether something has changed that is to be told, to be taken.
        left, stacks: what ended behind links of which nothing is left, and their last answers, to
            be taken.
    """

    def __init__(self, number: int, via: str, slots: int) -> None:
        self.number = number
        self.via = via
        self._asked_slots = slots
        self.trouble = self.refused = ""
        self.failures = 0
        self.proven = False
        self.changed = True
        self.left: list[Ending] = []
        self.stacks: list[wire.Stack] = []
        self._link: AgentLink | None = None
        self._old: list[AgentLink] = []

    @property
    def link(self) -> AgentLink | None:
        """The present link, if there is one."""
        return self._link

    @property
    def slots(self) -> int:
        """How many jobs run there at a time; the agent may have fewer than it was asked for."""
        return self._asked_slots if self._link is None else self._link.slots

    @property
    def is_ready(self) -> bool:
        """Whether an agent stands there, and is heard."""
        return self._link is not None and self._link.state == "ready"

    @property
    def is_gone(self) -> bool:
        """Whether there is none, and never will be another."""
        return False

    def links(self) -> Iterator[AgentLink]:
        """All of which something is left."""
        if self._link is not None:
            yield self._link
        yield from list(self._old)

    def jobs(self) -> int:
        """How many run or wait there, or may do so."""
        return sum(len(link.attempts) for link in self.links())

    def busy(self) -> int:
        """How many of its slots are taken, or may be."""
        return min(self.jobs(), self.slots)

    def room(self) -> int:
        """How many more it can begin: what may still run behind an old link counts."""
        if self._link is None:
            return 0
        return max(0, self._link.room() - sum(len(old.attempts) for old in self._old))

    def room_ahead(self) -> int:
        """How many jobs it should have beyond those."""
        return 0 if self._link is None or self._old else self._link.room_ahead()

    def tick(self, now: float, opens: bool) -> None:
        """Do what has come due, by the monotonic clock; `opens` if links are to be made."""
        for link in self.links():
            link.tick(now)
        if self._link is not None:
            self._look_at(self._link, now)
        for old in self._old:
            if old.is_over:
                self.left += old.attempts.endings
                self.stacks += old.stacks
                # Its jobs took slots.
                self.changed = True
        self._old = [old for old in self._old if not old.is_over]

    def due(self, opens: bool) -> float | None:
        """When `tick` has something to do."""
        return min((due for link in self.links() if (due := link.due()) is not None), default=None)

    def wind_down(self) -> None:
        """No more jobs will come."""
        if self._link is not None and self._link.state == "starting":
            self._link.close()
        elif self._link is not None:
            self._link.drain()

    def row(self, worker_id: str) -> AgentSeen:
        """What the file is to tell of it."""
        link = self._link
        old = self._old[-1] if self._old else None
        known = link or old
        ready = None if known is None else known.ready
        # What may run behind an old link does so where that led.
        there = ready if ready is not None or old is None else old.ready
        state: AgentState = "lost" if link is None else link.state
        return AgentSeen(
            id=agent_id(worker_id, self.number),
            worker_id=worker_id,
            via=storable(self.via),
            state="refused" if self.refused else state,
            slots=self.slots,
            busy=self.busy(),
            host=None if there is None else storable(there.host),
            pid=None if ready is None else ready.pid,
            python=None if ready is None else ready.python,
            load=None if link is None else link.pulse.load,
            began=None if link is None else link.began,
            heard=None if known is None else known.pulse.heard,
            latency=None if link is None else link.pulse.latency_s,
            trouble=self.trouble or self._left_words() or None,
        )

    def _left_words(self) -> str:
        """What is to be said of jobs that take slots of an agent that does not have them."""
        jobs = sum(len(old.attempts) for old in self._old)
        if not jobs or self._link is None:
            return ""
        are = "1 job is" if jobs == 1 else f"{jobs:,} jobs are"
        return f"its last link was cut: {are} to be given back"

    def _look_at(self, link: AgentLink, now: float) -> None:
        if link.changed:
            link.changed, self.changed = False, True
            if link.trouble or link.state != "starting":
                # Why the one before failed is worth knowing until this one stands.
                self.trouble = link.trouble
        if link.ready is not None and not self.proven:
            self.proven, self.failures = True, 0
        if link.is_cut:
            self._link = None
            self._old.append(link)
            self._cut(link, now)

    def _cut(self, link: AgentLink, now: float) -> None:
        """The link is no more."""


class CommandPlace(Place):
    """Where a command leads: a link that is cut is made anew, after a pause.

    Args:
        number, via, slots: as for `Place`.
        words: the command, with what it is to start there.
        terms: what all links have in common.
    """

    def __init__(
        self, number: int, via: str, slots: int, words: Sequence[str], terms: Terms
    ) -> None:
        super().__init__(number, via, slots)
        self._words = words
        self._terms = terms
        # Until when no link is made, by the monotonic clock; and the last pause.
        self._not_before = 0.0
        self._pause_s = 0.0

    def tick(self, now: float, opens: bool) -> None:
        """As for `Place`."""
        super().tick(now, opens)
        if opens and self._link is None and not self.refused and now >= self._not_before:
            self._open(now)

    def due(self, opens: bool) -> float | None:
        """As for `Place`."""
        due = super().due(opens)
        if not opens or self._link is not None or self.refused:
            return due
        return self._not_before if due is None else min(due, self._not_before)

    def _open(self, now: float) -> None:
        try:
            stream = Command(self._words, self._terms.selector)
        except OSError as problem:
            reason = problem.strerror or problem
            self._failed(f'The link "{self.via}" can\'t be started: {reason}', now)
            logger.warning("%s", self.trouble)
            return
        self._link = AgentLink(
            self.via, stream, self._asked_slots, self._terms, self.number, self.trouble
        )

    def _cut(self, link: AgentLink, now: float) -> None:
        if link.state == "refused" and not self.proven:
            self.refused = link.trouble
        elif link.state != "stopped":
            if link.ready is not None and now - link.born >= PROVEN_AFTER_S:
                self._pause_s = 0.0
            self._failed(link.trouble, now)

    def _failed(self, trouble: str, now: float) -> None:
        lease: Lease = self._terms.lease
        self.trouble, self.changed = trouble, True
        self.failures += 1
        self._pause_s = min(max(2 * self._pause_s, lease.first_pause_s), lease.longest_pause_s)
        self._not_before = now + self._pause_s


class DaskPlace(Place):
    """Where an agent stands in a Dask worker, which comes and goes as the cluster likes.

    Args:
        number, via: as for `Place`.
        placed: its stream, and how it is called.
        takes_jobs: whether it may be given new ones now.
        terms: what all links have in common.
    """

    def __init__(
        self,
        number: int,
        via: str,
        placed: Placed,
        takes_jobs: Callable[[str], bool],
        terms: Terms,
    ) -> None:
        super().__init__(number, via, placed.slots)
        self.name = placed.name
        self._takes_jobs = takes_jobs
        self._stream = Handed(placed.stream)
        name = f"{via} at {inert(placed.name)}"
        self._link = AgentLink(name, self._stream, placed.slots, terms, number)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        return self._link is None and not self._old and not self.left

    def room(self) -> int:
        """As for `Place`; none, while the cluster may end it any moment."""
        return super().room() if self._takes_jobs(self.name) else 0

    def room_ahead(self) -> int:
        """As for `Place`; likewise."""
        return super().room_ahead() if self._takes_jobs(self.name) else 0

    def leaves(self, why: str) -> None:
        """The cluster takes it away."""
        self._stream.why = why


class Cluster:
    """The Dask workers behind one `--via`, each of which is a place.

    Args:
        via: its text.
        placement: what hands their streams over.
        terms: what all links have in common.
        number: gives the number for the next place.
    """

    def __init__(
        self, via: str, placement: DaskPlacement, terms: Terms, number: Callable[[], int]
    ) -> None:
        self.via = via
        self.number = number()
        self._placement = placement
        self._terms = terms
        self._number_of_next = number
        self._trouble: str | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with it, for a person."""
        return self._trouble or ""

    def tick(self, places: list[Place], waiting: int) -> bool:
        """Follow what comes and goes, in `places`; whether something has.

        Args:
            places: all of the worker's.
            waiting: how many jobs find no free slot.
        """
        placement = self._placement
        placement.tick()
        new = placement.take_new()
        for placed in new:
            number = self._number_of_next()
            takes_jobs = placement.takes_jobs
            places.append(DaskPlace(number, self.via, placed, takes_jobs, self._terms))
        ours = {place.name: place for place in places if isinstance(place, DaskPlace)}
        for name, why in placement.take_left():
            if name in ours:
                ours[name].leaves(why)
        for name, place in ours.items():
            placement.busy(name, place.jobs())
        placement.wanted(min(waiting, MOST_WANTED))
        news = placement.trouble != self._trouble
        if news:
            self._trouble = placement.trouble
            if self._trouble:
                logger.warning("%s: %s; it is tried again", self.via, self._trouble)
        return bool(new) or news

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        return self._placement.due()

    def row(self, worker_id: str) -> AgentSeen:
        """What the file is to tell of it while it has no place."""
        return AgentSeen(
            id=agent_id(worker_id, self.number),
            worker_id=worker_id,
            via=storable(self.via),
            state="lost" if self._trouble else "starting",
            trouble=self._trouble or "no Dask worker has an agent yet",
        )

    def close(self) -> None:
        """End what is left of it."""
        self._placement.close()
