"""The dependency tree as a list: the lines are drawn when they come into view, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from gigq_core.blocking import blocked_by
from gigq_core.status import JobStatus
from gigq_tui.format import MARKS, cut, duration, elapsed, inert, pad, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import FOLD
from gigq_tui.store.derive import run_seconds, shown_name, state_of, why
from gigq_tui.store.graph.tree import LineKind, TreeLine
from gigq_tui.store.models import Graph, JobRow, State
from gigq_tui.widgets.lines import Line, Span
from gigq_tui.widgets.row_list import RowList

STATE_WIDTH = 12
TIME_WIDTH = 8
LEVEL_WIDTH = 3
# Beside a narrower note only the names of culprits are shown.
NARROW_NOTE = 42
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


class TreeList(RowList):
    """The lines of a tree, with a cursor that stays on its job."""

    def __init__(self, hints: KeyHints = DEFAULT_HINTS, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hints = hints
        self.graph: Graph | None = None
        self.lines: Sequence[TreeLine] = ()
        self.now = datetime.min.replace(tzinfo=timezone.utc)
        self._ids: list[str] = []
        self._widest = 0
        self._blocked: dict[str, int] = {}

    @property
    def total(self) -> int:
        return len(self.lines)

    @property
    def line(self) -> TreeLine | None:
        """The line under the cursor."""
        return self.lines[self.cursor] if self.cursor < len(self.lines) else None

    def row_id(self, index: int) -> str | None:
        return self._ids[index] if 0 <= index < len(self._ids) else None

    def show(self, graph: Graph, lines: Sequence[TreeLine], now: datetime) -> None:
        """Draw a tree; the cursor stays on its job, folded or not.

        Args:
            graph: The jobs, those that are not drawn too.
            lines: The lines of the tree.
            now: The present moment.
        """
        previous = self.line
        self.graph, self.lines, self.now = graph, lines, now
        self._ids = _line_ids(lines)
        self._blocked = {}
        self._widest = max(
            (LEVEL_WIDTH * line.depth + width_of(self._called(line)) for line in lines), default=0
        )
        if self.cursor_id in (known := {id: at for at, id in enumerate(self._ids)}):
            self.settle(known[self.cursor_id])
        else:
            self.settle(self._index_of(previous.id) if previous is not None else None)

    def tick(self, now: datetime) -> None:
        """Draw the times anew."""
        self.now = now
        self.repaint()

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the line of a job, or on the fold that holds it."""
        index = self._index_of(job_id)
        if index is not None:
            self.move_to(index)

    def held_up(self, job_id: str) -> int:
        """How many waiting jobs wait for this one."""
        if self.graph is None or job_id not in self.graph.nodes:
            return 0
        if job_id not in self._blocked:
            self._blocked[job_id] = len(blocked_by(self.graph.waits, [job_id]))
        return self._blocked[job_id]

    def _index_of(self, job_id: str) -> int | None:
        for index, line in enumerate(self.lines):
            if line.kind in (LineKind.JOB, LineKind.MISSING) and line.id == job_id:
                return index
        for index, line in enumerate(self.lines):
            if job_id in line.folded:
                return index
        return None

    def _row(self, line: TreeLine) -> JobRow | None:
        node = self.graph.nodes.get(line.id) if self.graph is not None else None
        return node.row if node is not None else None

    def _called(self, line: TreeLine) -> str:
        if line.kind is LineKind.FOLD:
            alike = f" like {inert(line.stem)}*" if line.stem else ""
            return f"... {line.fold_count:,} more{alike}"
        if line.kind is LineKind.FOLD_ABOVE:
            return f"... {line.fold_count:,} more"
        row = self._row(line)
        return inert(row.name) if row is not None else inert(line.id[:8])

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        line = self.lines[index]
        gutter: Span = (" > ", "key") if selected else ("   ", "")
        room = width - width_of(gutter[0]) - 1
        name_room = max(20, min(self._widest, room * 45 // 100))
        name = self._called(line)
        branch = branches(line, max(name_room // 2, name_room - width_of(name)))
        role = "dim" if line.shown_above or line.kind is LineKind.FOLD else ""
        spans: list[Span] = [
            gutter,
            (branch, "rule"),
            (pad(name, name_room - width_of(branch)), role),
            (" ", ""),
        ]
        left = room - name_room
        return (*spans, *self._rest(line, left))

    def _rest(self, line: TreeLine, room: int) -> Line:
        row = self._row(line)
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
        if line.kind is LineKind.FOLD:
            return (
                head,
                (
                    cut(f"{self.hints(FOLD)} or {self.hints(OPEN)} unfolds", room - STATE_WIDTH),
                    "dim",
                ),
            )
        took = run_seconds(row, self.now)
        time = ""
        if took is not None:
            time = elapsed(took) if row.status == JobStatus.RUNNING.value else duration(took)
        left = room - STATE_WIDTH
        narrow = left < NARROW_NOTE
        if time or not narrow:
            time = pad(time, TIME_WIDTH)
        note = self._note(row, state, narrow=narrow)
        role = "fail" if state is State.DOOMED else ""
        return (head, (time, ""), (cut(note, left - len(time)), role))

    def _note(self, row: JobRow, state: State, *, narrow: bool) -> str:
        if state is State.COMPLETED:
            return ""
        if narrow and row.culprit is not None and state in (State.DOOMED, State.BLOCKED):
            more = f" +{row.unmet - 1:,}" if row.unmet > 1 else ""
            return f"by {inert(shown_name(row.culprit))}{more}"
        words = []
        if state in _HOLDING and (count := self.held_up(row.id)):
            words.append(f"blocks {count:,}")
        if reason := inert(why(row, self.now)):
            words.append(reason)
        return "  ".join(words)


def branches(line: TreeLine, room: int) -> str:
    """Return the branches before a name, the outer levels by number where room is short."""
    if not line.depth:
        return ""
    shown = min(len(line.guides), room // LEVEL_WIDTH)
    if shown < line.depth:
        lead = f"<{line.depth} "
        shown = max(0, min(len(line.guides), (room - len(lead)) // LEVEL_WIDTH))
        lead = f"<{line.depth - shown} "
    else:
        lead = ""
    if not shown:
        return lead
    guides = line.guides[-shown:]
    trunk = "".join("|  " if goes_on else "   " for goes_on in guides[:-1])
    return lead + trunk + ("|- " if guides[-1] else "`- ")


def _line_ids(lines: Sequence[TreeLine]) -> list[str]:
    """An id for each line: the job's own for its own line, a number added for mentions."""
    seen: dict[str, int] = {}
    ids: list[str] = []
    for line in lines:
        if line.kind in (LineKind.JOB, LineKind.MISSING):
            ids.append(line.id)
            continue
        key = f"{line.kind.value}#{line.id}"
        seen[key] = seen.get(key, 0) + 1
        ids.append(f"{key}#{seen[key]}")
    return ids
