"""A child process that runs jobs: its pipes, its end, and what it says."""

from __future__ import annotations

import json
import logging
import os
import select
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from gigq_core.worker.attempts import Attempt, Ending, Fate
from gigq_core.worker.output import Capture
from gigq_core.worker.processes import (
    Seen,
    descendants,
    how_it_died,
    kill_tree,
    signal_all,
    signal_group,
)

logger = logging.getLogger("gigq_core.worker")

RUNNER = str(Path(__file__).with_name("runner.py"))

READ_BYTES = 256 * 1024
# Kept of what a child says outside of any job, to explain why it could not start.
SAID_BYTES = 4096
# How often a child's loaded files are looked at for changes, in seconds.
FILES_EVERY_S = 1.0
# A process whose pipe is closed is dying; one that is not dead by then is killed, in seconds.
DYING_S = 0.25
# A child is replaced after so many jobs, or when it has grown so large.
JOBS_PER_CHILD = 5_000
LARGEST_KB = 1024 * 1024


class State(Enum):
    """What a child is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    GONE = "gone"


class Child:
    """One process, running one job at a time.

    Everything here happens in the thread of the supervisor; nothing waits, but for the moment in
    which a killed process is reaped.

    Args:
        python: the interpreter that runs the jobs.
        folder: where the jobs run.
        selector: where the pipes are registered, with what to call as data.
        grace_s: seconds between SIGTERM and SIGKILL.
        parents_of: gives the stored results of an attempt's parents.
        output_of: gives the file for an attempt's output.
        stack_prefix: where the process puts its stack when asked; its pid and `.txt` follow.

    Raises:
        OSError: the interpreter can't be started.
    """

    def __init__(
        self,
        python: str,
        folder: str,
        selector: selectors.BaseSelector,
        grace_s: float,
        parents_of: Callable[[Attempt], list[tuple[str, str | None]]],
        output_of: Callable[[str], Path],
        stack_prefix: str,
    ) -> None:
        self.state = State.STARTING
        self.endings: list[Ending] = []
        self.attempt: Attempt | None = None
        self.ever_ready = False
        self.said = b""
        self.born = time.monotonic()
        self._selector = selector
        self._grace_s = grace_s
        self._parents_of = parents_of
        self._output_of = output_of
        self._stack_prefix = stack_prefix
        self._capture: Capture | None = None
        self._deadline = 0.0
        self._fate = Fate.CRASHED
        self._kill_at: float | None = None
        self._known: set[Seen] = set()
        self._closed = False
        self._reason = ""
        self._said_last: dict[str, Any] | None = None
        self._jobs_done = 0
        self._first_peak = 0
        self._worn = False
        self._files: dict[str, int] = {}
        self._files_seen = 0.0
        self._answer = bytearray()
        self._to_send = bytearray()
        self._spawn(python, folder)

    # --- start and end -----------------------------------------------------------------------

    def _spawn(self, python: str, folder: str) -> None:
        jobs_out, self._jobs = os.pipe()
        self._answers, answers_in = os.pipe()
        self._output, output_in = os.pipe()
        lifeline_out, self._lifeline = os.pipe()
        environment = {k: v for k, v in os.environ.items() if k != "__PYVENV_LAUNCHER__"}
        try:
            self._process = subprocess.Popen(
                [python, RUNNER, str(lifeline_out), folder, self._stack_prefix],
                stdin=jobs_out,
                stdout=answers_in,
                stderr=output_in,
                cwd=folder,
                env=environment,
                pass_fds=(lifeline_out,),
                start_new_session=True,
            )
        except OSError:
            for fd in (self._jobs, self._answers, self._output, self._lifeline):
                os.close(fd)
            raise
        finally:
            for fd in (jobs_out, answers_in, output_in, lifeline_out):
                os.close(fd)
        self.pid = self._process.pid
        for fd in (self._jobs, self._answers, self._output):
            os.set_blocking(fd, False)
        self._fds = [self._jobs, self._answers, self._output, self._lifeline]
        self._watched: set[int] = set()
        self._watch(self._answers, selectors.EVENT_READ, self._read_answers)
        self._watch(self._output, selectors.EVENT_READ, self._read_output)
        self._pidfd = -1
        if sys.platform == "linux":
            try:
                self._pidfd = os.pidfd_open(self.pid)
            except OSError:
                # An older kernel: `tick` asks.
                return
            self._fds.append(self._pidfd)
            self._watch(self._pidfd, selectors.EVENT_READ, self.look)

    def _watch(self, fd: int, event: int, callback: Callable[[], None]) -> None:
        if fd not in self._watched:
            self._watched.add(fd)
            self._selector.register(fd, event, callback)

    def _unwatch(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.remove(fd)
            self._selector.unregister(fd)

    def _has_exited(self) -> bool:
        """Whether the process is dead; it is not reaped, so that its group keeps its number."""
        if self._pidfd >= 0:
            return bool(select.select([self._pidfd], [], [], 0)[0])
        if hasattr(os, "waitid"):
            try:
                how = os.WEXITED | os.WNOHANG | os.WNOWAIT
                return os.waitid(os.P_PID, self.pid, how) is not None
            except ChildProcessError:
                return True
        return self._process.poll() is not None

    def look(self) -> None:
        """See whether the process has died, and if so take the consequences."""
        if self.state is not State.GONE and self._has_exited():
            self._bury()

    def end(self) -> None:
        """Kill the process, whatever it does, and all that descends from it."""
        if self.state is not State.GONE:
            kill_tree(self.pid, self._known)
            self._bury()

    def _bury(self) -> None:
        """The process is dead or about to be: take its last words, reap it, free its slot."""
        self._read_output()
        self._read_answers(burying=True)
        if self.state is State.GONE:
            return
        # Its group lives on if the job left processes behind.
        signal_group(self.pid, signal.SIGKILL)
        signal_all(self._known, signal.SIGKILL)
        code = self._process.wait()
        self._read_output()
        busy = self.state in (State.BUSY, State.STOPPING)
        self.state = State.GONE
        for fd in self._fds:
            self._unwatch(fd)
            os.close(fd)
        Path(f"{self._stack_prefix}{self.pid}.txt").unlink(missing_ok=True)
        if busy:
            self._finish(self._fate, error=self._reason or how_it_died(code))

    # --- a job -------------------------------------------------------------------------------

    def start(self, attempt: Attempt) -> None:
        """Give an idle child its next job."""
        self.state = State.BUSY
        self.attempt = attempt
        self._fate = Fate.CRASHED
        self._capture = Capture(lambda: self._output_of(attempt.execution_id))
        self._deadline = time.monotonic() + attempt.timeout_s
        self._send(
            {
                "id": attempt.execution_id,
                "module": attempt.module,
                "function": attempt.function,
                "params": attempt.params,
                "parents": bool(attempt.dependencies),
                "pass_parent_results": attempt.pass_parent_results,
            }
        )

    def stop(self, fate: Fate) -> None:
        """End the job that runs: SIGTERM now, SIGKILL after the grace; `fate` is how it ends."""
        if self.state is not State.BUSY:
            return
        self.state = State.STOPPING
        self._fate = fate
        self._kill_at = time.monotonic() + self._grace_s
        self._known = descendants(self.pid)
        signal_group(self.pid, signal.SIGTERM)
        signal_all(self._known, signal.SIGTERM)

    def tick(self, now: float) -> None:
        """Do what has come due: the timeout, the kill."""
        if self.state is State.BUSY and now >= self._deadline:
            # What has arrived counts: it may have ended in time.
            self._read_answers()
            self.stop(Fate.TIMEOUT)
        elif self.state is State.STOPPING and self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            if self._closed:
                self._reason = "the job closed the pipe to its worker"
            kill_tree(self.pid, self._known)
        if self._pidfd < 0 or self.state is State.STOPPING:
            self.look()

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        if self.state is State.BUSY:
            return self._deadline
        if self.state is State.STOPPING:
            return self._kill_at
        return None

    def _finish(
        self,
        fate: Fate,
        result: str | None = None,
        error: str | None = None,
        traceback: str | None = None,
    ) -> None:
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return
        if fate is Fate.TIMEOUT:
            error = attempt.timeout_text
        elif fate is Fate.CANCELLED:
            error = "it was stopped on request"
        elif fate is Fate.GIVEN_BACK:
            error = "the worker was stopped"
        if traceback is None and self._said_last is not None:
            traceback = self._said_last.get("traceback")
        self._said_last = None
        output = None
        if self._capture is not None:
            self._read_output()
            if self._capture.close():
                output = f"attempts/{attempt.execution_id}.log"
            self._capture = None
        self.endings.append(Ending(attempt, fate, result, error, traceback, output))

    # --- the pipes ---------------------------------------------------------------------------

    def _send(self, message: dict[str, Any]) -> None:
        self._to_send += json.dumps(message).encode() + b"\n"
        self._write()

    def _write(self) -> None:
        """Write what the pipe takes; the rest goes when the selector says so."""
        try:
            while self._to_send:
                del self._to_send[: os.write(self._jobs, self._to_send)]
        except BlockingIOError:
            self._watch(self._jobs, selectors.EVENT_WRITE, self._write)
            return
        except OSError:
            # It died; that is seen elsewhere.
            self._to_send.clear()
        self._unwatch(self._jobs)

    def _read_output(self) -> None:
        """Take in what was printed: one reading empties the pipe, unless more comes meanwhile."""
        if self.state is State.GONE:
            return
        try:
            data = os.read(self._output, READ_BYTES)
        except OSError:
            return
        if not data:
            # A pipe at its end would wake the selector for ever.
            self._unwatch(self._output)
        elif self._capture is not None:
            self._capture.write(data)
        else:
            self.said = (self.said + data)[-SAID_BYTES:]

    def _read_answers(self, burying: bool = False) -> None:
        while self.state is not State.GONE:
            try:
                data = os.read(self._answers, READ_BYTES)
            except OSError:
                return
            if not data:
                if not burying:
                    self._closed_its_pipe()
                return
            if b"\n" not in data:
                self._answer += data
                continue
            lines = (bytes(self._answer) + data).split(b"\n")
            self._answer = bytearray(lines.pop())
            for line in lines:
                self._take(line)
            if not burying and len(data) < READ_BYTES:
                return

    def _closed_its_pipe(self) -> None:
        """The job closed our pipe, or the process is dying this moment: it is of no more use."""
        self._unwatch(self._answers)
        if self.state is not State.STOPPING:
            self.state = State.STOPPING
            self._closed = True
            self._kill_at = time.monotonic() + DYING_S

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            logger.warning("Child %s said something that is not JSON", self.pid)
            return
        if "ready" in message:
            self.ever_ready = True
            if self.state is State.STARTING:
                self.state = State.IDLE
        elif "ask" in message:
            if self.attempt is not None:
                self._send({"parents": self._parents_of(self.attempt)})
        elif self.attempt is not None and message.get("done") == self.attempt.execution_id:
            self._done(message)

    def _done(self, message: dict[str, Any]) -> None:
        self._jobs_done += 1
        self._files = message.get("files", self._files)
        peak = message.get("peak", 0)
        self._first_peak = self._first_peak or peak
        self._worn = self._jobs_done >= JOBS_PER_CHILD or peak > max(LARGEST_KB, self._first_peak)
        if self.state is State.STOPPING:
            # Its fate was sealed when it was told to stop; what it says tells where it was.
            self._said_last = message
            self.end()
            return
        self.state = State.IDLE
        if message["ok"]:
            self._finish(Fate.COMPLETED, result=message["result"])
            return
        fate = Fate.HOPELESS if message["hopeless"] else Fate.FAILED
        self._finish(fate, error=message["error"], traceback=message["traceback"])

    # --- wear --------------------------------------------------------------------------------

    def is_worn(self, now: float) -> bool:
        """Whether an idle child should be replaced: used up, or its project's files changed."""
        if self._worn:
            return True
        if now - self._files_seen < FILES_EVERY_S:
            return False
        self._files_seen = now
        for path, changed in self._files.items():
            try:
                if os.stat(path).st_mtime_ns != changed:
                    return True
            except OSError:
                return True
        return False
