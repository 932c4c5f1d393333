"""The actions that only move and look."""

from __future__ import annotations

from gigq_tui.keys.action import (
    FOUND_IN,
    IN_COUNT,
    IN_GROUPS,
    IN_JOB,
    IN_JOBS,
    IN_LANES,
    IN_OVERVIEW,
    IN_SCHEDULES,
    IN_TREE,
    IN_WORKERS,
    MOVING,
    ON_A_JOB,
    SCREENS,
    Action,
    Group,
    needs_row,
)
from gigq_tui.store.models import Tab

_TAB_JOBS = {Tab.ALL: "all", Tab.WAITING: "waiting", Tab.TIMEOUT: "timed-out"}
TAB_ACTIONS = tuple(
    Action(
        f"tab_{number}",
        (str(number),),
        tab.name.title(),
        f"show {_TAB_JOBS.get(tab, tab.value)} jobs",
        Group.LOOK,
        IN_JOBS,
    )
    for number, tab in enumerate(Tab, start=1)
)

DOWN = Action(
    "down",
    ("j", "down"),
    "down",
    "one row down",
    Group.MOVE,
    MOVING,
    pair="row down, up",
)
UP = Action("up", ("k", "up"), "up", "one row up", Group.MOVE, MOVING)
FIRST = Action(
    "first",
    ("g", "home"),
    "first",
    "first row",
    Group.MOVE,
    MOVING,
    pair="first, last",
)
LAST = Action("last", ("G", "end"), "last", "last row", Group.MOVE, MOVING)
PAGE_DOWN = Action(
    "page_down",
    ("pagedown",),
    "page",
    "one page down",
    Group.MOVE,
    MOVING,
    pair="page down, up",
)
PAGE_UP = Action("page_up", ("pageup",), "page", "one page up", Group.MOVE, MOVING)
HALF_DOWN = Action(
    "half_down",
    ("ctrl+d",),
    "half",
    "half a page down",
    Group.MOVE,
    MOVING,
    pair="half a page",
)
HALF_UP = Action("half_up", ("ctrl+u",), "half", "half a page up", Group.MOVE, MOVING)
NEXT_TAB = Action(
    "next_tab",
    ("right_square_bracket",),
    "next tab",
    "next tab",
    Group.MOVE,
    IN_JOBS,
    pair="next, prev tab",
)
PREVIOUS_TAB = Action(
    "previous_tab",
    ("left_square_bracket",),
    "prev tab",
    "previous tab",
    Group.MOVE,
    IN_JOBS,
)
DETAIL_NEXT_TAB = Action(
    "detail_next_tab",
    ("right", "right_square_bracket"),
    "tab",
    "next tab",
    Group.MOVE,
    IN_JOB,
    pair="next, prev tab",
)
DETAIL_PREVIOUS_TAB = Action(
    "detail_previous_tab",
    ("left", "left_square_bracket"),
    "tab",
    "previous tab",
    Group.MOVE,
    IN_JOB,
)
NEXT_JOB = Action(
    "next_job",
    ("J",),
    "next job",
    "next job of the list",
    Group.MOVE,
    IN_JOB,
    bar=60,
    pair="next, prev job",
)
PREVIOUS_JOB = Action(
    "previous_job", ("K",), "prev job", "previous job of the list", Group.MOVE, IN_JOB
)

MOVE_ACTIONS: tuple[Action, ...] = (
    DOWN,
    UP,
    FIRST,
    LAST,
    PAGE_DOWN,
    PAGE_UP,
    HALF_DOWN,
    HALF_UP,
    NEXT_TAB,
    PREVIOUS_TAB,
    DETAIL_NEXT_TAB,
    DETAIL_PREVIOUS_TAB,
    NEXT_JOB,
    PREVIOUS_JOB,
)

OPEN = Action("open", ("enter",), "open", "open the job", Group.LOOK, IN_JOBS | IN_TREE, bar=10)
DETAIL_OPEN = Action(
    "detail_open",
    ("enter",),
    "choose",
    "open the selection",
    Group.LOOK,
    IN_JOB,
)
FILTER = Action("filter", ("slash",), "filter", "filter the list", Group.LOOK, IN_JOBS, bar=80)
FIND_ROW = Action("find_row", ("slash",), "find", "find in the list", Group.LOOK, FOUND_IN)
FIND_ROW_NEXT = Action(
    "find_row_next",
    ("n",),
    "next",
    "next match",
    Group.LOOK,
    FOUND_IN,
    pair="next, previous match",
)
FIND_ROW_PREVIOUS = Action(
    "find_row_previous", ("N",), "previous", "previous match", Group.LOOK, FOUND_IN
)
SORT = Action("sort", ("s",), "sort", "sort the list", Group.LOOK, IN_JOBS, bar=78)
CHOOSE_COLUMNS = Action(
    "choose_columns",
    ("vertical_line",),
    "columns",
    "add or remove a column",
    Group.LOOK,
    IN_JOBS,
)
FOLLOW = Action(
    "follow",
    ("f",),
    "follow",
    "follow the row",
    Group.LOOK,
    IN_JOBS,
    when=needs_row,
)
LOG = Action("log", ("l",), "log", "output of the job", Group.LOOK, ON_A_JOB, bar=65)
TREE = Action("tree", ("t",), "tree", "dependency tree", Group.LOOK, IN_JOBS | IN_JOB, bar=60)
WORKERS = Action("workers", ("w",), "workers", "workers", Group.LOOK, SCREENS - IN_WORKERS, bar=70)
OVERVIEW = Action(
    "overview", ("o",), "overview", "overview", Group.LOOK, SCREENS - IN_OVERVIEW - IN_JOB, bar=72
)
GROUPS = Action(
    "groups",
    ("b",),
    "groups",
    "failed jobs by cause",
    Group.LOOK,
    SCREENS - IN_GROUPS,
)
COUNT = Action(
    "count",
    ("number_sign",),
    "count",
    "count by anything",
    Group.LOOK,
    SCREENS - IN_COUNT,
)
LANES = Action("lanes", ("L",), "lanes", "lanes: limits, rates", Group.LOOK, SCREENS - IN_LANES)
SCHEDULES = Action(
    "schedules", ("at",), "schedules", "schedules: cron", Group.LOOK, SCREENS - IN_SCHEDULES
)
PAUSE_VIEW = Action(
    "pause_view",
    ("p",),
    "pause view",
    "pause the view",
    Group.LOOK,
    SCREENS,
)
COPY = Action(
    "copy",
    ("y",),
    "copy",
    "copy id, error, ..",
    Group.LOOK,
    ON_A_JOB,
    bar=75,
)
COPY_VIEW = Action(
    "copy_view", ("y",), "copy view", "copy this view as a command", Group.LOOK, IN_OVERVIEW
)

VIEWS = Action("views", ("V",), "views", "saved views", Group.LOOK, SCREENS)

LOOK_ACTIONS: tuple[Action, ...] = (
    OPEN,
    DETAIL_OPEN,
    *TAB_ACTIONS,
    FILTER,
    FIND_ROW,
    FIND_ROW_NEXT,
    FIND_ROW_PREVIOUS,
    SORT,
    CHOOSE_COLUMNS,
    FOLLOW,
    LOG,
    TREE,
    WORKERS,
    OVERVIEW,
    GROUPS,
    COUNT,
    LANES,
    SCHEDULES,
    PAUSE_VIEW,
    COPY,
    COPY_VIEW,
    VIEWS,
)
