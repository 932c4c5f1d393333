"""The process that speaks to a Dask cluster for a worker: one agent in each Dask worker.

So neither the event loop nor the memory of `distributed` is in the worker's own process. To the
worker an agent is one end of a socket pair, handed over through the control socket; a line of JSON
there says whose it is. When the control socket ends, everything here does.

Dask only gives places: nothing of its cancelling, running again or stealing touches a job. Two
kinds of tasks stand for jobs, so that an adaptive cluster knows of them: one that holds a Dask
worker while jobs run in its agent, and ones that no Dask worker can run, as many as make the
cluster grow for the jobs that wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
import pkgutil
import platform
import socket
import time
import warnings
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import dask
import distributed
from distributed.comm import connect
from distributed.core import rpc
from tornado.iostream import StreamClosedError

from gigq_core.worker.agents.dask_station import READ_BYTES, Flow

_encode = json.JSONEncoder(separators=(",", ":")).encode

_SOURCE = pkgutil.get_data("gigq_core.worker.agents", "dask_station.py") or b""
# Another release's station may be in the same Dask worker.
OPERATION = "gigq_agent_" + hashlib.sha256(_SOURCE).hexdigest()[:12]
# As text, so that no other version of Python has to understand our bytecode.
_INSTALL = """
import sys, types
module = sys.modules.get(operation)
if module is None:
    module = types.ModuleType(operation)
    exec(compile(source, operation, "exec"), module.__dict__)
    sys.modules[operation] = module
module.install(address, operation)
"""
# How often it is asked which Dask workers there are, in seconds.
POLL_S = 1.0
# How long the scheduler has to take the connection, in seconds.
CONNECT_S = 8.0
# How long an answer is waited for, in seconds.
ANSWER_S = 20.0
# Pauses before what failed is tried again, in seconds.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# An agent that stood for so long, in seconds, was none that fails at once.
STOOD_S = 60.0
# How long the last words of an agent are waited for whose Dask worker the scheduler has let go, in
# seconds: a little longer than that waits for them as it closes.
LAST_WORDS_S = 6.0
# How long the end of what is under way is waited for at the end, in seconds.
END_WITHIN_S = 0.2
# How long a place that is about to take jobs is waited for before the cluster is to grow, in
# seconds.
AWAITED_S = 10.0
# The most tasks that stand for jobs that wait.
MOST_WAITING = 5000
# A resource that no Dask worker has.
_NOWHERE = {"gigq-jobs-waiting": 1}


class Order(NamedTuple):
    """What a bridge is started for.

    Attributes:
        address: the scheduler's.
        words: what the interpreter of an agent is started with.
        python: that interpreter; None for each Dask worker's own.
        slots: the jobs at a time of an agent; None for the threads of its Dask worker.
    """

    address: str
    words: list[str]
    python: str | None
    slots: int | None


class Versions(NamedTuple):
    """What has to be the same at both ends, more or less."""

    distributed: str
    python: str

    @classmethod
    def of(cls, distributed_version: str, python_version: str) -> Versions:
        return cls(distributed_version, ".".join(str(python_version).split(".")[:2]))

    @classmethod
    def ours(cls) -> Versions:
        return cls.of(distributed.__version__, platform.python_version())

    def __str__(self) -> str:
        return f"distributed {self.distributed} on Python {self.python}"


class Control:
    """The socket to the worker: lines of JSON both ways, and sockets from here.

    Args:
        end: this process's.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._sending = asyncio.Lock()
        self._heard = bytearray()

    async def say(self, message: Mapping[str, Any], stream: socket.socket | None = None) -> None:
        """Send a line, and with its first byte the socket.

        Raises:
            OSError: the worker is gone.
        """
        line = _encode(message).encode() + b"\n"
        async with self._sending:
            while line:
                try:
                    if stream is None:
                        line = line[self._end.send(line) :]
                    else:
                        line = line[socket.send_fds(self._end, [line], [stream.fileno()]) :]
                        stream = None
                except BlockingIOError:
                    await self._writable()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_writer(self._end, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._end)

    async def hear(self) -> dict[str, Any] | None:
        """What the worker says next; None once it is gone."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._heard:
            try:
                data = await loop.sock_recv(self._end, READ_BYTES)
            except OSError:
                return None
            if not data:
                return None
            self._heard += data
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard = bytearray(rest)
        message: dict[str, Any] = json.loads(line)
        return message


class Cluster:
    """The scheduler as it is now: a client while there is one, and its Dask workers.

    Attributes:
        client: None while there is none.
        topic: where what holds Dask workers speaks.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.client: Any = None
        self.topic = f"gigq-{os.getpid()}-{time.time_ns()}"
        self.threads: dict[str, int] = {}
        self.running: set[str] = set()

    async def enter(self, on_event: Callable[[Any], None]) -> None:
        """Connect; whatever goes wrong is raised."""
        client = distributed.Client(
            self.address, asynchronous=True, name="gigq", set_as_default=False, timeout=CONNECT_S
        )
        try:
            await client
            client.subscribe_topic(self.topic, on_event)
        except BaseException:
            await _shut(client)
            raise
        self.client = client

    async def look(self) -> None:
        """Ask which Dask workers there are; whatever goes wrong is raised."""
        client = self.client
        if client.status != "running":
            raise OSError("the connection to it was lost")
        self.threads = dict(await asyncio.wait_for(client.scheduler.ncores(), ANSWER_S))
        running = await asyncio.wait_for(client.scheduler.ncores_running(), ANSWER_S)
        self.running = set(running)

    async def compared(self) -> str:
        """What is to be said of other versions at the scheduler, if anything, behind a sentence."""
        security = distributed.Security()
        try:
            async with rpc(
                self.address, connection_args=security.get_connection_args("client")
            ) as scheduler:
                asked = scheduler.versions(packages=None)
                told = (await asyncio.wait_for(asked, CONNECT_S))["packages"]
            there = Versions.of(told["distributed"], told["python"])
        except Exception:  # noqa: BLE001 - of any version of Dask
            return ""
        here = Versions.ours()
        if there == here:
            return ""
        return f"; the scheduler has {there}, this worker {here}: install the same on both"

    async def leave(self) -> None:
        """Close the client, and with it all of its tasks."""
        client, self.client = self.client, None
        if client is not None:
            await _shut(client)


