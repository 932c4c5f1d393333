"""The actions of single screens, and those of the console itself."""

from __future__ import annotations

from gigq_tui.keys.action import (
    EVERYWHERE,
    JOBS,
    OVERVIEW,
    SCREENS,
    SUBMIT,
    TREE,
    WORKERS,
    Action,
    Group,
    Scope,
    needs_row,
)

TREE_ACTIONS: tuple[Action, ...] = (
    Action(
        "retry_up",
        ("R",),
        "R",
        "+upstream",
        "retry here and every failed ancestor",
        Group.WIDE,
        TREE,
        bar=42,
        writes=True,
        when=needs_row,
    ),
    Action(
        "cancel_below",
        ("C",),
        "C",
        "subtree",
        "cancel here and whatever waits for it",
        Group.WIDE,
        TREE,
        bar=43,
        writes=True,
        when=needs_row,
    ),
    Action(
        "upstream",
        ("left_square_bracket",),
        "[",
        "up",
        "only what this job waits for, or all again",
        Group.LOOK,
        TREE,
        bar=44,
        when=needs_row,
    ),
    Action(
        "downstream",
        ("right_square_bracket",),
        "]",
        "down",
        "only what waits for this job, or all again",
        Group.LOOK,
        TREE,
        bar=45,
        when=needs_row,
    ),
    Action(
        "fold",
        ("z",),
        "z",
        "fold",
        "fold jobs that look alike, or unfold",
        Group.LOOK,
        TREE,
        bar=46,
    ),
)

WORKER_ACTIONS: tuple[Action, ...] = (
    Action(
        "worker_drain",
        ("c",),
        "c",
        "stop",
        "stop worker after its job",
        Group.ACT,
        WORKERS,
        bar=20,
        writes=True,
    ),
    Action(
        "worker_kill",
        ("C",),
        "C",
        "kill",
        "end worker now; jobs go back",
        Group.WIDE,
        WORKERS,
        bar=30,
        writes=True,
    ),
    Action(
        "worker_pause",
        ("P",),
        "P",
        "pause",
        "pause worker, or resume it",
        Group.ACT,
        WORKERS,
        bar=40,
        writes=True,
    ),
    Action(
        "worker_release",
        ("r",),
        "r",
        "release",
        "release a lost worker's jobs",
        Group.ACT,
        WORKERS,
        bar=50,
        writes=True,
    ),
    Action("worker_log", ("l",), "l", "log", "worker's log, larger", Group.LOOK, WORKERS, bar=95),
    Action(
        "worker_filter", ("slash",), "/", "filter", "filter, or find", Group.LOOK, WORKERS, bar=80
    ),
    Action(
        "worker_sort", ("s",), "s", "sort", "sort by the next column", Group.LOOK, WORKERS, bar=85
    ),
    Action("worker_copy", ("y",), "y", "copy pid", "copy worker's pid", Group.LOOK, WORKERS),
)

# In the order of `Past`.
_BACK = ("1 min", "5 min", "15 min", "60 min", "6 h", "24 h")

OVERVIEW_ACTIONS: tuple[Action, ...] = (
    *(
        Action(
            f"past_{number}",
            (str(number),),
            str(number),
            name,
            f"the last {name}",
            Group.LOOK,
            OVERVIEW,
        )
        for number, name in enumerate(_BACK, start=1)
    ),
    Action(
        "attention",
        ("a",),
        "a",
        "attention",
        "to what needs attention, or back to the functions",
        Group.LOOK,
        OVERVIEW,
        bar=20,
    ),
)

SUBMIT_ACTIONS: tuple[Action, ...] = (
    Action(
        "submit",
        ("alt+s",),
        "alt+s",
        "submit",
        "submit the job",
        Group.ACT,
        SUBMIT,
        bar=10,
        writes=True,
    ),
    Action(
        "edit_params",
        ("ctrl+o",),
        "ctrl+o",
        "params in $EDITOR",
        "edit the parameters in $EDITOR",
        Group.ACT,
        SUBMIT,
        bar=20,
    ),
    Action(
        "reveal_field",
        ("alt+v",),
        "alt+v",
        "show secret",
        "show or hide the secret in this field",
        Group.LOOK,
        SUBMIT,
        bar=30,
    ),
)

CONSOLE: tuple[Action, ...] = (
    Action(
        "palette",
        ("colon", "ctrl+p"),
        ": ctrl+p",
        "commands",
        "commands",
        Group.CONSOLE,
        SCREENS | {Scope.HELP},
    ),
    Action(
        "help",
        ("question_mark",),
        "?",
        "help",
        "keys of this screen",
        Group.CONSOLE,
        SCREENS,
        bar=999,
    ),
    Action(
        "close_help",
        ("question_mark",),
        "?",
        "close",
        "close the help",
        Group.CONSOLE,
        frozenset({Scope.HELP}),
        bar=999,
    ),
    Action("clear", ("escape",), "esc", "clear", "clear, unmark", Group.CONSOLE, JOBS),
    Action("back", ("escape",), "esc", "back", "back", Group.CONSOLE, EVERYWHERE - JOBS, bar=5),
    Action("leave", ("q",), "q", "quit", "back, or quit", Group.CONSOLE, SCREENS | {Scope.HELP}),
    Action(
        "refresh", ("ctrl+r",), "ctrl+r", "refresh", "read the file again", Group.CONSOLE, SCREENS
    ),
    Action(
        "repaint", ("ctrl+l",), "ctrl+l", "repaint", "paint it all again", Group.CONSOLE, EVERYWHERE
    ),
    Action("quit", ("ctrl+c",), "ctrl+c twice", "quit", "quit", Group.CONSOLE, EVERYWHERE),
    Action("suspend", ("ctrl+z",), "ctrl+z", "suspend", "to the shell", Group.CONSOLE, EVERYWHERE),
)
