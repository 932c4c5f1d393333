"""A child process that runs jobs: its pipes, its end, and what it says."""

from __future__ import annotations

import logging
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from gigq_core.system.paths import output_name
from gigq_core.units.times import Moment
from gigq_core.worker import answers, runner
from gigq_core.worker.child_age import ChildAge
from gigq_core.worker.child_process import READ_BYTES, ChildProcess
from gigq_core.worker.claims import Claim, Ending, Fate, Wish, sentence_for
from gigq_core.worker.heard import Dialogue, Heard, Responder
from gigq_core.worker.memory import RAISED, MemoryWatch
from gigq_core.worker.output import Sink
from gigq_core.worker.processes import (
    Seen,
    descendants,
    how_it_died,
    kill_tree,
    signal_all,
    signal_group,
)
from gigq_core.worker.runner import ENDING_SIGNALS

logger = logging.getLogger("gigq_core.worker")

CLOSED = "the job closed the pipe to its worker, so its answer was lost"

# Kept of what a child says outside of any job, to explain why it could not start.
SAID_BYTES = 4096
# Of that, how much is logged when it ends, in characters.
SAID_LOGGED = 500
# A process whose pipe is closed is dying; one that is not dead by then is killed, in seconds.
DYING_S = 0.25
# The most that an interpreter may say on the pipe for answers before it is ready, in bytes.
EARLY_BYTES = 64 * 1024
# A job that was claimed ahead and still runs after so long is put on record, in seconds.
RECORD_AFTER_S = 0.02


