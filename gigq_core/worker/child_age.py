"""Whether a child process has served its time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from gigq_core.units.sizes import bytes_in
from gigq_core.worker.runner import mark_of

# How often the files that children have loaded are looked at for changes, in seconds; and at most
# this share of the time is spent on it.
FILES_EVERY_S = 1.0
FILES_SHARE = 0.01
# A child is replaced after so many jobs, or when it has grown so large.
JOBS_PER_CHILD = 5_000
LARGEST_KB = 1024 * 1024
# No process is smaller, in bytes.
LEAST_MEMORY = 1024 * 1024
# After so many different jobs in a row that failed in it.
FAILED_IN_A_ROW = 2


@dataclass(frozen=True)
class Limits:
    """When a child is replaced, whatever its state.

    Args:
        jobs: after so many jobs.
        memory_kb: when it has been larger than so many kilobytes; None for the usual size, which
            counts only if it grew there by more than its first job.
    """

    jobs: int = JOBS_PER_CHILD
    memory_kb: int | None = None


def limits_of(jobs_per_child: int | None, max_child_memory: int | str | None) -> Limits:
    """The limits that somebody asked for.

    Raises:
        ValueError: they make no sense.
    """
    jobs, size = jobs_per_child, max_child_memory
    if jobs is None:
        jobs = JOBS_PER_CHILD
    elif isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs_per_child must be a whole number >= 1, got {jobs!r}")
    if size is None:
        return Limits(jobs)
    if isinstance(size, str):
        size = bytes_in(size)
    if isinstance(size, bool) or not isinstance(size, int) or size < LEAST_MEMORY:
        raise ValueError(
            f"max_child_memory must be at least 1M, got {max_child_memory!r}: "
            "an interpreter alone takes about 10M"
        )
    return Limits(jobs, size // 1024)


class Sources:
    """The loaded files of all children of a worker, looked at together."""

    def __init__(self) -> None:
        self.ages: WeakSet[ChildAge] = WeakSet()
        self.marks: dict[str, int] = {}
        self._next = 0.0

    def refresh(self, now: float) -> None:
        """Look at the files, if it is time by the monotonic clock."""
        if now < self._next:
            return
        begun = time.perf_counter()
        paths = set().union(*(age.files for age in self.ages))
        self.marks = {path: mark_of(path) for path in paths}
        self._next = now + max(FILES_EVERY_S, (time.perf_counter() - begun) / FILES_SHARE)


class ChildAge:
    """What tells that one child should be replaced."""

    def __init__(self, limits: Limits, sources: Sources) -> None:
        # The files that it has loaded, with their marks at that time.
        self.files: dict[str, int] = {}
        self._limits = limits
        self._sources = sources
        self._marks: dict[str, int] = {}
        self._jobs_done = 0
        self._first_peak = 0
        self._failed: set[str] = set()
        self._in_a_row: list[str] = []
        self._reason = ""
        sources.ages.add(self)

    def note(self, answer: dict[str, Any]) -> None:
        """Take in what the child said of itself at the end of a job."""
        self._jobs_done += 1
        if answer.get("files"):
            self.files.update(answer["files"])
            self._marks = {}
        peak = answer.get("peak", 0)
        self._first_peak = self._first_peak or peak
        if answer.get("left"):
            self._reason = f"a job left {', '.join(answer['left'])}"
        elif self._is_large(peak):
            self._reason = f"it has grown to {peak // 1024:,} MB"
        elif self._jobs_done >= self._limits.jobs:
            self._reason = f"it has run {self._jobs_done:,} jobs"

    def _is_large(self, peak: int) -> bool:
        if self._limits.memory_kb is not None:
            return peak > self._limits.memory_kb
        return peak > LARGEST_KB and peak > self._first_peak

    def note_end(self, job_id: str, failed: bool) -> None:
        """Take in how a job ended."""
        if not failed:
            self._in_a_row.clear()
            return
        self._failed.add(job_id)
        if job_id not in self._in_a_row:
            self._in_a_row.append(job_id)
        if len(self._in_a_row) >= FAILED_IN_A_ROW:
            self._reason = self._reason or f"{FAILED_IN_A_ROW} jobs in a row failed in it"

    def suits(self, job_id: str) -> bool:
        """Whether the child may run the job: not if that has failed in it before."""
        return job_id not in self._failed

    def reason(self, now: float) -> str:
        """Why the child should take no more jobs; nothing if it may."""
        if not self._reason:
            self._sources.refresh(now)
            if self._marks is not self._sources.marks:
                self._compare()
        return self._reason

    def _compare(self) -> None:
        self._marks = marks = self._sources.marks
        for path, mark in self.files.items():
            # One that is new here has not been looked at yet.
            if marks.get(path, mark) != mark:
                self._reason = f"{path} has changed"
                return
