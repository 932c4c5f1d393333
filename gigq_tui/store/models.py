"""The frozen values that the reading half hands to the drawing half, and nothing that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.graph.blame import Culprit
from gigq_core.graph.blocking import Waits
from gigq_core.grouping.counting import Value
from gigq_core.job import DEFAULT_TIMEOUT_S
from gigq_core.lanes.rules import InLane
from gigq_core.reasons.why import Halt as Halt
from gigq_core.reasons.why import Health as Health
from gigq_core.reasons.why import State as State
from gigq_core.status import JobStatus
from gigq_core.units.spread import Spread
from gigq_tui.store.obstacles import Obstacles
from gigq_tui.store.sorting import NEWEST, Sort

# The statuses of what has not ended.
OPEN_STATUSES = frozenset({JobStatus.PENDING.value, JobStatus.RUNNING.value})


class Tab(Enum):
    """The state tabs of the jobs screen, in the order of their keys 1 to 7."""

    ALL = "all"
    WAITING = JobStatus.PENDING.value
    RUNNING = JobStatus.RUNNING.value
    FAILED = JobStatus.FAILED.value
    TIMEOUT = JobStatus.TIMEOUT.value
    DONE = JobStatus.COMPLETED.value
    CANCELLED = JobStatus.CANCELLED.value


@dataclass(frozen=True)
class FileInfo:
    """What kind of queue file this is. Sizes in bytes.

    `still` says that this process may not write it, and reads it as it stands, since nobody has it
    open: its journal mode can't be told then. `obstacles` keep everybody from writing. `offsets`
    says that GigQ's workers and the others have different UTC offsets, or nothing.
    """

    path: str
    attached: bool
    journal_mode: str
    size: int
    wal_size: int
    sqlite_version: str
    still: bool = False
    obstacles: Obstacles = field(default_factory=Obstacles)
    offsets: str = ""


@dataclass(frozen=True)
class Counts:
    """How many jobs stand where. `doomed` is part of `blocked`, and None while not known.

    `culprits` is how many jobs have to be mended for these to run, and None with `doomed`.

    `told_apart` is False on a GigQ file with so many waiting jobs that all stand in `ready`.
    """

    ready: int = 0
    blocked: int = 0
    delayed: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    timeout: int = 0
    cancelled: int = 0
    other: int = 0
    doomed: int | None = None
    culprits: int | None = None
    told_apart: bool = True

    @property
    def pending(self) -> int:
        return self.ready + self.blocked + self.delayed

    @property
    def total(self) -> int:
        return (
            self.pending
            + self.running
            + self.completed
            + self.failed
            + self.timeout
            + self.cancelled
            + self.other
        )

    def of(self, tab: Tab) -> int:
        if tab is Tab.ALL:
            return self.total
        return int(getattr(self, tab.value))


@dataclass(frozen=True)
class WorkerRow:
    """One worker of ours, from its row, and what this machine says of its process.

    `is_before` says that it is of the previous release, which knows no rates of lanes, and
    `has_died` of one that has stopped that it did not do so by itself: it was found dead. `lanes`
    are reserved ones that it takes besides, `only_lanes` those whose jobs alone it takes.
    """

    id: str
    owner: str
    host: str
    pid: int
    isolation: str
    slots: int
    state: str
    request: str | None
    health: Health
    started_at: datetime | None
    stopped_at: datetime | None
    done: int
    failed: int
    last_claim_at: datetime | None
    log_path: str | None
    # Of a worker of this machine: whether its process stands still, as after ctrl+z.
    suspended: bool = False
    running: tuple[RunningJob, ...] = ()
    is_before: bool = False
    has_died: bool = False
    lanes: tuple[str, ...] = ()
    only_lanes: tuple[str, ...] = ()
    # What runs its jobs elsewhere.
    agents: tuple[AgentSeen, ...] = ()


@dataclass(frozen=True)
class RunningJob:
    """A job that a worker holds right now; `host` is where the agent of id `agent` runs it."""

    id: str
    name: str
    started_at: datetime | None
    timeout_s: float = DEFAULT_TIMEOUT_S
    host: str = ""
    agent: str = ""

    def is_over(self, now: datetime) -> bool:
        """Whether it has run for longer than its timeout at `now`."""
        began = self.started_at
        return began is not None and (now - began).total_seconds() > self.timeout_s


@dataclass(frozen=True)
class ForeignWorker:
    """A worker of GigQ's: it keeps no registry, so only the rows it holds are known."""

    id: str
    running: tuple[RunningJob, ...]


