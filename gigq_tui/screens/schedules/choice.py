"""Which schedules are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import SCHEDULE_MARK
from gigq_tui.screens.parts.list_marks import ListMarks, MarkedList
from gigq_tui.store.schedules import ListedSchedule


class ChoiceHost(MarkedList, Protocol):
    """What the part needs of its screen."""

    @property
    def schedules(self) -> Sequence[ListedSchedule]:
        """All schedules."""


class ScheduleChoice(ListMarks[ListedSchedule]):
    """The schedules that are marked, and the one under the cursor.

    Args:
        host: The screen.
        hold: Lets no row move for a while.
    """

    def __init__(self, host: ChoiceHost, hold: Callable[[], None]) -> None:
        super().__init__(host, lambda: host.schedules, attrgetter("name"))
        self._hold = hold

    @does(SCHEDULE_MARK)
    def mark(self) -> None:
        """Mark the schedule, or take its mark away, and go one down."""
        self._hold()
        super().mark()
