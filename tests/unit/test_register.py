"""How a worker takes over the row of one that died."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from gigq_core import JobQueue
from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.schema.agent_statements import WRITE_AGENT
from gigq_core.units.times import Moment
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register, enrol


def test_a_worker_with_agents_may_die_again_with_the_number_that_it_had_before(
    tmp_path: Path,
) -> None:
    """In a container it has the same one each time."""
    JobQueue(tmp_path / "queue.db").close()
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    with closing(Ledger(tmp_path / "queue.db", runs_script=False)) as ledger:
        for _ in range(4):
            with ledger.writing() as conn:
                own = Register("far", "cli", "agents", 1, None, None, None)
                enrol(conn, own, Moment.now())
                agent = AgentSeen("far/1", "far", "ssh gpu1", "ready")
                conn.execute(WRITE_AGENT, vars(agent))
                conn.execute("UPDATE core_workers SET pid = ? WHERE id = 'far'", (died.pid,))
        rows = ledger.conn.execute("SELECT id FROM core_agents ORDER BY id").fetchall()
        assert [row["id"] for row in rows] == ["far/1", f"far~{died.pid}/1"]
