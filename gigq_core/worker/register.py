"""The worker's own row: where it says who it is, and is asked for things."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from gigq_core.errors import WorkerIdInUse
from gigq_core.fleet.agents_seen import BY_AGENTS, AgentSeen
from gigq_core.fleet.utc_offsets import note_offset, utc_offset_s
from gigq_core.schema import agent_statements
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.features import Feature, use
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.status import WorkerState
from gigq_core.system.identity import ProcessIdentity, current_identity, is_dead
from gigq_core.text import storable
from gigq_core.units.times import Moment
from gigq_core.worker import rescue

# Workers that stopped are remembered for so long.
REMEMBER_S = 24 * 3600.0

logger = logging.getLogger("gigq_core.worker")


class Agents(Protocol):
    """What runs a worker's jobs elsewhere, as far as the file is told of it."""

    # Whether there is news since it was written last.
    changed: bool

    def rows(self) -> Sequence[AgentSeen]: ...
    def written(self) -> None: ...


class Asked(Protocol):
    """Answers what others ask of the worker through the file."""

    def look(self) -> None:
        """Take in what is asked; a plain read."""

    def answer(self) -> None:
        """Write what there is to answer, in a transaction of its own."""


@dataclass
class Register:
    """What the row says; `enrolled` once it is in the file."""

    id: str
    owner: str
    isolation: str
    slots: int
    python: str | None
    chdir: str | None
    log_path: str | None
    # The lanes that it takes too, and those that it takes alone, as JSON.
    lanes: str | None = None
    only_lanes: str | None = None
    state: WorkerState = "running"
    done: int = 0
    failed: int = 0
    claimed: float | None = None
    # The request that the present state answers.
    answered: str | None = None
    enrolled: bool = False
    # As it is in the file.
    utc_offset_s: int | None = None
    # None for a worker whose jobs run on its own machine.
    agents: Agents | None = None
    asked: Asked | None = None

    @property
    def has_agent_news(self) -> bool:
        """Whether something has changed among its agents."""
        return self.agents is not None and self.agents.changed

    def values(self) -> dict[str, Any]:
        """The row's columns, as they are to be written, with the identity of this process."""
        written = {**vars(self), **current_identity()._asdict()}
        # Folders and hosts may have names that no file of ours takes.
        return {k: storable(v) if isinstance(v, str) else v for k, v in written.items()}

    @property
    def keeps_agenda(self) -> bool:
        """Whether it does what stands on the agenda: one that ends leaves that to others."""
        return self.state in ("running", "paused")


def enrol(conn: sqlite3.Connection, own: Register, now: Moment) -> None:
    """Write the worker's row, within the caller's transaction.

    A dead worker's row under the same id is taken over, once its jobs are given back.

    Raises:
        WorkerIdInUse: a live worker, or one that can't be judged from here, has the id.
    """
    row = conn.execute(sql.WORKER_BY_ID, (own.id,)).fetchone()
    if row is not None and row["state"] != "stopped":
        if is_dead(ProcessIdentity.of_row(row)) is not True:
            raise WorkerIdInUse(
                f"A worker {own.id} already works on this file (pid {row['pid']} on "
                f"{row['host']}): choose another --worker-id, or stop that one."
            )
        if row["isolation"] == BY_AGENTS:
            # What they run may go on for a while: the row stays, by another name, until it is over.
            values = {"id": own.id, "new": f"{own.id}~{row['pid']}"}
            for statement in (sql.RENAME_WORKER, sql.RENAME_HOLDER, agent_statements.RENAME_AGENTS):
                conn.execute(statement, values)
        else:
            lost = [r for r in conn.execute(sql.RUNNING_JOBS) if r["worker_id"] == own.id]
            rescue.rescue(conn, lost)
    conn.execute(sql.REGISTER, {**own.values(), "now": now.text, "utc": now.utc})
    conn.execute(sql.FORGET_OLD_WORKERS, {"before": now.utc - REMEMBER_S})
    if own.agents is not None:
        use(conn, Feature.AGENTS)
    conn.execute(agent_statements.FORGET_AGENTS_OF, (own.id,))
    conn.execute(agent_statements.FORGET_OLD_AGENTS)
    conn.execute(sql.FORGET_DEATHS)
    own.utc_offset_s = note_offset(conn, own.id)


def look_up(conn: sqlite3.Connection, own: Register) -> None:
    """See whether the worker's row is in the file; a plain read.

    Whoever was interrupted in a transaction may not know whether that was committed.
    """
    row = conn.execute(sql.WORKER_BY_ID, (own.id,)).fetchone()
    lives = row is not None and row["state"] != "stopped"
    own.enrolled = lives and ProcessIdentity.of_row(row) == current_identity()


def beat(
    conn: sqlite3.Connection,
    own: Register,
    done: int,
    failed: int,
    claimed: float | None,
    now: Moment,
) -> None:
    """Say that the worker lives, with what it has done since."""
    if own.utc_offset_s != utc_offset_s():
        own.utc_offset_s = note_offset(conn, own.id)
    found = conn.execute(
        sql.BEAT,
        {
            "id": own.id,
            "state": own.state,
            "slots": own.slots,
            "done": own.done + done,
            "failed": own.failed + failed,
            "claimed": claimed,
            "answered": own.answered,
        },
    ).rowcount
    if not found:
        # Somebody deleted the row.
        conn.execute(sql.REGISTER, {**own.values(), "now": now.text, "utc": now.utc})
    if own.agents is not None:
        _write_agents(conn, own.id, own.agents)


def _write_agents(conn: sqlite3.Connection, worker_id: str, agents: Agents) -> None:
    """Say how the worker's agents are, which shares its fate with nothing else."""
    try:
        with savepoint(conn):
            rows = agents.rows()
            ids = json.dumps([row.id for row in rows])
            conn.execute(agent_statements.FORGET_OTHER_AGENTS, (worker_id, ids))
            conn.executemany(agent_statements.WRITE_AGENT, map(asdict, rows))
    except (sqlite3.Error, ValueError, OverflowError) as problem:
        if is_passing(problem) or not conn.in_transaction:
            raise
        logger.error("The file can't be told how the agents are: %s", problem)


def retire(
    conn: sqlite3.Connection,
    own: Register,
    done: int,
    failed: int,
    claimed: float | None,
    now: Moment,
) -> None:
    """Close the worker's row."""
    conn.execute(
        sql.RETIRE,
        {
            "id": own.id,
            "done": own.done + done,
            "failed": own.failed + failed,
            "claimed": claimed,
            "now": now.text,
            "utc": now.utc,
        },
    )
    if own.agents is not None:
        # What was wrong with them last may be why it ends.
        _write_agents(conn, own.id, own.agents)
        conn.execute(agent_statements.END_AGENTS, (own.id,))
