"""Clearing finished jobs: find out what it would do, say it, and do what was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from gigq_core.changes.clearing import ClearPlan, Finished
from gigq_core.changes.undo import kept_of
from gigq_core.errors import GigQError
from gigq_core.status import JobStatus
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.format import count, cut, inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import CLEAR_FINISHED, UNDO
from gigq_tui.screens.parts.needs import Acts, AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.clock import Clock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab

_FINISHED_TABS = (Tab.DONE, Tab.CANCELLED, Tab.FAILED, Tab.TIMEOUT)
# Of the jobs that others need, so many are named, each on a line.
NAMED = 2
NAME_CELLS = 24
_WORDS = {JobStatus.COMPLETED.value: "done", JobStatus.TIMEOUT.value: "timed out"}
# Somebody may still want to read these, or to retry them.
_BAD = frozenset({JobStatus.FAILED.value, JobStatus.TIMEOUT.value})
_AGES = (
    ("d", "older than a day", timedelta(days=1)),
    ("w", "older than a week", timedelta(days=7)),
)


class ClearHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def view(self) -> View:
        """What is listed."""

    @property
    def marked_ids(self) -> tuple[str, ...]:
        """The jobs that are marked."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out what can be cleared."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""


class ClearsJobs(Protocol):
    """What removes jobs; its methods block."""

    def plan_clear(self, ids: Iterable[str]) -> ClearPlan: ...

    def clear(self, ids: Iterable[str], include_needed: bool = False) -> Report: ...


class ActsOnJobs(Acts, Protocol):
    """What does things to the file, and tells their outcome."""

    @property
    def jobs(self) -> ClearsJobs: ...


