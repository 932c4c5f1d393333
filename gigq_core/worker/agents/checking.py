"""What is at the far end of a link: found out over one, as a worker would make it, without a file.

What is asked for there are jobs like others, so that all of the way is tried: the agent starts a
child process, and that has the folder first on its path.
"""

from __future__ import annotations

import json
import re
import selectors
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from gigq_core.job import FunctionReference
from gigq_core.units.times import utc_now
from gigq_core.worker.agents.agent_link import AgentLink
from gigq_core.worker.agents.bootstrap import words
from gigq_core.worker.agents.bundle import make_bundle
from gigq_core.worker.agents.dask_placement import DaskPlacement, Placed
from gigq_core.worker.agents.doubts import Doubts
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.agents.streams import Command, Handed
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.agents.via import Via
from gigq_core.worker.answers import Ask, Submitted
from gigq_core.worker.child_age import Limits
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.heard import Give, Heard
from gigq_core.worker.output import Capture
from gigq_core.worker.runner import MAX_RESULT, clipped

# Answers and jobs that are measured, and how long each job may take, in seconds.
MEASURED = 5
PING_S = 0.05
JOB_TIMEOUT_S = 60.0
# So long it is waited for what is measured, and for the end of the link, in seconds.
WITHIN_S = 10.0
# A Dask cluster's first worker, and the others after it, are waited for so long, in seconds; of a
# large one so many are looked at.
CLUSTER_WITHIN_S = 30.0
OTHERS_WITHIN_S = 2.0
MOST_WORKERS = 16
# So much is told of how a function is called, in characters.
LONGEST_CALL = 200
# So many links are looked at at a time.
AT_ONCE = 16
# So often each looks whether it is to end, in seconds.
LOOK_UP_S = 0.1
START_WITHIN_S = Lease().ready_s
# Its clock agrees with the one here if it differs by less, in seconds; more can't be told from
# here anyway than an answer takes.
CLOCK_S = 0.5
_OVERSTRUCK = re.compile(".\b")
# What a readable description says first of what is no function, and of what only has one's name.
_MODULES = ("module ", "package ", "built-in module ")
_OBJECT = " object"
_CALLABLE = "__call__("
_MEMORY = re.compile(r"MemTotal:\s+(\d+) kB")
_LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class FunctionChecked(NamedTuple):
    """Whether a function can be called there: how, or why not."""

    name: str
    call: str | None
    trouble: str | None


