"""A byte stream between a worker and its agent: neither reading nor writing ever waits.

Both ends use it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable

READ_BYTES = 256 * 1024
# So much is handed to the system at once, in bytes: what is urgent goes in between.
WRITE_BYTES = 64 * 1024
# Who has more than this to send, in bytes, makes no more of what can be made later.
FULL_BYTES = 1024 * 1024
# So much may be under way that the other end has not read, in bytes: with more, what is not urgent
# waits. Buffers of others between the two ends hold megabytes, and on a slow link what is urgent
# would come behind all of that.
WINDOW_BYTES = 256 * 1024
# More than may have arrived unread of an end that keeps to that, with what is urgent, in bytes.
REST_BYTES = 4 * WINDOW_BYTES
# The other end is told each time that so much has been read, in bytes.
TELL_EVERY_BYTES = WINDOW_BYTES // 4


class Link:
    """A byte stream in both directions; what is watched is called by whoever runs the selector.

    Args:
        reads, writes: descriptors, which may be one of a socket; they are closed with the link.
        selector: where they are registered, with what to call as data.
        on_data: takes what came, some bytes of any number of messages.
        on_end: called once, when nothing more will come, with the reason for a person.
    """

    def __init__(
        self,
        reads: int,
        writes: int,
        selector: selectors.BaseSelector,
        on_data: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        # A selector knows a descriptor by one purpose only.
        self._is_socket = writes == reads
        self._writes = os.dup(writes) if self._is_socket else writes
        self._reads = reads
        self._selector = selector
        self._on_data = on_data
        self._on_end = on_end
        os.set_blocking(self._reads, False)
        os.set_blocking(self._writes, False)
        self._lines: deque[bytes] = deque()
        self._urgent: deque[bytes] = deque()
        self._unsent = 0
        # What the system has taken in part, and where in it the lines end that are not urgent.
        self._begun = b""
        self._at = 0
        self._ends: list[int] = []
        # How many of those have been handed over to it before; and how many there were at all.
        self._out = 0
        self._given = 0
        self._later: deque[Callable[[], None]] = deque()
        # Since the ends tell each other how much they have read: how many bytes were handed over,
        # how many of these arrived, how many came, and how many of those have been told of.
        self._tell: Callable[[int], list[bytes]] | None = None
        self._handed, self._arrived, self._came, self._told = 0, 0, 0, 0
        self._is_cut = False
        self._ended = False
        self._closed = False
        self._watches_writes = False
        selector.register(self._reads, selectors.EVENT_READ, self._read)

    @property
    def unsent(self) -> int:
        """How many bytes wait to be handed over to the system."""
        return self._unsent

    @property
    def given(self) -> int:
        """The number of the last line that was to be sent; see `has_sent`."""
        return self._given

    @property
    def is_cut(self) -> bool:
        """Whether what is sent can't arrive any more."""
        return self._is_cut or self._closed

    def send(self, lines: Iterable[bytes], urgent: bool = False) -> int:
        """Send lines, each with its end; `urgent` ones go before those that wait.

        Returns:
            A number for `has_sent`; of no use for those that are urgent.
        """
        waiting = self._urgent if urgent else self._lines
        for line in lines:
            self._given += not urgent
            if not self.is_cut:
                waiting.append(line)
                self._unsent += len(line)
        self._write()
        return self._given

    def has_sent(self, number: int) -> bool:
        """Whether the last of those lines may have arrived; if not, it never will after a cut."""
        return self._out + sum(end <= self._at for end in self._ends) >= number

    def pace(self, tell: Callable[[int], list[bytes]], came: int = 0) -> None:
        """From now on, the ends tell each other how much they have read.

        Args:
            tell: makes the lines that say how many bytes that is, from here on.
            came: how many of these have come already.
        """
        self._tell = tell
        self._came = came

    def arrived(self, size: int) -> None:
        """The other end says that it has read so many bytes."""
        self._arrived = max(self._arrived, min(size, self._handed))
        self._write()

    def hurry(self) -> None:
        """Wait no longer for what the other end has read: these are the last words."""
        self._tell = None

    def when_room(self, act: Callable[[], None]) -> None:
        """Do something that sends much, once not too much waits to be sent."""
        if self._unsent < FULL_BYTES and not self._later:
            act()
        elif not self.is_cut:
            self._later.append(act)

    def close(self) -> None:
        """Close both descriptors; `on_end` is not called any more."""
        if self._closed:
            return
        self._closed = self._ended = True
        self._forget_unsent()
        self._unwatch_writes()
        self._unwatch_reads()
        os.close(self._reads)
        os.close(self._writes)

    def close_writes(self) -> None:
        """Let the other end see the end of what is sent; what it still says is read."""
        if not self.is_cut:
            self._cut()

    # --- reading -----------------------------------------------------------------------------

    def _read(self) -> None:
        if self._ended:
            return
        try:
            data = os.read(self._reads, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._end(problem.strerror or str(problem))
            return
        if data:
            self._take(data)
        else:
            self._end("the link was closed")

    def _take(self, data: bytes) -> None:
        self._came += len(data)
        self._on_data(data)
        if self._tell is None or self.is_cut:
            return
        if self._came - self._told >= TELL_EVERY_BYTES:
            self._told = self._came
            self.send(self._tell(self._came), urgent=True)

    def read_rest(self) -> None:
        """Take what has arrived, up to its end if that is there; the other end may never stop, but
        no true one has more under way than this."""
        until = self._came + REST_BYTES
        while not self._ended and self._came < until:
            try:
                data = os.read(self._reads, READ_BYTES)
            except OSError:
                return
            if not data:
                return
            self._take(data)

    def _end(self, why: str) -> None:
        self._ended = True
        self._unwatch_reads()
        self._on_end(why)

    def _unwatch_reads(self) -> None:
        if self._reads in self._selector.get_map():
            self._selector.unregister(self._reads)

    # --- writing -----------------------------------------------------------------------------

    def _write(self) -> None:
        while not self.is_cut and (self._begun or self._next()):
            try:
                taken = os.write(self._writes, memoryview(self._begun)[self._at :])
            except BlockingIOError:
                self._watch_writes()
                return
            except OSError:
                # Whoever read it is gone; reading tells that as well.
                self._cut()
                return
            self._at += taken
            self._unsent -= taken
            self._handed += taken if self._tell is not None else 0
            if self._at == len(self._begun):
                self._out += len(self._ends)
                self._begun, self._at, self._ends = b"", 0, []
            while self._later and self._unsent < FULL_BYTES and not self.is_cut:
                # It may come back to here, and does no harm by that.
                self._later.popleft()()
        self._unwatch_writes()

    def _next(self) -> bool:
        """Put together what is handed over next; whether there is anything."""
        chosen: list[bytes] = []
        size = 0
        while self._urgent:
            chosen.append(self._urgent.popleft())
            size += len(chosen[-1])
        room = WRITE_BYTES
        if self._tell is not None:
            room = min(room, WINDOW_BYTES - (self._handed - self._arrived))
        while self._lines and size < room:
            chosen.append(self._lines.popleft())
            size += len(chosen[-1])
            self._ends.append(size)
        self._begun = b"".join(chosen)
        return bool(chosen)

    def _cut(self) -> None:
        self._is_cut = True
        self._forget_unsent()
        self._unwatch_writes()
        if self._is_socket:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._writes)) as end:
                end.shutdown(socket.SHUT_WR)
        # Its number stays taken until all is closed.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._writes, inheritable=False)
        os.close(null)

    def _forget_unsent(self) -> None:
        self._lines.clear()
        self._urgent.clear()
        self._later.clear()
        self._unsent = 0

    def _watch_writes(self) -> None:
        if not self._watches_writes:
            self._watches_writes = True
            self._selector.register(self._writes, selectors.EVENT_WRITE, self._write)

    def _unwatch_writes(self) -> None:
        if self._watches_writes:
            self._watches_writes = False
            self._selector.unregister(self._writes)