@dataclass(frozen=True)
class Progress:
    """How far a job is, as it reported last, at `at`; `done` and `total` in its own unit.

    `resumed` is the attempt, where it may have begun where one before it ended: then its pace is
    told by `first`, how much was done when it was first heard of, and when that was.
    """

    done: float
    total: float | None
    note: str
    at: datetime
    resumed: str = ""
    first: tuple[float, datetime] | None = None


@dataclass(frozen=True)
class JobRow:
    """One line of the table: facts only; what depends on the hour is derived when it is drawn.

    `halt` is why it would not be claimed even if it is ready; `line` its place among those that
    will be claimed next, from 1, or 0 where it isn't known. `progress` is what the present attempt
    of a running job reported last. `hidden` says that GigQ's workers can't see it, `has_policy`
    that it has a retry policy, and `decision` what that decided when it failed; `lane` is the one
    that it waits in, if any, `is_shown` whether that shows it to workers, and `in_lane` how it
    stands. `schedule` is the one that made it. `host` is where an agent runs it, or ran it where
    that is read, and `link` that agent, where it is known.
    """

    key: int
    id: str
    name: str
    function: str
    status: str
    priority: int
    attempts: int
    max_attempts: int
    timeout_s: float
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    due: datetime | None
    worker_id: str | None
    error: str
    stop_requested: bool = False
    blocked: bool = False
    doomed: bool = False
    unmet: int = 0
    culprit: Culprit | None = None
    holder: Health = Health.UNKNOWN
    holder_suspended: bool = False
    holder_pid: int | None = None
    in_script: bool = False
    halt: Halt | None = None
    line: int = 0
    progress: Progress | None = None
    hidden: bool = False
    has_policy: bool = False
    decision: str = ""
    batch: str = ""
    lane: str = ""
    is_shown: bool = False
    in_lane: InLane | None = None
    schedule: str = ""
    own: tuple[tuple[str, Value], ...] = ()
    host: str = ""
    link: AgentSeen | None = None


@dataclass(frozen=True)
class Window:
    """A page of the table around its anchor. `start` is the first row's place in the whole list,
    exact while the list was walked from an end and approximate after a jump. `beyond` is how many
    more jobs match than an order that no index holds is known for. `around` is the id of the job
    that the page was read around, whether it holds it or not."""

    rows: tuple[JobRow, ...] = ()
    start: int = 0
    total: int = 0
    beyond: int = 0
    around: str = ""

    @property
    def matching(self) -> int:
        """How many jobs match, in the list or beyond it."""
        return self.total + self.beyond


class Trend(Enum):
    """How the present rate compares with the minute before."""

    UP = "up"
    STEADY = ""
    DOWN = "down"


@dataclass(frozen=True)
class Ahead:
    """When the queue will be done, in seconds from when that was asked; None is not known.

    `more` is the same with twice the slots, which are `more_slots`, where each of them is taken.
    """

    asked_at: datetime
    end: Spread
    more: Spread | None = None
    more_slots: int = 0

    def left(self, now: datetime) -> Spread:
        """The same, in seconds from `now`."""
        return _later(self.end, (now - self.asked_at).total_seconds())

    def left_with_more(self, now: datetime) -> Spread | None:
        """The same of `more`."""
        passed_s = (now - self.asked_at).total_seconds()
        return None if self.more is None else _later(self.more, passed_s)


def _later(spread: Spread, by_s: float) -> Spread:
    return Spread(*(value - by_s for value in spread))


