"""What can be done with jobs on any screen that shows them: cancel, retry, move their priority."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from gigq_core.graph.blocking import Blocking, cancel_in_words, retry_in_words
from gigq_tui.actions.jobs import ChangesJobs
from gigq_tui.actions.possible import CANCEL as CANCEL_WISH
from gigq_tui.actions.possible import LOWER, RAISE, Wish, state_of_row
from gigq_tui.actions.possible import RETRY as RETRY_WISH
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.format import plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL, LOWER_PRIORITY, RAISE_PRIORITY, RETRY
from gigq_tui.screens.parts.needs import Acts, AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.release import orphans, release_question
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.services import Services
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import JobRow, Snapshot
from gigq_tui.store.outcomes.following import FollowedJobs
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.stepwise import SoFar

NAMED = 3
# What is said where a job is asked for that the file does not hold.
GONE = "That job is no longer in the queue."


@dataclass(frozen=True)
class ChosenJobs:
    """The jobs that an action is about, captured at the key press.

    `rows` are those of them that are in memory: perhaps not all. `told` are sentences that a
    question about them has to say. Of those in `stale` the rows are of before, and only the file
    says where the job is now.
    """

    ids: tuple[str, ...] = ()
    rows: tuple[JobRow, ...] = ()
    told: tuple[str, ...] = ()
    stale: frozenset[str] = frozenset()

    @staticmethod
    def of(rows: Iterable[JobRow | None]) -> ChosenJobs:
        """Return the choice of some rows, of which none but None are left out."""
        known = tuple(row for row in rows if row is not None)
        return ChosenJobs(tuple(row.id for row in known), known)


@dataclass(frozen=True)
class Sorted:
    """The jobs with which something can be done, and what is said of those with which it can't.

    `chosen` are those, `states` where they are, and `total` is how many had been chosen.
    """

    wish: Wish
    chosen: ChosenJobs
    states: Sequence[JobNow]
    left_out: str
    total: int


class JobHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out how many jobs others block."""

    def chosen_jobs(self) -> ChosenJobs:
        """The jobs that a lower-case key acts on, captured now."""

    def amend_question(self, question: Question, amended: Question) -> None:
        """Put another in the place of a question that is still open."""


