"""By what failed jobs are grouped."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gigq_core.grouping.failed_now import By

_PARAM = "param."
_NAME = re.compile(r"[\w-]+\Z")


@dataclass(frozen=True)
class Grouping:
    """By what jobs are grouped: `by`, and for a parameter the path to it as JSON has it."""

    by: By
    name: str
    path: str = "$"


CAUSE = Grouping("cause", "cause")
FUNCTION = Grouping("function", "function")
WORKER = Grouping("worker", "worker")


def of_param(name: str) -> Grouping:
    """By a parameter of jobs; its name has word characters and hyphens alone, as in a filter."""
    return Grouping("param", f"param.{name}", f'$."{name}"')


def is_param(name: str) -> bool:
    """Whether jobs can be grouped by a parameter of this name: a filter can name it too."""
    return _NAME.match(name) is not None


def grouping_of(word: str) -> Grouping:
    """The grouping that a word stands for: `cause`, `function`, `worker` or `param.NAME`.

    Raises:
        ValueError: It stands for none.
    """
    for grouping in (CAUSE, FUNCTION, WORKER):
        if word == grouping.name:
            return grouping
    name = word.removeprefix(_PARAM)
    if name != word and is_param(name):
        return of_param(name)
    raise ValueError(f"write cause, function, worker or param.NAME behind it, and not {word!r}")
