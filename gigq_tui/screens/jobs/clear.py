"""Clearing finished jobs: find out what it would do, say it, and do what was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from gigq_core.clearing import ClearPlan, Finished
from gigq_core.errors import GigQError
from gigq_core.times import parse_time
from gigq_core.undo import KEPT_BYTES
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.format import count, cut, inert, plural
from gigq_tui.keys.job_actions import UNDO
from gigq_tui.screens.parts.job_actions import trouble_of
from gigq_tui.store.models import Tab

if TYPE_CHECKING:
    from gigq_tui.screens.jobs.marks import Marking

_FINISHED_TABS = (Tab.DONE, Tab.CANCELLED, Tab.FAILED, Tab.TIMEOUT)
# Of the jobs that others need, so many are named, each on a line.
NAMED = 2
NAME_CELLS = 24
_WORDS = {"completed": "done", "timeout": "timed out"}
# Somebody may still want to look at these, or to retry them.
_BAD = frozenset({"failed", "timeout"})
_AGES = (
    ("d", "older than a day", timedelta(days=1)),
    ("w", "older than a week", timedelta(days=7)),
)


def begin(screen: Marking) -> None:
    """Clear the marked jobs, or all finished ones that the tab and the filter let through."""
    if screen.marked:
        _plan(screen, "marked", False, tuple(screen.marked))
        return
    view = screen.view
    tabs = _FINISHED_TABS if view.tab is Tab.ALL else (view.tab,)
    if not set(tabs) <= set(_FINISHED_TABS):
        screen.console.notice("Nothing in this tab has finished.", "warn")
        return
    about = f"tab {view.tab.name.title()}" + (f", {view.filter.text}" if view.filter else "")
    _gather(screen, about, [replace(view, tab=tab) for tab in tabs], (), view.tab is Tab.ALL)


def _gather(
    screen: Marking, about: str, views: list[Any], found: tuple[str, ...], spare: bool
) -> None:
    """Ask for the ids of one tab after the other."""
    if not views:
        _plan(screen, about, spare, found)
        return

    def receive(answer: Any) -> None:
        if isinstance(answer, tuple):
            _gather(screen, about, views[1:], (*found, *answer), spare)
        else:
            screen.console.notice(trouble_of(answer), "warn")

    screen.ask_first("matching_ids", views[0], receive)


def _plan(screen: Marking, about: str, spare: bool, ids: tuple[str, ...]) -> None:
    jobs = screen.services.actions.jobs

    def call() -> ClearPlan | GigQError:
        try:
            return jobs.plan_clear(ids)
        except GigQError as problem:
            return problem

    screen.in_thread_first(call, partial(_ask, screen, about, spare))


def _ask(screen: Marking, about: str, spare: bool, plan: ClearPlan | GigQError) -> None:
    if isinstance(plan, GigQError):
        screen.console.notice(str(plan), "error")
    elif not screen.is_current:
        return
    elif not plan.finished:
        screen.console.notice("None of these jobs has finished: there is nothing to clear.", "warn")
    else:
        screen.question(_question(screen, about, spare, plan))


def _question(screen: Marking, about: str, spare: bool, plan: ClearPlan) -> Question:
    """What would go, what stays and why, what can't be read afterwards; and the choices."""
    bad = [job for job in plan.free if job.status in _BAD] if spare else []
    going = [job for job in plan.free if not (spare and job.status in _BAD)]
    needed = [job for job in plan.needed if not (spare and job.status in _BAD)]
    details = [f"Delete: {_by_status(going) or 'nothing'}."]
    if bad:
        details.append(f"Keep: {_by_status(bad)}.")
    if plan.refused:
        details.append(f"Keep, not finished: {count(len(plan.refused))}.")
    if plan.needed:
        details.append(f"Kept because other jobs need them: {count(len(plan.needed))}.")
        details += [
            f"{cut(inert(job.name), NAME_CELLS)} {job.job_id[:8]}: {job.need}"
            for job in plan.needed[:NAMED]
        ]
    if plan.attempts:
        files = f", {plural(plan.outputs, 'file')} of output" if plan.outputs else ""
        known = plural(plan.attempts, "attempt")
        details.append(f"History of {known}{files} is deleted after 30 days.")
    details.append("No waiting job is affected.")
    if sum(job.size for job in going) > KEPT_BYTES:
        details.append(
            f"Undo ({screen.services.hints(UNDO)}) can't restore all of them: they are too large."
        )
    details += screen.services.actions.attach_details
    total = len(going)
    return Question(
        f"Clear {count(total)} finished {'job' if total == 1 else 'jobs'} ({about})?",
        tuple(details),
        (Choice("n", "No"), *_choices(screen, going, bad, needed)),
    )


def _choices(
    screen: Marking, going: Sequence[Finished], bad: Sequence[Finished], needed: Sequence[Finished]
) -> Iterable[Choice]:
    if going:
        yield _choice(screen, "y", f"Clear {count(len(going))}", going)
    now = screen.console.clock.now()
    for key, words, age in _AGES:
        old = [job for job in going if _ended_before(job, now - age)]
        if 0 < len(old) < len(going):
            yield _choice(screen, key, f"{count(len(old))} {words}", old)
    if bad:
        everything = [*going, *bad]
        yield _choice(screen, "f", f"{count(len(everything))} with failed ones", everything)
    if needed:
        everything = [*going, *needed]
        label = f"{count(len(everything))} with those other jobs need"
        yield _choice(screen, "e", label, everything, include_needed=True)


def _choice(
    screen: Marking,
    key: str,
    label: str,
    jobs: Sequence[Finished],
    *,
    include_needed: bool = False,
) -> Choice:
    ids = tuple(job.job_id for job in jobs)
    console = screen.console
    many = len(ids) >= MANY

    def act() -> None:
        console.act(lambda: console.jobs.clear(ids, include_needed), after=screen.acted)

    return Choice(key.upper() if many else key, label, act, grave=many or include_needed)


def _by_status(jobs: Iterable[Finished]) -> str:
    counts = Counter(_WORDS.get(job.status, job.status) for job in jobs)
    return ", ".join(f"{count(number)} {inert(word)}" for word, number in counts.items())


def _ended_before(job: Finished, moment: datetime) -> bool:
    ended = parse_time(job.ended_at)
    return ended is not None and ended < moment
