"""The tabs over a job: which of them is shown, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gigq_tui.keys import DETAIL_TABS
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.looking_actions import DETAIL_NEXT_TAB, DETAIL_PREVIOUS_TAB, LOG
from gigq_tui.keys.reading_actions import DETAIL_TAB_ACTIONS
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.tabs import TabLabel
from gigq_tui.widgets.text_view import TextView

ATTEMPTS, OUTPUT, PARAMS, RESULT, DEPS, STACK, RAW = DETAIL_TABS
# Those that show what an attempt wrote.
WRITTEN = frozenset({ATTEMPTS, OUTPUT})


class TabContent(Protocol):
    """What a tab shows in the text and in the line over it."""

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job: it is not made anew while that is the same."""

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show its text."""

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say in the line over the text what that is."""


class TabsHost(Protocol):
    """What the tabs need of their screen."""

    def tab_chosen(self) -> None:
        """Show what the tab shows, from its top."""


class Tabs(Part):
    """Which tab is shown.

    Args:
        name: The one to begin with; None lets the state of the job choose.
        contents: What each shows, by its name.
        host: The screen.
    """

    def __init__(
        self, name: str | None, contents: Mapping[str, TabContent], host: TabsHost
    ) -> None:
        self.name = name
        self._contents = contents
        self._host = host
        # Whether the output was opened out of the attempts, where one goes back to.
        self.is_enlarged = False

    @property
    def content(self) -> TabContent | None:
        """What the tab shows; None as long as none is chosen."""
        return self._contents[self.name] if self.name is not None else None

    @property
    def index(self) -> int:
        """Which of the tabs it is, from 0."""
        return DETAIL_TABS.index(self.name) if self.name is not None else 0

    def start_over(self) -> None:
        """Stay on the tab, as of another job."""
        self.is_enlarged = False

    def choose(self, name: str) -> None:
        """Show another tab, from its top."""
        self.is_enlarged = False
        if name != self.name:
            self.name = name
            self._host.tab_chosen()

    def enlarge_output(self) -> None:
        """Show the output alone; where the attempts were shown, one goes back there."""
        from_attempts = self.name == ATTEMPTS
        self.choose(OUTPUT)
        self.is_enlarged = from_attempts

    # Keys

    @does(DETAIL_NEXT_TAB)
    def next(self) -> None:
        """Show the tab to the right; behind the last comes the first."""
        self._step(1)

    @does(DETAIL_PREVIOUS_TAB)
    def previous(self) -> None:
        """Show the tab to the left."""
        self._step(-1)

    def _step(self, by: int) -> None:
        self.choose(DETAIL_TABS[(self.index + by) % len(DETAIL_TABS)])

    @does_each(DETAIL_TAB_ACTIONS)
    def choose_number(self, index: int) -> None:
        """Show the tab with that number, from 0."""
        self.choose(DETAIL_TABS[index])

    @does(LOG)
    def toggle_output(self) -> None:
        """Show the output alone, or go back to the attempts."""
        if self.name == OUTPUT and self.is_enlarged:
            self.choose(ATTEMPTS)
        else:
            self.enlarge_output()


def tab_labels(detail: JobDetail | None, hints: KeyHints) -> list[TabLabel]:
    """What is written on the tabs: their keys, their names, and how much there is to see."""
    counts: dict[str, int] = {}
    if detail is not None:
        counts = {ATTEMPTS: len(detail.attempts), DEPS: len(detail.parents) + detail.child_count}
    labels = []
    for name, action in zip(DETAIL_TABS, DETAIL_TAB_ACTIONS, strict=True):
        text = f"{name} {counts[name]}" if name in counts else name
        loud = name == ATTEMPTS and detail is not None and bool(detail.error)
        labels.append(TabLabel(f"{hints(action)} {text}", text, "fail" if loud else ""))
    return labels
