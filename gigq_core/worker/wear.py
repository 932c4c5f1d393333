"""Whether a child process has served its time."""

from __future__ import annotations

import os
from typing import Any

# How often a child's loaded files are looked at for changes, in seconds.
FILES_EVERY_S = 1.0
# A child is replaced after so many jobs, or when it has grown so large.
JOBS_PER_CHILD = 5_000
LARGEST_KB = 1024 * 1024


class Wear:
    """What tells that a child should be replaced: it is used up, or its project's files changed."""

    def __init__(self) -> None:
        self._jobs_done = 0
        self._first_peak = 0
        self._used_up = False
        self._files: dict[str, int] = {}
        self._files_seen = 0.0

    def note(self, answer: dict[str, Any]) -> None:
        """Take in what the child said of itself at the end of a job."""
        self._jobs_done += 1
        self._files = answer.get("files", self._files)
        peak = answer.get("peak", 0)
        self._first_peak = self._first_peak or peak
        grown = peak > LARGEST_KB and peak > self._first_peak
        spent = bool(answer.get("spent"))
        self._used_up = spent or grown or self._jobs_done >= JOBS_PER_CHILD

    def is_worn(self, now: float) -> bool:
        """Whether the child should take no more jobs."""
        if self._used_up:
            return True
        if now - self._files_seen < FILES_EVERY_S:
            return False
        self._files_seen = now
        for path, changed in self._files.items():
            try:
                if os.stat(path).st_mtime_ns != changed:
                    return True
            except OSError:
                return True
        return False
