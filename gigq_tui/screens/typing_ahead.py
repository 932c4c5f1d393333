"""Keys that come before the rows they are about: they wait for those rows, not for long.

Whoever types `4 j enter` over a slow line means the second job that failed, and never the second
row of the list that still stands there.
"""

from __future__ import annotations

from collections.abc import Callable

from gigq_tui.registry import BY_ID, Group

# Keys that have waited longer are dropped: what they were about may have been forgotten.
WAITS_AT_MOST_S = 2.0
# These choose or leave the list, or have nothing to do with it.
_ABOUT_NO_ROW = frozenset(
    {
        "next_tab",
        "previous_tab",
        *(f"tab_{number}" for number in range(1, 8)),
        "filter",
        "sort",
        "workers",
        "overview",
        "pause_view",
        "new",
        "undo",
        "pause_queue",
        "spawn_worker",
        "stop_worker",
    }
)


def is_about_rows(action_id: str) -> bool:
    """Whether an action of the jobs screen needs to know which rows the list has."""
    return action_id not in _ABOUT_NO_ROW and BY_ID[action_id].group is not Group.CONSOLE


class TypedAhead:
    """The actions that wait.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._waiting: list[tuple[float, str]] = []

    def hold(self, action_id: str) -> None:
        """Let an action wait for the rows."""
        self._waiting.append((self._monotonic(), action_id))

    def drop(self) -> None:
        """Forget what waits: another list was asked for since."""
        self._waiting.clear()

    def take(self) -> list[str]:
        """The actions to do now that the rows are there, in their order.

        None at all where the first has waited too long: the others were meant for the row that it
        would have come to.
        """
        since = self._monotonic() - WAITS_AT_MOST_S
        waiting, self._waiting = self._waiting, []
        if waiting and waiting[0][0] < since:
            return []
        return [action_id for _, action_id in waiting]