class Checked(NamedTuple):
    """What is at the far end of one link.

    Args:
        via: the words that lead there.
        trouble: why no job can run there; None if some can.
        host, python, executable, folder, slots, cpus: what the agent said of itself.
        memory: the most bytes that processes may take there; None if it does not say.
        load: of the host, of the last minute.
        sent: whether the agent had to be sent.
        ready_s: seconds until it was ready.
        latency_s: seconds until an answer comes, the middle one of some.
        job_s: seconds that a job of nothing takes, the middle one of some.
        clock_s: seconds that the clock there is ahead of the one here.
        functions: those that were asked for.
    """

    via: str
    trouble: str | None = None
    host: str = ""
    python: str = ""
    executable: str = ""
    folder: str = ""
    slots: int = 0
    cpus: int = 0
    memory: int | None = None
    load: float | None = None
    sent: bool = False
    ready_s: float = 0.0
    latency_s: float | None = None
    job_s: float | None = None
    clock_s: float | None = None
    functions: tuple[FunctionChecked, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether jobs can run there, those of all these functions among them."""
        return self.trouble is None and not any(each.trouble for each in self.functions)

    @property
    def clock_agrees(self) -> bool:
        """Whether the clock there is as the one here, as far as that can be told over the link."""
        return self.clock_s is None or abs(self.clock_s) < max(CLOCK_S, self.job_s or 0.0)


class Wanted(NamedTuple):
    """What is asked of each link; as for a worker.

    Args:
        functions: to be imported there.
    """

    slots: int | None
    python: str | None
    chdir: str | None
    grace_s: float
    functions: tuple[FunctionReference, ...] = ()


def check(vias: Sequence[Via], wanted: Wanted) -> list[Checked]:
    """Make links, some at a time, find out what is at the end of each, and let them go.

    Returns:
        In the order of the links; of a Dask cluster, one for each of its workers.
    """
    over = threading.Event()
    found: Future[list[list[Checked]]] = Future()

    def look() -> None:
        try:
            # Once for all: Python's own parser does not bear to be asked by several threads.
            make_bundle()
            with ThreadPoolExecutor(AT_ONCE) as threads:
                found.set_result(list(threads.map(partial(_check, wanted, over), vias)))
        except BaseException as problem:  # noqa: BLE001 - it is for whoever waits
            found.set_exception(problem)

    # Ctrl-C breaks off the main thread, wherever that is: it has nothing to put in order. One that
    # comes just before it waits is noticed when it looks up.
    looking = threading.Thread(target=look)
    try:
        looking.start()
        while looking.is_alive():
            looking.join(LOOK_UP_S)
        return [one for each in found.result() for one in each]
    finally:
        over.set()
        if looking.ident is not None:
            looking.join()


def _check(wanted: Wanted, over: threading.Event, via: Via) -> list[Checked]:
    if over.is_set():
        return []
    with selectors.DefaultSelector() as selector:
        terms = Terms(
            selector=selector,
            lease=Lease(ping_s=PING_S),
            grace_s=wanted.grace_s,
            max_result_bytes=MAX_RESULT,
            limits=Limits(),
            chdir=wanted.chdir,
            responder=_Nobody(),
            heard=Heard(),
            capture_of=lambda _: Capture(lambda: None),
            doubts=Doubts(),
        )
        if via.address:
            return _check_cluster(wanted, over, via, terms)
        try:
            stream = Command([*via.words, *words(wanted.python or "python3")], selector)
        except OSError as problem:
            why = f"The link can't be started: {problem.strerror or problem}."
            return [Checked(via.text, why)]
        link = AgentLink(via.text, stream, wanted.slots or 1, terms)
        return [_Check(link, _Drive(selector, over, link)).run(wanted.functions)]


def _check_cluster(wanted: Wanted, over: threading.Event, via: Via, terms: Terms) -> list[Checked]:
    """Look at the workers of a Dask cluster that are there soon, one after the other."""
    options = words(wanted.python or "python3")[1:]
    placement = DaskPlacement(via.address, terms.selector, options, wanted.python, wanted.slots)
    drive = _Drive(terms.selector, over, placement)
    try:
        # One that has no worker, as none has been needed, may start one.
        placement.wanted(1)
        placed: list[Placed] = []

        def gather() -> bool:
            placed.extend(placement.take_new())
            return bool(placed)

        drive.until(lambda: gather() or placement.trouble is not None, CLUSTER_WITHIN_S)
        if placed:
            # For all of that time: nobody says how many there are.
            drive.until(lambda: not gather(), OTHERS_WITHIN_S)
        found = []
        for one in placed[:MOST_WORKERS]:
            link = AgentLink(f"{via.text} {one.name}", Handed(one.stream), one.slots, terms)
            beside = _Drive(terms.selector, over, link, placement)
            found.append(_Check(link, beside).run(wanted.functions))
        for one in placed[MOST_WORKERS:]:
            one.stream.close()
        why = placement.trouble or f"no Dask worker was there within {CLUSTER_WITHIN_S:g} s"
        return found or [Checked(via.text, _sentence(why))]
    finally:
        placement.close()


class _Drive:
    """Waits for a condition, while all that is registered goes on.

    Args:
        selector: where it is registered.
        over: set once nobody waits for what is found out.
        parts: what has something to do when that is due.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        over: threading.Event,
        *parts: DaskPlacement | AgentLink,
    ) -> None:
        self._selector = selector
        self._over = over
        self._parts = parts

    def until(self, done: Callable[[], bool], within_s: float) -> None:
        """Go on until it is so, or the time is over, or nobody waits any more."""
        until = time.monotonic() + within_s
        while not done() and not self._over.is_set() and time.monotonic() < until:
            dues = [due for part in self._parts if (due := part.due()) is not None]
            timeout = min([until, *dues]) - time.monotonic()
            for key, _ in self._selector.select(min(max(0.0, timeout), LOOK_UP_S)):
                if key.fd in self._selector.get_map():
                    key.data()
            for part in self._parts:
                if isinstance(part, AgentLink):
                    part.tick(time.monotonic())
                else:
                    part.tick()


