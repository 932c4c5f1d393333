"""Whoever follows an output ends when nobody reads it, though nothing more is printed."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until

BROKEN_PIPE = 141


def sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize(
    "ends", [os.pipe, sockets, pty.openpty], ids=["pipe", "sockets", "terminal"]
)
def test_following_ends_with_its_reader_though_nothing_is_printed(
    place: Place, ends: Callable[[], tuple[int, int]]
) -> None:
    noted = place.folder / "noted"
    job = place.submit(chores.say_and_hold, params={"path": str(noted)})
    place.worker()
    wait_until(noted.exists, what="the job to run")
    ours, stdout = ends()
    process = subprocess.Popen(
        [sys.executable, "-m", "gigq_core", "--db", str(place.db), "logs", job, "--follow"],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    os.close(stdout)
    try:
        # Only then nothing more is printed.
        assert b"here I am" in os.read(ours, 100)
        wait_until(lambda: has_open(process.pid, place.db), what="the follower to look")
        os.close(ours)
        assert process.wait(timeout=20) == BROKEN_PIPE
    finally:
        process.kill()
        _, said = process.communicate()
    assert said == b""
    assert place.status(job) == "running"


def has_open(pid: int, file: Path) -> bool:
    """Whether the process has got so far; elsewhere than on Linux it may not have."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.exists():
        return True
    try:
        return any(os.path.realpath(fd) == os.path.realpath(file) for fd in folder.iterdir())
    except OSError:
        return False
