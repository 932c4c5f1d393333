"""Agents: what runs the jobs of a worker elsewhere, and where jobs run and ran."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

from gigq_core.fleet.agents_seen import AgentSeen, agent_called, elsewhere_of, read_agents
from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.rows.decoding import as_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import JobRow
from gigq_tui.store.statuses import RUNNING

# Among the columns that rows are read with: where they run or ran.
HOST = "host"


def agents_of(conn: sqlite3.Connection, workers: Collection[str]) -> dict[str, list[AgentSeen]]:
    """The agents of some workers by the ids of those; nothing is read where there are none."""
    found: dict[str, list[AgentSeen]] = {}
    for agent in read_agents(conn) if workers else ():
        if agent.worker_id in workers:
            found.setdefault(agent.worker_id, []).append(agent)
    return found


def hosts_of_running(
    conn: sqlite3.Connection, schema: FileSchema, most: int
) -> dict[str, Elsewhere]:
    """Where agents run jobs now, by the ids of the jobs.

    Args:
        conn: the file.
        schema: what it is made of.
        most: how many running jobs are looked at.
    """
    if "agent" not in schema.execution_columns:
        return {}
    found = conn.execute(queries.running_elsewhere(schema), (most,)).fetchall()
    return {as_text(r["id"]): elsewhere_of(r["agent"], r["link"]) for r in found}


def with_hosts(
    conn: sqlite3.Connection, schema: FileSchema, rows: Sequence[JobRow]
) -> tuple[JobRow, ...]:
    """The rows with the hosts on which agents ran their last attempts."""
    if not rows or "agent" not in schema.execution_columns:
        return tuple(rows)
    ids = json.dumps([row.id for row in rows])
    found = conn.execute(queries.last_hosts(schema), (ids,)).fetchall()
    hosts = {as_text(record["job_id"]): as_text(record["agent"]) for record in found}
    return tuple(replace(row, host=hosts[row.id]) if row.id in hosts else row for row in rows)


def with_link(row: JobRow, there: Elsewhere | None, agents: Sequence[AgentSeen]) -> JobRow:
    """A running row with the agent that runs it."""
    if there is None or row.status != RUNNING:
        return row
    return replace(row, host=there.host, link=agent_called(agents, there.agent(row.worker_id)))
