"""Quitting: what becomes of the workers that this console started is asked, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import listed, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import QUIT
from gigq_tui.services.actions import Actions
from gigq_tui.services.front import FrontNow
from gigq_tui.services.notices import Notices
from gigq_tui.services.settings import Settings
from gigq_tui.services.worker_control import WorkerControl

QUIT_AGAIN_S = 3.0


class Quitting:
    """Leaves the console.

    Args:
        settings: How the console was started.
        hints: Names the keys in what is told.
        actions: Ends workers, which takes its time.
        workers: The workers that this console started.
        notices: Where it is told how to quit.
        front: The screen in front, where it is asked.
        leave: Ends the app.
    """

    def __init__(
        self,
        settings: Settings,
        hints: KeyHints,
        actions: Actions,
        workers: WorkerControl,
        notices: Notices,
        front: FrontNow,
        leave: Callable[[], None],
    ) -> None:
        self._clock = settings.clock
        self._hints = hints
        self._is_demo = settings.demo is not None
        self._actions = actions
        self._workers = workers
        self._notices = notices
        self._front = front
        self._leave = leave
        self._pressed_at: float | None = None

    @does(QUIT)
    def do_quit(self) -> None:
        """Quit at the second press."""
        now = self._clock.monotonic()
        pressed, self._pressed_at = self._pressed_at, now
        if pressed is not None and now - pressed <= QUIT_AGAIN_S:
            self.leave()
        else:
            self._notices.tell(f"press {self._hints(QUIT)} again to quit", "warn")

    def leave(self) -> None:
        """Quit; what becomes of workers that this console started is asked first."""
        count = len(self._workers.pool.alive())
        if not count:
            self._leave()
        elif self._is_demo:
            self._end_workers(count)
        else:
            self._ask_about_workers(count)

    def _ask_about_workers(self, count: int) -> None:
        screen = self._front()
        if screen is None or screen.panel.is_open:
            return
        one = count == 1
        it, them, has = ("it", "it", "has") if one else ("they", "them", "have")
        names = listed(
            [f"{worker.worker_id} (pid {worker.pid})" for worker in self._workers.pool.alive()]
        )
        screen.question(
            Question(
                f"Quit? {plural(count, 'worker')} that this console started still "
                f"{'runs' if one else 'run'}: {names}",
                (
                    f"Left running, {it} {'goes' if one else 'go'} on without this terminal; "
                    f"any console can drain or kill {them}.",
                    f"Drained, {it} {'finishes' if one else 'finish'} running jobs and "
                    f"{'takes' if one else 'take'} no new ones; this console does not wait.",
                    f"Killed, the jobs {it} {has} go back to the queue.",
                ),
                (
                    Choice("s", "Stay here"),
                    Choice("l", f"Leave {them} running", self._leave_workers),
                    Choice("f", f"Drain {them}", self._drain_workers),
                    Choice(
                        "e", f"Kill {them} and quit", partial(self._end_workers, count), grave=True
                    ),
                ),
            )
        )

    def _leave_workers(self) -> None:
        self._workers.pool.leave_running()
        self._leave()

    def _drain_workers(self) -> None:
        self._workers.pool.stop_all()
        self._leave_workers()

    def _end_workers(self, count: int) -> None:
        self._notices.tell(f"killing {plural(count, 'worker')}..", "warn")

        def call() -> None:
            self._workers.pool.end_all()

        self._actions.act(call, after=self._leave)
