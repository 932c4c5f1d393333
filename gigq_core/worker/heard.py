"""What running jobs tell of themselves, from the moment that it is heard until it is written."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gigq_core.rows.progress import amount_words, percent_of, whole_percent
from gigq_core.units.durations import seconds_text
from gigq_core.units.times import utc_now
from gigq_core.worker.answers import Ask, Broken, Saved, Submitted, Told
from gigq_core.worker.claims import Claim

if TYPE_CHECKING:
    from gigq_core.worker.outbox import Outbox

# Whoever was asleep for longer, in seconds, finds other circumstances: silence counts anew.
ASLEEP_S = 1.0
# What running jobs report is written once in so many seconds, if nothing else is.
REPORT_EVERY_S = 1.0
# So often a job asks for one thing or another; a handler of its own may break off some questions.
MOST_QUESTIONS = 1_000


# A parent's id, status, error and result, as they are stored.
ParentRow = tuple[str, str | None, str | None, str | None]


# Sends a job the answer that it waits for.
Give = Callable[[dict[str, Any]], None]


class Knows(Protocol):
    """Where it stands what jobs ask for."""

    def parents_of(self, claim: Claim) -> list[ParentRow]: ...
    def saved_of(self, claim: Claim) -> str | None: ...


class Responder(Protocol):
    """Who answers what jobs in child processes ask for, at once or later."""

    def ask(self, claim: Claim, ask: Ask, give: Give) -> None:
        """Answer a question."""

    def submit(self, claim: Claim, submitted: Submitted, give: Give) -> None:
        """Take a job that the job of `claim` submits, or refuse it."""

    def end(self, claim: Claim, completed: bool) -> Outbox | None:
        """An attempt has ended; gives what is to be submitted, if it completed."""


class Report(NamedTuple):
    """How far an attempt is; `at` is in UTC seconds."""

    claim: Claim
    done: float
    total: float | None
    note: str
    at: float


class Save(NamedTuple):
    """A checkpoint, as JSON; `number` is that of the question which waits for its answer."""

    claim: Claim
    number: int
    text: str


class Heard:
    """The newest report, and the newest checkpoint, of each attempt."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._saves: dict[str, Save] = {}

    def note_report(self, report: Report) -> None:
        """Take in a report, instead of the one before."""
        self._reports[report.claim.execution_id] = report

    def note_save(self, save: Save) -> None:
        """Take in a checkpoint, instead of the one before."""
        self._saves[save.claim.execution_id] = save

    def take_reports(self) -> list[Report]:
        """The reports since the last call."""
        if not self._reports:
            return []
        # Threads put some in meanwhile.
        reports, self._reports = self._reports, {}
        return list(reports.values())

    def take_saves(self) -> list[Save]:
        """The checkpoints since the last call."""
        if not self._saves:
            return []
        saves, self._saves = self._saves, {}
        return list(saves.values())


class SignsOfLife:
    """How long an attempt has shown none, by the monotonic clock.

    Args:
        stall_timeout_s: how long it may show none.
    """

    def __init__(self, stall_timeout_s: float) -> None:
        self._stall_timeout_s = stall_timeout_s
        self._since = 0.0
        self._asleep_s = 0.0
        # While a checkpoint waits for its commit, the job can't show any.
        self._waits = False
        self._last: Report | None = None
        self.seen()

    def seen(self, report: Report | None = None) -> None:
        """It has just shown one."""
        if report is not None:
            self._last = report
        self._since = time.monotonic()
        self._asleep_s = asleep_s()

    def wait(self, waits: bool) -> None:
        """Whether the job waits for its worker."""
        self._waits = waits
        self.seen()

    def due(self) -> float:
        """When it will have stalled, if it shows none until then."""
        return math.inf if self._waits else self._since + self._stall_timeout_s

    def has_stalled(self, now: float) -> bool:
        """Whether it has shown none for too long; a sleep of the machine restarts the clock."""
        if now < self.due():
            return False
        if asleep_s() - self._asleep_s > ASLEEP_S:
            self.seen()
            return False
        return True

    @property
    def sentence(self) -> str:
        """Why it was stopped, for a person."""
        last = self._last
        told = f"no sign of life for {seconds_text(self._stall_timeout_s)}s"
        if last is None:
            return told
        percent = percent_of(last.done, last.total)
        return f"{told}, last " + (
            amount_words(last.done) if percent is None else f"{whole_percent(percent)} %"
        )


def signs_of(claim: Claim) -> SignsOfLife | None:
    """Those of an attempt that begins, if they are asked for."""
    return None if claim.stall_timeout_s is None else SignsOfLife(claim.stall_timeout_s)


