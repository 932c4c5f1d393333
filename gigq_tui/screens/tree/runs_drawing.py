"""The runs of a workflow: one column a run, the newest at the right, and one row a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gigq_core.reasons.why import State
from gigq_core.units.times import local
from gigq_tui.format import MARKS, cut, inert, pad, plural, width_of
from gigq_tui.screens.tree.drawing import Drawing, Row, fold_mark, gutter
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.store.graph.alike import SMALLEST_GROUP, common_name, first_word
from gigq_tui.store.graph.runs import Run, TaskJob
from gigq_tui.store.models import Graph
from gigq_tui.store.statuses import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, TIMEOUT
from gigq_tui.widgets.lines import Line, Span

MOST_NAME = 34
CELL = 2
# The last is drawn of a task of several jobs.
_STATES = {
    COMPLETED: State.COMPLETED,
    CANCELLED: State.CANCELLED,
    PENDING: State.READY,
    RUNNING: State.RUNNING,
    TIMEOUT: State.TIMEOUT,
    FAILED: State.FAILED,
}
_ORDER = list(_STATES.values())
_ORDER.insert(2, State.BLOCKED)


@dataclass(frozen=True)
class Task(Row):
    """A row of one task: `label` is what it is called, `of_runs` its jobs by run."""

    label: str = ""
    of_runs: Mapping[str, tuple[TaskJob, ...]] | None = None

    def jobs_of(self, run_id: str) -> tuple[TaskJob, ...]:
        """The jobs of the task in a run."""
        return (self.of_runs or {}).get(run_id, ())


class RunsDrawing(Drawing):
    """The tasks of a workflow, and how each went in each run.

    Args:
        shown: The jobs that are drawn, of the run that is looked at.
        graph: All jobs of its graph.
        now: The present moment.
        folds: What is folded.
        depth: The level of each job of the graph.
        runs: The runs, the newest first.
        chosen: The id of the run under the cursor.
    """

    def __init__(
        self,
        shown: Graph,
        graph: Graph,
        now: datetime,
        folds: Folds,
        depth: Mapping[str, int],
        runs: Sequence[Run],
        chosen: str,
    ) -> None:
        self.runs = tuple(reversed(runs))
        self.tasks = tuple(_tasks(shown, depth, runs, folds))
        super().__init__(graph, now, self.tasks)
        self.chosen = chosen
        self._widest = max((width_of(_called(task)) for task in self.tasks), default=0)
        self._cells: dict[tuple[str, str], Span] = {}

    @property
    def chosen_run(self) -> Run | None:
        """The run under the cursor."""
        return next((run for run in self.runs if run.id == self.chosen), None)

    @property
    def other_run(self) -> Run | None:
        """The same, where it is not the run of this graph."""
        run = self.chosen_run
        return None if run is None or self._is_this(run) else run

    def chosen_jobs(self, at: int) -> tuple[TaskJob, ...]:
        """The jobs of a row in the run under the cursor."""
        return self.tasks[at].jobs_of(self.chosen)

    def beside(self, step: int) -> str:
        """The id of the run so many columns from the one under the cursor, as far as there are."""
        ids = [run.id for run in self.runs]
        if not ids:
            return self.chosen
        at = ids.index(self.chosen) if self.chosen in ids else len(ids) - 1
        return ids[max(0, min(len(ids) - 1, at + step))]

    def head(self, width: int) -> Line:
        """Which run the cursor is on, above its column."""
        name, first, shown = self._columns(width)
        run = self.chosen_run
        if run is None:
            return ((" " * name, ""),)
        at = name + 1 + CELL * next(i for i, it in enumerate(shown) if it.id == run.id)
        words = f"{run_time(run, self.now)}{', this run' if self._is_this(run) else ''}"
        more = f"<{first} more " if first else ""
        if width_of(words) + len(more) + 2 <= at:
            left = pad(more, at - width_of(words) - 1) + words + " "
            return ((left, "dim"), ("v", "key"))
        return ((pad(more, at), "dim"), ("v", "key"), (cut(" " + words, width - at - 1), "dim"))

    def line(self, at: int, width: int, *, selected: bool) -> Line:
        task = self.tasks[at]
        name, _, shown = self._columns(width)
        spans: list[Span] = [*gutter(selected)]
        spans.append((pad(_called(task), name - 4), ""))
        for place, run in enumerate(shown):
            before = shown[place - 1].id if place else ""
            gap = " "
            if selected and run.id == self.chosen:
                gap = "["
            elif selected and before and before == self.chosen:
                gap = "]"
            spans.append((gap, "key"))
            spans.append(self._cell(task, run))
        if selected and shown and shown[-1].id == self.chosen:
            spans.append(("]", "key"))
        return tuple(spans)

    def searched(self, at: int) -> str:
        task = self.tasks[at]
        jobs = (job for jobs in (task.of_runs or {}).values() for job in jobs)
        return " ".join([task.label, *(f"{job.name} {job.function} {job.id}" for job in jobs)])

    def _cell(self, task: Task, run: Run) -> Span:
        key = task.id, run.id
        if key not in self._cells:
            state = state_of_task(task.jobs_of(run.id))
            mark = MARKS[state] if state is not None else None
            self._cells[key] = (" ", "") if mark is None else (mark.glyph, mark.role)
        return self._cells[key]

    def _columns(self, width: int) -> tuple[int, int, Sequence[Run]]:
        """The cells of the name with what stands before it, and the runs that have room."""
        name = min(MOST_NAME, max(12, self._widest), width // 2) + 4
        room = max(1, (width - name - 1) // CELL)
        last = len(self.runs)
        ids = [run.id for run in self.runs]
        if self.chosen in ids and ids.index(self.chosen) < last - room:
            last = ids.index(self.chosen) + room
        first = max(0, last - room)
        return name, first, self.runs[first:last]

    def _is_this(self, run: Run) -> bool:
        return run.id == self.graph.workflow_id


def run_time(run: Run, now: datetime) -> str:
    """When a run was submitted, by the reader's clock."""
    if run.submitted is None:
        return f"run {run.id[:8]}"
    here = local(run.submitted)
    return f"{here:%H:%M:%S}" if here.date() == local(now).date() else f"{here:%a %d %b %H:%M}"


