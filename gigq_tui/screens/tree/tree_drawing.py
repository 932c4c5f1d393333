"""The dependency tree: each job once, below what it was met behind first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache, partial

from gigq_core.graph.branches import (
    ASCII_ART,
    BOX_ART,
    LEVEL_WIDTH,
    Folding,
    LineKind,
    TreeLine,
    branches,
)
from gigq_core.reasons.why import State, run_seconds, shown_name, state_of, why
from gigq_core.status import JobStatus
from gigq_tui import format as fmt
from gigq_tui.format import MARKS, count, cut, duration, elapsed, inert, pad, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import FOLD_HERE
from gigq_tui.screens.tree.drawing import Drawing, Row
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.store.graph.tree import tree_lines
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph, JobRow
from gigq_tui.widgets.lines import Line, Span

STATE_WIDTH = 12
TIME_WIDTH = 8
# Beside a narrower note only the names of culprits are shown.
NARROW_NOTE = 42
# In a graph with so many jobs, branches of which all is done are closed until they are opened.
LARGE_GRAPH = 200
# States in which a job may be what blocks others.
_HOLDING = frozenset(
    {
        State.FAILED,
        State.TIMEOUT,
        State.CANCELLED,
        State.RUNNING,
        State.OVERDUE,
        State.STOPPING,
        State.ORPHANED,
    }
)
_BRANCH, _ALIKE = "branch\0", "alike\0"


class TreeDrawing(Drawing):
    """The lines of a tree.

    Args:
        shown: The jobs that are drawn.
        graph: All jobs of the graph, those that are not drawn too.
        now: The present moment.
        folds: What is folded.
        hints: How keys are called.
        waiting: Tells how many jobs wait behind each; it is asked once a row is seen that says it.
    """

    def __init__(
        self,
        shown: Graph,
        graph: Graph,
        now: datetime,
        folds: Folds,
        hints: KeyHints = DEFAULT_HINTS,
        waiting: Callable[[], WaitingBehind] | None = None,
    ) -> None:
        folding = Folding(
            folds.alike,
            opened=folds.opened(_ALIKE),
            closed=folds.closed(_BRANCH),
            done=len(shown.nodes) >= LARGE_GRAPH,
            kept_open=folds.opened(_BRANCH),
        )
        lines = tree_lines(shown, folding)
        super().__init__(graph, now, tuple(_rows(shown, lines)))
        self.lines = lines
        self._hints = hints
        self._widest = max(
            (LEVEL_WIDTH * line.depth + width_of(self._called(line)) for line in lines), default=0
        )
        self._waiting = waiting or cache(partial(WaitingBehind, graph))

    def held_up(self, job_id: str) -> int:
        """How many waiting jobs wait for this one."""
        return self._waiting().of(job_id) if job_id in self.graph.nodes else 0

    def line(self, at: int, width: int, *, selected: bool) -> Line:
        line = self.lines[at]
        gutter: Span = (" > ", "key") if selected else ("   ", "")
        room = width - width_of(gutter[0]) - 1
        name_room = max(20, min(self._widest, room * 45 // 100))
        name = self._called(line)
        art = BOX_ART if fmt.UTF8 else ASCII_ART
        branch = branches(line, max(name_room // 2, name_room - width_of(name)), art)
        role = "dim" if line.shown_above or line.kind is LineKind.FOLD else ""
        spans: list[Span] = [
            gutter,
            (branch, "rule"),
            (pad(name, name_room - width_of(branch)), role),
            (" ", ""),
        ]
        return (*spans, *self._rest(line, room - name_room))

    def _called(self, line: TreeLine) -> str:
        if line.kind is LineKind.FOLD:
            alike = f" like {inert(line.stem)}*" if line.stem else ""
            return f"... {line.fold_count:,} more{alike}"
        if line.kind is LineKind.FOLD_ABOVE:
            return f"... {line.fold_count:,} more"
        row = self.row_of(line.id)
        return inert(row.name) if row is not None else inert(line.id[:8])

    def _rest(self, line: TreeLine, room: int) -> Line:
        row = self.row_of(line.id)
        if line.kind is LineKind.CYCLE:
            return ((cut("! dependency cycle back to the job above", room), "fail"),)
        if line.shown_above:
            return ((cut("(shown above)", room), "dim"),)
        if row is None:
            return (
                (pad("? missing", STATE_WIDTH), "fail"),
                (cut("not in the queue", room - STATE_WIDTH), "dim"),
            )
        state = state_of(row, self.now)
        mark = MARKS[state]
        head: Span = (pad(f"{mark.glyph} {mark.word}", STATE_WIDTH), mark.role)
        left = room - STATE_WIDTH
        below = f"+{count(len(line.hidden))} below" if line.hidden else ""
        if line.kind is LineKind.FOLD:
            said = f"{self._hints(FOLD_HERE)} or {self._hints(OPEN)} unfolds"
            return (head, (cut("  ".join(filter(None, (below, said))), left), "dim"))
        took = run_seconds(row, self.now)
        time = ""
        if took is not None:
            time = elapsed(took) if row.status == JobStatus.RUNNING.value else duration(took)
        narrow = left < NARROW_NOTE
        if time or not narrow:
            time = pad(time, TIME_WIDTH)
        note = "  ".join(filter(None, (below, self._note(row, state, narrow=narrow))))
        role = "fail" if state is State.DOOMED else "dim" if below else ""
        return (head, (time, ""), (cut(note, left - len(time)), role))

    def _note(self, row: JobRow, state: State, *, narrow: bool) -> str:
        if state is State.COMPLETED:
            return ""
        if narrow and row.culprit is not None and state in (State.DOOMED, State.BLOCKED):
            more = f" +{row.unmet - 1:,}" if row.unmet > 1 else ""
            return f"by {inert(shown_name(row.culprit))}{more}"
        words = []
        if state in _HOLDING and (held_up := self.held_up(row.id)):
            words.append(f"blocks {held_up:,}")
        if reason := inert(why(row, self.now)):
            words.append(reason)
        return "  ".join(words)


def _rows(graph: Graph, lines: Sequence[TreeLine]) -> Iterator[Row]:
    """A row for each line; the id is the job's own for its own line, a number for mentions."""
    seen: dict[str, int] = {}
    for line in lines:
        if line.kind in (LineKind.JOB, LineKind.MISSING):
            fold = ""
            is_open = not line.is_closed
            if graph.nodes[line.id].children:
                fold = _BRANCH + line.id
            elif line.group:
                fold, is_open = _ALIKE + line.group, True
            yield Row(line.id, (line.id,), True, fold, is_open, hidden=line.hidden)
            continue
        key = f"{line.kind.value}#{line.id}"
        seen[key] = seen.get(key, 0) + 1
        fold = _ALIKE + line.group if line.folded else ""
        jobs = line.folded or (line.id,)
        yield Row(f"{key}#{seen[key]}", jobs, False, fold, False, hidden=line.hidden)
