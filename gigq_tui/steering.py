"""The acting half of the app: run an act in a thread, tell its outcome, steer workers, leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.console import RenderableType
from textual import on
from textual.app import App
from textual.binding import BindingType

from gigq_core.errors import GigQError
from gigq_tui.actions.jobs import JobActions
from gigq_tui.actions.outcome import Report
from gigq_tui.actions.workers import Ended, WorkerPool
from gigq_tui.clipboard import osc52
from gigq_tui.format import cut, inert, plural
from gigq_tui.messages import ActFinished
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.steering_notes import attach_note, signal_name
from gigq_tui.store.models import Snapshot
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

END_WORKERS_S = 8.0
QUIT_AGAIN_S = 3.0


class SteeringApp(App[None], inherit_bindings=False):
    """What the console can do, without how it reads and draws.

    Args:
        path: The queue file.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Refuse whatever writes.
        demo: The demonstration this console shows, or None.
    """

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, path: Path, *, python: str, chdir: Path, read_only: bool, demo: DemoSession | None
    ) -> None:
        super().__init__()
        # Nothing moves by itself: an animation is a flood of bytes on a slow line.
        self.animation_level = "none"
        self.path = path
        self.python = python
        self.chdir = chdir
        self.read_only = read_only
        self.demo = demo
        self.jobs = JobActions(path, read_only, python=python, chdir=chdir)
        self.pool = WorkerPool(path, python, chdir)
        self.snapshot: Snapshot | None = None
        self.acting = 0
        self.failed = False
        self._quit_pressed_at: float | None = None
        self._stopped_by_us: set[str] = set()

    @property
    def front(self) -> ConsoleScreen | None:
        """The screen in front, if it is one of ours."""
        if not self.screen_stack:
            return None
        screen = self.screen
        return screen if isinstance(screen, ConsoleScreen) else None

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def mind_the_ticker(self) -> None:
        """Let the ticker run while anything changes by the second."""

    def refresh_feed(self) -> None:
        """Have the file read again soon."""

    def panic(self, *renderables: RenderableType) -> None:
        """End because of a fault, as when the terminal's input is lost."""
        self.failed = True
        super().panic(*renderables)

    # Acts and their outcome

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None:
        """Run a blocking act in a thread and tell its outcome.

        Args:
            call: What to do; a `GigQError` becomes a notice.
            after: Called in the app's own thread once it has succeeded.
        """
        self.acting += 1
        self.run_worker(partial(self._act, call, after), thread=True, group="acts")

    def _act(self, call: Callable[[], Report | None], after: Callable[[], None] | None) -> None:
        try:
            report = call()
        except (GigQError, OSError) as problem:
            self.post_message(ActFinished(None, str(problem)))
        else:
            self.post_message(ActFinished(report, after=after))

    @on(ActFinished)
    def _act_finished(self, event: ActFinished) -> None:
        self.acting -= 1
        if event.trouble:
            self.notice(event.trouble, "error")
        elif event.report is not None:
            report = event.report
            self.notice(report.title, "ok" if report.done else "warn", report.twin)
        if event.after is not None:
            event.after()
        self.refresh_feed()
        self.mind_the_ticker()

    def notice(self, text: str, tone: str = "info", twin: str = "") -> None:
        """Tell something in the notice line of the screen in front.

        Args:
            text: One sentence or less.
            tone: `info`, `ok`, `warn` or `error`.
            twin: The shell command that does the same, or an empty string.
        """
        screen = self.front
        if screen is not None and screen.is_whole:
            screen.notice_line.tell(text, tone, twin)
            self.mind_the_ticker()

    def copy_text(self, text: str, what: str) -> None:
        """Put text on the clipboard of the terminal that the person sits at."""
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(osc52(text))
        self.notice(f"copied {what}: {cut(inert(text), 60)}", "ok")

    @property
    def will_attach(self) -> bool:
        """Whether the first act adds our tables to a file that is GigQ's own so far."""
        return self.snapshot is not None and not self.snapshot.info.attached

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        """Act at once, or ask first where the act adds our tables to GigQ's own file."""
        screen = self.front
        if not self.will_attach or screen is None:
            act()
            return
        screen.question(
            Question(
                title,
                (attach_note(self.path),),
                (Choice("n", "No"), Choice("y", "Yes", act)),
            )
        )

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
