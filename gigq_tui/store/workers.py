"""The workers, whether they live, and which running jobs they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.reasons.why import Halt, Health
from gigq_core.rows.decoding import as_int, as_json, as_optional_text, as_text, as_timeout_s
from gigq_core.system import identity
from gigq_core.system.identity import ProcessIdentity
from gigq_tui.store import queries
from gigq_tui.store.agents import agents_of, hosts_of_running, with_link
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.instants import BEGAN, CLAIMED, STOPPED
from gigq_tui.store.models import ForeignWorker, Graph, JobRow, RunningJob, WorkerRow
from gigq_tui.store.statuses import PENDING, RUNNING

IsDead = Callable[[ProcessIdentity], "bool | None"]
IsSuspended = Callable[[int], bool]

MAX_WORKERS = 500
MAX_RUNNING = 2_000
# How long a worker that has stopped stays in the list.
STOPPED_SHOWN = timedelta(minutes=10)
# A worker out of sight (another host) is alive while its beat moves at least this often.
BEAT_WITHIN_S = 30.0
# How often a process is asked whether it stands still, in seconds.
SUSPENDED_EVERY_S = 1.0
# So many places of the line are told; a walk along the index that claims go by.
LINE_TOLD = 100


@dataclass(frozen=True)
class Registered:
    """A row of `core_workers` and the process it stands for."""

    row: WorkerRow
    process: ProcessIdentity
    beat: int


class Pulse:
    """Tells live workers from lost ones, and remembers when their beats last moved.

    Args:
        clock: whose monotonic half silence is measured by, so that a clock step loses nobody.
        is_dead: says whether a process is gone; by default the machine is asked.
        is_suspended: says whether one that lives stands still; by default, as above.
    """

    def __init__(
        self,
        clock: Clock,
        is_dead: IsDead | None = None,
        is_suspended: IsSuspended | None = None,
    ) -> None:
        self._clock = clock
        self._is_dead = is_dead
        self._is_suspended = is_suspended
        self._beats: dict[str, tuple[int, float, bool]] = {}
        self._standing: dict[int, tuple[float, bool]] = {}

    def health(self, worker: Registered) -> Health:
        """Whether a worker lives, as far as can be told from here."""
        if worker.row.state == "stopped":
            return Health.STOPPED
        # Looked up at each call, so that a test can put another in its place.
        dead = (self._is_dead or identity.is_dead)(worker.process)
        if dead is None:
            return Health.ALIVE if self._beats_lately(worker) else Health.UNKNOWN
        return Health.LOST if dead else Health.ALIVE

    def suspended(self, worker: Registered) -> bool:
        """Whether a worker stands still, where that can be seen from here."""
        if worker.row.state == "stopped":
            return False
        if (self._is_dead or identity.is_dead)(worker.process) is not False:
            return False
        now, pid = self._clock.monotonic(), worker.process.pid
        looked, found = self._standing.get(pid, (now - 2 * SUSPENDED_EVERY_S, False))
        if now - looked >= SUSPENDED_EVERY_S:
            found = (self._is_suspended or identity.is_suspended)(pid)
            self._standing[pid] = (now, found)
        return found

    def _beats_lately(self, worker: Registered) -> bool:
        now = self._clock.monotonic()
        beat, since, moved = self._beats.get(worker.row.id, (worker.beat, now, False))
        if beat != worker.beat:
            beat, since, moved = worker.beat, now, True
        self._beats[worker.row.id] = (beat, since, moved)
        return moved and now - since < BEAT_WITHIN_S


def read_workers(
    conn: sqlite3.Connection, schema: FileSchema, now: datetime
) -> tuple[Registered, ...]:
    """Our workers, longest standing first; those that stopped a while ago are left out."""
    if not schema.attached:
        return ()
    records = conn.execute(queries.workers(schema), (MAX_WORKERS,)).fetchall()
    workers = (_registered(record) for record in reversed(records))
    return tuple(worker for worker in workers if _shown(worker.row, now))


def _shown(worker: WorkerRow, now: datetime) -> bool:
    if worker.state != "stopped":
        return True
    return worker.stopped_at is not None and now - worker.stopped_at < STOPPED_SHOWN


def _registered(record: sqlite3.Row) -> Registered:
    process = ProcessIdentity(
        host=as_text(record["host"]),
        pid=as_int(record["pid"]),
        pid_started=as_text(record["pid_started"]),
        boot_id=as_text(record["boot_id"]),
        pid_namespace=as_text(record["pid_namespace"]),
    )
    row = WorkerRow(
        id=as_text(record["id"]),
        owner=as_text(record["owner"]),
        host=process.host,
        pid=process.pid,
        isolation=as_text(record["isolation"]),
        slots=as_int(record["slots"], 1),
        state=as_text(record["state"]),
        request=as_optional_text(record["request"]),
        health=Health.UNKNOWN,
        started_at=BEGAN.of(record),
        stopped_at=STOPPED.of(record),
        done=as_int(record["done"]),
        failed=as_int(record["failed"]),
        last_claim_at=CLAIMED.of(record),
        log_path=as_optional_text(record["log_path"]),
        is_before=bool(record["is_before"]),
        has_died=bool(record["has_died"]),
        lanes=_patterns(record["lanes"]),
        only_lanes=_patterns(record["only_lanes"]),
    )
    return Registered(row, process, as_int(record["beat"]))


def _patterns(stored: object) -> tuple[str, ...]:
    """A list of lanes as the register holds it; what can't be read is none."""
    if stored is None:
        return ()
    found = as_json(stored)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def read_running(conn: sqlite3.Connection, schema: FileSchema) -> dict[str, list[RunningJob]]:
    """The jobs that are being worked on, by the id of the worker that holds them."""
    held: dict[str, list[RunningJob]] = {}
    for record in conn.execute(queries.running_jobs(schema), (MAX_RUNNING,)).fetchall():
        job = RunningJob(
            as_text(record["id"]),
            as_text(record["name"]),
            BEGAN.of(record),
            as_timeout_s(record["timeout"]),
        )
        held.setdefault(as_text(record["worker_id"]), []).append(job)
    return held


