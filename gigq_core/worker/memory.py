"""How much memory a job's processes take, and what is said of those that take too much."""

from __future__ import annotations

import os
import sys
import time

from gigq_core.units.sizes import size_words
from gigq_core.worker.processes import descendants

# How often it is looked at, in seconds.
LOOK_EVERY_S = 0.5
# What takes so many times its limit is ended. Python itself ends at the limit; others may not.
TOLERATED = 1.1
# What an attempt that took too much counts as: an exception's types, by their names.
RAISED = ("builtins.MemoryError", "builtins.Exception", "builtins.BaseException")

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class MemoryWatch:
    """Looks now and then at what a process and all that descends from it take.

    Args:
        pid: the process.
        limit: the most that they may take together, in bytes.
    """

    def __init__(self, pid: int, limit: int) -> None:
        self._pid = pid
        self._limit = limit
        # When to look next, by the monotonic clock.
        self.due = time.monotonic() + LOOK_EVERY_S

    def look(self, now: float) -> str:
        """What is wrong, for a person; nothing if they take no more than they may."""
        self.due = now + LOOK_EVERY_S
        most = self._limit * TOLERATED
        pids = tree_of(self._pid)
        # What processes share counts for each of them here, and below once; but that takes longer.
        if sum(map(resident_bytes, pids)) <= most:
            return ""
        used = sum(map(own_bytes, pids))
        if used <= most:
            return ""
        return f"used {size_words(used)} of {size_words(self._limit)}"


def tree_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    if sys.platform != "linux":
        return [pid, *(child for child, _ in descendants(pid))]
    found = [pid]
    for parent in found:
        try:
            tasks = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                with open(f"/proc/{parent}/task/{task}/children", "rb") as file:
                    found.extend(map(int, file.read().split()))
            except FileNotFoundError:
                if os.path.exists(f"/proc/{parent}/task/{task}"):
                    # A kernel that does not tell.
                    return [pid, *(child for child, _ in descendants(pid))]
            except OSError:
                continue
    return found


def resident_bytes(pid: int) -> int:
    """What a process has in memory; 0 if it is gone."""
    if sys.platform != "linux":
        import psutil

        try:
            resident: int = psutil.Process(pid).memory_info().rss
        except psutil.Error:
            return 0
        return resident
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def own_bytes(pid: int) -> int:
    """What a process has in memory, of what it shares with others its part alone."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        return int(line.split()[1]) * 1024
        except (OSError, IndexError, ValueError):
            pass
    return resident_bytes(pid)
