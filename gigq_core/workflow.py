"""Workflows: jobs that depend on each other, submitted together or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gigq_core.job import Job, check_job, jobs_in, over
from gigq_core.task import TaskWrapper

if TYPE_CHECKING:
    from datetime import datetime

    from gigq_core.job import Duration, ExceptionClasses, OnCrash, OnParentFailure, OnTimeout
    from gigq_core.queue import JobQueue
    from gigq_core.retry import Backoff
    from gigq_core.unique import Unique


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

        Raises:
            TypeError: One of them is no job.
        """
        check_job("add_job", job)
        if depends_on:
            job.dependencies = [parent.id for parent in jobs_in("depends_on", depends_on)]
        self.jobs.append(job)
        self.job_map[job.id] = job
        return job

    def add_task(
        self,
        decorated_fn: TaskWrapper[..., Any],
        params: dict[str, Any] | None = None,
        depends_on: Sequence[Job] | None = None,
        pass_parent_results: bool | None = None,
        *,
        name: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        max_attempts: int | None = None,
        retry_delay: Duration | None = None,
        description: str | None = None,
        on_crash: OnCrash | None = None,
        retry: Backoff | Sequence[Duration] | None = None,
        retry_on: ExceptionClasses | None = None,
        give_up_on: ExceptionClasses | None = None,
        on_timeout: OnTimeout | None = None,
        run_at: datetime | str | None = None,
        run_after: Duration | None = None,
        on_parent_failure: OnParentFailure | None = None,
        batch: str | None = None,
        stall_timeout: Duration | None = None,
        ours: bool | None = None,
        lane: str | None = None,
        unique: bool | str | Unique | None = None,
        memory: int | str | None = None,
    ) -> Job:
        """Add a job made from a function with `@task`.

        The options are those of `task`; None leaves one as the decorated function has it. Of two
        that exclude each other, such as `retry` and `retry_delay`, the one that is given here
        stands.

        Args:
            decorated_fn: The decorated function.
            params: Its keyword arguments; JSON must be able to hold them.
            depends_on: The jobs that must complete before.
            pass_parent_results: Whether to hand the parents' results to the function; None does so
                if it has a parameter `parent_results`.
            name: What people call it.
            priority: Higher runs first.
            timeout: How long an attempt may run.
            max_attempts: How often it may be started.
            retry_delay: How long to wait before the next attempt.
            description: A note for people.
            on_crash: What becomes of it when its process dies.
            retry: Delays that differ.
            retry_on: Only these exceptions are retried.
            give_up_on: These exceptions are never retried.
            on_timeout: What becomes of it when an attempt runs too long.
            run_at: Not before this moment.
            run_after: Not before so much time has passed.
            on_parent_failure: What becomes of it when a parent fails for good.
            batch: A name for jobs that belong together.
            stall_timeout: How long an attempt may be silent.
            ours: Hide it from GigQ's workers.
            lane: The lane that it waits in.
            unique: Submit it only where no other job has its key.
            memory: The most memory that an attempt may use.

        Returns:
            The job, for others to depend on.

        Raises:
            TypeError: The function was not decorated, does not take `params`, JSON can't hold
                them, or an option is of the wrong type.
            ValueError: A value is NaN or infinite, which JSON has no word for, or an option is out
                of range.
        """
        if not isinstance(decorated_fn, TaskWrapper):
            raise TypeError("add_task() takes a function with @task: use add_job() for a Job.")
        options: dict[str, Any] = {
            "name": name,
            "priority": priority,
            "timeout": timeout,
            "max_attempts": max_attempts,
            "retry_delay": retry_delay,
            "description": description,
            "on_crash": on_crash,
            "retry": retry,
            "retry_on": retry_on,
            "give_up_on": give_up_on,
            "on_timeout": on_timeout,
            "run_at": run_at,
            "run_after": run_after,
            "on_parent_failure": on_parent_failure,
            "batch": batch,
            "stall_timeout": stall_timeout,
            "ours": ours,
            "lane": lane,
            "unique": unique,
            "memory": memory,
        }
        job = decorated_fn.to_job(**(params or {}))
        given = {option: value for option, value in options.items() if value is not None}
        for option, value in over({name: getattr(job, name) for name in options}, given).items():
            setattr(job, option, value)
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
            CycleError: The jobs form a dependency cycle; nothing was written, nor with the errors
                below.
            DuplicateJob: One of them was submitted before.
            TypeError: A job can't be stored as it now is.
            ValueError: A value of a job is out of range.
            DatabaseError: The queue's file can't be written.
        """
        run_id = str(uuid.uuid4())
        for job in self.jobs:
            job.workflow, job.workflow_id = self.name or None, run_id
        return queue.submit_many(self.jobs)
