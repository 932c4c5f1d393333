"""The workers as lines: who they are, whether they live, what they have done and do now."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gigq_core.fleet.agents_seen import BY_AGENTS, AgentSeen
from gigq_core.reasons.why import Health
from gigq_tui.actions.shell_command import command
from gigq_tui.actions.workers.pending_requests import request_word
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.format import (
    age,
    count,
    cut,
    duration,
    elapsed,
    inert,
    listed,
    plural,
    size,
    width_of,
)
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import SET_WORKERS, SPAWN_WORKER
from gigq_tui.keys.screen_actions import WORKER_PAUSE, WORKER_RELEASE
from gigq_tui.screens.workers.agent_lines import agent_line, describe_agent, describe_agents
from gigq_tui.store.machine import Machine
from gigq_tui.store.models import ForeignWorker, RunningJob, Snapshot, WorkerRow
from gigq_tui.store.processes import Usage
from gigq_tui.widgets.lines import Line, Span, columns, line_width
from gigq_tui.widgets.worker_words import condition, headcount, wrong_agents

WIDE = 100
NARROW = 72
# From so many cells on there is room for the long words of owner and state.
ROOMY = 128
# A foreign worker's pid and counts are nowhere written down.
UNSEEN = "-"


@dataclass(frozen=True)
class WorkerEntry:
    """One line of the list: a worker with its first job, another job of it, or an agent of it.

    The jobs of a worker with agents stand below those.
    """

    id: str
    worker: WorkerRow | None
    foreign: ForeignWorker | None
    job: RunningJob | None
    further: bool = False
    agent: AgentSeen | None = None

    @property
    def first_job(self) -> RunningJob | None:
        """The job of the line; of an agent, or of a worker with some, the first that runs there."""
        if self.job is not None or self.worker is None:
            return self.job
        at = self.agent
        return next((j for j in self.worker.running if at is None or j.agent == at.id), None)


def entries(snapshot: Snapshot) -> list[WorkerEntry]:
    """The lines of the list: lost workers that hold jobs first, stopped ones last."""
    found: list[WorkerEntry] = []
    for worker in sorted(snapshot.workers, key=_weight):
        if by_agents(worker):
            found += _with_agents(worker)
        else:
            found += _with_jobs(worker.id, worker.running, worker, None)
    for foreign in snapshot.foreign_workers:
        found += _with_jobs(f"gigq:{foreign.id}", foreign.running, None, foreign)
    return found


def _with_jobs(
    id: str,
    jobs: tuple[RunningJob, ...],
    worker: WorkerRow | None,
    foreign: ForeignWorker | None,
) -> list[WorkerEntry]:
    first = WorkerEntry(id, worker, foreign, jobs[0] if jobs else None)
    return [
        first,
        *(WorkerEntry(f"{id}/{job.id}", worker, foreign, job, True) for job in jobs[1:]),
    ]


def by_agents(worker: WorkerRow) -> bool:
    """Whether a worker's jobs run by agents, which are shown: not those of one that has ended."""
    return worker.isolation == BY_AGENTS and worker.health is not Health.STOPPED


def _with_agents(worker: WorkerRow) -> list[WorkerEntry]:
    """A worker, its agents, and below each the jobs that it runs."""
    found = [WorkerEntry(worker.id, worker, None, None)]

    def add_jobs(jobs: Iterable[RunningJob]) -> None:
        found.extend(WorkerEntry(f"{worker.id}/{job.id}", worker, None, job, True) for job in jobs)

    known = {agent.id for agent in worker.agents}
    # What is not known to run at one of them comes first.
    add_jobs(job for job in worker.running if job.agent not in known)
    for agent in worker.agents:
        found.append(WorkerEntry(f"agent:{agent.id}", worker, None, None, True, agent))
        add_jobs(job for job in worker.running if job.agent == agent.id)
    return found


def weight(entry: WorkerEntry) -> int:
    """Return where a worker comes by its state: what needs somebody comes first."""
    return 4 if entry.worker is None else _weight(entry.worker)


def _weight(worker: WorkerRow) -> int:
    if worker.health is Health.STOPPED:
        return 3
    if worker.health is Health.LOST:
        return 0 if worker.running else 2
    return 1


