"""Running jobs in threads of this process (thread isolation)."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gigq_core.connections import close_connections
from gigq_core.errors import JobCancelled, JobTimeout
from gigq_core.units.sizes import size_words
from gigq_core.units.times import utc_now
from gigq_core.worker import runner
from gigq_core.worker.claims import Begun, Claim, Ending, Fate, Wish, sentence_for
from gigq_core.worker.heard import Heard, Knows, Report, Save, SignsOfLife, signs_of
from gigq_core.worker.orders import Orders, Refusal
from gigq_core.worker.outbox import Outbox

logger = logging.getLogger("gigq_core.worker")

# How often a thread that does not end is told again, in seconds.
TELL_AGAIN_S = 0.25
# How often a job that waits for a commit looks up, in seconds.
WAIT_STEP_S = 0.05
# After a thread could not be started, in seconds: the system may give more by then.
MORE_AGAIN_S = 1.0
# An import that an exception ends may leave its lock taken, and then nothing in this process can
# import any more: a thread that is about to call its function is let be for so long.
PATIENCE_S = 10.0


class _Line:
    """What a job in a thread has to say to its worker, which comes for it.

    Args:
        wake: wakes the worker.
        knows: answers what a job asks for; called from the job's threads.
        claim: the attempt.
        began: when it began, in UTC seconds.
        signs: its signs of life, if they are asked for.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        knows: Knows,
        claim: Claim,
        began: float,
        signs: SignsOfLife | None,
    ) -> None:
        self.claim = claim
        # Not before, by the monotonic clock, the next report is taken; 0 if none is held back.
        self.not_before = 0.0
        self._wake = wake
        self._signs = signs
        self._pid = os.getpid()
        self.context = runner.JobContext(self, claim.facts, began, bool(claim.dependencies))
        self._knows = knows
        self._told: object = None
        self._ended = False
        # Between the job's threads and the worker's: the newest checkpoint, and who waits for it.
        self._lock = threading.Lock()
        self._number = 0
        self._save: Save | None = None
        self._waiting: dict[int, threading.Event] = {}
        self._orders: Orders | None = None

    # --- from the job's threads --------------------------------------------------------------

    def wake(self) -> None:
        if os.getpid() == self._pid:
            self._wake()

    def save(self, context: runner.JobContext, text: str) -> None:
        self._check()
        stored = threading.Event()
        with self._lock:
            self._number += 1
            number = self._number
            self._save = Save(self.claim, number, text)
            self._waiting[number] = stored
        try:
            self.wake()
            # In steps, as the exception that stops the job comes between two of them. Once the job
            # has ended, nobody comes for what another thread of it saves.
            while not stored.wait(WAIT_STEP_S):
                self._check()
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError(runner.A_COPY)
        if self._ended:
            raise RuntimeError(runner.ENDED)

    def saved(self) -> str | None:
        self._check()
        return self._knows.saved_of(self.claim)

    def parents(self) -> list[list[Any]]:
        self._check()
        return [list(row) for row in self._knows.parents_of(self.claim)]

    def submit(self, context: runner.JobContext, order: str) -> str:
        with self._lock:
            self._check()
            if self._orders is None:
                self._orders = Orders()
            taken = self._orders.take(order)
        if self._signs is not None:
            self._signs.seen()
        if isinstance(taken, Refusal):
            raise runner.refused(*taken)
        return taken

    # --- from the worker's -------------------------------------------------------------------

    def take_report(self, now: float) -> Report | None:
        """The newest report, if it is time for one."""
        if now < self.not_before:
            return None
        # In this order: what is reported from here on is seen here, or wakes the worker.
        self.context._held = False
        report = self.context._latest
        if report is None or report is self._told:
            self.not_before = 0.0
            return None
        self.context._held = True
        self._told = report
        self.not_before = now + runner.REPORT_EVERY_S
        done, total, note = runner.report_of(report)
        told = Report(self.claim, done, total, runner.storable(note), utc_now())
        if self._signs is not None:
            self._signs.seen(told)
        return told

    def take_save(self) -> Save | None:
        """The newest checkpoint; until `stored` the job waits."""
        if self._save is None:
            return None
        with self._lock:
            save, self._save = self._save, None
        if self._signs is not None:
            self._signs.wait(True)
        return save

    def stored(self, number: int) -> None:
        """A checkpoint is on disk, and those before it need not be."""
        with self._lock:
            for one, event in self._waiting.items():
                if one <= number:
                    event.set()
            waits = any(one > number for one in self._waiting)
        if self._signs is not None:
            self._signs.wait(waits)

    def take_outbox(self, completed: bool) -> Outbox | None:
        """What is to be submitted, once the job has ended, if it completed."""
        orders, self._orders = self._orders, None
        return None if orders is None else orders.end(completed)

    def end(self) -> Report | None:
        """The job has ended; gives its last report, if that was not taken."""
        with self._lock:
            self._ended = True
        self.not_before = 0.0
        last = self.take_report(time.monotonic())
        self.context._held = True
        return last


