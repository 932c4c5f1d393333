"""What an action is: its scope, its group, and what it may look at to say no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from gigq_tui.keys.key_names import key_label
from gigq_tui.store.models import JobRow, Snapshot


class Scope(Enum):
    """The screens that keys belong to; the value is what the help screen calls them."""

    JOBS = "Jobs"
    DETAIL = "Job detail"
    TREE = "Tree"
    WORKERS = "Workers"
    OVERVIEW = "Overview"
    GROUPS = "Groups"
    COUNT = "Count"
    LANES = "Lanes"
    SCHEDULES = "Schedules"
    SUBMIT = "New job"
    HELP = "Help"


class Group(Enum):
    """The columns of the help screen."""

    MOVE = "Move"
    LOOK = "View"
    ACT = "Actions"
    WIDE = "All matching"
    QUEUE = "Queue"
    CONSOLE = "Console"


@dataclass(frozen=True)
class Context:
    """What an action may look at to say whether it can be done now.

    `labels` is what actions are called here, by their ids, where that is not as usual.
    """

    read_only: bool = False
    snapshot: Snapshot | None = None
    row: JobRow | None = None
    marked: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    """One thing the console can do.

    `keys` are Textual's names for them, of which each must be pressed `twice` where it says so.
    `label` is for the key bar and `help` for the help screen and palette. `bar` orders the key bar,
    lowest first; 0 keeps the action out of it. `writes` is disabled by `--read-only`. `when`
    returns a sentence that says why the action can't be done now, or an empty string. `pair` is
    what the help says of this action and the next one together, on one line.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: Group
    scopes: frozenset[Scope]
    bar: int = 0
    writes: bool = False
    when: Callable[[Context], str] | None = None
    pair: str = ""
    twice: bool = False

    @property
    def shown(self) -> str:
        """Its keys as people write them."""
        keys = " ".join(map(key_label, self.keys))
        return f"{keys} twice" if self.twice and keys else keys

    def refusal(self, context: Context) -> str:
        """Return the sentence that says why this can't be done now, or an empty string."""
        if self.writes and context.read_only:
            return f"This console is read-only, so it can't {self.help.partition(';')[0]}."
        return self.when(context) if self.when is not None else ""


LISTS = frozenset({Scope.JOBS, Scope.TREE, Scope.WORKERS, Scope.OVERVIEW})
SCREENS = LISTS | {Scope.DETAIL, Scope.GROUPS, Scope.COUNT, Scope.LANES, Scope.SCHEDULES}
MOVING = SCREENS | {Scope.HELP}
EVERYWHERE = frozenset(Scope)
IN_JOBS = frozenset({Scope.JOBS})
IN_JOB = frozenset({Scope.DETAIL})
IN_TREE = frozenset({Scope.TREE})
IN_WORKERS = frozenset({Scope.WORKERS})
IN_OVERVIEW = frozenset({Scope.OVERVIEW})
IN_GROUPS = frozenset({Scope.GROUPS})
IN_COUNT = frozenset({Scope.COUNT})
IN_LANES = frozenset({Scope.LANES})
IN_SCHEDULES = frozenset({Scope.SCHEDULES})
IN_SUBMIT = frozenset({Scope.SUBMIT})
FOUND_IN = frozenset({Scope.TREE, Scope.OVERVIEW, Scope.GROUPS, Scope.HELP})
ON_A_JOB = frozenset({Scope.JOBS, Scope.DETAIL, Scope.TREE})


def needs_row(context: Context) -> str:
    """Refuse where there is no job to act on."""
    return "" if context.row is not None or context.marked else "There is no job under the cursor."


def needs_jobs(context: Context) -> str:
    """Refuse where nothing matches."""
    snapshot = context.snapshot
    return "" if snapshot is not None and snapshot.window.total else "No job matches."
