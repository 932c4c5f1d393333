"""What can be done with jobs on any screen that shows them: cancel, retry, move their priority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from gigq_core.blocking import Blocking, cancel_in_words, retry_in_words
from gigq_core.status import JobStatus
from gigq_tui.actions.jobs import ChangesJobs
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.format import plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL, LOWER_PRIORITY, RAISE_PRIORITY, RETRY
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.release import orphans, release_question
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.services import Services
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import JobRow, Snapshot

NAMED = 3
# What is said where a job is asked for that the file does not hold.
GONE = "That job is no longer in the queue."
# What is said of jobs on which nothing can be cancelled any more.
_ENDED = {
    JobStatus.COMPLETED.value: "completed",
    JobStatus.FAILED.value: "failed",
    JobStatus.TIMEOUT.value: "timed out",
    JobStatus.CANCELLED.value: "cancelled",
}
# What can't be retried.
_NOT_FAILED = frozenset(
    status.value for status in (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.COMPLETED)
)


@dataclass(frozen=True)
class ChosenJobs:
    """The jobs that an action is about, captured at the key press.

    `rows` are those of them that are in memory: perhaps not all.
    """

    ids: tuple[str, ...] = ()
    rows: tuple[JobRow, ...] = ()

    @staticmethod
    def of(rows: Iterable[JobRow | None]) -> ChosenJobs:
        """Return the choice of some rows, of which none but None are left out."""
        known = tuple(row for row in rows if row is not None)
        return ChosenJobs(tuple(row.id for row in known), known)


class JobHost(Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out how many jobs others block."""

    def chosen_jobs(self) -> ChosenJobs:
        """The jobs that a lower-case key acts on, captured now."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""

    def amend_question(self, question: Question, amended: Question) -> None:
        """Put another in the place of a question that is still open."""


class Acts(Protocol):
    """Has things done to the file, and tells what came of them."""

    @property
    def jobs(self) -> ChangesJobs: ...

    @property
    def attach_details(self) -> tuple[str, ...]: ...

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None: ...

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None: ...


class Shows(Protocol):
    """What is shown of the file."""

    @property
    def shown(self) -> Snapshot | None: ...


class JobActions(Part):
    """Cancels, retries and moves the priority of the jobs that its screen has chosen.

    Args:
        host: The screen.
        actions: What acts.
        notices: Where it is told that there is no job.
        picture: Where it is seen which workers can't be asked anything.
        release: Takes jobs back from workers that are gone; then calls what it is given.
        acted: Called once an action on them has succeeded that is not done once more on the same.
    """

    def __init__(
        self,
        host: JobHost,
        actions: Acts,
        notices: Tells,
        picture: Shows,
        release: Callable[[Sequence[HeldJob], Callable[[], None] | None], None],
        acted: Callable[[], None] | None = None,
    ) -> None:
        self._host = host
        self._actions = actions
        self._notices = notices
        self._picture = picture
        self._release = release
        self._acted = acted

    @classmethod
    def of(
        cls, host: JobHost, services: Services, acted: Callable[[], None] | None = None
    ) -> JobActions:
        """Return the part of a screen that has these services."""
        return cls(
            host,
            services.actions,
            services.notices,
            services.picture,
            services.workers.release,
            acted,
        )

    @does(CANCEL)
    def cancel(self) -> None:
        """Cancel waiting jobs, and have running ones stopped by their workers."""
        self.ask_cancel(self._host.chosen_jobs())

    @does(RETRY)
    def retry(self) -> None:
        """Give failed, timed out and cancelled jobs a fresh start; orphaned ones are released."""
        chosen = self._host.chosen_jobs()
        if held := orphans(chosen.ids, chosen.rows):
            release = partial(self._release, held, self._acted)
            self._host.question(release_question(held, release))
        else:
            self.ask_retry(chosen)

    def ask_cancel(self, chosen: ChosenJobs, about: str = "") -> None:
        """Ask whether to cancel these jobs, and do it.

        Args:
            chosen: The jobs.
            about: What is said of them after their number.
        """
        snapshot, jobs = self._picture.shown, self._actions.jobs
        theirs = {worker.id for worker in snapshot.foreign_workers} if snapshot is not None else ()
        busy = [row for row in chosen.rows if row.status == JobStatus.RUNNING.value]
        refused = sum(1 for row in busy if row.worker_id in theirs)
        running = len(busy) - refused
        many = len(chosen.ids) > 1
        details = []
        if running:
            details.append(
                f"{_some(running, chosen)} running: their workers will be asked to cancel them."
                if many
                else "It is running: its worker will be asked to cancel it."
            )
        if refused:
            details.append(
                f"{_some(refused, chosen)} run by GigQ workers, which can't be asked "
                "to cancel, and will be refused."
                if many
                else "A GigQ worker is running it, so it can't be cancelled: it will be refused."
            )
        ended = Counter(row.status for row in chosen.rows if row.status in _ENDED)
        details += [
            f"{_some(count, chosen)} {_ENDED[status]} and will be refused."
            if many
            else f"It is {_ENDED[status]}: only waiting and running jobs can be cancelled."
            for status, count in ended.items()
        ]
        # What has ended holds nobody up any more than it does now.
        over = {row.id for row in chosen.rows if row.status in _ENDED}
        behind = tuple(id for id in chosen.ids if id not in over)
        call = partial(jobs.cancel, chosen.ids)
        question = self._ask("Cancel", chosen, about, details, call, self._acted)
        if question is not None and behind:
            self._ask_behind(question, behind)

    def ask_retry(self, chosen: ChosenJobs, about: str = "") -> None:
        """Ask whether to retry these jobs, and do it.

        Args:
            chosen: The jobs.
            about: What is said of them after their number.
        """
        others = Counter(row.status for row in chosen.rows if row.status in _NOT_FAILED)
        details = [
            f"{_some(count, chosen)} {status} and will be refused."
            if len(chosen.ids) > 1
            else f"It is {status}: only failed, timed out and cancelled jobs can be retried."
            for status, count in others.items()
        ]
        call = partial(self._actions.jobs.retry, chosen.ids)
        question = self._ask("Retry", chosen, about, details, call, self._acted)
        if question is not None:
            self._ask_after_retry(question, chosen.ids)

    @does(RAISE_PRIORITY)
    def raise_priority(self) -> None:
        """Let waiting jobs run sooner."""
        self._move_priority(1, "Raise")

    @does(LOWER_PRIORITY)
    def lower_priority(self) -> None:
        """Let waiting jobs run later."""
        self._move_priority(-1, "Lower")

    def _move_priority(self, by: int, verb: str) -> None:
        chosen, actions = self._host.chosen_jobs(), self._actions
        call = partial(actions.jobs.change_priority, chosen.ids, by)
        if len(chosen.ids) == 1:
            title = f"{verb} the priority of 1 job?"
            actions.after_attach_question(title, partial(actions.act, call))
        else:
            # It may well be done once more on the same jobs, so nothing follows.
            self._ask(f"{verb} the priority of", chosen, f" by {abs(by)}", [], call, None)

    def _ask(
        self,
        verb: str,
        chosen: ChosenJobs,
        about: str,
        details: list[str],
        call: Callable[[], Report],
        after: Callable[[], None] | None,
    ) -> Question | None:
        actions, count = self._actions, len(chosen.ids)
        if not count:
            self._notices.tell("There is no job to act on.", "warn")
            return None
        names = [f"{row.name} {row.id[:8]}" for row in chosen.rows[:NAMED]]
        if count > len(names) and names:
            names.append(f"and {count - len(names):,} more")
        if names:
            details = [", ".join(names), *details]
        details = [*details, *actions.attach_details]
        many, what = count >= MANY, plural(count, "job")
        yes = Choice(
            "Y" if many else "y",
            f"{verb.partition(' ')[0]} {what}",
            partial(actions.act, call, after),
            grave=many,
        )
        question = Question(f"{verb} {what}{about}?", tuple(details), (Choice("n", "No"), yes))
        self._host.question(question)
        return question

    def _ask_behind(self, question: Question, ids: tuple[str, ...]) -> None:
        """Have it said in the open question how many jobs those to be cancelled block."""

        def amend(numbers: Blocking) -> None:
            if words := cancel_in_words(numbers, many=len(ids) > 1):
                details = (*question.details, words)
                self._host.amend_question(question, replace(question, details=details))

        self._host.reads.ask(lambda reader: reader.blocking(ids), amend)

    def _ask_after_retry(self, question: Question, ids: tuple[str, ...]) -> None:
        """Have it said in the open question how many jobs a retry frees, and
        offer to retry along with them what was cancelled for their failure."""

        def amend(numbers: Blocking) -> None:
            along = numbers.cancelled
            details, choices = question.details, question.choices
            if words := retry_in_words(numbers, many=len(ids) > 1):
                details = (*details, words)
            if along:
                details = (*details, _cancelled_along(along, len(ids)))
                choices = (*choices, self._with_children(ids, along))
            if words or along:
                amended = replace(question, details=details, choices=choices)
                self._host.amend_question(question, amended)

        self._host.reads.ask(lambda reader: reader.blocking(ids), amend)

    def _with_children(self, ids: tuple[str, ...], along: int) -> Choice:
        many = len(ids) + along >= MANY
        call = partial(self._actions.jobs.retry, ids, True)
        return Choice(
            "W" if many else "w",
            f"With the {plural(along, 'cancelled job')}",
            partial(self._actions.act, call, self._acted),
            grave=many,
        )


def _cancelled_along(along: int, count: int) -> str:
    were = "1 job was" if along == 1 else f"{along:,} jobs were"
    return f"{were} cancelled because {'it' if count == 1 else 'they'} failed."


def _some(count: int, chosen: ChosenJobs) -> str:
    """Say how many of some jobs, where perhaps not all of them are in memory, are something."""
    least = "At least " if len(chosen.rows) < len(chosen.ids) else ""
    return f"{least}{count:,} of them {'is' if count == 1 else 'are'}"
