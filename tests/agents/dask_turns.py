"""A placement whose turns a test takes, in place of a supervisor."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Any

from gigq_core.worker.agents.dask_placement import DaskPlacement, Left, Placed
from tests.agents.dask_cluster import START_WITHIN_S

# In place of an agent: what it reads comes back; at the end of its input it says so, and if it is
# told to end.
ECHO = """
import os, signal
def told(*_):
    os.write(1, b"<told>")
    os._exit(0)
signal.signal(signal.SIGTERM, told)
while data := os.read(0, 65536):
    while data:
        data = data[os.write(1, data):]
os.write(1, b"<end>")
"""


class Turns:
    """Lets a placement have its turns, as the supervisor does.

    Attributes:
        here: the places that came and have not gone, by name.
        left: those that went.
    """

    def __init__(self, address: str, program: str = ECHO, **options: Any) -> None:
        self._selector = selectors.DefaultSelector()
        self.placement = DaskPlacement(address, self._selector, ["-c", program], **options)
        self.here: dict[str, Placed] = {}
        self.left: list[Left] = []

    def until(self, condition: Callable[[], Any], timeout_s: float = START_WITHIN_S) -> Any:
        """Take turns until it is true; returns its answer."""
        end = time.monotonic() + timeout_s
        while not (answer := condition()):
            assert time.monotonic() < end, (self.placement.trouble, self.left)
            due = self.placement.due()
            wait = 0.05 if due is None else min(0.05, max(0.0, due - time.monotonic()))
            for key, _ in self._selector.select(wait):
                if key.fd in self._selector.get_map():
                    key.data()
            self.placement.tick()
            for left in self.placement.take_left():
                self.left.append(left)
                self.here.pop(left.name).stream.close()
            for placed in self.placement.take_new():
                self.here[placed.name] = placed
        return answer

    def places(self, count: int) -> list[Placed]:
        """As many places as that, once they are there."""
        self.until(lambda: len(self.here) == count)
        return list(self.here.values())

    def close(self) -> None:
        for placed in self.here.values():
            placed.stream.close()
        self.placement.close()
        self._selector.close()
