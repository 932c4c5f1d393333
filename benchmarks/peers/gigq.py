"""The public package `gigq`, as it is installed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from gigq import Job, JobQueue, Workflow
from gigq.db_utils import close_connection, get_connection

from benchmarks import jobs
from benchmarks.figures import GIGQ
from benchmarks.peers.base import SYNCHRONOUS, GigqTables, Spec

INSERT = """
INSERT INTO jobs (id, name, function_name, function_module, params, priority, dependencies,
                  max_attempts, timeout, description, status, created_at, updated_at, attempts,
                  retry_delay)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 'pending', ?, ?, 0, 0)"""


class GigqPeer(GigqTables):
    """GigQ: it has no bulk submit, so `fill` writes its rows by SQL."""

    name = GIGQ

    def create(self, path: Path) -> None:
        JobQueue(str(path))

    def synchronous(self, path: Path) -> str:
        return SYNCHRONOUS[get_connection(str(path)).execute("PRAGMA synchronous").fetchone()[0]]

    def fill(self, path: Path, specs: list[Spec]) -> None:
        with get_connection(str(path)) as conn:
            conn.executemany(INSERT, [_row(job) for job in _jobs(specs)])

    def submit(self, path: Path, function: str = "stamp") -> None:
        JobQueue(str(path), initialize=False).submit(Job("job", getattr(jobs, function)))

    def submit_workflow(self, path: Path, specs: list[Spec]) -> None:
        workflow = Workflow("workflow")
        for job in _jobs(specs):
            workflow.add_job(job)
        workflow.submit_all(JobQueue(str(path)))

    def close(self, path: Path) -> None:
        close_connection(str(path))

    def worker_argv(self, path: Path, slots: int, options: list[str]) -> list[str]:
        return [
            "-m",
            "gigq.cli",
            "--db",
            str(path),
            "worker",
            "--concurrency",
            str(slots),
            *options,
        ]


def _row(job: Job) -> tuple[object, ...]:
    now = datetime.now().isoformat()
    function = job.function
    return (
        job.id,
        job.name,
        function.__name__,
        function.__module__,
        json.dumps(job.params),
        job.priority,
        json.dumps(job.dependencies),
        job.max_attempts,
        job.timeout,
        now,
        now,
    )


def _jobs(specs: list[Spec]) -> list[Job]:
    made: list[Job] = []
    for spec in specs:
        made.append(
            Job(
                "job",
                getattr(jobs, spec.function),
                params=spec.params,
                priority=spec.priority,
                dependencies=[made[parent].id for parent in spec.parents],
                max_attempts=spec.max_attempts,
                timeout=spec.timeout,
            )
        )
    return made
