"""`gigq_core`: processes for isolation, everything switched on."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import jobs
from benchmarks.figures import CORE
from benchmarks.peers.base import SYNCHRONOUS, GigqTables, Spec
from benchmarks.processes import ROOT
from gigq_core import Job, JobQueue, Workflow
from gigq_core.connections import close_connection, get_connection


class CorePeer(GigqTables):
    """Ours."""

    name = CORE

    def create(self, path: Path) -> None:
        JobQueue(path)

    def synchronous(self, path: Path) -> str:
        return SYNCHRONOUS[get_connection(path).execute("PRAGMA synchronous").fetchone()[0]]

    def fill(self, path: Path, specs: list[Spec]) -> None:
        JobQueue(path).submit_many(_jobs(specs))

    def load(self, path: Path, original: Path, pending: int, completed: int) -> float:
        super().load(path, original, pending, completed)
        started = time.perf_counter()
        self.create(path)
        took = time.perf_counter() - started
        self.close(path)
        return took

    def submit(self, path: Path, function: str = "stamp") -> None:
        JobQueue(path, initialize=False).submit(Job("job", getattr(jobs, function)))

    def submit_workflow(self, path: Path, specs: list[Spec]) -> None:
        workflow = Workflow("workflow")
        for job in _jobs(specs):
            workflow.add_job(job)
        workflow.submit_all(JobQueue(path))

    def close(self, path: Path) -> None:
        close_connection(path)

    def worker_argv(self, path: Path, slots: int, options: list[str]) -> list[str]:
        command = ["-m", "gigq_core", "--db", str(path), "worker", "--concurrency", str(slots)]
        return [*command, "--isolation", "process", "--chdir", str(ROOT), *options]


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
