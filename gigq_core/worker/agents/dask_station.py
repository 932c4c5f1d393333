"""What runs inside a Dask worker: it starts agents there, and passes their bytes on.

The text of this file is sent to the Dask worker, so it stands alone: the standard library, and
`distributed`, which is there. It works in the Dask worker's own event loop, over a comm to its own
address: no thread, no port.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import sys
import threading
from typing import Any

# The most bytes that are on their way over a comm and not taken yet: by itself, a comm of Dask's
# keeps whatever is written in memory.
WINDOW_BYTES = 512 * 1024
READ_BYTES = 64 * 1024
# What is kept of an agent's stderr, in bytes.
ERRORS_BYTES = 2048
# An agent that was told to end is killed after this, in seconds: by then it has lost its lease.
END_WITHIN_S = 60.0
# How long a Dask worker that closes waits for its agents, in seconds.
CLOSE_WITHIN_S = 4.0
# How often what holds a Dask worker looks whether that is closing, in seconds.
LOOK_S = 1.0


class Flow:
    """Bytes and words over a comm, with a bound on what is on its way.

    Args:
        comm: connected; this is its only user.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._writing = asyncio.Lock()
        self._on_its_way = 0
        self._room = asyncio.Event()
        # No more than the window, as the other end waits, too.
        self._heard: asyncio.Queue[dict[str, Any] | bytes | OSError] = asyncio.Queue()
        self._reading = asyncio.ensure_future(self._read())
        self._untold = 0

    async def say(self, message: dict[str, Any] | bytes) -> None:
        """Write it.

        Raises:
            OSError: the comm is closed.
        """
        async with self._writing:
            await self._comm.write(message)

    async def send(self, data: bytes) -> None:
        """Write bytes, as soon as there is room for them; `OSError` as above."""
        while self._on_its_way >= WINDOW_BYTES and not self._reading.done():
            self._room.clear()
            await self._room.wait()
        self._on_its_way += len(data)
        await self.say(data)

    async def hear(self) -> dict[str, Any] | bytes:
        """What comes next from the other end; `OSError` as above."""
        message = await self._heard.get()
        if isinstance(message, OSError):
            self._heard.put_nowait(message)
            raise message
        return message

    async def _read(self) -> None:
        # Apart from what passes the bytes on, which may wait for room the other way.
        try:
            while True:
                message = await self._comm.read()
                if not isinstance(message, dict):
                    self._heard.put_nowait(bytes(message))
                elif "took" in message:
                    self._on_its_way -= message["took"]
                    self._room.set()
                else:
                    self._heard.put_nowait(message)
        except Exception as problem:  # noqa: BLE001 - whatever it is, nothing comes any more
            self._heard.put_nowait(OSError(f"{type(problem).__name__}: {problem}"))
        finally:
            self._room.set()

    def close(self) -> None:
        """Read no more; whoever has made the comm closes that."""
        self._reading.cancel()

    async def took(self, count: int) -> None:
        """So many bytes that were heard have been passed on; `OSError` as above."""
        self._untold += count
        if self._untold >= WINDOW_BYTES // 4:
            count, self._untold = self._untold, 0
            await self.say({"took": count})


