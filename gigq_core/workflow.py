"""Workflows: jobs that depend on each other, submitted together or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gigq_core.job import Job
from gigq_core.task import TaskWrapper, check_options

if TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers know it, whatever is installed

    from gigq_core.job import TaskOptions
    from gigq_core.queue import JobQueue


class Workflow:
    """A named set of jobs with their dependencies, submitted together or not at all.

    Args:
        name: What people call it.

    Attributes:
        name: What people call it.
        jobs: The jobs, in the order in which they were added.
        job_map: The same jobs by their ids.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: list[Job] = []
        self.job_map: dict[str, Job] = {}

    def add_job(self, job: Job, depends_on: Sequence[Job] | None = None) -> Job:
        """Add a job.

        Args:
            job: The job, not yet submitted.
            depends_on: The jobs that must complete before. Unless empty, they replace those that
                the job names itself.

        Returns:
            The job, for others to depend on.
        """
        if depends_on:
            job.dependencies = [parent.id for parent in depends_on]
        self.jobs.append(job)
        self.job_map[job.id] = job
        return job

    def add_task(
        self,
        decorated_fn: TaskWrapper[..., Any],
        params: dict[str, Any] | None = None,
        depends_on: Sequence[Job] | None = None,
        pass_parent_results: bool | None = None,
        **options: Unpack[TaskOptions],
    ) -> Job:
        """Add a job made from a function with `@task`.

        Args:
            decorated_fn: The decorated function.
            params: Its keyword arguments; JSON must be able to hold them.
            depends_on: The jobs that must complete before.
            pass_parent_results: Whether to hand the parents' results to the function; None does so
                if it has a parameter `parent_results`.
            **options: As for `task`; they come over those of the decorated function.

        Returns:
            The job, for others to depend on.

        Raises:
            TypeError: The function was not decorated, does not take `params`, JSON can't hold
                them, or an option is unknown.
            ValueError: A value is NaN or infinite, which JSON has no word for, or an option is out
                of range.
        """
        if not isinstance(decorated_fn, TaskWrapper):
            raise TypeError("add_task() takes a function with @task: use add_job() for a Job.")
        check_options("add_task()", options)
        job = decorated_fn.to_job(**(params or {}))
        for name, value in options.items():
            setattr(job, name, value)
        job.check()
        if pass_parent_results is not None:
            job.pass_parent_results = pass_parent_results
        return self.add_job(job, depends_on=depends_on)

    def submit_all(self, queue: JobQueue) -> list[str]:
        """Submit every job in one transaction: all of them, or none.

        Each gets the workflow's name (`job.workflow`), and an id that is new with each submission
        (`job.workflow_id`), by which `JobQueue.workflows` knows them.

        Args:
            queue: Where to.

        Returns:
            Their ids, in the order in which they were added.

        Raises:
            CycleError: Jobs depend on each other in a circle; nothing was written. So for the
                others.
            DuplicateJob: One of them was submitted before.
            TypeError: A job can't be stored as it now is.
            ValueError: A value of a job is out of range.
            DatabaseError: The queue's file can't be written.
        """
        run_id = str(uuid.uuid4())
        for job in self.jobs:
            job.workflow, job.workflow_id = self.name or None, run_id
        return queue.submit_many(self.jobs)
