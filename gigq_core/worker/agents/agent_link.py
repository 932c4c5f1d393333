"""One agent as its worker sees it: the link to it, from its first byte to its end."""

from __future__ import annotations

import logging
import time

from gigq_core.fleet.agents_seen import AgentState
from gigq_core.text import inert
from gigq_core.units.times import utc_now
from gigq_core.worker.agents import wire
from gigq_core.worker.agents.attempts import Attempts
from gigq_core.worker.agents.bootstrap import Handshake, LinkRefused
from gigq_core.worker.agents.link import Link
from gigq_core.worker.agents.pulse import Pulse
from gigq_core.worker.agents.streams import Stream
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.answers import Broken
from gigq_core.worker.pool import AHEAD_S, MOST_AHEAD

logger = logging.getLogger("gigq_core.worker")

# Behind the end of a link its command's exit code is waited for so long, in seconds.
EXIT_WITHIN_S = 0.5
# A job that waits at the agent for longer is given back, in seconds; and none is sent that would
# wait for so long, going by the last one.
WAITS_S = 0.2
AHEAD_AT_MOST_S = 0.1
# A link whose answers take more than this share of a job is worth one job that waits for each slot.
SLOW_LINK = 0.1
# So many lines a minute of what an agent logs, or says that makes no sense, are worth reading; and
# so many characters of each.
LOGGED_A_MINUTE = 120
LOGGED_CHARACTERS = 1_000


