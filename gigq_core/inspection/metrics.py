"""How a queue stands, as numbers for a monitoring system: plain reads, and a bounded number."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from gigq_core.fleet.agents_seen import AgentSeen, read_agents
from gigq_core.hooks.rules import read_hooks
from gigq_core.keeping.rules import read_keeping
from gigq_core.lanes.rules import read_lanes
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.schedules.rules import read_schedules
from gigq_core.schema import ddl
from gigq_core.schema import metric_statements as sql
from gigq_core.schema.attach import is_current, living_workers
from gigq_core.schema.opening import explain, is_attached, open_read_only
from gigq_core.schema.transaction import read
from gigq_core.status import ExecutionStatus, WorkerState
from gigq_core.submitting.key_holders import count_shared_keys
from gigq_core.system.paths import queue_file
from gigq_core.text import inert
from gigq_core.units.times import utc_now

# Of lanes there may be as many as there are hosts in the world: the fullest are told.
MOST_LANES = 200
# So many agents are told one by one.
MOST_AGENTS = 500
# Those that live have not stopped; so for their agents.
_WORKER_STATES = tuple(state for state in get_args(WorkerState) if state != "stopped")
_AGENT_STATES = ("starting", "ready", "silent", "lost", "refused")

# Functions that are told by name, and how much of a name.
MOST_FUNCTIONS = 50
LONGEST_LABEL = 200
# Which attempts are recent: how long ago they ended, in seconds, and among how many of the newest.
RECENT_S = 300.0
RECENT_MOST = 10_000
SHARES = (0.5, 0.9, 0.99)
_OUTCOMES = tuple(one.value for one in ExecutionStatus if one is not ExecutionStatus.RUNNING)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """One number, for each of its labels.

    Attributes:
        name: Without the ending that a counter's has.
        kind: "gauge", or "counter" for what only grows.
        words: What it tells.
        samples: The labels, and the number.
    """

    name: str
    kind: Literal["gauge", "counter"]
    words: str
    samples: tuple[tuple[Labels, float], ...]


def read_metrics(path: str | Path) -> list[Metric]:
    """Read all that is told; nothing is changed.

    Raises:
        DatabaseError: the file can't be read.
    """
    file = queue_file(path)
    try:
        with closing(open_read_only(file)) as conn, read(conn):
            return [*_jobs(conn), *_attempts(conn), *_file(conn, file), *_ours(conn)]
    except sqlite3.Error as problem:
        raise explain(problem, file) from problem


def _jobs(conn: sqlite3.Connection) -> Iterator[Metric]:
    attached = is_attached(conn)
    counts = dict.fromkeys(ddl.COUNTER_STATES, 0)
    for state, n in conn.execute(sql.STATES if attached else sql.STATUSES):
        # What GigQ calls pending may be ready or not: nobody has counted.
        counts[as_text(state)] = as_int(n)
    yield _by("gigq_jobs", "gauge", "Jobs in the file by state.", "state", counts.items())
    now = utc_now()
    began = conn.execute(sql.OLDEST_RUNNING).fetchone()[0] if is_current(conn) else None
    yield _one(
        "gigq_longest_run_seconds",
        "gauge",
        "For how long the job runs that began first; 0 where none runs.",
        max(0.0, now - as_float(began, now)),
    )

    for name, words, statement in (
        ("gigq_running_jobs", "Running jobs", sql.RUNNING_BY_FUNCTION),
        ("gigq_failed_jobs", "Failed and timed out jobs", sql.FAILED_BY_FUNCTION),
    ):
        words += f" by function; empty for what is beyond {MOST_FUNCTIONS}."
        yield _by(name, "gauge", words, "function", _first(conn.execute(statement)))


def _first(counted: Iterable[tuple[object, int]]) -> list[tuple[str, float]]:
    """The first by name, and the rest in one sum; names that are cut alike are one."""
    found: Counter[str] = Counter()
    for place, (name, n) in enumerate(counted):
        found[as_text(name)[:LONGEST_LABEL] if place < MOST_FUNCTIONS else ""] += n
    return list(found.items())


def _attempts(conn: sqlite3.Connection) -> Iterator[Metric]:
    """Those that ended lately: how, and after what time."""
    now = utc_now()
    counts = dict.fromkeys(_OUTCOMES, 0)
    took = []
    if is_current(conn):
        wanted = {"most": RECENT_MOST, "since": now - RECENT_S, "utc": now}
        for status, seconds in conn.execute(sql.RECENT_ATTEMPTS, wanted):
            if status in counts:
                counts[status] += 1
                took.append(max(0.0, as_float(seconds)))
    words = f"Attempts that ended in the last {RECENT_S:g} seconds."
    yield _by("gigq_recent_attempts", "gauge", words, "outcome", counts.items())
    took.sort()
    shares = [
        (f"{share:g}", took[max(0, math.ceil(share * len(took)) - 1)]) for share in SHARES if took
    ]
    words = "How long the shortest of those took, as far as that share of them."
    yield _by("gigq_recent_attempt_duration_seconds", "gauge", words, "quantile", shares)


def _file(conn: sqlite3.Connection, file: Path) -> Iterator[Metric]:
    pages, free = (
        conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "freelist_count")
    )
    sizes = [(part, _size(file, end)) for part, end in (("file", ""), ("wal", "-wal"))]
    yield _by("gigq_file_bytes", "gauge", "Size of the file and of its WAL.", "part", sizes)
    yield _one(
        "gigq_file_unused_bytes",
        "gauge",
        "What the file holds and does not use.",
        pages * free,
    )


def _ours(conn: sqlite3.Connection) -> Iterator[Metric]:
    """What a file of GigQ's own, or of the previous release, has nothing of."""
    if not is_current(conn):
        return
    paused = conn.execute(sql.IS_PAUSED).fetchone() is not None
    yield _one("gigq_paused", "gauge", "1 while the queue is paused.", float(paused))
    living = {row["id"] for row in living_workers(conn)}
    workers = [row for row in conn.execute(sql.WORKERS) if row["id"] in living]
    # Where none is at work, a sum of them has to be 0, and not nothing.
    states = dict.fromkeys(_WORKER_STATES, 0)
    states |= Counter(as_text(row["state"]) for row in workers)
    yield _by("gigq_workers", "gauge", "Workers at work by state.", "state", states.items())
    lost = conn.execute(sql.COUNT_WORKERS).fetchone()[0] - len(workers)
    words = "Workers whose process is gone, and which have not said so."
    yield _one("gigq_lost_workers", "gauge", words, lost)
    slots = sum(as_int(row["slots"]) for row in workers)
    yield _one("gigq_worker_slots", "gauge", "How many jobs they run at a time.", slots)
    yield from _agents(conn, living)
    submitted = conn.execute(sql.OLDEST_READY).fetchone()
    yield _one(
        "gigq_oldest_ready_job_age_seconds",
        "gauge",
        "How long ago the first was submitted of the jobs that are ready; 0 where none is.",
        0.0 if submitted is None else max(0.0, utc_now() - as_float(submitted[0], utc_now())),
    )
    shared = count_shared_keys(conn)
    words = "Keys of unique jobs that two jobs hold at once."
    yield _one("gigq_shared_unique_keys", "gauge", words, shared)
    late = conn.execute(sql.EARLIEST_APPOINTMENT).fetchone()[0]
    overdue = 0.0 if late is None else max(0.0, utc_now() - as_float(late))
    yield _one(
        "gigq_agenda_late_seconds",
        "gauge",
        "For how long schedules, hooks or keeping have waited for a worker.",
        overdue,
    )
    yield from _lanes(conn)
    yield from _schedules(conn)
    yield from _hooks(conn)
    kept = read_keeping(conn)
    yield _one("gigq_kept_gone", "counter", "Jobs that keeping has deleted.", kept.gone)
    yield _one(
        "gigq_kept_overdue",
        "gauge",
        "Jobs past their age that are still there, as far as 1,000.",
        kept.overdue,
    )
    yield _one(
        "gigq_kept_trouble", "gauge", "1 while keeping can't go on.", float(bool(kept.trouble))
    )


