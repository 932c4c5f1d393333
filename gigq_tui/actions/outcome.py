"""What an act did, in one line for a person and row by row for whoever wants to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gigq_core.status import Change, Outcome

_SAID = {
    Change.CANCELLED: "cancelled {n}",
    Change.STOPPING: "asked {n} to stop",
    Change.REQUEUED: "will retry {n}",
    Change.RELEASED: "released {n}",
}


@dataclass(frozen=True)
class Report:
    """The result of one act.

    `title` is the line to show, `outcomes` one per job in the order asked, `twin` the shell
    command that does the same (empty where there is none), `job_ids` the jobs it concerns.
    """

    title: str
    outcomes: tuple[Outcome, ...] = ()
    twin: str = ""
    job_ids: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """The outcomes of the jobs on which nothing was done."""
        return tuple(o for o in self.outcomes if not o.done)

    @property
    def done(self) -> bool:
        """Whether every job was acted on."""
        return not self.refused


def summarise(outcomes: Iterable[Outcome]) -> str:
    """One line for a mixed result: "cancelled 3, 1 had already finished"."""
    outcomes = tuple(outcomes)
    if not outcomes:
        return "nothing to do"
    done = Counter(o.change for o in outcomes if o.done)
    parts = [_SAID[change].format(n=done[change]) for change in _SAID if done[change]]
    reasons = Counter(" ".join(o.reason.split()).rstrip(".") for o in outcomes if not o.done)
    parts += [_refused(n, reason) for reason, n in reasons.most_common()]
    return ", ".join(parts)


def _refused(n: int, reason: str) -> str:
    """A clause about one job, said of `n`: "it has already completed" becomes "2 have already"."""
    subject, _, rest = reason.partition(" ")
    if subject.lower() == "it" and rest:
        verb, _, tail = rest.partition(" ")
        if n > 1:
            verb = {"is": "are", "has": "have", "was": "were"}.get(verb, verb)
        return f"{n} {verb} {tail}".rstrip()
    return f"{n} refused ({reason})" if reason else f"{n} refused"
