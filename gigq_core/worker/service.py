"""Telling a service manager how this worker is: ready, stopping, alive (systemd's protocol)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

logger = logging.getLogger("gigq_core.worker")

# What a manager puts into the environment of its service; no concern of a job's.
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
# How often within the manager's patience it hears that we live.
TIMES_WITHIN = 4


class Service:
    """What is told to the manager that started this process.

    Args:
        address: its socket: a path, or a name that begins with `@`.
        watchdog_s: how long it waits for a sign of life, in seconds; None if it does not.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = None if watchdog_s is None else watchdog_s / TIMES_WITHIN
        self._said: set[str] = set()
        self._last = 0.0

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str]) -> Service | None:
        """The manager of this process, or None; takes the variables out of the environment."""
        address, usec, pid = (environment.pop(name, "") for name in VARIABLES)
        if not address.startswith(("/", "@")):
            return None
        watched = usec.isascii() and usec.isdigit() and pid in ("", str(os.getpid()))
        return cls(address, int(usec) / 1e6 if watched and int(usec) else None)

    def tell(self, *, ready: bool, stopping: bool, status: str, now: float) -> None:
        """Say what is new, and that we live if it is time by the monotonic clock."""
        words = []
        if ready and self._is_news("ready"):
            words.append("READY=1")
        if stopping and self._is_news("stopping"):
            words.append("STOPPING=1")
        if self._is_news(status):
            words.append(f"STATUS={status}")
        if self._every_s is not None and now - self._last >= self._every_s:
            words.append("WATCHDOG=1")
            self._last = now
        if words:
            self._send("\n".join(words))

    def due(self) -> float | None:
        """When it wants to hear of us again at the latest, by the monotonic clock."""
        return None if self._every_s is None else self._last + self._every_s

    def _is_news(self, what: str) -> bool:
        new = what not in self._said
        self._said.add(what)
        return new

    def _send(self, text: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), self._address)
        except OSError as problem:
            if self._is_news("trouble"):
                logger.warning("The service manager can't be told how this worker is: %s", problem)
