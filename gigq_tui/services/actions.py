"""Acting: run an action in a thread, tell its outcome, watch it, take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from gigq_core.errors import GigQError
from gigq_core.status import Change
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.jobs import WritesJobs
from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.undo_log import Done, DoneAction, DoneChange
from gigq_tui.format import inert, listed, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.job_actions import OUTCOMES, UNDO
from gigq_tui.services.following import Following
from gigq_tui.services.front import Front, FrontNow
from gigq_tui.services.notices import Notices
from gigq_tui.services.picture import Picture
from gigq_tui.services.reads import Reads
from gigq_tui.services.settings import Settings
from gigq_tui.services.waiting import RunsWorkers

# Of an action that takes longer it is told how far it is; in seconds.
SLOW_ACT_S = 1.0
# What puts jobs back into the queue, from which they go on.
_QUEUED = frozenset((Change.REQUEUED, Change.RELEASED))


def attach_note(path: Path) -> str:
    """Say what the first action does to a file that is GigQ's own so far."""
    return (
        f"{path.name} is GigQ's own file so far: this first adds our tables and columns to it. "
        "GigQ's programs go on working with it, and gigq-core detach takes them out again."
    )


class Actions:
    """What is done to the file, and what came of it.

    Args:
        jobs: What writes; its methods block.
        settings: How the console was started.
        hints: Names the keys in what is told.
        runner: Runs what blocks.
        reads: Where new pictures come from, and what jobs are followed by.
        picture: What is shown of the file.
        notices: Where outcomes are told.
        front: The screen in front, where questions are asked.
        changed: Called when an action begins or has ended.

    Attributes:
        running: How many actions run now.
        begun: How many have begun so far.
        last_report: What the last action on jobs came to.
        following: What has become of their jobs since.
    """

    def __init__(
        self,
        jobs: WritesJobs,
        settings: Settings,
        hints: KeyHints,
        runner: RunsWorkers,
        reads: Reads,
        picture: Picture,
        notices: Notices,
        front: FrontNow,
        changed: Callable[[], None],
    ) -> None:
        self.jobs = jobs
        self.running = 0
        self.begun = 0
        self.last_report: Report | None = None
        self._path = settings.path
        self._clock = settings.clock
        self._hints = hints
        self._runner = runner
        self._reads = reads
        self._picture = picture
        self._notices = notices
        self._front = front
        self._changed = changed
        # When the last one ended: a picture of the file from before does not show it.
        self._ended_at: datetime | None = None
        self._running_since = 0.0
        self._said_of_slow = ""
        self.following = Following(reads, settings.clock, self._follow_up)

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None:
        """Do something that blocks, and tell its outcome.

        Args:
            call: What to do, in a thread; a `GigQError` becomes a notice.
            after: Called in the app's own thread once it has succeeded.
        """
        if not self.running:
            self._running_since, self._said_of_slow = self._clock.monotonic(), ""
        self.running += 1
        self.begun += 1
        self._changed()
        self._runner.run_worker(self._act(call, after), group="acts")

    async def _act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None
    ) -> None:
        trouble, report = "", None
        try:
            report = await asyncio.to_thread(call)
        except (GigQError, OSError) as problem:
            trouble = str(problem)
        self.running -= 1
        if trouble:
            self._notices.tell(trouble, "error")
        elif report is not None:
            self._tell(report)
        if not trouble and after is not None:
            after()
        self._ended_at = self._clock.now()
        self._reads.refresh()
        self._changed()

    @property
    def is_shown(self) -> bool:
        """Whether every action has ended, and the newest picture shows what came of it."""
        if self.running:
            return False
        newest = self._picture.newest
        return self._ended_at is None or newest is None or newest.taken_at >= self._ended_at

    def _tell(self, report: Report) -> None:
        self._say(report, report.title, report.done)
        if report.outcomes:
            self.last_report = report
            self.following.follow(report)

    def _follow_up(self, followed: Followed, is_news: bool) -> None:
        """Tell how far an action's jobs have come: unasked, or where its notice still stands."""
        report = followed.report
        stands = followed.is_told and followed.is_read and self._notices.stands_about(report)
        if is_news or stands:
            self._say(report, followed.title, followed.is_good)

    def _say(self, report: Report, title: str, is_good: bool) -> None:
        has_more = report.mixed or len(report.outcomes) > 1
        hints = [f"{self._hints(OUTCOMES)} results"] if has_more else []
        if report.undoable:
            hints.append(f"{self._hints(UNDO)} undo")
        tone = "ok" if is_good else "warn"
        self._notices.tell(title, tone, report.twin, "  ".join(hints), about=report)

    def mind(self) -> None:
        """Say how far an action is that takes its time, and go on following jobs."""
        if self.running and self._clock.monotonic() - self._running_since >= SLOW_ACT_S:
            far = self.jobs.under_way or "still working"
            if far != self._said_of_slow:
                self._said_of_slow = far
                self._notices.tell(far)
        self.following.keep_up()

    # Undo

    @does(UNDO)
    def do_undo(self) -> None:
        """Take the last action back; where it was about several, once somebody has said yes."""
        done, screen = self.jobs.undoable, self._front()
        if done is None or screen is None:
            self._notices.tell("Nothing to undo in this session.", "warn")
        elif isinstance(done, DoneChange):
            self._undo_change(done)
        elif (len(done) == 1 and not self.will_attach) or not self._can_undo(done):
            # Where nothing can be brought back, what is told of it says why.
            self._undo(done)
        else:
            self._ask_undo(screen, done)

    def _can_undo(self, done: DoneAction) -> int:
        """How many jobs can be brought back, as far as is known."""
        return max(0, done.undo.restorable - self._moved_on(done))

    def _moved_on(self, done: DoneAction) -> int:
        """How many of the jobs that were queued again wait no more, as far as they are followed."""
        ids = done.undo.job_ids
        for followed in reversed(self.following.actions):
            jobs = followed.jobs
            if not followed.is_read or len(jobs) != len(ids):
                continue
            if {job.job_id for job in jobs} == set(ids) and _QUEUED.issuperset(
                job.change for job in jobs
            ):
                return len(jobs) - followed.now.waiting
        return 0

    def _undo_change(self, done: DoneChange) -> None:
        undo = partial(self._undo, done)
        if len(done) == 1 and not self.will_attach:
            undo()
        else:
            names = listed([inert(name) for name in done.names])
            self.confirm(f"Undo the {done.what}?", (names,), "Undo", undo)

    def _ask_undo(self, screen: Front, done: DoneAction) -> None:
        count, can, moved_on = len(done), self._can_undo(done), self._moved_on(done)
        names = list(done.names)
        if count > len(names):
            names.append(f"and {count - len(names):,} more")
        many = can >= MANY
        screen.question(
            Question(
                f"Undo the {done.what}?",
                (
                    ", ".join(names),
                    *_lost(done, done.undo.restorable),
                    *_gone_on(moved_on),
                    "Jobs that were claimed or changed since are left alone.",
                    *self.attach_details,
                ),
                (
                    Choice("n", "No"),
                    Choice(
                        "Y" if many else "y",
                        f"Undo {plural(can, 'job')}",
                        partial(self._undo, done),
                        grave=many,
                    ),
                ),
            )
        )

    def _undo(self, done: Done) -> None:
        self.act(lambda: self.jobs.undo(done))

    # Asking first

    @property
    def will_attach(self) -> bool:
        """Whether the first action adds our tables to a file that is GigQ's own so far."""
        return self._picture.shown is not None and not self._picture.shown.info.attached

    @property
    def attach_details(self) -> tuple[str, ...]:
        """What a question says of that; nothing where it does not happen."""
        return (attach_note(self._path),) if self.will_attach else ()

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        """Act at once, or ask first where that adds our tables to GigQ's own file."""
        if self.will_attach:
            self.confirm(title, (), "Yes", act)
        else:
            act()

    def confirm(
        self, title: str, details: Sequence[str], yes: str, act: Callable[[], None]
    ) -> None:
        """Ask on the screen in front, and act once somebody says yes.

        Args:
            title: The question.
            details: What is told of it; that our tables are added to the file is told besides.
            yes: What the choice that acts is called.
            act: What is done then.
        """
        screen = self._front()
        if screen is not None:
            told = (*details, *self.attach_details)
            screen.question(Question(title, told, (Choice("n", "No"), Choice("y", yes, act))))


def _gone_on(number: int) -> tuple[str, ...]:
    """What is said of jobs that have been claimed, or have ended, since an action."""
    if not number:
        return ()
    return (f"{plural(number, 'job')} {'has' if number == 1 else 'have'} gone on since.",)


def _lost(done: DoneAction, can: int) -> tuple[str, ...]:
    """What is said beforehand of the jobs of an action that can't be brought back."""
    if can == len(done):
        return ()
    why = "; ".join(done.undo.lost_because)
    return (f"Only {can:,} of {len(done):,} can be restored. Not the rest: {why}.",)
