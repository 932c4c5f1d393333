"""What the system lets one process have: open files above all, and other processes."""

from __future__ import annotations

import errno
import os
import sys

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

# Descriptors that one slot takes: the pipes of its child, what tells of its death, its output.
PER_SLOT = 8
# What else needs some for a moment: the start of a child, looks at processes, the queue file.
RESERVE = 12

_PASSING = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
# How a starting interpreter says the same; it ends then, with a traceback.
_SAID = (
    "can't start new thread",
    "Cannot allocate memory",
    "MemoryError",
    "Resource temporarily unavailable",
    "Too many open files",
)

# What this process was started with, if it has raised the limit for itself.
_descriptors_before: int | None = None


def make_room(slots: int) -> None:
    """Let this process have as many open files as so many slots need, as far as it may.

    Only where its children can be given the old limit back: a job is to find what any process
    finds.
    """
    global _descriptors_before
    if resource is None or not hasattr(resource, "prlimit"):
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _open_now() + slots * PER_SLOT + RESERVE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return
    if _descriptors_before is None:
        _descriptors_before = soft


def give_usual(pid: int) -> None:
    """Give a child the limit that this process was started with."""
    if _descriptors_before is None or sys.platform != "linux":
        return
    try:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (_descriptors_before, hard))
    except (OSError, ValueError):
        # It died; or it keeps the higher one.
        pass


def slots_with_room(slots: int) -> int:
    """How many of so many slots this process can have open files for; one at the least."""
    most = _most_descriptors()
    if most is None:
        return slots
    return max(1, min(slots, (most - _open_now() - RESERVE) // PER_SLOT))


def is_limit(problem: OSError) -> bool:
    """Whether there is nothing wrong but that there are no more of something."""
    return problem.errno in _PASSING


def says_limit(said: str) -> bool:
    """Whether a process ended at its start for such a reason, by what it said."""
    return any(words in said for words in _SAID)


def why(problem: OSError | None = None) -> str:
    """Which limit it is, and how to see it; by default that of open files."""
    number = errno.EMFILE if problem is None else problem.errno
    if number == errno.EMFILE:
        return f"this process may have {_most_descriptors()} open files (ulimit -n)"
    if number == errno.EAGAIN:
        return "no more processes are allowed (ulimit -u, or the service's limit of tasks)"
    if number == errno.ENFILE:
        return "this machine has no more open files to give"
    return "there is not enough memory"


def _most_descriptors() -> int | None:
    if resource is None:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _open_now() -> int:
    try:
        return len(os.listdir("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"))
    except OSError:
        return 3 + RESERVE
