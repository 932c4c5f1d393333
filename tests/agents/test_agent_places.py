"""Where agents stand, as their worker sees it, without any process."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Iterator

import pytest

from gigq_core.version import __version__
from gigq_core.worker.agents import bootstrap, wire
from gigq_core.worker.agents.dask_placement import Placed
from gigq_core.worker.agents.doubts import Doubts
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.agents.places import DaskPlace
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.child_age import Limits
from gigq_core.worker.heard import Heard
from gigq_core.worker.output import Capture
from tests.waiting import wait_until

READY = wire.Ready(
    wire.PROTOCOL, __version__, "far", 7, "", "", "3.12.0", "/usr/bin/python3", "/", 1, 1
)


class Nobody:
    """Answers nothing."""

    def ask(self, *_: object) -> None: ...
    def submit(self, *_: object) -> None: ...
    def end(self, *_: object) -> None: ...


class Side:
    """A place, and the other end of its stream."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        terms = Terms(
            selector=self.selector,
            lease=Lease(),
            grace_s=0.1,
            max_result_bytes=1_000,
            limits=Limits(),
            chdir=None,
            responder=Nobody(),
            heard=Heard(),
            capture_of=lambda _: Capture(lambda: None),
            doubts=Doubts(),
        )
        ours, self.far = socket.socketpair()
        self.place = DaskPlace(3, "dask:tcp://x:1", Placed("one", "far", 1, ours), bool, terms)
        self.far.sendall(bootstrap.MARK + json.dumps({"go": True}).encode() + b"\n")
        self.say(READY)

    def say(self, message: wire.ToWorker) -> None:
        self.far.sendall(b"".join(wire.encode(message)))

    def turn(self) -> None:
        for key, _ in self.selector.select(0.05):
            key.data()
        self.place.tick(0.0, True)


@pytest.fixture
def side() -> Iterator[Side]:
    made = Side()
    yield made
    if made.place.link is not None:
        made.place.link.kill()
    made.far.close()
    made.selector.close()


def test_who_asked_for_a_stack_is_told_that_the_agent_is_gone(side: Side) -> None:
    def is_ready() -> bool:
        side.turn()
        return side.place.is_ready

    wait_until(is_ready)
    assert side.place.link is not None
    side.place.link.ask_stack("token", 5)
    side.say(wire.Gone("the Dask worker is closing", True))

    def is_gone() -> bool:
        side.turn()
        return side.place.is_gone

    wait_until(is_gone)
    assert side.place.stacks == [wire.Stack(5, None, "its agent on far is lost")]
