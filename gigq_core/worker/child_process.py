"""A child process with its pipes: how it is started, written to, read and seen to have died."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gigq_core.system.kept_files import ready_for, remove_private
from gigq_core.worker import service, system_limits
from gigq_core.worker.answers import ReportLines, Told
from gigq_core.worker.output import warn_unkept
from gigq_core.worker.runner import ENDING_SIGNALS, REPORTS

# Python's own on macOS, and what a service manager tells the worker alone.
_NOT_FOR_JOBS = ("__PYVENV_LAUNCHER__", *service.VARIABLES)

READ_BYTES = 256 * 1024

# Made once, as the small messages are many.
_encode = json.JSONEncoder(separators=(",", ":")).encode

RUNNER = str(Path(__file__).with_name("start_runner.py"))


class Spawned(NamedTuple):
    """A process, and the worker's ends of its pipes; what is read or written never blocks."""

    process: subprocess.Popen[bytes]
    # Where jobs are written, where answers, output, and reports of other programs are read.
    jobs: int
    answers: int
    output: int
    reports: int
    # Open for as long as the child may live.
    lifeline: int
    # Where the worker says that a SIGTERM is its own.
    word: int
    # Readable once the process is dead; -1 where the system has no such thing.
    pidfd: int


class ChildProcess:
    """A runner that was started; what goes through its pipes is understood elsewhere.

    Nothing here waits, but for `reap`. What is watched is called through `guard`, which deals with
    whatever goes wrong in it.

    Args:
        python: the interpreter that runs the jobs.
        folder: where the jobs run.
        stack_prefix: where the process puts its stack when asked; its pid and `.txt` follow.
        max_result_bytes: the most bytes of JSON that a job may return.
        selector: where the pipes are registered, with what to call as data.
        guard: calls what it is given.

    Raises:
        OSError: the interpreter can't be started in that folder, or a limit is reached.
    """

    def __init__(
        self,
        python: str,
        folder: str,
        stack_prefix: str,
        max_result_bytes: int,
        selector: selectors.BaseSelector,
        guard: Callable[[Callable[[], None]], None],
    ) -> None:
        prefix = stack_prefix if _has_stacks(stack_prefix) else ""
        spawned = spawn(python, folder, prefix, max_result_bytes)
        self.pid = spawned.process.pid
        self._stack = Path(f"{stack_prefix}{self.pid}.txt")
        self._process = spawned.process
        self._jobs, self._answers, self._output = spawned.jobs, spawned.answers, spawned.output
        self._word, self._pidfd = spawned.word, spawned.pidfd
        self._reports = spawned.reports
        self._fds = [fd for fd in spawned[1:] if fd >= 0]
        self._lines = ReportLines()
        # Whether any program has ever reported something.
        self.was_reported_to = False
        self._selector = selector
        self._guard = guard
        self._watched: set[int] = set()
        self._to_send = bytearray()

    @property
    def tells_its_end(self) -> bool:
        """Whether `on_exit` will be called; elsewhere somebody has to ask now and then."""
        return self._pidfd >= 0

    def listen(
        self,
        on_answers: Callable[[], None],
        on_output: Callable[[], None],
        on_reports: Callable[[], None],
        on_exit: Callable[[], None],
    ) -> None:
        """Have these called when there is something to read, and when it has died."""
        self._watch(self._answers, selectors.EVENT_READ, on_answers)
        self._watch(self._output, selectors.EVENT_READ, on_output)
        self._watch(self._reports, selectors.EVENT_READ, on_reports)
        if self._pidfd >= 0:
            self._watch(self._pidfd, selectors.EVENT_READ, on_exit)

    def has_exited(self) -> bool:
        """Whether it is dead; it is not reaped."""
        return has_exited(self._process, self._pidfd)

    def tell(self, message: dict[str, Any]) -> None:
        """Write to the pipe for jobs what it takes; the rest goes when the selector says so."""
        self._to_send += _encode(message).encode() + b"\n"
        self._write()

    def _write(self) -> None:
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

    def announce_signal(self) -> None:
        """Let it know that the next SIGTERM is ours."""
        try:
            os.write(self._word, b"!")
        except OSError:
            # It died; that is seen elsewhere.
            pass

    def read_answers(self) -> bytes | None:
        """What is in the pipe for answers: None for nothing now, empty where it is closed."""
        try:
            return os.read(self._answers, READ_BYTES)
        except OSError:
            return None

    def read_output(self) -> bytes:
        """What it has printed; one reading empties the pipe, unless more comes meanwhile."""
        try:
            data = os.read(self._output, READ_BYTES)
        except OSError:
            return b""
        if not data:
            # A pipe at its end would wake the selector for ever.
            self._unwatch(self._output)
        return data

    def read_report(self) -> Told | None:
        """The newest of the reports that programs have written; None for nothing now."""
        try:
            data = os.read(self._reports, READ_BYTES)
        except OSError:
            return None
        if not data:
            self._unwatch(self._reports)
            return None
        self.was_reported_to = True
        return self._lines.newest(data)

    def ignore_answers(self) -> None:
        """Be called no more for the pipe for answers."""
        self._unwatch(self._answers)

    def close_jobs(self) -> bool:
        """Close the pipe for jobs, behind whose end the interpreter ends; False if it was."""
        if self._jobs not in self._fds:
            return False
        self._fds.remove(self._jobs)
        self._unwatch(self._jobs)
        os.close(self._jobs)
        return True

    def reap(self) -> int:
        """Wait for its end; gives its exit code."""
        return self._process.wait()

    def close(self) -> None:
        """Close the pipes; what it kept of its stack goes too."""
        for fd in self._fds:
            self._unwatch(fd)
            os.close(fd)
        try:
            remove_private(self._stack)
        except OSError:
            pass  # the folder is no longer ours; so nothing of ours is in it

    def _watch(self, fd: int, event: int, callback: Callable[[], None]) -> None:
        if fd not in self._watched:
            self._watched.add(fd)
            self._selector.register(fd, event, partial(self._guard, callback))

    def _unwatch(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.remove(fd)
            try:
                self._selector.unregister(fd)
            except KeyError:
                pass  # the system gave nothing more to watch it with


def _has_stacks(stack_prefix: str) -> bool:
    try:
        return ready_for(stack_prefix)
    except OSError as problem:
        warn_unkept(problem)
        return False


def spawn(python: str, folder: str, stack_prefix: str, max_result_bytes: int) -> Spawned:
    """Start the runner in a session of its own.

    Raises:
        OSError: the interpreter can't be started in that folder, or a limit is reached.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_JOBS}
    ours: list[int] = []
    theirs: list[int] = []

    def pipe(to_child: bool) -> tuple[int, int]:
        reads, writes = os.pipe()
        theirs.append(reads if to_child else writes)
        ours.append(writes if to_child else reads)
        return theirs[-1], ours[-1]

    try:
        jobs_out, jobs = pipe(to_child=True)
        answers_in, answers = pipe(to_child=False)
        output_in, output = pipe(to_child=False)
        lifeline_out, lifeline = pipe(to_child=True)
        word_out, word = pipe(to_child=True)
        reports_in, reports = pipe(to_child=False)
        environment[REPORTS] = str(reports_in)
        arguments = (lifeline_out, word_out, folder, stack_prefix, max_result_bytes)
        with _endings_blocked():
            process = subprocess.Popen(
                [python, RUNNER, *map(str, arguments)],
                stdin=jobs_out,
                stdout=answers_in,
                stderr=output_in,
                cwd=folder,
                env=environment,
                pass_fds=(lifeline_out, word_out, reports_in),
                start_new_session=True,
            )
        system_limits.give_usual(process.pid)
        for fd in (jobs, answers, output, reports, word):
            os.set_blocking(fd, False)
        pidfd = _pidfd(process.pid)
        return Spawned(process, jobs, answers, output, reports, lifeline, word, pidfd)
    except BaseException:
        # Also where somebody interrupts it: a process that was started ends with its lifeline.
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)


@contextmanager
def _endings_blocked() -> Iterator[None]:
    """A process that is started here hears no signal that ends it until it can judge it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pidfd(pid: int) -> int:
    if sys.platform == "linux":
        try:
            return os.pidfd_open(pid)
        except OSError:
            # An older kernel.
            pass
    return -1


def has_exited(process: subprocess.Popen[bytes], pidfd: int) -> bool:
    """Whether the process is dead; it is not reaped, so that its group keeps its number."""
    if pidfd >= 0:
        # Not `select`, which knows no descriptor above 1,023.
        look = select.poll()
        look.register(pidfd, select.POLLIN)
        return bool(look.poll(0))
    if hasattr(os, "waitid"):
        try:
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, process.pid, how) is not None
        except ChildProcessError:
            return True
    return process.poll() is not None