def state_of_task(jobs: Sequence[TaskJob]) -> State | None:
    """How a task went, by the job that went worst; None where it has none in that run."""
    found = {
        State.BLOCKED if job.blocked else _STATES.get(job.status, State.UNKNOWN) for job in jobs
    }
    if State.UNKNOWN in found:
        return State.UNKNOWN
    return max(found, key=_ORDER.index, default=None)


def task_words(jobs: Sequence[TaskJob]) -> str:
    """How the jobs of a task stand, in words."""
    counts: dict[State, int] = {}
    for job in jobs:
        state = state_of_task((job,))
        if state is not None:
            counts[state] = counts.get(state, 0) + 1
    if len(jobs) == 1:
        return MARKS[next(iter(counts))].word
    words = ", ".join(f"{number:,} {MARKS[state].word}" for state, number in counts.items())
    return f"{plural(len(jobs), 'job')}: {words}"


def _called(task: Task) -> str:
    return "  " * task.depth + fold_mark(task) + inert(task.label)


def _tasks(
    shown: Graph, depth: Mapping[str, int], runs: Sequence[Run], folds: Folds
) -> Iterator[Task]:
    """A row for each task: in the order of the graph, then of the newest run that has it."""
    of_task: dict[tuple[str, str], dict[str, list[TaskJob]]] = {}
    for run in runs:
        for job in run.jobs:
            key = job.function, first_word(job.name)
            of_task.setdefault(key, {}).setdefault(run.id, []).append(job)
    here = shown.workflow_id

    def place(key: tuple[str, str]) -> int:
        levels = [depth[job.id] for job in of_task[key].get(here, ()) if job.id in depth]
        return min(levels, default=1 << 30)

    for key in sorted(of_task, key=place):
        by_run = of_task[key]
        if folds.hides_done and _is_done(by_run.get(here, ())):
            continue
        most = max(map(len, by_run.values()))
        if most < SMALLEST_GROUP:
            yield from _named(shown, by_run, here)
            continue
        fold = f"task\0{key[0]}\0{key[1]}"
        is_open = folds.is_open(fold)
        label = common_name([job.name for jobs in by_run.values() for job in jobs])
        yield _task(shown, f"{label} x{most}", by_run, here, fold=fold, is_open=is_open)
        if is_open:
            yield from _named(shown, by_run, here, fold=fold, depth=1)


def _named(
    shown: Graph,
    by_run: Mapping[str, Sequence[TaskJob]],
    here: str,
    fold: str = "",
    depth: int = 0,
) -> Iterator[Task]:
    """A row for each name; for those of a single job a run, whatever its number, one row."""
    if max(map(len, by_run.values())) == 1:
        newest = next(iter(by_run.values()))[0]
        names = {job.name for jobs in by_run.values() for job in jobs}
        label = newest.name if len(names) == 1 else common_name(list(names))
        yield _task(shown, label, by_run, here)
        return
    of_name: dict[str, dict[str, list[TaskJob]]] = {}
    for run_id, jobs in by_run.items():
        for job in jobs:
            of_name.setdefault(job.name, {}).setdefault(run_id, []).append(job)
    for name, jobs_by_run in of_name.items():
        yield _task(shown, name, jobs_by_run, here, fold=fold, is_open=True, depth=depth)


def _task(
    shown: Graph,
    label: str,
    by_run: Mapping[str, Sequence[TaskJob]],
    here: str,
    *,
    fold: str = "",
    is_open: bool = False,
    depth: int = 0,
) -> Task:
    jobs = _ids_in(shown, by_run.get(here, ()))
    function = next(iter(by_run.values()))[0].function
    key = f"task\0{function}\0{label}\0{depth}"
    of_runs = {run_id: tuple(found) for run_id, found in by_run.items()}
    return Task(key, jobs, True, fold, is_open, depth, (), label, of_runs)


def _is_done(jobs: Sequence[TaskJob]) -> bool:
    return bool(jobs) and all(job.status == COMPLETED for job in jobs)


def _ids_in(shown: Graph, jobs: Iterable[TaskJob]) -> tuple[str, ...]:
    return tuple(job.id for job in jobs if job.id in shown.nodes)
