"""Runs jobs elsewhere: the agents of one worker, each behind a link, as the pool it has."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gigq_core.agents_seen import AgentSeen
from gigq_core.errors import WorkerCannotStart
from gigq_core.text import storable
from gigq_core.worker.agents import bootstrap, wire
from gigq_core.worker.agents.agent_link import AgentLink
from gigq_core.worker.agents.streams import Command, Stream
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.agents.via import Via
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.heard import Report, Save

logger = logging.getLogger("gigq_core.worker")

# A worker none of whose links ever led to an agent gives up after so many tries of each.
FAILURES_IN_A_ROW = 3
# A link that stood for so long begins with the shortest pause again, in seconds.
PROVEN_AFTER_S = 60.0
# What an agent is waited for beyond the grace, as its worker ends, in seconds.
PATIENCE_S = 2.0


@dataclass(eq=False)
class _Place:
    """One `--via`: its present link, what is left of those before, and when there is another."""

    number: int
    via: str
    slots: int
    open: Callable[[], Stream]
    link: AgentLink | None = None
    old: list[AgentLink] = field(default_factory=list)
    # Until when no new link is made, by the monotonic clock; and the pause after the next failure.
    not_before: float = 0.0
    pause_s: float = 0.0
    failures: int = 0
    # Whether a link of it ever led to an agent.
    proven: bool = False
    trouble: str = ""
    # Why there will be no other one.
    refused: str = ""

    def links(self) -> Iterator[AgentLink]:
        if self.link is not None:
            yield self.link
        yield from self.old

    def room(self) -> int:
        """How many more jobs it can begin: what may still run behind an old link counts."""
        if self.link is None:
            return 0
        return max(0, self.link.room() - sum(len(old.attempts) for old in self.old))


class AgentPool:
    """Runs jobs at the far ends of links.

    Args:
        vias: the commands that lead there, each to one agent.
        slots: how many jobs each runs at a time.
        python: the interpreter at the far ends.
        terms: what all links have in common.
        worker_id: the worker's.

    Attributes:
        changed: whether an agent's state has changed since the rows were written last.
    """

    isolation = "agents"
    patience_s = PATIENCE_S

    def __init__(
        self,
        *,
        vias: Sequence[Via],
        slots: int,
        python: str,
        terms: Terms,
        worker_id: str,
    ) -> None:
        self._terms = terms
        self._lease = terms.lease
        self._worker_id = worker_id
        self._endings: list[Ending] = []
        self._stacks: list[wire.Stack] = []
        self._begins = self._draining = self._closed = False
        self.changed = True
        self._places = [
            _Place(n, via.text, slots, self._opener(via, python)) for n, via in enumerate(vias, 1)
        ]

    def _opener(self, via: Via, python: str) -> Callable[[], Stream]:
        words = [*via.words, *bootstrap.words(python)]
        return lambda: Command(words, self._terms.selector)

    # --- as the supervisor knows it ----------------------------------------------------------

    @property
    def slots(self) -> int:
        """How many jobs may run at a time, as the links are now."""
        return self.busy() + self._room()

    @property
    def usable(self) -> int:
        """How many slots there are at agents that take jobs."""
        return max(1, sum(p.link.slots for p in self._places if p.link and p.link.state == "ready"))

    def running(self) -> dict[str, Claim]:
        """The attempts that run, or may do so, by execution id."""
        # Other threads may ask.
        links = [link for place in list(self._places) for link in list(place.links())]
        return {
            token: attempt.claim
            for link in links
            for token, attempt in list(link.attempts.by_token.items())
        }

    def busy(self) -> int:
        """How many slots are taken, or may be."""
        return sum(len(link.attempts) for link in self._links())

    def worth_counting(self) -> int:
        """How many of the jobs that are ready make a difference: one does, though no agent is."""
        return max(1, self._room())

    def _room(self) -> int:
        return sum(place.room() for place in self._places)

    def free(self) -> list[int]:
        """One number for each job that can begin this moment: where it runs is known later."""
        return [os.getpid()] * self._room()

    def prepare(self, wanted: int) -> None:
        """Have links, whatever is wanted.

        Raises:
            WorkerCannotStart: none leads to an agent.
        """
        self._begins = True
        self._open_links(time.monotonic())
        self._give_up_if_all_failed()

    def start(self, claims: list[Claim]) -> int:
        """Give each attempt to the agent with the most room; gives how many had no place."""
        chosen: dict[_Place, list[Claim]] = {}
        room = {place: place.room() for place in self._places}
        without = 0
        for claim in claims:
            place = max(room, key=lambda p: room[p])
            if room[place] <= 0:
                self._endings.append(Ending(claim, Fate.NOT_BEGUN))
                without += 1
                continue
            room[place] -= 1
            chosen.setdefault(place, []).append(claim)
        for place, given in chosen.items():
            if place.link is not None:
                place.link.run(given)
        return without

    def room_ahead(self) -> int:
        """How many jobs to claim beyond the free slots."""
        return 0

    def ahead(self) -> int:
        """How many claimed jobs wait for their turn."""
        return 0

    def unclaim(self) -> None:
        """Give back the jobs whose turn has not come."""

    def take_begun(self) -> list[Begun]:
        """The attempts to be put on record, with where they run; each once."""
        found = []
        for link in self._links():
            if link.attempts.begun:
                found += link.attempts.begun
                link.attempts.begun = []
        return found

    def take_reports(self) -> list[Report]:
        """The newest report of each attempt since the last call."""
        return self._terms.heard.take_reports()

    def take_saves(self) -> list[Save]:
        """The newest checkpoint of each attempt since the last call; its job waits for `saved`."""
        return self._terms.heard.take_saves()

    def saved(self, save: Save) -> None:
        """Tell a job that its checkpoint is on disk."""
        link = self._link_of(save.claim.execution_id)
        if link is not None:
            link.saved(save.claim.execution_id, save.number)

    def was_away(self) -> None:
        """This process stood still: silence proves nothing."""
        for link in self._links():
            link.pulse.was_away()

    def stop(self, execution_id: str, fate: Fate) -> None:
        """Begin to end one attempt."""
        link = self._link_of(execution_id)
        if link is not None:
            link.stop(execution_id, fate)

    def tick(self) -> None:
        """Carry out what has come due."""
        now = time.monotonic()
        for place in self._places:
            for link in list(place.links()):
                link.tick(now)
            self._look_after(place, now)
        if self._begins and not self._draining:
            self._open_links(now)

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        dues = [due for link in self._links() if (due := link.due()) is not None]
        if self._begins and not self._draining:
            dues += [p.not_before for p in self._places if p.link is None and not p.refused]
        return min(dues, default=None)

    def collect(self) -> list[Ending]:
        """What ended since the last call.

        Raises:
            WorkerCannotStart: no link leads to an agent.
        """
        for link in self._links():
            if link.attempts.endings:
                self._endings += link.attempts.endings
                link.attempts.endings = []
        if self._begins:
            # If this raises, what has ended is kept for the next call.
            self._give_up_if_all_failed()
        endings, self._endings = self._endings, []
        return endings

    def wind_down(self) -> None:
        """No more jobs will come: no link is made any more, and what is idle may end."""
        if self._draining:
            return
        self._draining = True
        for place in self._places:
            if place.link is not None and place.link.state == "starting":
                place.link.close()
            elif place.link is not None:
                place.link.drain()

    def close(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Let all agents end everything, and wait for that within the grace.

        Args:
            hurry: whether to wait no longer; asked again and again.

        Returns:
            Whether nothing of theirs still runs, as far as is known.
        """
        self._closed = self._draining = True
        for link in self._links():
            link.close()
        until = time.monotonic() + self._terms.grace_s + PATIENCE_S
        while not all(link.is_over for link in self._links()):
            if hurry() or time.monotonic() >= until:
                break
            self._wait_a_moment()
        known = not any(link.attempts for link in self._links())
        for link in list(self._links()):
            link.kill()
        self._places = []
        return known

    def _wait_a_moment(self) -> None:
        for key, _ in self._terms.selector.select(0.05):
            if key.fd in self._terms.selector.get_map():
                key.data()
        now = time.monotonic()
        for link in self._links():
            link.tick(now)

    # --- what others read --------------------------------------------------------------------

    def rows(self) -> list[AgentSeen]:
        """The agents, as the file is to tell of them."""
        return [self._row(place) for place in self._places]

    def written(self) -> None:
        """The file tells of them as they are."""
        self.changed = False

    def ask_stack(self, token: str, number: int) -> None:
        """Ask where an attempt is; `take_stacks` gives the answer."""
        link = self._link_of(token)
        if link is None:
            self._stacks.append(wire.Stack(number, None, "It does not run any more."))
        else:
            link.ask_stack(token, number)

    def take_stacks(self) -> list[wire.Stack]:
        """The answers since the last call."""
        found, self._stacks = self._stacks, []
        for link in self._links():
            found += link.stacks
            link.stacks = []
        return found

    def _row(self, place: _Place) -> AgentSeen:
        link = place.link
        known = link or (place.old[-1] if place.old else None)
        ready = None if known is None else known.ready
        return AgentSeen(
            id=f"{self._worker_id}/{place.number}",
            worker_id=self._worker_id,
            via=storable(place.via),
            state="refused" if place.refused else "lost" if link is None else link.state,
            slots=place.slots if link is None else link.slots,
            busy=sum(len(one.attempts) for one in place.links()),
            host=None if ready is None else storable(ready.host),
            pid=None if ready is None else ready.pid,
            python=None if ready is None else ready.python,
            load=None if link is None else link.pulse.load,
            began=None if link is None else link.began,
            heard=None if known is None else known.pulse.heard,
            latency=None if link is None else link.pulse.latency_s,
            trouble=place.trouble or None,
        )

    # --- the links ---------------------------------------------------------------------------

    def _links(self) -> Iterable[AgentLink]:
        return (link for place in self._places for link in place.links())

    def _link_of(self, token: str) -> AgentLink | None:
        return next((link for link in self._links() if token in link.attempts.by_token), None)

    def _open_links(self, now: float) -> None:
        for place in self._places:
            if place.link is None and not place.refused and now >= place.not_before:
                self._open(place, now)

    def _open(self, place: _Place, now: float) -> None:
        try:
            stream = place.open()
        except OSError as problem:
            self._note_failure(
                place, f'The link "{place.via}" can\'t be started: {problem.strerror}', now
            )
            logger.warning("%s", place.trouble)
            return
        place.link = AgentLink(place.via, stream, place.slots, self._terms)
        self.changed = True

    def _look_after(self, place: _Place, now: float) -> None:
        """See what has become of its links."""
        link = place.link
        if link is not None:
            if link.changed:
                link.changed = False
                self.changed = True
                place.trouble = link.trouble
            if link.ready is not None and not place.proven:
                place.proven, place.failures = True, 0
            if link.is_cut:
                place.link = None
                place.old.append(link)
                if link.state == "refused" and not place.proven:
                    place.refused = link.trouble
                elif link.state != "stopped":
                    stood_s = 0.0 if link.ready is None else now - link.born
                    if stood_s >= PROVEN_AFTER_S:
                        place.pause_s = 0.0
                    self._note_failure(place, link.trouble, now)
        for old in place.old:
            if old.is_over:
                self._endings += old.attempts.endings
                old.attempts.endings = []
        place.old = [old for old in place.old if not old.is_over]

    def _note_failure(self, place: _Place, trouble: str, now: float) -> None:
        place.trouble = trouble
        place.failures += 1
        place.pause_s = min(
            max(2 * place.pause_s, self._lease.first_pause_s), self._lease.longest_pause_s
        )
        place.not_before = now + place.pause_s
        self.changed = True

    def _give_up_if_all_failed(self) -> None:
        if not self._places or self._draining:
            return
        if any(place.proven and not place.refused for place in self._places):
            return
        if all(p.refused or p.failures >= FAILURES_IN_A_ROW for p in self._places):
            told = dict.fromkeys(place.refused or place.trouble for place in self._places)
            raise WorkerCannotStart("No job can run: " + " ".join(map(_as_sentence, told)))


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
