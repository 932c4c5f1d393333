"""The actions on a text that is read: a job's values and output, a log, a stack."""

from __future__ import annotations

from gigq_tui.keys.action import DETAIL, ON_A_JOB, WORKERS, Action, Group, needs_row

_TEXTS = DETAIL | WORKERS
DETAIL_TABS = ("Attempts", "Output", "Params", "Result", "Deps", "Stack", "Raw")

READING_ACTIONS: tuple[Action, ...] = (
    *(
        Action(
            f"detail_tab_{number}",
            (str(number),),
            str(number),
            name,
            f"show {name.lower()}",
            Group.LOOK,
            DETAIL,
        )
        for number, name in enumerate(DETAIL_TABS, start=1)
    ),
    Action("find", ("slash",), "/", "find", "find in the text", Group.LOOK, DETAIL, bar=62),
    Action(
        "find_next",
        ("n",),
        "n",
        "next",
        "next match",
        Group.LOOK,
        _TEXTS,
        pair="next, previous match",
    ),
    Action("find_previous", ("N",), "N", "previous", "previous match", Group.LOOK, _TEXTS),
    Action("follow_end", ("f",), "f", "follow", "follow the end", Group.LOOK, _TEXTS, bar=66),
    Action("wrap", ("W",), "W", "wrap", "wrap long lines", Group.LOOK, _TEXTS),
    Action(
        "sideways_left",
        ("left_parenthesis",),
        "(",
        "left",
        "unwrapped lines: to the left",
        Group.LOOK,
        _TEXTS,
        pair="unwrapped: left, right",
    ),
    Action(
        "sideways_right",
        ("right_parenthesis",),
        ")",
        "right",
        "unwrapped lines: to the right",
        Group.LOOK,
        _TEXTS,
    ),
    Action("reveal", ("m",), "m", "unmask", "show masked values", Group.LOOK, DETAIL),
    Action(
        "stack",
        ("S",),
        "S",
        "stack",
        "stack of the function, now",
        Group.LOOK,
        ON_A_JOB,
        bar=72,
        when=needs_row,
    ),
    Action(
        "worker_stack", ("S",), "S", "stack", "stack of its job, now", Group.LOOK, WORKERS, bar=97
    ),
)
