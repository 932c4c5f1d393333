"""Which processes hold SQLite's locks on a queue file, as the kernel tells it. Linux only.

Nothing is opened: to close one of the files again would drop SQLite's locks.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from gigq_core.text import inert

# The bytes of `-shm` that SQLite locks: https://sqlite.org/walformat.html#wal_locks
_WRITE_LOCK = 120
_READ_LOCKS = range(123, 128)
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class LockHolders:
    """The pids of those who hold locks on a file in WAL mode now.

    Attributes:
        writer: Who is in a transaction that writes.
        readers: Who are in transactions that read.
        marks: The same with the number of the read mark that each holds, 0 to 4.
    """

    writer: int | None = None
    readers: frozenset[int] = field(default_factory=frozenset)
    marks: frozenset[tuple[int, int]] = field(default_factory=frozenset, compare=False)


def lock_holders(path: Path) -> LockHolders | None:
    """Who holds locks on a queue file.

    Returns:
        None where it can't be told: on another system, or while nobody has the file open in WAL
        mode. Processes that this one can't see, as outside of its container, are left out.
    """
    if sys.platform != "linux":
        return None
    try:
        inode = os.stat(path.with_name(path.name + "-shm")).st_ino
        lines = _LOCKS.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    writer: int | None = None
    marks: set[tuple[int, int]] = set()
    for line in lines:
        words = line.split()
        # NUMBER: POSIX ADVISORY MODE PID DEVICE:INODE START END; `->` marks one who waits.
        if len(words) != 8 or words[1] != "POSIX" or not words[5].endswith(f":{inode}"):
            continue
        mode, pid, first, last = words[3], int(words[4]), int(words[6]), words[7]
        end = first if last == "EOF" else int(last)
        if mode == "WRITE" and first <= _WRITE_LOCK <= end:
            writer = pid
        held = (mark for mark, byte in enumerate(_READ_LOCKS) if first <= byte <= end)
        marks.update((mark, pid) for mark in held)
    return LockHolders(writer, frozenset(pid for _, pid in marks), frozenset(marks))


def process_words(pid: int) -> str:
    """A process as a sentence names it: `pid 123 (python)`."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return f"pid {pid}"
    return f"pid {pid} ({inert(name)})"
