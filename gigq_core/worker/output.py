"""What an attempt prints, kept in a file of bounded size: the head and the tail."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from gigq_core.system.kept_files import create_private

logger = logging.getLogger("gigq_core.worker")

LIMIT_BYTES = 1024 * 1024
# What stands in the way of keeping anything is told once, not by each job that prints.
_warned: set[str] = set()
# How often the tail is written while more comes, in seconds.
TAIL_EVERY_S = 0.5


def warn_unkept(problem: OSError) -> None:
    """Say, once for each reason, that output and stacks are not kept; the jobs run all the same."""
    reason = problem.strerror or str(problem)
    if reason not in _warned:
        _warned.add(reason)
        logger.warning("What jobs print, and their stacks, can't be kept: %s", reason)


class Sink(Protocol):
    """Where one attempt's output goes."""

    def write(self, data: bytes) -> None:
        """Take in what was printed."""

    def close(self) -> bool:
        """There is no more; says whether something was kept."""


class Capture:
    """Collects one attempt's output; there is no file until the first byte comes.

    Args:
        where: gives the file's path, once there is something to keep; its folders are made. None
            where it has no place.
        limit: the most bytes to keep, half of them the first ones, half the last ones.
    """

    def __init__(self, where: Callable[[], Path | None], limit: int = LIMIT_BYTES) -> None:
        self._where = where
        self._head_left = limit // 2
        self._tail_limit = limit - limit // 2
        self._tail = bytearray()
        self._tail_from = 0
        self._left_out = 0
        self._tail_due = 0.0
        self._file: BinaryIO | None = None
        self._broken = False

    @property
    def started(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Take in what was printed. Whatever keeps it from the disk, the job goes on."""
        if not data or self._broken:
            return
        try:
            self._write(data)
        except OSError as problem:
            self._give_up(problem)

    def skip(self, count: int) -> None:
        """So many bytes were printed that are lost, before what is written next.

        They were in the middle: what follows, in all, is as long as the tail can be, or longer.
        """
        self._left_out += count

    def _give_up(self, problem: OSError) -> None:
        self._broken = True
        warn_unkept(problem)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            path = self._where()
            if path is None:
                self._broken = True
                return
            self._file = create_private(path)
        if self._head_left:
            head = data[: self._head_left]
            self._file.write(head)
            self._head_left -= len(head)
            self._tail_from += len(head)
            data = data[len(head) :]
        if not data:
            return
        self._tail += data
        surplus = len(self._tail) - self._tail_limit
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus
        now = time.monotonic()
        if now >= self._tail_due:
            self._write_tail()
            self._tail_due = now + TAIL_EVERY_S

    def _write_tail(self) -> None:
        if self._file is None or not self._tail:
            return
        mark = b""
        if self._left_out:
            mark = b"\n[... %d bytes left out ...]\n" % self._left_out
        self._file.seek(self._tail_from)
        self._file.write(mark + self._tail)
        self._file.truncate()

    def close(self) -> bool:
        """Finish the file; says whether there is one."""
        if self._file is None:
            return False
        try:
            with self._file:
                self._write_tail()
        except OSError as problem:
            self._give_up(problem)
        return True
