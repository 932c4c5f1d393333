"""Runs jobs elsewhere: the agents of one worker, each behind a link, as the pool it has."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence

from gigq_core.errors import WorkerCannotStart
from gigq_core.fleet.agents_seen import BY_AGENTS, AgentSeen
from gigq_core.worker.agents import bootstrap, wire
from gigq_core.worker.agents.agent_link import AgentLink
from gigq_core.worker.agents.dask_placement import DaskPlacement
from gigq_core.worker.agents.places import MOST_WANTED, Cluster, CommandPlace, Place
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.agents.via import Via
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.heard import Report, Save

# A worker none of whose links ever led to an agent gives up after so many tries of each.
FAILURES_IN_A_ROW = 3
# A worker that takes jobs tells at least so often how many wait, in seconds.
WAITING_S = 10.0
# What an agent is waited for beyond the grace, as its worker ends, in seconds.
PATIENCE_S = 2.0


class AgentPool:
    """Runs jobs at the far ends of links.

    Args:
        vias: what leads there: a command to one agent, and a Dask scheduler to as many as there
            are Dask workers.
        slots: how many jobs each runs at a time; None for one, or each Dask worker's threads.
        python: the interpreter at the far ends; None for `python3`, or each Dask worker's own.
        terms: what all links have in common.
        worker_id: the worker's.

    Attributes:
        changed: whether an agent's state has changed since the rows were written last.
    """

    isolation = BY_AGENTS

    def __init__(
        self,
        *,
        vias: Sequence[Via],
        slots: int | None,
        python: str | None,
        terms: Terms,
        worker_id: str,
    ) -> None:
        self._terms = terms
        self._worker_id = worker_id
        self._endings: list[Ending] = []
        self._stacks: list[wire.Stack] = []
        self._opens = self._draining = self._is_closed = False
        # How many jobs wait that find no room.
        self._waiting, self._waiting_until = 0, 0.0
        self.changed = True
        numbers = itertools.count(1)
        self._last_rows: list[AgentSeen] | None = None
        self._places: list[Place] = []
        self._clusters: list[Cluster] = []
        for via in vias:
            words = bootstrap.words(python or "python3")
            if via.address:
                placement = DaskPlacement(via.address, terms.selector, words[1:], python, slots)
                self._clusters.append(Cluster(via.text, placement, terms, lambda: next(numbers)))
            else:
                words = [*via.words, *words]
                self._places.append(CommandPlace(next(numbers), via.text, slots or 1, words, terms))

    # --- as the supervisor knows it ----------------------------------------------------------

    @property
    def slots(self) -> int:
        """How many jobs may run at a time once all links stand, and clusters have grown."""
        growth = MOST_WANTED if self._clusters else 0
        return sum(place.slots for place in self._places) + growth

    @property
    def usable(self) -> int:
        """How many slots there are at agents that take jobs, or are taken elsewhere: none, while no
        agent is ready."""
        return sum(p.slots if p.is_ready else p.busy() for p in self._places)

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
        return sum(place.busy() for place in self._places)

    def _room(self) -> int:
        return sum(place.room() for place in self._places)

    def free(self) -> list[int]:
        """One number for each job that can begin this moment: where it runs is known later."""
        return [os.getpid()] * self._room()

    def prepare(self, wanted: int) -> None:
        """Have links; `wanted` jobs are ready, as far as is known.

        Raises:
            WorkerCannotStart: none leads to an agent.
        """
        self._opens = not self._draining
        self._waiting = max(0, wanted - self._room())
        self._waiting_until = time.monotonic() + WAITING_S
        self._look_after(time.monotonic())
        self._give_up_if_all_failed()

    def start(self, claims: list[Claim]) -> None:
        """Give each attempt to the agent with the most room; back what has no place any more."""
        room = {place: place.room() for place in self._places}
        ahead = {place: place.room_ahead() for place in self._places}
        direct = sum(room.values())
        begin: dict[Place, list[Claim]] = {}
        wait: dict[Place, list[Claim]] = {}
        without = _deal(claims[:direct], room, begin) + _deal(claims[direct:], ahead, wait)
        for place in begin.keys() | wait.keys():
            if place.link is not None:
                place.link.attempts.run(begin.get(place, ()), wait.get(place, ()))
        self._endings += [Ending(claim, Fate.NOT_BEGUN) for claim in without]

    def room_ahead(self) -> int:
        """How many jobs to claim beyond the free slots: none, unless jobs are short."""
        return sum(place.room_ahead() for place in self._places)

    def ahead(self) -> int:
        """How many claimed jobs wait for their turn."""
        return sum(place.jobs() - place.busy() for place in self._places)

    def unclaim(self) -> None:
        """Those that wait at an agent begin, or are given back, within some hundredths of a second:
        it is not asked for them."""

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
            link.attempts.saved(save.claim.execution_id, save.number)

    def was_away(self) -> None:
        """This process stood still: silence proves nothing."""
        for link in self._links():
            link.pulse.was_away()

    def stop(self, execution_id: str, fate: Fate) -> None:
        """Begin to end one attempt."""
        link = self._link_of(execution_id)
        if link is not None:
            link.attempts.stop(execution_id, fate)

    def tick(self) -> None:
        """Carry out what has come due."""
        self._look_after(time.monotonic())

    def _look_after(self, now: float) -> None:
        for cluster in self._clusters:
            waiting = self._waiting if self._opens and now < self._waiting_until else 0
            self.changed = cluster.tick(self._places, waiting) or self.changed
        for place in self._places:
            place.tick(now, self._opens)
            self._endings += place.left
            self._stacks += place.stacks
            place.left, place.stacks = [], []
            if place.changed:
                place.changed, self.changed = False, True
        if any(place.is_gone for place in self._places):
            self._places = [place for place in self._places if not place.is_gone]
            self.changed = True

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        dues = [place.due(self._opens) for place in self._places]
        dues += [cluster.due() for cluster in self._clusters]
        return min((due for due in dues if due is not None), default=None)

    def collect(self) -> list[Ending]:
        """What ended since the last call.

        Raises:
            WorkerCannotStart: no link leads to an agent.
        """
        for link in self._links():
            if link.attempts.endings:
                self._endings += link.attempts.endings
                link.attempts.endings = []
        if self._opens:
            # If this raises, what has ended is kept for the next call.
            self._give_up_if_all_failed()
        endings, self._endings = self._endings, []
        return endings

    def wind_down(self) -> None:
        """No more jobs will come: no link is made any more, and what is idle may end."""
        if self._draining:
            return
        self._draining, self._opens = True, False
        for place in self._places:
            place.wind_down()

    def close(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Let all agents end everything, and wait for that within the grace.

        Args:
            hurry: whether to wait no longer; asked again and again.

        Returns:
            Whether nothing of theirs still runs, as far as is known. What does, or may, stays among
            those that run; what has ended is there to be collected.
        """
        if self._is_closed:
            return not self.busy()
        self._is_closed = self._draining = True
        self._opens = False
        self._last_rows = self.rows()
        for link in self._links():
            link.close()
        until = time.monotonic() + self._terms.grace_s + PATIENCE_S
        while not all(link.is_over for link in self._links()):
            if hurry() or time.monotonic() >= until:
                break
            self._wait_a_moment()
        for link in list(self._links()):
            link.kill()
        for cluster in self._clusters:
            cluster.close()
        return not self.busy()

    def _wait_a_moment(self) -> None:
        for key, _ in self._terms.selector.select(0.05):
            if key.fd in self._terms.selector.get_map():
                key.data()
        now = time.monotonic()
        for link in self._links():
            link.tick(now)

    # --- what others read --------------------------------------------------------------------

    def rows(self) -> list[AgentSeen]:
        """The agents, as the file is to tell of them: once it is closed, as they were before."""
        if self._last_rows is not None:
            return self._last_rows
        rows = [place.row(self._worker_id) for place in self._places]
        there = {row.via for row in rows}
        rows += [c.row(self._worker_id) for c in self._clusters if c.via not in there]
        return rows

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

    # --- the links ---------------------------------------------------------------------------

    def _links(self) -> Iterable[AgentLink]:
        return (link for place in self._places for link in place.links())

    def _link_of(self, token: str) -> AgentLink | None:
        return next((link for link in self._links() if token in link.attempts.by_token), None)

    def _give_up_if_all_failed(self) -> None:
        if not self._places or self._clusters or self._draining:
            return
        if any(place.proven and not place.refused for place in self._places):
            return
        if all(p.refused or p.failures >= FAILURES_IN_A_ROW for p in self._places):
            # What is left is only to be put in order.
            self._draining, self._opens = True, False
            told = dict.fromkeys(place.refused or place.trouble for place in self._places)
            raise WorkerCannotStart("No job can run: " + " ".join(map(_as_sentence, told)))


def _deal(
    claims: list[Claim], room: dict[Place, int], dealt: dict[Place, list[Claim]]
) -> list[Claim]:
    """Give each to the place with the most room; gives those for which there is none."""
    without = []
    for claim in claims:
        place = max(room, key=lambda p: room[p], default=None)
        if place is None or room[place] <= 0:
            without.append(claim)
        else:
            room[place] -= 1
            dealt.setdefault(place, []).append(claim)
    return without


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
