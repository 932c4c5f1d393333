"""The children of one worker: how many there are, and which of them is free."""

from __future__ import annotations

import errno
import logging
import selectors
import time
from collections import deque
from collections.abc import Callable

from gigq_core.errors import WorkerCannotStart
from gigq_core.units.sizes import size_words
from gigq_core.worker import runner, system_limits
from gigq_core.worker.child_age import ChildAge, Limits, Sources
from gigq_core.worker.children import Child, ChildState
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.heard import Heard, Report, Responder, Save
from gigq_core.worker.memory import resident_bytes
from gigq_core.worker.output import Sink
from gigq_core.worker.processes import end_adopted

logger = logging.getLogger("gigq_core.worker")

# A child that is not ready by then never will be, in seconds.
START_WITHIN_S = 60.0
# After a child could not be started although others could, in seconds.
SPAWN_AGAIN_S = 1.0
# The longest such pause, in seconds, where it is a limit of the system that was reached.
SPAWN_AGAIN_AT_MOST_S = 30.0
# So many children in a row that never became ready mean that none will.
FAILURES_IN_A_ROW = 3
# Short jobs are claimed ahead, so that several share a commit: as many as a child should begin
# within so many seconds, but no more than so many for each child.
AHEAD_S = 0.01
MOST_AHEAD = 6
# One whose turn has not come by then is given back, in seconds.
OVERDUE_S = 0.03
# Children that are ending may stand beside those in the slots: one for each slot, and so many more.
ENDING_BESIDE = 3


