"""Asking a running job where it is: its process answers, or the agent that runs it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gigq_core.errors import GigQError
from gigq_core.inspection.stack import stack_of
from gigq_tui.actions.shell_command import for_jobs
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock


@dataclass(frozen=True)
class StackTaken:
    """The stack of a job at one moment, or the sentence that says why it can't be had.

    `twin` is the shell command that prints the same.
    """

    job_id: str
    taken_at: datetime
    text: str
    trouble: str
    twin: str


def take_stack(
    path: Path, job_id: str, clock: Clock = SYSTEM_CLOCK, *, read_only: bool = False
) -> StackTaken:
    """Take the stack of the function that a job runs now. Blocks until its process answers.

    Args:
        path: The queue file.
        job_id: Which job.
        clock: Tells when it was taken.
        read_only: Whether the file must not be written: an agent is asked through it.
    """
    text = trouble = ""
    try:
        text = stack_of(path, job_id, read_only=read_only)
    except (GigQError, OSError) as problem:
        trouble = str(problem)
    return StackTaken(job_id, clock.now(), text, trouble, for_jobs(path, "stack", [job_id]))
