"""The jobs of an action in groups: those of which the same has become, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from gigq_core.status import Outcome
from gigq_tui.actions.followed import FOLLOWED, Followed
from gigq_tui.store.filter.writing import any_of, quoted
from gigq_tui.store.outcomes.states import JobNow

NAMED = 3
# So much of an id names one job among millions, and a hundred of them still make a filter.
ID_CHARACTERS = 12
# More jobs than these make no filter that a person would read.
MOST_LISTED = 100

# In the order shown: what a group is called, and how it is coloured.
_STATES = {
    JobNow.FAILED_SAME: ("failed again, same cause", "fail"),
    JobNow.FAILED_OTHER: ("failed again, another cause", "fail"),
    JobNow.FAILED: ("failed", "fail"),
    JobNow.TIMED_OUT: ("timed out", "fail"),
    JobNow.UNKNOWN: ("of an unknown status", "warn"),
    JobNow.STOPPING: ("still running, asked to stop", "warn"),
    JobNow.RUNNING: ("running", "run"),
    JobNow.FOREIGN: ("running on a GigQ worker", "run"),
    JobNow.WAITING: ("waiting", "wait"),
    JobNow.DELAYED: ("delayed", "wait"),
    JobNow.BLOCKED: ("blocked", "wait"),
    JobNow.GONE: ("deleted since", "dim"),
    JobNow.IN_LATER_ACTION: ("changed by a later action", "dim"),
    JobNow.CANCELLED: ("cancelled", "ok"),
    JobNow.PASSED: ("completed", "ok"),
    JobNow.UNREAD: ("not read yet", "dim"),
}
# Among these stand the groups of which nothing more is to come.
_REFUSED = list(_STATES).index(JobNow.UNKNOWN)
_CANCELLED = list(_STATES).index(JobNow.CANCELLED)


@dataclass(frozen=True)
class ResultGroup:
    """Jobs of which the same has become.

    `words` say what; `role` colours them. `named` are its first few jobs, `read` finds all of them.
    """

    words: str
    role: str
    count: int
    named: tuple[Outcome, ...]
    read: Callable[[], Sequence[Outcome]]

    @cached_property
    def jobs(self) -> Sequence[Outcome]:
        """All of its jobs, in the order of the action."""
        return self.read()

    @property
    def names(self) -> str:
        """The names of the first few, and how many more there are."""
        names = [job.name or job.job_id[:8] for job in self.named]
        if more := self.count - len(names):
            names.append(f"and {more:,} more")
        return ", ".join(names)


def groups_of(followed: Followed) -> tuple[ResultGroup, ...]:
    """The groups of an action's jobs that hold any, the worst first."""
    placed = [*_followed(followed), *_at_once(followed.report.outcomes)]
    return tuple(group for _, group in sorted(placed, key=lambda pair: pair[0]))


def _followed(followed: Followed) -> list[tuple[int, ResultGroup]]:
    now, jobs = followed.now, followed.jobs
    groups = []
    for order, (state, (words, role)) in enumerate(_STATES.items()):
        count = now.count(state)
        if not count:
            continue
        named, place = [], -1
        for _ in range(min(NAMED, count)):
            place = now.codes.index(state, place + 1)
            named.append(jobs[place])
        read = partial(followed.which, state)
        groups.append((order, ResultGroup(words, role, count, tuple(named), read)))
    return groups


def _at_once(outcomes: Sequence[Outcome]) -> list[tuple[int, ResultGroup]]:
    """The groups of those of which nothing more is to come."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.change not in FOLLOWED:
            word = outcome.change.word
            found.setdefault(word if outcome.done else _refusal(outcome), []).append(outcome)
    groups = []
    for words, jobs in found.items():
        order, role = (_CANCELLED, "ok") if jobs[0].done else (_REFUSED, "warn")
        named = tuple(jobs[:NAMED])
        groups.append((order, ResultGroup(words, role, len(jobs), named, partial(tuple, jobs))))
    return groups


def _refusal(outcome: Outcome) -> str:
    reason = " ".join(outcome.reason.split()).rstrip(".")
    return f"{outcome.change.word}: {reason}" if reason else outcome.change.word


def filter_of(group: ResultGroup) -> str:
    """The filter that lists the jobs of a group; empty where there are too many."""
    if group.count > MOST_LISTED:
        return ""
    return any_of(f"id:{quoted(job.job_id[:ID_CHARACTERS])}" for job in group.jobs)
