"""Submitting a job of the user's project without importing any of it here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gigq_core import Job, JobQueue
from gigq_core.errors import GigQError
from gigq_core.job import Duration, FunctionReference, JobOptions
from gigq_core.schedules.rules import CatchUp, Overlap
from gigq_core.submitting.bulk import BulkTrouble, JobTemplate, lines_of, opened, read_jobs
from gigq_tui.actions.functions.inspection import FunctionInfo, inspect_function

MAX_COPIES = 10_000


@dataclass(frozen=True)
class ScheduleTerms:
    """What a schedule is besides its job; see `JobQueue.schedule`."""

    name: str
    when: str
    zone: str
    catch_up: CatchUp
    overlap: Overlap


@dataclass(frozen=True)
class SubmitRequest:
    """What the form asks for.

    With `jsonl`, the path of a file, each of its lines is a job, and the rest is what they have in
    common. With `schedule`, the job is not submitted, but stored: its slots submit it.
    """

    function: str
    params: dict[str, Any] = field(default_factory=dict)
    options: JobOptions = field(default_factory=JobOptions)
    copies: int = 1
    jsonl: Path | None = None
    schedule: ScheduleTerms | None = None

    @property
    def template(self) -> JobTemplate:
        """What its jobs have in common.

        Raises:
            ValueError: The function can't be the path of one.
        """
        options = replace(
            self.options,
            timeout=_whole(self.options.timeout),
            retry_delay=_whole(self.options.retry_delay),
        )
        return JobTemplate(FunctionReference.parse(self.function), self.params, options)


def jobs_for(request: SubmitRequest) -> list[Job]:
    """The jobs that the request describes, checked but not yet in any queue.

    Raises:
        GigQError: A value is of the wrong kind or out of range; the sentence says which.
    """
    if not 1 <= request.copies <= MAX_COPIES:
        raise GigQError(f"copies is {request.copies}: it must be from 1 to {MAX_COPIES:,}.")
    try:
        return [request.template.job({}, {}) for _ in range(request.copies)]
    except (TypeError, ValueError) as problem:
        raise GigQError(str(problem)) from None


def jobs_of_lines(
    request: SubmitRequest, info: FunctionInfo, unwanted: Callable[[], bool] = lambda: False
) -> list[Job]:
    """The jobs that the lines of the request's file describe, all of them checked.

    Args:
        request: What they have in common, and the file.
        info: The function.
        unwanted: Asked from time to time whether to give up.

    Raises:
        GigQError: The file can't be read; `BulkTrouble` where lines are wrong.
        Unwanted: `unwanted` said so.
    """
    assert request.jsonl is not None
    try:
        template = request.template
    except ValueError as problem:
        raise GigQError(str(problem)) from None
    with opened(request.jsonl) as stream:
        return read_jobs(lines_of(stream), template, info.misfit, unwanted)


def job_for(request: SubmitRequest, python: str, chdir: Path) -> Job:
    """The one job of a request, once its function was found where the workers will run it.

    Raises:
        GigQError: The request is wrong, or the function can't be imported or does not take these
            parameters.
    """
    (job,) = jobs_for(request)
    info = inspect_function(request.function, python, chdir)
    if misfit := info.misfit(request.params):
        raise GigQError(misfit)
    job.ours = job.ours or info.takes.ours
    return job


def submit(path: Path, request: SubmitRequest, python: str, chdir: Path) -> list[Job]:
    """Check the function where the workers will run it, then insert the rows in one transaction.

    Args:
        path: The queue file.
        request: What to submit.
        python: The interpreter of the workers' jobs.
        chdir: The folder in which they run.

    Returns:
        The new jobs, in order.

    Raises:
        GigQError: The request is wrong, the function can't be imported or does not take these
            parameters, or the file can't be written.
    """
    jobs = [] if request.jsonl is not None else jobs_for(request)
    info = inspect_function(request.function, python, chdir)
    if info.takes.ours:
        # GigQ's workers could not run it.
        request = replace(request, options=replace(request.options, ours=True))
        for job in jobs:
            job.ours = True
    if request.jsonl is not None:
        try:
            jobs = jobs_of_lines(request, info)
        except BulkTrouble as problem:
            raise GigQError(f"Nothing was submitted: {problem.summary}") from None
    elif misfit := info.misfit(request.params):
        raise GigQError(misfit)
    queue = JobQueue(path)
    try:
        queue.submit_many(jobs)
        return jobs
    finally:
        queue.close()


def _whole(seconds: Duration) -> Duration:
    """Whole seconds as the integer that GigQ itself would store."""
    return int(seconds) if isinstance(seconds, float) and seconds.is_integer() else seconds
