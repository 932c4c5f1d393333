"""Starting a child process with its pipes, and seeing that it has died."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

RUNNER = str(Path(__file__).with_name("runner.py"))


class Spawned(NamedTuple):
    """A process, and the worker's ends of its pipes; what is read or written never blocks."""

    process: subprocess.Popen[bytes]
    # Where jobs are written, where answers and output are read.
    jobs: int
    answers: int
    output: int
    # Open for as long as the child may live.
    lifeline: int
    # Readable once the process is dead; -1 where the system has no such thing.
    pidfd: int


def spawn(python: str, folder: str, stack_prefix: str) -> Spawned:
    """Start the runner in a session of its own.

    Raises:
        OSError: the interpreter can't be started in that folder.
    """
    jobs_out, jobs = os.pipe()
    answers, answers_in = os.pipe()
    output, output_in = os.pipe()
    lifeline_out, lifeline = os.pipe()
    environment = {k: v for k, v in os.environ.items() if k != "__PYVENV_LAUNCHER__"}
    try:
        process = subprocess.Popen(
            [python, RUNNER, str(lifeline_out), folder, stack_prefix],
            stdin=jobs_out,
            stdout=answers_in,
            stderr=output_in,
            cwd=folder,
            env=environment,
            pass_fds=(lifeline_out,),
            start_new_session=True,
        )
    except OSError:
        for fd in (jobs, answers, output, lifeline):
            os.close(fd)
        raise
    finally:
        for fd in (jobs_out, answers_in, output_in, lifeline_out):
            os.close(fd)
    for fd in (jobs, answers, output):
        os.set_blocking(fd, False)
    return Spawned(process, jobs, answers, output, lifeline, _pidfd(process.pid))


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
        return bool(select.select([pidfd], [], [], 0)[0])
    if hasattr(os, "waitid"):
        try:
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, process.pid, how) is not None
        except ChildProcessError:
            return True
    return process.poll() is not None
