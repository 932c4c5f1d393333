"""Which keys of the jobs screen are about its rows: they wait for those rows, not for long.

Whoever types `4 j enter` over a slow line means the second job that failed, and never the second
row of the list that still stands there.
"""

from __future__ import annotations

from gigq_tui.keys.action import Action, Group
from gigq_tui.keys.job_actions import NEW, PAUSE_QUEUE, SET_WORKERS, SPAWN_WORKER, STOP_WORKER, UNDO
from gigq_tui.keys.lane_actions import LANE_FILTER, LANE_NEW, LANE_SORT
from gigq_tui.keys.looking_actions import (
    CHOOSE_COLUMNS,
    COPY_VIEW,
    COUNT,
    FILTER,
    GROUPS,
    LANES,
    NEXT_TAB,
    OVERVIEW,
    PAUSE_VIEW,
    PREVIOUS_TAB,
    SCHEDULES,
    SORT,
    TAB_ACTIONS,
    VIEWS,
    WORKERS,
)
from gigq_tui.keys.schedule_actions import SCHEDULE_NARROW, SCHEDULE_NEW, SCHEDULE_SORT

# Keys that have waited longer are dropped: what they were about may have been forgotten.
WAITS_AT_MOST_S = 2.0
# These choose or leave the list, or have nothing to do with it.
_ABOUT_NO_ROW = frozenset(
    action.id
    for action in (
        *TAB_ACTIONS,
        NEXT_TAB,
        PREVIOUS_TAB,
        FILTER,
        SORT,
        CHOOSE_COLUMNS,
        WORKERS,
        OVERVIEW,
        GROUPS,
        COUNT,
        LANES,
        LANE_NEW,
        LANE_FILTER,
        LANE_SORT,
        SCHEDULES,
        SCHEDULE_NEW,
        SCHEDULE_NARROW,
        SCHEDULE_SORT,
        PAUSE_VIEW,
        COPY_VIEW,
        VIEWS,
        NEW,
        UNDO,
        PAUSE_QUEUE,
        SPAWN_WORKER,
        STOP_WORKER,
        SET_WORKERS,
    )
)


def is_about_rows(action: Action) -> bool:
    """Whether an action needs to know which rows the list has."""
    return action.id not in _ABOUT_NO_ROW and action.group is not Group.CONSOLE
