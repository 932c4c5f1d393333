"""What can be done with the worker under the cursor: drain, kill, pause, release its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from gigq_core.reasons.why import Health
from gigq_core.status import WorkerRequest
from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import inert, plural
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.job_actions import SPAWN_WORKER
from gigq_tui.keys.screen_actions import (
    WORKER_DRAIN,
    WORKER_KILL,
    WORKER_LOG,
    WORKER_PAUSE,
    WORKER_RELEASE,
)
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.release import release_question
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import WorkerRow

_ON_A_WORKER = frozenset(
    action.id for action in (WORKER_DRAIN, WORKER_KILL, WORKER_PAUSE, WORKER_RELEASE)
)
_ENDING = ("draining", "stopping")


class WorkerHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""

    @property
    def shows_list(self) -> bool:
        """Whether that line can be seen now."""


class Controls(Protocol):
    """What the part needs of the service that controls workers."""

    def is_own(self, worker_id: str) -> bool: ...

    def drain_own(self, worker_id: str) -> None: ...

    def kill_own(self, worker_id: str) -> None: ...

    def ask(self, worker: WorkerRow, request: WorkerRequest) -> None: ...

    def release(self, held: Sequence[HeldJob], after: Callable[[], None] | None = None) -> None: ...


class WorkerActions(Part):
    """Acts on the worker under the cursor, after a question.

    Args:
        host: The screen.
        workers: What controls workers.
        notices: Where it is said why an action can't be done.
        hints: The keys that those sentences name.
    """

    def __init__(
        self, host: WorkerHost, workers: Controls, notices: Tells, hints: KeyHints
    ) -> None:
        self._host = host
        self._workers = workers
        self._notices = notices
        self._hints = hints

    def forestalls(self, action: Action) -> bool:
        """Do nothing to a worker whose line isn't seen."""
        if self._host.shows_list or action.id not in _ON_A_WORKER:
            return False
        key = self._hints(WORKER_LOG)
        self._notices.tell(f"Nothing was done: press {key} to see the list first.")
        return True

    @does(WORKER_DRAIN)
    def do_worker_drain(self) -> None:
        """Let the worker finish its jobs, and end."""
        worker = self._living_worker()
        if worker is None:
            return
        if worker.state in _ENDING:
            kill = self._hints(WORKER_KILL)
            self._refuse(f"{inert(worker.id)} is ending already: {kill} kills it.")
            return
        after = f" after {_its_jobs(worker)}" if worker.running else ""
        self._host.question(
            Question(
                f"Drain worker {inert(worker.id)}{after}?",
                ("It finishes its running jobs and takes no new ones.",),
                (Choice("n", "No"), Choice("y", "Drain", partial(self._drain, worker))),
            )
        )

    def _drain(self, worker: WorkerRow) -> None:
        if self._workers.is_own(worker.id):
            self._workers.drain_own(worker.id)
        else:
            self._workers.ask(worker, "drain")

    @does(WORKER_KILL)
    def do_worker_kill(self) -> None:
        """End the worker now."""
        worker = self._living_worker()
        if worker is None:
            return
        details = [
            f"It is running {_its_jobs(worker)}: back to the queue."
            if worker.running
            else "It has no running job."
        ]
        own = self._workers.is_own(worker.id)
        if not own:
            details.append(
                "It was not started by this console; the request goes through the queue file."
            )
        kill = partial(self._workers.kill_own, worker.id)
        ask = partial(self._workers.ask, worker, "stop")
        self._host.question(
            Question(
                f"Kill worker {inert(worker.id)} (pid {worker.pid})?",
                tuple(details),
                (Choice("n", "No"), Choice("y", "Kill", kill if own else ask, grave=True)),
            )
        )

    @does(WORKER_PAUSE)
    def do_worker_pause(self) -> None:
        """Let the worker take no new jobs, or let it go on."""
        worker = self._living_worker()
        if worker is None:
            return
        if worker.state in _ENDING:
            self._refuse(f"{inert(worker.id)} is ending, so it can't be paused.")
            return
        paused = worker.request == "pause" or (worker.state == "paused" and not worker.request)
        request: WorkerRequest = "resume" if paused else "pause"
        self._host.question(
            Question(
                f"{request.title()} worker {inert(worker.id)}?",
                (
                    "It takes jobs again."
                    if paused
                    else "It finishes its running jobs and takes no new ones until resumed.",
                ),
                (
                    Choice("n", "No"),
                    Choice("y", request.title(), partial(self._workers.ask, worker, request)),
                ),
            )
        )

    @does(WORKER_RELEASE)
    def do_worker_release(self) -> None:
        """Give the jobs of a lost worker back to the queue."""
        entry = self._host.entry
        worker = entry.worker if entry is not None else None
        if worker is None or worker.health not in (Health.LOST, Health.STOPPED):
            self._refuse("Only the jobs of a lost worker can be released.")
            return
        if not worker.running:
            self._refuse(f"{worker.id} holds no jobs.")
            return
        held = [HeldJob(job.id, job.name) for job in worker.running]
        release = partial(self._workers.release, held)
        self._host.question(release_question(held, release, f" of {inert(worker.id)}"))

    def _living_worker(self) -> WorkerRow | None:
        """The worker to act on, if it lives; if not, a notice says why nothing is done."""
        entry = self._host.entry
        if entry is None:
            start = self._hints(SPAWN_WORKER)
            self._refuse(f"No worker under the cursor. Press {start} to start one.")
            return None
        worker = entry.worker
        if worker is None:
            self._refuse(
                "GigQ workers can't be controlled from here: stop it where it was started."
            )
            return None
        if worker.health is Health.STOPPED:
            how = "died" if worker.has_died else "stopped already"
            self._refuse(f"{worker.id} has {how}.")
            return None
        if worker.health is Health.LOST:
            release = self._hints(WORKER_RELEASE)
            then = f": {release} releases its jobs" if worker.running else ""
            self._refuse(f"{worker.id} is gone{then}.")
            return None
        return worker

    def _refuse(self, why: str) -> None:
        self._notices.tell(why, "warn")


def _its_jobs(worker: WorkerRow) -> str:
    """What a worker runs, as in `2 jobs (fetch, resize)`."""
    jobs = len(worker.running)
    names = ", ".join(inert(job.name) for job in worker.running[:3])
    if jobs > 3:
        names += f" and {jobs - 3} more"
    return f"{plural(jobs, 'job')} ({names})"
