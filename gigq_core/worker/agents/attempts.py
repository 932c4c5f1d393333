"""The attempts that one agent has, or may have: what is said of them, and how they end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.system.paths import output_name
from gigq_core.units.times import Moment, local_text, utc_now
from gigq_core.worker import answers, runner
from gigq_core.worker.agents import wire
from gigq_core.worker.agents.link import Link
from gigq_core.worker.agents.terms import Terms
from gigq_core.worker.answers import Broken
from gigq_core.worker.claims import Begun, Claim, Ending, Fate, sentence_for
from gigq_core.worker.heard import MOST_QUESTIONS, Report, Save
from gigq_core.worker.output import Capture

logger = logging.getLogger("gigq_core.worker")

# One that still runs after so long is put on record with where it runs, in seconds.
RECORD_AFTER_S = 0.3

# An agent that has no process for a job, though it has a slot, is asked again after so long.
REST_S = 0.05

# What is said of an attempt.
Said = wire.Began | wire.Output | wire.Reported | wire.Saved | wire.Ask | wire.Submit | wire.Ended


@dataclass(slots=True)
class Attempt:
    """One that the agent has, or may have."""

    claim: Claim
    # By which the link knows whether it was sent.
    number: int
    # Since when, by the monotonic clock.
    since: float
    # Whether it was claimed ahead, so that the file does not know that it begins.
    ahead: bool
    begun: Moment | None = None
    pid: int | None = None
    # Whether that is to be put on record already.
    told: bool = False
    capture: Capture | None = None
    # How it is to end, if it was told to.
    fate: Fate | None = None
    # Why this worker does not let it go on.
    broken: str = ""
    asked: int = 0
    # The numbers of what it has submitted: what comes twice is one job.
    submitted: set[int] | None = None


class Attempts:
    """Those of one link.

    Args:
        terms: what all links have in common.
        link: where messages go.
        number: of that link among those of its worker.

    Attributes:
        host: where they run, for people.
        by_token: those that run there, or may do so.
        endings, begun: what came of them, to be taken.
        rests_until: before this, by the monotonic clock, no more are to be sent: one came back that
            had not begun, though there was a slot for it.
        took_s: how long the last one ran that ended by itself, in seconds; None before that.
    """

    def __init__(self, terms: Terms, link: Link, number: int) -> None:
        self.host = ""
        self.by_token: dict[str, Attempt] = {}
        self.endings: list[Ending] = []
        self.begun: list[Begun] = []
        self.rests_until = 0.0
        self.took_s: float | None = None
        self._terms = terms
        self._link = link
        self._number = number

    def __len__(self) -> int:
        return len(self.by_token)

    def say(self, message: wire.ToAgent) -> None:
        """Send the agent a message."""
        self._link.send(wire.encode(message))

    def run(self, claims: Sequence[Claim], ahead: Sequence[Claim] = ()) -> None:
        """Have jobs run there; of those that are claimed `ahead` the file knows no beginning."""
        now = time.monotonic()
        lines: list[bytes] = []
        for place, claim in enumerate([*claims, *ahead]):
            lines += wire.encode(wire.Run.of(claim))
            number = self._link.given + len(lines)
            waits = place >= len(claims)
            self.by_token[claim.execution_id] = Attempt(claim, number, now, waits)
        self._link.send(lines)

    def long(self) -> int:
        """How many run that are no short ones."""
        return sum(attempt.begun is not None for attempt in self.by_token.values())

    def stop(self, token: str, fate: Fate, why: str = "") -> None:
        """Begin to end one; `fate` is how it ends."""
        attempt = self.by_token.get(token)
        if attempt is not None and attempt.fate is None:
            attempt.fate, attempt.broken = fate, why
            self.say(wire.Stop(token, fate))

    def saved(self, token: str, number: int) -> None:
        """Tell a job that its checkpoint is on disk."""
        self.say(wire.Stored(token, number))

    # --- time --------------------------------------------------------------------------------

    def record(self, now: float) -> None:
        """Have those put on record that turn out to be long."""
        for attempt in self.by_token.values():
            if attempt.ahead or now >= attempt.since + RECORD_AFTER_S:
                self._tell_begun(attempt)

    def due(self) -> float | None:
        """When `record` has something to do, by the monotonic clock."""
        times = (
            attempt.since + RECORD_AFTER_S
            for attempt in self.by_token.values()
            if attempt.pid is not None and not attempt.told
        )
        return min(times, default=None)

    def _here(self) -> Elsewhere:
        return Elsewhere(self.host, self._number)

    def _tell_begun(self, attempt: Attempt) -> None:
        if attempt.begun is not None and attempt.pid is not None and not attempt.told:
            attempt.told = True
            self.begun.append(Begun(attempt.claim, attempt.begun, attempt.pid, self._here()))

    # --- what is said of them ----------------------------------------------------------------

    def hear(self, attempt: Attempt, message: Said) -> None:
        """Act on what is said of one.

        Raises:
            Broken: it can't be.
        """
        claim = attempt.claim

        def give(answer: dict[str, object]) -> None:
            self.say(wire.Give(claim.execution_id, answer))

        if isinstance(message, wire.Ended):
            self._hear_end(attempt, message)
        elif isinstance(message, wire.Began):
            attempt.begun = _ago(attempt, message.ago_s)
            attempt.pid = message.pid
            if attempt.ahead:
                # If this worker dies, nobody else knows.
                self._tell_begun(attempt)
        elif isinstance(message, wire.Output):
            if attempt.capture is None:
                attempt.capture = self._terms.capture_of(claim)
            if message.left_out:
                attempt.capture.skip(message.left_out)
            attempt.capture.write(message.data)
        elif isinstance(message, wire.Reported):
            self._terms.heard.note_report(
                Report(claim, message.done, message.total, message.note, utc_now())
            )
        elif isinstance(message, wire.Saved):
            if len(message.text) > runner.MOST_SAVED:
                raise Broken("a checkpoint came that is too large")
            self._terms.heard.note_save(Save(claim, message.number, message.text))
        elif isinstance(message, wire.Ask):
            ask = answers.Ask(message.what, message.number)
            self._question(attempt, lambda: self._terms.responder.ask(claim, ask, give))
        elif isinstance(message, wire.Submit):
            if len(message.order) > runner.MOST_SUBMITTED_BYTES:
                raise Broken("a job was submitted that is too large")
            attempt.submitted = attempt.submitted or set()
            if message.number in attempt.submitted:
                return
            attempt.submitted.add(message.number)
            order = answers.Submitted(message.order, message.number)
            self._deal(attempt, lambda: self._terms.responder.submit(claim, order, give))

    def _question(self, attempt: Attempt, act: Callable[[], None]) -> None:
        """Answer once there is room on the link: the results of parents may be large."""
        attempt.asked += 1
        if attempt.asked > MOST_QUESTIONS:
            self.stop(
                attempt.claim.execution_id, Fate.CRASHED, "it asks for the same again and again"
            )
            return
        self._link.when_room(lambda: self._deal(attempt, act))

    def _deal(self, attempt: Attempt, act: Callable[[], None]) -> None:
        """Whatever is wrong with what one job asks for ends that job alone."""
        token = attempt.claim.execution_id
        if self.by_token.get(token) is not attempt or self._link.is_cut:
            return
        try:
            act()
        except Broken as problem:
            self.stop(token, Fate.CRASHED, f"the job wrote to its worker: {problem}")
        except Exception as problem:
            logger.exception("Job %s can't be answered", attempt.claim.job_id)
            self.stop(token, Fate.CRASHED, f"the worker could not answer it: {problem!r}")

    # --- how they end ------------------------------------------------------------------------

    def _hear_end(self, attempt: Attempt, ended: wire.Ended) -> None:
        fate, error = ended.fate, ended.error
        if fate is Fate.COMPLETED and len(ended.result or "") > self._terms.max_result_bytes:
            raise Broken(f"a result of {len(ended.result or ''):,} bytes came")
        if attempt.broken and fate is attempt.fate:
            error = attempt.broken
        if fate is not Fate.NOT_BEGUN:
            self.took_s = ended.ran_s
        elif not attempt.ahead:
            self.rests_until = time.monotonic() + REST_S
        begun = None if fate is Fate.NOT_BEGUN else attempt.begun or _ago(attempt, ended.ran_s)
        self._finish(
            attempt,
            Ending(
                attempt.claim,
                fate,
                result=ended.result if fate is Fate.COMPLETED else None,
                error=error,
                traceback=ended.traceback,
                begun=begun,
                pid=ended.pid,
                signal=ended.signal,
                raised=ended.raised,
                wish=ended.wish,
            ),
        )

    def give_back_unsent(self) -> None:
        """The link is cut: what never left this process can't have begun."""
        for attempt in list(self.by_token.values()):
            if not self._link.has_sent(attempt.number):
                self._finish(attempt, Ending(attempt.claim, Fate.NOT_BEGUN))

    def settle(self, why: str, on_purpose: bool = False) -> None:
        """Nothing runs there any more: all have ended, however they did.

        Args:
            why: the reason, as the end of a sentence.
            on_purpose: whether it was ended from outside, so that no job can be the reason.
        """
        for attempt in list(self.by_token.values()):
            claim, fate = attempt.claim, attempt.fate
            unseen = fate is None and attempt.begun is None and claim.on_crash != "fail"
            if fate is None and on_purpose:
                error = f"its agent on {self.host} was ended: {why}"
                fate = Fate.GIVEN_BACK
            elif unseen and self._terms.doubts.is_first(claim.job_id):
                error = f"its agent on {self.host} was lost before it said that this began: {why}"
                fate = Fate.GIVEN_BACK
            elif fate is None or fate is Fate.CRASHED:
                error = attempt.broken or f"its agent on {self.host} was lost: {why}"
                fate = Fate.CRASHED
            else:
                error = attempt.broken or sentence_for(claim, fate) or why
            self._finish(attempt, Ending(claim, fate, error=error))

    def _finish(self, attempt: Attempt, ending: Ending) -> None:
        """One has ended: what it left is put together."""
        claim = attempt.claim
        self.by_token.pop(claim.execution_id, None)
        output = None
        if attempt.capture is not None and attempt.capture.close():
            output = output_name(claim.execution_id)
        outbox = self._terms.responder.end(claim, ending.fate is Fate.COMPLETED)
        pid = ending.pid if ending.pid is not None else attempt.pid
        agent = None if ending.fate is Fate.NOT_BEGUN else self._here()
        self.endings.append(replace(ending, output=output, outbox=outbox, pid=pid, agent=agent))


def _ago(attempt: Attempt, seconds: float) -> Moment:
    """When something was so many seconds ago, but not before the attempt was sent."""
    utc = utc_now() - min(seconds, time.monotonic() - attempt.since)
    return Moment(utc, local_text(utc))
