"""Jobs that harm the process they run in, or the worker above it; and good ones beside them."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.reliability.tasks import trace

# Where a job finds the descriptors of its process.
DESCRIPTORS = range(3, 60)


def good(path: str, label: str, seconds: float = 0.0) -> str:
    trace(path, label, label, "begun")
    time.sleep(seconds)
    trace(path, label, label, "ended")
    return label


def kill_the_worker(path: str, label: str) -> None:
    """What a job does that takes all memory, and the kernel ends the worker for it."""
    trace(path, label, label, "begun")
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def write_everywhere(pieces: list[str], ends: str) -> Any:
    """Write into every descriptor that takes it; then return, raise, exit, die or wait."""
    data = [piece.encode("latin-1") for piece in pieces]
    for fd in DESCRIPTORS:
        for piece in data:
            try:
                os.write(fd, piece)
            except OSError:
                break
    if ends == "raise":
        raise ValueError("caf\udcc3")
    if ends == "exit":
        raise SystemExit("caf\udcc3")
    if ends == "die":
        os._exit(3)
    if ends == "wait":
        time.sleep(60)
    return {"ended": ends, "text": "caf\udcc3 \0"}


def write_without_end() -> None:
    """A line that never ends, into every descriptor in turn that takes it."""
    block = b"x" * 65_536
    while True:
        for fd in DESCRIPTORS:
            try:
                os.write(fd, block)
            except OSError:
                continue


def return_much(count: int) -> str:
    return "x" * count


def reopen_descriptors(folder: str) -> list[str]:
    """Close all that is open, and fill the numbers with files of one's own."""
    os.closerange(3, 60)
    paths = [os.path.join(folder, f"own-{fd}") for fd in DESCRIPTORS]
    for path in paths:
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    return paths


def reopen_one(path: str, fd: int) -> bool:
    """Put a file of one's own in the place of one descriptor, if it is open."""
    try:
        os.close(fd)
    except OSError:
        return False
    mine = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(mine, b"mine\n")
    os.lseek(mine, 0, os.SEEK_SET)
    if mine != fd:
        os.dup2(mine, fd)
        os.close(mine)
    return True


def block_not(fds: list[int]) -> None:
    """Leave descriptors that do not wait."""
    for fd in fds:
        try:
            os.set_blocking(fd, False)
        except OSError:
            pass


def answer_in_the_name_of_the_worker(end: str) -> str:
    """Find the runner's own answer, send it early, and then end in some way."""
    import json
    import sys

    frame: Any = sys._getframe()
    while "job" not in frame.f_locals:
        frame = frame.f_back
    runner, job = frame.f_locals["self"], frame.f_locals["job"]
    message = {"done": job["id"], "ok": True, "result": '"forged"'}
    os.write(runner.answers_fd, json.dumps(message).encode() + b"\n")
    if end == "later":
        time.sleep(0.3)
    return end


def raise_text(kind: str) -> None:
    text = "caf\udcc3(.txt \0 end"
    if kind == "exit":
        raise SystemExit(text)
    if kind == "type":
        raise type(text[:8], (Exception,), {})(text)
    if kind == "bytes":
        raise ValueError(b"\xff\0")
    raise OSError(2, "No such file", text)


def return_text() -> dict[str, str]:
    return {"caf\udcc3": "\ud800 \0 \uffff"}