class Dialogue:
    """What passes between a child and its worker while a job runs: one job after the other.

    Args:
        responder: answers what a job asks for.
        heard: takes what a job tells.
        send: sends the job a message.
    """

    def __init__(self, responder: Responder, heard: Heard, send: Give) -> None:
        self._responder = responder
        self._heard = heard
        self._send = send
        self._signs: SignsOfLife | None = None
        # How often the job has asked for something; the questions that wait for a commit; and how
        # many wait for whoever answers.
        self._asked = 0
        self._waiting: list[int] = []
        self._unanswered = 0

    def begin(self, claim: Claim) -> None:
        """Another job begins."""
        self._signs = signs_of(claim)
        self._asked = 0
        self._waiting = []
        self._unanswered = 0

    def hear(self, claim: Claim, message: Ask | Told | Saved | Submitted) -> None:
        """Act on what the job of `claim` says.

        Raises:
            Broken: it does not say that.
        """
        if isinstance(message, Told):
            report = Report(claim, *message, at=utc_now())
            self.shows_life(report)
            self._heard.note_report(report)
        elif isinstance(message, Saved):
            if len(self._waiting) >= MOST_QUESTIONS:
                raise Broken("it saves, and does not wait for it")
            self._waiting.append(message.number)
            self._note_waiting()
            self._heard.note_save(Save(claim, message.number, message.text))
        elif isinstance(message, Submitted):
            self._unanswered += 1
            self._note_waiting()
            self._responder.submit(claim, message, self._give)
        else:
            self._answer(claim, message)

    def _answer(self, claim: Claim, ask: Ask) -> None:
        self._asked += 1
        if self._asked > MOST_QUESTIONS:
            raise Broken("it asks for the same again and again")
        if ask.what == "parents" and not claim.dependencies:
            raise Broken("it asked for parents, and has none")
        self._unanswered += 1
        self._note_waiting()
        self._responder.ask(claim, ask, self._give)

    def _give(self, answer: dict[str, Any]) -> None:
        self._unanswered -= 1
        self._note_waiting()
        self._send(answer)

    def end(self, claim: Claim, completed: bool) -> Outbox | None:
        """The job has ended; gives what is to be submitted, if it completed."""
        return self._responder.end(claim, completed)

    def tell_saved(self, number: int) -> None:
        """A checkpoint is on disk; those before it need not be."""
        told = [one for one in self._waiting if one <= number]
        self._waiting = [one for one in self._waiting if one > number]
        self._note_waiting()
        for one in told:
            self._send({"answer": one})

    def _note_waiting(self) -> None:
        """While the job waits for a commit, or an answer, its stall clock stands."""
        if self._signs is not None:
            self._signs.wait(bool(self._waiting or self._unanswered))

    def shows_life(self, report: Report | None = None) -> None:
        """The job has just shown a sign of life, or nobody could see whether it did."""
        if self._signs is not None:
            self._signs.seen(report)

    def due(self) -> float:
        """When the job will have stalled, by the monotonic clock."""
        return math.inf if self._signs is None else self._signs.due()

    def has_stalled(self, now: float) -> bool:
        """Whether the job has shown no sign of life for too long."""
        return self._signs is not None and self._signs.has_stalled(now)

    @property
    def stalled_sentence(self) -> str:
        """Why it is stopped then, for a person."""
        return "" if self._signs is None else self._signs.sentence


def asleep_s() -> float:
    """How long this machine has slept since it was started, in seconds; 0 where nobody tells."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    if sys.platform == "darwin":
        # There this one goes on during a sleep, and Python's own does not.
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.monotonic()
    return 0.0


class Unwritten:
    """What running jobs have reported and saved, and the worker has not written yet.

    Reports are written with a commit that happens anyway, or else once a second for all jobs.
    """

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._saves: dict[str, Save] = {}
        self._last = 0.0

    def add(self, saves: list[Save], reports: list[Report]) -> None:
        """Take in what is new."""
        self._saves.update((save.claim.execution_id, save) for save in saves)
        self._reports.update((report.claim.execution_id, report) for report in reports)

    @property
    def saves(self) -> list[Save]:
        """The newest checkpoint of each attempt."""
        return list(self._saves.values())

    @property
    def reports(self) -> list[Report]:
        """The newest report of each attempt."""
        return list(self._reports.values())

    def due(self) -> float:
        """When it is to be written, whatever else is, by the monotonic clock."""
        if self._saves:
            return 0.0
        return self._last + REPORT_EVERY_S if self._reports else math.inf

    def written(self) -> list[Save]:
        """All of it has been; gives the checkpoints whose jobs wait for that."""
        if self._reports:
            self._reports.clear()
            self._last = time.monotonic()
        if not self._saves:
            return []
        saves, self._saves = self._saves, {}
        return list(saves.values())
