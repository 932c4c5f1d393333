"""What a filter is made of once it has been read: terms, and the words they may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from gigq_core.reasons.why import State
from gigq_tui.store.filter.periods import Span

# The filter's words for states. They overlap on purpose: `blocked` holds `doomed`, `running`
# holds `overdue`, `stopping` and `orphaned`, and `pending` (or `waiting`) all that waits.
STATE_WORDS = {
    "pending": "pending",
    "waiting": "pending",
    "ready": "ready",
    "blocked": "blocked",
    "delayed": "delayed",
    "retrying": "retrying",
    "doomed": "doomed",
    "running": "running",
    "overdue": "overdue",
    "stopping": "stopping",
    "orphaned": "orphaned",
    "completed": "completed",
    "done": "completed",
    "failed": "failed",
    "timeout": "timeout",
    "cancelled": "cancelled",
    State.UNKNOWN.value: "unknown",
}


# A word that is a state, and not looked for in texts: what waits for another attempt.
RETRY_WORD = "retry"


class Field(Enum):
    """What a term looks at."""

    WORD = "word"
    NAME = "name"
    FUNCTION = "fn"
    STATE = "state"
    ID = "id"
    ERROR = "err"
    FAILURE = "fp"
    WORKER = "worker"
    HOST = "host"
    WORKFLOW = "workflow"
    BATCH = "batch"
    LANE = "lane"
    SCHEDULE = "schedule"
    HOOK = "hook"
    UNIQUE = "unique"
    SUBMITTER = "from"
    PRIORITY = "pri"
    SUBMITTED = "submitted"
    STARTED = "started"
    ENDED = "ended"
    RAN = "ran"
    AGE = "age"
    DURATION = "dur"
    ATTEMPT = "try"
    PROGRESS = "progress"
    DEPENDS_ON = "dep"
    PARAM = "param"
    RESULT = "result"


NUMBER_FIELDS = frozenset({Field.PRIORITY, Field.ATTEMPT, Field.PROGRESS})
DURATION_FIELDS = frozenset({Field.AGE, Field.DURATION})
PERIOD_FIELDS = frozenset({Field.SUBMITTED, Field.STARTED, Field.ENDED, Field.RAN})
# What is JSON, and has a path behind it.
JSON_FIELDS = frozenset({Field.PARAM, Field.RESULT})


@dataclass(frozen=True)
class Term:
    """One condition.

    `operator` is one of `:` (holds, or equals for what is no text), `=`, `<`, `<=`, `>`, `>=`.
    `text` is the value as it was typed; `is_text` says of one that reads as a number of JSON's, or
    a word, that it is text alone, since it stood between quotes. `number` is the value of a numeric
    term, in seconds for durations; `span` that of a period. `path` are the keys that lead to a
    value within JSON.
    """

    field: Field
    operator: str
    text: str
    number: float = 0.0
    path: tuple[str, ...] = ()
    is_text: bool = False
    span: Span | None = None
    negated: bool = False


@dataclass(frozen=True)
class Group:
    """Some conditions, of which all must hold, or with `is_any` one."""

    parts: tuple[Node, ...]
    is_any: bool = False
    negated: bool = False


Node = Term | Group


def grouped(parts: tuple[Node, ...], *, is_any: bool) -> Node:
    """Some conditions as one, in the same shape however they were put in parentheses."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        inside = isinstance(part, Group) and part.is_any is is_any and not part.negated
        flat += part.parts if inside and isinstance(part, Group) else (part,)
    return Group(tuple(flat), is_any)


def turned(node: Node) -> Node:
    """The opposite of a condition."""
    return replace(node, negated=not node.negated)


def terms_of(node: Node | None) -> Iterator[Term]:
    """Every term of a condition, in its order."""
    if isinstance(node, Group):
        for part in node.parts:
            yield from terms_of(part)
    elif node is not None:
        yield node