def _agents(conn: sqlite3.Connection, living: Container[str]) -> Iterator[Metric]:
    """Of the workers that live: what is left of the others runs nothing for long."""
    found = [agent for agent in read_agents(conn) if agent.worker_id in living]
    states = dict.fromkeys(_AGENT_STATES if found else (), 0)
    states |= Counter(agent.state for agent in found)
    words = "Agents, which run jobs of workers elsewhere, by state."
    yield _by("gigq_agents", "gauge", words, "state", states.items())
    now = utc_now()
    told: tuple[tuple[str, str, Callable[[AgentSeen], float | None]], ...] = (
        (
            "slots",
            "How many jobs an agent runs at a time; 0 while it takes none.",
            lambda agent: agent.slots if agent.state == "ready" else 0,
        ),
        ("busy", "How many it runs.", lambda agent: agent.busy),
        ("load", "The load of its host.", lambda agent: agent.load),
        ("latency_seconds", "How long an answer of it takes.", lambda agent: agent.latency),
        (
            "silent_seconds",
            "For how long nothing was heard of it.",
            lambda agent: None if agent.heard is None else max(0.0, now - agent.heard),
        ),
    )
    for name, words, value in told:
        samples = [
            ((("agent", inert(agent.id)), ("host", inert(agent.host or ""))), float(number))
            for agent in found[:MOST_AGENTS]
            if (number := value(agent)) is not None
        ]
        yield Metric(f"gigq_agent_{name}", "gauge", words, tuple(samples))


