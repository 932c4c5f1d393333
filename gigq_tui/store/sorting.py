"""The orders in which jobs can be listed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SortKey(Enum):
    """By what jobs are listed. The value is the word for it where there is room for one."""

    SUBMITTED = "submitted"
    CLAIM = "claim"
    PRIORITY = "pri"
    NAME = "name"
    ATTEMPTS = "att"
    AGE = "age"
    DURATION = "dur"
    STARTED = "started"
    ENDED = "ended"
    STATE = "state"
    FUNCTION = "fn"
    BATCH = "batch"
    HOST = "host"


@dataclass(frozen=True)
class Sort:
    """An order: its natural direction, or `turned` round.

    Naturally the newest, the next to be claimed, the highest, the most, the oldest, the longest,
    the last started and the last ended come first; names, functions, batches and hosts from A to Z,
    and of the states what needs a person.
    """

    key: SortKey = SortKey.SUBMITTED
    turned: bool = False

    @property
    def words(self) -> str:
        """The order in words."""
        natural, turned = _WORDS[self.key]
        return turned if self.turned else natural

    @property
    def rising(self) -> bool:
        """Whether what the column says grows from the first row to the last."""
        return (self.key in _NATURALLY_RISING) is not self.turned

    def __str__(self) -> str:
        return f"-{self.key.value}" if self.turned else self.key.value


def sort_of(text: str) -> Sort:
    """Read an order as it is written: `dur`, or `-dur` for the same turned round.

    Raises:
        ValueError: there is none of that name; the message names those there are.
    """
    try:
        return Sort(SortKey(text.removeprefix("-")), text.startswith("-"))
    except ValueError:
        names = ", ".join(key.value for key in SortKey)
        raise ValueError(
            f"there is no order {text!r}: choose from {names}, with - before it to reverse it"
        ) from None


NEWEST = Sort()
OLDEST = Sort(turned=True)

_WORDS = {
    SortKey.SUBMITTED: ("newest", "oldest"),
    SortKey.CLAIM: ("next to be claimed", "last to be claimed"),
    SortKey.PRIORITY: ("priority", "lowest priority"),
    SortKey.NAME: ("name", "name, reversed"),
    SortKey.ATTEMPTS: ("most attempts", "fewest attempts"),
    SortKey.AGE: ("greatest age", "least age"),
    SortKey.DURATION: ("longest", "shortest"),
    SortKey.STARTED: ("last started", "first started"),
    SortKey.ENDED: ("last ended", "first ended"),
    SortKey.STATE: ("state", "state, reversed"),
    SortKey.FUNCTION: ("function", "function, reversed"),
    SortKey.BATCH: ("batch", "batch, reversed"),
    SortKey.HOST: ("host", "host, reversed"),
}
_NATURALLY_RISING = frozenset(
    {
        *(SortKey.NAME, SortKey.STATE, SortKey.CLAIM, SortKey.FUNCTION, SortKey.BATCH),
        SortKey.HOST,
    }
)

# The choice of an order: its key, and what it is called there.
SORT_MENU: tuple[tuple[str, str, Sort], ...] = (
    ("n", "newest", NEWEST),
    ("o", "oldest", OLDEST),
    ("c", "next to be claimed", Sort(SortKey.CLAIM)),
    ("p", "priority", Sort(SortKey.PRIORITY)),
    ("m", "name", Sort(SortKey.NAME)),
    ("t", "attempts", Sort(SortKey.ATTEMPTS)),
    ("a", "age", Sort(SortKey.AGE)),
    ("d", "duration", Sort(SortKey.DURATION)),
    ("r", "started", Sort(SortKey.STARTED)),
    ("e", "ended", Sort(SortKey.ENDED)),
    ("s", "state", Sort(SortKey.STATE)),
    ("f", "function", Sort(SortKey.FUNCTION)),
    ("b", "batch", Sort(SortKey.BATCH)),
    ("h", "host", Sort(SortKey.HOST)),
)
