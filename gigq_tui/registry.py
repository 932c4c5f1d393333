"""Every action of the console, once: from here come bindings, key bar, help and palette.

To add an action, add an `Action` to `ACTIONS` and write a method `do_<id>` (dots and dashes are
not used in ids) on the screen that it belongs to, or on the app when it works from anywhere.
`ConsoleScreen.perform(id)` is the one way in: it asks `Action.refusal()` first and shows the
sentence it gets as a notice instead of acting. Keys reach it through `bindings_for()`, the mouse
through the key bar, the palette and the help screen call it by id.

The same key may belong to different actions on different screens (`c` cancels a job here and
stops a worker there), never to two actions of one scope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from textual.binding import Binding, BindingType

from gigq_tui.store.models import JobRow, Snapshot, Tab


class Scope(Enum):
    """The screens that keys belong to; the value is what the help screen calls them."""

    JOBS = "Jobs"
    DETAIL = "Job detail"
    TREE = "Tree"
    WORKERS = "Workers"
    SUBMIT = "New job"
    HELP = "Help"


class Group(Enum):
    """The columns of the help screen."""

    MOVE = "Move"
    LOOK = "Look"
    ACT = "Act"
    WIDE = "Wide"
    CONSOLE = "Console"


@dataclass(frozen=True)
class Context:
    """What an action may look at to say whether it can be done now."""

    read_only: bool = False
    snapshot: Snapshot | None = None
    row: JobRow | None = None
    marked: int = 0


@dataclass(frozen=True)
class Action:
    """One thing the console can do.

    `keys` are Textual's names for them, `shown` is how people write them, `label` is for the key
    bar and `help` for the help screen and palette. `bar` orders the key bar, lowest first; 0 keeps
    the action out of it. `writes` is disabled by `--read-only`. `when` returns a sentence that
    says why the action can't be done now, or an empty string. `pair` is what the help says of this
    action and the next one together, on one line.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    label: str
    help: str
    group: Group
    scopes: frozenset[Scope]
    bar: int = 0
    writes: bool = False
    when: Callable[[Context], str] | None = None
    pair: str = ""

    def refusal(self, context: Context) -> str:
        """Return the sentence that says why this can't be done now, or an empty string."""
        if self.writes and context.read_only:
            return f"This console is read-only, so it can't {self.help[0].lower()}{self.help[1:]}."
        return self.when(context) if self.when is not None else ""


LISTS = frozenset({Scope.JOBS, Scope.TREE, Scope.WORKERS})
SCREENS = LISTS | {Scope.DETAIL}
MOVING = SCREENS | {Scope.HELP}
EVERYWHERE = frozenset(Scope)
JOBS = frozenset({Scope.JOBS})
DETAIL = frozenset({Scope.DETAIL})
TREE = frozenset({Scope.TREE})
WORKERS = frozenset({Scope.WORKERS})
SUBMIT = frozenset({Scope.SUBMIT})
ON_A_JOB = frozenset({Scope.JOBS, Scope.DETAIL, Scope.TREE})

# Keys that later actions will have; nothing else may take them.
RESERVED_KEYS = {
    "u": "undo the last act",
    "X": "clear finished jobs",
    "s": "sort",
    "f": "follow the row",
    "o": "overview",
    "b": "group by error",
    "S": "stack of the running function",
    "less_than_sign": "lower the priority",
    "greater_than_sign": "raise the priority",
}


def _needs_row(context: Context) -> str:
    return "" if context.row is not None or context.marked else "There is no job under the cursor."


def _needs_jobs(context: Context) -> str:
    snapshot = context.snapshot
    return "" if snapshot is not None and snapshot.window.total else "No job matches."


_TAB_ACTIONS = tuple(
    Action(
        f"tab_{number}",
        (str(number),),
        str(number),
        tab.name.title(),
        f"show {'all jobs' if tab is Tab.ALL else 'jobs that are ' + tab.value}",
        Group.LOOK,
        JOBS,
    )
    for number, tab in enumerate(Tab, start=1)
)

