"""Where a running job is, right now: the stack of its process, asked for by a signal.

The process answers from a C-level signal handler (`faulthandler`), so it answers while it computes,
sleeps or waits inside C code too, and the job does not notice.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from pathlib import Path

from gigq_core.errors import StackUnavailable
from gigq_core.identity import ProcessIdentity, is_dead
from gigq_core.kept_files import is_kept, open_kept
from gigq_core.paths import stack_prefix
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.schema.statements import RUNNING_PROCESS_OF
from gigq_core.status import JobStatus

ANSWER_TIMEOUT_S = 2.0
# An answer is complete when nothing was added to it for so long.
SETTLED_S = 0.05
_LOOK_EVERY_S = 0.005

_OURS = {str(Path(__file__).parent / "worker" / name) for name in ("runner.py", "start_runner.py")}
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')


def stack_of(db_path: str | Path, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
    """The stack of a running job, one block for each of its threads, most recent call last.

    Args:
        db_path: the queue's file.
        job_id: a job that runs in a worker process on this machine.
        timeout_s: how long to wait for the answer.

    Raises:
        StackUnavailable: the job doesn't run, or not where it could be asked.
        DatabaseError: the file can't be read.
    """
    worker_id, pid = _process_of(Path(db_path), job_id)
    file = Path(f"{stack_prefix(db_path, worker_id)}{pid}.txt")
    before = _size(file)
    if before is None:
        raise StackUnavailable("Its process can't be asked for its stack on this system.")
    try:
        os.kill(pid, signal.SIGUSR2)
    except ProcessLookupError:
        raise StackUnavailable("It ended this very moment.") from None
    except PermissionError:
        raise StackUnavailable(
            f"Its process {pid} belongs to another user: ask as that user."
        ) from None
    return readable(_answer(file, before, timeout_s))


def readable(dump: str) -> str:
    """A dump of `faulthandler` as people read tracebacks, without our own frames and threads."""
    blocks = []
    for block in re.split(r"\n\s*\n", dump.strip()):
        frames = [found for line in block.splitlines() if (found := _FRAME.match(line))]
        if frames and frames[0]["file"] in _OURS:
            continue  # what runs there now is ours: a thread that watches, or what is around a job
        theirs = [frame for frame in reversed(frames) if frame["file"] not in _OURS]
        if theirs:
            lines = [f'  File "{f["file"]}", line {f["line"]}, in {f["function"]}' for f in theirs]
            blocks.append("\n".join(["Thread (most recent call last):", *lines]))
    return "\n\n".join(blocks)


def _process_of(path: Path, job_id: str) -> tuple[str, int]:
    """The worker and process that run the job, made sure to be what they were."""
    conn = open_read_only(path)
    try:
        row = conn.execute(RUNNING_PROCESS_OF, (job_id,)).fetchone()
    except sqlite3.OperationalError as problem:
        if "no such" in str(problem):
            raise StackUnavailable("This is GigQ's own file: its workers can't be asked.") from None
        raise explain(problem, path) from None
    finally:
        conn.close()
    if row is None:
        raise StackUnavailable(f"There is no job {job_id}.")
    if row["status"] != JobStatus.RUNNING.value:
        raise StackUnavailable(f"It is not running: its status is {row['status']}.")
    if row["worker"] is None:
        raise StackUnavailable("A GigQ worker runs it, which can't be asked.")
    if row["isolation"] != "process":
        raise StackUnavailable("It runs in a thread of a script, which can't be asked.")
    dead = is_dead(ProcessIdentity.of_row(row))
    if dead is None:
        raise StackUnavailable(f"It runs on {row['host']}, or in another container: ask there.")
    if dead or row["job_pid"] is None or _parent_of(row["job_pid"]) != row["pid"]:
        raise StackUnavailable(f"Its worker {row['worker']} is gone.")
    return row["worker"], row["job_pid"]


def _parent_of(pid: int) -> int | None:
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None


def _answer(file: Path, before: int, timeout_s: float) -> str:
    until = time.monotonic() + timeout_s
    size, since = before, time.monotonic()
    while True:
        now = time.monotonic()
        found = _size(file)
        if found is None:
            raise StackUnavailable("It ended this very moment.")
        if found != size:
            size, since = found, now
        elif size > before and now - since >= SETTLED_S:
            break
        if now > until:
            raise StackUnavailable(f"Its process did not answer within {timeout_s:g} seconds.")
        time.sleep(_LOOK_EVERY_S)
    answers = open_kept(file)
    if answers is None:
        raise StackUnavailable("It ended this very moment.")
    with answers:
        answers.seek(before)
        return answers.read().decode("utf-8", "replace")


def _size(file: Path) -> int | None:
    try:
        return file.lstat().st_size if is_kept(file) else None
    except OSError:
        return None
