"""The far end of a link, real, with a test as the near end: bytes in hand, nothing in between."""

from __future__ import annotations

import fcntl
import itertools
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gigq_core
from gigq_core.worker.agents import bootstrap, wire
from gigq_core.worker.agents.link import TELL_EVERY_BYTES
from gigq_core.worker.claims import Fate

M = TypeVar("M")
SOON_S = 30.0


class FarEnd:
    """An agent behind a pipe, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes], via: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.said: list[wire.ToWorker] = []
        self.handshake = bootstrap.Handshake(via)
        self.reader = wire.workers_reader(gigq_core.__version__, 16 * 1024 * 1024)
        self.ready: wire.Ready
        self.sent_bundle = False
        self._came, self._told = 0, 0
        self._tokens = itertools.count(1)
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()

    def land(self) -> None:
        """Do the handshake, up to where messages begin."""
        self.write(self.handshake.first)
        while not self.handshake.done:
            data = self._read(SOON_S)
            if not data:
                stderr = b"" if self.process.stderr is None else self.process.stderr.read()
                code = self.process.wait(SOON_S)
                raise bootstrap.LinkRefused(self.handshake.ended(code, stderr.decode()))
            reply = self.handshake.feed(data)
            self.sent_bundle = self.sent_bundle or bool(reply)
            self.write(reply)
        self.take(self.handshake.rest)

    def take(self, data: bytes) -> None:
        """Take in what it says, and tell it how much of that was read, as a worker does."""
        self.said += self.reader.feed(data)
        self._came += len(data)
        if self._came - self._told >= TELL_EVERY_BYTES:
            self._told = self._came
            self.send(wire.Took(self._came))

    def greet(self, **more: Any) -> wire.Ready:
        """Say hello, and wait until it takes jobs."""
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            version=gigq_core.__version__,
            slots=2,
            grace_s=1.0,
            max_result_bytes=16 * 1024 * 1024,
            jobs_per_child=5_000,
            max_child_kb=None,
            chdir=None,
            lease_s=30.0,
            ping_s=5.0,
            waits_s=0.03,
        )
        self.send(hello._replace(**more))
        self.ready = self.wait_for(wire.Ready)
        return self.ready

    def write(self, data: bytes) -> None:
        """Write all of it, if there is still somebody who reads."""
        try:
            while data:
                data = data[os.write(self._in, data) :]
        except BrokenPipeError:
            pass

    def send(self, message: wire.ToAgent) -> None:
        self.write(b"".join(wire.encode(message)))

    def run(self, function: str, params: str | None = "{}", **more: Any) -> str:
        """Have a function run, `module:name`; gives the attempt's token."""
        module, name = function.split(":")
        token = f"token-{next(self._tokens)}"
        run = wire.Run(
            token=token,
            job_id=f"job-{token}",
            name=name,
            module=module,
            function=name,
            params=params,
            parents=False,
            attempt=1,
            max_attempts=3,
            timeout_s=300.0,
            pass_parent_results=None,
            asked=(),
            stall_timeout_s=None,
            memory=None,
        )
        self.send(run._replace(**more))
        return token

    def wait_for(
        self, kind: type[M], fits: Callable[[M], bool] = lambda _: True, within_s: float = SOON_S
    ) -> M:
        """The first message of a kind that fits and was not taken yet; it is taken."""
        until = time.monotonic() + within_s
        while True:
            for message in self.said:
                if isinstance(message, kind) and fits(message):
                    self.said.remove(message)
                    return message
            left_s = until - time.monotonic()
            data = self._read(left_s) if left_s > 0 else None
            assert data is not None, f"no {kind.__name__} came; what came is {self.said}"
            assert data, f"the link ended before a {kind.__name__} came; it had {self.said}"
            self.take(data)

    def end_of(self, token: str, within_s: float = SOON_S) -> wire.Ended:
        return self.wait_for(wire.Ended, lambda ended: ended.token == token, within_s)

    def result_of(self, function: str, params: str | None = "{}", **more: Any) -> str | None:
        ended = self.end_of(self.run(function, params, **more))
        assert ended.fate is Fate.COMPLETED, ended
        return ended.result

    def output_of(self, token: str) -> bytes:
        """What has come of an attempt's output, with what was left out told as in a file."""
        return b"".join(
            message.data
            for message in self.said
            if isinstance(message, wire.Output) and message.token == token
        )

    def ping(self, number: int, heard: int) -> wire.Pong:
        self.send(wire.Ping(number, heard))
        return self.wait_for(wire.Pong, lambda pong: pong.number == number)

    def read_to_end(self, within_s: float = SOON_S) -> None:
        """Take what it says until it says no more; what is half a line is left."""
        until = time.monotonic() + within_s
        while data := self._read(until - time.monotonic()):
            self.take(data)
        assert data is not None, "the link did not end"

    def is_full(self) -> bool:
        """Whether so much waits to be read that nothing can be written any more, or hardly."""
        waiting = struct.unpack("i", fcntl.ioctl(self._out, termios.FIONREAD, bytes(4)))[0]
        return bool(waiting > fcntl.fcntl(self._out, fcntl.F_GETPIPE_SZ) // 2)

    def read_until(self, kind: type[wire.ToWorker]) -> int:
        """Read until a message of a kind came; gives how many bytes that took."""
        read = 0
        while not any(isinstance(message, kind) for message in self.said):
            data = self._read(SOON_S)
            assert data
            read += len(data)
            self.take(data)
        return read

    def _read(self, within_s: float) -> bytes | None:
        if not select.select([self._out], [], [], max(0.0, within_s))[0]:
            return None
        return os.read(self._out, 65536)


@contextmanager
def far_end(
    via: list[str] | None = None,
    python: str = sys.executable,
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    words: list[str] | None = None,
) -> Iterator[FarEnd]:
    """Start a link's command, and end what is left of it."""
    command = [*(via or []), *(words or bootstrap.words(python))]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    with process:
        try:
            yield FarEnd(process, " ".join(via or ["here"]))
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            try:
                process.wait(SOON_S)
            finally:
                process.kill()
