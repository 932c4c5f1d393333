"""Following jobs to their ends: what has become of those of each action, told as it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.store.clock import Clock
from gigq_tui.store.outcomes.following import FollowedJobs
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.questions import AsksReader, Questions
from gigq_tui.store.stepwise import SoFar
from gigq_tui.store.throttle import PATIENCE

# The oldest actions are forgotten where there are more, or they have more jobs.
MOST_ACTIONS = 20
MOST_JOBS = 250_000

# After so many seconds it is told of jobs that their workers have not stopped yet.
LATE_S = 120.0

Watcher = Callable[[Followed], None]


class _Case:
    """One action that is followed, and how far its reading is."""

    def __init__(self, followed: Followed, since: float) -> None:
        # As it is now, and as it was when something was told unasked.
        self.followed = self.told = followed
        self.since = since
        self.is_late = False
        ids = [job.job_id for job in followed.jobs]
        self.work = FollowedJobs(ids, followed.report.newest)
        self.watchers: list[Watcher] = []
        self.in_later: set[int] = set()
        # Whether steps of a reading are left, and whether something was written since it began.
        self.is_reading = True
        self.has_news = False
        # Whether it is to be read anew, and no step of that has come yet.
        self.is_anew = False
        self.asked_at = self.began_at = self.free_at = float("-inf")

    @property
    def is_wanted(self) -> bool:
        """Whether anybody is to hear of it."""
        return bool(self.watchers) or (self.followed.is_told and not self.followed.is_over)


class Following:
    """Follows the jobs of actions to their ends.

    Each is read in steps, between the pictures of the file, and again after news once ten times
    the cost of that has passed. What nobody is told of is read only while somebody watches it.

    Args:
        reads: The reader's thread.
        clock: What time it is.
        told: Gets each action as it is now, whenever that has changed, and whether a person is to
            hear of it unasked.
    """

    def __init__(
        self, reads: AsksReader, clock: Clock, told: Callable[[Followed, bool], None]
    ) -> None:
        self._reads = reads
        self._clock = clock
        self._told = told
        self._cases: list[_Case] = []
        self._is_asking = False

    @property
    def actions(self) -> tuple[Followed, ...]:
        """What is followed, the newest last."""
        return tuple(case.followed for case in self._cases)

    @property
    def owes(self) -> bool:
        """Whether something is to be read that may have to wait for its time."""
        return any(case.is_wanted and (case.is_reading or case.has_news) for case in self._cases)

    def of(self, report: Report) -> Followed | None:
        """Return what has become of an action's jobs; None where they are not followed.

        Args:
            report: What the action came to.
        """
        case = self._case(report)
        return None if case is None else case.followed

    def follow(self, report: Report) -> None:
        """Follow the jobs of an action from now on; they are followed for no older one any more.

        Args:
            report: What the action came to.
        """
        done = {outcome.job_id for outcome in report.outcomes if outcome.done}
        for case in self._cases:
            self._leave(case, done)
        followed = Followed.of(report)
        self._cases.append(_Case(followed, self._clock.monotonic()))
        self._forget_old()
        self.keep_up()

    def _forget_old(self) -> None:
        """Forget the oldest actions that nobody watches, where there are too many."""
        for case in self._cases[:-1]:
            jobs = sum(len(case.followed.report.outcomes) for case in self._cases)
            if len(self._cases) <= MOST_ACTIONS and jobs <= MOST_JOBS:
                return
            if not case.watchers:
                self._cases.remove(case)

    def watch(self, report: Report, watcher: Watcher) -> Callable[[], None]:
        """Have somebody told of an action's jobs, whenever they have changed.

        Args:
            report: What the action came to.
            watcher: Gets the action as it is now.

        Returns:
            What ends it.
        """
        case = self._case(report)
        if case is None:
            return lambda: None
        case.watchers.append(watcher)
        case.has_news = True
        self.keep_up()
        return partial(self._unwatch, case, watcher)

    def _unwatch(self, case: _Case, watcher: Watcher) -> None:
        if watcher in case.watchers:
            case.watchers.remove(watcher)

    def take_news(self) -> None:
        """The file has changed."""
        for case in self._cases:
            case.has_news = True
        self.keep_up()

    def keep_up(self) -> None:
        """Read the next step of what is due; called once a second too, while something is owed."""
        now = self._clock.monotonic()
        for case in self._cases:
            self._tell_late(case, now)
        due = [
            case
            for case in self._cases
            if case.is_wanted and (case.is_reading or (case.has_news and now >= case.free_at))
        ]
        if due and not self._is_asking:
            self._ask(min(due, key=lambda case: case.asked_at), now)

    def _tell_late(self, case: _Case, now: float) -> None:
        """Tell of jobs that have not been stopped for long."""
        is_open = case.followed.is_told and not case.followed.is_over
        if is_open and not case.is_late and now - case.since >= LATE_S:
            case.is_late = True
            if case.followed.now.count(JobNow.STOPPING):
                self._told(case.followed, True)

    def _case(self, report: Report) -> _Case | None:
        return next((case for case in self._cases if case.followed.report is report), None)

    def _ask(self, case: _Case, now: float) -> None:
        if not case.is_reading or case.began_at == float("-inf"):
            case.is_anew = not case.is_reading
            case.is_reading, case.has_news, case.began_at = True, False, now
        case.asked_at = now
        self._is_asking = True
        self._reads.ask(
            partial(_step, case.work, case.is_anew), partial(self._take, case), self._fail
        )

    def _take(self, case: _Case, so_far: SoFar[JobsNow]) -> None:
        self._is_asking = False
        case.is_reading, case.is_anew = not so_far.done, False
        if so_far.done:
            now = self._clock.monotonic()
            case.free_at = now + PATIENCE * (now - case.began_at)
        self._show(case, so_far.value, so_far.share)
        self.keep_up()

    def _leave(self, case: _Case, ids: set[str]) -> None:
        """A later action has changed some of its jobs: that one follows them."""
        places = [n for n, job in enumerate(case.followed.jobs) if job.job_id in ids]
        if not case.in_later.issuperset(places):
            case.in_later.update(places)
            self._show(case, case.followed.now, case.followed.share)

    def _show(self, case: _Case, jobs_now: JobsNow, share: float) -> None:
        jobs_now = jobs_now.with_state(case.in_later, JobNow.IN_LATER_ACTION)
        if jobs_now == case.followed.now and share == case.followed.share:
            return
        case.followed = followed = replace(case.followed, now=jobs_now, share=share)
        is_news = followed.is_news_after(case.told)
        if is_news:
            case.told = followed
        self._told(followed, is_news)
        for watcher in tuple(case.watchers):
            watcher(followed)

    def _fail(self, _: str) -> None:
        """Nothing could be read: it is tried again after the next news, or in a second."""
        self._is_asking = False


def _step(work: FollowedJobs, anew: bool, reader: Questions) -> SoFar[JobsNow]:
    if anew:
        work.renew()
    return reader.step(work)