class _Check:
    """One link, until it is let go."""

    def __init__(self, link: AgentLink, drive: _Drive) -> None:
        self._link = link
        self._drive = drive
        self._began = time.monotonic()

    def run(self, functions: tuple[FunctionReference, ...]) -> Checked:
        link = self._link
        try:
            # It gives up by itself.
            self._drive.until(lambda: link.state != "starting", 10 * START_WITHIN_S)
            try:
                return self._measured(time.monotonic() - self._began, functions)
            except _Lost as problem:
                return Checked(link.name, _sentence(str(problem) or link.trouble))
        finally:
            link.close()
            self._drive.until(lambda: link.is_over, WITHIN_S)
            link.kill()

    def _measured(self, ready_s: float, functions: tuple[FunctionReference, ...]) -> Checked:
        link, ready = self._link, self._link.ready
        if ready is None:
            raise _Lost
        latencies = list(self._latencies())
        took, ahead = [], []
        for _ in range(MEASURED + 1):
            before, began = utc_now(), time.monotonic()
            there = self._result("time", "time")
            took.append(time.monotonic() - began)
            if isinstance(there, (int, float)):
                ahead.append(there - before - took[-1] / 2)
        return Checked(
            via=link.name,
            host=ready.host,
            python=ready.python,
            executable=ready.executable,
            folder=ready.folder,
            slots=link.slots,
            cpus=ready.cpus,
            memory=self._memory(),
            load=link.pulse.load,
            sent=link.handshake.sent,
            ready_s=ready_s,
            latency_s=median(latencies) if latencies else None,
            # The first one waited for its process to start.
            job_s=median(took[1:]),
            clock_s=ahead[took.index(min(took))] if len(ahead) == len(took) else None,
            functions=tuple(map(self._function, functions)),
        )

    def _latencies(self) -> Iterator[float]:
        link = self._link
        for _ in range(MEASURED):
            before = link.pulse.heard
            self._drive.until(partial(self._has_heard_since, before), WITHIN_S)
            if link.is_cut:
                raise _Lost
            if link.pulse.latency_s is not None:
                yield link.pulse.latency_s

    def _has_heard_since(self, before: float | None) -> bool:
        return self._link.is_cut or self._link.pulse.heard != before

    def _memory(self) -> int | None:
        """What `/proc` and the control group say there, whichever is less."""
        found = []
        if told := _MEMORY.match(self._first_line("/proc/meminfo")):
            found.append(int(told[1]) * 1024)
        found += [
            int(line) for file in _LIMIT_FILES if (line := self._first_line(file)).isdecimal()
        ]
        return min(found, default=None)

    def _first_line(self, file: str) -> str:
        found = self._result("linecache", "getline", filename=file, lineno=1)
        return found.strip() if isinstance(found, str) else ""

    def _function(self, function: FunctionReference) -> FunctionChecked:
        """Whether a job can call it: it stands in a module, as a job looks it up."""
        name = ".".join(function)
        kind, _, trouble = self._described(function[0])
        if not trouble and not kind.startswith(_MODULES):
            trouble = f"{function[0]} is no module there, and jobs call functions of modules"
        if not trouble:
            kind, text, trouble = self._described(name)
        if not trouble and kind.startswith(_MODULES):
            trouble = "it is a module: name a function in it"
        elif not trouble and kind.endswith(_OBJECT) and _CALLABLE not in text:
            trouble = f"it can't be called: it is {kind.removesuffix(_OBJECT)}"
        if trouble:
            return FunctionChecked(name, None, trouble)
        call = next((line.strip() for line in text.splitlines() if line.strip()), name)
        call = call.replace(f"{name} = ", "", 1)
        return FunctionChecked(name, clipped(call, LONGEST_CALL), None)

    def _described(self, name: str) -> tuple[str, str, str]:
        """What stands there under a name: which kind of thing, the rest that is said of it, and
        why nothing is."""
        ending = self._run("pydoc", "render_doc", {"thing": name, "title": "%s"})
        if ending.fate is Fate.COMPLETED:
            text = _OVERSTRUCK.sub("", str(json.loads(ending.result or '""')))
            kind, _, rest = text.partition("\n")
            return kind, rest, ""
        error = (ending.error or "it can't be imported").strip().splitlines()[0]
        if "No Python documentation found" in error:
            error = "there is no module or function of that name there"
        return "", "", error

    def _result(self, module: str, function: str, **params: object) -> Any:
        """What a function returns there; None if it fails."""
        ending = self._run(module, function, params)
        return json.loads(ending.result or "null") if ending.fate is Fate.COMPLETED else None

    def _run(self, module: str, function: str, params: dict[str, object]) -> Ending:
        """Run a job there, and wait for its end."""
        link = self._link
        token = str(uuid.uuid4())
        claim = Claim(
            job_id=token,
            execution_id=token,
            name="check",
            module=module,
            function=function,
            params=json.dumps(params),
            dependencies=(),
            attempt=1,
            max_attempts=1,
            timeout_s=JOB_TIMEOUT_S,
            retry_delay_s=0,
            pass_parent_results=False,
            on_crash="fail",
        )
        link.attempts.run([claim])
        self._drive.until(
            lambda: bool(link.attempts.endings) or link.is_cut, JOB_TIMEOUT_S + WITHIN_S
        )
        if not link.attempts.endings:
            raise _Lost(link.trouble or f"a job did not end within {JOB_TIMEOUT_S:g} s")
        return link.attempts.endings.pop()


class _Lost(Exception):
    """Nothing more can be found out; the message says why, unless the link does."""


class _Nobody:
    """Answers nothing: no job of ours here asks for anything."""

    def ask(self, claim: Claim, ask: Ask, give: Give) -> None: ...
    def submit(self, claim: Claim, submitted: Submitted, give: Give) -> None: ...
    def end(self, claim: Claim, completed: bool) -> None: ...


def _sentence(trouble: str) -> str:
    trouble = trouble.strip() or "the link was lost"
    return f"{trouble[:1].upper()}{trouble[1:].rstrip('.')}."
