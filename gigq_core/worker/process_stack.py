"""Where the function is that a child process runs, right now: asked of that process by a signal.

It answers from a C-level signal handler (`faulthandler`), so it answers while it computes, sleeps
or waits inside C code too, and the job does not notice.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from gigq_core.errors import StackUnavailable
from gigq_core.system.kept_files import is_kept, open_kept

ANSWER_TIMEOUT_S = 2.0
# An answer is complete when nothing was added to it for so long.
SETTLED_S = 0.05
LOOK_EVERY_S = 0.005

_OURS = {str(Path(__file__).with_name(name)) for name in ("runner.py", "start_runner.py")}
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')
_ENDED = "It has just ended."


class StackQuestion:
    """One question to one process, whose answer is looked for now and then.

    Args:
        prefix: where the worker's children put their stacks; the pid and `.txt` follow.
        pid: the process, made sure to be what it was.
        timeout_s: how long the answer may take.

    Raises:
        StackUnavailable: it can't be asked.
    """

    def __init__(self, prefix: str, pid: int, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._file = Path(f"{prefix}{pid}.txt")
        before = _size(self._file)
        if before is None:
            raise StackUnavailable("Its process can't be asked for its stack on this system.")
        try:
            os.kill(pid, signal.SIGUSR2)
        except ProcessLookupError:
            raise StackUnavailable(_ENDED) from None
        except PermissionError:
            raise StackUnavailable(
                f"Its process {pid} belongs to another user: ask as that user."
            ) from None
        self._timeout_s = timeout_s
        self._size_before = self._size = before
        self._settled_since = time.monotonic()
        self._until = self._settled_since + timeout_s

    def look(self) -> str | None:
        """The stack, one block for each thread, most recent call last; None while it is coming.

        Raises:
            StackUnavailable: there is none, or not in time.
        """
        now = time.monotonic()
        size = _size(self._file)
        if size is None:
            raise StackUnavailable(_ENDED)
        if size != self._size:
            self._size, self._settled_since = size, now
        elif size > self._size_before and now - self._settled_since >= SETTLED_S:
            return readable(self._read())
        if now > self._until:
            raise StackUnavailable(
                f"Its process did not answer within {self._timeout_s:g} seconds."
            )
        return None

    def _read(self) -> str:
        answers = open_kept(self._file)
        if answers is None:
            raise StackUnavailable(_ENDED)
        with answers:
            answers.seek(self._size_before)
            return answers.read().decode("utf-8", "replace")


def stack_of_process(prefix: str, pid: int, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
    """Ask one process, and wait for its answer; see `StackQuestion`."""
    question = StackQuestion(prefix, pid, timeout_s)
    while (found := question.look()) is None:
        time.sleep(LOOK_EVERY_S)
    return found


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


def _size(file: Path) -> int | None:
    try:
        return file.lstat().st_size if is_kept(file) else None
    except OSError:
        return None
