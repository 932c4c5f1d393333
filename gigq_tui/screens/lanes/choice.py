"""Which lanes are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Protocol

from gigq_core.lanes.rules import Lane
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import LANE_MARK
from gigq_tui.screens.parts.list_marks import ListMarks, MarkedList


class ChoiceHost(MarkedList, Protocol):
    """What the part needs of its screen."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes."""


class LaneChoice(ListMarks[Lane]):
    """The lanes that are marked, and the one under the cursor.

    Args:
        host: The screen.
        hold: Lets no row move for a while.
    """

    def __init__(self, host: ChoiceHost, hold: Callable[[], None]) -> None:
        super().__init__(host, lambda: host.lanes, attrgetter("name"))
        self._hold = hold

    @does(LANE_MARK)
    def mark(self) -> None:
        """Mark the lane, or take its mark away, and go one down."""
        self._hold()
        super().mark()