def describe_wait(worker: WorkerRow, snapshot: Snapshot, hints: KeyHints = DEFAULT_HINTS) -> str:
    """Say why a worker that lives has no job, or an empty string."""
    if worker.running or worker.suspended or worker.health is not Health.ALIVE:
        return ""
    if worker.state == "paused" or worker.request == "pause":
        return f"paused: {hints(WORKER_PAUSE)} resumes it"
    if worker.state != "running" or worker.request in ("drain", "stop"):
        return ""
    if snapshot.paused:
        return "the queue is paused"
    if by_agents(worker) and not any(agent.state == "ready" for agent in worker.agents):
        # What its agents do instead stands there.
        return ""
    if worker.only_lanes:
        return f"takes {describe_lanes(worker)}"
    counts = snapshot.counts
    if counts.ready:
        why = "held by their lanes" if snapshot.all_held else "not claimed yet"
        return f"{count(counts.ready)} ready, {why}"
    later = [
        f"{count(number)} {state}"
        for number, state in ((counts.blocked, "blocked"), (counts.delayed, "delayed"))
        if number
    ]
    return f"nothing ready, {', '.join(later)}" if later else "nothing waits"


def describe_lanes(worker: WorkerRow) -> str:
    """Say which lanes a worker takes, where that is not as usual: `only gpu`."""
    named = listed([inert(lane) for lane in worker.only_lanes or worker.lanes])
    return f"{'only' if worker.only_lanes else 'also'} {named}" if named else ""


def machine_line(machine: Machine | None, width: int) -> Line:
    """Return how busy the machine is, as much of it as there is room for."""
    if machine is None:
        return ()
    load = "" if machine.load is None else f"load {machine.load:.1f}"
    if width < WIDE:
        return ((f"{load}/{machine.cores} " if load else "", "dim"),)
    parts = [plural(machine.cores, "core"), load, f"{machine.memory_percent:.0f}% mem"]
    figures = ", ".join(part for part in parts if part)
    return ((f"{inert(machine.host)}: {figures} ", "dim"),)


def summary(
    snapshot: Snapshot,
    own: int,
    room: int,
    *,
    read_only: bool = False,
    lead: Line = (),
    hints: KeyHints = DEFAULT_HINTS,
) -> Line:
    """Return the line above the list: how many workers live, and how many are lost.

    Args:
        snapshot: Whose workers.
        own: How many of them this console started.
        room: Cells for it; what weighs least is left out, never cut.
        read_only: Whether this console can't start any.
        lead: What comes first: by what the list is sorted and filtered.
        hints: How its keys are called.
    """
    heads = headcount(snapshot.workers)
    foreign = len(snapshot.foreign_workers)
    parts: list[Span] = []
    if heads.lost:
        parts.append((f"{heads.lost} LOST", "fail"))
    if wrong := wrong_agents(snapshot.workers):
        parts.append((wrong, "fail"))
    parts.append((f"{plural(heads.alive, 'worker')} alive", "title"))
    if heads.doing:
        parts.append((f"({heads.doing})", "title"))
    if not heads.alive and not foreign and not heads.unseen and not read_only:
        parts.append((f"{hints(SPAWN_WORKER)} starts one", "warn"))
    if heads.unseen:
        parts.append((f"{heads.unseen} not visible", "warn"))
    if foreign:
        parts.append((plural(foreign, "GigQ worker"), "dim"))
    if own:
        parts.append((f"{own} from this console", "dim"))
    line: Line = lead
    for text, role in parts:
        gap = " " if not line or text.startswith("(") else "   "
        longer = (*line, (gap, ""), (text, role))
        if line_width(longer) > room:
            # A shorter one may still fit.
            continue
        line = longer
    return line


def describe_no_workers(
    path: Path, setup: WorkerSetup, *, read_only: bool, hints: KeyHints = DEFAULT_HINTS
) -> list[Line]:
    """Return what is shown in the place of the list where there is no worker.

    Args:
        path: The queue file.
        setup: How a worker would be started.
        read_only: Whether the console only reads.
        hints: How keys are called.
    """
    lines: list[Line] = [
        (),
        ((" No workers are registered on this file.", ""),),
        ((" A GigQ worker keeps no register: it is listed while it runs a job.", "dim"),),
    ]
    if read_only:
        lines.append(((" This console is read-only. To start one from a shell:", "dim"),))
        return [*lines, (), ((f"   {inert(command(path, 'worker'))}", "accent"),)]
    place: list[Line] = [((f"   via   {inert(via)}", "accent"),) for via in setup.via]
    if not place:
        place = [
            ((f"   with  {inert(setup.python)}", "accent"),),
            ((f"   in    {inert(str(setup.chdir))}", "accent"),),
        ]
    return [
        *lines,
        (),
        ((" Press ", ""), (hints(SPAWN_WORKER), "key"), (" to start one. Its jobs will run", "")),
        *place,
        (),
        ((" Press ", ""), (hints(SET_WORKERS), "key"), (" to choose other settings.", "")),
    ]


