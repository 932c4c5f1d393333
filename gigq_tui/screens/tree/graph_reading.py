"""Reading the graph around a job: with each picture of the file, the costlier the more seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from textual.timer import Timer

from gigq_tui.keys.action import Action
from gigq_tui.screens.parts.job_actions import GONE
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.models import Graph
from gigq_tui.store.questions import Questions

# What a graph cost to read and draw, times this, is the pause before it is asked for again.
REST_FACTOR = 4.0


class GraphReads(Protocol):
    """What answers for the screen."""

    def ask(
        self,
        read: Callable[[Questions], Graph | None],
        got: Callable[[Graph | None], None],
        failed: Callable[[str], None],
    ) -> None:
        """Have the reader thread find something out."""


class GraphHost(Protocol):
    """What the reading needs of its screen."""

    @property
    def may_read(self) -> bool:
        """Whether a new graph is wanted now: the screen is in front, and its picture runs on."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call something later."""

    def graph_read(self, *, first: bool) -> None:
        """Draw the graph; whether it is the first."""


class GraphReading(Part):
    """The graph as it was read last.

    Args:
        job_id: The job around which it is.
        monotonic: Seconds of a clock that never goes back.
        reads: Who is asked.
        notices: Where it is said why there is none.
        host: The screen.
    """

    def __init__(
        self,
        job_id: str,
        monotonic: Callable[[], float],
        reads: GraphReads,
        notices: Tells,
        host: GraphHost,
    ) -> None:
        self.job_id = job_id
        self.graph: Graph | None = None
        self._monotonic = monotonic
        self._reads = reads
        self._notices = notices
        self._host = host
        self._asked_at: float | None = None
        self._ask_again = False
        self._rest_until = 0.0
        self._rest_timer: Timer | None = None

    def awaits(self, action: Action) -> bool:
        return self.graph is None and is_about_rows(action)

    def read(self) -> None:
        """Ask for the graph: one question at a time, and none while it rests."""
        if self._asked_at is not None:
            self._ask_again = True
            return
        now = self._monotonic()
        if now < self._rest_until:
            if self._rest_timer is None:
                self._rest_timer = self._host.set_timer(self._rest_until - now, self._rested)
            return
        self._asked_at = now
        self._ask_again = False
        self._reads.ask(lambda r: r.graph(self.job_id), self._receive, self._fail)

    def read_now(self) -> None:
        """Ask for it without a rest, as after an action."""
        self._rest_until = 0.0
        self.read()

    def _rested(self) -> None:
        self._rest_timer = None
        self._rest_until = 0.0
        if self._host.may_read:
            self.read()

    def _receive(self, graph: Graph | None) -> None:
        if graph is None:
            self._fail(GONE)
            return
        first = self.graph is None
        self.graph = graph
        self._host.graph_read(first=first)
        self._rest()

    def _fail(self, why: str) -> None:
        self._notices.tell(why, "warn")
        self._rest()

    def _rest(self) -> None:
        """Begin to rest, once it has been drawn; or ask again, where that was wanted meanwhile."""
        asked_at, self._asked_at = self._asked_at, None
        now = self._monotonic()
        if asked_at is not None:
            self._rest_until = now + REST_FACTOR * (now - asked_at)
        if self._ask_again:
            self.read()
