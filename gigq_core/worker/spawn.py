"""Starting a child process with its pipes, and seeing that it has died."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gigq_core.worker import service, system_limits
from gigq_core.worker.runner import ENDING_SIGNALS

# Python's own on macOS, and what a service manager tells the worker alone.
_NOT_FOR_JOBS = ("__PYVENV_LAUNCHER__", *service.VARIABLES)

RUNNER = str(Path(__file__).with_name("start_runner.py"))


class Spawned(NamedTuple):
    """A process, and the worker's ends of its pipes; what is read or written never blocks."""

    process: subprocess.Popen[bytes]
    # Where jobs are written, where answers and output are read.
    jobs: int
    answers: int
    output: int
    # Open for as long as the child may live.
    lifeline: int
    # Where the worker says that a SIGTERM is its own.
    word: int
    # Readable once the process is dead; -1 where the system has no such thing.
    pidfd: int


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
        arguments = (lifeline_out, word_out, folder, stack_prefix, max_result_bytes)
        with _endings_blocked():
            process = subprocess.Popen(
                [python, RUNNER, *map(str, arguments)],
                stdin=jobs_out,
                stdout=answers_in,
                stderr=output_in,
                cwd=folder,
                env=environment,
                pass_fds=(lifeline_out, word_out),
                start_new_session=True,
            )
    except OSError:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    system_limits.give_usual(process.pid)
    for fd in (jobs, answers, output, word):
        os.set_blocking(fd, False)
    return Spawned(process, jobs, answers, output, lifeline, word, _pidfd(process.pid))


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
