"""Places for agents in a Dask cluster, as the worker knows them: byte streams that come and go.

All that speaks to Dask is in a process of its own (`dask_bridge`), which is started again should it
end; here is what it says, and when a Dask worker has to be kept.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from gigq_core.text import inert
from gigq_core.worker import service

logger = logging.getLogger("gigq_core.worker")

# A Dask worker is kept for so long after the last job there, in seconds.
REST_AFTER_S = 5.0
# Pauses before the bridge is started again, in seconds.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A bridge that ran for so long, in seconds, was none that fails at once.
STOOD_S = 60.0
# While the bridge does not take what it is told, this is tried so often, in seconds.
TELL_AGAIN_S = 0.05
# How long `close` waits for the bridge to end by itself, in seconds.
CLOSE_WITHIN_S = 0.7
# The most of the bridge's last words that are told.
ERRORS_BYTES = 2048
READ_BYTES = 64 * 1024
# More sockets than come with one read.
_SOCKETS = 64

# The path is ours as it is: the folder where the worker was started is not on the bridge's.
_START = (
    "import sys; fd = int(sys.argv[1]); sys.path[:] = sys.argv[2:]; "
    "from gigq_core.worker.agents.dask_bridge import main; main(fd)"
)

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Placed(NamedTuple):
    """A place for one agent, whose stream stands.

    Attributes:
        name: no other of this placement has it.
        host: where that is, as people know it.
        slots: how many jobs may run there at a time.
        stream: the agent's input and output; whoever takes the place closes it.
    """

    name: str
    host: str
    slots: int
    stream: socket.socket


class Left(NamedTuple):
    """A place that is no more; its stream has ended as well.

    Attributes:
        name: which one.
        why: the reason, as the end of a sentence.
    """

    name: str
    why: str


def why_not() -> str | None:
    """Why no Dask cluster can be used from here, in one sentence; None where one can."""
    if find_spec("distributed") is None:
        return "What speaks to Dask is not installed here: pip install 'gigq-tui[dask]'"
    return None


class _Place:
    """What is known of a place: whether it is kept, and what runs there."""

    def __init__(self) -> None:
        # Whether the cluster was asked to keep it, and whether it is known to do so.
        self.hold_asked = False
        self.held = False
        self.is_open = True
        self.jobs = 0
        self.idle_since = time.monotonic()


class DaskPlacement:
    """One agent in each Dask worker of a cluster, as they come and go.

    An adaptive cluster may close a Dask worker any moment, unless that is held: only then is a
    place given jobs. It is held as soon as jobs are wanted, and rests some seconds after the last.

    Args:
        address: the scheduler's, such as `tcp://host:8786`.
        selector: where the bridge is registered, with what to call as data.
        words: what the interpreter of an agent is started with.
        python: that interpreter; None for each Dask worker's own.
        slots: the jobs at a time of each agent; None for the threads of its Dask worker.

    Attributes:
        trouble: what is wrong, in one sentence, while something is.
    """

    def __init__(
        self,
        address: str,
        selector: selectors.BaseSelector,
        words: Sequence[str],
        python: str | None = None,
        slots: int | None = None,
    ) -> None:
        self.trouble: str | None = None
        self._order = {"address": address, "words": list(words), "python": python, "slots": slots}
        self._selector = selector
        self._bridge: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._errors: int | None = None
        self._started = 0.0
        self._start_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._to_send = bytearray()
        self._heard = bytearray()
        self._sockets: list[int] = []
        self._said = bytearray()
        self._wanted = 0
        self._last_wanted = 0.0
        self._places: dict[str, _Place] = {}
        self._new: list[Placed] = []
        self._left: list[Left] = []
        self.tick()

    @property
    def pid(self) -> int | None:
        """The bridge's process; None while there is none."""
        return None if self._bridge is None else self._bridge.pid

    def take_new(self) -> list[Placed]:
        """The places that came since."""
        new, self._new = self._new, []
        return new

    def take_left(self) -> list[Left]:
        """The places that went since."""
        left, self._left = self._left, []
        return left

    def takes_jobs(self, name: str) -> bool:
        """Whether new jobs may go to the place now."""
        place = self._places.get(name)
        return place is not None and place.held and place.is_open

    def busy(self, name: str, jobs: int) -> None:
        """So many jobs are at the place."""
        place = self._places.get(name)
        if place is not None and place.jobs != jobs:
            place.jobs = jobs
            place.idle_since = time.monotonic()

    def wanted(self, jobs: int) -> None:
        """So many jobs wait, and find no free slot."""
        now = time.monotonic()
        if jobs:
            self._last_wanted = now
            for name, place in self._places.items():
                if not place.hold_asked:
                    place.hold_asked = True
                    place.idle_since = now
                    self._tell({"hold": name})
        if jobs != self._wanted:
            self._wanted = jobs
            self._tell({"wanted": jobs})

    def tick(self) -> None:
        """Start the bridge where there is none; let places rest where nothing runs."""
        now = time.monotonic()
        if self._bridge is None and now >= self._start_at:
            self._start()
        for name, place in self._places.items():
            if place.held and not place.jobs and now >= self._rests_at(place):
                place.held = place.hold_asked = False
                self._tell({"release": name})
        self._flush()

    def due(self) -> float | None:
        """When there is something to do, by the monotonic clock; None while there is not."""
        if self._bridge is None:
            return self._start_at
        places = self._places.values()
        dues = [self._rests_at(place) for place in places if place.held and not place.jobs]
        if self._to_send:
            dues.append(time.monotonic() + TELL_AGAIN_S)
        return min(dues, default=None)

    def _rests_at(self, place: _Place) -> float:
        return max(place.idle_since, self._last_wanted) + REST_AFTER_S

    def close(self) -> None:
        """End the bridge, and with it what is left of the agents."""
        self._start_at = float("inf")
        bridge = self._bridge
        self._shut("the worker is ending")
        if bridge is not None:
            _end(bridge)
        for placed in self.take_new():
            placed.stream.close()

    # --- the bridge --------------------------------------------------------------------------

    def _start(self) -> None:
        self.trouble = why_not()
        if self.trouble is not None:
            self._start_again_later()
            return
        environment = {k: v for k, v in os.environ.items() if k not in service.VARIABLES}
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                path = [entry for entry in sys.path if entry]
                self._bridge = subprocess.Popen(
                    [sys.executable, "-c", _START, str(theirs.fileno()), *path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    # What ends the worker from its terminal lets it finish first.
                    start_new_session=True,
                    env=environment,
                )
        except OSError as problem:
            ours.close()
            self.trouble = f"The process that speaks to Dask can't be started: {problem}"
            self._start_again_later()
            return
        self._started = time.monotonic()
        ours.setblocking(False)
        self._control = ours
        self._selector.register(ours, selectors.EVENT_READ, self._read)
        assert self._bridge.stderr is not None
        self._errors = self._bridge.stderr.fileno()
        os.set_blocking(self._errors, False)
        self._selector.register(self._errors, selectors.EVENT_READ, self._read_errors)
        self._said.clear()
        self._tell(self._order)
        if self._wanted:
            self._tell({"wanted": self._wanted})

    def _start_again_later(self) -> None:
        now = time.monotonic()
        if now - self._started > STOOD_S:
            self._pause_s = FIRST_PAUSE_S
        self._start_at = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _tell(self, message: dict[str, Any]) -> None:
        if self._control is not None:
            self._to_send += _encode(message).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        try:
            while self._to_send and self._control is not None:
                del self._to_send[: self._control.send(self._to_send)]
        except BlockingIOError:
            pass
        except OSError:
            # It died; that is seen where it is read from.
            self._to_send.clear()

    def _read_errors(self) -> None:
        if self._errors is None:
            return
        try:
            data = os.read(self._errors, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._said += data
            del self._said[:-ERRORS_BYTES]
        else:
            self._selector.unregister(self._errors)
            self._errors = None

    def _read(self) -> None:
        control = self._control
        while control is not None and control is self._control:
            try:
                data, sockets, flags, _ = socket.recv_fds(control, READ_BYTES, _SOCKETS)
            except BlockingIOError:
                return
            except OSError:
                data, sockets, flags = b"", [], 0
            self._sockets += sockets
            if flags & socket.MSG_CTRUNC:
                # One is missing, and it can't be told whose it was.
                self._ended("no more files can be opened here")
                return
            if not data:
                self._ended()
                return
            self._heard += data
            *lines, rest = bytes(self._heard).split(b"\n")
            self._heard = bytearray(rest)
            for line in lines:
                self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if "placed" in message:
            stream = socket.socket(fileno=self._sockets.pop(0))
            stream.setblocking(False)
            name = str(message["placed"])
            self._places[name] = _Place()
            self._new.append(Placed(name, str(message["host"]), int(message["slots"]), stream))
        elif "left" in message:
            self._leave(str(message["left"]), str(message["why"]))
        elif "trouble" in message:
            trouble = message["trouble"]
            self.trouble = None if trouble is None else inert(trouble)
        elif "warning" in message:
            logger.warning("%s", inert(message["warning"]))
        elif "held" in message:
            place = self._places.get(message["held"])
            if place is not None and place.hold_asked:
                place.held = True
                place.idle_since = time.monotonic()
        elif "open" in message:
            place = self._places.get(message["open"])
            if place is not None:
                place.is_open = bool(message["yes"])

    def _leave(self, name: str, why: str) -> None:
        if self._places.pop(name, None) is not None:
            self._left.append(Left(name, why))

    def _ended(self, why: str = "") -> None:
        """The bridge is gone, or of no use any more, with all streams through it."""
        bridge = self._bridge
        if why and bridge is not None:
            bridge.kill()
        if bridge is not None:
            _end(bridge)
        self._read_errors()
        last = self._said.decode("utf-8", "replace").strip().splitlines()
        code = None if bridge is None else bridge.returncode
        self.trouble = f"The process that speaks to Dask ended with code {code}"
        if last or why:
            self.trouble += f": {why or inert(last[-1])}"
        self._shut("the process that speaks to Dask ended")
        self._start_again_later()

    def _shut(self, why: str) -> None:
        for name in list(self._places):
            self._leave(name, why)
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
        if self._errors is not None:
            self._selector.unregister(self._errors)
            self._errors = None
        if self._bridge is not None and self._bridge.stderr is not None:
            self._bridge.stderr.close()
        for fd in self._sockets:
            os.close(fd)
        self._sockets.clear()
        self._heard.clear()
        self._to_send.clear()
        self._bridge = None


def _end(bridge: subprocess.Popen[bytes]) -> None:
    """Wait for it, and kill it where it takes too long; its control socket has ended."""
    try:
        bridge.wait(CLOSE_WITHIN_S)
    except subprocess.TimeoutExpired:
        bridge.kill()
        bridge.wait()