class ProcessPool:
    """Runs jobs in child processes, at most `slots` at a time (process isolation).

    Args:
        python, folder, grace_s: as for `Child`.
        slots: the most jobs at a time.
        selector: the supervisor's.
        responder, sink_of, stack_prefix: as for `Child`.
        adopts: whether orphaned descendants become children of this process.
        max_result_bytes: as for `Child`.
        limits: when a child is replaced.

    Attributes:
        usable: how many of the slots there are for now; fewer while the system gives no more.
    """

    isolation = "process"

    def __init__(
        self,
        *,
        python: str,
        folder: str,
        slots: int,
        selector: selectors.BaseSelector,
        grace_s: float,
        responder: Responder,
        sink_of: Callable[[Claim], Sink],
        stack_prefix: str,
        adopts: bool,
        max_result_bytes: int = runner.MAX_RESULT,
        limits: Limits | None = None,
    ) -> None:
        self._python = python
        self._folder = folder
        self.slots = self.usable = slots
        self._selector = selector
        self._grace_s = grace_s
        self._responder = responder
        self._heard = Heard()
        self._sink_of = sink_of
        self._stack_prefix = stack_prefix
        self._adopts = adopts
        self._max_result_bytes = max_result_bytes
        self._limits = limits or Limits()
        self._sources = Sources()
        self._children: list[Child] = []
        self._failures = 0
        self._proven = False
        self._spawn_from = 0.0
        self._spawn_again_s = SPAWN_AGAIN_S
        # Claimed ahead; the first of them goes to the child that is free next.
        self._ahead: deque[Claim] = deque()
        self._overdue_at = 0.0
        self._endings: list[Ending] = []

    def running(self) -> dict[str, Claim]:
        """The attempts that run, by execution id."""
        # Other threads may ask, so the list is copied first.
        claims = [child.claim for child in list(self._children)]
        return {claim.execution_id: claim for claim in claims if claim is not None}

    def pid_of(self, execution_id: str) -> int | None:
        """The process that runs an attempt; None if none does."""
        for child in self._children:
            if child.claim is not None and child.claim.execution_id == execution_id:
                return child.pid
        return None

    def busy(self) -> int:
        """How many slots are taken."""
        return sum(child.claim is not None for child in self._children)

    def free(self) -> list[int]:
        """The pids of the children that can take a job this moment."""
        now = time.monotonic()
        idle = []
        for child in self._children:
            if child.state is ChildState.IDLE:
                reason = child.age.reason(now)
                if reason:
                    child.retire(reason)
                else:
                    idle.append(child.pid)
        self._sweep()
        return idle

    def prepare(self, wanted: int) -> None:
        """Have `wanted` children free or starting, but at least one, as far as the slots allow.

        Raises:
            WorkerCannotStart: the interpreter does not start.
        """
        coming = sum(c.state in (ChildState.IDLE, ChildState.STARTING) for c in self._children)
        wanted = max(wanted, 1)
        if coming < wanted and time.monotonic() < self._spawn_from:
            return
        while coming < wanted and self._has_room():
            child: Child | None = None
            try:
                child = Child(
                    self._python,
                    self._folder,
                    self._selector,
                    self._grace_s,
                    self._responder,
                    self._heard,
                    self._sink_of,
                    self._stack_prefix,
                    ChildAge(self._limits, self._sources),
                    self._on_idle,
                    self._max_result_bytes,
                )
                self._children.append(child)
            except OSError as problem:
                self._cope_without(problem)
                return
            except KeyboardInterrupt:
                # Right behind its start, nobody knows it yet.
                if child is not None:
                    child.end()
                raise
            coming += 1
        if self.usable < self.slots <= len(self._children):
            logger.warning("All %s slots are there again", self.slots)
            self._spawn_again_s = SPAWN_AGAIN_S
        self.usable = min(self.slots, max(self.usable, len(self._children)))

    def _cope_without(self, problem: OSError) -> None:
        """A child could not be started: that may pass, or no job can run here at all.

        Raises:
            WorkerCannotStart: it does not pass.
        """
        if system_limits.is_limit(problem):
            why = system_limits.why(problem)
            self._do_with_fewer(why)
            if not self._children and problem.errno == errno.EMFILE:
                raise WorkerCannotStart(
                    f"No job can run: {why}, and one slot needs more. Raise that limit."
                ) from None
        elif self._proven:
            # Too many processes, or the folder is gone: that may pass.
            logger.error("No child process can be started: %s", problem)
            self._spawn_from = time.monotonic() + SPAWN_AGAIN_S
        else:
            raise WorkerCannotStart(
                f"The interpreter {self._python} can't be started in {self._folder}: "
                f"{problem.strerror or problem}. Check --python and --chdir."
            ) from None

    def _do_with_fewer(self, why: str) -> None:
        """The system gives no more for now: go on with what there is, and ask again later."""
        able = sum(child.state is not ChildState.ENDING for child in self._children)
        if max(1, able) != self.usable or not self._spawn_from:
            logger.warning("%s of %s slots can run jobs for now: %s", able, self.slots, why)
        self.usable = max(1, able)
        self._spawn_from = time.monotonic() + self._spawn_again_s
        self._spawn_again_s = min(2 * self._spawn_again_s, SPAWN_AGAIN_AT_MOST_S)

    def _has_room(self) -> bool:
        """Whether one more child may be started: those that are ending stand beside the slots."""
        ending = sum(child.state is ChildState.ENDING for child in self._children)
        alive = len(self._children)
        return alive - ending < self.slots and alive < 2 * self.slots + ENDING_BESIDE

    def start(self, claims: list[Claim], recorded: bool = True) -> None:
        """Give each attempt to a free child, and keep the rest for those that are free next.

        A job that failed in a child never comes back to that child. The attempts that are given
        back because of that are among those that ended, and have not begun.

        Args:
            claims: the attempts.
            recorded: whether it is on record that they begin, and where.
        """
        idle = [child for child in self._children if child.state is ChildState.IDLE]
        self._proven = self._proven or bool(claims and idle)
        unsuited = []
        for claim, child in zip(claims, idle, strict=False):
            if not _unsuited(child, claim):
                child.start(claim, ahead=not recorded)
            else:
                unsuited.append(claim)
        if len(claims) > len(idle):
            self._ahead.extend(claims[len(idle) :])
            self._overdue_at = time.monotonic() + OVERDUE_S
        for claim in unsuited:
            self._start_elsewhere(claim)

    def _start_elsewhere(self, claim: Claim) -> None:
        """Start an attempt in another child than that which it was claimed for."""
        idle = [child for child in self._children if child.state is ChildState.IDLE]
        for child in idle:
            if not _unsuited(child, claim):
                # The file is told which one it is as it is of a job that was claimed ahead.
                child.start(claim, ahead=True)
                return
        for child in idle:
            child.retire(_unsuited(child, claim))
        self._endings.append(Ending(claim, Fate.NOT_BEGUN))

    def _on_idle(self, child: Child) -> None:
        for claim in self._ahead:
            if not _unsuited(child, claim):
                self._ahead.remove(claim)
                child.start(claim, ahead=True)
                return

    def room_ahead(self) -> int:
        """How many jobs to claim beyond the free children: none, unless jobs are short."""
        if self._ahead:
            return 0
        now = time.monotonic()
        return sum(_room_ahead(child, now) for child in self._children)

    def ahead(self) -> int:
        """How many claimed jobs wait for their turn."""
        return len(self._ahead)

    def unclaim(self) -> None:
        """Give back the jobs whose turn has not come."""
        while self._ahead:
            self._endings.append(Ending(self._ahead.popleft(), Fate.NOT_BEGUN))

    def take_begun(self) -> list[Begun]:
        """The jobs claimed ahead that turn out to be long, to be put on record; each once."""
        now = time.monotonic()
        found = []
        for child in self._children:
            if child.begun is not None and child.claim and child.is_unrecorded(now):
                found.append(Begun(child.claim, child.begun, child.pid))
                child.begun = None
        return found

    def take_reports(self) -> list[Report]:
        """The newest report of each attempt since the last call."""
        return self._heard.take_reports()

    def take_saves(self) -> list[Save]:
        """The newest checkpoint of each attempt since the last call; its job waits for `saved`."""
        return self._heard.take_saves()

    def saved(self, save: Save) -> None:
        """Tell a job that its checkpoint is on disk."""
        for child in self._children:
            if child.claim is save.claim:
                child.dialogue.tell_saved(save.number)

    def was_away(self) -> None:
        """This process stood still: the silence of jobs proves nothing."""
        for child in self._children:
            child.dialogue.shows_life()

    def stop(self, execution_id: str, fate: Fate) -> None:
        """Begin to end one attempt."""
        for child in self._children:
            if child.claim is not None and child.claim.execution_id == execution_id:
                child.stop(fate)
        for claim in list(self._ahead):
            if claim.execution_id == execution_id:
                # Its job was asked to stop, so it does not become pending again.
                self._ahead.remove(claim)
                self._endings.append(Ending(claim, Fate.NOT_BEGUN))

    def tick(self) -> None:
        """Carry out what has come due."""
        now = time.monotonic()
        for child in self._children:
            child.tick(now)
            if child.state is ChildState.STARTING and now - child.born > START_WITHIN_S:
                child.end()
        if self._ahead and now >= self._overdue_at:
            self.unclaim()

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        times = [due for child in self._children if (due := child.due()) is not None]
        if self._ahead:
            times.append(self._overdue_at)
        return min(times, default=None)

    def collect(self) -> list[Ending]:
        """What ended since the last call.

        Raises:
            WorkerCannotStart: children die before they are ready, one after the other.
        """
        for child in self._children:
            if child.endings:
                self._endings += child.endings
                child.endings = []
        # If this raises, what has ended is kept for the next call.
        self._sweep()
        endings, self._endings = self._endings, []
        return endings

    def _sweep(self) -> None:
        gone = [c for c in self._children if c.state is ChildState.GONE and not c.endings]
        if not gone:
            return
        self._children = [c for c in self._children if c not in gone]
        if self._adopts:
            end_adopted({child.pid for child in self._children})
        for child in gone:
            # One that breaks before each of its first jobs never gets to any.
            if child.ever_ready and not (child.broken and child.jobs_begun == 0):
                self._proven = True
                self._failures = 0
                continue
            said = child.said.decode("utf-8", "replace").strip()
            said = said or child.broken
            if system_limits.says_limit(said):
                self._do_with_fewer(f"a process ended at its start: {said.splitlines()[-1]}")
                continue
            self._failures += 1
            logger.error("A child process ended before it could run a job: %s", said)
            if self._failures >= FAILURES_IN_A_ROW:
                last = said.splitlines()[-1] if said else "it said nothing"
                raise WorkerCannotStart(
                    f"The interpreter {self._python} does not run jobs: {last}. Check --python."
                )

    def wind_down(self) -> None:
        """Let go of the children that are idle: no more jobs will come."""
        for child in self._children:
            if child.state in (ChildState.IDLE, ChildState.STARTING):
                child.retire("")

    def close(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """End every child, in good order if it is idle; always True: nothing of ours still runs.

        Args:
            hurry: whether to wait no longer; asked again and again.
        """
        try:
            for child in self._children:
                if child.state in (ChildState.BUSY, ChildState.STOPPING):
                    child.end()
            self.wind_down()
            while any(child.state is ChildState.ENDING for child in self._children) and not hurry():
                self._wait_for_ends()
        finally:
            for child in self._children:
                child.end()
            self._children = []
            if self._adopts:
                end_adopted(set())
        return True

    def _wait_for_ends(self) -> None:
        now = time.monotonic()
        due = self.due()
        for key, _ in self._selector.select(0.1 if due is None else min(0.1, max(0.0, due - now))):
            if key.fd in self._selector.get_map():
                key.data()
        for child in self._children:
            child.tick(time.monotonic())


def _room_ahead(child: Child, now: float) -> int:
    """How many more jobs the child should begin soon, going by its last one."""
    if child.took_s is None or child.state not in (ChildState.IDLE, ChildState.BUSY):
        return 0
    if child.state is ChildState.BUSY and now - child.began > AHEAD_S:
        return 0
    return min(MOST_AHEAD, int(AHEAD_S / max(child.took_s, 1e-6)))


def _unsuited(child: Child, claim: Claim) -> str:
    """Why a child is not to run a job; nothing if it may."""
    if not child.age.suits(claim.job_id):
        return f"job {claim.job_id} comes again, which failed in it"
    # What other jobs have left in it is not to count.
    if claim.memory and child.jobs_begun and 2 * resident_bytes(child.pid) > claim.memory:
        return f"job {claim.job_id} may take {size_words(claim.memory)}, half of it taken here"
    return ""