ACTIONS: tuple[Action, ...] = (
    # Move
    Action(
        "down",
        ("j", "down"),
        "j down",
        "down",
        "one row down",
        Group.MOVE,
        MOVING,
        pair="row down, up",
    ),
    Action("up", ("k", "up"), "k up", "up", "one row up", Group.MOVE, MOVING),
    Action(
        "first",
        ("g", "home"),
        "g home",
        "first",
        "first row",
        Group.MOVE,
        MOVING,
        pair="first, last",
    ),
    Action("last", ("G", "end"), "G end", "last", "last row", Group.MOVE, MOVING),
    Action(
        "page_down",
        ("pagedown",),
        "pgdn",
        "page",
        "one page down",
        Group.MOVE,
        MOVING,
        pair="page down, up",
    ),
    Action("page_up", ("pageup",), "pgup", "page", "one page up", Group.MOVE, MOVING),
    Action(
        "half_down",
        ("ctrl+d",),
        "ctrl+d",
        "half",
        "half a page down",
        Group.MOVE,
        MOVING,
        pair="half a page",
    ),
    Action("half_up", ("ctrl+u",), "ctrl+u", "half", "half a page up", Group.MOVE, MOVING),
    Action(
        "next_tab",
        ("right_square_bracket",),
        "]",
        "next tab",
        "next tab",
        Group.MOVE,
        JOBS,
        pair="next, prev tab",
    ),
    Action(
        "previous_tab",
        ("left_square_bracket",),
        "[",
        "prev tab",
        "previous tab",
        Group.MOVE,
        JOBS,
    ),
    Action(
        "detail_next_tab",
        ("right", "right_square_bracket"),
        "right ]",
        "tab",
        "next tab",
        Group.MOVE,
        DETAIL,
        pair="next, prev tab",
    ),
    Action(
        "detail_previous_tab",
        ("left", "left_square_bracket"),
        "left [",
        "tab",
        "previous tab",
        Group.MOVE,
        DETAIL,
    ),
    Action(
        "next_job",
        ("J",),
        "J",
        "next job",
        "next job of the list",
        Group.MOVE,
        DETAIL,
        bar=60,
        pair="next, prev job",
    ),
    Action("previous_job", ("K",), "K", "prev job", "previous job of the list", Group.MOVE, DETAIL),
    # Look
    Action("open", ("enter",), "enter", "open", "open the job", Group.LOOK, LISTS, bar=10),
    Action(
        "detail_open",
        ("enter",),
        "enter",
        "choose",
        "open what is chosen",
        Group.LOOK,
        DETAIL,
    ),
    *_TAB_ACTIONS,
    Action("filter", ("slash",), "/", "filter", "filter the list", Group.LOOK, JOBS, bar=80),
    Action("log", ("l",), "l", "log", "output of the job", Group.LOOK, ON_A_JOB, bar=65),
    Action("tree", ("t",), "t", "tree", "dependency tree", Group.LOOK, JOBS | DETAIL, bar=60),
    Action("workers", ("w",), "w", "workers", "workers", Group.LOOK, SCREENS - WORKERS, bar=70),
    Action(
        "pause_view",
        ("p",),
        "p",
        "pause view",
        "hold the picture",
        Group.LOOK,
        SCREENS,
    ),
    Action(
        "copy",
        ("y",),
        "y",
        "copy",
        "copy id, error, ..",
        Group.LOOK,
        ON_A_JOB,
        bar=75,
        when=_needs_row,
    ),
    # Act
    Action("mark", ("space",), "space", "mark", "mark the row", Group.ACT, JOBS, bar=20),
    Action("mark_range", ("v",), "v", "range", "mark a range", Group.ACT, JOBS),
    Action(
        "mark_all",
        ("asterisk",),
        "*",
        "mark all",
        "mark all that match",
        Group.ACT,
        JOBS,
        when=_needs_jobs,
    ),
    Action(
        "cancel",
        ("c",),
        "c",
        "cancel",
        "cancel, or stop",
        Group.ACT,
        ON_A_JOB,
        bar=30,
        writes=True,
        when=_needs_row,
    ),
    Action(
        "retry",
        ("r",),
        "r",
        "retry",
        "retry",
        Group.ACT,
        ON_A_JOB,
        bar=40,
        writes=True,
        when=_needs_row,
    ),
    Action("new", ("n",), "n", "new", "new job", Group.ACT, JOBS, bar=50, writes=True),
    Action(
        "edit",
        ("e",),
        "e",
        "edit",
        "edit and resubmit",
        Group.ACT,
        ON_A_JOB,
        bar=55,
        writes=True,
        when=_needs_row,
    ),
    # Wide
    Action(
        "cancel_all",
        ("C",),
        "C",
        "cancel all",
        "cancel all that match",
        Group.WIDE,
        JOBS,
        writes=True,
        when=_needs_jobs,
    ),
    Action(
        "retry_all",
        ("R",),
        "R",
        "retry all",
        "retry all that match",
        Group.WIDE,
        JOBS,
        writes=True,
        when=_needs_jobs,
    ),
    Action(
        "pause_queue",
        ("P",),
        "P",
        "pause queue",
        "pause the queue",
        Group.WIDE,
        frozenset({Scope.JOBS, Scope.DETAIL, Scope.TREE}),
        writes=True,
    ),
    Action(
        "spawn_worker",
        ("plus",),
        "+",
        "spawn",
        "start a worker",
        Group.WIDE,
        SCREENS,
        bar=90,
        writes=True,
    ),
    Action(
        "stop_worker",
        ("minus",),
        "-",
        "stop idle",
        "stop an idle one",
        Group.WIDE,
        SCREENS,
        writes=True,
    ),
    # Tree
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
        when=_needs_row,
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
        when=_needs_row,
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
        when=_needs_row,
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
        when=_needs_row,
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
    # Workers
    Action(
        "worker_drain",
        ("c",),
        "c",
        "stop",
        "stop the worker after its job",
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
        "end the worker now; its jobs go back to the queue",
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
        "pause the worker, or let it go on",
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
        "release the jobs of a lost worker",
        Group.ACT,
        WORKERS,
        bar=50,
        writes=True,
    ),
    Action(
        "worker_log", ("l",), "l", "log", "the worker's log, larger", Group.LOOK, WORKERS, bar=95
    ),
    Action("worker_copy", ("y",), "y", "copy pid", "copy the worker's pid", Group.LOOK, WORKERS),
    # New job
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
    # Console
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

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def actions_for(scope: Scope) -> tuple[Action, ...]:
    """Return the actions of one screen, in the order of the registry."""
    return tuple(action for action in ACTIONS if scope in action.scopes)


def bar_actions(scope: Scope) -> tuple[Action, ...]:
    """Return the actions that the key bar of a screen names, the weightiest first."""
    named = [action for action in actions_for(scope) if action.bar]
    return tuple(sorted(named, key=lambda action: action.bar))


def bindings_for(scope: Scope) -> list[BindingType]:
    """Return Textual bindings for a screen, each with its id so that users can rebind it."""
    return [
        Binding(
            ",".join(action.keys),
            f"perform('{action.id}')",
            action.label,
            show=False,
            id=action.id,
            priority=action.id == "quit",
        )
        for action in actions_for(scope)
    ]
