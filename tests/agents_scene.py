"""The queue of `scene`, and beside its workers one whose jobs run on other hosts, by agents."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.schema.agent_statements import WRITE_AGENT
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.features import Feature, use
from tests import scene
from tests.scene_rows import Job, Try

WORKER = "w8"
REFUSED = (
    'The agent at "ssh old1" is of gigq 0.3, this worker of 0.1.0: install the same release there'
)


def seconds(ago: float) -> float:
    """The moment that many seconds before the scene's, in UTC seconds."""
    return (scene.NOW - timedelta(seconds=ago)).timestamp()


AGENTS = (
    AgentSeen(
        *(f"{WORKER}/1", WORKER, "ssh gpu1", "ready", 4, 2, "gpu1", 4242, "3.12.4"),
        *(3.24, seconds(1860), seconds(1), 0.004),
    ),
    AgentSeen(
        *(f"{WORKER}/2", WORKER, "srun -n1 --mem=4G", "silent", 2, 1, "gpu2", 977, "3.11.9"),
        *(1.1, seconds(260), seconds(12), 0.021),
    ),
    AgentSeen(
        *(f"{WORKER}/3", WORKER, "kubectl exec -i trainer-0 --", "lost", 2, 0),
        *("trainer-0.cluster.example.org", 31, "3.12.4", 0.4, seconds(3720), seconds(95), 0.032),
        "Connection reset by peer; a new link is made in 8s",
    ),
    AgentSeen(f"{WORKER}/4", WORKER, "ssh old1", "refused", trouble=REFUSED),
    AgentSeen(f"{WORKER}/5", WORKER, "dask:tcp://head:8786", "starting"),
)


def _ran(
    name: str, there: AgentSeen, *tries: Try, status: str = "running"
) -> tuple[Job, AgentSeen]:
    function = f"pipeline.train.{name.rpartition('_')[0]}"
    job = Job(name, status, tries[0].started + 40, function, tries, timeout=3600)
    return job, there


JOBS = (
    _ran("embed_docs", AGENTS[0], Try(WORKER, 340, None, "running", output="loading 4 shards\n")),
    _ran("train_vision", AGENTS[0], Try(WORKER, 1500, None, "running")),
    _ran("eval_vision", AGENTS[1], Try(WORKER, 201, None, "running")),
    _ran(
        *("train_speech", AGENTS[1]),
        Try(WORKER, 2400, 2300, "failed", "RuntimeError: CUDA out of memory"),
        Try(WORKER, 2200, 1400),
        status="completed",
    ),
)


def build(path: Path) -> Path:
    """Write it to a new file and return its path; see `scene.build`."""
    scene.build(path)
    conn = open_for_work(path, create=False)
    try:
        conn.execute("BEGIN IMMEDIATE")
        _insert(conn, path)
        conn.execute("COMMIT")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        conn.close()
    return path


def _insert(conn: sqlite3.Connection, path: Path) -> None:
    worker = {"id": WORKER, "pid": 4180, "slots": 8, "up": 1900, "done": 212, "failed": 3}
    scene._insert_worker(conn, path, {**worker, "claim": 201})
    conn.execute("UPDATE core_workers SET isolation = 'agents' WHERE id = ?", (WORKER,))
    conn.executemany(WRITE_AGENT, map(asdict, AGENTS))
    use(conn, Feature.AGENTS)
    for job, there in JOBS:
        scene._insert_job(conn, path, job)
        conn.execute(
            "UPDATE job_executions SET agent = ?, link = ? WHERE job_id = ?",
            (there.host, int(there.id.rpartition("/")[2]), scene.job_id(job.name)),
        )
