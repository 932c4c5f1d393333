"""The tree screen: the dependencies around one job, what each waits for and what it holds up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual import on
from textual.timer import Timer
from textual.widget import Widget

from gigq_tui.format import MARKS, inert, plural, short_count, width_of
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL, RETRY
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import CANCEL_BELOW, DOWNSTREAM, FOLD, RETRY_UP, UPSTREAM
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions, trouble_of
from gigq_tui.screens.parts.job_copy import JobCopy
from gigq_tui.screens.parts.job_links import JobLinks, OpenJob
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.screens.tree.job_sentence import outlook
from gigq_tui.screens.tree.tree_list import TreeList
from gigq_tui.services import Services
from gigq_tui.store.graph.focus import Direction, levels, narrowed, tally, to_cancel, to_retry
from gigq_tui.store.graph.tree import LineKind, TreeLine, tree_lines
from gigq_tui.store.models import Graph, JobRow, Snapshot
from gigq_tui.terminal import theme
from gigq_tui.widgets.header import WIDE
from gigq_tui.widgets.lines import Line, Span, TextLines, line_width, spread
from gigq_tui.widgets.question import wrap_words
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine

# What a graph cost to read and draw, times this, is the pause before it is asked for again.
REST_FACTOR = 4.0
OUTLOOK_LINES = 2


class TreeScreen(ConsoleScreen, inherit_bindings=False):
    """The dependency graph around a job.

    Args:
        job_id: The job whose graph this is; the cursor begins there.
    """

    SCOPE = Scope.TREE
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, job_id: str) -> None:
        super().__init__(services)
        self.job_id = job_id
        self.graph: Graph | None = None
        self.folded = True
        self.direction = Direction.ALL
        self.focus_id = job_id
        self._asked_at: float | None = None
        self._ask_again = False
        self._rest_until = 0.0
        self._rest_timer: Timer | None = None
        self.finder = RowFinder(self, self._told_of)
        self.actions = JobActions(self, self.acted)
        self.opening = OpenJob(self)
        self.parts = (self.finder, self.actions, self.opening, JobLinks(self), JobCopy(self))

    def compose_body(self) -> Iterable[Widget]:
        yield TypedLine(id="tree-head")
        yield TextLines(id="tree-rule", classes="rule")
        yield TreeList(self.console.hints, id="tree")
        yield TextLines(id="outlook-rule", classes="rule")
        yield TextLines(id="outlook")

    @property
    def branches(self) -> TreeList:
        """The list of lines."""
        return self.query_one(TreeList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    def crumbs(self) -> tuple[str, ...]:
        return (f"Tree of {self._name_of(self.job_id)}",)

    def mover(self) -> Scrolled:
        return self.branches

    def on_mount(self) -> None:
        self._draw_frame()
        self._ask_graph()

    # Reading

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._ask_graph()

    def awaits(self, action: Action) -> bool:
        return self.graph is None and is_about_rows(action)

    def _ask_graph(self) -> None:
        """Ask for the graph, one question at a time, the costlier the more seldom."""
        if self._asked_at is not None:
            self._ask_again = True
            return
        now = self.console.monotonic()
        if now < self._rest_until:
            if self._rest_timer is None:
                self._rest_timer = self.set_timer(self._rest_until - now, self._rested)
            return
        self._asked_at = now
        self._ask_again = False
        self.ask("graph", self.job_id, self._receive)

    def _rested(self) -> None:
        self._rest_timer = None
        self._rest_until = 0.0
        if self.is_current and not self.console.held:
            self._ask_graph()

    def _receive(self, answer: Any) -> None:
        asked_at, self._asked_at = self._asked_at, None
        if not self.is_whole:
            return
        if isinstance(answer, Graph):
            first = self.graph is None
            self.graph = answer
            self._draw()
            if first:
                self.shows_anew()
                self.branches.select_job(self.job_id)
            self.refresh_frame()
        else:
            self.console.notice(trouble_of(answer), "warn")
        now = self.console.monotonic()
        if asked_at is not None:
            self._rest_until = now + REST_FACTOR * (now - asked_at)
        if self._ask_again:
            self._ask_graph()

    # Drawing

    def _draw(self) -> None:
        if self.graph is None:
            return
        lines = tree_lines(narrowed(self.graph, self.focus_id, self.direction), self.folded)
        self.branches.show(self.graph, lines, self.console.clock.now())
        self._draw_frame()

    def _draw_frame(self) -> None:
        width = self.app.size.width
        rule: Line = ((theme.RULE * width, "rule"),)
        for line in self.query(".rule").results(TextLines):
            line.show(rule)
        self.typed_line.rest(self._head(width))
        self._draw_outlook()

    def _head(self, width: int) -> Line:
        graph = self.graph
        if graph is None:
            return ((" reading the graph..", "dim"),)
        hints = self.console.hints
        fold = f"{'folded' if self.folded else 'unfolded'} ({hints(FOLD)})"
        focus = self.direction.value
        if self.direction is not Direction.ALL:
            key = hints(UPSTREAM if self.direction is Direction.UP else DOWNSTREAM)
            focus = f"{focus} of {self._name_of(self.focus_id)} ({key})"
        right: Line = (
            (f"{focus}  ", "" if self.direction is Direction.ALL else "warn"),
            (fold, "dim"),
        )
        spans: list[Span] = [(f" {plural(len(graph.nodes), 'job')}", "title")]
        if graph.truncated:
            spans.append((" (nearest only)", "warn"))
        wide = width >= WIDE
        if wide:
            spans.append((f", {plural(levels(graph), 'level')}", "dim"))
        for state, number in tally(graph, self.console.clock.now()).items():
            mark = MARKS[state]
            word = mark.word if wide else mark.short
            spans.append((f"  {word} {short_count(number)}", mark.role))
        if line_width(tuple(spans)) + line_width(right) + 3 > width:
            right = right[:1] if self.direction is not Direction.ALL else ((fold, "dim"),)
        return spread(tuple(spans), (*right, (" ", "")), width)

    def _draw_outlook(self) -> None:
        width = max(10, self.app.size.width - 2)
        pieces = wrap_words(self._outlook(), width)
        if len(pieces) > OUTLOOK_LINES:
            pieces = [*pieces[: OUTLOOK_LINES - 1], " ".join(pieces[OUTLOOK_LINES - 1 :])]
        lines: list[Line] = [((f" {piece}", ""),) for piece in pieces]
        self.query_one("#outlook", TextLines).show(*lines)

    def _outlook(self) -> str:
        line, hints = self.branches.line, self.console.hints
        if line is None or self.graph is None:
            return ""
        if line.folded:
            folded = plural(line.fold_count, "job")
            return (
                f"{folded} in one line: {hints(CANCEL)} and {hints(RETRY)} act on all of them, "
                f"{hints(FOLD)} or {hints(OPEN)} unfolds."
            )
        return outlook(self.graph, line.id, self.console.clock.now(), hints)

    def _told_of(self, index: int) -> str:
        """What a line is found by: the name, the function and the id of its job, or its jobs."""
        line, graph = self.branches.lines[index], self.graph
        nodes = [graph.nodes[id] for id in line.folded or (line.id,)] if graph is not None else []
        rows = [node.row for node in nodes if node.row is not None]
        return " ".join([line.id, *(f"{row.name} {row.function} {row.id}" for row in rows)])

    def _name_of(self, job_id: str) -> str:
        node = self.graph.nodes.get(job_id) if self.graph is not None else None
        name = node.row.name if node is not None and node.row is not None else ""
        short = job_id[:8]
        return inert(f"{name} {short}" if width_of(name) < 40 else f"{name[:36]}.. {short}").strip()

    def tick(self) -> None:
        self.branches.tick(self.console.clock.now())
        self._draw_outlook()

    def on_resize(self) -> None:
        self._draw_frame()

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        self._draw_outlook()
        self.refresh_frame()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(OPEN)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.finder.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.finder.typing_ended(event)

    # What keys act on

    def _line(self) -> TreeLine | None:
        return self.branches.line

    def chosen_jobs(self) -> ChosenJobs:
        """The job of the line under the cursor, or all that are folded in it."""
        line = self._line()
        if line is None or self.graph is None:
            return ChosenJobs()
        return ChosenJobs.of(self.graph.nodes[id].row for id in line.folded or (line.id,))

    def current_row(self) -> JobRow | None:
        line = self._line()
        if line is None or line.folded or self.graph is None:
            return None
        return self.graph.nodes[line.id].row

    def marked_count(self) -> int:
        line = self._line()
        return line.fold_count if line is not None else 0

    def acted(self) -> None:
        """Something was done to the chosen jobs: read the graph anew at once."""
        self._rest_until = 0.0
        self._ask_graph()

    # Acting

    @does(OPEN)
    def do_open(self) -> None:
        line = self._line()
        if line is not None and line.folded:
            self.do_fold()
        elif line is not None and line.kind is LineKind.MISSING:
            self.console.notice("That job is not in the queue.", "warn")
        else:
            self.opening.open()

    @does(RETRY_UP)
    def do_retry_up(self) -> None:
        """Retry the job under the cursor and every ancestor that ended badly."""
        rows = self._gathered(to_retry)
        if not rows:
            self.console.notice("Nothing has failed here or upstream.", "warn")
            return
        self.actions.ask_retry(ChosenJobs.of(rows), " (here and upstream)")

    @does(CANCEL_BELOW)
    def do_cancel_below(self) -> None:
        """Cancel the job under the cursor and whatever waits for it."""
        rows = self._gathered(to_cancel)
        if not rows:
            self.console.notice("Nothing is waiting or running here or downstream.", "warn")
            return
        self.actions.ask_cancel(ChosenJobs.of(rows), " (here and downstream)")

    def _gathered(
        self, gather: Callable[[Graph, Sequence[str]], tuple[JobRow, ...]]
    ) -> tuple[JobRow, ...]:
        line, graph = self._line(), self.graph
        if line is None or graph is None:
            return ()
        return gather(graph, line.folded or (line.id,))

    @does(UPSTREAM)
    def do_upstream(self) -> None:
        """Show only what the job under the cursor waits for, or all again."""
        self._look(Direction.UP)

    @does(DOWNSTREAM)
    def do_downstream(self) -> None:
        """Show only what waits for the job under the cursor, or all again."""
        self._look(Direction.DOWN)

    def _look(self, direction: Direction) -> None:
        line = self._line()
        if line is None:
            return
        if self.direction is direction:
            self.direction = Direction.ALL
        else:
            self.direction, self.focus_id = direction, line.id
        self._draw()
        self.branches.select_job(line.id)

    @does(FOLD)
    def do_fold(self) -> None:
        """Fold jobs that look alike into one line, or unfold them."""
        line = self._line()
        self.folded = not self.folded
        self._draw()
        if line is not None:
            self.branches.select_job(line.id)
