"""What an attempt prints at the far end of a link: the head and the tail of it cross the link."""

from __future__ import annotations

import time
from collections.abc import Callable

from gigq_core.worker.agents import wire
from gigq_core.worker.output import LIMIT_BYTES

# The first part goes as it comes, and of what follows no more than so many bytes in a second.
TAIL_BYTES_PER_S = 256 * 1024
# While so much waits to be sent, in bytes, output waits as well: anything else comes first.
LINK_IS_BUSY_BYTES = 128 * 1024


class LinkSink:
    """Sends one attempt's output over a link, or drops the middle of it: nothing ever waits.

    What is kept for that is never more than a file of output at the other end would hold. As that
    end learns how much was dropped, and where, it writes the very same file.

    Args:
        token: the attempt.
        send: sends the worker a message.
        unsent: how many bytes wait to be sent to the worker.
        limit: the most bytes that are kept at the other end: half of them the first ones, half the
            last ones.
    """

    def __init__(
        self,
        token: str,
        send: Callable[[wire.ToWorker], None],
        unsent: Callable[[], int],
        limit: int = LIMIT_BYTES,
    ) -> None:
        self._token = token
        self._send = send
        self._unsent = unsent
        self._head_left = limit // 2
        self._tail_limit = limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._printed = False
        # How much of the tail may be sent at once, and since when that was so.
        self._may_send = float(wire.CHUNK_BYTES)
        self._since = time.monotonic()

    @property
    def printed(self) -> bool:
        """Whether anything was printed."""
        return self._printed

    @property
    def has_more(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._head or self._tail)

    def write(self, data: bytes) -> None:
        """Take in what was printed."""
        self._printed = self._printed or bool(data)
        if self._head_left:
            head = data[: self._head_left]
            self._head += head
            self._head_left -= len(head)
            data = data[len(head) :]
        self._tail += data
        surplus = len(self._tail) - self._tail_limit
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus
        self.send_some()

    def send_some(self) -> None:
        """Send what the link takes, and what may be sent by now."""
        now = time.monotonic()
        more = (now - self._since) * TAIL_BYTES_PER_S
        self._may_send = min(TAIL_BYTES_PER_S, self._may_send + more)
        self._since = now
        while self._unsent() < LINK_IS_BUSY_BYTES:
            if self._head:
                self._send_head()
            elif self._tail and self._may_send >= min(wire.CHUNK_BYTES, len(self._tail)):
                self._may_send -= self._send_tail()
            else:
                return

    def due(self) -> float | None:
        """When `send_some` has something to do, by the monotonic clock; None where the link has to
        take something before, or where nothing is to be sent."""
        if not self.has_more or self._unsent() >= LINK_IS_BUSY_BYTES:
            return None
        if self._head:
            return self._since
        wanted = min(wire.CHUNK_BYTES, len(self._tail)) - self._may_send
        return self._since + max(0.0, wanted / TAIL_BYTES_PER_S)

    def close(self) -> bool:
        """There is no more: all that is left is sent, before what tells of the end."""
        while self._head:
            self._send_head()
        while self._tail:
            self._send_tail()
        return self._printed

    def _send_head(self) -> None:
        data = bytes(self._head[: wire.CHUNK_BYTES])
        del self._head[: wire.CHUNK_BYTES]
        self._send(wire.Output(self._token, 0, data))

    def _send_tail(self) -> int:
        data = bytes(self._tail[: wire.CHUNK_BYTES])
        del self._tail[: wire.CHUNK_BYTES]
        left_out, self._left_out = self._left_out, 0
        self._send(wire.Output(self._token, left_out, data))
        return len(data)
