"""What is done to schedules: they are stored, paused, resumed, removed, and run now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gigq_core import Job, JobQueue
from gigq_core.errors import GigQError
from gigq_core.job import JobOptions
from gigq_core.schedules.rules import CATCH_UPS, OVERLAPS, Schedule
from gigq_core.status import Change, Outcome
from gigq_core.submitting.definition import job_of_definition
from gigq_tui.actions import shell_command
from gigq_tui.actions.report import Report
from gigq_tui.actions.submit import ScheduleTerms, SubmitRequest, job_for
from gigq_tui.actions.undo_log import DoneChange, UndoLog
from gigq_tui.actions.writing import opened
from gigq_tui.format import inert, plural

# What makes a schedule what it is; the rest follows from the clock and its jobs.
_TERMS = ("when", "zone", "catch_up", "overlap", "definition")


class ChangesSchedules(Protocol):
    """What changes schedules in the file; tests put their own in its place. Each method blocks."""

    def store(self, request: SubmitRequest) -> Report: ...

    def pause(self, names: Sequence[str], *, paused: bool) -> Report: ...

    def remove(self, names: Sequence[str]) -> Report: ...

    def run(self, names: Sequence[str]) -> Report: ...


class ScheduleActions:
    """Changes the schedules of one queue file. Call its methods in a thread: each one blocks.

    Args:
        path: The queue file.
        undo_log: Where it is kept what can be taken back.
        read_only: Refuse every act.
        python: The interpreter of the workers' jobs, where functions are looked for.
        chdir: The folder of the workers' jobs.
    """

    def __init__(
        self,
        path: Path,
        undo_log: UndoLog,
        *,
        read_only: bool = False,
        python: str = sys.executable,
        chdir: Path | None = None,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.python = python
        self.chdir = Path.cwd() if chdir is None else chdir
        self._undo_log = undo_log

    def store(self, request: SubmitRequest) -> Report:
        """Store a schedule, in the place of one of its name, once its function has been found.

        Raises:
            GigQError: Nothing was done; the sentence says why. So for every act below.
        """
        assert request.schedule is not None
        terms = request.schedule
        job = job_for(request, self.python, self.chdir)
        with self._queue() as queue:
            before = _by_name(queue).get(terms.name)
            after = _put(queue, terms, job)
        verb = "added" if before is None else "changed"
        if before is None or not _alike(before, after):
            what = f"{'addition' if before is None else 'change'} of {named([terms.name])}"
            put_back = partial(_put_back, {terms.name: before}, {terms.name: after})
            self._undo_log.add(DoneChange(what, (terms.name,), put_back))
        twin = shell_command.for_submit(self.path, request)
        return Report(f"{verb} {named([terms.name])}", (), twin, undoable=True)

    def pause(self, names: Sequence[str], *, paused: bool) -> Report:
        """Let no slot of some schedules run, or let them go on."""
        with self._queue() as queue:
            done = _switch(queue, names, paused=paused)
        word = "paused" if paused else "resumed"
        twin = self._twin("pause" if paused else "resume", names)
        if not done:
            return Report(f"{named(names)}: {word} already", (), twin)
        what = f"{'pause' if paused else 'resumption'} of {named(done)}"
        put_back = partial(_switch_back, done, not paused)
        self._undo_log.add(DoneChange(what, tuple(done), put_back))
        return Report(f"{word} {named(done)}", (), twin, undoable=True)

    def remove(self, names: Sequence[str]) -> Report:
        """Remove schedules; the jobs that they made stay."""
        with self._queue() as queue:
            known = _by_name(queue)
            gone = [name for name in names if queue.remove_schedule(name)]
        twin = self._twin("remove", names)
        if not gone:
            return Report(f"{named(names)}: removed already", (), twin)
        before = {name: known.get(name) for name in gone}
        put_back = partial(_put_back, before, dict.fromkeys(gone))
        self._undo_log.add(DoneChange(f"removal of {named(gone)}", tuple(gone), put_back))
        return Report(f"removed {named(gone)}; jobs stay", (), twin, undoable=True)

    def run(self, names: Sequence[str]) -> Report:
        """Submit the jobs of schedules now, beside their slots."""
        made: dict[str, str] = {}
        with self._queue() as queue:
            try:
                for name in names:
                    made[name] = queue.run_schedule(name)
            except KeyError:
                raise GigQError(f"There is no schedule {inert(name)} any more.") from None
            except (TypeError, ValueError) as problem:
                raise GigQError(f"{inert(name)}: {problem}") from None
        twin, ids = self._twin("run", names), tuple(made.values())
        if len(made) == 1:
            return Report(f"submitted a job of {named(names)} ({ids[0][:8]})", (), twin, ids)
        new = tuple(Outcome(id, Change.SUBMITTED, name=name) for name, id in made.items())
        return Report(f"submitted {plural(len(new), 'job')}", new, twin, ids)

    def _queue(self) -> AbstractContextManager[JobQueue]:
        return opened(self.path, read_only=self.read_only)

    def _twin(self, verb: str, names: Iterable[str]) -> str:
        return for_each(self.path, verb, names)


def for_each(path: Path, verb: str, names: Iterable[str]) -> str:
    """The command that does something to each of some schedules."""
    return "\n".join(
        shell_command.command(path, "schedule", verb, *shell_command.guarding([name]), name)
        for name in names
    )


def job_of(schedule: Schedule) -> Job:
    """A job such as a schedule makes, its parameters as they are written.

    Raises:
        ValueError: It can't be made; the sentence says why.
    """
    try:
        return job_of_definition(schedule.definition)
    except TypeError as problem:
        raise ValueError(str(problem)) from None


def request_of(schedule: Schedule) -> SubmitRequest:
    """What the form would ask for to store the same schedule.

    Raises:
        ValueError: As for `job_of`.
    """
    job = job_of(schedule)
    options: dict[str, Any] = {one.name: getattr(job, one.name) for one in fields(JobOptions)}
    return SubmitRequest(
        schedule.function, dict(schedule.params), JobOptions(**options), schedule=terms_of(schedule)
    )


def terms_of(schedule: Schedule) -> ScheduleTerms:
    """What a schedule is besides its job; what it was told in words that are none is as usual."""
    return ScheduleTerms(
        schedule.name,
        schedule.when,
        schedule.zone,
        next((word for word in CATCH_UPS if word == schedule.catch_up), CATCH_UPS[0]),
        next((word for word in OVERLAPS if word == schedule.overlap), OVERLAPS[0]),
    )


def _by_name(queue: JobQueue) -> dict[str, Schedule]:
    return {schedule.name: schedule for schedule in queue.schedules()}


def _alike(one: Schedule | None, other: Schedule | None) -> bool:
    """Whether two are the same in what they were told; both may be none."""
    if one is None or other is None:
        return one is other
    return all(getattr(one, part) == getattr(other, part) for part in _TERMS)


def _put_back(
    before: Mapping[str, Schedule | None], after: Mapping[str, Schedule | None], queue: JobQueue
) -> tuple[str, ...]:
    """Bring schedules back to what they were, where nobody has changed them since."""
    now = _by_name(queue)
    refused: list[str] = []
    for name, was in before.items():
        if not _alike(now.get(name), after[name]):
            refused.append(f"{inert(name)} was changed since")
        elif was is None:
            queue.remove_schedule(name)
        else:
            _restore(queue, was)
    return tuple(refused)


def _restore(queue: JobQueue, was: Schedule) -> None:
    try:
        _put(queue, terms_of(was), job_of(was))
    except ValueError as problem:
        raise GigQError(str(problem)) from None
    if was.paused_at is not None:
        queue.pause_schedule(was.name)


def _put(queue: JobQueue, terms: ScheduleTerms, job: Job) -> Schedule:
    try:
        return queue.schedule(
            terms.name,
            terms.when,
            job,
            zone=terms.zone,
            catch_up=terms.catch_up,
            overlap=terms.overlap,
        )
    except (TypeError, ValueError) as problem:
        raise GigQError(str(problem)) from None


def _switch(queue: JobQueue, names: Iterable[str], *, paused: bool) -> list[str]:
    """Pause or resume schedules; those that were not so are returned."""
    switch: Callable[[str], bool] = queue.pause_schedule if paused else queue.resume_schedule
    return [name for name in names if switch(name)]


def _switch_back(names: Sequence[str], paused: bool, queue: JobQueue) -> tuple[str, ...]:
    done = _switch(queue, names, paused=paused)
    word = "paused" if paused else "resumed"
    return tuple(f"{inert(name)} was {word} since" for name in names if name not in done)


def named(names: Sequence[str]) -> str:
    """What schedules are called: `schedule nightly`, or how many they are."""
    return f"schedule {inert(names[0])}" if len(names) == 1 else plural(len(names), "schedule")
