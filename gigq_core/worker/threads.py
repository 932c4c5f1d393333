"""Running jobs in threads of this process (thread isolation)."""

from __future__ import annotations

import ctypes
import importlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from gigq_core.connections import close_connections
from gigq_core.errors import JobCancelled, JobTimeout
from gigq_core.worker import runner
from gigq_core.worker.claims import Begun, Claim, Ending, Fate, Wish, sentence_for

logger = logging.getLogger("gigq_core.worker")

# How often a thread that does not end is told again, in seconds.
TELL_AGAIN_S = 0.25
# An import that an exception ends may leave its lock taken, and then nothing in this process can
# import any more: a thread that is about to call its function is let be for so long.
PATIENCE_S = 10.0


class _JobThread:
    """A thread that runs one job after another, until it has to be stopped once."""

    def __init__(
        self,
        name: str,
        parents_of: Callable[[Claim], list[tuple[str, str | None]]],
        done: Callable[[_JobThread, Ending], None],
        max_result_bytes: int,
    ) -> None:
        self.claim: Claim | None = None
        self.deadline = 0.0
        self.fate: Fate | None = None
        self._gate = threading.Lock()
        # Guarded by the gate: whether it is in the function, and until when it is let be before.
        self._in_function = False
        self._let_be_until = 0.0
        self._parents_of = parents_of
        self._done = done
        self._max_result_bytes = max_result_bytes
        self._work: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def start(self, claim: Claim) -> None:
        self.claim = claim
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
            ident = self._thread.ident
            if ident is not None and (self._in_function or now >= self._let_be_until):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(ident), ctypes.py_object(_exception_of(fate))
                )

    def _enter_function(self) -> None:
        with self._gate:
            if self.fate is not None:
                raise _exception_of(self.fate)
            self._in_function = True

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
                params[runner.PARENT] = runner.decoded_parents(self._parents_of(claim))
            returned = False
            try:
                self._enter_function()
                try:
                    result = function(**params)
                    returned = True
                    text = (
                        None if result is None else runner.encoded(result, self._max_result_bytes)
                    )
                finally:
                    self._leave_function()
            except TypeError as problem:
                forced = returned or claim.pass_parent_results is True
                misfit = not forced and runner.does_not_fit(function, params, problem, __file__)
                raise
            return Ending(claim, Fate.COMPLETED, text)
        except BaseException as problem:  # noqa: BLE001
            # Whatever the job raises is its failure, `sys.exit()` included.
            failed = runner.failure(problem, __file__)
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
        parents_of: gives the stored results of an attempt's parents; called from the threads.
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
        parents_of: Callable[[Claim], list[tuple[str, str | None]]],
        pid: int,
        name: str,
        max_result_bytes: int = runner.MAX_RESULT,
    ) -> None:
        self.slots = self.usable = slots
        self._wake = wake
        self._parents_of = parents_of
        self._pid = pid
        self._name = name
        self._max_result_bytes = max_result_bytes
        self._made = 0
        self._idle: list[_JobThread] = []
        self._busy: dict[str, _JobThread] = {}
        self._tell_again_at: dict[str, float] = {}
        self._ended: queue.SimpleQueue[tuple[_JobThread, Ending]] = queue.SimpleQueue()

    def running(self) -> dict[str, Claim]:
        """The attempts that run, by execution id."""
        # Other threads may ask, so the table is copied first.
        busy = list(self._busy.items())
        return {token: claim for token, thread in busy if (claim := thread.claim)}

    def busy(self) -> int:
        """How many slots are taken."""
        return len(self._busy)

    def free(self) -> list[int]:
        """This process's pid, once for each free slot."""
        return [self._pid] * (self.slots - len(self._busy))

    def prepare(self, wanted: int) -> None:
        """Threads are made when they are needed."""

    def start(self, claims: list[Claim]) -> int:
        """Run the attempts; the caller claimed no more than are free, and none is given back."""
        for claim in claims:
            if self._idle:
                thread = self._idle.pop()
            else:
                self._made += 1
                name = f"{self._name}-{self._made}"
                thread = _JobThread(name, self._parents_of, self._done, self._max_result_bytes)
            self._busy[claim.execution_id] = thread
            thread.start(claim)
        return 0

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
        if not self._ended.empty():
            # What has ended can't be stopped any more.
            return
        for token, thread in self._busy.items():
            if thread.fate is None:
                if now >= thread.deadline:
                    self.stop(token, Fate.TIMEOUT)
            elif now >= self._tell_again_at[token]:
                thread.interrupt(thread.fate)
                self._tell_again_at[token] = now + TELL_AGAIN_S

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        times = [t.deadline for t in self._busy.values() if t.fate is None]
        return min([*times, *self._tell_again_at.values()], default=None)

    def collect(self) -> list[Ending]:
        """What ended since the last call."""
        endings: list[Ending] = []
        while not self._ended.empty():
            thread, ending = self._ended.get()
            if self._busy.pop(ending.claim.execution_id, None) is None:
                continue
            self._tell_again_at.pop(ending.claim.execution_id, None)
            if thread.fate is None:
                thread.claim = None
                self._idle.append(thread)
            else:
                # An exception may still be on its way to it: it is not used again.
                thread.leave()
                ending = _with_fate(ending, thread.fate)
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


def _with_fate(ending: Ending, fate: Fate) -> Ending:
    """The ending of an attempt that had been told to stop."""
    error = sentence_for(ending.claim, fate) or "its worker ended it"
    return Ending(ending.claim, fate, None, error, ending.traceback)
