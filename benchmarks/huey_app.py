"""The tasks as huey sees them; its consumer imports `queue` from here."""

from __future__ import annotations

import os
from typing import Any

from huey import SqliteHuey

from benchmarks import jobs

QUEUE_NAME = "benchmarks"
PATH_VARIABLE = "BENCHMARKS_HUEY_FILE"


def stamp(*_results: Any) -> int:
    """As `jobs.stamp`; takes what huey passes on from earlier tasks."""
    return jobs.stamp()


def gather(folder: str, expected: int) -> None:
    """As `jobs.gather`."""
    jobs.gather(folder, expected)


def make(path: str) -> tuple[Any, dict[str, Any]]:
    """A huey on that file, and its tasks by name."""
    huey = SqliteHuey(QUEUE_NAME, filename=path)
    tasks = {function.__name__: huey.task()(function) for function in (stamp, gather)}
    return huey, tasks


if PATH_VARIABLE in os.environ:
    queue, _tasks = make(os.environ[PATH_VARIABLE])
