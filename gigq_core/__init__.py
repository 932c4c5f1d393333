"""A job queue in one SQLite file: jobs, queue, workers, workflows.

The names, and what they mean, are those of the public package GigQ: its users switch by changing
an import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gigq_core.changes.undo import Undo
from gigq_core.connections import close_connections
from gigq_core.duplicate_job import DuplicateJob
from gigq_core.errors import (
    AccessRefused,
    CycleError,
    DatabaseBusy,
    DatabaseError,
    DatabaseMissing,
    FileChanged,
    FilesLost,
    GigQError,
    HiddenJobs,
    JobCancelled,
    JobTimeout,
    NotAQueue,
    ScriptFunctionWarning,
    StackUnavailable,
    WorkerCannotStart,
    WorkerIdInUse,
)
from gigq_core.job import Job
from gigq_core.queue import JobQueue
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.task import TaskWrapper, task
from gigq_core.version import __version__ as __version__
from gigq_core.workflow import Workflow
from gigq_core.writing.logs import setup_logging, silence_by_default

if TYPE_CHECKING:
    from gigq_core.ready_made import post_json, run_command
    from gigq_core.retry import Backoff, GiveUp, Retry, Snooze
    from gigq_core.unique import Unique
    from gigq_core.worker import Worker

__all__ = [
    "AccessRefused",
    "Backoff",
    "Change",
    "CycleError",
    "DatabaseBusy",
    "DatabaseError",
    "DatabaseMissing",
    "DuplicateJob",
    "FileChanged",
    "FilesLost",
    "GigQError",
    "GiveUp",
    "HiddenJobs",
    "Job",
    "JobCancelled",
    "JobQueue",
    "JobStatus",
    "JobTimeout",
    "NotAQueue",
    "Outcome",
    "Retry",
    "ScriptFunctionWarning",
    "Snooze",
    "StackUnavailable",
    "TaskWrapper",
    "Undo",
    "Unique",
    "Worker",
    "WorkerCannotStart",
    "WorkerIdInUse",
    "Workflow",
    "close_connections",
    "post_json",
    "run_command",
    "setup_logging",
    "task",
]

silence_by_default()


# What most programs do without is loaded where it is used.
_LATER = {
    "Backoff": "gigq_core.retry",
    "GiveUp": "gigq_core.retry",
    "Retry": "gigq_core.retry",
    "Snooze": "gigq_core.retry",
    "Unique": "gigq_core.unique",
    "Worker": "gigq_core.worker",
    "post_json": "gigq_core.ready_made",
    "run_command": "gigq_core.ready_made",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