@dataclass(frozen=True)
class Figures:
    """How the work goes; None is what is not known. Times in seconds.

    `failed_share`, `p50_s` and `p95_s` are of the attempts that ended in the last five minutes of
    work, which ended at `worked_until`: at rest they stay as they are. `ahead` is when the queue
    will be empty if nothing comes.
    """

    trend: Trend | None = None
    failed_share: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    ahead: Ahead | None = None
    worked_until: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything the jobs screen draws, read in one short transaction.

    `follow` is the id of the job that is followed, and `followed` that job, wherever it stands
    now, or None when it is not in the file. `all_held` says that of the jobs that are ready none is
    shown to workers that name no lanes: their lanes hold them.
    """

    taken_at: datetime
    info: FileInfo
    counts: Counts
    tab: Tab
    filter_text: str
    window: Window
    workers: tuple[WorkerRow, ...] = ()
    foreign_workers: tuple[ForeignWorker, ...] = ()
    paused: bool = False
    all_held: bool = False
    finished_per_s: float | None = None
    sort: Sort = NEWEST
    follow: str | None = None
    followed: JobRow | None = None
    figures: Figures = Figures()


@dataclass(frozen=True)
class Attempt:
    """One execution of a job."""

    number: int
    execution_id: str
    worker_id: str
    status: str
    started_at: datetime | None
    completed_at: datetime | None
    error: str
    traceback: str
    output_path: str | None
    pid: int | None
    decision: str = ""
    # By which failures of the same kind are found; empty where it did not fail, or is not read yet.
    fingerprint: str = ""
    # Where an agent ran it: then `pid` is a process there; and what that agent is called.
    host: str = ""
    agent: str = ""


class Standing(Enum):
    """How a parent is waited for."""

    ASKED = ""
    # It is missing, and counts as completed, as it does for GigQ.
    WAIVED = "counts as completed"
    # It failed, and the job went on.
    PASSED_OVER = "the job went on without it"


@dataclass(frozen=True)
class Relative:
    """A parent or child of a job; `row` is None when there is no such job in the file."""

    id: str
    row: JobRow | None
    standing: Standing = Standing.ASKED


@dataclass(frozen=True)
class JobDetail:
    """One job, whole. `params`, `result` are decoded, or the raw text where that failed.

    `progress` is what it reported last, in whichever attempt, and `origin` says where it comes
    from, where nobody submitted it. `child_count` is how many direct children it has, and `blocks`
    how many waiting jobs can't run unless it completes.
    """

    row: JobRow
    description: str
    params: Any
    result: Any
    error: str
    retry_delay_s: float
    attempts: tuple[Attempt, ...]
    parents: tuple[Relative, ...]
    children: tuple[Relative, ...]
    child_count: int
    raw: dict[str, Any] = field(default_factory=dict, compare=True)
    progress: Progress | None = None
    origin: str = ""
    blocks: int = 0


@dataclass(frozen=True)
class GraphNode:
    """A job in the dependency tree. `row` is None for a missing parent.

    `parents` and `children` name only jobs of the same graph. `unmet` are the parents that still
    have to complete.
    """

    id: str
    row: JobRow | None
    parents: tuple[str, ...]
    children: tuple[str, ...]
    unmet: tuple[str, ...] = ()
    # What becomes of it when one of these fails, where that is not to wait.
    on_failure: Mapping[str, int] = field(default_factory=dict)


# Stands in a graph for parents that it does not hold: of what waits for one, nothing is known.
_OUTSIDE = ""


@dataclass(frozen=True)
class Graph:
    """The component around a job; `truncated` when it is larger than what was asked for.

    `workflow` is the name of the workflow that this job was submitted with, `workflow_id` which of
    that name's runs it was; both empty where there is none.
    """

    focus: str
    nodes: dict[str, GraphNode]
    roots: tuple[str, ...]
    truncated: bool
    workflow: str = ""
    workflow_id: str = ""

    @cached_property
    def waits(self) -> Waits:
        """The dependencies in it that are not met."""
        waits = Waits(
            {id: node.row.status if node.row else None for id, node in self.nodes.items()}
        )
        for id, node in self.nodes.items():
            for parent in node.unmet:
                waits.add(id, parent, node.on_failure.get(parent, 0))
            if node.row is not None and node.row.unmet > len(node.unmet):
                waits.add(id, _OUTSIDE)
        return waits
