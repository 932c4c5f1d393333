"""What the hooks of these tests call."""

from __future__ import annotations

import json
import os
from typing import Any


def hear(path: str, jobs: list[dict[str, Any]] | None = None, count: int = 0) -> int:
    """Append what was told, as a line of JSON."""
    line = json.dumps({"jobs": jobs, "count": count}) + "\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)
    return count


def hear_and_fail(path: str, jobs: list[dict[str, Any]] | None = None, count: int = 0) -> None:
    """The same, and fail."""
    hear(path, jobs, count)
    raise OSError("the pager is down")


def hear_and_submit(
    path: str, job_context: Any, jobs: list[dict[str, Any]] | None = None, count: int = 0
) -> None:
    """The same, and submit a job that fails."""
    hear(path, jobs, count)
    job_context.submit("tests.integration.chores.fail", name="by the hook", max_attempts=1)


def hear_needing_it(path: str, jobs: list[dict[str, Any]], count: int) -> int:
    """The same, of a function with no defaults."""
    return hear(path, jobs, count)


def hear_none(path: str) -> None:
    """It takes no jobs."""
    os.stat(path)
