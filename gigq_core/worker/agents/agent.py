"""The agent at the far end of a link: a pool of child processes that is told what to run.

It has no file of the queue, and no say: what it runs, and what became of it, passes over the link.
It lives by a lease, which its worker prolongs; when that ends, or the link does, all ends at once.
"""

from __future__ import annotations

import logging
import os
import platform
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Callable

from gigq_core.errors import StackUnavailable, WorkerCannotStart
from gigq_core.system.identity import current_identity
from gigq_core.version import __version__
from gigq_core.worker import runner, system_limits
from gigq_core.worker.agents import leftovers, wire
from gigq_core.worker.agents.alarm import Alarm
from gigq_core.worker.agents.guard import (
    ENDING,
    GREETED_WITHIN_S,
    Place,
    end_all,
    gone_by,
    now,
)
from gigq_core.worker.agents.link import FULL_BYTES, Link
from gigq_core.worker.agents.link_sink import LinkSink
from gigq_core.worker.agents.responder import LinkResponder
from gigq_core.worker.answers import Broken
from gigq_core.worker.child_age import Limits
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.disturbed import Disturbed
from gigq_core.worker.heard import Save
from gigq_core.worker.pool import ProcessPool
from gigq_core.worker.process_stack import LOOK_EVERY_S, StackQuestion
from gigq_core.worker.processes import adopt_orphans
from gigq_core.worker.standstill import Standstill

logger = logging.getLogger("gigq_core.worker")

# So long after its lease the kernel ends it, in seconds, where the guards are stopped as well: its
# jobs' processes go with it.
ALARM_AFTER_S = 2.0
# An attempt that it is told to run a second time, while it knows of so many, is not.
MOST_KNOWN = 10_000
# So long the last word may take to leave, in seconds.
TOLD_WITHIN_S = 2.0
# The longest stack that is told, in characters.
MOST_STACK = 256 * 1024
# How often it looks up, whatever happens, in seconds: a sleep of the machine stops its alarm.
LOOK_UP_S = 5.0


class Over(Exception):
    """The agent is to end.

    Args:
        gone: its last word, or why it ends.
        hurry: whether nothing is to be waited for.
    """

    def __init__(self, gone: wire.Gone | str, hurry: bool = True) -> None:
        super().__init__(gone)
        self.gone = wire.Gone(gone) if isinstance(gone, str) else gone
        self.hurry = hurry