class ChildState(Enum):
    """What a child is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    # It was let go, and its interpreter ends.
    ENDING = "ending"
    GONE = "gone"


@dataclass(slots=True)
class _JobState:
    """What is known of one job that a child runs: when it has to end, and what it left so far."""

    deadline: float = 0.0
    # Why it was stopped, if it showed no sign of life.
    stalled: str = ""
    # What looks after its memory, if that has a limit; and what was said as it took too much.
    memory: MemoryWatch | None = None
    took_too_much: str = ""
    output: Sink | None = None
    # What it said although it had been told to stop.
    last_words: answers.Done | None = None


class Child:
    """One process, running one job at a time.

    Everything here happens in the thread of the supervisor; nothing waits, but for the moment in
    which a killed process is reaped.

    Args:
        python: the interpreter that runs the jobs.
        folder: where the jobs run.
        selector: where the pipes are registered, with what to call as data.
        grace_s: seconds between SIGTERM and SIGKILL.
        responder: answers what a job asks for.
        heard: takes what a job tells.
        sink_of: gives where an attempt's output goes, once there is some.
        stack_prefix: where the process puts its stack when asked; its pid and `.txt` follow.
        age: what tells that it should be replaced.
        on_idle: called when it can take a job, which may be given to it at once.
        max_result_bytes: the most bytes of JSON that a job may return.

    Raises:
        OSError: the interpreter can't be started.
    """

    def __init__(
        self,
        python: str,
        folder: str,
        selector: selectors.BaseSelector,
        grace_s: float,
        responder: Responder,
        heard: Heard,
        sink_of: Callable[[Claim], Sink],
        stack_prefix: str,
        age: ChildAge,
        on_idle: Callable[[Child], None],
        max_result_bytes: int = runner.MAX_RESULT,
    ) -> None:
        self.state = ChildState.STARTING
        self.endings: list[Ending] = []
        self.claim: Claim | None = None
        self.ever_ready = False
        # What it did that no child of ours does; and how many jobs it has begun.
        self.broken = ""
        self.jobs_begun = 0
        self.said = b""
        self.born = time.monotonic()
        self.age = age
        # How long its last job took, and since when it runs the present one.
        self.took_s: float | None = None
        self.began = 0.0
        # When it began a job that was claimed ahead, until that is on record.
        self.begun: Moment | None = None
        self._grace_s = grace_s
        self._sink_of = sink_of
        self._on_idle = on_idle
        self._job = _JobState()
        self._fate = Fate.CRASHED
        self._kill_at: float | None = None
        self._known: set[Seen] = set()
        self._closed = False
        self._reason = ""
        self._max_result_bytes = max_result_bytes
        self._lines = answers.Lines(answers.line_bytes(max_result_bytes))
        self._early = 0
        # Of the job that it ran before this one.
        self._last_token = ""
        self._process = ChildProcess(
            python, folder, stack_prefix, max_result_bytes, selector, self._guarded
        )
        self.pid = self._process.pid
        self.dialogue = Dialogue(responder, heard, self._process.tell)
        try:
            self._process.listen(
                self._read_answers, self._read_output, self._read_reports, self.check_alive
            )
        except BaseException:
            # Also where the system gives no more to listen with: nobody else would end it.
            self.end()
            raise

    # --- start and end -----------------------------------------------------------------------

    def _guarded(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong in dealing with this child ends this child, and nothing else."""
        try:
            act()
        except Exception as problem:
            logger.exception("Child %s caused an unexpected error", self.pid)
            self._break(f"the worker could not deal with its process: {problem!r}")
        except BaseException:
            # The worker is interrupted: nobody knows what was taken in of what it said.
            if self.state is ChildState.BUSY:
                self._fate = Fate.GIVEN_BACK
            self.end()
            raise

    def _break(self, reason: str, burying: bool = False) -> None:
        """Have no more to do with the process: what it does or says can't be relied upon."""
        self.broken = reason
        self._reason = self._reason or reason
        if not burying:
            logger.warning("Child %s is ended: %s", self.pid, reason)
            self.end()

    def check_alive(self) -> None:
        """See whether the process has died, and if so take the consequences."""
        if self.state is not ChildState.GONE and self._process.has_exited():
            self._bury()

    def end(self) -> None:
        """Kill the process, whatever it does, and all that descends from it."""
        if self.state is not ChildState.GONE:
            kill_tree(self.pid, self._known)
            self._bury()

    def retire(self, reason: str) -> None:
        """Let an idle process end as any interpreter does, within the grace; it gets no more jobs.

        What its modules have registered for the end is done: handlers of `atexit`, temporary
        folders, buffers of files. `reason` is for the log, if it was not expected to end.
        """
        if self.state is ChildState.STARTING:
            self.end()
        if self.state is not ChildState.IDLE:
            return
        if reason:
            logger.info("Child %s is replaced: %s", self.pid, reason)
        self.state = ChildState.ENDING
        self._kill_at = time.monotonic() + self._grace_s
        self._known = descendants(self.pid)
        self._let_go()

    def _let_go(self) -> None:
        if self._process.close_jobs():
            self.said = b""

    def _bury(self) -> None:
        """The process is dead or about to be: take its last words, reap it, free its slot."""
        self._read_output()
        self._read_answers(burying=True)
        if self.state is ChildState.GONE:
            return
        # Its group lives on if the job left processes behind.
        signal_group(self.pid, signal.SIGKILL)
        signal_all(self._known, signal.SIGKILL)
        code = self._process.reap()
        self._read_output()
        busy = self.state in (ChildState.BUSY, ChildState.STOPPING)
        if self.state is ChildState.ENDING and self.said:
            said = self.said.decode("utf-8", "replace")[-SAID_LOGGED:]
            logger.info("Child %s said as it ended: %r", self.pid, said)
        self.state = ChildState.GONE
        self._process.close()
        if busy:
            if code == runner.LOST_PIPE:
                self._reason = self._reason or CLOSED
            foreign = -code if self._fate is Fate.CRASHED and -code in ENDING_SIGNALS else None
            self._finish(self._fate, error=self._reason or how_it_died(code), signum=foreign)

    # --- a job -------------------------------------------------------------------------------

    def start(self, claim: Claim, ahead: bool = False) -> None:
        """Give an idle child its next job; `ahead` if the file does not know yet where it runs."""
        self.state = ChildState.BUSY
        self.claim = claim
        self._fate = Fate.CRASHED
        self.jobs_begun += 1
        self.began = time.monotonic()
        self.begun = Moment.now() if ahead else None
        self._job = _JobState(self.began + claim.timeout_s)
        self.dialogue.begin(claim)
        message: dict[str, object] = {
            "id": claim.execution_id,
            "module": claim.module,
            "function": claim.function,
            "params": claim.params,
            "parents": bool(claim.dependencies),
            "pass_parent_results": claim.pass_parent_results,
            "facts": claim.facts,
        }
        if claim.asked:
            message["asked"] = claim.asked
        if claim.memory is not None:
            message["memory"] = claim.memory
            self._job.memory = MemoryWatch(self.pid, claim.memory)
        self._guarded(lambda: self._process.tell(message))

    def stop(self, fate: Fate) -> None:
        """End the job that runs: SIGTERM now, SIGKILL after the grace; `fate` is how it ends."""
        if self.state is not ChildState.BUSY:
            return
        self.state = ChildState.STOPPING
        self._fate = fate
        self._kill_at = time.monotonic() + self._grace_s
        self._known = descendants(self.pid)
        self._process.announce_signal()
        signal_group(self.pid, signal.SIGTERM)
        signal_all(self._known, signal.SIGTERM)

    def tick(self, now: float) -> None:
        """Do what has come due: the timeout, the kill."""
        self._guarded(partial(self._tick, now))

    def _tick(self, now: float) -> None:
        watch = self._job.memory
        if watch is not None and now >= watch.due and (said := watch.look(now)):
            # What has arrived counts, as below.
            for read in (self._read_output, self._read_reports, self._read_answers):
                read()
            if self._job.memory is watch and self.state is ChildState.BUSY:
                self._fate = Fate.FAILED
                self._job.took_too_much = said
                self.end()
        if self.state is ChildState.BUSY and (
            now >= self._job.deadline or self.dialogue.has_stalled(now)
        ):
            # What has arrived counts: it may have ended in time, and the next one have begun.
            for read in (self._read_output, self._read_reports, self._read_answers):
                read()
            if now >= self._job.deadline:
                self.stop(Fate.TIMEOUT)
            elif self.state is ChildState.BUSY and self.dialogue.has_stalled(now):
                self._job.stalled = self.dialogue.stalled_sentence
                self.stop(Fate.TIMEOUT)
        elif (
            self.state is ChildState.STOPPING and self._kill_at is not None and now >= self._kill_at
        ):
            self._kill_at = None
            if self._closed:
                self._reason = CLOSED
            kill_tree(self.pid, self._known)
        elif self.state is ChildState.ENDING and self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            logger.warning("Child %s did not end within %g s: killed", self.pid, self._grace_s)
            kill_tree(self.pid, self._known)
        if not self._process.tells_its_end or self.state in (
            ChildState.STOPPING,
            ChildState.ENDING,
        ):
            self.check_alive()

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        if self.state is ChildState.BUSY:
            due = min(self._job.deadline, self.dialogue.due())
            if self._job.memory is not None:
                due = min(due, self._job.memory.due)
            if self.begun is not None and not self.is_unrecorded(time.monotonic()):
                return min(self.began + RECORD_AFTER_S, due)
            return due
        if self.state in (ChildState.STOPPING, ChildState.ENDING):
            return self._kill_at
        return None

    def is_unrecorded(self, now: float) -> bool:
        """Whether it runs a job for long of which the file does not know that it has begun."""
        return self.begun is not None and now - self.began >= RECORD_AFTER_S

    def _finish(
        self,
        fate: Fate,
        result: str | None = None,
        error: str | None = None,
        traceback: str | None = None,
        signum: int | None = None,
        raised: tuple[str, ...] = (),
        wish: Wish | None = None,
    ) -> None:
        claim, self.claim = self.claim, None
        if claim is None:
            return
        self._last_token = claim.execution_id
        if not (fate is Fate.GIVEN_BACK and self._reason):
            error = self._job.stalled or sentence_for(claim, fate) or error
        self._job.memory = None
        if self._job.took_too_much and fate is Fate.FAILED:
            error, raised = self._job.took_too_much, RAISED
        if traceback is None and self._job.last_words is not None:
            traceback = self._job.last_words.traceback
        self._job.last_words = None
        output = None
        self._read_output(claim)
        if self._process.was_reported_to:
            self._read_reports(claim)
        if self._job.output is not None:
            if self._job.output.close():
                output = output_name(claim.execution_id)
            self._job.output = None
        begun, self.begun = self.begun, None
        pid = self.pid if begun is not None else None
        outbox = self.dialogue.end(claim, fate is Fate.COMPLETED)
        self.endings.append(
            Ending(
                *(claim, fate, result, error, traceback, output, begun, pid, signum, raised, wish),
                outbox,
            )
        )

    # --- the pipes ---------------------------------------------------------------------------

    def _read_output(self, claim: Claim | None = None) -> None:
        """Take in what the job of `claim`, or else the present one, has printed."""
        if self.state is ChildState.GONE:
            return
        data = self._process.read_output()
        if not data:
            return
        claim = claim or self.claim
        if claim is None:
            self.said = (self.said + data)[-SAID_BYTES:]
            return
        self.dialogue.shows_life()
        if self._job.output is None:
            self._job.output = self._sink_of(claim)
        self._job.output.write(data)

    def _read_reports(self, claim: Claim | None = None) -> None:
        """Take in what programs that are not Python report for the job of `claim`, or the present
        one; the last whole line counts."""
        if self.state is ChildState.GONE:
            return
        told = self._process.read_report()
        claim = claim or self.claim
        if told is not None and claim is not None:
            self.dialogue.hear(claim, told)

    def _read_answers(self, burying: bool = False) -> None:
        while self.state is not ChildState.GONE and not self.broken:
            data = self._process.read_answers()
            if data is None:
                return
            if not data:
                if not burying:
                    self._closed_its_pipe()
                return
            was_idle = self.state is ChildState.IDLE
            try:
                lines = self._lines.feed(data)
                for line in lines:
                    self._take(line)
                if self.state is ChildState.IDLE and self._lines.has_rest:
                    raise answers.Broken("more came through the pipe than its answer")
            except answers.Broken as problem:
                reason = f"the job wrote into the pipe to its worker: {problem}"
                self._break(reason, burying)
                return
            if self.state is ChildState.IDLE and not was_idle and not burying:
                self._go_on()
            if lines and not burying and len(data) < READ_BYTES:
                return

    def _go_on(self) -> None:
        """Take the next job, if there is one and the process is fit for it."""
        reason = self.age.reason(time.monotonic())
        if reason:
            self.retire(reason)
        else:
            self._on_idle(self)

    def _closed_its_pipe(self) -> None:
        """The job closed our pipe, or the process is dying this moment: it is of no more use."""
        self._process.ignore_answers()
        if self.state not in (ChildState.STOPPING, ChildState.ENDING):
            self.state = ChildState.STOPPING
            self._closed = True
            self._kill_at = time.monotonic() + DYING_S

    def _take(self, line: bytes) -> None:
        """Act on a line of its answers.

        Raises:
            Broken: it is none of our messages, or comes when it can't.
        """
        try:
            message = answers.parse(line, self._max_result_bytes)
        except answers.Broken:
            if self.state is not ChildState.STARTING:
                raise
            self._hear_early(line)
            return
        claim = self.claim
        if isinstance(message, answers.Ready):
            if self.ever_ready:
                raise answers.Broken("it said a second time that it is ready")
            self.ever_ready = True
            if self.state is ChildState.STARTING:
                self.state = ChildState.IDLE
        elif isinstance(message, (answers.Ask, answers.Told, answers.Saved, answers.Submitted)):
            if claim is None:
                raise answers.Broken("it spoke for a job, and has none")
            self.dialogue.hear(claim, message)
        elif claim is None or message.token != claim.execution_id:
            if claim is not None and message.token == self._last_token:
                # It was still at the job before, which had answered in its name.
                self._fate = Fate.GIVEN_BACK
            raise answers.Broken("it answered for a job that it does not run")
        else:
            self._done(message)

    def _hear_early(self, line: bytes) -> None:
        """What an interpreter says as it starts is none of ours, and tells why it does not."""
        self.said = (self.said + line + b"\n")[-SAID_BYTES:]
        self._early += len(line) + 1
        if self._early > EARLY_BYTES:
            raise answers.Broken("it prints without end, and never gets ready")

    def _done(self, message: answers.Done) -> None:
        self.age.note(message.along)
        if self.state is ChildState.STOPPING:
            # Its fate was sealed when it was told to stop; what it says tells where it was.
            self._job.last_words = message
            if message.along.get("left"):
                self.end()
            else:
                # Its slot is free when the process is gone.
                self._let_go()
            return
        job_id = self.claim.job_id if self.claim is not None else ""
        self.state = ChildState.IDLE
        self.took_s = time.monotonic() - self.began
        if message.ok:
            self._finish(Fate.COMPLETED, result=message.result)
        else:
            fate = Fate.HOPELESS if message.hopeless else Fate.FAILED
            signals = message.along.get("signals")
            signum = signals[0] if signals else None
            self._finish(
                fate,
                None,
                message.error,
                message.traceback,
                signum,
                raised=message.raised,
                wish=message.wish,
            )
        snoozed = message.wish is not None and message.wish.kind == "snooze"
        self.age.note_end(job_id, failed=not message.ok and not snoozed)