class AgentLink:
    """A link, until nothing of it is left.

    Args:
        name: what the link is called, for people.
        stream: what it goes through.
        slots: how many jobs it is to run at a time.
        terms: what all links have in common.
        number: of the place where it leads, among those of its worker.
        known: what was wrong with the one before, and has been told.

    Attributes:
        state: how it is with it; see `AgentState`.
        trouble: what is wrong, for a person.
        changed: whether that is news, to be taken.
        born: when it was made, by the monotonic clock.
        began: since when it stands, in UTC seconds.
        handshake: what was said before that.
        ready: what the agent said of itself.
        attempts: those that the agent has or may have.
        pulse: whether it lives.
        stacks: the answers to `ask_stack`, to be taken.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        slots: int,
        terms: Terms,
        number: int = 1,
        known: str = "",
    ) -> None:
        self.name = name
        self.slots = slots
        self.state: AgentState = "starting"
        self.trouble = ""
        self.changed = True
        self.born = time.monotonic()
        self.began = utc_now()
        self.ready: wire.Ready | None = None
        self.stacks: list[wire.Stack] = []
        self.pulse = Pulse(terms.lease, terms.grace_s)
        self._known = known
        self._terms = terms
        self._stream = stream
        self.handshake = Handshake(name)
        self._reader = wire.workers_reader(terms.version, terms.max_result_bytes)
        self._log = _AgentLog(name)
        # When the first of it came, by the monotonic clock: what queues for its place is silent.
        self._answered_at: float | None = None
        # Until when the exit code is waited for, of one that ended before an agent was ready.
        self._exit_by: float | None = None
        self._draining = self._closing = False
        self._asked_stacks: set[int] = set()
        self._link = Link(stream.reads, stream.writes, terms.selector, self._hear, self._end)
        self.attempts = Attempts(terms, self._link, number)
        self._link.send([self.handshake.first])

    # --- what is asked of it -----------------------------------------------------------------

    @property
    def host(self) -> str:
        """The host as people know it, or the link's name while that is not known."""
        return self.name if self.ready is None else self.ready.host

    @property
    def is_cut(self) -> bool:
        """Whether nothing comes of this link any more but the end of what it had."""
        return self.state in ("lost", "refused", "stopped")

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left: no attempt, and no process here."""
        return self.is_cut and not self.attempts and self._stream.is_over

    def room(self) -> int:
        """How many more jobs it can begin now."""
        if self.state != "ready" or time.monotonic() < self.attempts.rests_until:
            return 0
        return max(0, self.slots - len(self.attempts))

    def room_ahead(self) -> int:
        """How many more jobs it should have waiting there, as they are short."""
        took_s = self.attempts.took_s
        if self.state != "ready" or took_s is None:
            return 0
        # A slot stands idle for as long as its answer is under way.
        latency_s = self.pulse.latency_s or 0.0
        horizon_s = min(AHEAD_S + latency_s, AHEAD_AT_MOST_S)
        each = min(MOST_AHEAD, int(horizon_s / max(took_s, 1e-6)))
        if not each and took_s * SLOW_LINK < latency_s and took_s < AHEAD_AT_MOST_S:
            each = 1
        wanted = each * max(0, self.slots - self.attempts.long())
        waiting = max(0, len(self.attempts) - self.slots)
        # By handfuls, each of which shares a commit.
        return wanted - waiting if 2 * waiting <= wanted else 0

    def drain(self) -> None:
        """No more jobs will come."""
        if not self._draining and self.ready is not None:
            self.attempts.say(wire.Drain())
        self._draining = True

    def ask_stack(self, token: str, number: int) -> None:
        """Ask where an attempt is; the answer is found in `stacks`."""
        self._asked_stacks.add(number)
        if self.state == "ready":
            self.attempts.say(wire.AskStack(token, number))
        else:
            self._give_no_stacks()

    def close(self) -> None:
        """Have everything there end at once, and the link behind that."""
        if self.state == "starting":
            self._cut("stopped", "")
        elif not self.is_cut and not self._closing:
            self._closing = True
            self.attempts.say(wire.Close())

    def kill(self) -> None:
        """Wait for nothing any more: nobody knows what becomes of the attempts that are left."""
        self._cut("stopped", "")
        self._stream.kill()

    # --- time --------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what has come due, by the monotonic clock."""
        if self.state == "starting":
            self._look_for_ready(now)
        elif not self.is_cut:
            self._look_for_silence(now)
            if not self.is_cut and now >= self.pulse.ping_due:
                self._ping(now)
        if self.attempts:
            self.attempts.record(now)
            if self.is_cut and now >= self.pulse.over_at:
                self.attempts.settle(self.trouble)
        self._stream.tick(now)

    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock."""
        dues = [self._stream.due(), self.attempts.due()]
        if self.state == "starting" and self._exit_by is not None:
            dues.append(min(self._exit_by, time.monotonic() + 0.02))
        elif self.state == "starting" and (self._answered_at is not None or not self.trouble):
            dues.append((self._answered_at or self.born) + self._terms.lease.ready_s)
        elif self.state == "ready":
            dues += [self.pulse.ping_due, self.pulse.silent_at]
            if self.attempts.rests_until > time.monotonic():
                dues.append(self.attempts.rests_until)
        elif self.state == "silent":
            dues += [self.pulse.ping_due, self.pulse.over_at]
        elif self.attempts:
            dues.append(self.pulse.over_at)
        return min((due for due in dues if due is not None), default=None)

    def _look_for_ready(self, now: float) -> None:
        ready_s = self._terms.lease.ready_s
        if self._exit_by is not None:
            code = self._stream.exit_code()
            if code is not None or now >= self._exit_by:
                self._tell_why_not(code)
        elif self._answered_at is not None and now >= self._answered_at + ready_s:
            self._not_ready(f"was not ready within {ready_s:g} s")
        elif self._answered_at is None and not self.trouble and now >= self.born + ready_s:
            said = _last_line(self._stream.said())
            self._enter(
                "starting",
                f'The link "{self.name}" has not answered for {ready_s:g} s: it waits for its '
                "place, or its command does not pass its input on (kubectl and docker need -i)"
                + (f"; it said: {said}" if said else ""),
            )

    def _look_for_silence(self, now: float) -> None:
        if self.state == "ready" and now >= self.pulse.silent_at:
            # What has come, and was not read so far, counts.
            self._link.read_rest()
            if self.state == "ready" and now >= self.pulse.silent_at:
                self._enter("silent", "")
                self._give_no_stacks()
        if self.state == "silent" and now >= self.pulse.over_at:
            self._link.read_rest()
            if self.state == "silent":
                self._cut("lost", f"nothing was heard of it for {self._silence(now)}")

    def _silence(self, now: float) -> str:
        return f"{self.pulse.silence_s(now):.0f} s"

    def _ping(self, now: float) -> None:
        ping = self.pulse.next_ping(now)
        if ping is not None:
            self._link.send(wire.encode(ping), urgent=True)

    # --- its end -----------------------------------------------------------------------------

    def _end(self, why: str) -> None:
        """The stream is at its end."""
        if self.state == "starting":
            self._exit_by = time.monotonic() + EXIT_WITHIN_S
        elif self._closing:
            self._cut("stopped", why)
        else:
            said = _last_line(self._stream.said())
            self._cut("lost", f"{why}: {said}" if said else why)

    def _tell_why_not(self, code: int | None) -> None:
        """It ended before an agent was ready."""
        if self.handshake.done:
            told = "" if code is None else f" with exit code {code}"
            self._not_ready(f"ended{told} before its agent was ready")
        else:
            self._cut("lost", self.handshake.ended(code, self._stream.said()))

    def _not_ready(self, what: str) -> None:
        said = _last_line(self._stream.said()) or self.handshake.noise
        self._cut("lost", f'The link "{self.name}" {what}' + (f": {said}" if said else ""))

    def _cut(self, state: AgentState, why: str) -> None:
        """Nothing more comes of the link; what it has is settled once it is certain."""
        if self.is_cut:
            return
        self._enter(state, why)
        self._give_no_stacks()
        self._link.close()
        self._stream.let_go()
        self.attempts.give_back_unsent()

    def _enter(self, state: AgentState, trouble: str) -> None:
        was, self.state, self.trouble = self.state, state, trouble
        self.changed = True
        if state == "ready":
            logger.info("Agent on %s (%s) is ready", self.host, self.name)
        elif state == "stopped":
            logger.info("Agent on %s (%s) is released", self.host, self.name)
        elif was == "starting" or state == "refused":
            # A host that is away for days need not be told of each minute.
            level = logging.DEBUG if trouble == self._known else logging.WARNING
            logger.log(level, "%s", trouble)
        else:
            told = f": {trouble}" if trouble else ""
            logger.warning("Agent on %s (%s) is %s%s", self.host, self.name, state, told)

    # --- what it says ------------------------------------------------------------------------

    def _hear(self, data: bytes) -> None:
        """Whatever is wrong with what comes ends this link, and nothing else."""
        if self._answered_at is None:
            self._answered_at = time.monotonic()
        try:
            if not self.handshake.done:
                data = self._shake_hands(data)
            for message in self._reader.feed(data):
                if self.is_cut:
                    return
                self._act(message)
        except LinkRefused as refusal:
            self._cut("refused", str(refusal))
        except wire.OtherVersion as other:
            self._cut(
                "refused",
                f'The agent at "{self.name}" is of gigq-tui {other.version}, and this worker of '
                f"{self._terms.version}: install the same version at both ends.",
            )
        except Broken as problem:
            self._cut("lost", f"what came over the link makes no sense: {problem}")
        except Exception as problem:
            logger.exception("Link %s caused an unexpected error", self.name)
            self._cut("lost", f"this worker could not deal with it: {problem!r}")

    def _shake_hands(self, data: bytes) -> bytes:
        """What comes before there is an agent; gives what came behind that."""
        to_send = self.handshake.feed(data)
        if to_send:
            self._link.send([to_send])
        if self.handshake.done:
            self._greet()
        return self.handshake.rest

    def _greet(self) -> None:
        terms = self._terms
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            version=terms.version,
            slots=self.slots,
            grace_s=terms.grace_s,
            max_result_bytes=terms.max_result_bytes,
            jobs_per_child=terms.limits.jobs,
            max_child_kb=terms.limits.memory_kb,
            chdir=terms.chdir,
            lease_s=terms.lease.lease_s,
            ping_s=terms.lease.ping_s,
            waits_s=WAITS_S,
        )
        came = len(self.handshake.rest)
        self._link.pace(lambda size: wire.encode(wire.Took(size)), came)
        self._link.send(wire.encode(hello))

    def _act(self, message: wire.ToWorker) -> None:
        """Act on a message.

        Raises:
            Broken: it comes when it can't.
        """
        if isinstance(message, wire.Ready):
            self._become_ready(message)
        elif isinstance(message, wire.Refused):
            self._cut("refused", f'The link "{self.name}": {message.sentence}')
        elif isinstance(message, wire.Log):
            level = min(max(message.level, logging.INFO), logging.ERROR)
            self._log.say(level, f"On {self.host}: {message.text}")
        elif isinstance(message, wire.Gone):
            self._hear_gone(message)
        elif isinstance(message, wire.Took):
            self._link.arrived(message.size)
        elif self.ready is None:
            raise Broken("its agent spoke before it was ready")
        elif isinstance(message, wire.Pong):
            self.pulse.hear(message)
            if self.state == "silent" and time.monotonic() < self.pulse.silent_at:
                self._enter("ready", "")
        elif isinstance(message, wire.Stack):
            if message.number in self._asked_stacks:
                self._asked_stacks.discard(message.number)
                self.stacks.append(message)
        else:
            attempt = self.attempts.by_token.get(message.token)
            if attempt is not None:
                self.attempts.hear(attempt, message)
            else:
                # Of one that has ended, or that it never had: it changes nothing.
                word = type(message).__name__.lower()
                self._log.say(
                    logging.WARNING,
                    f"Agent on {self.host} ({self.name}) spoke of an attempt that it does not have "
                    f"({word}): ignored",
                )

    def _become_ready(self, ready: wire.Ready) -> None:
        if self.ready is not None:
            raise Broken("its agent said a second time that it is ready")
        if not ready.slots:
            raise Broken("its agent has no slots")
        self.ready = ready
        self.attempts.host = ready.host
        self.slots = min(self.slots, ready.slots)
        self.began = utc_now()
        now = time.monotonic()
        self.pulse.begin(now)
        self._enter("ready", "")
        self._stream.tell(
            lambda line: self._log.say(logging.INFO, f"Link {self.name} says: {line}")
        )
        self._ping(now)
        if self._draining:
            self.attempts.say(wire.Drain())

    def _hear_gone(self, gone: wire.Gone) -> None:
        if self.state == "starting":
            self._not_ready(f"ended before its agent was ready: {gone.why}")
            return
        self._cut("stopped" if self._closing else "lost", gone.why)
        self.attempts.settle(gone.why, gone.on_purpose)

    def _give_no_stacks(self) -> None:
        """Those who wait for a stack get none."""
        for number in self._asked_stacks:
            if self.state == "silent":
                told = f"has been silent for {self._silence(time.monotonic())}"
            else:
                told = f"is {self.state}"
            self.stacks.append(wire.Stack(number, None, f"its agent on {self.host} {told}"))
        self._asked_stacks.clear()


class _AgentLog:
    """What is told of a link at another's word, which may be without end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._minute = 0.0
        self._said = self._left_out = 0

    def say(self, level: int, text: str) -> None:
        """Log a line, unless there were too many of late."""
        now = time.monotonic()
        if now - self._minute >= 60.0:
            if self._left_out:
                logger.info("Link %s said %s more lines", self._name, f"{self._left_out:,}")
            self._minute, self._said, self._left_out = now, 0, 0
        if self._said >= LOGGED_A_MINUTE:
            self._left_out += 1
            return
        self._said += 1
        logger.log(level, "%s", text[:LOGGED_CHARACTERS])


def _last_line(text: str) -> str:
    """Without what an interpreter asks with, which reads its commands from the link."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip(" .>\t"))]
    return inert(lines[-1])[:300] if lines else ""
