"""What is done with a job of the tree and with all that is above or below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import CANCEL_BELOW, RETRY_UP
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.graph.focus import to_cancel, to_retry
from gigq_tui.store.models import Graph, JobRow


class TreeActionsHost(Protocol):
    """What the actions need of their screen."""

    @property
    def graph(self) -> Graph | None:
        """The graph, once it has been read."""

    @property
    def chosen_ids(self) -> Sequence[str]:
        """The jobs of the row under the cursor."""


class AsksAboutJobs(Protocol):
    """What asks, and acts."""

    def ask_retry(self, chosen: ChosenJobs, about: str = "") -> None: ...

    def ask_cancel(self, chosen: ChosenJobs, about: str = "") -> None: ...


class TreeActions(Part):
    """Retry upstream, cancel downstream.

    Args:
        asking: What asks whether to do it.
        notices: Where it is said that there is nothing to do.
        host: The screen.
    """

    def __init__(self, asking: AsksAboutJobs, notices: Tells, host: TreeActionsHost) -> None:
        self._asking = asking
        self._notices = notices
        self._host = host

    @does(RETRY_UP)
    def retry_upstream(self) -> None:
        """Retry the job under the cursor and every ancestor that ended badly."""
        if rows := self._gathered(to_retry):
            self._asking.ask_retry(ChosenJobs.of(rows), " (here and upstream)")
        else:
            self._notices.tell("Nothing has failed here or upstream.", "warn")

    @does(CANCEL_BELOW)
    def cancel_downstream(self) -> None:
        """Cancel the job under the cursor and whatever waits for it."""
        if rows := self._gathered(to_cancel):
            self._asking.ask_cancel(ChosenJobs.of(rows), " (here and downstream)")
        else:
            self._notices.tell("Nothing is waiting or running here or downstream.", "warn")

    def _gathered(
        self, gather: Callable[[Graph, Sequence[str]], tuple[JobRow, ...]]
    ) -> tuple[JobRow, ...]:
        graph = self._host.graph
        return () if graph is None else gather(graph, self._host.chosen_ids)
