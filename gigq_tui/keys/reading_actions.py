"""The actions on a text that is read: a job's values and output, a log, a stack."""

from __future__ import annotations

from gigq_tui.keys.action import IN_JOB, IN_WORKERS, ON_A_JOB, Action, Group, needs_row

_TEXTS = IN_JOB | IN_WORKERS
DETAIL_TABS = ("Attempts", "Output", "Params", "Result", "Deps", "Stack", "Raw")

DETAIL_TAB_ACTIONS = tuple(
    Action(
        f"detail_tab_{number}",
        (str(number),),
        name,
        f"show {name.lower()}",
        Group.LOOK,
        IN_JOB,
    )
    for number, name in enumerate(DETAIL_TABS, start=1)
)
FIND = Action("find", ("slash",), "find", "find in the text", Group.LOOK, IN_JOB, bar=62)
FIND_NEXT = Action(
    "find_next",
    ("n",),
    "next",
    "next match",
    Group.LOOK,
    _TEXTS,
    pair="next, previous match",
)
FIND_PREVIOUS = Action("find_previous", ("N",), "previous", "previous match", Group.LOOK, _TEXTS)
FOLLOW_END = Action("follow_end", ("f",), "follow", "follow the end", Group.LOOK, _TEXTS, bar=66)
WRAP = Action("wrap", ("W",), "wrap", "wrap long lines", Group.LOOK, _TEXTS)
SIDEWAYS_LEFT = Action(
    "sideways_left",
    ("left_parenthesis",),
    "left",
    "unwrapped lines: to the left",
    Group.LOOK,
    _TEXTS,
    pair="unwrapped: left, right",
)
SIDEWAYS_RIGHT = Action(
    "sideways_right",
    ("right_parenthesis",),
    "right",
    "unwrapped lines: to the right",
    Group.LOOK,
    _TEXTS,
)
REVEAL = Action("reveal", ("m",), "unmask", "show masked values", Group.LOOK, IN_JOB)
STACK = Action(
    "stack",
    ("S",),
    "stack",
    "current stack of the job",
    Group.LOOK,
    ON_A_JOB,
    bar=72,
    when=needs_row,
)
WORKER_STACK = Action(
    "worker_stack", ("S",), "stack", "current stack of its job", Group.LOOK, IN_WORKERS, bar=97
)

READING_ACTIONS: tuple[Action, ...] = (
    *DETAIL_TAB_ACTIONS,
    FIND,
    FIND_NEXT,
    FIND_PREVIOUS,
    FOLLOW_END,
    WRAP,
    SIDEWAYS_LEFT,
    SIDEWAYS_RIGHT,
    REVEAL,
    STACK,
    WORKER_STACK,
)
