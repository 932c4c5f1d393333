"""Reading what has to be known of some jobs to say why they are where they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gigq_core.fleet.agents_seen import BY_AGENTS, AgentSeen, agent_called, read_agents, read_hosts
from gigq_core.functions.script import SCRIPT_MODULE
from gigq_core.graph.blame import TOLD, Blame, Culprit, Parent, blame_of
from gigq_core.graph.blocking import Waits, read_waits
from gigq_core.lanes.rules import InLane, Lane, is_lane, read_lane
from gigq_core.reasons.why import Halt, Health, Report
from gigq_core.rows.decoding import as_int, as_text, as_timeout_s, due_of, is_parked, is_shown
from gigq_core.rows.origin import origin_of
from gigq_core.rows.progress import progress_of_row
from gigq_core.schema import outlook_statements as outlook
from gigq_core.schema import view_statements as view
from gigq_core.status import JobStatus
from gigq_core.system.identity import ProcessIdentity, is_dead, is_suspended
from gigq_core.units.times import moment_of, moment_told, parse_time, utc_now

_PENDING, _RUNNING = JobStatus.PENDING.value, JobStatus.RUNNING.value
# How far above the jobs it is looked for whom they wait for.
MOST_ABOVE = 2_000
# Of an error that is told beside something else, in characters.
SHOWN_ERROR = 500
# So many running jobs are looked at for who holds them.
MOST_HOLDERS = 200
# How far back in line a job's place is counted.
MOST_IN_LINE = 10_000


@dataclass(frozen=True)
class Told:
    """What an attempt reported last."""

    done: float
    total: float | None
    note: str
    at: datetime
    resumed: str = ""
    first: tuple[float, datetime] | None = None


@dataclass(frozen=True)
class Standing:
    """What `why` needs of a job; see `Facts` there."""

    id: str
    name: str
    status: str
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
    progress: Report | None = None
    decision: str = ""
    # Where it comes from, where nobody submitted it.
    origin: str = ""
    in_lane: InLane | None = None
    # Where an agent runs it, and that agent.
    host: str = ""
    link: AgentSeen | None = None


def read_standings(
    conn: sqlite3.Connection, rows: Sequence[Mapping[str, Any]], *, in_line: bool = False
) -> list[Standing]:
    """What has to be known of some jobs.

    Args:
        conn: the file, attached or not.
        rows: theirs in `jobs`, whole or without what is large.
        in_line: whether the places of those that are ready are counted.
    """
    waiting = [as_text(row["id"]) for row in rows if row["status"] == _PENDING]
    waits = read_waits(conn, waiting, MOST_ABOVE) if waiting else Waits()
    blames = _blames(conn, waits)
    halt = _halt(conn) if waiting else None
    lanes = _lanes(conn, rows)
    workers = {as_text(row["id"]): row for row in _workers(conn)}
    running = [as_text(row["id"]) for row in rows if row["status"] == _RUNNING]
    reports = _reports(conn, running)
    agents = read_agents(conn) if running else []
    hosts = read_hosts(conn, running) if agents else {}
    told = []
    for row in rows:
        id = as_text(row["id"])
        blame = blames.get(id)
        worker = workers.get(as_text(row["worker_id"]))
        in_lane = _in_lane(row, lanes)
        there = hosts.get(id)
        agent = "" if there is None else there.agent(as_text(row["worker_id"]))
        told.append(
            Standing(
                id=id,
                name=as_text(row["name"]),
                status=as_text(row["status"]),
                attempts=as_int(row["attempts"]),
                max_attempts=as_int(row["max_attempts"]),
                timeout_s=as_timeout_s(row["timeout"]),
                created_at=_moment(row, "created", "created_at"),
                started_at=_moment(row, "began", "started_at"),
                completed_at=_moment(row, "ended", "completed_at"),
                due=_due(row),
                worker_id=as_text(row["worker_id"]) or None,
                error=as_text(row["error"])[:SHOWN_ERROR],
                stop_requested=row.get("stop_requested_at") is not None,
                blocked=is_parked(row.get("retry_after")) or blame is not None,
                doomed=blame.doomed if blame is not None else False,
                unmet=len(waits.parents.get(id, ())),
                culprit=blame.culprit if blame is not None else None,
                holder=_health(worker),
                holder_suspended=worker is not None and _stands_still(worker),
                holder_pid=worker["pid"] if worker is not None else None,
                in_script=row["function_module"] == SCRIPT_MODULE,
                halt=_halt_of(halt, in_lane),
                line=_place(conn, row) if in_line else 0,
                progress=reports.get(id),
                origin=origin_of(conn, row),
                in_lane=in_lane,
                host=there.host if there else "",
                link=agent_called(agents, agent),
            )
        )
    return told


def _moment(row: Mapping[str, Any], instant: str, text: str) -> datetime | None:
    return moment_told(row.get(instant), row[text])


def _due(row: Mapping[str, Any]) -> datetime | None:
    if row["status"] != _PENDING:
        return None
    if "due" in row:
        return moment_of(row["due"])
    return parse_time(due_of(row.get("retry_after"), None))


def _blames(conn: sqlite3.Connection, waits: Waits) -> dict[str, Blame]:
    """Whom those that wait for parents have to blame."""
    if not waits.parents:
        return {}
    found = conn.execute(view.NAMED, (json.dumps(list(waits.statuses)),))
    kin: dict[str, Parent | None] = {
        id: None for id, status in waits.statuses.items() if status is None
    }
    for row in found:
        id = as_text(row["id"])
        kin[id] = Parent(id, as_text(row["name"]), as_text(row["status"]), as_text(row["error"]))
    told = {
        (child, parent): TOLD[policy]
        for child, parents in waits.parents.items()
        for parent, policy in parents.items()
        if policy in TOLD
    }
    unmet = {id: list(parents) for id, parents in waits.parents.items() if waits.waits(id)}
    return blame_of(unmet, kin, told)


def _lanes(conn: sqlite3.Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, Lane]:
    """The lanes in which some of the jobs wait, by name."""
    names = {row.get("lane") for row in rows if row["status"] == _PENDING}
    now = utc_now()
    return {name: read_lane(conn, name, now) for name in map(as_text, names) if is_lane(name)}


def _in_lane(row: Mapping[str, Any], lanes: Mapping[str, Lane]) -> InLane | None:
    lane = lanes.get(as_text(row.get("lane")))
    if lane is None or row["status"] != _PENDING:
        return None
    return InLane(lane, is_shown(row.get("retry_after")))


def _halt_of(halt: Halt | None, in_lane: InLane | None) -> Halt | None:
    """Why nobody claims one job: what some leave alone, others may take."""
    if halt is Halt.LANES_ALONE and in_lane is not None:
        return None
    return halt


def _workers(conn: sqlite3.Connection) -> Iterable[sqlite3.Row]:
    if conn.execute(view.HAS_WORKERS).fetchone() is None:
        return ()
    return conn.execute(view.WORKERS).fetchall()


def _health(worker: sqlite3.Row | None) -> Health:
    if worker is None:
        return Health.UNKNOWN
    if worker["state"] == "stopped":
        return Health.STOPPED
    dead = is_dead(ProcessIdentity.of_row(worker))
    return Health.UNKNOWN if dead is None else Health.LOST if dead else Health.ALIVE


def _stands_still(worker: sqlite3.Row) -> bool:
    return _health(worker) is Health.ALIVE and is_suspended(worker["pid"])


def _halt(conn: sqlite3.Connection) -> Halt | None:
    """Why nobody claims. GigQ's workers are known by what they hold."""
    registered = list(_workers(conn))
    ours = {as_text(worker["id"]) for worker in registered}
    holders = {as_text(row[0]) for row in conn.execute(outlook.HOLDERS, (MOST_HOLDERS,))}
    if conn.execute(view.HAS_META).fetchone() is None:
        return None if holders else Halt.UNSEEN
    if conn.execute(view.PAUSED).fetchone() is not None:
        return Halt.PAUSED
    if holders - ours:
        return None
    here = [worker for worker in registered if _health(worker) in (Health.ALIVE, Health.UNKNOWN)]
    if not here:
        return Halt.NO_WORKER
    taking = [
        worker
        for worker in here
        if worker["state"] == "running" and worker["request"] in (None, "resume")
    ]
    if any(worker["isolation"] == BY_AGENTS for worker in taking):
        ready = {agent.worker_id for agent in read_agents(conn) if agent.state == "ready"}
        taking = [w for w in taking if w["isolation"] != BY_AGENTS or as_text(w["id"]) in ready]
    if not taking:
        return Halt.NONE_CLAIMS
    # A file of the previous release does not have the column.
    alone = all(dict(worker).get("only_lanes") is not None for worker in taking)
    return Halt.LANES_ALONE if alone else None


def _place(conn: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """Its place among the ready ones, from 1; 0 where it is none of them, or far back."""
    if conn.execute(outlook.HAS_CLAIM_ORDER).fetchone() is None:
        return 0
    if conn.execute(view.IS_IN_LINE, (row["id"],)).fetchone() is None:
        return 0
    values = (row["priority"], row["priority"], row["id"], MOST_IN_LINE)
    ahead = as_int(conn.execute(view.AHEAD_IN_LINE, values).fetchone()[0])
    return 0 if ahead >= MOST_IN_LINE else ahead + 1


def _reports(conn: sqlite3.Connection, ids: list[str]) -> dict[str, Told]:
    if not ids or conn.execute(view.HAS_PROGRESS).fetchone() is None:
        return {}
    reports = {}
    for row in conn.execute(view.PROGRESS_AMONG, (json.dumps(ids),)):
        report = progress_of_row(row)
        at = None if report is None else moment_of(report["at"])
        if report is not None and at is not None:
            reports[as_text(row["job_id"])] = Told(
                report["done"], report["total"], report["note"], at
            )
    return reports