def heading(width: int, sorted_by: str = "") -> Line:
    """Return the names of the columns, the one that the list is sorted by in another colour."""
    cells = [
        (name, cells, "key" if field == sorted_by and name else "dim")
        for name, cells, field in _layout(width)
    ]
    return (("   ", ""), *columns(cells))


def _layout(width: int) -> list[tuple[str, int, str]]:
    """The columns for a terminal of that width: heading, width (negative to the right), field."""
    if width < NARROW:
        # Which job it is says more than what the process costs.
        return [
            ("NAME", 9, "name"),
            ("STATE", 11, "state"),
            ("DONE", -6, "done"),
            ("FAIL", -5, "failed"),
            ("", 1, ""),
            ("JOB", max(8, width - 3 - 32 - 1), "job"),
        ]
    if width < WIDE:
        return [
            ("NAME", 9, "name"),
            ("PID", 8, "pid"),
            ("STATE", 11, "state"),
            ("CPU%", -4, "cpu"),
            ("RSS", -6, "memory"),
            ("DONE", -6, "done"),
            ("FAIL", -5, "failed"),
            ("", 1, ""),
            ("JOB", max(8, width - 3 - 50 - 1), "job"),
        ]
    return [
        ("NAME", 13, "name"),
        ("PID", 8, "pid"),
        ("OWNER", 13 if width >= ROOMY else 9, "owner"),
        ("STATE", 14 if width >= ROOMY else 11, "state"),
        ("SLOTS", -6, "slots"),
        ("UP", -5, "up"),
        ("CPU%", -6, "cpu"),
        ("RSS", -6, "memory"),
        ("DONE", -7, "done"),
        ("FAIL", -6, "failed"),
        ("CLAIMED", -9, "claimed"),
        ("", 2, ""),
        ("CURRENT JOB", max(8, width - 3 - (95 if width >= ROOMY else 88) - 1), "job"),
    ]


def entry_line(
    entry: WorkerEntry,
    now: datetime,
    usage: Mapping[int, Usage],
    own: bool,
    width: int,
    waits: str = "",
) -> Line:
    """Return one worker, or a further job of one, as a line.

    Args:
        entry: Which.
        now: The present moment.
        usage: What the processes of this machine use, by pid.
        own: Whether this console started it.
        width: Cells of the terminal.
        waits: Why it has no job.
    """
    if entry.agent is not None and entry.worker is not None:
        return agent_line(entry.agent, entry.worker, now, _layout(width))
    fields = _fields(entry, now, usage, own, width)
    if entry.worker is not None and not entry.further and by_agents(entry.worker):
        told, role = describe_agents(entry.worker)
        fields |= {"job": told, "job role": role}
        waits = waits if role == "dim" else ""
    if waits and entry.job is None:
        fields |= {"job": waits, "job role": "dim"}
    role_of = {"state": fields.pop("role"), "job": fields.pop("job role"), "name": ""}
    quiet = "dim" if entry.worker is not None and entry.worker.health is Health.STOPPED else ""
    return columns(
        [
            (fields.get(field, ""), cells, role_of.get(field) or quiet)
            for _, cells, field in _layout(width)
        ]
    )


def _fields(
    entry: WorkerEntry, now: datetime, usage: Mapping[int, Usage], own: bool, width: int
) -> dict[str, str]:
    room = _layout(width)[-1][1]
    fields = {"role": "", "job role": "", "job": _job(entry, now, room)}
    worker = entry.worker
    if worker is not None and worker.health in (Health.LOST, Health.STOPPED) and entry.job:
        fields["job role"] = "fail"
    if entry.further:
        return fields
    if worker is None:
        assert entry.foreign is not None
        return fields | {
            "name": inert(entry.foreign.id),
            "pid": UNSEEN,
            "owner": "GigQ",
            "state": _brief("? not visible", width),
            "role": "dim",
            "slots": UNSEEN,
            "up": UNSEEN,
            "cpu": UNSEEN,
            "memory": UNSEEN,
            "done": UNSEEN,
            "failed": UNSEEN,
            "claimed": UNSEEN,
        }
    state, role = condition(worker)
    alive = worker.health in (Health.ALIVE, Health.UNKNOWN)
    used = usage.get(worker.pid) if alive else None
    cpu = used.cpu_percent if used is not None else None
    return fields | {
        "name": inert(worker.id),
        "pid": str(worker.pid),
        "owner": ("this console" if width >= ROOMY else "this one") if own else _whose(worker),
        "state": _brief(state, width),
        "role": role,
        # One whose jobs run elsewhere may have none for now.
        "slots": f"{len(worker.running)}/{worker.slots}" if worker.slots else UNSEEN,
        "up": _since(worker.started_at, now) if alive else UNSEEN,
        "cpu": UNSEEN if cpu is None else f"{cpu:.0f}",
        "memory": UNSEEN if used is None else size(used.memory),
        "done": count(worker.done),
        "failed": count(worker.failed),
        "claimed": f"{_since(worker.last_claim_at, now)} ago" if worker.last_claim_at else UNSEEN,
    }


