"""What a link goes through: the command of `--via`, or a socket that somebody hands over."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from gigq_core.text import inert
from gigq_core.worker import service

# Kept of what a command says beside its link, to tell why it failed, in bytes.
SAID_BYTES = 8 * 1024
# So often that is read to come to its end: more than a pipe holds, as who writes may never stop.
MOST_READS = 32
# Of that, so many lines a minute go to the log, of so many characters.
LINES_A_MINUTE = 60
LINE_CHARACTERS = 500
# A command whose link is closed ends by itself; after so long it is asked to, and killed, seconds.
ASKED_AFTER_S = 3.0
KILLED_AFTER_S = 6.0


class Stream(Protocol):
    """Both directions of bytes; who made it watches over its end."""

    reads: int
    writes: int

    def said(self) -> str:
        """The end of what was said beside it."""

    def exit_code(self) -> int | None:
        """Of its command; None while that runs, or where there is none."""

    def tell(self, say: Callable[[str], None]) -> None:
        """From now on, have what is said beside it told line by line."""

    def let_go(self) -> None:
        """Its descriptors are closed: let it end."""

    def tick(self, now: float) -> None:
        """Do what has come due, by the monotonic clock."""

    def due(self) -> float | None:
        """When that is so."""

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""

    def kill(self) -> None:
        """End it at once, and wait for that."""


class Command:
    """A process whose standard input and output are the link, and which nobody's Ctrl-C reaches.

    Args:
        words: the command.
        selector: where its standard error is registered, with what to call as data.

    Raises:
        OSError: it can't be started.
    """

    def __init__(self, words: Sequence[str], selector: selectors.BaseSelector) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in service.VARIABLES}
        self._process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
            start_new_session=True,
        )
        # The link closes these.
        self.reads, self.writes = _detached(self._process.stdout), _detached(self._process.stdin)
        self._stderr = _detached(self._process.stderr)
        os.set_blocking(self._stderr, False)
        self._selector = selector
        self._said = _Said()
        self._let_go_at: float | None = None
        self._asked = False
        selector.register(self._stderr, selectors.EVENT_READ, self._read_said)

    def said(self) -> str:
        """The end of what it said on standard error."""
        self._read_said(MOST_READS)
        return self._said.kept()

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def tell(self, say: Callable[[str], None]) -> None:
        """From now on, have each line of it told."""
        self._said.say = say

    def let_go(self) -> None:
        """Its descriptors are closed: let it end."""
        if self._let_go_at is None:
            self._let_go_at = time.monotonic()

    def tick(self, now: float) -> None:
        """Ask it to end, and kill it, if it does not."""
        if self._let_go_at is None or self.is_over:
            return
        if self._process.poll() is not None:
            self._close()
        elif now >= self._let_go_at + KILLED_AFTER_S:
            self.kill()
        elif now >= self._let_go_at + ASKED_AFTER_S and not self._asked:
            self._asked = True
            self._signal(signal.SIGTERM)

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        if self._let_go_at is None or self.is_over:
            return None
        return time.monotonic() + 0.1

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and all of it is closed."""
        return self._stderr < 0

    def kill(self) -> None:
        """Kill it, and what it started in its session."""
        if not self.is_over:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._close()

    def _signal(self, signum: int) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signum)

    def _read_said(self, times: int = 1) -> None:
        for _ in range(times):
            if self._stderr < 0:
                return
            try:
                data = os.read(self._stderr, SAID_BYTES)
            except OSError:
                return
            if not data:
                if self._stderr in self._selector.get_map():
                    self._selector.unregister(self._stderr)
                return
            self._said.take(data)

    def _close(self) -> None:
        self._read_said(MOST_READS)
        if self._stderr in self._selector.get_map():
            self._selector.unregister(self._stderr)
        os.close(self._stderr)
        self._stderr = -1


class Handed:
    """A socket that somebody else made, and watches over.

    Attributes:
        why: what that one says of its end.
    """

    def __init__(self, given: socket.socket) -> None:
        self.why = ""
        self.reads = self.writes = given.detach()
        self._is_over = False

    def said(self) -> str:
        """What whoever made it says of its end."""
        return self.why

    def exit_code(self) -> int | None:
        """It has none."""
        return None

    def tell(self, say: Callable[[str], None]) -> None:
        """It says nothing."""

    def let_go(self) -> None:
        """Its descriptor is closed."""
        self._is_over = True

    def tick(self, now: float) -> None:
        """Nothing comes due."""

    def due(self) -> float | None:
        """Never."""
        return None

    @property
    def is_over(self) -> bool:
        """Whether it was let go."""
        return self._is_over

    def kill(self) -> None:
        """It ends with its descriptor."""
        self._is_over = True


class _Said:
    """What comes on standard error: its end is kept, and not too many lines of it are told."""

    def __init__(self) -> None:
        self.say: Callable[[str], None] | None = None
        self._kept = b""
        self._line = b""
        self._told = 0
        self._left_out = 0
        self._minute = 0.0

    def kept(self) -> str:
        """The end of it."""
        return self._kept.decode("utf-8", "replace")

    def take(self, data: bytes) -> None:
        """Take in what came."""
        self._kept = (self._kept + data)[-SAID_BYTES:]
        if self.say is None:
            return
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[:SAID_BYTES]
        for line in lines:
            self._tell(self.say, line)

    def _tell(self, say: Callable[[str], None], line: bytes) -> None:
        now = time.monotonic()
        if now - self._minute >= 60.0:
            if self._left_out:
                say(f"({self._left_out:,} more lines were left out)")
            self._minute, self._told, self._left_out = now, 0, 0
        text = inert(line.decode("utf-8", "replace").strip())
        if not text:
            return
        if self._told >= LINES_A_MINUTE:
            self._left_out += 1
            return
        self._told += 1
        say(text[:LINE_CHARACTERS])


def _detached(pipe: object) -> int:
    """The descriptor of one of a process's pipes, which is ours to close from now on."""
    number: int = os.dup(pipe.fileno())  # type: ignore[attr-defined]
    pipe.close()  # type: ignore[attr-defined]
    return number
