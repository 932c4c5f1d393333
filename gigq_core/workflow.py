"""Workflows: jobs that depend on each other, submitted together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gigq_core.job import Job
from gigq_core.task import TaskWrapper

if TYPE_CHECKING:
    from gigq_core.queue import JobQueue


class Workflow:
    """A named set of jobs with their dependencies.

    Args:
        name: what people call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: list[Job] = []
        self.job_map: dict[str, Job] = {}

    def add_job(self, job: Job, depends_on: Sequence[Job] | None = None) -> Job:
        """Add a job; `depends_on`, unless empty, replaces the job's dependencies."""
        if depends_on:
            job.dependencies = [parent.id for parent in depends_on]
        self.jobs.append(job)
        self.job_map[job.id] = job
        return job

    def add_task(
        self,
        decorated_fn: TaskWrapper,
        params: dict[str, Any] | None = None,
        depends_on: Sequence[Job] | None = None,
        pass_parent_results: bool | None = None,
    ) -> Job:
        """Add a job made from a function with `@task`.

        Args:
            decorated_fn: the decorated function.
            params: its keyword arguments.
            depends_on: the jobs that must complete before.
            pass_parent_results: as for `Job`.

        Raises:
            TypeError: the function was not decorated, or `params` can't be stored.
        """
        if not isinstance(decorated_fn, TaskWrapper):
            raise TypeError("add_task() takes a function with @task: use add_job() for a Job.")
        job = decorated_fn.to_job(**(params or {}))
        if pass_parent_results is not None:
            job.pass_parent_results = pass_parent_results
        return self.add_job(job, depends_on=depends_on)

    def submit_all(self, queue: JobQueue) -> list[str]:
        """Submit every job in one transaction; returns their ids in the order they were added.

        Raises:
            CycleError: jobs depend on each other in a circle; nothing was written.
            TypeError, ValueError: a job can't be stored; nothing was written.
            DatabaseError: the queue's file can't be written.
        """
        return queue.submit_many(self.jobs)
