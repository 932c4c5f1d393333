"""Steering workers: start them, ask them, see what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gigq_core.errors import GigQError
from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.status import WorkerRequest
from gigq_tui.actions import shell_command
from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.workers import announcements, head_count
from gigq_tui.actions.workers.announcements import Announcement
from gigq_tui.actions.workers.pending_requests import PendingRequests, Request
from gigq_tui.actions.workers.pool import Ended, SpawnedWorker
from gigq_tui.actions.workers.preflight import Preflight
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.format import inert, listed
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.job_actions import PAUSE_QUEUE, SET_WORKERS, SPAWN_WORKER, STOP_WORKER
from gigq_tui.keys.looking_actions import WORKERS
from gigq_tui.keys.screen_actions import WORKER_RELEASE
from gigq_tui.services.actions import Actions
from gigq_tui.services.front import FrontNow
from gigq_tui.services.notices import Notices
from gigq_tui.services.picture import Picture
from gigq_tui.services.settings import Settings
from gigq_tui.services.waiting import RunsWorkers, find_out
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import WorkerRow

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

# So many jobs are told of one by one.
MOST_LINES = 8


class StartsWorkers(Protocol):
    """What is needed of what starts and ends worker processes; tests put their own here."""

    setup: WorkerSetup
    started: set[str]

    def spawn(self) -> SpawnedWorker: ...

    def alive(self) -> tuple[SpawnedWorker, ...]: ...

    def staying(self) -> tuple[SpawnedWorker, ...]: ...

    def reap(self) -> tuple[Ended, ...]: ...

    def drain(self, worker_id: str) -> None: ...

    def drain_some(self, count: int, *, busy_too: bool) -> tuple[list[str], list[str]]: ...

    def stop_all(self) -> None: ...

    def kill(self, worker_id: str) -> bool: ...

    def end_all(self, patience_s: float | None = None) -> object: ...

    def leave_running(self) -> object: ...


class WorkerControl:
    """What is done with workers, and with the queue as a whole.

    Args:
        pool: The workers of this console.
        preflight: Looks whether a first worker finds the functions of what waits.
        settings: How the console was started.
        hints: Names the keys in what is told.
        owner: Has what came of it found out.
        actions: Acts, and tells it.
        picture: What is shown of the file.
        notices: Where it is told what came of it.
        front: The screen in front, where questions are asked.

    Attributes:
        requests: What workers were asked, and have not answered yet.
    """

    def __init__(
        self,
        pool: StartsWorkers,
        preflight: Preflight,
        settings: Settings,
        hints: KeyHints,
        owner: RunsWorkers,
        actions: Actions,
        picture: Picture,
        notices: Notices,
        front: FrontNow,
    ) -> None:
        self.pool = pool
        self.preflight = preflight
        self.requests = PendingRequests()
        self._path = settings.path
        self._clock = settings.clock
        self._hints = hints
        self._owner = owner
        self._actions = actions
        self._picture = picture
        self._notices = notices
        self._front = front
        # What was told last of workers that ended or answered, as long as jobs of theirs are left.
        self._told: list[Announcement] = []
        # Workers whose end is told by the action that ends them.
        self._being_killed: set[str] = set()

    # Starting

    @does(SPAWN_WORKER)
    def do_spawn_worker(self) -> None:
        """Start a worker process of this console, as the last ones were started."""
        self._actions.after_attach_question(
            "Start a worker?", partial(self._actions.act, self._spawn_if_of_use)
        )

    def _spawn_if_of_use(self) -> Report:
        """Start one, but the first only where it finds the functions of what waits."""
        self.preflight.look(self.pool.setup, self._hints(SET_WORKERS))
        return self._spawn(1)

    def start(self, count: int, setup: WorkerSetup) -> None:
        """Start workers as somebody chose, and from now on all further ones in the same way."""

        def begin() -> None:
            self.pool.setup = setup
            self.preflight.trust(setup)
            self._actions.act(partial(self._spawn, count))

        title = "Start a worker?" if count == 1 else f"Start {count} workers?"
        self._actions.after_attach_question(title, begin)

    def _spawn(self, count: int) -> Report:
        started: list[str] = []
        line = shell_command.for_worker(self._path, self.pool.setup, count)
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

    def start_demo(self, demo: DemoSession) -> None:
        """Start the workers of the demonstration."""

        def call() -> Report:
            for _ in range(demo.workers):
                self.pool.spawn()
            return Report(f"the demo's files are in {demo.folder}")

        self._actions.act(call)

    # Stopping this console's own

    @does(STOP_WORKER)
    def do_stop_worker(self) -> None:
        """Stop an idle worker of this console."""
        self.drain(1, busy_too=False)

    def drain(self, count: int, *, busy_too: bool) -> None:
        """Stop workers of this console, those without a job first.

        Args:
            count: How many.
            busy_too: Whether those with a job are asked too, to end after it; otherwise that is
                offered where there are no others.
        """
        if not self.pool.staying():
            ending = " that is not draining already" if self.pool.alive() else ""
            self._notices.tell(f"This console has no running worker{ending}.", "warn")
            return
        asked: list[Request] = []

        def call() -> Report | None:
            idle, busy = self.pool.drain_some(count, busy_too=busy_too)
            asked.extend(self._asked_to_drain(name) for name in (*idle, *busy))
            if not asked and not busy_too:
                return None
            line = shell_command.for_requests(self._path, [one.worker_id for one in asked], "drain")
            return Report(head_count.stopping(idle, busy), (), line)

        def after() -> None:
            for one in asked:
                self.requests.add(one)
            if not asked and not busy_too:
                self._offer_the_youngest()

        self._actions.act(call, after)

    def _offer_the_youngest(self) -> None:
        screen, staying = self._front(), self.pool.staying()
        if not staying or screen is None or screen.panel.is_open:
            self._notices.tell("This console has no idle worker.", "warn")
            return
        youngest = staying[-1].worker_id
        rows = self._picture.newest.workers if self._picture.newest is not None else ()
        running = next((row.running for row in rows if row.id == youngest), ())
        names = listed([inert(job.name) for job in running])
        screen.question(
            Question(
                "This console has no idle worker.",
                (
                    f"The newest, {youngest}, is running {names or 'a job'}; it can end then.",
                    f"{self._hints(WORKERS)} shows what they are doing.",
                ),
                (
                    Choice("n", "No"),
                    Choice(
                        "y",
                        f"Drain {youngest}",
                        partial(self.drain_own, youngest),
                    ),
                ),
            )
        )

    def is_own(self, worker_id: str) -> bool:
        """Whether this console started a worker, and it still lives."""
        return any(worker.worker_id == worker_id for worker in self.pool.alive())

    def drain_own(self, worker_id: str) -> None:
        """Let a worker of this console finish its jobs and end."""
        asked: list[Request] = []

        def call() -> Report:
            self.pool.drain(worker_id)
            asked.append(self._asked_to_drain(worker_id))
            line = shell_command.for_requests(self._path, [worker_id], "drain")
            return Report(f"draining {worker_id} after its job", (), line)

        self._actions.act(call, lambda: self.requests.add(asked[0]))

    def _asked_to_drain(self, worker_id: str) -> Request:
        held = announcements.held_by(self._path, worker_id)
        return Request(worker_id, "drain", self._clock.monotonic(), held, by_signal=True)

    def kill_own(self, worker_id: str) -> None:
        """End a worker of this console now; its jobs go back to the queue."""
        self._being_killed.add(worker_id)
        self.requests.drop(worker_id)

        def call() -> Report:
            held = announcements.held_by(self._path, worker_id)
            try:
                by_itself = self.pool.kill(worker_id)
            except GigQError:
                self._being_killed.discard(worker_id)
                raise
            if held and not by_itself:
                # Where that can't be done now, what is told says that they are still held.
                with suppress(GigQError):
                    self._actions.jobs.release(job.id for job in held)
            how = "has ended" if by_itself else "did not end by itself and was killed"
            line = shell_command.for_requests(self._path, [worker_id], "kill")
            return Report(
                announcements.with_fates(self._path, f"{worker_id} {how}", worker_id, held),
                (),
                line,
            )

        self._actions.act(call)

    # Asking any worker on the file

    def ask(self, worker: WorkerRow, request: WorkerRequest) -> None:
        """Ask a worker through its row, and tell later what it answered."""
        held = tuple(HeldJob(job.id, job.name) for job in worker.running)
        jobs = self._actions.jobs
        self._actions.act(
            lambda: jobs.ask_worker(worker.id, request),
            lambda: self.requests.add(Request(worker.id, request, self._clock.monotonic(), held)),
        )

    def release(self, held: Sequence[HeldJob], after: Callable[[], None] | None = None) -> None:
        """Take jobs back from workers that are gone, and tell what became of each.

        Args:
            held: The jobs.
            after: Called once that was done.
        """
        told: list[Report] = []
        jobs = self._actions.jobs

        def call() -> Report:
            told.append(jobs.release([job.id for job in held]))
            return told[0]

        def tell() -> None:
            if after is not None:
                after()
            self._tell_row_by_row(held, told[0])

        self._actions.act(call, tell)

    def _tell_row_by_row(self, held: Sequence[HeldJob], report: Report) -> None:
        screen = self._front()
        reasons = {outcome.job_id: outcome for outcome in report.outcomes}
        lines = [
            f"{inert(job.name)} {job.id[:8]}: {reasons[job.id].reason or 'released'}"
            for job in held
            if job.id in reasons
        ]
        if len(lines) == 1 and report.done:
            self._notices.tell(f"released {lines[0]}", "ok", report.twin)
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

    def tell_news(self) -> None:
        """Tell which workers of this console ended, and what others answered."""
        alive = {worker.worker_id for worker in self.pool.alive()}
        ended = [one for one in self.pool.reap() if one.worker_id not in self._being_killed]
        asked = [self.requests.drop(one.worker_id) for one in ended]
        self.requests.drop_gone(alive)
        if ended:
            pairs = list(zip(ended, asked, strict=True))
            path = self._path
            releases = [self._release_words(one.worker_id) for one in ended]
            find_out(
                self._owner,
                lambda: [
                    announcements.of_end(path, *pair, release)
                    for pair, release in zip(pairs, releases, strict=True)
                ],
                self._tell_all,
            )
        if self._told and self._notices.stands_about(self._told):
            told, path = self._told, self._path
            find_out(
                self._owner,
                lambda: [announcements.since(path, one) for one in told],
                partial(self._tell_since, told),
            )
        snapshot = self._picture.newest
        if snapshot is None or not self.requests.waiting:
            return
        answers = self.requests.look(snapshot.workers, self._clock.monotonic())
        if answers:
            path = self._path
            words = [self._release_words(answer.asked.worker_id) for answer in answers]
            find_out(
                self._owner,
                lambda: [
                    announcements.of_answer(path, answer, release)
                    for answer, release in zip(answers, words, strict=True)
                ],
                self._tell_all,
            )

    def _release_words(self, worker_id: str) -> str:
        """What gives the jobs of a dead worker back, as the end of a sentence."""
        newest = self._picture.newest
        rows = newest.workers if newest is not None else ()
        if any(row.id == worker_id and row.isolation == BY_AGENTS for row in rows):
            return "another worker gives them back, once its agents must have ended"
        keys = f"{self._hints(WORKERS)}, then {self._hints(WORKER_RELEASE)} on its line,"
        return f"{keys} releases its jobs"

    def _tell_all(self, news: list[Announcement]) -> None:
        tones = [one.tone for one in news]
        tone = next(tone for tone in ("error", "warn", "ok") if tone in tones)
        self._told = news if any(one.left is not None for one in news) else []
        self._notices.tell("; ".join(one.text for one in news), tone, about=self._told)

    def _tell_since(self, told: list[Announcement], now: list[Announcement]) -> None:
        """Tell what was told again where it is otherwise now, and still stands there."""
        if now != told and self._told is told and self._notices.stands_about(told):
            self._tell_all(now)

    # The queue as a whole

    @does(PAUSE_QUEUE)
    def do_pause_queue(self) -> None:
        """Let workers claim nothing more, or let them go on."""
        if self._picture.shown is None:
            return
        pause = not self._picture.shown.paused
        theirs = [inert(worker.id) for worker in self._picture.shown.foreign_workers]

        def call() -> Report:
            report = self._actions.jobs.set_queue_paused(pause)
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
        self._actions.confirm(
            "Pause the queue?" if pause else "Resume the queue?",
            details if pause else ["Workers take jobs again."],
            "Pause" if pause else "Resume",
            lambda: self._actions.act(call),
        )
