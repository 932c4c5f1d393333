"""The actions of single screens, and those of the console itself."""

from __future__ import annotations

from gigq_tui.keys.action import (
    EVERYWHERE,
    IN_COUNT,
    IN_GROUPS,
    IN_JOBS,
    IN_OVERVIEW,
    IN_SUBMIT,
    IN_TREE,
    IN_WORKERS,
    SCREENS,
    Action,
    Group,
    Scope,
    needs_row,
)

RETRY_UP = Action(
    "retry_up",
    ("R",),
    "retry upstream",
    "retry this and all failed upstream",
    Group.ACT,
    IN_TREE,
    bar=42,
    writes=True,
    when=needs_row,
)
CANCEL_BELOW = Action(
    "cancel_below",
    ("C",),
    "cancel below",
    "cancel this and all downstream",
    Group.ACT,
    IN_TREE,
    bar=43,
    writes=True,
    when=needs_row,
)
UPSTREAM = Action(
    "upstream",
    ("left_square_bracket",),
    "up",
    "show only upstream, or all",
    Group.LOOK,
    IN_TREE,
    bar=44,
    when=needs_row,
)
DOWNSTREAM = Action(
    "downstream",
    ("right_square_bracket",),
    "down",
    "show only downstream, or all",
    Group.LOOK,
    IN_TREE,
    bar=45,
    when=needs_row,
)
NEXT_SHAPE = Action(
    "next_shape",
    ("T",),
    "shape",
    "tree, timeline, levels or runs",
    Group.LOOK,
    IN_TREE,
    bar=40,
)
CULPRIT = Action(
    "culprit",
    ("full_stop",),
    "culprit",
    "to the failed job that blocks most; again: the next",
    Group.LOOK,
    IN_TREE,
    bar=41,
)
FOLD = Action(
    "fold",
    ("z",),
    "fold all",
    "fold similar jobs, or unfold",
    Group.LOOK,
    IN_TREE,
    bar=46,
)
FOLD_HERE = Action(
    "fold_here",
    ("space",),
    "fold",
    "fold or unfold this row",
    Group.LOOK,
    IN_TREE,
    bar=47,
)
HIDE_DONE = Action(
    "hide_done",
    ("Z",),
    "hide done",
    "hide completed jobs, or show them",
    Group.LOOK,
    IN_TREE,
    bar=48,
)
OLDER_RUN = Action(
    "older_run",
    ("left",),
    "older run",
    "the run before (in Runs)",
    Group.MOVE,
    IN_TREE,
    pair="older, newer run",
)
NEWER_RUN = Action(
    "newer_run",
    ("right",),
    "newer run",
    "the run after (in Runs)",
    Group.MOVE,
    IN_TREE,
)

TREE_ACTIONS: tuple[Action, ...] = (
    RETRY_UP,
    CANCEL_BELOW,
    NEXT_SHAPE,
    CULPRIT,
    UPSTREAM,
    DOWNSTREAM,
    FOLD,
    FOLD_HERE,
    HIDE_DONE,
    OLDER_RUN,
    NEWER_RUN,
)

WORKER_OPEN = Action(
    "worker_open", ("enter",), "open", "open the worker's job", Group.LOOK, IN_WORKERS, bar=10
)
WORKER_DRAIN = Action(
    "worker_drain",
    ("c",),
    "drain",
    "drain: finish its jobs, then end",
    Group.ACT,
    IN_WORKERS,
    bar=20,
    writes=True,
)
WORKER_KILL = Action(
    "worker_kill",
    ("C",),
    "kill",
    "kill; its jobs go back to the queue",
    Group.ACT,
    IN_WORKERS,
    bar=30,
    writes=True,
)
WORKER_PAUSE = Action(
    "worker_pause",
    ("P",),
    "pause",
    "pause or resume the worker",
    Group.ACT,
    IN_WORKERS,
    bar=40,
    writes=True,
)
WORKER_RELEASE = Action(
    "worker_release",
    ("r",),
    "release",
    "release a lost worker's jobs",
    Group.ACT,
    IN_WORKERS,
    bar=50,
    writes=True,
)
WORKER_LOG = Action(
    "worker_log", ("l",), "log", "expand the worker's log", Group.LOOK, IN_WORKERS, bar=95
)
WORKER_FILTER = Action(
    "worker_filter", ("slash",), "filter", "filter, or find", Group.LOOK, IN_WORKERS, bar=80
)
WORKER_SORT = Action("worker_sort", ("s",), "sort", "sort the list", Group.LOOK, IN_WORKERS, bar=85)
WORKER_COPY = Action("worker_copy", ("y",), "copy", "copy pid, log, ..", Group.LOOK, IN_WORKERS)

