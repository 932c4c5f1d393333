"""Jobs of an export that wait, submitted again: to a new file, or back to the one they came from.

They keep their ids, so that those which wait for each other go on doing so, and so that none comes
twice. Attempts, results and what was saved stay behind: a job that is submitted begins anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from gigq_core.job import FunctionReference, Job
from gigq_core.status import JobStatus

# As `export` writes them, and as a tool that keeps the order of keys does.
_EXPORTED = re.compile(
    rb'\s*\{\s*"gigq"\s*:\s*"([a-z]+)"(?:\s*,\s*"status"\s*:\s*"((?:[^"\\]|\\.)*)")?'
)
_JOB = b"job"
_WAITS = JobStatus.PENDING.value
# What a job brings along that is no option.
_BROUGHT = ("workflow", "workflow_id", "submitted_by", "hook", "schedule")


class Found(NamedTuple):
    """A function that a line names.

    Attributes:
        reference: its names.
        misfit: says why it can't be called with some parameters, or nothing.
        ours: whether GigQ's workers could not run it.
    """

    reference: FunctionReference
    misfit: Callable[[Mapping[str, Any]], str]
    ours: bool


class MovedJobs:
    """What is read of an export.

    Args:
        find: finds the function of a name. What it raises becomes the mistake of the line, if it
            is a ValueError.
    """

    def __init__(self, find: Callable[[str], Found]) -> None:
        self._find = find
        self._functions: dict[str, Found] = {}
        self._met: dict[str, tuple[Job, frozenset[str]]] = {}
        self.passed_over: Counter[str] = Counter()

    @property
    def ids(self) -> list[str]:
        """The ids of the jobs that were read."""
        return list(self._met)

    @property
    def parents_met(self) -> set[str]:
        """The parents that had completed, or no longer counted, when the jobs were exported."""
        return {parent for _, met in self._met.values() for parent in met}

    def passes_over(self, line: bytes) -> bool:
        """Whether a line is of an export, and no job that waits."""
        found = _EXPORTED.match(line)
        if found is None or (found[1] == _JOB and found[2] is None):
            return False
        if found[1] != _JOB:
            return True
        status = found[2].decode("utf-8", "replace")
        if status == _WAITS:
            return False
        self.passed_over[status] += 1
        return True

    def is_one(self, line: bytes) -> bool:
        """Whether a line is a job of an export."""
        found = _EXPORTED.match(line)
        return found is not None and found[1] == _JOB and found[2] is not None

    def function(self, value: Mapping[str, Any]) -> Found:
        """The function of a line.

        Raises:
            ValueError: its row was damaged, or there is no such function.
        """
        if damaged := value.get("damaged"):
            raise ValueError(
                f"its row was damaged ({', '.join(map(str, damaged))[:80]}): mend the line, and "
                'take "damaged" out of it.'
            )
        path = str(value.get("function"))
        if path not in self._functions:
            self._functions[path] = self._find(path)
        return self._functions[path]

    def bring(self, job: Job, value: Mapping[str, Any]) -> None:
        """Give a new job what it had beside its options.

        Raises:
            ValueError: its id is there twice.
        """
        job.id = str(value["id"])
        if job.id in self._met:
            raise ValueError(f"the job {job.id} is there twice.")
        for name in _BROUGHT:
            if isinstance(text := value.get(name), str):
                setattr(job, name, text)
        if isinstance(slot := value.get("slot"), (int, float)):
            job.slot = slot
        parents = value.get("parents") or []
        met = frozenset(str(parent["id"]) for parent in parents if parent.get("met"))
        self._met[job.id] = job, met

    def leave_behind(self, there: Iterable[str]) -> int:
        """Let the jobs go on without the parents that had completed and are not in the file.

        Args:
            there: the parents that are.

        Returns:
            How many jobs do.
        """
        known = set(there)
        changed = 0
        for job, met in self._met.values():
            left = [one for one in job.dependencies if one not in met or one in known]
            changed += len(left) < len(job.dependencies)
            job.dependencies = left
        return changed
