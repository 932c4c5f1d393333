"""Workers with agents as a file tells of them, without any that works."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.schema.agent_statements import WRITE_AGENT
from gigq_core.schema.worker_statements import REGISTER
from gigq_core.system.identity import current_identity
from gigq_core.units.times import Moment

_GONE = {"pid": 4_194_303, "pid_started": "1"}


def write_worker(conn: sqlite3.Connection, worker_id: str, *, dead: bool = False) -> None:
    """A worker with agents: this process, or one that is gone."""
    now = Moment.now()
    conn.execute(
        REGISTER,
        {
            **current_identity()._asdict(),
            **(_GONE if dead else {}),
            "id": worker_id,
            "owner": "cli",
            "isolation": "agents",
            "slots": 2,
            "python": None,
            "chdir": None,
            "log_path": None,
            "done": 0,
            "failed": 0,
            "lanes": None,
            "only_lanes": None,
            "now": now.text,
            "utc": now.utc,
        },
    )


def write_agents(conn: sqlite3.Connection, *agents: AgentSeen) -> None:
    """The agents as their workers would write them."""
    conn.executemany(WRITE_AGENT, map(asdict, agents))


def run_at(conn: sqlite3.Connection, job_id: str, worker_id: str, host: str) -> None:
    """Let a job run at an agent; its attempt has the id `e`."""
    now = Moment.now()
    conn.execute(
        "UPDATE jobs SET status = 'running', worker_id = ?, execution_id = 'e', began = ?, "
        "started_at = ? WHERE id = ?",
        (worker_id, now.utc, now.text, job_id),
    )
    conn.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, pid, agent) "
        "VALUES ('e', ?, ?, 'running', ?, ?, 1, ?)",
        (job_id, worker_id, now.text, now.utc, host),
    )
