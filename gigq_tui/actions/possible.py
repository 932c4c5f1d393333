"""With which of some jobs a thing can be done, and what is said of the others first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from gigq_core.status import JobStatus
from gigq_tui.format import cut, inert
from gigq_tui.store.models import JobRow
from gigq_tui.store.outcomes.states import JobNow

NAME_CELLS = 40

_WAITS = frozenset((JobNow.WAITING, JobNow.DELAYED, JobNow.BLOCKED))
_ENDS = {
    JobStatus.COMPLETED.value: JobNow.PASSED,
    JobStatus.FAILED.value: JobNow.FAILED,
    JobStatus.TIMEOUT.value: JobNow.TIMED_OUT,
    JobStatus.CANCELLED.value: JobNow.CANCELLED,
}
# What is said of a job for which there is nothing to do, and of several.
_IS = {
    JobNow.PASSED: ("has completed", "have completed"),
    JobNow.FAILED: ("has failed", "have failed"),
    JobNow.TIMED_OUT: ("has timed out", "have timed out"),
    JobNow.CANCELLED: ("is already cancelled", "are already cancelled"),
    JobNow.RUNNING: ("is running", "are running"),
    JobNow.STOPPING: ("is being cancelled", "are being cancelled"),
    JobNow.WAITING: ("is waiting", "are waiting"),
    JobNow.GONE: ("is no longer in the queue", "are no longer in the queue"),
    JobNow.UNKNOWN: ("has an unknown status", "have an unknown status"),
}


@dataclass(frozen=True)
class Wish:
    """What somebody wants to do with jobs.

    `verb` begins the question; `nothing` the sentence where there is no job that it can be done
    with, and `cant` ends the one of those that it can't. `can` says on which jobs it can be done,
    `own` holds words that differ from the usual ones of a state.
    """

    verb: str
    nothing: str
    cant: str
    can: frozenset[JobNow]
    own: dict[JobNow, tuple[str, str]] = field(default_factory=dict, hash=False)

    def nothing_to_do(self, states: Sequence[JobNow], name: str) -> str:
        """Say why there is nothing to do, where none of the jobs is in a state for it.

        Args:
            states: Where the jobs are.
            name: The name of the only job; not used for several.
        """
        counts = self._counts(states)
        if len(states) == 1:
            return f"{self.nothing}: {cut(inert(name), NAME_CELLS)} {self._is(states[0], 1)}."
        if len(counts) == 1:
            (state,) = counts
            return f"{self.nothing}: all {len(states):,} {self._is(state, 2)}."
        return f"{self.nothing}: {self._listed(counts)}."

    def left_out(self, states: Sequence[JobNow]) -> str:
        """Say how many are left out, and why; nothing where it can be done with all of them."""
        counts = self._counts([state for state in states if state not in self.can])
        total = sum(counts.values())
        return f"{total:,} {self.cant}: {self._listed(counts)}." if total else ""

    def _counts(self, states: Sequence[JobNow]) -> Counter[JobNow]:
        """How many there are of each kind that is told apart."""
        return Counter(map(self._alike, states))

    def _alike(self, state: JobNow) -> JobNow:
        if state in _WAITS:
            return JobNow.WAITING
        if state is JobNow.FOREIGN and state not in self.own:
            return JobNow.RUNNING
        return state

    def _listed(self, counts: Counter[JobNow]) -> str:
        return ", ".join(
            f"{count:,} {self._is(state, count)}" for state, count in counts.most_common()
        )

    def _is(self, state: JobNow, count: int) -> str:
        state = self._alike(state)
        one, several = self.own.get(state) or _IS[state]
        return one if count == 1 else several


CANCEL = Wish(
    "Cancel",
    "Nothing to cancel",
    "can't be cancelled",
    _WAITS | {JobNow.RUNNING, JobNow.STOPPING},
    {
        JobNow.FOREIGN: (
            "is run by a GigQ worker, which can't be asked to cancel it",
            "are run by GigQ workers, which can't be asked to cancel them",
        )
    },
)
RETRY = Wish(
    "Retry",
    "Nothing to retry",
    "can't be retried",
    frozenset((JobNow.FAILED, JobNow.TIMED_OUT, JobNow.CANCELLED)),
)
RAISE = Wish("Raise the priority of", "No priority to raise", "have no priority any more", _WAITS)
LOWER = Wish("Lower the priority of", "No priority to lower", "have no priority any more", _WAITS)


def state_of_row(row: JobRow, foreign: Collection[str]) -> JobNow:
    """Where a job is, as its row on the screen tells it.

    Args:
        row: The job.
        foreign: The ids of GigQ's workers.
    """
    if row.status == JobStatus.PENDING.value:
        return JobNow.BLOCKED if row.blocked else JobNow.WAITING
    if row.status == JobStatus.RUNNING.value:
        if row.worker_id in foreign:
            return JobNow.FOREIGN
        return JobNow.STOPPING if row.stop_requested else JobNow.RUNNING
    return _ENDS.get(row.status, JobNow.UNKNOWN)
