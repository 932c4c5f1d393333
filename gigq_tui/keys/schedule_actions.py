"""The actions of the screen of schedules."""

from __future__ import annotations

from gigq_tui.keys.action import IN_SCHEDULES, Action, Group

SCHEDULE_JOBS = Action(
    "schedule_jobs",
    ("enter",),
    "jobs",
    "list the schedule's jobs",
    Group.LOOK,
    IN_SCHEDULES,
    bar=10,
)
SCHEDULE_LAST = Action(
    "schedule_last",
    ("l",),
    "last job",
    "open the schedule's last job",
    Group.LOOK,
    IN_SCHEDULES,
    bar=15,
)
SCHEDULE_MARK = Action(
    "schedule_mark",
    ("space",),
    "mark",
    "mark the schedule",
    Group.ACT,
    IN_SCHEDULES,
    bar=60,
)
SCHEDULE_NEW = Action(
    "schedule_new",
    ("n", "a"),
    "new",
    "add a schedule",
    Group.ACT,
    IN_SCHEDULES,
    bar=20,
    writes=True,
)
SCHEDULE_EDIT = Action(
    "schedule_edit",
    ("e",),
    "edit",
    "edit the schedule",
    Group.ACT,
    IN_SCHEDULES,
    bar=25,
    writes=True,
)
SCHEDULE_RUN = Action(
    "schedule_run",
    ("r",),
    "run now",
    "run the schedule's job now",
    Group.ACT,
    IN_SCHEDULES,
    bar=30,
    writes=True,
)
SCHEDULE_PAUSE = Action(
    "schedule_pause",
    ("P",),
    "pause",
    "pause or resume the schedule",
    Group.ACT,
    IN_SCHEDULES,
    bar=35,
    writes=True,
)
SCHEDULE_REMOVE = Action(
    "schedule_remove",
    ("X",),
    "remove",
    "remove the schedule; its jobs stay",
    Group.ACT,
    IN_SCHEDULES,
    bar=40,
    writes=True,
)
SCHEDULE_NARROW = Action(
    "schedule_narrow",
    ("slash",),
    "filter",
    "filter the list",
    Group.LOOK,
    IN_SCHEDULES,
    bar=70,
)
SCHEDULE_SORT = Action(
    "schedule_sort", ("s",), "sort", "sort the list", Group.LOOK, IN_SCHEDULES, bar=72
)
SCHEDULE_COPY = Action(
    "schedule_copy",
    ("y",),
    "copy",
    "copy name, command, ..",
    Group.LOOK,
    IN_SCHEDULES,
    bar=75,
)

SCHEDULE_ACTIONS: tuple[Action, ...] = (
    SCHEDULE_JOBS,
    SCHEDULE_LAST,
    SCHEDULE_MARK,
    SCHEDULE_NEW,
    SCHEDULE_EDIT,
    SCHEDULE_RUN,
    SCHEDULE_PAUSE,
    SCHEDULE_REMOVE,
    SCHEDULE_NARROW,
    SCHEDULE_SORT,
    SCHEDULE_COPY,
)
