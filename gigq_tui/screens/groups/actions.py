"""What is done to groups of failed jobs: a canary of them, the rest, or nothing more of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from gigq_core.changes.canary import CANARY_JOBS
from gigq_core.grouping.failed_now import FailedJobs
from gigq_core.text import sentence
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.format import count, cut, inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import GROUP_CANARY, GROUP_CANCEL, GROUP_RETRY
from gigq_tui.screens.groups.lines import label_of, period
from gigq_tui.screens.parts.job_actions import ActsOnJobs, ChosenJobs
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.services.canaries import CanaryRun
from gigq_tui.store.clock import Clock
from gigq_tui.store.failures.grouping import Grouping
from gigq_tui.store.failures.reading import ChosenIds, Groups, GroupsReading, JobsOfGroups
from gigq_tui.store.questions import Questions
from gigq_tui.store.stepwise import SoFar

_TITLE_CELLS = 60


class GroupsHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads: ...

    @property
    def groups(self) -> Groups | None:
        """What is known of the groups."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""


class Chooses(Protocol):
    """Which groups are meant."""

    @property
    def by(self) -> Grouping: ...

    @property
    def work(self) -> GroupsReading: ...

    @property
    def chosen(self) -> tuple[FailedJobs, ...]: ...

    def unmark(self) -> bool: ...


class KeepsCanaries(Protocol):
    """Retries canaries, and follows them."""

    def of(self, groups: Sequence[str | None], by: str) -> CanaryRun | None: ...

    def begin(self, run: CanaryRun, failure: str, rest: Sequence[str] | None = None) -> None: ...


