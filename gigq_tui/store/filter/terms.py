"""What a filter is made of once it has been read: terms, and the words they may use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gigq_tui.store.models import State

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
    WORKFLOW = "workflow"
    BATCH = "batch"
    PRIORITY = "pri"
    AGE = "age"
    DURATION = "dur"
    ATTEMPT = "try"
    PROGRESS = "progress"
    DEPENDS_ON = "dep"
    PARAM = "param"


NUMBER_FIELDS = frozenset({Field.PRIORITY, Field.ATTEMPT, Field.PROGRESS})
TIME_FIELDS = frozenset({Field.AGE, Field.DURATION})


@dataclass(frozen=True)
class Term:
    """One condition.

    `operator` is one of `:` (holds, or equals for numbers), `=`, `<`, `<=`, `>`, `>=`. `number`
    is the value of a numeric term, in seconds for times. `path` is a parameter's JSON path.
    """

    field: Field
    operator: str
    text: str
    number: float = 0.0
    path: str = ""
    negated: bool = False


# Any of its terms may hold.
Clause = tuple[Term, ...]
