"""The screen of a graph: the dependencies around a job, as a tree, along the time, by levels, or
beside the other runs of their workflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from textual import on
from textual.widget import Widget

from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.job_copy import JobCopy
from gigq_tui.screens.parts.job_links import JobLinks, OpenJob
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.stepped_read import PACE_S
from gigq_tui.screens.tree.actions import TreeActions
from gigq_tui.screens.tree.coming import Coming
from gigq_tui.screens.tree.culprit import Culprit
from gigq_tui.screens.tree.drawing import Drawing, Row
from gigq_tui.screens.tree.folding import Folding
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.screens.tree.graph_list import GraphList
from gigq_tui.screens.tree.graph_reading import GraphReading
from gigq_tui.screens.tree.head import head_line
from gigq_tui.screens.tree.levels_drawing import LevelsDrawing
from gigq_tui.screens.tree.outline import Outline, job_title
from gigq_tui.screens.tree.past_runs import PastRuns
from gigq_tui.screens.tree.row_sentence import row_sentence
from gigq_tui.screens.tree.runs_drawing import RunsDrawing
from gigq_tui.screens.tree.shapes import Shape, Shapes
from gigq_tui.screens.tree.timeline_drawing import TimelineDrawing
from gigq_tui.screens.tree.tree_drawing import TreeDrawing
from gigq_tui.services import Services
from gigq_tui.store.graph.depths import depths
from gigq_tui.store.graph.focus import without_done
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph, JobRow, Snapshot
from gigq_tui.terminal import theme
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.question import wrap_words
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine

# What is said of the row under the cursor has so many lines: more where they are short.
_SENTENCE_LINES = ((76, 3), (0, 4))
# A lower screen has no more than two for it.
_HIGH = 20


class TreeScreen(ConsoleScreen, inherit_bindings=False):
    """The dependency graph around a job.

    Args:
        services: What the console can do.
        job_id: The job whose graph this is; the cursor begins there.
        folds: What was folded the last time; None begins anew.
        shape: How it is drawn first.
    """

    SCOPE = Scope.TREE
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(
        self,
        services: Services,
        job_id: str,
        folds: Folds | None = None,
        shape: Shape = Shape.TREE,
    ) -> None:
        super().__init__(services)
        self.job_id = job_id
        clock, notices = services.settings.clock, services.notices
        self.reading = GraphReading(job_id, clock.monotonic, self.reads, notices, self)
        self.outline = Outline(job_id, self)
        self.folding = Folding(folds or Folds(), notices, self)
        self.shapes = Shapes(self, shape)
        self.finder = RowFinder(self, notices, self._found_by)
        self.opening = OpenJob(self, services.routes)
        self.past_runs = PastRuns(self, services.picture, clock, notices)
        self.coming = Coming(self, services.picture, clock)
        acting = JobActions.of(self, services, self.reading.read_now)
        self.parts = (
            self.reading,
            self.outline,
            self.folding,
            self.shapes,
            self.finder,
            acting,
            TreeActions(acting, notices, self),
            Culprit(notices, self),
            self.past_runs.reading,
            self.past_runs,
            self.coming,
            self.opening,
            JobLinks(self, services.routes, notices),
            JobCopy(self, services.copying, notices, services.settings.path),
        )
        # What was worked out of the graph that was read last.
        self._depth: dict[str, int] = {}
        self._waiting: WaitingBehind | None = None

    def compose_body(self) -> Iterable[Widget]:
        yield TypedLine(id="tree-head")
        yield TextLines(id="tree-rule")
        yield GraphList(id="tree")
        yield TextLines(id="outlook-rule", classes="rule")
        yield TextLines(id="outlook")

    def on_mount(self) -> None:
        self._draw_frame()
        self.reading.read()
        self.set_interval(PACE_S, self.past_runs.reading.keep_up)
        self.set_interval(PACE_S, self.coming.keep_up)

    # What the parts ask

    @property
    def graph(self) -> Graph | None:
        """The graph, once it has been read."""
        return self.reading.graph

    @property
    def branches(self) -> GraphList:
        """The list of rows."""
        return self.query_one(GraphList)

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn in it."""
        return self.branches.drawing

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.branches.row

    @property
    def cursor_job(self) -> str:
        """The job under the cursor; of a row that stands for many, the one that led there."""
        return self.branches.job_id or self.job_id

    @property
    def waiting(self) -> WaitingBehind:
        """How many jobs wait behind each."""
        assert self.graph is not None
        if self._waiting is None:
            self._waiting = WaitingBehind(self.graph)
        return self._waiting

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    @property
    def may_read(self) -> bool:
        """Whether a new graph is wanted now: this is in front, and its picture runs on."""
        return self.is_current and not self.services.picture.paused

    @property
    def chosen_ids(self) -> Sequence[str]:
        """The jobs of the row under the cursor; none where another run is looked at."""
        row, drawing = self.row, self.drawing
        is_elsewhere = isinstance(drawing, RunsDrawing) and drawing.other_run is not None
        return () if row is None or is_elsewhere else row.jobs

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the row of a job, wherever it is."""
        drawing = self.drawing
        if drawing is not None and drawing.index_of(job_id) is None:
            self.outline.show_all()
        self.branches.select_job(job_id)

    def chosen_jobs(self) -> ChosenJobs:
        """The job of the row under the cursor, or all that it stands for."""
        graph = self.graph
        nodes = [graph.nodes[id] for id in self.chosen_ids] if graph is not None else []
        return ChosenJobs.of(node.row for node in nodes)

    def _found_by(self, index: int) -> str:
        drawing = self.drawing
        return drawing.searched(index) if drawing is not None else ""

    # What the base asks

    def crumbs(self) -> tuple[str, ...]:
        return (f"Tree of {job_title(self.graph, self.job_id)}",)

    def destination(self) -> Destination:
        return Destination(self.shapes.shape.word, self.job_id)

    def mover(self) -> Scrolled:
        return self.branches

    def current_row(self) -> JobRow | None:
        chosen = self.chosen_ids
        if len(chosen) != 1 or self.graph is None:
            return None
        return self.graph.nodes[chosen[0]].row

    def marked_count(self) -> int:
        return len(self.chosen_ids) if len(self.chosen_ids) > 1 else 0

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reading.read()
        self.past_runs.take_news()
        self.coming.take_news()

    def tick(self) -> None:
        self.branches.tick(self.services.settings.clock.now())
        self._draw_sentence()

    def on_resize(self) -> None:
        self._draw_frame()

    # Drawing

    def graph_read(self, *, first: bool) -> None:
        """Draw the graph; whether it is the first."""
        self._depth, self._waiting = {}, None
        self.draw_graph()
        if first:
            self.shows_anew()
            self.branches.select_job(self.job_id)
        self.refresh_frame()

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""
        if self.graph is not None:
            self.branches.show(self._drawn(self.graph, self.services.settings.clock.now()))
            self._draw_frame()

    def _drawn(self, graph: Graph, now: datetime) -> Drawing:
        shape, folds = self.shapes.shape, self.folding.folds
        shown = self.outline.shown(graph)
        if folds.hides_done:
            shown = without_done(shown)
        if shape is Shape.TREE:
            hints = self.services.hints
            return TreeDrawing(shown, graph, now, folds, hints, lambda: self.waiting)
        if not self._depth:
            self._depth = depths(graph)
        if shape is Shape.TIMELINE:
            self.coming.look_at(graph)
            coming = self.coming.of(graph)
            depth, hints = self._depth, self.services.hints
            return TimelineDrawing(shown, graph, now, folds, depth, self.waiting, coming, hints)
        if shape is Shape.LEVELS:
            return LevelsDrawing(shown, graph, now, folds, self._depth, self.waiting)
        self.past_runs.look_at(graph.workflow, graph.workflow_id)
        runs, chosen = self.past_runs.runs, self.past_runs.chosen
        return RunsDrawing(shown, graph, now, folds, self._depth, runs, chosen)

    def _draw_frame(self) -> None:
        width = self.app.size.width
        rule: Line = ((theme.RULE * width, "rule"),)
        self.query_one("#outlook-rule", TextLines).show(rule)
        head: Line = ((" reading the graph..", "dim"),)
        if self.graph is not None:
            head = head_line(
                self.graph,
                self.shapes.shape,
                (self.outline.direction, self.outline.narrowed_to),
                hides_done=self.folding.folds.hides_done,
                now=self.services.settings.clock.now(),
                width=width,
                hints=self.services.hints,
            )
        self.typed_line.rest(head)
        drawing = self.drawing
        above = drawing.head(max(1, width - 1)) if drawing is not None else ()
        self.query_one("#tree-rule", TextLines).show(above or rule)
        self._draw_sentence()

    def _draw_sentence(self) -> None:
        width, height = self.app.size
        most = next(n for least, n in _SENTENCE_LINES if width >= least) if height >= _HIGH else 2
        pieces = wrap_words(self._sentence(), max(10, width - 2))
        if len(pieces) > most:
            pieces = [*pieces[: most - 1], " ".join(pieces[most - 1 :])]
        lines: list[Line] = [((f" {piece}", ""),) for piece in pieces]
        outlook = self.query_one("#outlook", TextLines)
        outlook.styles.height = most
        outlook.show(*lines)

    def _sentence(self) -> str:
        if self.graph is None or self.drawing is None:
            return ""
        return row_sentence(self.drawing, self.branches.cursor, self.graph, self.services.hints)

    # Messages of the widgets

    @on(RowList.CursorMoved)
    def _cursor_moved(self) -> None:
        self._draw_sentence()
        self.refresh_frame()

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform(OPEN)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.finder.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.finder.typing_ended(event)

    # Keys

    @does(OPEN)
    def open(self) -> None:
        """Open the job under the cursor, unfold its row, or open another run's tree."""
        row = self.row
        if row is None:
            return
        if isinstance(self.drawing, RunsDrawing):
            self._open_run(self.drawing)
        elif len(row.jobs) > 1:
            self.folding.toggle_here()
        elif self.current_row() is None:
            self.services.notices.tell("That job is not in the queue.", "warn")
        else:
            self.opening.open()

    def _open_run(self, drawing: RunsDrawing) -> None:
        """The tree of the run under the cursor, on the job of this task."""
        jobs = drawing.chosen_jobs(self.branches.cursor)
        if not jobs:
            self.services.notices.tell("That run has no such task.", "warn")
        elif self.graph is not None and jobs[0].id in self.graph.nodes:
            self.branches.job_id = jobs[0].id
            self.shapes.show(Shape.TREE)
        else:
            self.services.routes.show_tree(jobs[0].id)