@dataclass(frozen=True)
class FileWorkers:
    """Everybody who works on the file, and what they do next, at one moment.

    `halt` is why no job is claimed now, or None where one may be; `hidden_halt` the same of jobs
    that are hidden from GigQ's workers. `line` holds the keys of the
    jobs that will be claimed next, with their places from 1, `hosts` where agents run jobs, by the
    ids of the jobs.
    """

    registered: tuple[Registered, ...] = ()
    ours: tuple[WorkerRow, ...] = ()
    foreign: tuple[ForeignWorker, ...] = ()
    paused: bool = False
    halt: Halt | None = None
    hidden_halt: Halt | None = None
    line: Mapping[int, int] = field(default_factory=dict)
    hosts: Mapping[str, Elsewhere] = field(default_factory=dict)

    @property
    def by_id(self) -> dict[str, WorkerRow]:
        """Our workers by their ids."""
        return {worker.id: worker for worker in self.ours}

    @property
    def gone(self) -> tuple[str, ...]:
        """The ids of our workers that will never end what they hold."""
        gone = (Health.LOST, Health.STOPPED)
        return tuple(worker.id for worker in self.ours if worker.health in gone)

    def changed(self, pulse: Pulse) -> bool:
        """Whether one of our workers has died, come back, or come to a standstill since."""
        told = self.by_id
        return any(
            pulse.health(w) is not told[w.row.id].health
            or pulse.suspended(w) is not told[w.row.id].suspended
            for w in self.registered
        )


