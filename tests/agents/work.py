"""What the jobs of these tests do, wherever they run."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from tests.integration import chores
from tests.integration.chores import note
from tests.integration.submitting import child
from tests.integration.telling import wait_for

MIB = 1024 * 1024


def moments(path: str, label: str, seconds: float = 0.0, go: str = "", save: bool = False) -> str:
    """Leave the moments between which it runs, by the clock that all processes here share.

    While it runs it leaves one every few milliseconds, since it may be killed at any of them.
    """
    who = f"{label} {os.getpid()}"
    until = time.monotonic() + seconds
    note(path, f"{who} {time.monotonic()}")
    while time.monotonic() < until or (go and not os.path.exists(go)):
        time.sleep(0.005)
        note(path, f"{who} {time.monotonic()}")
    note(path, f"{who} {time.monotonic()} ended")
    return label


def all_of_it(path: str, label: str, seconds: float, job_context: Any) -> str:
    """Say each kind of message that a job can cause, twice, and leave moments all the while.

    A thread of its own leaves them, since an answer of the worker may not come.
    """
    who = f"{label} {os.getpid()}"
    note(path, f"{who} {time.monotonic()}")
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.02):
            note(path, f"{who} {time.monotonic()}")

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        told = job_context.parents
        for number in range(2):
            print(f"line {number} of attempt {job_context.attempt}", flush=True)
            job_context.progress(number, 2)
            job_context.save([number, job_context.attempt])
            job_context.submit(child, {"n": number}, name=f"{label}-child-{number}")
        time.sleep(seconds)
    finally:
        done.set()
        ticking.join()
    note(path, f"{who} {time.monotonic()} ended")
    assert len(told) == 1
    return label


def print_bytes(size: int, seed: int) -> str:
    """Print bytes that are no text, in odd pieces, with line ends among them."""
    data = noise(size, seed)
    sys.stdout.flush()
    place = 0
    step = 1
    while place < len(data):
        os.write(1, data[place : place + step])
        place += step
        step = step * 3 % 65_521 + 1
    return f"{size} bytes"


def noise(size: int, seed: int) -> bytes:
    """Bytes that only the seed tells."""
    import random

    return random.Random(seed).randbytes(size)


def print_when_told(first: str, go: str, second: str) -> None:
    """Print, wait for a file, and print again."""
    sys.stdout.write(first)
    sys.stdout.flush()
    wait_for(go)
    sys.stdout.write(second)


def large_result(size: int) -> list[str]:
    return ["é" * size, "\0\u2028\ud800"]


def take_large(value: str, parent_results: dict[str, Any]) -> list[int]:
    return [len(value), *(len(result) for result in parent_results.values())]


def leave_a_process(path: str) -> None:
    chores.leave_a_process(path)


def saved_before(job_context: Any) -> Any:
    """Save at each attempt, and die at the first two in different ways."""
    saved = job_context.saved or []
    job_context.save([*saved, job_context.attempt])
    if job_context.attempt == 1:
        os._exit(9)
    if job_context.attempt == 2:
        raise ValueError("once more")
    return saved


def surroundings() -> dict[str, Any]:
    """What there is around a job."""
    return {
        "folder": os.getcwd(),
        "first on the path": sys.path[0],
        "stdin": sys.stdin.read(),
        "umask": os.umask(0o022),
        "arguments": sys.argv,
        "name": __name__,
        "descriptors": sorted(
            fd for fd in map(int, os.listdir("/proc/self/fd")) if fd < 3 and _is_open(fd)
        ),
    }


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
