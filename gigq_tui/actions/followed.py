"""What has become of the jobs of an action, from the moment of it to their ends, in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from gigq_core.status import Change, Outcome
from gigq_tui.actions.report import Report, one_name, summarise
from gigq_tui.store.outcomes.states import JobNow, JobsNow

# What leaves a job where more is to come.
FOLLOWED = frozenset(
    (
        Change.SUBMITTED,
        Change.REQUEUED,
        Change.RELEASED,
        Change.STOPPING,
        Change.REPRIORITIZED,
        Change.RESTORED,
    )
)
# Of these it is told, unasked, how they ended.
_TOLD = frozenset((Change.SUBMITTED, Change.REQUEUED, Change.RELEASED, Change.STOPPING))
_VERBS = {Change.SUBMITTED: "submitted", Change.RELEASED: "released"}

_BEFORE = "before {they} could be cancelled"
# What follows the number of jobs that a worker was asked to cancel, or the name of the only one.
_CANCELLED = {
    JobNow.CANCELLED: "cancelled",
    JobNow.PASSED: f"completed {_BEFORE}",
    JobNow.FAILED: f"failed {_BEFORE}",
    JobNow.WAITING: "queued again",
    JobNow.RUNNING: "running again",
    JobNow.STOPPING: "still running, though asked to stop",
    JobNow.GONE: "deleted since",
    JobNow.IN_LATER_ACTION: "changed by a later action",
    JobNow.UNKNOWN: "of an unknown status",
}
_ALIKE = {
    JobNow.TIMED_OUT: JobNow.FAILED,
    JobNow.FOREIGN: JobNow.RUNNING,
    JobNow.FAILED_SAME: JobNow.FAILED,
    JobNow.FAILED_OTHER: JobNow.FAILED,
    JobNow.DELAYED: JobNow.WAITING,
    JobNow.BLOCKED: JobNow.WAITING,
}
# The same of jobs that run again, in the order told.
_RETRIED = (
    (JobNow.PASSED, "completed"),
    (JobNow.FAILED, ""),
    (JobNow.CANCELLED, "cancelled"),
    (JobNow.GONE, "deleted since"),
    (JobNow.IN_LATER_ACTION, "changed by a later action"),
    (JobNow.UNKNOWN, "of an unknown status"),
    (JobNow.RUNNING, "running"),
    (JobNow.FOREIGN, "running on GigQ workers"),
    (JobNow.STOPPING, "being cancelled"),
    (JobNow.WAITING, "waiting"),
    (JobNow.DELAYED, "delayed"),
    (JobNow.BLOCKED, "blocked"),
)


@dataclass(frozen=True)
class Followed:
    """The jobs of one action, and where they are now.

    `jobs` are the outcomes of those that are followed, `now` is by their places among these, and
    `share` which part of them has been looked at, from 0 to 1.
    """

    report: Report
    jobs: tuple[Outcome, ...]
    now: JobsNow
    share: float = 0.0

    @staticmethod
    def of(report: Report) -> Followed:
        """Return an action of which nothing is known yet but its report."""
        jobs = tuple(outcome for outcome in report.outcomes if outcome.change in FOLLOWED)
        return Followed(report, jobs, JobsNow(bytes(len(jobs))))

    @cached_property
    def is_told(self) -> bool:
        """Whether it is told, unasked, how its jobs ended."""
        return any(job.change in _TOLD for job in self.jobs)

    @property
    def is_over(self) -> bool:
        """Whether all of them have ended, and so nothing more is to come."""
        if self._is_cancel:
            # One that goes on was not cancelled, whatever comes of it.
            return not self.now.count(JobNow.UNREAD, JobNow.STOPPING)
        return not self.now.open

    @property
    def is_read(self) -> bool:
        """Whether each of them has been looked at."""
        return not self.now.count(JobNow.UNREAD)

    @cached_property
    def _is_cancel(self) -> bool:
        return any(job.change is Change.STOPPING for job in self.jobs)

    @property
    def is_good(self) -> bool:
        """Whether it all went as it was asked for, as far as it has come."""
        if self.report.refused:
            return False
        if self._is_cancel:
            return self.now.count(JobNow.CANCELLED) == len(self.now)
        return not self.now.failed

    def is_news_after(self, told: Followed) -> bool:
        """Whether something has come that is told unasked, since what was told last."""
        if not self.is_told or not self.is_read:
            return False
        if self.is_over and not told.is_over:
            return True
        return not self._is_cancel and self.now.failed > 0 == told.now.failed

    def which(self, *states: JobNow) -> tuple[Outcome, ...]:
        """The jobs that are in any of some states."""
        return tuple(self.jobs[place] for place in self.now.places(*states))

    @property
    def title(self) -> str:
        """One line: "retried 243: 240 completed, 3 failed again"."""
        if not self.is_told:
            return self.report.title
        clauses = self._cancelled() if self._is_cancel else self._retried()
        others = self.report.refused
        return "; ".join([clauses, *([summarise(others)] if others else [])])

    def _retried(self) -> str:
        verb = _VERBS.get(self.jobs[0].change, "retried")
        alone = len(self.jobs) == 1 and bool(self.jobs[0].name)
        clauses = []
        for state, words in _RETRIED:
            count = self.now.failed if state is JobNow.FAILED else self.now.count(state)
            if count:
                words = words or self._failed()
                clauses.append(words if alone else f"{count:,} {words}")
        head = f"{verb} {one_name(self.jobs)}"
        return f"{head}: {', '.join(clauses)}" if clauses else head

    def _failed(self) -> str:
        """What follows the number of those that have failed."""
        failed, same = self.now.failed, self.now.failed_same
        again = same + self.now.count(JobNow.FAILED_OTHER)
        words = "failed again" if again else "failed"
        if not same:
            return words
        return (
            f"{words} (same cause)" if same == failed else f"{words} ({same:,} of the same cause)"
        )

    def _cancelled(self) -> str:
        ends: Counter[JobNow] = Counter()
        first: dict[JobNow, Outcome] = {}
        for job, code in zip(self.jobs, self.now.codes, strict=True):
            state = JobNow(code)
            state = _ALIKE.get(state, state)
            ends[state] += 1
            first.setdefault(state, job)
        at_once = [o for o in self.report.outcomes if o.change is Change.CANCELLED]
        ends[JobNow.CANCELLED] += len(at_once)
        if at_once:
            first[JobNow.CANCELLED] = at_once[0]
        clauses = []
        for state, words in _CANCELLED.items():
            if count := ends[state]:
                who = one_name([first[state]]) if count == 1 else f"{count:,}"
                said = words.format(they="it" if count == 1 else "they")
                is_done = state is JobNow.CANCELLED
                clauses.append(f"{said} {who}" if is_done else f"{who} {said}")
        return ", ".join(clauses)
