"""What the file tells of agents, in whatever state it is."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path

from gigq_core import JobQueue
from gigq_core.fleet.agents_seen import AgentSeen, read_agents, read_hosts
from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.schema import agent_statements as sql
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.opening import connect


def opened(tmp_path: Path) -> sqlite3.Connection:
    JobQueue(tmp_path / "jobs.db").close()
    return connect(tmp_path / "jobs.db", "rw", 5.0)


def test_agents_are_read_as_they_were_written_those_of_a_worker_in_their_order(
    tmp_path: Path,
) -> None:
    whole = AgentSeen("w/2", "w", "ssh gpu1", "ready", 4, 1, "gpu1", 17, "3.12.1", 0.5, 1.0, 2.0, 3)
    written = [
        AgentSeen("w/10", "w", "ssh gpu3", "refused", trouble="it is of another version"),
        AgentSeen("v/1", "v", "srun -n1", "starting"),
        whole,
    ]
    conn = opened(tmp_path)
    conn.executemany(sql.WRITE_AGENT, map(asdict, written))
    assert read_agents(conn) == [written[1], whole, written[0]]
    conn.close()


def test_a_damaged_row_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    conn = opened(tmp_path)
    conn.execute(
        "INSERT INTO core_agents (id, worker_id, via, slots, busy, load, state, host, pid) "
        "VALUES (x'ff', 'w', x'00', 'many', -3, 'heavy', 'odd', 5, 'one')"
    )
    (seen,) = read_agents(conn)
    assert (seen.state, seen.slots, seen.busy, seen.load, seen.host) == ("lost", 0, 0, 0.0, "5")
    conn.close()


def test_a_file_that_does_not_say_which_link_it_was_gets_room_for_that(tmp_path: Path) -> None:
    conn = opened(tmp_path)
    conn.execute("ALTER TABLE job_executions DROP COLUMN link")
    conn.execute("UPDATE core_meta SET value = '3' WHERE key = 'schema_version'")
    conn.execute(
        "INSERT INTO jobs (id, name, function_name, function_module, status, created_at, "
        "updated_at, execution_id) VALUES ('j', 'n', 'f', 'm', 'running', '', '', 'e')"
    )
    conn.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, agent) "
        "VALUES ('e', 'j', 'w', 'running', '', 'gpu1')"
    )
    assert read_hosts(conn, ["j"]) == {"j": Elsewhere("gpu1")}
    conn.close()
    conn = open_for_work(tmp_path / "jobs.db", create=False)
    conn.execute("UPDATE job_executions SET link = 2")
    (there,) = read_hosts(conn, ["j"]).values()
    assert (there.host, there.agent("w")) == ("gpu1", "w/2")
    conn.execute("UPDATE job_executions SET link = 'odd'")
    (there,) = read_hosts(conn, ["j"]).values()
    assert there.agent("w") == "w"
    conn.close()


def test_a_file_of_an_earlier_release_has_none(tmp_path: Path) -> None:
    conn = opened(tmp_path)
    conn.execute("DROP TABLE core_agents")
    assert read_agents(conn) == []
    conn.close()
