"""The schedules, and what became of the last slots of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gigq_tui.screens.parts.paced_read import PacedRead
from gigq_tui.screens.parts.stepped_read import PausedView, StepsHost
from gigq_tui.store.clock import Clock
from gigq_tui.store.schedules import ListedSchedule, PastSlot, Schedules


class RefreshHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    @property
    def cursor_name(self) -> str:
        """The name of the schedule under the cursor."""

    def draw(self) -> None:
        """Draw what has come."""


class ScheduleRefresh(PacedRead[Schedules]):
    """Keeps the schedules.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
    """

    def __init__(self, host: RefreshHost, view: PausedView, clock: Clock) -> None:
        super().__init__(
            host, view, clock, lambda reader: reader.schedules(self._chosen), self._draw
        )
        self._screen = host
        # Whose last slots are asked for.
        self._chosen = ""

    @property
    def listed(self) -> Sequence[ListedSchedule]:
        """All schedules."""
        return () if self.value is None else self.value.listed

    def past_of(self, name: str) -> Sequence[PastSlot] | None:
        """What became of the last slots of one; None where that has not been read."""
        return self.value.past if self.value is not None and self.value.chosen == name else None

    def follow_cursor(self) -> None:
        """Read the last slots of the schedule under the cursor, where those of another are here."""
        if self.value is not None and self.value.chosen != self._screen.cursor_name:
            self.read_now()

    def read_now(self, *, wanted: bool = True) -> None:
        self._chosen = self._screen.cursor_name
        super().read_now(wanted=wanted)

    def _draw(self) -> None:
        self._screen.draw()
        self.follow_cursor()
