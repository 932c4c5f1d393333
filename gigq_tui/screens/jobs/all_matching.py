"""What capital letters do: cancel or retry all jobs that the tab and the filter let through."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from gigq_tui.format import cut, inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL_ALL, RETRY_ALL
from gigq_tui.screens.jobs.tab_labels import describe_tab
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.list.covered import Covered, keys_of
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab
from gigq_tui.store.questions import Questions

# A value in a question takes so many cells at most.
VALUE_CELLS = 40

Values = tuple[Covered, ...]
# Asks about some jobs; the second is what is said of them after their number.
Asks = Callable[[ChosenJobs, str], None]


class MatchHost(Protocol):
    """What the part needs of its screen."""

    @property
    def table(self) -> JobTable:
        """The rows that are in memory."""

    @property
    def view(self) -> View:
        """What is listed."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out which jobs match."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""


class AllMatching(Part):
    """Asks about all jobs of the list, once their number is known.

    Args:
        host: The screen.
        ask_cancel: Asks whether to cancel some jobs.
        ask_retry: Asks whether to retry some jobs.
        notices: Where it is told why it is not known which those are.
    """

    def __init__(self, host: MatchHost, ask_cancel: Asks, ask_retry: Asks, notices: Tells) -> None:
        self._host = host
        self._ask_cancel = ask_cancel
        self._ask_retry = ask_retry
        self._notices = notices

    @does(CANCEL_ALL)
    def cancel_all(self) -> None:
        """Cancel all that match, once their number has been said."""
        self._read_ids(self._ask_cancel)

    @does(RETRY_ALL)
    def retry_all(self) -> None:
        """Retry all that match, once their number has been said."""
        self._read_ids(self._ask_retry)

    def _read_ids(self, ask: Asks) -> None:
        # What it is about is captured now, like the ids: the view may change before the answer.
        view = self._host.view
        self._host.reads.ask(
            partial(_read, view),
            partial(self._ask, ask, f" ({describe_list(view)})"),
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _ask(self, ask: Asks, about: str, found: tuple[tuple[str, ...], Values]) -> None:
        if self._host.is_current:
            ids, values = found
            wanted = set(ids)
            rows = tuple(row for row in self._host.table.window.rows if row.id in wanted)
            ask(ChosenJobs(ids, rows, tuple(map(describe_values, values))), about)


def _read(view: View, reader: Questions) -> tuple[tuple[str, ...], Values]:
    """Which jobs match, and which values they have in what the filter is about."""
    ids = reader.matching_ids(view)
    return ids, reader.covered(view) if keys_of(view) else ()


def describe_values(covered: Covered) -> str:
    """Say which values a filter covers, as in `param.customer: 17 (20 jobs), 170 (4 jobs)`."""
    told = [
        f"{cut(inert(value), VALUE_CELLS)} ({plural(number, 'job')})"
        for value, number in covered.values
    ]
    if covered.others:
        told.append(f"others ({plural(covered.others, 'job')})")
    return f"{inert(covered.name)}: {', '.join(told) or 'nothing'}"


def describe_list(view: View) -> str:
    """Say which jobs a list holds, as in `all of tab Failed that match resize`."""
    every = f"all of tab {describe_tab(view.tab)}"
    if view.filter:
        every = "all" if view.tab is Tab.ALL else every
        return f"{every} that match {view.filter.text}"
    return every