class Agent:
    """One agent in this Dask worker: a process, and the flow to whoever asked for it.

    Args:
        flow: to the other end.
        process: with pipes for all three.
    """

    def __init__(self, flow: Flow, process: asyncio.subprocess.Process) -> None:
        self._flow = flow
        self._process = process
        self._errors = bytearray()

    def close(self) -> None:
        """Let it see the end of its input: it ends by that."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def dismiss(self) -> None:
        """Tell it to end, as its place is taken away: it says so with its last word."""
        try:
            self._process.terminate()
        except ProcessLookupError:
            pass

    async def run(self, release: Any) -> None:
        """Pass on what comes from either side, until the process has ended.

        Args:
            release: called with the number of a hold that is over.
        """
        ended = asyncio.ensure_future(self._process.wait())
        down = asyncio.ensure_future(self._pass_down(release))
        up = asyncio.ensure_future(self._pass_up())
        errors = asyncio.ensure_future(self._read_errors())
        try:
            await asyncio.wait({ended, down}, return_when=asyncio.FIRST_COMPLETED)
            self.close()
            await asyncio.wait({ended}, timeout=END_WITHIN_S)
            if not ended.done():
                self._kill()
            # What it started may have its pipes still.
            await asyncio.wait({ended, up, errors}, timeout=LOOK_S)
            words = self._errors.decode("utf-8", "replace")
            await self._flow.say({"ended": self._process.returncode, "errors": words})
        except OSError:
            pass  # nobody listens any more
        finally:
            if not ended.done():
                self._kill()
            for task in (ended, down, up, errors):
                task.cancel()
            await asyncio.gather(ended, down, up, errors, return_exceptions=True)

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    async def _pass_down(self, release: Any) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            while True:
                message = await self._flow.hear()
                if isinstance(message, dict):
                    if "eof" in message:
                        pipe.close()
                    if "release" in message:
                        release(message["release"])
                elif not pipe.is_closing():
                    try:
                        pipe.write(message)
                        await pipe.drain()
                    except OSError:
                        pipe.close()
                    await self._flow.took(len(message))
        except OSError:
            pass  # the other end is gone

    async def _pass_up(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        gone = False
        while data := await pipe.read(READ_BYTES):
            try:
                if not gone:
                    await self._flow.send(data)
            except OSError:
                gone = True

    async def _read_errors(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        while data := await pipe.read(READ_BYTES):
            self._errors += data
            del self._errors[:-ERRORS_BYTES]


class Hold:
    """Until which number what holds the Dask worker for one agent is released.

    A task of Dask's that has left its thread pool keeps an adaptive cluster from closing the Dask
    worker. It waits here, in its thread.
    """

    def __init__(self) -> None:
        self._released = 0.0
        self._changed = threading.Condition()

    def release(self, number: float) -> None:
        """Let those go that have this number, or a lower one."""
        with self._changed:
            self._released = max(self._released, number)
            self._changed.notify_all()

    def wait(self, number: int, worker: Any) -> None:
        """Until this one is released, or the Dask worker is closing."""
        with self._changed:
            while number > self._released and worker.status.name not in ("closing", "closed"):
                self._changed.wait(LOOK_S)


class Station:
    """The agents of one Dask worker.

    Args:
        worker: that one.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._holds: dict[str, Hold] = {}
        self._agents: dict[Agent, asyncio.Task[Any] | None] = {}

    async def open(
        self, comm: Any, place: str, words: list[str], python: str | None = None
    ) -> None:
        """Start an agent, and pass its bytes on until it has ended.

        Args:
            comm: from whoever asks for it.
            place: its name, which no other has.
            words: what the interpreter is started with.
            python: the interpreter; None for the one of this Dask worker.
        """
        flow = Flow(comm)
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    python or sys.executable,
                    *words,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
            except (OSError, ValueError) as problem:
                await flow.say({"failed": f"{type(problem).__name__}: {problem}"})
                return
            agent = Agent(flow, process)
            self._agents[agent] = asyncio.current_task()
            hold = self._holds[place] = Hold()
            try:
                await flow.say({"started": facts()})
                await agent.run(hold.release)
            finally:
                del self._holds[place], self._agents[agent]
                hold.release(float("inf"))
                agent.close()
        except OSError:
            pass  # whoever asked is gone
        finally:
            flow.close()
            await comm.close()

    def hold(self, place: str, number: int, topic: str) -> None:
        """Keep this Dask worker until the hold is released; called by a task, in its thread.

        Args:
            place, number: which hold of which agent.
            topic: where it is said once the scheduler knows.
        """
        from distributed import secede

        hold = self._holds.get(place)
        if hold is not None:
            secede()
            # The scheduler hears of both in this order, so the second tells of the first.
            self._worker.log_event(topic, {"held": place, "number": number})
            hold.wait(number, self._worker)

    async def close(self) -> None:
        """End the agents, as far as they end in time."""
        for hold in self._holds.values():
            hold.release(float("inf"))
        for agent in self._agents:
            agent.dismiss()
        if tasks := {task for task in self._agents.values() if task is not None}:
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S)


_stations: dict[str, Station] = {}


def install(address: str, operation: str) -> None:
    """Let the Dask worker at this address answer to the operation; called in its event loop.

    Raises:
        LookupError: there is no such Dask worker in this process.
    """
    from distributed import Worker, WorkerPlugin

    worker = next((one for one in list(Worker._instances) if one.address == address), None)
    if worker is None:
        raise LookupError(f"no Dask worker at {address} in this process")
    if operation in worker.handlers:
        return
    station = _stations[address] = Station(worker)
    worker.handlers[operation] = station.open

    class Closing(WorkerPlugin):  # type: ignore[misc]
        async def teardown(self, worker: Any) -> None:
            _stations.pop(address, None)
            await station.close()

    worker.plugins[operation] = Closing()


def hold(address: str, place: str, number: int, topic: str) -> None:
    """As `Station.hold`, for the Dask worker at this address."""
    station = _stations.get(address)
    if station is not None:
        station.hold(place, number, topic)


def facts() -> dict[str, Any]:
    """What this Dask worker runs on."""
    import distributed

    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "distributed": distributed.__version__,
    }
