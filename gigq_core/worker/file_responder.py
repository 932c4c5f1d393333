"""Answers what jobs in child processes ask for at once, out of the queue's file."""

from __future__ import annotations

from gigq_core.worker.answers import Ask, Submitted
from gigq_core.worker.claims import Claim
from gigq_core.worker.heard import Give, Knows
from gigq_core.worker.orders import Orders, Refusal
from gigq_core.worker.outbox import Outbox


class FileResponder:
    """The one that stands beside the file.

    Args:
        knows: where it stands what jobs ask for.
    """

    def __init__(self, knows: Knows) -> None:
        self._knows = knows
        # What attempts that run have submitted so far.
        self._orders: dict[str, Orders] = {}

    def ask(self, claim: Claim, ask: Ask, give: Give) -> None:
        """Answer a question."""
        if ask.what == "saved":
            give({"answer": ask.number, "saved": self._knows.saved_of(claim)})
        else:
            give({"answer": ask.number, "parents": self._knows.parents_of(claim)})

    def submit(self, claim: Claim, submitted: Submitted, give: Give) -> None:
        """Take a job that the job of `claim` submits, or refuse it.

        Raises:
            Broken: that is none.
        """
        orders = self._orders.get(claim.execution_id)
        if orders is None:
            orders = self._orders[claim.execution_id] = Orders()
        taken = orders.take(submitted.order)
        if isinstance(taken, Refusal):
            give({"answer": submitted.number, "refused": taken})
        else:
            give({"answer": submitted.number, "submitted": taken})

    def end(self, claim: Claim, completed: bool) -> Outbox | None:
        """An attempt has ended; gives what is to be submitted, if it completed."""
        orders = self._orders.pop(claim.execution_id, None)
        return None if orders is None else orders.end(completed)