def _lanes(conn: sqlite3.Connection) -> Iterator[Metric]:
    lanes = [lane for lane in read_lanes(conn, utc_now()) if not lane.is_rule_only]
    lanes.sort(key=lambda lane: (-lane.waiting - lane.running, lane.name))
    samples = [
        ((("lane", inert(lane.name)), ("state", state)), float(n))
        for lane in lanes[:MOST_LANES]
        for state, n in (
            ("ready", lane.ready),
            ("held", lane.held),
            ("delayed", lane.delayed),
            ("blocked", lane.blocked),
            ("running", lane.running),
        )
    ]
    words = f"Jobs in lanes by state, of the {MOST_LANES} fullest."
    yield Metric("gigq_lane_jobs", "gauge", words, tuple(samples))
    limits = [(lane.name, lane.running_limit) for lane in lanes[:MOST_LANES]]
    told = [(name, float(limit)) for name, limit in limits if limit is not None]
    words = "How many jobs of a lane run at once at most."
    yield _by("gigq_lane_running_limit", "gauge", words, "lane", told)
    paused = [(lane.name, float(lane.paused_at is not None)) for lane in lanes[:MOST_LANES]]
    yield _by("gigq_lane_paused", "gauge", "1 while a lane is paused.", "lane", paused)


def _schedules(conn: sqlite3.Connection) -> Iterator[Metric]:
    found = read_schedules(conn, 0)
    for name, words, values in (
        (
            "gigq_schedule_next_timestamp_seconds",
            "The slot that comes next.",
            [(s.name, s.next_at) for s in found],
        ),
        (
            "gigq_schedule_last_timestamp_seconds",
            "The slot of the last job.",
            [(s.name, s.last_slot) for s in found],
        ),
    ):
        told = [(schedule, at) for schedule, at in values if at is not None]
        yield _by(name, "gauge", words, "schedule", told)
    failed = [(s.name, float(s.last_status in ("failed", "timeout"))) for s in found]
    words = "1 if its last job failed."
    yield _by("gigq_schedule_failed", "gauge", words, "schedule", failed)
    troubled = [(s.name, float(bool(s.trouble))) for s in found]
    words = "1 while its job can't be submitted."
    yield _by("gigq_schedule_trouble", "gauge", words, "schedule", troubled)
    skipped = [(s.name, s.skipped) for s in found]
    words = "Slots that made no job."
    yield _by("gigq_schedule_skipped", "counter", words, "schedule", skipped)


def _hooks(conn: sqlite3.Connection) -> Iterator[Metric]:
    found = read_hooks(conn)
    waiting = [(hook.name, hook.waiting) for hook in found]
    yield _by("gigq_hook_waiting", "gauge", "Jobs that are not told yet.", "hook", waiting)
    failures = [(hook.name, hook.failures_in_a_row) for hook in found]
    words = "Its own jobs that failed since one completed."
    yield _by("gigq_hook_failures_in_a_row", "gauge", words, "hook", failures)
    troubled = [(hook.name, float(bool(hook.problem))) for hook in found]
    words = "1 while its job can't be submitted."
    yield _by("gigq_hook_trouble", "gauge", words, "hook", troubled)


def _one(name: str, kind: Literal["gauge", "counter"], words: str, value: float) -> Metric:
    return Metric(name, kind, words, (((), float(value)),))


def _by(
    name: str,
    kind: Literal["gauge", "counter"],
    words: str,
    label: str,
    values: Iterable[tuple[str, float]],
) -> Metric:
    samples = tuple((((label, inert(value)),), float(n)) for value, n in values)
    return Metric(name, kind, words, samples)


def _size(file: Path, end: str) -> float:
    try:
        return float(file.with_name(f"{file.name}{end}").stat().st_size)
    except OSError:
        return 0.0
