"""Jobs of which nobody knows whether they had begun when their agent was lost."""

from __future__ import annotations

# So many are remembered, the last ones.
MOST = 10_000


class Doubts:
    """Gives each job the benefit of the doubt once: one that takes its agent down with it before
    that can say that it began would be tried for ever, and no attempt would count."""

    def __init__(self) -> None:
        self._jobs: dict[str, None] = {}

    def is_first(self, job_id: str) -> bool:
        """Whether it is in doubt for the first time, as it is from now on."""
        if job_id in self._jobs:
            return False
        self._jobs[job_id] = None
        if len(self._jobs) > MOST:
            del self._jobs[next(iter(self._jobs))]
        return True