def _brief(state: str, width: int) -> str:
    """A worker's state, in the room there is."""
    return state if width >= ROOMY or state != "? not visible" else "? unseen"


def _whose(worker: WorkerRow) -> str:
    return f"on {inert(worker.host)}" if is_elsewhere(worker) else inert(worker.owner)


def is_elsewhere(worker: WorkerRow) -> bool:
    """Say whether a worker runs on another machine, whose processes can't be seen from here."""
    return worker.health is Health.UNKNOWN and worker.host != socket.gethostname()


def _since(moment: datetime | None, now: datetime) -> str:
    return UNSEEN if moment is None else age((now - moment).total_seconds())


def _job(entry: WorkerEntry, now: datetime, room: int) -> str:
    job = entry.job
    if job is None:
        elsewhere = entry.worker is not None and is_elsewhere(entry.worker)
        return f"on {inert(entry.worker.host)}" if elsewhere and entry.worker else UNSEEN
    took = ""
    if job.started_at is not None:
        took = "  " + elapsed(max(0.0, (now - job.started_at).total_seconds()))
    worker = entry.worker
    lost = worker is not None and worker.health in (Health.LOST, Health.STOPPED)
    lead = "ORPHAN " if lost else ""
    left = room - len(lead) - len(took)
    name = inert(job.name)
    if width_of(name) + 9 <= left:
        name += f" {inert(job.id[:8])}"
    return f"{lead}{cut(name, left)}{took}"


def describe_worker(entry: WorkerEntry, now: datetime, hints: KeyHints = DEFAULT_HINTS) -> str:
    """Say of a worker what its line has no room for."""
    worker = entry.worker
    if worker is not None and entry.agent is not None:
        return describe_agent(entry.agent, worker, now)
    if worker is None:
        assert entry.foreign is not None
        return (
            f"{inert(entry.foreign.id)} is a GigQ worker: it is not visible, and only its jobs "
            "can be controlled from here."
        )
    if worker.health is Health.LOST:
        jobs = len(worker.running)
        if not jobs:
            return f"{inert(worker.id)}: its process {worker.pid} is gone; it holds no jobs."
        if by_agents(worker):
            return (
                f"{inert(worker.id)}: its process {worker.pid} is gone. Its agents end by "
                f"themselves, then another worker gives back its {plural(jobs, 'job')}."
            )
        return (
            f"{inert(worker.id)}: its process {worker.pid} is gone. "
            f"{hints(WORKER_RELEASE)} releases its {plural(jobs, 'job')}."
        )
    # What a person waits for comes first: the line may be cut.
    words: list[str] = []
    if worker.suspended:
        words.append(f"suspended: resume it with kill -CONT {worker.pid}")
    if worker.request:
        words.append(f"{request_word(inert(worker.request))} requested, no answer yet")
    if worker.slots:
        words.append(f"{len(worker.running)} of {plural(worker.slots, 'slot')} busy")
    if worker.last_claim_at is not None:
        words.append(f"last claim {_since(worker.last_claim_at, now)} ago")
    words.append(f"pid {worker.pid} on {inert(worker.host)}")
    if by_agents(worker):
        words.append(f"jobs run by {plural(len(worker.agents), 'agent')}")
    else:
        kind = "child processes" if worker.isolation == "process" else "threads"
        words.append(f"jobs run in {kind}")
    if lanes := describe_lanes(worker):
        words.insert(len(words) - 2, f"takes {lanes}")
    if worker.health is Health.UNKNOWN:
        words.append("its process is not visible from here")
    if worker.health is Health.STOPPED and worker.stopped_at is not None:
        ago = f"{duration(max(0.0, (now - worker.stopped_at).total_seconds()))} ago"
        words.append(f"found dead {ago}" if worker.has_died else f"stopped {ago}")
    return f"{inert(worker.id)}: {', '.join(words)}."
