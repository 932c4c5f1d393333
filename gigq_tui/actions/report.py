"""What an act did, in one line for a person and row by row for whoever wants to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gigq_core.status import Change, Outcome
from gigq_tui.format import cut, inert

# More reasons than these are not spelled out in one line.
MOST_REASONS = 3
NAME_CELLS = 40


@dataclass(frozen=True)
class Report:
    """The result of one act.

    `title` is the line to show, `outcomes` one per job in the order asked, `twin` the shell
    command that does the same (empty where there is none), `job_ids` the jobs it concerns,
    `undoable` whether it can be taken back in this run of the console, `newest` the newest attempt
    in the file before it, as `newest_attempt` tells it, `instead` the job that was there already
    where nothing was submitted for it.
    """

    title: str
    outcomes: tuple[Outcome, ...] = ()
    twin: str = ""
    job_ids: tuple[str, ...] = ()
    undoable: bool = False
    newest: str = ""
    instead: str = ""

    @property
    def mixed(self) -> bool:
        """Whether not the same became of all jobs, so that one line can't tell it all."""
        return len({(o.change, o.reason) for o in self.outcomes}) > 1

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """The outcomes of the jobs on which nothing was done."""
        return tuple(o for o in self.outcomes if not o.done)

    @property
    def done(self) -> bool:
        """Whether every job was acted on."""
        return not self.refused


def summarise(outcomes: Iterable[Outcome]) -> str:
    """One line for a mixed result: "cancelled 3, 1 has already completed"; one job by its name."""
    outcomes = tuple(outcomes)
    if not outcomes:
        return "nothing to do"
    done: dict[Change, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.done:
            done.setdefault(outcome.change, []).append(outcome)
    parts = [
        change.counted.format(n=_who(done[change], outcomes)) for change in Change if change in done
    ]
    if len(outcomes) == 1 and outcomes[0].name:
        (only,) = outcomes
        if not only.done:
            return f"{one_name(outcomes)}: {only.reason}"
        if only.change is Change.REPRIORITIZED:
            return f"{one_name(outcomes)}: {only.reason}"
        if only.change in (Change.CANCELLED, Change.REQUEUED) and only.reason:
            # What became of its children.
            return f"{parts[0]}: {only.reason}"
        return parts[0]
    reasons = Counter(" ".join(o.reason.split()).rstrip(".") for o in outcomes if not o.done)
    told = reasons.most_common(MOST_REASONS)
    parts += [_refused(n, reason) for reason, n in told]
    rest = reasons.total() - sum(n for _, n in told)
    if rest:
        parts.append(f"{rest:,} refused for other reasons")
    return ", ".join(parts)


def one_name(outcomes: Sequence[Outcome]) -> str:
    """The name of the only job, or how many there are."""
    if len(outcomes) == 1 and outcomes[0].name:
        return cut(inert(outcomes[0].name), NAME_CELLS)
    return f"{len(outcomes):,}"


def _who(some: Sequence[Outcome], all_of_them: Sequence[Outcome]) -> str:
    return one_name(some) if len(all_of_them) == 1 else f"{len(some):,}"


def _refused(n: int, reason: str) -> str:
    """A clause about one job, said of `n`: "it has already completed" becomes "2 have already"."""
    subject, _, rest = reason.partition(" ")
    if subject.lower() == "it" and rest:
        verb, _, tail = rest.partition(" ")
        if n > 1:
            verb = {"is": "are", "has": "have", "was": "were"}.get(verb, verb)
        return f"{n} {verb} {tail}".rstrip()
    return f"{n} refused ({reason})" if reason else f"{n} refused"
