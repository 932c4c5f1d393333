"""Who answers the jobs of an agent: its worker, at the other end of the link."""

from __future__ import annotations

from collections.abc import Callable

from gigq_core.worker import answers
from gigq_core.worker.agents import wire
from gigq_core.worker.claims import Claim
from gigq_core.worker.heard import Give


class LinkResponder:
    """Passes on what jobs ask, and gives them the answers as they come.

    Args:
        send: sends the worker a message.
    """

    def __init__(self, send: Callable[[wire.ToWorker], None]) -> None:
        self._send = send
        # Who waits for an answer: by attempt and by the number of the question.
        self._waiting: dict[str, dict[int, Give]] = {}

    def ask(self, claim: Claim, ask: answers.Ask, give: Give) -> None:
        """Pass on a question."""
        self._wait(claim, ask.number, give)
        self._send(wire.Ask(claim.execution_id, ask.number, ask.what))

    def submit(self, claim: Claim, submitted: answers.Submitted, give: Give) -> None:
        """Pass on a job that is submitted; whether it is taken is for the worker to say."""
        self._wait(claim, submitted.number, give)
        self._send(wire.Submit(claim.execution_id, submitted.number, submitted.order))

    def end(self, claim: Claim, completed: bool) -> None:
        """An attempt has ended: what it asked for comes too late. The worker has the rest."""
        self._waiting.pop(claim.execution_id, None)

    def give(self, told: wire.Give) -> None:
        """The answer has come."""
        number = told.message.get("answer")
        if type(number) is int:
            give = self._waiting.get(told.token, {}).pop(number, None)
            if give is not None:
                give(told.message)

    def _wait(self, claim: Claim, number: int, give: Give) -> None:
        self._waiting.setdefault(claim.execution_id, {})[number] = give
