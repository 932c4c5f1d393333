"""Agents as the file tells of them: what runs the jobs of a worker elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.rows.decoding import as_float, as_int, as_optional_text, as_text
from gigq_core.schema import agent_statements as sql

# `starting`: the link is being made; `silent`: it stands, and nothing is heard; `lost`: it was cut,
# and is made again; `refused`: what is at its far end can't be worked with, and it stays so;
# `stopped`: its worker has ended.
AgentState = Literal["starting", "ready", "silent", "lost", "refused", "stopped"]
_STATES: dict[str, AgentState] = {state: state for state in get_args(AgentState)}

# The isolation of a worker whose jobs run at agents.
BY_AGENTS = "agents"


@dataclass(frozen=True)
class AgentSeen:
    """One agent, which is one link of a worker.

    Attributes:
        id: The worker's id, a slash and the number of the link, from 1 on.
        worker_id: The worker.
        via: The words of `--via` that lead there.
        host, pid, python: What it said of itself; None before it did.
        slots, busy: How many jobs it can run at a time, and how many it runs.
        load: Its host's load, as `uptime` has it, of the last minute.
        state: How it is with it.
        began: Since when the link stands, in UTC seconds.
        heard: When something was heard of it, in UTC seconds.
        latency: For how long an answer takes, in seconds.
        trouble: What is wrong, for a person.
    """

    id: str
    worker_id: str
    via: str
    state: AgentState
    slots: int = 0
    busy: int = 0
    host: str | None = None
    pid: int | None = None
    python: str | None = None
    load: float | None = None
    began: float | None = None
    heard: float | None = None
    latency: float | None = None
    trouble: str | None = None


def knows_agents(conn: sqlite3.Connection) -> bool:
    """Whether the file has room for agents: one of an earlier release has not."""
    return conn.execute(sql.HAS_AGENTS).fetchone() is not None


def read_agents(conn: sqlite3.Connection) -> list[AgentSeen]:
    """All agents that the file knows, those of a worker together, in their order.

    Those of a worker that ended are among them as long as its row is. A file of an earlier release
    knows none.
    """
    if not knows_agents(conn):
        return []
    cursor = conn.execute(sql.AGENTS)
    names = [column[0] for column in cursor.description]
    return [_agent_of(dict(zip(names, row, strict=True))) for row in cursor]


def read_hosts(conn: sqlite3.Connection, job_ids: Sequence[str]) -> dict[str, Elsewhere]:
    """Where agents run some jobs, by their ids; those that run with their worker are left out."""
    knows_links = conn.execute(sql.KNOWS_LINKS).fetchone() is not None
    statement = sql.HOSTS_OF_RUNNING if knows_links else sql.HOSTS_OF_RUNNING_ALONE
    found = conn.execute(statement, (json.dumps(list(job_ids)),)).fetchall()
    return {as_text(row[0]): elsewhere_of(row[1], row[2]) for row in found}


def elsewhere_of(host: object, link: object) -> Elsewhere:
    """What a row of an attempt says of it; a damaged one may hold anything."""
    return Elsewhere(as_text(host), link if isinstance(link, int) else None)


def agent_called(agents: Iterable[AgentSeen], id: str) -> AgentSeen | None:
    """The agent of that id, if it is there."""
    return next((agent for agent in agents if agent.id == id), None)


def _agent_of(row: dict[str, Any]) -> AgentSeen:
    """Of a damaged row, as much as can be read."""
    return AgentSeen(
        id=as_text(row["id"]),
        worker_id=as_text(row["worker_id"]),
        via=as_text(row["via"]),
        state=_STATES.get(as_text(row["state"]), "lost"),
        slots=max(0, as_int(row["slots"])),
        busy=max(0, as_int(row["busy"])),
        host=as_optional_text(row["host"]),
        pid=None if row["pid"] is None else as_int(row["pid"]),
        python=as_optional_text(row["python"]),
        load=_as_optional_float(row["load"]),
        began=_as_optional_float(row["began"]),
        heard=_as_optional_float(row["heard"]),
        latency=_as_optional_float(row["latency"]),
        trouble=as_optional_text(row["trouble"]),
    )


def _as_optional_float(value: Any) -> float | None:
    return None if value is None else as_float(value)