def run(place: Place) -> int:
    """Be the agent, until its worker or its lease ends it.

    Returns:
        0 if all that ran here has ended, and the worker was told so as far as it listens.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    # What prints by itself, and what is started here, leaves the link alone.
    reads, writes = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    adopt_orphans()
    agent = Agent(place, reads, writes)
    return agent.live()


class Agent:
    """What stands at the far end.

    Args:
        place: what its guards gave it.
        reads, writes: the descriptors of the link.
    """

    def __init__(self, place: Place, reads: int, writes: int) -> None:
        self._place = place
        self._selector = selectors.DefaultSelector()
        self._link = Link(reads, writes, self._selector, self._hear, self._link_ended)
        self._link.pace(lambda size: wire.encode(wire.Took(size)))
        self._reader = wire.agents_reader(__version__)
        self._responder = LinkResponder(self._send)
        self._sinks: dict[str, LinkSink] = {}
        self._standstill = Standstill()
        self._pool: ProcessPool | None = None
        self._lease_s = 0.0
        self._ready_at: float | None = None
        self._lease_until = now() + GREETED_WITHIN_S
        self._alarm = Alarm()
        self._alarm.put_off(self._lease_until + ALARM_AFTER_S)
        # Until when others know that what this was started from is in use.
        self._used_until = 0.0
        # When each pong was said that the worker may not have heard, by its number.
        self._pongs: dict[int, float] = {}
        # What is to be run and has no child yet; when those are given back.
        self._waiting: deque[Claim] = deque()
        self._overdue_at: float | None = None
        self._waits_s = 0.0
        # The attempts that came, the last ones, in their order.
        self._known: dict[str, None] = {}
        self._questions: dict[int, StackQuestion] = {}
        # What ends the agent may reach its jobs' processes before it.
        self._disturbed = Disturbed()
        self._draining = False
        _Signals(self._selector, self._on_signal)
        self._selector.register(place.guard, selectors.EVENT_READ, self._guard_ended)
        self._log = _LinkLog(self._send, lambda: self._link.unsent)

    # --- life --------------------------------------------------------------------------------

    def live(self) -> int:
        """Do what is asked for until it is over; gives the exit code."""
        try:
            while True:
                self._step()
                self._wait()
        except Over as problem:
            over = problem
        except Broken as problem:
            over = Over(f"what came over the link is none of our messages: {problem}")
        except WorkerCannotStart as problem:
            over = Over(_in_far_words(problem))
            if self._ready_at is None:
                self._send(wire.Refused(over.gone.why))
        except Exception as problem:
            logger.exception("The agent can't go on")
            over = Over(f"the agent can't go on: {runner.sentence(problem)}")
        return self._end(over)

    def _end(self, over: Over) -> int:
        if self._pool is not None:
            try:
                # Of what is ended here the worker learns by the last word.
                self._tell_endings()
                if not over.gone.on_purpose:
                    self._tell_ends(self._disturbed.rest())
                self._pool.close(hurry=lambda: over.hurry or now() > self._lease_until)
            except (Over, Broken):
                pass  # it is over
            except Exception:
                logger.exception("Not everything could be cleaned up")
        if not end_all():
            return 1
        self._log.close()
        try:
            self._link.hurry()
            self._send(over.gone)
            until = time.monotonic() + TOLD_WITHIN_S
            while self._link.unsent and not self._link.is_cut and time.monotonic() < until:
                time.sleep(0.002)
                self._link.send(())
        except OSError:
            pass  # nobody listens
        return 0

    def _step(self) -> None:
        if now() >= self._lease_until:
            raise Over("nothing was heard of its worker for too long")
        pool = self._pool
        if pool is None:
            return
        pool.tick()
        self._tell_endings()
        self._start_waiting(pool)
        self._tell_news(pool)
        self._look_for_stacks()
        for sink in self._sinks.values():
            sink.send_some()

    def _wait(self) -> None:
        began = time.monotonic()
        timeout = max(0.0, self._next_due() - began)
        ready = self._selector.select(timeout)
        if self._standstill.woken(began, timeout) and self._pool is not None:
            self._pool.was_away()
        for key, _ in ready:
            # One callback may have closed what another one was to read.
            if key.fd in self._selector.get_map():
                key.data()

    def _next_due(self) -> float:
        """When there is something to do, if nothing happens before, by the monotonic clock."""
        at = time.monotonic()
        dues: list[float | None] = [at + LOOK_UP_S, at + self._lease_until - now()]
        if self._pool is not None:
            dues += [self._pool.due(), *(sink.due() for sink in self._sinks.values())]
        if self._overdue_at is not None:
            dues.append(self._overdue_at)
        dues.append(self._disturbed.due())
        if self._questions:
            dues.append(at + LOOK_EVERY_S)
        return min(due for due in dues if due is not None)

    def _guard_ended(self) -> None:
        raise Over("its guard was killed")

    def _on_signal(self, signum: int) -> None:
        raise Over(gone_by(signum))

    def _link_ended(self, why: str) -> None:
        raise Over(why)

    # --- what the worker says ----------------------------------------------------------------

    def _send(self, message: wire.ToWorker) -> None:
        self._link.send(wire.encode(message), isinstance(message, wire.URGENT))

    def _hear(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                self._act(message)
        except wire.OtherVersion as other:
            self._refuse(
                f"The agent is of {__version__}, and its worker of {other.version}: "
                "start that worker again, so that it sends its own."
            )

    def _act(self, message: wire.ToAgent) -> None:
        if isinstance(message, wire.Hello):
            self._greet(message)
            return
        if isinstance(message, wire.Took):
            self._link.arrived(message.size)
            return
        pool = self._pool
        if pool is None:
            raise Broken("it gave orders before it said hello")
        if isinstance(message, wire.Ping):
            self._answer_ping(message, pool)
        elif isinstance(message, wire.Run):
            self._take(message, pool)
        elif isinstance(message, wire.Give):
            self._responder.give(message)
        elif isinstance(message, wire.Stop):
            self._stop(message, pool)
        elif isinstance(message, wire.Stored):
            claim = pool.running().get(message.token)
            if claim is not None:
                pool.saved(Save(claim, message.number, ""))
        elif isinstance(message, wire.AskStack):
            self._ask_stack(message, pool)
        elif isinstance(message, wire.Drain):
            self._draining = True
            self._give_back(pool)
            pool.wind_down()
        else:
            raise Over("its worker has closed it", hurry=False)

    def _take(self, run: wire.Run, pool: ProcessPool) -> None:
        if run.token in self._known:
            logger.warning("Job %s came twice as the same attempt: it runs once", run.job_id)
            return
        self._known[run.token] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._waiting.append(_claim_of(run))
        if self._draining:
            self._give_back(pool)

    def _refuse(self, sentence: str) -> None:
        self._send(wire.Refused(sentence))
        raise Over(sentence)

    def _greet(self, hello: wire.Hello) -> None:
        if self._pool is not None:
            raise Broken("it said hello twice")
        folder = os.path.expanduser(hello.chdir or ".")
        try:
            folder = os.path.abspath(folder)
        except OSError as problem:
            # Where the command has led to was removed since.
            self._refuse(f"The folder there can't be used: {problem.strerror or problem}.")
        if not os.path.isdir(folder):
            self._refuse(f"There is no folder {folder}: name another one with --remote-chdir.")
        cpus = _cpus()
        wanted = hello.slots or cpus
        system_limits.make_room(wanted)
        slots = system_limits.slots_with_room(wanted)
        if slots < wanted:
            logger.warning("%s of %s slots can be used: %s", slots, wanted, system_limits.why())
        self._pool = ProcessPool(
            python=sys.executable,
            folder=folder,
            slots=slots,
            selector=self._selector,
            grace_s=hello.grace_s,
            responder=self._responder,
            sink_of=self._sink_of,
            stack_prefix=self._stack_prefix,
            adopts=True,
            max_result_bytes=hello.max_result_bytes,
            limits=Limits(hello.jobs_per_child, hello.max_child_kb),
        )
        self._pool.prepare(1)
        self._lease_s, self._waits_s = hello.lease_s, hello.waits_s
        self._pongs[0] = self._ready_at = now()
        self._prolong(self._ready_at)
        own = current_identity()
        self._send(
            wire.Ready(
                protocol=wire.PROTOCOL,
                version=__version__,
                host=own.host,
                pid=own.pid,
                boot_id=own.boot_id,
                pid_namespace=own.pid_namespace,
                python=platform.python_version(),
                executable=sys.executable,
                folder=folder,
                slots=slots,
                cpus=cpus,
            )
        )
        leftovers.clean(self._place.bundle)

    def _answer_ping(self, ping: wire.Ping, pool: ProcessPool) -> None:
        said = self._pongs.get(ping.heard)
        if said is not None:
            self._prolong(said)
            self._pongs = {n: at for n, at in self._pongs.items() if n > ping.heard}
        self._pongs[ping.number] = now()
        self._send(wire.Pong(ping.number, pool.busy(), round(_load(), 2)))

    def _prolong(self, said: float) -> None:
        """The worker has heard what was said then."""
        self._lease_until = said + self._lease_s
        self._place.tell_lease(self._lease_until)
        self._alarm.put_off(self._lease_until + ALARM_AFTER_S)
        if self._place.bundle is not None and said > self._used_until:
            self._used_until = said + leftovers.USED_EVERY_S
            leftovers.note_use(self._place.bundle)

    # --- what runs ---------------------------------------------------------------------------

    def _sink_of(self, claim: Claim) -> LinkSink:
        token = claim.execution_id
        sink = LinkSink(token, self._send, lambda: self._link.unsent)
        self._sinks[token] = sink
        return sink

    def _start_waiting(self, pool: ProcessPool) -> None:
        """Begin what there is a child for; what has to wait for long is given back."""
        if not self._draining:
            # Where a slot is empty, a child is there or on its way.
            pool.prepare(min(max(1, len(self._waiting)), pool.slots - pool.busy()))
        if not self._waiting:
            self._overdue_at = None
            return
        free = len(pool.free())
        if free:
            claims = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            pool.start(claims, recorded=False)
            self._overdue_at = None
        if not self._waiting:
            return
        if pool.busy() < pool.usable:
            self._overdue_at = None
        elif self._overdue_at is None:
            self._overdue_at = time.monotonic() + self._waits_s
        elif time.monotonic() >= self._overdue_at:
            self._give_back(pool)

    def _give_back(self, pool: ProcessPool) -> None:
        """Nothing that waits here will begin here."""
        pool.unclaim()
        self._tell_ends([Ending(claim, Fate.NOT_BEGUN) for claim in self._waiting])
        self._waiting.clear()
        self._overdue_at = None

    def _stop(self, stop: wire.Stop, pool: ProcessPool) -> None:
        pool.stop(stop.token, stop.fate)
        for claim in list(self._waiting):
            if claim.execution_id == stop.token:
                self._waiting.remove(claim)
                self._tell_ends([Ending(claim, Fate.NOT_BEGUN)])

    # --- what became of it -------------------------------------------------------------------

    def _tell_endings(self) -> None:
        if self._pool is None:
            return
        endings = self._disturbed.settle(self._pool.collect())
        if endings:
            # Nothing is heard of an attempt behind its end.
            self._tell_told(self._pool)
        self._tell_ends(endings)

    def _tell_ends(self, endings: list[Ending]) -> None:
        """Those that ended in one turn go as one piece."""
        lines: list[bytes] = []
        for ending in endings:
            lines += wire.encode(self._ended(ending))
        if lines:
            self._link.send(lines)

    def _ended(self, ending: Ending) -> wire.Ended:
        token = ending.claim.execution_id
        sink = self._sinks.pop(token, None)
        ran_s = 0.0 if ending.begun is None else max(0.0, time.time() - ending.begun.utc)
        return wire.Ended(
            token=token,
            fate=ending.fate,
            result=ending.result,
            error=ending.error,
            traceback=ending.traceback,
            raised=ending.raised,
            wish=ending.wish,
            signal=ending.signal,
            output=sink is not None and sink.printed,
            pid=ending.pid,
            ran_s=ran_s,
        )

    def _tell_news(self, pool: ProcessPool) -> None:
        for begun in pool.take_begun():
            ago_s = max(0.0, time.time() - begun.at.utc)
            self._send(wire.Began(begun.claim.execution_id, begun.pid, ago_s))
        if self._link.unsent > FULL_BYTES:
            # The newest are told once there is room.
            return
        self._tell_told(pool)

    def _tell_told(self, pool: ProcessPool) -> None:
        """Pass on what jobs have reported and saved."""
        for report in pool.take_reports():
            token = report.claim.execution_id
            self._send(wire.Reported(token, report.done, report.total, report.note))
        for save in pool.take_saves():
            self._send(wire.Saved(save.claim.execution_id, save.number, save.text))

    # --- stacks ------------------------------------------------------------------------------

    @property
    def _stack_prefix(self) -> str:
        return str(self._place.folder / "stacks" / "at-")

    def _ask_stack(self, asked: wire.AskStack, pool: ProcessPool) -> None:
        pid = pool.pid_of(asked.token)
        try:
            if pid is None:
                raise StackUnavailable("It does not run there any more.")
            self._questions[asked.number] = StackQuestion(self._stack_prefix, pid)
        except StackUnavailable as problem:
            self._send(wire.Stack(asked.number, None, str(problem)))

    def _look_for_stacks(self) -> None:
        for number, question in list(self._questions.items()):
            try:
                found = question.look()
            except StackUnavailable as problem:
                del self._questions[number]
                self._send(wire.Stack(number, None, str(problem)))
                continue
            if found is not None:
                del self._questions[number]
                text = runner.clipped(runner.storable(found), MOST_STACK)
                self._send(wire.Stack(number, text, None))


class _Signals:
    """Ends the agent when a signal comes that ends processes: whoever sent it, all here ends."""

    def __init__(self, selector: selectors.BaseSelector, on_signal: Callable[[int], None]) -> None:
        self._on_signal = on_signal
        self._reads, writes = os.pipe()
        os.set_blocking(self._reads, False)
        os.set_blocking(writes, False)
        signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
        for signum in ENDING:
            signal.signal(signum, lambda *_: None)
        selector.register(self._reads, selectors.EVENT_READ, self._read)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _read(self) -> None:
        came = set(os.read(self._reads, 4096)) & set(ENDING)
        if came:
            self._on_signal(min(came))


class _LinkLog(logging.Handler):
    """Sends the worker what is logged here; nothing, while much waits to be sent."""

    def __init__(self, send: Callable[[wire.ToWorker], None], unsent: Callable[[], int]) -> None:
        super().__init__(logging.INFO)
        self._tell = send
        self._unsent = unsent
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        if self._unsent() < FULL_BYTES:
            text = runner.clipped(runner.storable(self.format(record)), wire.MOST_SAID)
            self._tell(wire.Log(record.levelno, text))

    def close(self) -> None:
        """Send no more."""
        logger.removeHandler(self)
        super().close()


def _claim_of(run: wire.Run) -> Claim:
    """The attempt as a pool knows it."""
    return Claim(
        job_id=run.job_id,
        execution_id=run.token,
        name=run.name,
        module=run.module,
        function=run.function,
        params=run.params,
        # Which they are is for the worker to know.
        dependencies=("",) if run.parents else (),
        attempt=run.attempt,
        max_attempts=_or_endless(run.max_attempts),
        timeout_s=_or_endless(run.timeout_s),
        retry_delay_s=0.0,
        pass_parent_results=run.pass_parent_results,
        asked=run.asked,
        stall_timeout_s=run.stall_timeout_s,
        memory=run.memory,
    )


def _in_far_words(problem: WorkerCannotStart) -> str:
    """The sentence with the options as they are called for a far end."""
    told = str(problem)
    for option in ("python", "chdir"):
        told = told.replace(f"--{option}", f"--remote-{option}")
    return told


def _or_endless(value: float | None) -> float:
    return float("inf") if value is None else value


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0
