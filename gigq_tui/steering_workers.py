"""Steering workers: spawn them, stop them, see them end, and what becomes of them at the end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from gigq_tui.actions.outcome import Report
from gigq_tui.actions.workers import Ended, WorkerPool
from gigq_tui.format import plural
from gigq_tui.steering import SteeringApp
from gigq_tui.steering_notes import signal_name
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

END_WORKERS_S = 8.0
QUIT_AGAIN_S = 3.0


class WorkerSteering(SteeringApp, inherit_bindings=False):
    """What the console can do with workers, with the queue as a whole, and when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, path: Path, *, python: str, chdir: Path, read_only: bool, demo: DemoSession | None
    ) -> None:
        super().__init__(path, python=python, chdir=chdir, read_only=read_only, demo=demo)
        self.pool = WorkerPool(path, python, chdir)
        self._quit_pressed_at: float | None = None
        self._stopped_by_us: set[str] = set()

    # Workers and the queue

    def do_spawn_worker(self) -> None:
        """Start a worker process of this console."""
        self.after_attach_question("Start a worker?", lambda: self.act(self._spawn))

    def _spawn(self) -> Report:
        worker = self.pool.spawn()
        return Report(f"started worker {worker.worker_id} (pid {worker.pid})")

    def do_stop_worker(self) -> None:
        """Stop an idle worker of this console."""
        if not self.pool.alive():
            self.notice("This console has started no worker that still runs.", "warn")
            return
        self.act(self._stop_idle)

    def _stop_idle(self) -> Report:
        worker_id = self.pool.stop_idle()
        if worker_id is None:
            return Report("No worker of this console is idle: w shows what they do.")
        self._stopped_by_us.add(worker_id)
        return Report(f"asked {worker_id} to stop")

    def stop_own_worker(self, worker_id: str) -> None:
        """Let a worker of this console finish its jobs and end."""

        def call() -> Report:
            self.pool.stop(worker_id)
            self._stopped_by_us.add(worker_id)
            return Report(f"asked {worker_id} to stop after its job")

        self.act(call)

    def kill_own_worker(self, worker_id: str) -> None:
        """End a worker of this console now; its jobs go back to the queue."""

        def call() -> Report:
            self._stopped_by_us.add(worker_id)
            self.pool.kill(worker_id)
            return Report(f"ended {worker_id}; its jobs went back to the queue")

        self.act(call)

    def tell_ended(self, ended: Ended) -> None:
        """Tell that a worker process of this console ended."""
        if ended.exit_code == 0 or ended.worker_id in self._stopped_by_us:
            self.notice(f"worker {ended.worker_id} has ended")
            return
        why = f": {ended.last_log_line}" if ended.last_log_line else ""
        how = f"ended with exit code {ended.exit_code}"
        if ended.exit_code < 0:
            how = f"was ended by {signal_name(-ended.exit_code)}"
        self.notice(f"worker {ended.worker_id} {how}{why}", "error")

    def do_pause_queue(self) -> None:
        """Let workers claim nothing more, or let them go on."""
        if self.snapshot is None:
            return
        pause = not self.snapshot.paused
        self.after_attach_question(
            "Pause the queue?" if pause else "Resume the queue?",
            lambda: self.act(lambda: self.jobs.set_queue_paused(pause)),
        )

    def start_demo_workers(self, demo: DemoSession) -> None:
        """Start the workers of the demonstration."""

        def call() -> Report:
            for _ in range(demo.workers):
                self.pool.spawn()
            return Report(f"the demo works in {demo.folder}")

        self.act(call)

    # Leaving

    def do_quit(self) -> None:
        """Quit at the second press."""
        now = self.monotonic()
        pressed = self._quit_pressed_at
        self._quit_pressed_at = now
        if pressed is not None and now - pressed <= QUIT_AGAIN_S:
            self.leave()
        else:
            self.notice("press ctrl+c again to quit", "warn")

    def leave(self) -> None:
        """Quit; what becomes of workers that this console started is asked, never guessed."""
        alive = self.pool.alive()
        if not alive:
            self.exit()
        elif self.demo is not None:
            self._end_workers(len(alive))
        else:
            self._ask_about_workers(len(alive))

    def _ask_about_workers(self, count: int) -> None:
        screen = self.front
        if screen is None or screen.panel.is_open:
            return
        names = ", ".join(f"{worker.worker_id} (pid {worker.pid})" for worker in self.pool.alive())
        them = "it" if count == 1 else "them"
        screen.question(
            Question(
                f"Quit? {plural(count, 'worker')} that this console started still "
                f"{'runs' if count == 1 else 'run'}: {names}",
                (
                    f"Left running, {'it goes' if count == 1 else 'they go'} on without this "
                    f"terminal. Ended now, the jobs {'it has' if count == 1 else 'they have'} go "
                    "back to the queue.",
                ),
                (
                    Choice("s", "Stay here"),
                    Choice("l", f"Leave {them} running", self._leave_workers),
                    Choice(
                        "e", f"End {them} and quit", partial(self._end_workers, count), grave=True
                    ),
                ),
            )
        )

    def _leave_workers(self) -> None:
        self.pool.leave_running()
        self.exit()

    def _end_workers(self, count: int) -> None:
        self.notice(f"ending {plural(count, 'worker')}..", "warn")

        def call() -> None:
            self.pool.end_all(END_WORKERS_S)

        self.act(call, after=self.exit)
