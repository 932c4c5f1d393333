"""The actions on jobs and on the queue."""

from __future__ import annotations

from gigq_tui.keys.action import (
    IN_GROUPS,
    IN_JOBS,
    IN_LANES,
    IN_SCHEDULES,
    ON_A_JOB,
    SCREENS,
    Action,
    Group,
    Scope,
    needs_jobs,
    needs_row,
)

MARK = Action("mark", ("space",), "mark", "mark the row", Group.ACT, IN_JOBS, bar=20)
MARK_RANGE = Action("mark_range", ("v",), "range", "mark a range", Group.ACT, IN_JOBS)
MARK_ALL = Action(
    "mark_all",
    ("asterisk",),
    "mark all",
    "mark all that match",
    Group.ACT,
    IN_JOBS,
    when=needs_jobs,
)
CANCEL = Action(
    "cancel",
    ("c",),
    "cancel",
    "cancel",
    Group.ACT,
    ON_A_JOB,
    bar=30,
    writes=True,
    when=needs_row,
)
RETRY = Action(
    "retry",
    ("r",),
    "retry",
    "retry",
    Group.ACT,
    ON_A_JOB,
    bar=40,
    writes=True,
    when=needs_row,
)
RAISE_PRIORITY = Action(
    "raise_priority",
    ("greater_than_sign",),
    "sooner",
    "raise the priority",
    Group.ACT,
    ON_A_JOB,
    writes=True,
    when=needs_row,
    pair="priority up, down",
)
LOWER_PRIORITY = Action(
    "lower_priority",
    ("less_than_sign",),
    "later",
    "lower the priority",
    Group.ACT,
    ON_A_JOB,
    writes=True,
    when=needs_row,
)
UNDO = Action(
    "undo",
    ("u",),
    "undo",
    "undo the last action",
    Group.ACT,
    ON_A_JOB | IN_GROUPS | IN_LANES | IN_SCHEDULES,
    bar=85,
    writes=True,
)
OUTCOMES = Action(
    "outcomes",
    ("i",),
    "results",
    "results of the last action",
    Group.LOOK,
    SCREENS,
)
NEW = Action("new", ("n",), "new", "submit a new job", Group.ACT, IN_JOBS, bar=50, writes=True)
EDIT = Action(
    "edit",
    ("e",),
    "edit",
    "edit and resubmit",
    Group.ACT,
    ON_A_JOB,
    bar=55,
    writes=True,
    when=needs_row,
)

JOB_ACTIONS: tuple[Action, ...] = (
    MARK,
    MARK_RANGE,
    MARK_ALL,
    CANCEL,
    RETRY,
    RAISE_PRIORITY,
    LOWER_PRIORITY,
    UNDO,
    OUTCOMES,
    NEW,
    EDIT,
)

CANCEL_ALL = Action(
    "cancel_all",
    ("C",),
    "cancel all",
    "cancel all that match",
    Group.WIDE,
    IN_JOBS,
    writes=True,
    when=needs_jobs,
)
RETRY_ALL = Action(
    "retry_all",
    ("R",),
    "retry all",
    "retry all that match",
    Group.WIDE,
    IN_JOBS,
    writes=True,
    when=needs_jobs,
)
CLEAR_FINISHED = Action(
    "clear_finished",
    ("X",),
    "clear",
    "clear finished jobs",
    Group.WIDE,
    IN_JOBS,
    writes=True,
)
PAUSE_QUEUE = Action(
    "pause_queue",
    ("P",),
    "pause queue",
    "pause the queue",
    Group.QUEUE,
    frozenset({Scope.JOBS, Scope.DETAIL, Scope.TREE, Scope.OVERVIEW, Scope.GROUPS, Scope.COUNT}),
    writes=True,
)
SPAWN_WORKER = Action(
    "spawn_worker",
    ("plus",),
    "start",
    "start a worker",
    Group.QUEUE,
    SCREENS,
    bar=90,
    writes=True,
)
STOP_WORKER = Action(
    "stop_worker",
    ("minus",),
    "drain idle",
    "drain an idle worker",
    Group.QUEUE,
    SCREENS,
    writes=True,
)
SET_WORKERS = Action(
    "set_workers",
    ("equals_sign",),
    "set up",
    "set up workers",
    Group.QUEUE,
    SCREENS,
    bar=92,
    writes=True,
)

QUEUE_ACTIONS: tuple[Action, ...] = (
    CANCEL_ALL,
    RETRY_ALL,
    CLEAR_FINISHED,
    PAUSE_QUEUE,
    SPAWN_WORKER,
    STOP_WORKER,
    SET_WORKERS,
)
