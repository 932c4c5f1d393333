"""Which keys of the jobs screen are about its rows: they wait for those rows, not for long.

Whoever types `4 j enter` over a slow line means the second job that failed, and never the second
row of the list that still stands there.
"""

from __future__ import annotations

from gigq_tui.keys import BY_ID, Group

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
        "set_workers",
    }
)


def is_about_rows(action_id: str) -> bool:
    """Whether an action of the jobs screen needs to know which rows the list has."""
    return action_id not in _ABOUT_NO_ROW and BY_ID[action_id].group is not Group.CONSOLE