WORKER_ACTIONS: tuple[Action, ...] = (
    WORKER_OPEN,
    WORKER_DRAIN,
    WORKER_KILL,
    WORKER_PAUSE,
    WORKER_RELEASE,
    WORKER_LOG,
    WORKER_FILTER,
    WORKER_SORT,
    WORKER_COPY,
)

# In the order of the lengths in `lens.CHOICES_S`.
_BACK = ("1 min", "5 min", "15 min", "60 min", "6 h", "24 h")

PAST_ACTIONS = tuple(
    Action(
        f"past_{number}",
        (str(number),),
        name,
        f"the last {name}",
        Group.LOOK,
        IN_OVERVIEW,
    )
    for number, name in enumerate(_BACK, start=1)
)
ATTENTION = Action(
    "attention",
    ("a",),
    "attention",
    "switch to what needs attention, or back",
    Group.LOOK,
    IN_OVERVIEW,
    bar=20,
)

EARLIER = Action(
    "earlier",
    ("left",),
    "earlier",
    "one bar earlier",
    Group.MOVE,
    IN_OVERVIEW,
    pair="bar earlier, later",
)
LATER = Action("later", ("right",), "later", "one bar later", Group.MOVE, IN_OVERVIEW)
ZOOM_IN = Action(
    "zoom_in",
    ("z",),
    "zoom in",
    "zoom in on the cursor or the selection",
    Group.LOOK,
    IN_OVERVIEW,
    bar=30,
    pair="zoom in, out",
)
ZOOM_OUT = Action("zoom_out", ("Z",), "zoom out", "zoom out", Group.LOOK, IN_OVERVIEW, bar=31)
OTHER_END = Action(
    "other_end",
    ("v",),
    "select",
    "select from here, or stop selecting",
    Group.LOOK,
    IN_OVERVIEW,
    bar=33,
)
FAILURES_BEFORE = Action(
    "failures_before",
    ("left_square_bracket",),
    "failures",
    "the failures before",
    Group.LOOK,
    IN_OVERVIEW,
    bar=32,
    pair="zoom in on failures before, after",
)
FAILURES_AFTER = Action(
    "failures_after",
    ("right_square_bracket",),
    "failures after",
    "the failures after",
    Group.LOOK,
    IN_OVERVIEW,
)
COMPARE = Action(
    "compare",
    ("d",),
    "compare",
    "compare with the day before, the week before, or none",
    Group.LOOK,
    IN_OVERVIEW,
    bar=35,
)
NOW = Action("now", ("h",), "now", "back to now", Group.LOOK, IN_OVERVIEW, bar=34)
OPEN_THEN = Action(
    "open_then",
    ("enter",),
    "jobs then",
    "list the jobs that ran then",
    Group.LOOK,
    IN_OVERVIEW,
    bar=10,
)

OVERVIEW_ACTIONS: tuple[Action, ...] = (
    OPEN_THEN,
    EARLIER,
    LATER,
    *PAST_ACTIONS,
    ZOOM_IN,
    ZOOM_OUT,
    OTHER_END,
    FAILURES_BEFORE,
    FAILURES_AFTER,
    COMPARE,
    NOW,
    ATTENTION,
)

GROUP_JOBS = Action(
    "group_jobs", ("enter",), "jobs", "list the group's jobs", Group.LOOK, IN_GROUPS, bar=10
)
GROUP_MARK = Action(
    "group_mark", ("space",), "mark", "mark the group", Group.ACT, IN_GROUPS, bar=60
)
GROUP_CANARY = Action(
    "group_canary",
    ("r",),
    "canary of 10",
    "retry a canary of 10 first",
    Group.ACT,
    IN_GROUPS,
    bar=20,
    writes=True,
)
GROUP_RETRY = Action(
    "group_retry",
    ("R",),
    "retry all",
    "retry the whole group, or the rest of it",
    Group.ACT,
    IN_GROUPS,
    bar=30,
    writes=True,
)
GROUP_CANCEL = Action(
    "group_cancel",
    ("C",),
    "cancel",
    "cancel its jobs that wait or run",
    Group.ACT,
    IN_GROUPS,
    bar=40,
    writes=True,
)
GROUP_BY = Action(
    "group_by", ("s",), "group by", "group by something else", Group.LOOK, IN_GROUPS, bar=50
)
GROUP_COPY = Action(
    "group_copy", ("y",), "copy", "copy filter, command, ..", Group.LOOK, IN_GROUPS, bar=75
)