class GroupActions(Part):
    """Retries a canary of groups, or all of them, and cancels what of them still waits.

    Args:
        host: The screen.
        choice: Which groups are meant.
        actions: What acts.
        canaries: Follows canaries.
        ask_cancel: Asks whether to cancel some jobs; the second is what is said of them.
        notices: Where it is told why nothing is done.
        clock: What time it is.
    """

    def __init__(
        self,
        host: GroupsHost,
        choice: Chooses,
        actions: ActsOnJobs,
        canaries: KeepsCanaries,
        ask_cancel: Callable[[ChosenJobs, str], None],
        notices: Tells,
        clock: Clock,
    ) -> None:
        self._host = host
        self._choice = choice
        self._actions = actions
        self._canaries = canaries
        self._ask_cancel = ask_cancel
        self._notices = notices
        self._clock = clock

    @does(GROUP_CANARY)
    def canary(self) -> None:
        """Ask whether to retry ten of the groups first."""
        if (chosen := self._meant()) is not None and self._is_free(chosen):
            self._read(
                JobsOfGroups(self._choice.work, _values(chosen), canary=CANARY_JOBS),
                partial(self._ask_canary, chosen),
            )

    @does(GROUP_RETRY)
    def retry(self) -> None:
        """Ask whether to retry all of the groups; after a canary, those that were not in it."""
        if (chosen := self._meant()) is not None and self._is_free(chosen):
            run = self._run_of(chosen)
            self._read(
                JobsOfGroups(self._choice.work, _values(chosen)),
                partial(self._ask_rest, chosen, run),
            )

    @does(GROUP_CANCEL)
    def cancel(self) -> None:
        """Ask whether to cancel what of the groups waits or runs again."""
        if (chosen := self._meant()) is None:
            return
        if not sum(group.waiting for group in chosen):
            self._notices.tell("Nothing to cancel: no job of this group waits or runs.", "warn")
            return
        self._read(
            JobsOfGroups(self._choice.work, _values(chosen), waiting=True),
            partial(self._cancel_ids, self._title(chosen)),
        )

    def _cancel_ids(self, title: str, found: ChosenIds) -> None:
        if found.ids:
            self._ask_cancel(ChosenJobs(found.ids), f" that failed before: {title}")
        else:
            self._notices.tell("Nothing to cancel: they have ended meanwhile.", "warn")

    # Which jobs

    def _meant(self) -> tuple[FailedJobs, ...] | None:
        """The groups that are meant; None where none is, or not all of their jobs are known."""
        groups, chosen = self._host.groups, self._choice.chosen
        if not chosen:
            self._notices.tell("There is no group under the cursor.", "warn")
        elif groups is None or not groups.is_whole:
            self._notices.tell("Still reading the failed jobs: try again in a moment.", "warn")
        else:
            return chosen
        return None

    def _is_free(self, chosen: Sequence[FailedJobs]) -> bool:
        """Whether no canary of these groups goes on; else that is told."""
        run = self._run_of(chosen)
        if run is None or run.is_over:
            return True
        self._notices.tell(f"Wait for the {run.words}.", "warn")
        return False

    def _run_of(self, chosen: Sequence[FailedJobs]) -> CanaryRun | None:
        """The newest canary of these groups, if there was one."""
        return self._canaries.of(_values(chosen), self._choice.by.name)

    def _read(self, work: JobsOfGroups, got: Callable[[ChosenIds], None]) -> None:
        """Read which jobs these are, in steps; keys behind this one wait for the question."""

        def take(so_far: SoFar[ChosenIds]) -> None:
            if not so_far.done:
                ask()
            elif self._host.is_current:
                got(so_far.value)

        def warn(trouble: str) -> None:
            self._notices.tell(trouble, "warn")

        def ask() -> None:
            self._host.reads.ask(partial(_step, work), take, warn, first=True)

        ask()

    def _title(self, chosen: Sequence[FailedJobs]) -> str:
        if len(chosen) > 1:
            return f"{len(chosen)} groups"
        return cut(inert(label_of(chosen[0], self._choice.by)), _TITLE_CELLS)

    # Asking

    def _ask_canary(self, chosen: tuple[FailedJobs, ...], found: ChosenIds) -> None:
        if not found.ids:
            self._notices.tell("None of these jobs is failed any more.", "warn")
            return
        title, size, others = self._title(chosen), len(found.ids), found.of - len(found.ids)
        details = [
            "They run ahead of the queue: their priority is raised until they have ended, or you "
            "leave this console.",
        ]
        firsts = [group.first for group in chosen if group.first is not None]
        lasts = [group.last for group in chosen if group.last is not None]
        if others and firsts and lasts:
            when = period(min(firsts), max(lasts), self._clock.now())
            details.insert(0, f"Spread over {when} and over their parameters.")
        if others:
            details.append("They pass if at most a fifth of them fails again.")
        details.insert(0, _named(found, size))
        run = CanaryRun(frozenset(_values(chosen)), self._choice.by.name, title, found.ids, others)
        failure = ""
        if len(chosen) == 1 and self._choice.by.by == "cause" and others:
            failure = chosen[0].value or ""
        choices = [
            Choice("n", "No"),
            Choice("y", f"Retry {_these(size)}", partial(self._begin, run, failure, None)),
        ]
        if others:
            choices.append(
                Choice(
                    "t",
                    f"{_these(size).capitalize()}, then the rest if they pass",
                    partial(self._begin_with_rest, chosen, run, failure),
                )
            )
        of = f" of {count(found.of)}" if others else ""
        self._host.question(
            Question(
                f"Retry a canary of {size}{of}: {title}?",
                (*details, *self._actions.attach_details),
                tuple(choices),
            )
        )

    def _begin(self, run: CanaryRun, failure: str, rest: Sequence[str] | None) -> None:
        self._canaries.begin(run, failure, rest)
        self._choice.unmark()

    def _begin_with_rest(
        self, chosen: tuple[FailedJobs, ...], run: CanaryRun, failure: str
    ) -> None:
        self._read(
            JobsOfGroups(self._choice.work, _values(chosen), without=run.ids),
            lambda found: self._begin(run, failure, found.ids),
        )

    def _ask_rest(
        self, chosen: tuple[FailedJobs, ...], run: CanaryRun | None, found: ChosenIds
    ) -> None:
        tried = frozenset(run.ids) if run is not None else frozenset()
        others = tuple(id for id in found.ids if id not in tried)
        if not found.ids:
            self._notices.tell("None of these jobs is failed any more.", "warn")
            return
        details = [_named(found, len(found.ids))] if not tried else []
        if run is not None:
            details.append(sentence(run.words))
            if not run.may_go_on:
                details.append("More than a fifth of it did not pass: the others may fail as well.")
        choices = [Choice("n", "No")]
        if others:
            choices.append(self._retry_choice("y", others, found.ids))
        if len(others) < len(found.ids):
            choices.append(self._retry_choice("a", found.ids, found.ids))
        what = "all" if len(others) == len(found.ids) else "the other"
        title = (
            f"Retry {what} {plural(len(others) or len(found.ids), 'job')}: {self._title(chosen)}?"
        )
        may_go_on = run is not None and run.may_go_on and bool(others)
        self._host.question(
            Question(
                title,
                (*details, *self._actions.attach_details),
                tuple(choices),
                focus=1 if may_go_on else 0,
            )
        )

    def _retry_choice(self, key: str, ids: tuple[str, ...], all_ids: tuple[str, ...]) -> Choice:
        many = len(ids) >= MANY
        label = f"Retry {plural(len(ids), 'job')}"
        if key == "a":
            label = f"All {count(len(ids))}, with those that failed again"
        act = partial(self._actions.act, partial(self._actions.jobs.retry, ids), self._after)
        return Choice(key.upper() if many else key, label, act, grave=many)

    def _after(self) -> None:
        self._choice.unmark()


def _values(chosen: Sequence[FailedJobs]) -> list[str | None]:
    return [group.value for group in chosen]


def _named(found: ChosenIds, number: int) -> str:
    """The names of the first few."""
    names = list(found.names)
    if number > len(names):
        names.append(f"and {count(number - len(names))} more")
    return ", ".join(map(inert, names))


def _these(number: int) -> str:
    return f"these {number}" if number > 1 else "it"


def _step(work: JobsOfGroups, reader: Questions) -> Any:
    return reader.step(work)
