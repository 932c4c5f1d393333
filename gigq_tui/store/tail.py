"""The end of a text file that somebody else writes: bounded, and never waited for."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 65_536


@dataclass(frozen=True)
class Tail:
    """The last lines of a file. `stamp` tells one state of the file from another.

    `trouble` is one sentence where there is nothing to read, `cut` says that it began earlier.
    """

    text: str = ""
    cut: bool = False
    stamp: tuple[int, int] = (0, 0)
    trouble: str = ""


def read_tail(path: Path, known: Tail | None = None, limit: int = TAIL_BYTES) -> Tail:
    """Read the end of a file, or return `known` where the file has not changed since.

    Args:
        path: The file; only an ordinary one is read, never a pipe or a device.
        known: What this returned before for the same file.
        limit: How many bytes to read at most.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for whoever writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Tail(trouble=f"There is no file {path}.")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        return Tail(trouble=f"{path} can't be read: {reason}.")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return Tail(trouble=f"{path} is not an ordinary file.")
    with os.fdopen(descriptor, "rb") as file:
        stamp = (status.st_size, status.st_mtime_ns)
        if known is not None and known.stamp == stamp and not known.trouble:
            return known
        start = max(0, status.st_size - limit)
        try:
            file.seek(start)
            data = file.read(limit)
        except OSError as problem:
            return Tail(trouble=f"{path} can't be read: {problem.strerror}.")
    if start:
        # The first line is only the end of one; with no line end at all it is shown as it is.
        data = data.partition(b"\n")[2] or data
    return Tail(data.decode("utf-8", "replace"), start > 0, stamp)