class _JobThread:
    """A thread that runs one job after another, until it has to be stopped once."""

    def __init__(
        self,
        name: str,
        wake: Callable[[], None],
        knows: Knows,
        done: Callable[[_JobThread, Ending], None],
        max_result_bytes: int,
    ) -> None:
        self.claim: Claim | None = None
        # What the present job has to say, if its function takes the context; its signs of life, if
        # they are asked for, and why it was stopped, if there were none.
        self.line: _Line | None = None
        self.signs: SignsOfLife | None = None
        self.stalled = ""
        self.deadline = 0.0
        self.fate: Fate | None = None
        self._gate = threading.Lock()
        # Guarded by the gate: whether it is in the function, and until when it is let be before.
        self._in_function = False
        self._let_be_until = 0.0
        # How to stop a job that runs in an event loop; guarded by the gate too.
        self._cancel: Callable[[], object] | None = None
        self._wake = wake
        self._knows = knows
        self._done = done
        self._max_result_bytes = max_result_bytes
        self._work: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        # What it has taken last: that may come twice, and is run once.
        self._taken: Claim | None = None
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def start(self, claim: Claim) -> None:
        self.claim = claim
        self.line = None
        self.signs = signs_of(claim)
        self.deadline = time.monotonic() + claim.timeout_s
        self._work.put(claim)

    def leave(self) -> None:
        self._work.put(None)

    def interrupt(self, fate: Fate) -> None:
        """Raise in the thread: it stops Python code of the function, at the next instruction.

        Before the function is called, the thread finds its fate itself.
        """
        now = time.monotonic()
        with self._gate:
            if self.fate is None:
                self.fate, self._let_be_until = fate, now + PATIENCE_S
                if self._taken is not self.claim:
                    # Whoever gave it this job may have been interrupted in that.
                    self._work.put(self.claim)
            ident = self._thread.ident
            if self._cancel is not None:
                # It ends in its own time: one that is told again and again can't tidy up.
                cancel, self._cancel = self._cancel, None
                self._let_be_until = now + PATIENCE_S
                self._in_function = False
                cancel()
            elif ident is not None and (self._in_function or now >= self._let_be_until):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(ident), ctypes.py_object(_exception_of(fate))
                )

    def _enter_function(self) -> None:
        with self._gate:
            if self.fate is not None:
                raise _exception_of(self.fate)
            self._in_function = True

    def _watch(self, cancel: Callable[[], object] | None) -> None:
        with self._gate:
            self._cancel = cancel

    def _leave_function(self) -> None:
        with self._gate:
            self._in_function = False

    def _loop(self) -> None:
        interrupted = False
        try:
            while True:
                try:
                    if interrupted:
                        self._end_interrupted()
                    else:
                        self._work_through()
                    return
                except (JobTimeout, JobCancelled):
                    # It came before the job began, or after it had ended.
                    interrupted = True
        finally:
            close_connections()

    def _work_through(self) -> None:
        while (claim := self._work.get()) is not None:
            if claim is not self._taken:
                self._taken = claim
                self._deliver(self._run(claim))

    def _end_interrupted(self) -> None:
        """A job that did not come to its beginning has ended too; then the thread is let go."""
        claim = self.claim
        if claim is not None:
            self._deliver(Ending(claim, Fate.FAILED))
        while self._work.get() is not None:
            pass

    def _run(self, claim: Claim) -> Ending:
        """Call the function, once, even if an exception comes when it has just returned."""
        ending: Ending | None = None
        while True:
            try:
                if ending is None:
                    ending = self._call(claim)
                return ending
            except (JobTimeout, JobCancelled):
                ending = ending or Ending(claim, Fate.FAILED)

    def _deliver(self, ending: Ending) -> None:
        while True:
            try:
                self._done(self, ending)
                return
            except (JobTimeout, JobCancelled):
                # It may be delivered twice, and is counted once.
                continue

    def _call(self, claim: Claim) -> Ending:
        misfit = False
        try:
            began = utc_now()
            params = runner.decoded_params(claim.params)
            module = importlib.import_module(claim.module)
            try:
                function = getattr(module, claim.function)
            except AttributeError:
                raise AttributeError(
                    f"module {claim.module!r} has no function {claim.function!r}"
                ) from None
            if claim.dependencies and runner.wants_parent_results(
                function, claim.pass_parent_results
            ):
                rows = self._knows.parents_of(claim)
                params[runner.PARENT] = runner.decoded_parents([(row[0], row[3]) for row in rows])
            if runner.takes_context(function, claim.function):
                runner.refuse_own_context(params)
                self.line = _Line(self._wake, self._knows, claim, began, self.signs)
                params[runner.CONTEXT] = self.line.context
            returned = False
            try:
                self._enter_function()
                try:
                    result = function(**params)
                    returned = True
                    if runner.is_awaitable(result):
                        result = runner.awaited(result, self._watch)
                    text = (
                        None if result is None else runner.encoded(result, self._max_result_bytes)
                    )
                finally:
                    self._leave_function()
            except TypeError as problem:
                if runner.lacks_context(problem, function):
                    raise runner.Hopeless(runner.no_context(claim.function)) from None
                forced = returned or claim.pass_parent_results is True
                misfit = not forced and runner.does_not_fit(function, params, problem, __file__)
                raise
            return Ending(claim, Fate.COMPLETED, text)
        except BaseException as problem:  # noqa: BLE001
            # Whatever the job raises is its failure, `sys.exit()` included.
            failed = runner.failure(problem, __file__, claim.asked)
            fate = Fate.HOPELESS if misfit or failed["hopeless"] else Fate.FAILED
            wish = failed.get("wish")
            return Ending(
                claim,
                fate,
                None,
                failed["error"],
                failed["traceback"],
                raised=tuple(failed.get("raised", ())),
                wish=None if wish is None else Wish(*wish),
            )


