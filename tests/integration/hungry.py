"""Jobs that take memory."""

from __future__ import annotations

import ctypes
import errno
import mmap
import multiprocessing
import os
import subprocess
import sys
import time
from typing import Any

from tests.integration.chores import note
from tests.integration.telling import wait_for

MIB = 1024 * 1024


def limits() -> list[int]:
    """The soft limit of this process, and its number."""
    import resource

    return [resource.getrlimit(resource.RLIMIT_DATA)[0], os.getpid()]


def take(mib: int) -> int:
    """Take so much in small pieces, and give it back."""
    pieces = []
    for _ in range(mib):
        pieces.append(bytearray(os.urandom(64)) * (MIB // 64))
    return len(pieces)


def take_by_attempt(mib: int, job_context: Any) -> int:
    return take(mib) if job_context.attempt == 1 else int(job_context.attempt)


def take_and_go_on(mib: int, job_context: Any) -> str:
    """Catch it, and use the link to the worker all the same."""
    try:
        take(mib)
        return "taken"
    except MemoryError:
        pass  # beyond here what was taken is free again
    job_context.save("no more to be had")
    job_context.progress(1, 2)
    return str(job_context.saved)


HOG = """
import os, sys, time
with open(sys.argv[2], "a") as file:
    file.write("%d\\n" % os.getpid())
pieces = [bytearray(os.urandom(64)) * 16384 for _ in range(int(sys.argv[1]))]
time.sleep(600)
"""


def let_others_take(processes: int, mib: int, path: str) -> None:
    """Let other programs take so much each, none of them more than it may, and wait."""
    made = [
        subprocess.Popen([sys.executable, "-c", HOG, str(mib), path], start_new_session=True)
        for _ in range(processes)
    ]
    for process in made:
        process.wait()


def _wait_with(block: bytearray, go: str) -> None:
    assert block[-1] == 7
    wait_for(go)


def share(processes: int, mib: int, path: str, go: str) -> int:
    """Take so much once, and share it with copies of this process."""
    block = bytearray(b"\7") * (mib * MIB)
    context = multiprocessing.get_context("fork")
    made = [context.Process(target=_wait_with, args=(block, go)) for _ in range(processes)]
    for process in made:
        process.start()
    note(path, str(os.getpid()))
    for process in made:
        process.join()
    return len(block)


def map_shared(mib: int, path: str) -> None:
    """Take what no limit of one process counts."""
    block = mmap.mmap(-1, mib * MIB)
    for place in range(0, mib * MIB, mmap.PAGESIZE):
        block[place] = 1
    note(path, str(os.getpid()))
    time.sleep(600)


kept: list[bytearray] = []


def keep(mib: int) -> int:
    """Leave so much behind in this process."""
    kept.extend(bytearray(os.urandom(64)) * (MIB // 64) for _ in range(mib))
    return os.getpid()


def pid() -> int:
    return os.getpid()


def lower_for_good(mib: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (mib * MIB, mib * MIB))


def take_in_c(mib: int) -> int:
    found = ctypes.CDLL(None).malloc
    found.restype, found.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    return 0 if found(mib * MIB) is None else 1


def map_too_much(mib: int) -> int:
    """Map memory of one's own: Python says an OSError."""
    with mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        return len(block)


def refused_otherwise(kind: str) -> None:
    """What a module in C says that can't be loaded, and what has nothing to do with memory."""
    if kind == "module":
        raise ImportError("x.so: failed to map segment from shared object")
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