def read_file_workers(
    conn: sqlite3.Connection, schema: FileSchema, pulse: Pulse, now: datetime
) -> FileWorkers:
    """Our workers with their health and what they hold, and the others that hold something.

    Args:
        conn: A connection to the file.
        schema: What the file is made of.
        pulse: What knows the workers' heartbeats.
        now: The present moment.
    """
    registered = read_workers(conn, schema, now)
    held = read_running(conn, schema)
    agents = agents_of(conn, {w.row.id for w in registered if w.row.isolation == BY_AGENTS})
    hosts = hosts_of_running(conn, schema, MAX_RUNNING) if agents else {}
    for id in agents:
        held[id] = [_running_at(job, hosts.get(job.id), id) for job in held.get(id, ())]
    ours = tuple(
        replace(
            w.row,
            health=pulse.health(w),
            suspended=pulse.suspended(w),
            running=tuple(held.get(w.row.id, ())),
            agents=tuple(agents.get(w.row.id, ())),
        )
        for w in registered
    )
    known = {worker.id for worker in ours}
    foreign = tuple(
        ForeignWorker(id, tuple(jobs)) for id, jobs in sorted(held.items()) if id not in known
    )
    paused = schema.attached and conn.execute(queries.PAUSED).fetchone() is not None
    line = _read_line(conn, schema)
    halt = Halt.PAUSED if paused else _halt(ours, foreign, schema.attached, now)
    hidden_halt = halt
    if halt is None and _halt(ours, (), schema.attached, now) is not None:
        hidden_halt = Halt.HIDDEN
    return FileWorkers(registered, ours, foreign, paused, halt, hidden_halt, line, hosts)


def _running_at(job: RunningJob, there: Elsewhere | None, worker_id: str) -> RunningJob:
    if there is None:
        return job
    return replace(job, host=there.host, agent=there.agent(worker_id))


def _halt(
    ours: Iterable[WorkerRow], foreign: Sequence[ForeignWorker], attached: bool, now: datetime
) -> Halt | None:
    """Why nobody claims. GigQ's workers are known by what they hold, while that is not over."""
    if any(not job.is_over(now) for worker in foreign for job in worker.running):
        return None
    here = [w for w in ours if w.health in (Health.ALIVE, Health.UNKNOWN)]
    if not here:
        return Halt.UNSEEN if foreign or not attached else Halt.NO_WORKER
    taking = [
        w
        for w in here
        if w.state == "running"
        and w.request in (None, "resume")
        and not w.suspended
        and (w.isolation != BY_AGENTS or any(agent.state == "ready" for agent in w.agents))
    ]
    if not taking:
        return Halt.NONE_CLAIMS
    return Halt.LANES_ALONE if all(w.only_lanes for w in taking) else None


def _read_line(conn: sqlite3.Connection, schema: FileSchema) -> dict[int, int]:
    if not schema.has_claim_order:
        return {}
    found = conn.execute(queries.FIRST_IN_LINE, (LINE_TOLD,)).fetchall()
    return {as_int(record["key"]): place for place, record in enumerate(found, start=1)}


def with_holders(rows: Iterable[JobRow], staff: FileWorkers) -> tuple[JobRow, ...]:
    """The rows with what the workers have to do with them.

    Running ones get the health and pid of their worker, where it is one of ours; waiting ones
    their place in the line, and why nobody claims.
    """
    workers = staff.by_id
    result: list[JobRow] = []
    for row in rows:
        worker = workers.get(row.worker_id or "")
        if worker is not None and row.status == RUNNING:
            row = replace(
                row,
                holder=worker.health,
                holder_pid=worker.pid,
                holder_suspended=worker.suspended,
            )
            row = with_link(row, staff.hosts.get(row.id), worker.agents)
        elif row.status == PENDING:
            halt = staff.hidden_halt if row.hidden else staff.halt
            if halt is Halt.LANES_ALONE and row.lane:
                # Of lanes it is told who takes them.
                halt = None
            if halt is not None or row.key in staff.line:
                row = replace(row, halt=halt, line=staff.line.get(row.key, 0))
        result.append(row)
    return tuple(result)


def graph_with_holders(graph: Graph, staff: FileWorkers) -> Graph:
    """The graph with what is known of the workers that hold its jobs."""
    held: dict[str, JobRow] = {
        row.id: row
        for row in with_holders((node.row for node in graph.nodes.values() if node.row), staff)
    }
    nodes = {id: replace(node, row=held.get(id)) for id, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)
