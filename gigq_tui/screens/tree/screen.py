"""The tree screen: the dependencies around one job, what each waits for and what it blocks."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_tui.format import plural
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL, RETRY
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import FOLD
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.job_copy import JobCopy
from gigq_tui.screens.parts.job_links import JobLinks, OpenJob
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.tree.actions import TreeActions
from gigq_tui.screens.tree.graph_reading import GraphReading
from gigq_tui.screens.tree.job_sentence import job_sentence
from gigq_tui.screens.tree.outline import Outline, job_title
from gigq_tui.screens.tree.tree_list import TreeList
from gigq_tui.services import Services
from gigq_tui.store.graph.tree import LineKind, TreeLine
from gigq_tui.store.models import Graph, GraphNode, JobRow, Snapshot
from gigq_tui.terminal import theme
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.question import wrap_words
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine

SENTENCE_LINES = 2


class TreeScreen(ConsoleScreen, inherit_bindings=False):
    """The dependency graph around a job.

    Args:
        services: What the console can do.
        job_id: The job whose graph this is; the cursor begins there.
    """

    SCOPE = Scope.TREE
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, job_id: str) -> None:
        super().__init__(services)
        self.job_id = job_id
        self.reading = GraphReading(
            job_id, services.settings.clock.monotonic, self.reads, services.notices, self
        )
        self.outline = Outline(job_id, services.hints, self)
        self.finder = RowFinder(self, services.notices, self._found_by)
        self.opening = OpenJob(self, services.routes)
        acting = JobActions.of(self, services, self.reading.read_now)
        self.parts = (
            self.reading,
            self.outline,
            self.finder,
            acting,
            TreeActions(acting, services.notices, self),
            self.opening,
            JobLinks(self, services.routes, services.notices),
            JobCopy(self, services.copying, services.notices, services.settings.path),
        )

    def compose_body(self) -> Iterable[Widget]:
        yield TypedLine(id="tree-head")
        yield TextLines(id="tree-rule", classes="rule")
        yield TreeList(self.services.hints, id="tree")
        yield TextLines(id="outlook-rule", classes="rule")
        yield TextLines(id="outlook")

    def on_mount(self) -> None:
        self._draw_frame()
        self.reading.read()

    # What the parts ask

    @property
    def graph(self) -> Graph | None:
        """The graph, once it has been read."""
        return self.reading.graph

    @property
    def branches(self) -> TreeList:
        """The list of lines."""
        return self.query_one(TreeList)

    @property
    def line(self) -> TreeLine | None:
        """The line under the cursor."""
        return self.branches.line

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    @property
    def may_read(self) -> bool:
        """Whether a new graph is wanted now: this is in front, and its picture runs on."""
        return self.is_current and not self.services.picture.paused

    def select_job(self, job_id: str) -> None:
        """Put the cursor on the line of a job."""
        self.branches.select_job(job_id)

    def chosen_jobs(self) -> ChosenJobs:
        """The job of the line under the cursor, or all that are folded in it."""
        return ChosenJobs.of(node.row for node in self._nodes_of(self.line))

    def _nodes_of(self, line: TreeLine | None) -> list[GraphNode]:
        if line is None or self.graph is None:
            return []
        return [self.graph.nodes[id] for id in line.folded or (line.id,)]

    def _found_by(self, index: int) -> str:
        """What a line is found by: the name, the function and the id of its job, or its jobs."""
        line = self.branches.lines[index]
        rows = [node.row for node in self._nodes_of(line) if node.row is not None]
        return " ".join([line.id, *(f"{row.name} {row.function} {row.id}" for row in rows)])

    # What the base asks

    def crumbs(self) -> tuple[str, ...]:
        return (f"Tree of {job_title(self.graph, self.job_id)}",)

    def destination(self) -> Destination:
        return Destination("tree", self.job_id)

    def mover(self) -> Scrolled:
        return self.branches

    def current_row(self) -> JobRow | None:
        line = self.line
        if line is None or line.folded or self.graph is None:
            return None
        return self.graph.nodes[line.id].row

    def marked_count(self) -> int:
        return self.line.fold_count if self.line is not None else 0

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reading.read()

    def tick(self) -> None:
        self.branches.tick(self.services.settings.clock.now())
        self._draw_sentence()

    def on_resize(self) -> None:
        self._draw_frame()

    # Drawing

    def graph_read(self, *, first: bool) -> None:
        """Draw the graph; whether it is the first."""
        self.draw_tree()
        if first:
            self.shows_anew()
            self.branches.select_job(self.job_id)
        self.refresh_frame()

    def draw_tree(self) -> None:
        """Draw the lines anew."""
        if self.graph is not None:
            self.branches.show(
                self.graph, self.outline.lines(self.graph), self.services.settings.clock.now()
            )
            self._draw_frame()

    def _draw_frame(self) -> None:
        width = self.app.size.width
        rule: Line = ((theme.RULE * width, "rule"),)
        for line in self.query(".rule").results(TextLines):
            line.show(rule)
        head: Line = ((" reading the graph..", "dim"),)
        if self.graph is not None:
            head = self.outline.head(self.graph, self.services.settings.clock.now(), width)
        self.typed_line.rest(head)
        self._draw_sentence()

    def _draw_sentence(self) -> None:
        pieces = wrap_words(self._sentence(), max(10, self.app.size.width - 2))
        if len(pieces) > SENTENCE_LINES:
            pieces = [*pieces[: SENTENCE_LINES - 1], " ".join(pieces[SENTENCE_LINES - 1 :])]
        lines: list[Line] = [((f" {piece}", ""),) for piece in pieces]
        self.query_one("#outlook", TextLines).show(*lines)

    def _sentence(self) -> str:
        line, hints = self.line, self.services.hints
        if line is None or self.graph is None:
            return ""
        if line.folded:
            folded = plural(line.fold_count, "job")
            return (
                f"{folded} in one line: {hints(CANCEL)} and {hints(RETRY)} act on all of them, "
                f"{hints(FOLD)} or {hints(OPEN)} unfolds."
            )
        return job_sentence(self.graph, line.id, self.services.settings.clock.now(), hints)

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
        """Open the job under the cursor, or unfold its line."""
        line = self.line
        if line is not None and line.folded:
            self.outline.toggle_fold()
        elif line is not None and line.kind is LineKind.MISSING:
            self.services.notices.tell("That job is not in the queue.", "warn")
        else:
            self.opening.open()