class ActsOnJobs(Acts, Protocol):
    """Has things done to the file, and tells what came of them."""

    @property
    def jobs(self) -> ChangesJobs: ...


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
        actions: ActsOnJobs,
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
        self._sort_out(CANCEL_WISH, chosen, partial(self._ask_cancel, about))

    def _ask_cancel(self, about: str, sorted_out: Sorted) -> None:
        chosen, states = sorted_out.chosen, sorted_out.states
        details = []
        running = states.count(JobNow.RUNNING) + states.count(JobNow.STOPPING)
        if running:
            details.append(
                f"{running:,} of them {'is' if running == 1 else 'are'} running: "
                "their workers will be asked to cancel them."
                if len(chosen.ids) > 1
                else "It is running: its worker will be asked to cancel it."
            )
        call = partial(self._actions.jobs.cancel, chosen.ids)
        question = self._ask(sorted_out, about, details, call, self._acted)
        self._ask_behind(question, chosen.ids)

    def ask_retry(self, chosen: ChosenJobs, about: str = "") -> None:
        """Ask whether to retry these jobs, and do it.

        Args:
            chosen: The jobs.
            about: What is said of them after their number.
        """
        self._sort_out(RETRY_WISH, chosen, partial(self._ask_retry, about))

    def _ask_retry(self, about: str, sorted_out: Sorted) -> None:
        ids = sorted_out.chosen.ids
        call = partial(self._actions.jobs.retry, ids)
        question = self._ask(sorted_out, about, [], call, self._acted)
        self._ask_after_retry(question, ids)

    @does(RAISE_PRIORITY)
    def raise_priority(self) -> None:
        """Let waiting jobs run sooner."""
        self._sort_out(RAISE, self._host.chosen_jobs(), partial(self._move_priority, 1))

    @does(LOWER_PRIORITY)
    def lower_priority(self) -> None:
        """Let waiting jobs run later."""
        self._sort_out(LOWER, self._host.chosen_jobs(), partial(self._move_priority, -1))

    def _move_priority(self, by: int, sorted_out: Sorted) -> None:
        actions, ids = self._actions, sorted_out.chosen.ids
        call = partial(actions.jobs.change_priority, ids, by)
        if sorted_out.total == 1:
            title = f"{sorted_out.wish.verb} 1 job?"
            actions.after_attach_question(title, partial(actions.act, call))
        else:
            # It may well be done once more on the same jobs, so nothing follows.
            self._ask(sorted_out, f" by {abs(by)}", [], call, None)

    # What can be done at all

    def _sort_out(self, wish: Wish, chosen: ChosenJobs, ask: Callable[[Sorted], None]) -> None:
        """Find out with which jobs it can be done, and ask about those; or say why with none."""
        if not chosen.ids:
            self._notices.tell("There is no job to act on.", "warn")
        elif len(chosen.rows) == len(chosen.ids) and not chosen.stale:
            rows = {row.id: row for row in chosen.rows}
            shown = self._picture.shown
            foreign = (
                {worker.id for worker in shown.foreign_workers} if shown is not None else set()
            )
            states = [state_of_row(rows[id], foreign) for id in chosen.ids]
            self._ask_of_those(wish, chosen, ask, states)
        else:
            # Not all of them are in memory as they are now.
            self._read_states(FollowedJobs(chosen.ids, None), wish, chosen, ask)

    def _read_states(
        self,
        work: FollowedJobs,
        wish: Wish,
        chosen: ChosenJobs,
        ask: Callable[[Sorted], None],
    ) -> None:
        """Read, step by step, where the jobs are."""

        def got(so_far: SoFar[JobsNow]) -> None:
            if so_far.done:
                self._ask_of_those(wish, chosen, ask, [JobNow(code) for code in so_far.value.codes])
            else:
                self._read_states(work, wish, chosen, ask)

        self._host.reads.ask(
            lambda reader: reader.step(work),
            got,
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _ask_of_those(
        self,
        wish: Wish,
        chosen: ChosenJobs,
        ask: Callable[[Sorted], None],
        states: Sequence[JobNow],
    ) -> None:
        pairs = list(zip(chosen.ids, states, strict=True))
        ids = tuple(id for id, state in pairs if state in wish.can)
        if not ids:
            name = chosen.rows[0].name if chosen.rows else chosen.ids[0][:8]
            self._notices.tell(wish.nothing_to_do(states, name), "warn")
            return
        wanted = set(ids)
        rows = tuple(row for row in chosen.rows if row.id in wanted)
        those = replace(chosen, ids=ids, rows=rows)
        can = [state for state in states if state in wish.can]
        ask(Sorted(wish, those, can, wish.left_out(states), len(chosen.ids)))

    def _ask(
        self,
        sorted_out: Sorted,
        about: str,
        details: list[str],
        call: Callable[[], Report],
        after: Callable[[], None] | None,
    ) -> Question:
        actions, chosen, total = self._actions, sorted_out.chosen, sorted_out.total
        count, verb = len(chosen.ids), sorted_out.wish.verb
        names = [f"{row.name} {row.id[:8]}" for row in chosen.rows[:NAMED]]
        if count > len(names) and names:
            names.append(f"and {count - len(names):,} more")
        details = [*chosen.told, *details]
        if names:
            details = [", ".join(names), *details]
        if sorted_out.left_out:
            details = [*details, sorted_out.left_out]
        details = [*details, *actions.attach_details]
        many, what = count >= MANY, plural(count, "job")
        yes = Choice(
            "Y" if many else "y",
            f"{verb.partition(' ')[0]} {what}",
            partial(actions.act, call, after),
            grave=many,
        )
        of = f"{count:,} of {plural(total, 'job')}" if count < total else what
        question = Question(f"{verb} {of}{about}?", tuple(details), (Choice("n", "No"), yes))
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