class Place:
    """What one Dask worker is used for: its agents, one after the other, and what holds it.

    Args:
        address: the Dask worker's.
        order: what is wanted of all.
        cluster: where it belongs to.
        control: where the worker hears of it.
        warn: called with what is worth a line in the log.
    """

    def __init__(
        self,
        address: str,
        order: Order,
        cluster: Cluster,
        control: Control,
        warn: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        self.address = address
        # Why there is no agent, in a sentence.
        self.trouble: str | None = None
        # The agent that there is.
        self.name: str | None = None
        self.held = False
        self._order = order
        self._cluster = cluster
        self._control = control
        self._warn = warn
        self._flow: Flow | None = None
        self._open = True
        # Since when jobs are to run there soon; None where they do, or where that fails.
        self._awaited: float | None = time.monotonic()
        self._holds = 0
        # Until when its last words may come, once the scheduler does not know the Dask worker.
        self._last_words_by: float | None = None
        self._task: Any = None
        self._watch: asyncio.Future[None] | None = None

    async def keep(self) -> None:
        """Have an agent there, and another one after it, until this is cancelled."""
        pause, number = FIRST_PAUSE_S, 0
        while True:
            number += 1
            since = time.monotonic()
            try:
                await self._stand(f"{self.address}#{number}")
            except (OSError, StreamClosedError, asyncio.TimeoutError) as problem:
                self.trouble = f"The Dask worker {self.address} can't be reached: {_said(problem)}"
            except Exception as problem:  # noqa: BLE001 - of any version of Dask
                self.trouble = (
                    f"The Dask worker {self.address} takes no agent: {_said(problem)}"
                    f"{await self._cluster.compared()}"
                )
            if time.monotonic() - since > STOOD_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def is_awaited(self) -> bool:
        """Whether it is about to take jobs, so that the cluster need not grow for these."""
        return (
            self._awaited is not None
            and self.trouble is None
            and time.monotonic() < self._awaited + AWAITED_S
        )

    async def hold(self) -> None:
        """Keep the Dask worker; the worker hears `held` once the scheduler knows."""
        if not self.held:
            self._awaited = time.monotonic()
        self.held = True
        client = self._cluster.client
        if self.name is None or client is None:
            return
        self._holds += 1
        words = (self.address, self._unique(self.name), self._holds, self._cluster.topic)
        self._task = client.submit(
            eval,
            f"__import__('sys').modules[{OPERATION!r}].hold{words!r}",
            key=f"gigq-jobs-running-{self.name}-{self._holds}-{time.time_ns()}",
            workers=[self.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
            priority=1000,
        )
        self._watch = asyncio.ensure_future(self._look_at_hold(self._task, self._holds))

    def _unique(self, name: str) -> str:
        """The name as the Dask worker knows it, where other bridges may have agents, too."""
        return f"{name} of {self._cluster.topic}"

    async def _look_at_hold(self, task: Any, number: int) -> None:
        """Hold it again should that end by itself."""
        try:
            await task.result()
        except (Exception, asyncio.CancelledError) as problem:  # noqa: BLE001 - of any version
            told = f"The Dask worker {self.address} can't be kept for jobs: {_said(problem)}"
            told += await self._cluster.compared()
        else:
            return
        if self.held and number == self._holds:
            self.trouble = told
            await asyncio.sleep(FIRST_PAUSE_S)
        if self.held and number == self._holds:
            await self.hold()

    async def release(self) -> None:
        """The cluster may close the Dask worker."""
        self.held = False
        self._task = None
        if self._flow is not None:
            try:
                await self._flow.say({"release": self._holds})
            except OSError:
                pass

    async def on_held(self, name: str, number: int) -> None:
        """The scheduler knows that the Dask worker is held."""
        ours = self.name is not None and name == self._unique(self.name)
        if self.held and ours and number == self._holds:
            self._awaited = self.trouble = None
            await self._control.say({"held": self.name})

    def is_left(self) -> bool:
        """The scheduler does not know its Dask worker any more: whether nothing more is to come."""
        now = time.monotonic()
        if self._last_words_by is None:
            self._last_words_by = now + LAST_WORDS_S
        return self.name is None or now >= self._last_words_by

    async def look(self) -> None:
        """Tell the worker when new jobs may, or may no longer, go there."""
        now = time.monotonic()
        if self.address in self._cluster.threads:
            self._last_words_by = None
        if self.held and self._awaited is not None and now >= self._awaited + AWAITED_S:
            # The word that it is held may be lost with a connection; or the Dask worker is full.
            self._awaited = now
            if self._task is not None:
                await self._task.cancel()
            await self.hold()
        is_open = self.address in self._cluster.running
        if self.name is not None and is_open != self._open:
            self._open = is_open
            await self._control.say({"open": self.name, "yes": is_open})

    async def _stand(self, name: str) -> None:
        client = self._cluster.client
        if client is None:
            return
        scope = {"source": _SOURCE.decode(), "operation": OPERATION, "address": self.address}
        await asyncio.wait_for(client.run(exec, _INSTALL, scope, workers=[self.address]), ANSWER_S)
        comm = await connect(self.address, timeout=ANSWER_S, **client.connection_args)
        flow = Flow(comm)
        try:
            await flow.say(
                {
                    "op": OPERATION,
                    "reply": False,
                    "place": self._unique(name),
                    "words": self._order.words,
                    "python": self._order.python,
                }
            )
            first = await asyncio.wait_for(flow.hear(), ANSWER_S)
            if not isinstance(first, dict) or "started" not in first:
                failed = first.get("failed") if isinstance(first, dict) else None
                self.trouble = f"The Dask worker {self.address} can't start an agent: {failed}"
                return
            self.trouble = None
            facts = first["started"]
            await self._compare(facts)
            await self._serve(name, facts["host"], flow)
        finally:
            flow.close()
            comm.abort()

    async def _serve(self, name: str, host: str, flow: Flow) -> None:
        ours, theirs = socket.socketpair()
        why = "the Dask worker is gone"
        try:
            ours.setblocking(False)
            with theirs:
                slots = self._order.slots or self._cluster.threads.get(self.address, 1)
                placed = {"placed": name, "host": host, "slots": slots}
                await self._control.say(placed, stream=theirs)
            self.name, self._flow, self._open = name, flow, True
            ended = await _pass(ours, flow)
            why = f"the agent's process ended with code {ended['ended']}"
            if said := _last_line(str(ended["errors"])):
                why += f": {said}"
        except OSError:
            pass
        finally:
            self.name, self._flow, self.held, self._task = None, None, False, None
            self._awaited = None
            ours.close()
            await self._control.say({"left": name, "why": why})

    async def _compare(self, facts: Mapping[str, str]) -> None:
        there, here = Versions.of(facts["distributed"], facts["python"]), Versions.ours()
        if there != here:
            await self._warn(
                f"The Dask worker {self.address} has {there}, this worker {here}: should they not "
                "understand each other, install the same on both"
            )


class Demand:
    """Tasks that no Dask worker can run, for jobs that wait: an adaptive cluster grows by them.

    Such a cluster wants as many threads as its tasks fill within its target duration; what a task
    takes that never ran is a constant of the scheduler's.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self._tasks: list[Any] = []
        self._threads = 1
        target = dask.config.get("distributed.adaptive.target-duration", "5s")
        unknown = dask.config.get("distributed.scheduler.unknown-task-duration", "500ms")
        seconds: Callable[[Any], float] = dask.utils.parse_timedelta
        self._a_thread: int = max(1, math.ceil(seconds(target) / max(seconds(unknown), 1e-3)))

    def settle(self, cluster: Cluster, slots: int | None, awaited: int) -> None:
        """Have as many such tasks as now make the cluster large enough.

        Args:
            slots: the jobs at a time of a Dask worker; None for its threads.
            awaited: the Dask workers that are about to take jobs.
        """
        client = cluster.client
        if client is None:
            self._tasks = []
            return
        wanted = self._wanted(cluster.threads, slots, awaited)
        # Those that have ended, as the scheduler gives up some after a time, count no more.
        self._tasks = [task for task in self._tasks if not task.done()]
        if len(self._tasks) > wanted:
            del self._tasks[wanted:]
        elif missing := wanted - len(self._tasks):
            since = time.time_ns()
            self._tasks += client.map(
                eval,
                ["None"] * missing,
                key=[f"gigq-jobs-waiting-{since}-{number}" for number in range(missing)],
                resources=_NOWHERE,
                pure=False,
                retries=0,
            )

    def _wanted(self, threads: Mapping[str, int], slots: int | None, awaited: int) -> int:
        if not self.jobs:
            return 0
        if threads:
            self._threads = max(1, round(sum(threads.values()) / len(threads)))
        elif not self._tasks and self._threads == 1 and slots is None:
            # How large a Dask worker is shows with the first one.
            return 1
        more = max(0, math.ceil(self.jobs / (slots or self._threads)) - awaited)
        # Without any, the cluster counts Dask workers, not threads.
        goal = sum(threads.values()) + more * self._threads if threads else more
        return min(max(0, goal - 1) * self._a_thread + 1, MOST_WAITING)


class Bridge:
    """Follows a cluster, and does what the worker wants.

    Args:
        order: what it was started for.
        control: the socket to the worker.
    """

    def __init__(self, order: Order, control: Control) -> None:
        self._order = order
        self._control = control
        self._cluster = Cluster(order.address)
        self._demand = Demand()
        self._places: dict[str, tuple[Place, asyncio.Task[None]]] = {}
        self._trouble: str | None = None
        self._warned: set[str] = set()
        self._soon = asyncio.Event()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run(self) -> None:
        """Until the worker is gone, or closes the control socket."""
        tasks = [
            asyncio.ensure_future(work())
            for work in (self._obey, self._follow_for_ever, self._pass_on)
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks += [task for _, task in self._places.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=END_WITHIN_S)
        for task in tasks[:3]:
            if not task.cancelled() and task.done() and (problem := task.exception()):
                raise problem

    async def _obey(self) -> None:
        while (message := await self._control.hear()) is not None:
            if "wanted" in message:
                self._demand.jobs = int(message["wanted"])
                self._soon.set()
            for place, _ in list(self._places.values()):
                if place.name is not None and place.name == message.get("hold"):
                    await place.hold()
                if place.name is not None and place.name == message.get("release"):
                    await place.release()

    async def _pass_on(self) -> None:
        """What holds Dask workers says that the scheduler knows of it."""
        while True:
            event = await self._heard.get()
            for place, _ in list(self._places.values()):
                await place.on_held(str(event.get("held")), int(event.get("number", 0)))

    def _on_event(self, event: Any) -> None:
        # The time of the event comes with it.
        message = event[1] if isinstance(event, (tuple, list)) else event
        if isinstance(message, dict):
            self._heard.put_nowait(message)

    async def _follow_for_ever(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._cluster.enter(self._on_event)
                pause = FIRST_PAUSE_S
                await self._follow()
            except _Gone:
                raise
            except (OSError, StreamClosedError, asyncio.TimeoutError) as problem:
                await self._tell(
                    f"The Dask scheduler at {self._order.address} can't be reached: "
                    f"{_said(problem)}"
                )
            except Exception as problem:  # noqa: BLE001 - of any version of Dask
                await self._tell(
                    f"The Dask scheduler at {self._order.address} can't be used from here: "
                    f"{_said(problem)}{await self._cluster.compared()}"
                )
            await self._cluster.leave()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _follow(self) -> None:
        for place, _ in self._places.values():
            if place.held:
                # A new scheduler knows nothing of it.
                await place.hold()
        while True:
            await self._cluster.look()
            for address in set(self._places) - set(self._cluster.threads):
                if self._places[address][0].is_left():
                    self._places.pop(address)[1].cancel()
            for address in set(self._cluster.threads) - set(self._places):
                place = Place(address, self._order, self._cluster, self._control, self._warn)
                self._places[address] = place, asyncio.ensure_future(place.keep())
            for place, _ in list(self._places.values()):
                await place.look()
            awaited = sum(place.is_awaited() for place, _ in self._places.values())
            self._demand.settle(self._cluster, self._order.slots, awaited)
            troubles = (place.trouble for place, _ in self._places.values())
            await self._tell(next((trouble for trouble in troubles if trouble), None))
            self._soon.clear()
            try:
                await asyncio.wait_for(self._soon.wait(), POLL_S)
            except asyncio.TimeoutError:
                pass

    async def _tell(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            await self._to_worker({"trouble": trouble})

    async def _warn(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            await self._to_worker({"warning": sentence})

    async def _to_worker(self, message: dict[str, Any]) -> None:
        try:
            await self._control.say(message)
        except OSError as problem:
            raise _Gone from problem


class _Gone(Exception):
    """The worker is."""


async def _pass(ours: socket.socket, flow: Flow) -> dict[str, Any]:
    """Pass bytes on both ways, until the agent's process has ended; returns what was said of that.

    Raises:
        OSError: the Dask worker is gone.
    """
    loop = asyncio.get_running_loop()

    async def pass_down() -> None:
        try:
            while data := await loop.sock_recv(ours, READ_BYTES):
                await flow.send(data)
        except OSError:
            pass
        try:
            await flow.say({"eof": True})
        except OSError:
            pass  # seen by whoever hears from there

    down = asyncio.ensure_future(pass_down())
    try:
        listens = True
        while True:
            message = await flow.hear()
            if isinstance(message, dict):
                if "ended" in message:
                    return message
                continue
            try:
                if listens:
                    await loop.sock_sendall(ours, message)
            except OSError:
                listens = False
            await flow.took(len(message))
    finally:
        down.cancel()
        await asyncio.wait([down])


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _shut(client: Any) -> None:
    try:
        await asyncio.wait_for(client.close(timeout=1), 2.0)
    except Exception:  # noqa: BLE001 - it is gone then, too
        pass


def _said(problem: BaseException) -> str:
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text}"[:500] if text else type(problem).__name__


def _last_line(text: str) -> str:
    """Without what an interpreter asks with, which reads its commands from the stream."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip(" .>\t"))]
    return lines[-1][:300] if lines else ""


async def _main(end: socket.socket) -> None:
    control = Control(end)
    order = await control.hear()
    if order is not None:
        await Bridge(Order(**order), control).run()
        # The system closes all connections at once; with them, what they stand for ends.
        os._exit(0)


def main(fd: int) -> None:
    """Work for whoever holds the other end of this socket."""
    # What is worth saying is said through it.
    warnings.simplefilter("ignore")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    asyncio.run(_main(socket.socket(fileno=fd)))
