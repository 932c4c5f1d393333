"""What a running job says when it submits another one: it is checked at once, and answered."""

from __future__ import annotations

from typing import Any, NamedTuple

from gigq_core.duplicate_job import DuplicateJob
from gigq_core.functions.call_signature import Signature
from gigq_core.job import (
    OPTION_NAMES,
    Described,
    FunctionReference,
    Job,
    reference_of_described,
)
from gigq_core.worker import answers, runner
from gigq_core.worker.answers import Broken
from gigq_core.worker.outbox import Outbox

# A job that is refused more often does not look at the answers.
MOST_REFUSED = 10_000
# The longest sentence of a refusal, in characters: it may repeat what the job gave.
MOST_TOLD = 2_000


class Refusal(NamedTuple):
    """Why a job was not taken: the name of the exception to be raised, and its sentence."""

    kind: str
    sentence: str


class Orders:
    """Takes what one attempt submits, and keeps it in `outbox`."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self._refused = 0

    def take(self, text: str) -> str | Refusal:
        """Take in a job, as the runner tells of it: gives its id, or says why it is refused.

        Raises:
            Broken: the runner tells of none like this.
        """
        try:
            job, before_dependents = _order_of(text)
            self.outbox.keep(job, before_dependents)
            return job.id
        except (TypeError, ValueError, DuplicateJob) as problem:
            self._refused += 1
            if self._refused > MOST_REFUSED:
                raise Broken("it submits again and again what is refused") from None
            kind = "TypeError" if isinstance(problem, TypeError) else "ValueError"
            return Refusal(kind, runner.clipped(str(problem), MOST_TOLD))

    def end(self, completed: bool) -> Outbox | None:
        """The attempt has ended: gives what is to be submitted, if it completed; None for none."""
        if completed and len(self.outbox):
            return self.outbox
        self.outbox.close()
        return None


def _order_of(text: str) -> tuple[Job, bool]:
    """The job that the runner tells of, and whether others are to wait for it.

    Raises:
        TypeError: as for `Job`.
        ValueError: as for `Job`.
        Broken: it is none of the runner's words.
    """
    try:
        told = answers.decode(text)
    except RecursionError:
        raise ValueError("JSON can't hold params: they are nested too deeply.") from None
    except ValueError:
        raise Broken("it submits what is not JSON") from None
    if not _is_order(told):
        raise Broken("it submits what is no job")
    reference = _reference_of(told["function"])
    options = told["options"]
    if unknown := sorted(options.keys() - set(OPTION_NAMES)):
        raise TypeError(f"submit() has no option {unknown[0]}: it takes {', '.join(OPTION_NAMES)}.")
    values = {"name": reference.name, **options}
    job = Job(**values, function=reference, params=told["params"])
    if told["id"] is not None:
        job.id = told["id"]
    if told["function"]["takes"] is not None:
        names, needed, others, by_position, ours = told["function"]["takes"]
        known, required, placed = tuple(names), tuple(needed), tuple(by_position)
        signature = Signature(".".join(reference), known, required, others, placed, ours)
        if misfit := signature.misfit(job.params):
            raise TypeError(misfit)
        job.ours = job.ours or signature.ours
    return job, told["before"]


def _reference_of(function: dict[str, Any]) -> FunctionReference:
    if "path" in function:
        return FunctionReference.parse(function["path"])
    return reference_of_described(Described(*function["is"]))


# --- what the runner may say ------------------------------------------------------------------


def _is_order(told: Any) -> bool:
    return (
        type(told) is dict
        and told.keys() == {"function", "params", "before", "id", "options"}
        and _is_function(told["function"])
        and type(told["params"]) is dict
        and type(told["before"]) is bool
        and type(told["options"]) is dict
    )


def _is_function(told: Any) -> bool:
    if type(told) is not dict:
        return False
    if told.keys() == {"path", "takes"}:
        known = type(told["path"]) is str
    else:
        known = told.keys() == {"is", "takes"} and _fits(told["is"], _DESCRIBED)
    return known and (told["takes"] is None or _fits(told["takes"], _TAKES))


def _fits(told: Any, kinds: tuple[tuple[type, ...], ...]) -> bool:
    return (
        type(told) is list
        and len(told) == len(kinds)
        and all(type(one) in kind for one, kind in zip(told, kinds, strict=True))
        and all(type(name) is str for one in told if type(one) is list for name in one)
    )


_MAYBE = (str, type(None))
_DESCRIBED = ((str,), (bool,), (bool,), (bool,), (bool,), _MAYBE, _MAYBE, _MAYBE, (bool,))
_TAKES = ((list,), (list,), (bool,), (list,), (bool,))
