"""What the shapes of a graph have in common: rows that stand for jobs, drawn when they are seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from gigq_core.reasons.why import State, state_of
from gigq_tui.format import MARKS, inert, short_count
from gigq_tui.store.graph.focus import tally_of
from gigq_tui.store.models import Graph, JobRow
from gigq_tui.widgets.lines import BLANK, Line, Span


@dataclass(frozen=True)
class Row:
    """One row of a shape.

    `jobs` are those that it stands for, `hidden` others that are found in it. It is their `own`
    where no other row tells more of them. `fold` is the key of what is folded or unfolded here,
    empty where nothing is; `is_open` says which of both it is.
    """

    id: str
    jobs: tuple[str, ...]
    own: bool = True
    fold: str = ""
    is_open: bool = False
    depth: int = 0
    hidden: tuple[str, ...] = ()

    def holds(self, job_id: str) -> bool:
        """Whether a job is found in it."""
        return job_id in self.jobs or job_id in self.hidden

    @property
    def is_many(self) -> bool:
        """Whether it stands for more than one job."""
        return len(self.jobs) > 1


class Drawing:
    """A shape of one graph, as it was read last.

    Args:
        graph: The jobs that are drawn.
        now: The present moment.
        rows: What stands below each other.
    """

    def __init__(self, graph: Graph, now: datetime, rows: Sequence[Row] = ()) -> None:
        self.graph = graph
        self.now = now
        self.rows = rows
        # What was worked out for this moment: a repaint looks at each line anew.
        self._states: dict[str, dict[State, int]] = {}

    def head(self, width: int) -> Line:
        """What stands above the rows; nothing where they need no heads."""
        return BLANK

    def line(self, at: int, width: int, *, selected: bool) -> Line:
        """Row `at` in so many cells."""
        return BLANK

    def searched(self, at: int) -> str:
        """What a row is found by: the names, the functions and the ids of its jobs."""
        row = self.rows[at]
        return " ".join(self._words((*row.jobs, *row.hidden)))

    def index_of(self, job_id: str) -> int | None:
        """The row of a job: its own, or else the first that it is in."""
        return self._index.get(job_id)

    def row_of(self, job_id: str) -> JobRow | None:
        """A job of the graph."""
        node = self.graph.nodes.get(job_id)
        return node.row if node is not None else None

    def move_on(self, now: datetime) -> None:
        """Another moment is the present one: what was worked out for the last is forgotten."""
        self.now = now
        self._states.clear()

    def states(self, row: Row) -> dict[State, int]:
        """How many jobs of a row stand where, what is wrong first."""
        if row.id not in self._states:
            jobs = (self.row_of(id) for id in row.jobs)
            found = tally_of(state_of(job, self.now) for job in jobs if job is not None)
            self._states[row.id] = found
        return self._states[row.id]

    def _words(self, jobs: Iterable[str]) -> Iterable[str]:
        for id in jobs:
            row = self.row_of(id)
            yield id if row is None else f"{row.name} {row.function} {id}"

    @cached_property
    def _index(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        own: dict[str, int] = {}
        for at, row in enumerate(self.rows):
            if row.own and len(row.jobs) == 1:
                own.setdefault(row.jobs[0], at)
            for id in (*row.jobs, *row.hidden):
                found.setdefault(id, at)
        return {**found, **own}


# The cells of what a row begins with.
GUTTER = 4


def gutter(selected: bool, mark: Span = (" ", "")) -> Line:
    """What a row begins with: the cursor, and what is the matter with it."""
    return ((" >" if selected else "  ", "key"), mark, (" ", ""))


def fold_mark(row: Row) -> str:
    """How a row says that it can be folded, or unfolded."""
    return "  " if not row.is_many else "- " if row.is_open else "+ "


def state_words(states: Mapping[State, int], *, short: bool = False) -> Line:
    """How many jobs stand where, in words."""
    spans: list[Span] = []
    for state, number in states.items():
        mark = MARKS[state]
        gap = "  " if spans else ""
        spans.append(
            (f"{gap}{mark.brief if short else mark.word} {short_count(number)}", mark.role)
        )
    return tuple(spans)


def safe(text: str) -> str:
    """A name as it can be drawn."""
    return inert(text)
