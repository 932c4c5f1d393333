"""What can be done with the worker under the cursor: drain, kill, pause, release, copy its pid."""

from __future__ import annotations

from functools import partial

from gigq_core.status import WorkerRequest
from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.format import inert, plural
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import SET_WORKERS, SPAWN_WORKER
from gigq_tui.keys.screen_actions import (
    BACK,
    WORKER_COPY,
    WORKER_DRAIN,
    WORKER_KILL,
    WORKER_LOG,
    WORKER_PAUSE,
    WORKER_RELEASE,
)
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.release import release_question
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.screens.workers.setup_panel import ConsoleWorkers, SetupPanel
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import Health, WorkerRow

_ON_A_WORKER = frozenset({"worker_drain", "worker_kill", "worker_pause", "worker_release"})
# What may still be done while the panel for new workers is open; escape closes it.
_DURING_SETUP = frozenset({"quit", "repaint", "suspend", "refresh"})


class WorkerActs(ConsoleScreen, inherit_bindings=False):
    """A screen with a current worker. `entry` says which one an act is about."""

    @property
    def entry(self) -> WorkerEntry | None:
        """The worker under the cursor, or None."""
        return None

    @property
    def worker_seen(self) -> bool:
        """Whether the line that an act is about can be seen now."""
        return True

    def perform(self, action: Action) -> None:
        """Do an action, but nothing to a worker whose line isn't seen."""
        if self.setup_panel is not None and action.id not in _DURING_SETUP:
            if action.id == BACK.id:
                self.setup_panel.close()
        elif not self.worker_seen and action.id in _ON_A_WORKER:
            self.console.notice(
                f"Nothing was done: press {self.console.hints(WORKER_LOG)} to see the list first."
            )
        else:
            super().perform(action)

    def _worker(self) -> WorkerRow | None:
        """The worker to act on, if it lives; else a notice says what stands against it."""
        entry = self.entry
        if entry is None:
            start = self.console.hints(SPAWN_WORKER)
            self.console.notice(f"No worker under the cursor. Press {start} to start one.", "warn")
            return None
        worker = entry.worker
        if worker is None:
            self.console.notice(
                "GigQ workers can't be controlled from here: stop it where it was started.", "warn"
            )
            return None
        if worker.health is Health.STOPPED:
            self.console.notice(f"{worker.id} has stopped already.", "warn")
            return None
        if worker.health is Health.LOST:
            release = self.console.hints(WORKER_RELEASE)
            then = f": {release} releases its jobs" if worker.running else ""
            self.console.notice(f"{worker.id} is gone{then}.", "warn")
            return None
        return worker

    def _is_own(self, worker: WorkerRow) -> bool:
        return any(worker.id == ours.worker_id for ours in self.console.pool.alive())

    # New workers, or fewer

    @property
    def setup_panel(self) -> SetupPanel | None:
        """The panel that asks with what to start workers, while it is open."""
        return next((panel for panel in self.query(SetupPanel) if panel.is_open), None)

    @property
    def expects(self) -> bool:
        setup = self.setup_panel
        return super().expects or (setup is not None and setup.is_looking)

    @does(SET_WORKERS)
    def do_set_workers(self) -> None:
        """Ask how many workers to start, and with what; or how many to let go."""
        if self.setup_panel is not None:
            return
        console = self.console
        # In a layer of its own it covers lines and moves nothing.
        self.styles.layers = "default palette"
        self.mount(SetupPanel(console.path, console.pool.setup, self._staff, self._set_up))

    def _staff(self) -> ConsoleWorkers:
        young = [worker.worker_id for worker in reversed(self.console.pool.staying())]
        newest = self.console.newest
        rows = newest.workers if newest is not None else ()
        busy = {worker.id for worker in rows if worker.running}
        return ConsoleWorkers(
            tuple(name for name in young if name not in busy),
            tuple(name for name in young if name in busy),
        )

    def _set_up(self, change: int, setup: WorkerSetup | None) -> None:
        if change < 0:
            self.console.stop_workers(-change, busy_too=True)
        elif setup is not None:
            self.console.start_workers(change, setup)

    # The one under the cursor

    @does(WORKER_DRAIN)
    def do_worker_drain(self) -> None:
        """Let the worker finish its jobs, and end."""
        worker = self._worker()
        if worker is None:
            return
        if worker.state in ("draining", "stopping"):
            kill = self.console.hints(WORKER_KILL)
            self.console.notice(f"{inert(worker.id)} is ending already: {kill} kills it.", "warn")
            return

        def act() -> None:
            if self._is_own(worker):
                self.console.stop_own_worker(worker.id)
            else:
                self.console.ask_worker(worker, "drain")

        after = f" after {_its_jobs(worker)}" if worker.running else ""
        self.question(
            Question(
                f"Drain worker {inert(worker.id)}{after}?",
                ("It finishes its running jobs and takes no new ones.",),
                (Choice("n", "No"), Choice("y", "Drain", act)),
            )
        )

    @does(WORKER_KILL)
    def do_worker_kill(self) -> None:
        """End the worker now, after a question."""
        worker = self._worker()
        if worker is None:
            return
        own = self._is_own(worker)
        details = [
            f"It is running {_its_jobs(worker)}: back to the queue."
            if worker.running
            else "It has no running job."
        ]
        if not own:
            details.append(
                "It was not started by this console; the request goes through the queue file."
            )

        def act() -> None:
            if own:
                self.console.kill_own_worker(worker.id)
            else:
                self.console.ask_worker(worker, "stop")

        self.question(
            Question(
                f"Kill worker {inert(worker.id)} (pid {worker.pid})?",
                tuple(details),
                (Choice("n", "No"), Choice("y", "Kill", act, grave=True)),
            )
        )

    @does(WORKER_PAUSE)
    def do_worker_pause(self) -> None:
        """Let the worker claim nothing more, or let it go on."""
        worker = self._worker()
        if worker is None:
            return
        if worker.state in ("draining", "stopping"):
            self.console.notice(
                f"{inert(worker.id)} is ending, so it can't be paused.",
                "warn",
            )
            return
        paused = worker.request == "pause" or (worker.state == "paused" and not worker.request)
        request: WorkerRequest = "resume" if paused else "pause"
        self.question(
            Question(
                f"{request.title()} worker {inert(worker.id)}?",
                (
                    "It takes jobs again."
                    if paused
                    else "It finishes its running jobs and takes no new ones until resumed.",
                ),
                (
                    Choice("n", "No"),
                    Choice("y", request.title(), lambda: self.console.ask_worker(worker, request)),
                ),
            )
        )

    @does(WORKER_RELEASE)
    def do_worker_release(self) -> None:
        """Give the jobs of a lost worker back to the queue."""
        entry = self.entry
        worker = entry.worker if entry is not None else None
        if worker is None or worker.health not in (Health.LOST, Health.STOPPED):
            self.console.notice("Only the jobs of a lost worker can be released.", "warn")
            return
        if not worker.running:
            self.console.notice(f"{worker.id} holds no jobs.", "warn")
            return
        held = [HeldJob(job.id, job.name) for job in worker.running]
        release = partial(self.console.release_jobs, held)
        self.question(release_question(held, release, f" of {inert(worker.id)}"))

    @does(WORKER_COPY)
    def do_worker_copy(self) -> None:
        """Copy the pid of the worker."""
        entry = self.entry
        if entry is None or entry.worker is None:
            self.console.notice("This worker's pid is unknown.", "warn")
            return
        self.console.copy_text(str(entry.worker.pid), "the pid")


def _its_jobs(worker: WorkerRow) -> str:
    """What a worker runs, as in `2 jobs (fetch, resize)`."""
    held = len(worker.running)
    names = ", ".join(inert(job.name) for job in worker.running[:3])
    if held > 3:
        names += f" and {held - 3} more"
    return f"{plural(held, 'job')} ({names})"
