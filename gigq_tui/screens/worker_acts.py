"""What can be done with the worker under the cursor: stop, kill, pause, release, copy its pid."""

from __future__ import annotations

from gigq_core.queue import WorkerRequest
from gigq_tui.format import inert, plural
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.worker_lines import WorkerEntry
from gigq_tui.store.models import Health, WorkerRow
from gigq_tui.widgets.question import Choice, Question

_ON_A_WORKER = frozenset({"worker_drain", "worker_kill", "worker_pause", "worker_release"})


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

    def perform(self, action_id: str) -> None:
        """Do an action, but nothing to a worker whose line isn't seen."""
        if not self.worker_seen and action_id in _ON_A_WORKER:
            self.console.notice("Nothing was done: l shows the list, and which worker it is about.")
        else:
            super().perform(action_id)

    def _worker(self) -> WorkerRow | None:
        """The worker to act on, if it lives; else a notice says what stands against it."""
        entry = self.entry
        if entry is None:
            self.console.notice("There is no worker under the cursor: + starts one.", "warn")
            return None
        worker = entry.worker
        if worker is None:
            self.console.notice("GigQ's workers can't be asked: end it where it started.", "warn")
            return None
        if worker.health is Health.STOPPED:
            self.console.notice(f"{worker.id} has stopped already.", "warn")
            return None
        if worker.health is Health.LOST:
            then = ": r releases its jobs" if worker.running else ""
            self.console.notice(f"{worker.id} is gone{then}.", "warn")
            return None
        return worker

    def _is_own(self, worker: WorkerRow) -> bool:
        return any(worker.id == ours.worker_id for ours in self.console.pool.alive())

    def _request(self, worker: WorkerRow, request: WorkerRequest) -> None:
        jobs, worker_id = self.console.jobs, worker.id
        self.console.act(lambda: jobs.ask_worker(worker_id, request))

    def do_worker_drain(self) -> None:
        """Let the worker finish its jobs, and end."""
        worker = self._worker()
        if worker is None:
            return
        if self._is_own(worker):
            self.console.stop_own_worker(worker.id)
        else:
            self._request(worker, "drain")

    def do_worker_kill(self) -> None:
        """End the worker now, after a question."""
        worker = self._worker()
        if worker is None:
            return
        own = self._is_own(worker)
        held = len(worker.running)
        names = ", ".join(inert(job.name) for job in worker.running[:3])
        if held > 3:
            names += f" and {held - 3} more"
        details = [
            f"It runs {plural(held, 'job')} ({names}): stopped, and given back to the queue."
            if held
            else "It runs no job now."
        ]
        if not own:
            details.append("It was not started by this console: it is asked through its row.")

        def act() -> None:
            if own:
                self.console.kill_own_worker(worker.id)
            else:
                self._request(worker, "stop")

        self.question(
            Question(
                f"End worker {inert(worker.id)} (pid {worker.pid}) now?",
                tuple(details),
                (Choice("n", "No"), Choice("y", "End it now", act, grave=True)),
            )
        )

    def do_worker_pause(self) -> None:
        """Let the worker claim nothing more, or let it go on."""
        worker = self._worker()
        if worker is None:
            return
        paused = worker.request == "pause" or (worker.state == "paused" and not worker.request)
        self._request(worker, "resume" if paused else "pause")

    def do_worker_release(self) -> None:
        """Give the jobs of a lost worker back to the queue."""
        entry = self.entry
        worker = entry.worker if entry is not None else None
        if worker is None or worker.health not in (Health.LOST, Health.STOPPED):
            self.console.notice("r releases the jobs of a lost worker; this one isn't.", "warn")
            return
        if not worker.running:
            self.console.notice(f"{worker.id} holds no job.", "warn")
            return
        ids = tuple(job.id for job in worker.running)
        jobs = self.console.jobs
        names = ", ".join(f"{inert(job.name)} {job.id[:8]}" for job in worker.running[:3])
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        self.question(
            Question(
                f"Release {plural(len(ids), 'job')} of {inert(worker.id)}?",
                (
                    f"{names}{more}",
                    "Its process is gone: what has attempts left goes back to the queue, the "
                    "rest fails.",
                ),
                (
                    Choice("n", "No"),
                    Choice("y", "Release", lambda: self.console.act(lambda: jobs.release(ids))),
                ),
            )
        )

    def do_worker_copy(self) -> None:
        """Copy the pid of the worker."""
        entry = self.entry
        if entry is None or entry.worker is None:
            self.console.notice("This worker's pid is not known.", "warn")
            return
        self.console.copy_text(str(entry.worker.pid), "the pid")