class Clear(Part):
    """Says what clearing finished jobs would do, and does what is chosen.

    Args:
        host: The screen.
        actions: What clears.
        notices: Where it is told that there is nothing to clear.
        clock: By which jobs are old.
        cleared: Called once it was done.
        hints: What keys are called.
    """

    def __init__(
        self,
        host: ClearHost,
        actions: ActsOnJobs,
        notices: Tells,
        clock: Clock,
        cleared: Callable[[], None],
        hints: KeyHints = DEFAULT_HINTS,
    ) -> None:
        self._host = host
        self._actions = actions
        self._notices = notices
        self._clock = clock
        self._cleared = cleared
        self._hints = hints

    @does(CLEAR_FINISHED)
    def clear_finished(self) -> None:
        """Clear the marked jobs, or all finished ones that the tab and the filter let through."""
        if marked := self._host.marked_ids:
            self._plan("marked", False, marked)
            return
        view = self._host.view
        tabs = _FINISHED_TABS if view.tab is Tab.ALL else (view.tab,)
        if not set(tabs) <= set(_FINISHED_TABS):
            self._notices.tell("Nothing in this tab has finished.", "warn")
            return
        about = f"tab {view.tab.name.title()}" + (f", {view.filter.text}" if view.filter else "")
        views = [replace(view, tab=tab) for tab in tabs]
        self._gather(about, view.tab is Tab.ALL, views, (), ())

    def _gather(
        self,
        about: str,
        spare: bool,
        views: Sequence[View],
        found: tuple[str, ...],
        more: tuple[str, ...],
    ) -> None:
        """Ask for the ids of one tab after the other."""
        found = (*found, *more)
        if not views:
            self._plan(about, spare, found)
            return
        view, *rest = views
        self._host.reads.ask(
            lambda reader: reader.matching_ids(view),
            partial(self._gather, about, spare, rest, found),
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _plan(self, about: str, spare: bool, ids: tuple[str, ...]) -> None:
        jobs = self._actions.jobs

        def call() -> ClearPlan | GigQError:
            try:
                return jobs.plan_clear(ids)
            except GigQError as problem:
                return problem

        self._host.reads.find_out(call, partial(self._ask, about, spare), first=True)

    def _ask(self, about: str, spare: bool, plan: ClearPlan | GigQError) -> None:
        if isinstance(plan, GigQError):
            self._notices.tell(str(plan), "error")
        elif not self._host.is_current:
            return
        elif not plan.finished:
            self._notices.tell(
                "None of these jobs has finished: there is nothing to clear.", "warn"
            )
        else:
            self._host.question(self._question(about, spare, plan))

    def _question(self, about: str, spare: bool, plan: ClearPlan) -> Question:
        """What would go, what stays and why, what can't be read afterwards; and the choices."""
        bad = [job for job in plan.free if job.status in _BAD] if spare else []
        going = [job for job in plan.free if not (spare and job.status in _BAD)]
        needed = [job for job in plan.needed if not (spare and job.status in _BAD)]
        details = [*describe_plan(plan, going, bad, self._hints), *self._actions.attach_details]
        total = len(going)
        return Question(
            f"Clear {count(total)} finished {'job' if total == 1 else 'jobs'} ({about})?",
            tuple(details),
            (Choice("n", "No"), *self._choices(going, bad, needed)),
        )

    def _choices(
        self, going: Sequence[Finished], bad: Sequence[Finished], needed: Sequence[Finished]
    ) -> Iterable[Choice]:
        if going:
            yield self._choice("y", f"Clear {count(len(going))}", going)
        now = self._clock.now()
        for key, words, age in _AGES:
            old = [job for job in going if _ended_before(job, now - age)]
            if 0 < len(old) < len(going):
                yield self._choice(key, f"{count(len(old))} {words}", old)
        if bad:
            both = [*going, *bad]
            yield self._choice("f", f"{count(len(both))} with failed ones", both)
        if needed:
            both = [*going, *needed]
            label = f"{count(len(both))} with those other jobs need"
            yield self._choice("e", label, both, include_needed=True)

    def _choice(
        self, key: str, label: str, jobs: Sequence[Finished], *, include_needed: bool = False
    ) -> Choice:
        ids = tuple(job.job_id for job in jobs)
        many = len(ids) >= MANY
        call = partial(self._actions.jobs.clear, ids, include_needed)
        act = partial(self._actions.act, call, self._cleared)
        return Choice(key.upper() if many else key, label, act, grave=many or include_needed)


def describe_plan(
    plan: ClearPlan, going: Sequence[Finished], bad: Sequence[Finished], hints: KeyHints
) -> Iterable[str]:
    """Say what a clearing takes away, what it leaves and why.

    Args:
        plan: What could be cleared.
        going: What would be.
        bad: What ended badly, and is spared.
        hints: What keys are called.
    """
    yield f"Delete: {_by_status(going) or 'nothing'}."
    if bad:
        yield f"Keep: {_by_status(bad)}."
    if plan.refused:
        yield f"Keep, not finished: {count(len(plan.refused))}."
    if plan.needed:
        yield f"Kept because other jobs need them: {count(len(plan.needed))}."
        for job in plan.needed[:NAMED]:
            yield f"{cut(inert(job.name), NAME_CELLS)} {job.job_id[:8]}: {job.need}"
    if plan.attempts:
        files = f", {plural(plan.outputs, 'file')} of output" if plan.outputs else ""
        yield f"History of {plural(plan.attempts, 'attempt')}{files} is deleted after 30 days."
    yield "No waiting job is affected."
    kept = kept_of(job.size for job in going)
    if kept < len(going):
        yield (
            f"Undo ({hints(UNDO)}) can restore only {count(kept)} of {count(len(going))}: "
            "together they are too large."
        )


def _by_status(jobs: Iterable[Finished]) -> str:
    counts = Counter(_WORDS.get(job.status, job.status) for job in jobs)
    return ", ".join(f"{count(number)} {inert(word)}" for word, number in counts.items())


def _ended_before(job: Finished, moment: datetime) -> bool:
    return job.ended is not None and job.ended < moment
