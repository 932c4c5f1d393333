"""What is done with schedules: they are added and edited, paused, run now, removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.schedules.rules import Schedule
from gigq_core.schedules.slot_text import fill_slot
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.schedules import ChangesSchedules, for_each, named
from gigq_tui.actions.shell_command import first_commands, param_text
from gigq_tui.format import inert, listed, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import (
    SCHEDULE_EDIT,
    SCHEDULE_NEW,
    SCHEDULE_PAUSE,
    SCHEDULE_REMOVE,
    SCHEDULE_RUN,
)
from gigq_tui.screens.parts.needs import Acts, AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.slots import short_time, there
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import OPEN_STATUSES
from gigq_tui.store.schedules import ListedSchedule

_MOST_NAMES = 6

# What becomes of a job that is run now while the last one has not ended.
_BESIDE = {
    "skip": "this one waits for it",
    "queue": "this one waits for it",
    "replace": "it is cancelled for this one",
    "allow": "this one runs beside it",
}
# What becomes of the next slot where the job that was run now has not ended by then.
_NEXT_SLOT = {
    "skip": "is skipped",
    "queue": "waits until it has ended",
    "replace": "cancels it",
    "allow": "runs beside it",
}


class Chooses(Protocol):
    """Which schedules are meant."""

    @property
    def current(self) -> ListedSchedule | None: ...

    @property
    def chosen(self) -> tuple[ListedSchedule, ...]: ...

    def unmark(self) -> bool: ...


class OpensForm(Protocol):
    """Shows the form for a schedule."""

    def show_schedule_form(self, schedule: Schedule | None = None) -> None: ...


class ScheduleKeys(Part):
    """Adds and edits schedules in the form; pauses, resumes, runs and removes them.

    Args:
        host: The screen.
        choice: Which schedules are meant.
        changes: What writes.
        actions: What has it done, and tells it.
        form: Where the form is.
        notices: Where it is told why nothing is done.
        clock: What time it is.
        path: The queue file, for the command that does the same.
    """

    def __init__(
        self,
        host: AsksQuestion,
        choice: Chooses,
        changes: ChangesSchedules,
        actions: Acts,
        form: OpensForm,
        notices: Tells,
        clock: Clock,
        path: Path,
    ) -> None:
        self._host = host
        self._choice = choice
        self._changes = changes
        self._actions = actions
        self._form = form
        self._notices = notices
        self._clock = clock
        self._path = path

    @does(SCHEDULE_NEW)
    def add(self) -> None:
        """Show the form for a new schedule."""
        self._form.show_schedule_form()

    @does(SCHEDULE_EDIT)
    def edit(self) -> None:
        """Show the form with the schedule under the cursor."""
        one = self._choice.current
        if one is None:
            self._refuse()
        else:
            self._form.show_schedule_form(one.schedule)

    @does(SCHEDULE_PAUSE)
    def pause(self) -> None:
        """Pause the schedules, or let them go on; where they are several, once somebody says so."""
        if not (chosen := self._meant()):
            return
        resumes = [one for one in chosen if one.schedule.paused_at is not None]
        names = tuple(one.name for one in resumes or chosen)
        paused = not resumes
        call = partial(self._changes.pause, names, paused=paused)
        if len(chosen) == 1 and not self._actions.attach_details:
            self._act(call)
            return
        verb = "Pause" if paused else "Resume"
        then = (
            "No slot runs until they are resumed; jobs that they made go on."
            if paused
            else "Slots that have passed meanwhile do not run; they are recorded as skipped."
        )
        self._ask(
            f"{verb} {named(names)}?", [then], verb, call, "pause" if paused else "resume", names
        )

    @does(SCHEDULE_RUN)
    def run(self) -> None:
        """Ask whether to submit the schedules' jobs now."""
        if not (chosen := self._meant()):
            return
        names = tuple(one.name for one in chosen)
        details = self._about_run(chosen[0]) if len(chosen) == 1 else self._about_runs(chosen)
        call = partial(self._changes.run, names)
        self._ask(f"Run {named(names)} now?", details, "Run now", call, "run", names)

    def _about_run(self, one: ListedSchedule) -> list[str]:
        schedule, now = one.schedule, self._clock.now()
        details = [f"Submits {inert(schedule.function)}{_params(schedule, now)}."]
        if _is_open(one):
            then = _BESIDE.get(schedule.overlap, _BESIDE["skip"])
            details.append(f"Its last job has not ended: {then}.")
        at = schedule.next_at
        here = there(at, schedule.zone) if at is not None else None
        if here is not None and schedule.overlap in _NEXT_SLOT:
            time = short_time(here, now.astimezone(here.tzinfo))
            then = _NEXT_SLOT[schedule.overlap]
            details.append(f"If it has not ended by then, the slot at {time} {then}.")
        return details

    def _about_runs(self, chosen: Sequence[ListedSchedule]) -> list[str]:
        still = sum(map(_is_open, chosen))
        details = [f"Submits {plural(len(chosen), 'job')}, as if their slots were now."]
        if still:
            details.append(f"Of {still} the last job has not ended: each goes by its own rule.")
        return details

    @does(SCHEDULE_REMOVE)
    def remove(self) -> None:
        """Ask whether to remove the schedules."""
        if not (chosen := self._meant()):
            return
        names = tuple(one.name for one in chosen)
        still = sum(map(_is_open, chosen))
        stay = "Jobs that were made stay"
        if still:
            stay += (
                f", and {plural(still, 'job')} that has not ended goes on"
                if still == 1
                else (f", and {still} that have not ended go on")
            )
        call = partial(self._changes.remove, names)
        self._ask(f"Remove {named(names)}?", [f"{stay}."], "Remove", call, "remove", names)

    # Inside

    def _meant(self) -> tuple[ListedSchedule, ...]:
        chosen = self._choice.chosen
        if not chosen:
            self._refuse()
        return chosen

    def _refuse(self) -> None:
        self._notices.tell("There is no schedule under the cursor.", "warn")

    def _ask(
        self,
        title: str,
        details: Sequence[str],
        yes: str,
        call: Callable[[], Report],
        verb: str,
        names: Sequence[str],
    ) -> None:
        several = [listed(list(map(inert, names)), _MOST_NAMES)] if len(names) > 1 else []
        twins = first_commands(for_each(self._path, verb, names))
        many = len(names) >= MANY
        choice = Choice("Y" if many else "y", yes, partial(self._act, call), grave=many)
        told = (*several, *details, *twins, *self._actions.attach_details)
        self._host.question(Question(title, told, (Choice("n", "No"), choice)))

    def _act(self, call: Callable[[], Report]) -> None:
        self._actions.act(call, self._after)

    def _after(self) -> None:
        self._choice.unmark()


def _is_open(one: ListedSchedule) -> bool:
    """Whether its last job waits or runs."""
    return one.last is not None and one.last.status in OPEN_STATUSES


def _params(schedule: Schedule, now: datetime) -> str:
    """Its parameters as they are now: ` with day=2026-11-28`."""
    here = there(now.timestamp(), schedule.zone)
    if here is None or not schedule.params:
        return ""
    try:
        filled = fill_slot(schedule.params, here)
    except ValueError:
        return ""
    told = " ".join(inert(f"{key}={param_text(key, value)}") for key, value in filled.items())
    return f" with {told}"