GROUP_ACTIONS: tuple[Action, ...] = (
    GROUP_JOBS,
    GROUP_MARK,
    GROUP_CANARY,
    GROUP_RETRY,
    GROUP_CANCEL,
    GROUP_BY,
    GROUP_COPY,
)

COUNT_JOBS = Action(
    "count_jobs", ("enter",), "jobs", "list the value's jobs", Group.LOOK, IN_COUNT, bar=10
)
COUNT_MARK = Action("count_mark", ("space",), "mark", "mark the value", Group.ACT, IN_COUNT, bar=60)
COUNT_CANCEL = Action(
    "count_cancel",
    ("C",),
    "cancel",
    "cancel the value's jobs",
    Group.ACT,
    IN_COUNT,
    bar=40,
    writes=True,
)
COUNT_RETRY = Action(
    "count_retry",
    ("R",),
    "retry",
    "retry the value's jobs",
    Group.ACT,
    IN_COUNT,
    bar=30,
    writes=True,
)
COUNT_KEYS = Action(
    "count_keys",
    ("number_sign", "slash"),
    "keys",
    "count by something else",
    Group.LOOK,
    IN_COUNT,
    bar=50,
)
COUNT_SORT = Action(
    "count_sort", ("s",), "sort", "sort by the next figure", Group.LOOK, IN_COUNT, bar=55
)
COUNT_COPY = Action(
    "count_copy", ("y",), "copy", "copy CSV, filter, ..", Group.LOOK, IN_COUNT, bar=75
)

COUNT_ACTIONS: tuple[Action, ...] = (
    COUNT_JOBS,
    COUNT_MARK,
    COUNT_RETRY,
    COUNT_CANCEL,
    COUNT_KEYS,
    COUNT_SORT,
    COUNT_COPY,
)

SUBMIT = Action(
    "submit",
    ("alt+s",),
    "submit",
    "submit the job",
    Group.ACT,
    IN_SUBMIT,
    bar=10,
    writes=True,
)
EDIT_PARAMS = Action(
    "edit_params",
    ("ctrl+o",),
    "params in $EDITOR",
    "edit the parameters in $EDITOR",
    Group.ACT,
    IN_SUBMIT,
    bar=20,
)
REVEAL_FIELD = Action(
    "reveal_field",
    ("alt+v",),
    "show secret",
    "show or hide this secret",
    Group.LOOK,
    IN_SUBMIT,
    bar=30,
)

SUBMIT_ACTIONS: tuple[Action, ...] = (
    SUBMIT,
    EDIT_PARAMS,
    REVEAL_FIELD,
)

PALETTE = Action(
    "palette",
    ("colon", "ctrl+p"),
    "commands",
    "commands",
    Group.CONSOLE,
    SCREENS | {Scope.HELP},
)
HELP = Action(
    "help",
    ("question_mark",),
    "help",
    "keys of this screen",
    Group.CONSOLE,
    SCREENS,
    bar=999,
)
CLOSE_HELP = Action(
    "close_help",
    ("question_mark",),
    "close",
    "close the help",
    Group.CONSOLE,
    frozenset({Scope.HELP}),
    bar=999,
)
CLEAR = Action("clear", ("escape",), "clear", "clear, unmark", Group.CONSOLE, IN_JOBS)
BACK = Action("back", ("escape",), "back", "back", Group.CONSOLE, EVERYWHERE - IN_JOBS, bar=5)
LEAVE = Action("leave", ("q",), "quit", "back, or quit", Group.CONSOLE, SCREENS | {Scope.HELP})
REFRESH = Action("refresh", ("ctrl+r",), "refresh", "reload the file", Group.CONSOLE, SCREENS)
REPAINT = Action("repaint", ("ctrl+l",), "repaint", "redraw the screen", Group.CONSOLE, EVERYWHERE)
QUIT = Action("quit", ("ctrl+c",), "quit", "quit", Group.CONSOLE, EVERYWHERE, twice=True)
SUSPEND = Action("suspend", ("ctrl+z",), "suspend", "suspend", Group.CONSOLE, EVERYWHERE)

CONSOLE_ACTIONS: tuple[Action, ...] = (
    PALETTE,
    HELP,
    CLOSE_HELP,
    CLEAR,
    BACK,
    LEAVE,
    REFRESH,
    REPAINT,
    QUIT,
    SUSPEND,
)

SCREEN_ACTIONS: tuple[Action, ...] = (
    *TREE_ACTIONS,
    *WORKER_ACTIONS,
    *OVERVIEW_ACTIONS,
    *GROUP_ACTIONS,
    *COUNT_ACTIONS,
    *SUBMIT_ACTIONS,
    *CONSOLE_ACTIONS,
)
