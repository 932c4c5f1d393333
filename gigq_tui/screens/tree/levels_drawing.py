"""The levels: how many jobs of each depth stand where, and where it is narrow now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from gigq_core.reasons.why import State
from gigq_tui import format as fmt
from gigq_tui.format import count, inert, pad, plural
from gigq_tui.screens.tree.drawing import Drawing, fold_mark, gutter, state_words
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.screens.tree.groups import Group, by_level, rows_of
from gigq_tui.store.graph.alike import Alike, groups_of_alike
from gigq_tui.store.graph.levels import Narrow, narrow_level
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph
from gigq_tui.widgets.lines import Line, Span, fit, line_width, spread

WIDE = 100
NAME = 12
JOBS = 7
LEAST_BAR = 8

_PARTS = {
    "ok": ("━", "#"),
    "run": (">", ">"),
    "fail": ("X", "X"),
    "warn": ("?", "?"),
    "ready": ("·", "."),
    "wait": ("·", "."),
    "dim": ("-", "-"),
}
# In a bar: what is done, what goes on, what is wrong, what waits.
_ORDER = (
    *(State.COMPLETED, State.RUNNING, State.STOPPING, State.OVERDUE, State.ORPHANED),
    *(State.FAILED, State.TIMEOUT, State.CANCELLED, State.DOOMED, State.UNKNOWN),
    *(State.RETRYING, State.READY, State.DELAYED, State.BLOCKED),
)


class LevelsDrawing(Drawing):
    """A row for each level, its jobs below it where it is open.

    Args:
        shown: The jobs that are drawn.
        graph: All jobs of the graph.
        now: The present moment.
        folds: What is folded.
        depth: The level of each job.
        waiting: How many jobs wait behind each.
    """

    def __init__(
        self,
        shown: Graph,
        graph: Graph,
        now: datetime,
        folds: Folds,
        depth: dict[str, int],
        waiting: WaitingBehind,
    ) -> None:
        groups = by_level(groups_of_alike(shown, depth))
        self.groups = tuple(_rows(shown, groups, folds))
        super().__init__(graph, now, self.groups)
        self.narrow = narrow_level(graph, depth, waiting, now)
        self._largest = max(
            (sum(len(group.jobs) for group in level) for level in groups.values()), default=1
        )

    def head(self, width: int) -> Line:
        bar = self._bar_width(width)
        text = f"    {pad('LEVEL', NAME)}{pad('JOBS', JOBS, right=True)}  {pad('', bar)}  STATES"
        if self.narrow is None:
            return ((text, "dim"),)
        said = f"* bottleneck: level {self.narrow.level + 1}, {narrow_words(self.narrow)} "
        return spread(((text, "dim"),), ((said, "warn"),), width)

    def line(self, at: int, width: int, *, selected: bool) -> Line:
        row = self.groups[at]
        is_narrow = row.is_level and self.narrow is not None and self.narrow.level == row.level
        mark: Span = ("*", "warn") if is_narrow else (" ", "")
        bar = self._bar_width(width)
        states = self.states(row)
        if row.is_level:
            label = f"{fold_mark(row)}level {row.level + 1}"
            spans: list[Span] = [
                *gutter(selected, mark),
                (pad(label, NAME), ""),
                (pad(count(len(row.jobs)), JOBS, right=True), ""),
                ("  ", ""),
                *_bar(states, len(row.jobs), self._largest, bar),
                ("  ", ""),
            ]
        else:
            room = NAME + JOBS + 2 + bar + 2
            label = "  " * row.depth + fold_mark(row) + inert(row.label)
            spans = [*gutter(selected, mark), (pad(label, room), "")]
        left = width - line_width(tuple(spans))
        said = state_words(states, short=left < 40)
        if not states:
            said = (("not in the queue", "fail"),)
        return (*spans, *fit(said, left))

    def _bar_width(self, width: int) -> int:
        return max(LEAST_BAR, (width - NAME - JOBS) // (3 if width >= WIDE else 4))


def narrow_words(narrow: Narrow) -> str:
    """Why a level is the narrow one."""
    return f"{plural(narrow.behind, 'job')} behind its last {count(narrow.left)}"


def _rows(graph: Graph, levels: Mapping[int, list[Alike]], folds: Folds) -> Iterator[Group]:
    for level, groups in levels.items():
        key = f"level {level}"
        jobs = tuple(id for group in groups for id in group.jobs)
        is_open = folds.is_open(key)
        yield Group(key, jobs, False, key, is_open, 0, (), key, level, True)
        if is_open:
            yield from rows_of(graph, groups, folds, 1, key)


def _bar(states: dict[State, int], jobs: int, largest: int, width: int) -> list[Span]:
    """How many of a level stand where, as long as it is wide beside the largest."""
    cells = max(1, round(width * jobs / largest))
    spans: list[Span] = []
    used = seen = 0
    for state in _ORDER:
        number = states.get(state, 0)
        if not number:
            continue
        seen += number
        end = max(used + 1, round(cells * seen / jobs))
        end = min(end, width)
        role = fmt.MARKS[state].role
        box, letter = _PARTS[role]
        spans.append(((box if fmt.UTF8 else letter) * (end - used), role))
        used = end
    return [*spans, (" " * (width - used), "")]
