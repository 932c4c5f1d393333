"""The actions on lanes and their rules."""

from __future__ import annotations

from gigq_tui.keys.action import IN_LANES, Action, Group

LANE_JOBS = Action(
    "lane_jobs", ("enter",), "jobs", "list the lane's jobs", Group.LOOK, IN_LANES, bar=10
)
LANE_MARK = Action("lane_mark", ("space",), "mark", "mark the lane", Group.ACT, IN_LANES, bar=60)
LANE_NEW = Action(
    "lane_new",
    ("n", "a"),
    "new rule",
    "add a rule",
    Group.ACT,
    IN_LANES,
    bar=20,
    writes=True,
)
LANE_EDIT = Action(
    "lane_edit",
    ("e",),
    "edit",
    "edit the lane's rule",
    Group.ACT,
    IN_LANES,
    bar=30,
    writes=True,
)
LANE_PAUSE = Action(
    "lane_pause",
    ("P",),
    "pause",
    "pause or resume the lane",
    Group.ACT,
    IN_LANES,
    bar=40,
    writes=True,
)
LANE_REMOVE = Action(
    "lane_remove",
    ("X",),
    "remove",
    "remove the lane's rule",
    Group.ACT,
    IN_LANES,
    bar=50,
    writes=True,
)
LANE_FILTER = Action(
    "lane_filter", ("slash",), "filter", "filter the list", Group.LOOK, IN_LANES, bar=65
)
LANE_SORT = Action("lane_sort", ("s",), "sort", "sort the list", Group.LOOK, IN_LANES, bar=82)
LANE_COPY = Action(
    "lane_copy", ("y",), "copy", "copy name, command, ..", Group.LOOK, IN_LANES, bar=75
)

LANE_ACTIONS: tuple[Action, ...] = (
    LANE_JOBS,
    LANE_MARK,
    LANE_NEW,
    LANE_EDIT,
    LANE_PAUSE,
    LANE_REMOVE,
    LANE_FILTER,
    LANE_SORT,
    LANE_COPY,
)
