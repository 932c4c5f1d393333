"""The schedules, read after news at a pace; and what became of the last slots of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gigq_tui.keys.action import Action
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, StepsHost
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.clock import Clock
from gigq_tui.store.schedules import ListedSchedule, PastSlot, Schedules

# News is gathered for so long: a queue at work has some a few times a second.
PACE_S = 1.0


class RefreshHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    @property
    def cursor_name(self) -> str:
        """The name of the schedule under the cursor."""

    def draw(self) -> None:
        """Draw what has come."""


class ScheduleRefresh(Part):
    """Keeps the schedules, and has them read anew no oftener than they must be.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.

    Attributes:
        read: What was read last; None before it has come.
    """

    def __init__(self, host: RefreshHost, view: PausedView, clock: Clock) -> None:
        self._host = host
        self._view = view
        self._clock = clock
        self.read: Schedules | None = None
        self._is_asking = False
        self._asked_at = float("-inf")
        self._has_news = True

    def awaits(self, action: Action) -> bool:
        return self.read is None and is_about_rows(action)

    @property
    def listed(self) -> Sequence[ListedSchedule]:
        """All schedules."""
        return () if self.read is None else self.read.listed

    def past_of(self, name: str) -> Sequence[PastSlot] | None:
        """What became of the last slots of one; None where that has not been read."""
        return self.read.past if self.read is not None and self.read.chosen == name else None

    def take_news(self) -> None:
        """The file has changed: read now, or once the pace allows it."""
        self._has_news = True
        self.keep_up()

    def follow_cursor(self) -> None:
        """Read the last slots of the schedule under the cursor, where those of another are here."""
        if self.read is not None and self.read.chosen != self._host.cursor_name:
            self._ask()

    def keep_up(self) -> None:
        """Read anew after news, once the pace allows it."""
        if not self._has_news or not self._host.is_current:
            return
        if self._view.paused and self.read is not None:
            return
        if self._clock.monotonic() - self._asked_at >= PACE_S:
            self._ask()

    def _ask(self) -> None:
        if self._is_asking:
            return
        self._is_asking, self._has_news = True, False
        self._asked_at = self._clock.monotonic()
        chosen = self._host.cursor_name
        self._host.reads.ask(lambda reader: reader.schedules(chosen), self._take, self._fail)

    def _take(self, read: Schedules) -> None:
        self._is_asking = False
        self.read = read
        self._host.draw()
        self.follow_cursor()

    def _fail(self, _: str) -> None:
        self._is_asking, self._has_news = False, True
