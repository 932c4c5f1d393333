"""To the culprit: the failed job that holds up most, and from there to the next one."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.format import count, inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import CULPRIT
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.graph.alike import has_ended_badly, job_label
from gigq_tui.store.graph.culprits import culprits
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph


class CulpritHost(Protocol):
    """What the part needs of its screen."""

    @property
    def graph(self) -> Graph | None:
        """The graph, once it has been read."""

    @property
    def waiting(self) -> WaitingBehind:
        """How many jobs wait behind each."""

    @property
    def cursor_job(self) -> str:
        """The job under the cursor."""

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the row of a job."""


class Culprit(Part):
    """Goes from one culprit to the next.

    Args:
        notices: Where it is told which one of how many it is.
        host: The screen.
    """

    def __init__(self, notices: Tells, host: CulpritHost) -> None:
        self._notices = notices
        self._host = host
        # Those that are gone through, and the one that was gone to last.
        self._found: tuple[str, ...] = ()
        self._last = ""

    @does(CULPRIT)
    def go_to_culprit(self) -> None:
        """Put the cursor on the failed job that blocks most; again: on the next one."""
        graph, job_id = self._host.graph, self._host.cursor_job
        if graph is None:
            return
        at = 0
        if self._last == job_id and all(id in graph.nodes for id in self._found):
            at = (self._found.index(job_id) + 1) % len(self._found)
        else:
            self._found = culprits(graph, job_id, self._host.waiting)
        if not self._found:
            self._last = ""
            self._notices.tell("Nothing failed here, and no running job holds others up.", "warn")
            return
        self._last = self._found[at]
        self._host.select_job(self._last)
        self._tell(graph, at)

    def _tell(self, graph: Graph, at: int) -> None:
        id, many = self._found[at], len(self._found)
        kind = "Culprit" if has_ended_badly(graph, (id,)) else "Nothing failed. Running job"
        which = f" {at + 1} of {count(many)}" if many > 1 else ""
        blocked = plural(self._host.waiting.of(id), "job")
        self._notices.tell(f"{kind}{which}: {inert(job_label(graph, id))} blocks {blocked}.")
