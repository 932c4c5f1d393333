"""What workers were asked for, and what came of it: judged by what the file says, never assumed."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from gigq_core.reasons.why import Health
from gigq_core.system.identity import is_suspended
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import WorkerRow

# A worker that lives answers within about a second: it looks that often even if nothing wakes it.
ANSWER_WITHIN_S = 5.0

_HEARD = {
    "pause": ("paused",),
    "resume": ("running",),
    "drain": ("draining", "stopping"),
    "stop": ("stopping",),
}
ENDS = ("drain", "stop")


@dataclass(frozen=True)
class Request:
    """One request to one worker.

    Attributes:
        worker_id: Whom.
        request: `pause`, `resume`, `drain` or `stop`.
        at: When, by the monotonic clock, in seconds.
        held: The jobs that it held then.
        by_signal: It was a process's signal, so that its row does not show the request.
        told_silent: It has been told that it does not answer.
    """

    worker_id: str
    request: str
    at: float
    held: tuple[HeldJob, ...] = ()
    by_signal: bool = False
    told_silent: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of a request: `paused`, `resumed`, `ended`, `lost`, `silent` or `otherwise`.

    `why` says for the last two what is known of it.
    """

    asked: Request
    word: str
    why: str = ""


class PendingRequests:
    """The requests that wait for what becomes of them. For one thread."""

    def __init__(self) -> None:
        self._asked: dict[str, Request] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything was asked that is not settled."""
        return bool(self._asked)

    def of(self, worker_id: str) -> Request | None:
        """What a worker was asked for, if that is not settled."""
        return self._asked.get(worker_id)

    def add(self, asked: Request) -> None:
        """Wait for what becomes of a request; it takes the place of an older one."""
        self._asked[asked.worker_id] = asked

    def drop(self, worker_id: str) -> Request | None:
        """Wait no longer, as for a worker whose end was seen otherwise."""
        return self._asked.pop(worker_id, None)

    def drop_gone(self, alive: Collection[str]) -> None:
        """Forget those asked by signal that are not among the processes that live."""
        for asked in list(self._asked.values()):
            if asked.by_signal and asked.worker_id not in alive:
                del self._asked[asked.worker_id]

    def look(self, workers: Iterable[WorkerRow], now: float) -> list[Answer]:
        """Compare the requests with the workers' rows; what is settled is told once.

        Args:
            workers: As the file has them, read after the requests were made or a little before.
            now: Seconds of the monotonic clock.
        """
        rows = {worker.id: worker for worker in workers}
        answers = []
        for asked in list(self._asked.values()):
            row = rows.get(asked.worker_id)
            answer = _answer(asked, row, now)
            if answer is None:
                continue
            answers.append(answer)
            if answer.word == "silent":
                self._asked[asked.worker_id] = replace(asked, told_silent=True)
            else:
                del self._asked[asked.worker_id]
        return answers


def _answer(asked: Request, row: WorkerRow | None, now: float) -> Answer | None:
    late = now - asked.at >= ANSWER_WITHIN_S
    gone = row is None or row.health in (Health.LOST, Health.STOPPED)
    if asked.by_signal and gone:
        # How a process of our own ends is seen by whoever started it.
        return None
    if row is None or row.health is Health.STOPPED:
        return Answer(asked, "ended")
    if row.health is Health.LOST:
        return Answer(asked, "lost")
    if row.request is None and row.state in _HEARD[asked.request]:
        word = {"pause": "paused", "resume": "resumed"}.get(asked.request)
        return Answer(asked, word) if word else None
    if not late:
        return None
    if not asked.by_signal and row.request != asked.request:
        # It has answered by another state, or somebody has asked it for something else since.
        return Answer(asked, "otherwise", _otherwise(row))
    return None if asked.told_silent else Answer(asked, "silent", _why_silent(row))


def request_word(request: str) -> str:
    """Return what people call a request: `stop`, as it is stored, ends the worker at once."""
    return "kill" if request == "stop" else request


def _otherwise(row: WorkerRow) -> str:
    return f"{row.state}, {request_word(row.request)} requested" if row.request else row.state


def _why_silent(row: WorkerRow) -> str:
    if row.health is Health.UNKNOWN:
        return "it is not visible from here, and its heartbeat has stopped"
    if row.host == socket.gethostname() and is_suspended(row.pid):
        return f"its process {row.pid} is suspended: resume it with kill -CONT {row.pid}"
    return "its heartbeat has stopped"
