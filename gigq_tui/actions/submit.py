"""Submitting a job of the user's project without importing any of it here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gigq_core import Job, JobQueue
from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference
from gigq_tui.actions.functions import inspect_function

MAX_COPIES = 10_000


@dataclass(frozen=True)
class SubmitRequest:
    """What the form asks for. `timeout` and `retry_delay` in seconds."""

    function: str
    name: str
    params: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    timeout: float = 300.0
    max_attempts: int = 3
    retry_delay: float = 0.0
    dependencies: tuple[str, ...] = ()
    description: str = ""
    copies: int = 1


def jobs_for(request: SubmitRequest) -> list[Job]:
    """The jobs that the request describes, checked but not yet in any queue.

    Raises:
        GigQError: A value is of the wrong kind or out of range; the sentence says which.
    """
    if not 1 <= request.copies <= MAX_COPIES:
        raise GigQError(f"copies is {request.copies}: it must be from 1 to {MAX_COPIES:,}.")
    try:
        reference = FunctionReference.parse(request.function)
        return [
            Job(
                name=request.name,
                function=reference,
                params=dict(request.params),
                priority=request.priority,
                dependencies=list(request.dependencies),
                max_attempts=request.max_attempts,
                timeout=_whole(request.timeout),
                description=request.description,
                retry_delay=_whole(request.retry_delay),
            )
            for _ in range(request.copies)
        ]
    except (TypeError, ValueError) as problem:
        raise GigQError(str(problem)) from None


def submit(path: Path, request: SubmitRequest, python: str, chdir: Path) -> list[str]:
    """Check the function where the workers will run it, then insert the rows in one transaction.

    Returns:
        The ids of the new jobs, in order.

    Raises:
        GigQError: The request is wrong, the function can't be imported or does not take these
            parameters, or the file can't be written.
    """
    jobs = jobs_for(request)
    misfit = inspect_function(request.function, python, chdir).misfit(request.params)
    if misfit:
        raise GigQError(misfit)
    queue = JobQueue(path)
    try:
        return list(queue.submit_many(jobs))
    finally:
        queue.close()


def _whole(seconds: float) -> float:
    """Whole seconds as the integer that GigQ itself would store."""
    return int(seconds) if isinstance(seconds, float) and seconds.is_integer() else seconds