class ThreadPool:
    """Runs jobs in threads, at most `slots` at a time.

    A timeout raises `JobTimeout` in the job's thread. A function that does not end keeps its slot
    and its job: nothing runs twice at once.

    Args:
        slots: the most jobs at a time.
        wake: called from the threads when a job has ended.
        knows: answers what a job asks for; called from the threads.
        pid: this process's, for the record of attempts.
        name: what the threads' names begin with.
        max_result_bytes: the most bytes of JSON that a job may return.
    """

    isolation = "thread"

    def __init__(
        self,
        *,
        slots: int,
        wake: Callable[[], None],
        knows: Knows,
        pid: int,
        name: str,
        max_result_bytes: int = runner.MAX_RESULT,
    ) -> None:
        self.slots = slots
        self._wake = wake
        self._knows = knows
        self._heard = Heard()
        self._pid = pid
        self._name = name
        self._max_result_bytes = max_result_bytes
        self._made = 0
        # How many can run at a time, as far as is known; and how many until that moment, by the
        # monotonic clock, where the system gives no more threads.
        self._known_slots = self._most = slots
        self._more_from = 0.0
        # What could not be begun for that.
        self._unbegun: list[Ending] = []
        self._told_of_memory = False
        self._idle: list[_JobThread] = []
        self._busy: dict[str, _JobThread] = {}
        self._tell_again_at: dict[str, float] = {}
        self._ended: queue.SimpleQueue[tuple[_JobThread, Ending]] = queue.SimpleQueue()

    def running(self) -> dict[str, Claim]:
        """The attempts that run, by execution id."""
        # Other threads may ask, so the table is copied first.
        busy = list(self._busy.items())
        return {token: claim for token, thread in busy if (claim := thread.claim)}

    @property
    def usable(self) -> int:
        """How many of the slots there are for now; fewer while the system gives no more."""
        return max(1, self._known_slots)

    def busy(self) -> int:
        """How many slots are taken."""
        return len(self._busy)

    def free(self) -> list[int]:
        """This process's pid, once for each free slot."""
        return [self._pid] * (self._most - len(self._busy))

    def prepare(self, wanted: int) -> None:
        """Threads are made when they are needed."""

    def start(self, claims: list[Claim]) -> None:
        """Run the attempts; the caller claimed no more than are free.

        Those for which no thread can be had are given back, among those that ended.
        """
        for n, claim in enumerate(claims):
            if claim.memory is not None and not self._told_of_memory:
                self._told_of_memory = True
                logger.warning(
                    "Job %s (%r) has a memory limit of %s, which can't be enforced here: threads "
                    "share the memory of their process. Run such jobs with process isolation",
                    claim.job_id,
                    claim.name,
                    size_words(claim.memory),
                )
            try:
                thread = self._idle.pop() if self._idle else self._new_thread()
            except RuntimeError as problem:
                self._do_with_fewer(problem)
                self._unbegun += [Ending(one, Fate.NOT_BEGUN) for one in claims[n:]]
                return
            thread.claim = claim
            self._busy[claim.execution_id] = thread
            thread.start(claim)
        if len(self._busy) > self._known_slots:
            self._known_slots = len(self._busy)
            if self._known_slots == self.slots:
                logger.warning("All %s slots are there again", self.slots)

    def _new_thread(self) -> _JobThread:
        self._made += 1
        name = f"{self._name}-{self._made}"
        return _JobThread(name, self._wake, self._knows, self._done, self._max_result_bytes)

    def _do_with_fewer(self, problem: RuntimeError) -> None:
        """The system gives no more for now: go on with what there is, and ask again later."""
        able = len(self._busy)
        if able != self._known_slots:
            logger.warning("%s of %s slots can run jobs for now: %s", able, self.slots, problem)
        self._known_slots = self._most = able
        self._more_from = time.monotonic() + MORE_AGAIN_S

    def room_ahead(self) -> int:
        """None: there is no process to keep busy."""
        return 0

    def ahead(self) -> int:
        """Nothing is claimed ahead."""
        return 0

    def unclaim(self) -> None:
        """Nothing is claimed ahead."""

    def take_begun(self) -> list[Begun]:
        """Nothing is claimed ahead."""
        return []

    def take_reports(self) -> list[Report]:
        """The newest report of each attempt since the last call."""
        return self._heard.take_reports()

    def take_saves(self) -> list[Save]:
        """The newest checkpoint of each attempt since the last call; its job waits for `saved`."""
        return self._heard.take_saves()

    def saved(self, save: Save) -> None:
        """Tell a job that its checkpoint is on disk."""
        thread = self._busy.get(save.claim.execution_id)
        if thread is not None and thread.line is not None:
            thread.line.stored(save.number)

    def was_away(self) -> None:
        """This process stood still: the silence of jobs proves nothing."""
        for thread in self._busy.values():
            if thread.signs is not None:
                thread.signs.seen()

    def _listen(self, now: float) -> None:
        """Take in what jobs have said."""
        for thread in self._busy.values():
            line = thread.line
            if line is None:
                continue
            save = line.take_save()
            if save is not None:
                self._heard.note_save(save)
            report = line.take_report(now)
            if report is not None:
                self._heard.note_report(report)

    def _done(self, thread: _JobThread, ending: Ending) -> None:
        self._ended.put((thread, ending))
        self._wake()

    def stop(self, execution_id: str, fate: Fate) -> None:
        """Begin to end one attempt."""
        thread = self._busy.get(execution_id)
        if thread is not None and thread.fate is None:
            thread.interrupt(fate)
            self._tell_again_at[execution_id] = time.monotonic() + TELL_AGAIN_S

    def tick(self) -> None:
        """Carry out what has come due: a timeout, another exception for one that caught it."""
        now = time.monotonic()
        if now >= self._more_from:
            self._most = self.slots
        self._listen(now)
        if not self._ended.empty():
            # What has ended can't be stopped any more.
            return
        for token, thread in self._busy.items():
            if thread.fate is None:
                if now >= thread.deadline:
                    self.stop(token, Fate.TIMEOUT)
                elif thread.signs is not None and thread.signs.has_stalled(now):
                    thread.stalled = thread.signs.sentence
                    self.stop(token, Fate.TIMEOUT)
            elif now >= self._tell_again_at[token]:
                thread.interrupt(thread.fate)
                self._tell_again_at[token] = now + TELL_AGAIN_S

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        busy = self._busy.values()
        times = [t.deadline for t in busy if t.fate is None]
        times += [t.signs.due() for t in busy if t.fate is None and t.signs is not None]
        times += [t.line.not_before for t in busy if t.line is not None and t.line.not_before]
        if self._most < self.slots:
            times.append(self._more_from)
        return min([*times, *self._tell_again_at.values()], default=None)

    def collect(self) -> list[Ending]:
        """What ended since the last call."""
        endings, self._unbegun = self._unbegun, []
        while not self._ended.empty():
            thread, ending = self._ended.get()
            if self._busy.pop(ending.claim.execution_id, None) is None:
                continue
            self._tell_again_at.pop(ending.claim.execution_id, None)
            last = thread.line.end() if thread.line is not None else None
            if last is not None:
                self._heard.note_report(last)
            completed = thread.fate is None and ending.fate is Fate.COMPLETED
            outbox = thread.line.take_outbox(completed) if thread.line is not None else None
            if outbox is not None:
                ending = replace(ending, outbox=outbox)
            if thread.fate is None:
                thread.claim = None
                self._idle.append(thread)
            else:
                # An exception may still be on its way to it: it is not used again.
                thread.leave()
                ending = _with_fate(ending, thread.fate, thread.stalled)
            endings.append(ending)
        return endings

    def wind_down(self) -> None:
        """Threads that are idle cost nothing until the end."""

    def close(self) -> bool:
        """Let the threads go; says whether none of them still runs a job."""
        while self._idle:
            self._idle.pop().leave()
        return not self._busy


def _exception_of(fate: Fate) -> type[JobTimeout] | type[JobCancelled]:
    return JobTimeout if fate is Fate.TIMEOUT else JobCancelled


def _with_fate(ending: Ending, fate: Fate, stalled: str) -> Ending:
    """The ending of an attempt that had been told to stop."""
    error = stalled or sentence_for(ending.claim, fate) or "its worker ended it"
    return Ending(ending.claim, fate, None, error, ending.traceback)
