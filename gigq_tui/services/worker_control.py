"""Steering workers: start them, ask them, see what comes of it, and take leave of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from gigq_core.errors import GigQError
from gigq_core.status import WorkerRequest
from gigq_tui.actions import shell_command
from gigq_tui.actions.report import Report
from gigq_tui.actions.workers import announcements, head_count
from gigq_tui.actions.workers.announcements import Announcement
from gigq_tui.actions.workers.held_jobs import HeldJob
from gigq_tui.actions.workers.pending_requests import PendingRequests, Request
from gigq_tui.actions.workers.pool import WorkerPool
from gigq_tui.actions.workers.preflight import Preflight
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.format import inert, listed, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import PAUSE_QUEUE, SET_WORKERS, SPAWN_WORKER, STOP_WORKER
from gigq_tui.keys.looking_actions import WORKERS
from gigq_tui.keys.screen_actions import QUIT, WORKER_RELEASE
from gigq_tui.services.actions import SteeringApp
from gigq_tui.store.models import Snapshot, WorkerRow
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

QUIT_AGAIN_S = 3.0
# So many jobs are told of one by one.
MOST_LINES = 8


class WorkerSteering(SteeringApp, inherit_bindings=False):
    """What the console can do with workers, with the queue as a whole, and when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, path: Path, *, python: str, chdir: Path, read_only: bool, demo: DemoSession | None
    ) -> None:
        super().__init__(path, python=python, chdir=chdir, read_only=read_only, demo=demo)
        self.pool = WorkerPool(path, WorkerSetup(python, chdir), tied=demo is not None)
        self.requests = PendingRequests()
        self.foresight = Preflight(path)
        # Workers whose end is told by the act that ends them.
        self._being_killed: set[str] = set()
        self._quit_pressed_at: float | None = None

    @property
    def newest(self) -> Snapshot | None:
        """The last picture of the file, also while an older one is held on the screen."""
        return self.snapshot

    # Starting

    @does(SPAWN_WORKER)
    def do_spawn_worker(self) -> None:
        """Start a worker process of this console, as the last ones were started."""
        self.after_attach_question("Start a worker?", partial(self.act, self._spawn_if_of_use))

    def _spawn_if_of_use(self) -> Report:
        """Start one, but the first only where it finds the functions of what waits."""
        self.foresight.look(self.pool.setup, self.hints(SET_WORKERS))
        return self._spawn(1)

    def start_workers(self, count: int, setup: WorkerSetup) -> None:
        """Start workers as somebody chose, and from now on all further ones in the same way."""

        def begin() -> None:
            self.pool.setup = setup
            self.foresight.trust(setup)
            self.act(partial(self._spawn, count))

        title = "Start a worker?" if count == 1 else f"Start {count} workers?"
        self.after_attach_question(title, begin)

    def _spawn(self, count: int) -> Report:
        started: list[str] = []
        line = shell_command.for_worker(self.path, self.pool.setup, count)
        for _ in range(count):
            try:
                worker = self.pool.spawn()
            except GigQError as problem:
                if not started:
                    raise
                raise GigQError(
                    f"{len(started)} of {count} workers were started. {problem}"
                ) from None
            started.append(worker.worker_id)
        if count == 1:
            return Report(f"started worker {worker.worker_id} (pid {worker.pid})", (), line)
        return Report(f"started {count} workers: {listed(started)}", (), line)

    @does(SET_WORKERS)
    def do_set_workers(self) -> None:
        """Ask, on the workers screen, how many workers there shall be, and with what."""
        from gigq_tui.screens.workers.screen import WorkersScreen

        self.push_screen(WorkersScreen(setting_up=True))

    def start_demo_workers(self, demo: DemoSession) -> None:
        """Start the workers of the demonstration."""

        def call() -> Report:
            for _ in range(demo.workers):
                self.pool.spawn()
            return Report(f"the demo's files are in {demo.folder}")

        self.act(call)

    # Stopping this console's own

    @does(STOP_WORKER)
    def do_stop_worker(self) -> None:
        """Stop an idle worker of this console."""
        self.stop_workers(1, busy_too=False)

    def stop_workers(self, count: int, *, busy_too: bool) -> None:
        """Stop workers of this console, those without a job first.

        Args:
            count: How many.
            busy_too: Whether those with a job are asked too, to end after it; otherwise that is
                offered where there are no others.
        """
        if not self.pool.staying():
            ending = " that is not draining already" if self.pool.alive() else ""
            self.notice(f"This console has no running worker{ending}.", "warn")
            return
        asked: list[Request] = []

        def call() -> Report | None:
            idle, busy = self.pool.stop_some(count, busy_too=busy_too)
            asked.extend(self._asked_to_drain(name) for name in (*idle, *busy))
            if not asked and not busy_too:
                return None
            line = shell_command.for_requests(self.path, [one.worker_id for one in asked], "drain")
            return Report(head_count.stopping(idle, busy), (), line)

        def after() -> None:
            for one in asked:
                self.requests.add(one)
            if not asked and not busy_too:
                self._offer_the_youngest()

        self.act(call, after)

    def _offer_the_youngest(self) -> None:
        screen, staying = self.front, self.pool.staying()
        if not staying or screen is None or screen.panel.is_open:
            self.notice("This console has no idle worker.", "warn")
            return
        youngest = staying[-1].worker_id
        rows = self.newest.workers if self.newest is not None else ()
        running = next((row.running for row in rows if row.id == youngest), ())
        names = listed([inert(job.name) for job in running])
        screen.question(
            Question(
                "This console has no idle worker.",
                (
                    f"The newest, {youngest}, is running {names or 'a job'}; it can end then.",
                    f"{self.hints(WORKERS)} shows what they are doing.",
                ),
                (
                    Choice("n", "No"),
                    Choice(
                        "y",
                        f"Drain {youngest}",
                        partial(self.stop_own_worker, youngest),
                    ),
                ),
            )
        )

    def stop_own_worker(self, worker_id: str) -> None:
        """Let a worker of this console finish its jobs and end."""
        asked: list[Request] = []

        def call() -> Report:
            self.pool.stop(worker_id)
            asked.append(self._asked_to_drain(worker_id))
            line = shell_command.for_requests(self.path, [worker_id], "drain")
            return Report(f"draining {worker_id} after its job", (), line)

        self.act(call, lambda: self.requests.add(asked[0]))

    def _asked_to_drain(self, worker_id: str) -> Request:
        held = announcements.held_by(self.path, worker_id)
        return Request(worker_id, "drain", self.monotonic(), held, by_signal=True)

    def kill_own_worker(self, worker_id: str) -> None:
        """End a worker of this console now; its jobs go back to the queue."""
        self._being_killed.add(worker_id)
        self.requests.drop(worker_id)

        def call() -> Report:
            held = announcements.held_by(self.path, worker_id)
            try:
                by_itself = self.pool.kill(worker_id)
            except GigQError:
                self._being_killed.discard(worker_id)
                raise
            if held and not by_itself:
                # Where that can't be done now, what is told says that they are still held.
                with suppress(GigQError):
                    self.jobs.release(job.id for job in held)
            how = "has ended" if by_itself else "did not end by itself and was killed"
            line = shell_command.for_requests(self.path, [worker_id], "kill")
            return Report(
                announcements.with_fates(self.path, f"{worker_id} {how}", worker_id, held), (), line
            )

        self.act(call)

    # Asking any worker on the file

    def ask_worker(self, worker: WorkerRow, request: WorkerRequest) -> None:
        """Ask a worker through its row, and tell later what it answered."""
        held = tuple(HeldJob(job.id, job.name) for job in worker.running)
        jobs = self.jobs
        self.act(
            lambda: jobs.ask_worker(worker.id, request),
            lambda: self.requests.add(Request(worker.id, request, self.monotonic(), held)),
        )

    def release_jobs(
        self, held: Sequence[HeldJob], after: Callable[[], None] | None = None
    ) -> None:
        """Take jobs back from workers that are gone, and tell what became of each.

        Args:
            held: The jobs.
            after: Called once that was done.
        """
        told: list[Report] = []
        jobs = self.jobs

        def call() -> Report:
            told.append(jobs.release([job.id for job in held]))
            return told[0]

        def tell() -> None:
            if after is not None:
                after()
            self._tell_row_by_row(held, told[0])

        self.act(call, tell)

    def _tell_row_by_row(self, held: Sequence[HeldJob], report: Report) -> None:
        screen = self.front
        reasons = {outcome.job_id: outcome for outcome in report.outcomes}
        lines = [
            f"{inert(job.name)} {job.id[:8]}: {reasons[job.id].reason or 'released'}"
            for job in held
            if job.id in reasons
        ]
        if len(lines) == 1 and report.done:
            self.notice(f"released {lines[0]}", "ok", report.twin)
        elif lines and screen is not None and not screen.panel.is_open:
            more = len(lines) - MOST_LINES
            if more > 0:
                lines = [*lines[:MOST_LINES], f"and {more} more"]
            screen.question(
                Question(
                    report.title,
                    tuple(lines),
                    (Choice("escape", "Close"),),
                )
            )

    # What came of it

    def tell_about_workers(self) -> None:
        """Tell which workers of this console ended, and what others answered."""
        keys = f"{self.hints(WORKERS)}, then {self.hints(WORKER_RELEASE)} on its line,"
        release = f"{keys} releases its jobs"
        alive = {worker.worker_id for worker in self.pool.alive()}
        ended = [one for one in self.pool.reap() if one.worker_id not in self._being_killed]
        asked = [self.requests.drop(one.worker_id) for one in ended]
        self.requests.drop_gone(alive)
        if ended:
            pairs = list(zip(ended, asked, strict=True))
            path = self.path
            self.in_thread(
                lambda: [announcements.of_end(path, *pair, release) for pair in pairs],
                self._tell_all,
            )
        snapshot = self.newest
        if snapshot is None or not self.requests.waiting:
            return
        answers = self.requests.look(snapshot.workers, self.monotonic())
        if answers:
            path = self.path
            self.in_thread(
                lambda: [announcements.of_answer(path, answer, release) for answer in answers],
                self._tell_all,
            )

    def _tell_all(self, news: list[Announcement]) -> None:
        tones = [one.tone for one in news]
        tone = next(tone for tone in ("error", "warn", "ok") if tone in tones)
        self.notice("; ".join(one.text for one in news), tone)

    # The queue as a whole

    @does(PAUSE_QUEUE)
    def do_pause_queue(self) -> None:
        """Let workers claim nothing more, or let them go on."""
        if self.snapshot is None:
            return
        pause = not self.snapshot.paused
        theirs = [inert(worker.id) for worker in self.snapshot.foreign_workers]

        def call() -> Report:
            report = self.jobs.set_queue_paused(pause)
            if not pause or not theirs:
                return report
            who = f"GigQ {'worker' if len(theirs) == 1 else 'workers'} {listed(theirs)}"
            return replace(
                report, title=f"queue paused: running jobs finish, but {who} can't be paused"
            )

        details = ["Running jobs finish; no new ones start until it is resumed."]
        if theirs and pause:
            details.append(
                f"GigQ {'worker' if len(theirs) == 1 else 'workers'} {listed(theirs)} "
                "can't be paused."
            )
        self.confirm(
            "Pause the queue?" if pause else "Resume the queue?",
            details if pause else ["Workers take jobs again."],
            "Pause" if pause else "Resume",
            lambda: self.act(call),
        )

    # Leaving

    @does(QUIT)
    def do_quit(self) -> None:
        """Quit at the second press."""
        now = self.monotonic()
        pressed = self._quit_pressed_at
        self._quit_pressed_at = now
        if pressed is not None and now - pressed <= QUIT_AGAIN_S:
            self.leave()
        else:
            self.notice(f"press {self.hints(QUIT)} again to quit", "warn")

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
        one = count == 1
        it, them, has = ("it", "it", "has") if one else ("they", "them", "have")
        names = listed([f"{worker.worker_id} (pid {worker.pid})" for worker in self.pool.alive()])
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
        self.pool.leave_running()
        self.exit()

    def _drain_workers(self) -> None:
        self.pool.stop_all()
        self._leave_workers()

    def _end_workers(self, count: int) -> None:
        self.notice(f"killing {plural(count, 'worker')}..", "warn")

        def call() -> None:
            self.pool.end_all()

        self.act(call, after=self.exit)
