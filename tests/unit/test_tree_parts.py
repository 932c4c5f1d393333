"""The parts of the tree screen, each on a stand-in of a few lines: no app, no terminal."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.tree.actions import TreeActions
from gigq_tui.screens.tree.drawing import Drawing, Row
from gigq_tui.screens.tree.folding import Folding
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.screens.tree.graph_reading import REST_FACTOR, GraphReading
from gigq_tui.screens.tree.outline import Outline
from gigq_tui.screens.tree.tree_drawing import LARGE_GRAPH, TreeDrawing
from gigq_tui.store.graph.focus import Direction, without_done
from gigq_tui.store.models import Graph
from gigq_tui.store.questions import Questions
from tests.scene import NOW
from tests.tui.harness import row
from tests.tui.test_tree_keys import BROKEN, GRAPH, REPORT, RUNS, SCORE, SOURCE, graph_of


class Said(list[str]):
    """What was said."""

    def tell(self, text: str, tone: str = "info") -> None:
        self.append(text)


# Reading


class Reads:
    """A reader that answers when it is told to, and a clock that goes on meanwhile."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waiting: list[tuple[Callable[[Graph | None], None], Callable[[str], None]]] = []

    def ask(
        self,
        read: Callable[[Questions], Graph | None],
        got: Callable[[Graph | None], None],
        failed: Callable[[str], None],
    ) -> None:
        self.waiting.append((got, failed))

    def answer(self, graph: Graph | None, after_s: float = 0.0) -> None:
        self.now += after_s
        self.waiting.pop(0)[0](graph)


class GraphScreen:
    def __init__(self) -> None:
        self.may_read = True
        self.firsts: list[bool] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Any:
        self.timers.append((delay, callback))
        return object()

    def graph_read(self, *, first: bool) -> None:
        self.firsts.append(first)


def reading() -> tuple[GraphReading, Reads, GraphScreen, Said]:
    reads, screen, notices = Reads(), GraphScreen(), Said()
    return (
        GraphReading(BROKEN.id, lambda: reads.now, reads, notices, screen),
        reads,
        screen,
        notices,
    )


def test_a_costly_graph_rests_as_long_as_it_took_times_a_factor() -> None:
    part, reads, screen, _ = reading()
    part.read()
    reads.answer(GRAPH, after_s=2.0)
    part.read()
    part.read()
    assert not reads.waiting
    assert [delay for delay, _ in screen.timers] == [2.0 * REST_FACTOR]
    screen.timers[0][1]()
    assert len(reads.waiting) == 1
    reads.answer(GRAPH)
    assert screen.firsts == [True, False]


def test_what_is_asked_for_while_an_answer_is_out_is_one_question_behind_it() -> None:
    part, reads, _, _ = reading()
    for _ in range(5):
        part.read()
    assert len(reads.waiting) == 1
    reads.answer(GRAPH)
    assert len(reads.waiting) == 1
    reads.answer(GRAPH)
    assert not reads.waiting


def test_an_action_does_not_wait_for_the_rest() -> None:
    part, reads, _, _ = reading()
    part.read()
    reads.answer(GRAPH, after_s=60.0)
    part.read_now()
    assert len(reads.waiting) == 1


def test_a_screen_that_is_not_looked_at_reads_nothing_after_its_rest() -> None:
    part, reads, screen, _ = reading()
    part.read()
    reads.answer(GRAPH, after_s=1.0)
    part.read()
    screen.may_read = False
    screen.timers[0][1]()
    assert not reads.waiting


def test_trouble_is_said_and_asked_about_again() -> None:
    part, reads, screen, notices = reading()
    part.read()
    reads.waiting.pop()[1]("The file can't be read.")
    part.read()
    reads.answer(None)
    assert part.graph is None
    assert len(notices) == 2
    assert screen.firsts == []


# What is drawn


class GraphView:
    """What the parts that choose what is drawn see of the screen."""

    def __init__(self, job_id: str = BROKEN.id, row: Row | None = None) -> None:
        self.cursor_job = job_id
        self.row = row
        self.drawn = 0

    def draw_graph(self) -> None:
        self.drawn += 1


def tree(folds: Folds, graph: Graph = GRAPH) -> TreeDrawing:
    return TreeDrawing(graph, graph, NOW, folds)


def ids_of(drawing: Drawing) -> set[str]:
    return {id for row in drawing.rows for id in row.jobs}


def test_one_side_of_a_job_is_shown_and_the_same_key_shows_all_again() -> None:
    screen = GraphView(SCORE.id)
    outline = Outline(BROKEN.id, screen)
    outline.show_upstream()
    assert outline.direction is Direction.UP
    shown = set(outline.shown(GRAPH).nodes)
    assert BROKEN.id in shown
    assert not {REPORT.id, RUNS.id} & shown
    outline.show_downstream()
    assert set(outline.shown(GRAPH).nodes) == {SCORE.id, REPORT.id}
    outline.show_downstream()
    assert outline.shown(GRAPH) is GRAPH
    assert screen.drawn == 3


def test_jobs_that_look_alike_are_folded_all_at_once_or_one_by_one() -> None:
    screen = GraphView()
    folds = Folds()
    folding = Folding(folds, Said(), screen)
    folded = tree(folds).rows
    screen.row = next(row for row in folded if len(row.jobs) > 1)
    folding.toggle_here()
    opened = tree(folds).rows
    assert len(opened) == len(folded) + len(screen.row.jobs) - 1
    assert not any(len(row.jobs) > 1 for row in opened)
    screen.row = opened[-1]
    folding.toggle_here()
    assert tree(folds).rows == folded
    folding.toggle_all()
    assert [row.jobs for row in tree(folds).rows] == [row.jobs for row in opened]
    folding.toggle_all()
    assert tree(folds).rows == folded
    assert screen.drawn == 4


def test_a_closed_branch_holds_what_is_behind_it_and_is_found() -> None:
    folds, screen = Folds(), GraphView()
    folding = Folding(folds, Said(), screen)
    drawing = tree(folds)
    at = drawing.index_of(BROKEN.id)
    assert at is not None
    screen.row = drawing.rows[at]
    folding.toggle_here()
    closed = tree(folds)
    assert not {SCORE.id, REPORT.id} & ids_of(closed)
    assert closed.index_of(REPORT.id) == closed.index_of(BROKEN.id) == at
    assert "report" in closed.searched(at)
    screen.row = closed.rows[at]
    folding.toggle_here()
    assert tree(folds).rows == drawing.rows


def test_nothing_to_fold_is_said() -> None:
    said = Said()
    Folding(Folds(), said, GraphView()).toggle_here()
    assert said == ["Nothing to fold in this row."]


def test_branches_of_which_all_is_done_are_closed_where_the_graph_is_large() -> None:
    def made(count: int) -> Graph:
        """A chain that is done, and a running job with many children."""
        done = [row(n, f"step {chr(96 + n)}", "completed") for n in range(1, 5)]
        root = row(5, "root", "running")
        fan = [(root, row(n, f"leaf {n}", blocked=True)) for n in range(6, 6 + count)]
        return graph_of(root, *pairwise(done), *fan)

    small, large = made(20), made(LARGE_GRAPH)
    first, last = row(1).id, row(4).id
    assert last in {row.id for row in tree(Folds(), small).rows}
    drawing = tree(Folds(), large)
    assert last not in ids_of(drawing)
    at = drawing.index_of(last)
    assert at is not None
    assert drawing.rows[at].id == first
    assert "+3 below" in "".join(text for text, _ in drawing.line(at, 100, selected=False))
    folds = Folds()
    folds.choose(drawing.rows[at].fold, is_open=True)
    assert tree(folds, large).rows[1].jobs == (row(2).id,)


def test_what_completed_can_be_left_out() -> None:
    shown = without_done(GRAPH)
    assert SOURCE.id not in shown.nodes
    assert {BROKEN.id, RUNS.id} <= set(shown.roots)
    assert without_done(shown) is shown


# What is done


class Asking:
    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def ask_retry(self, chosen: ChosenJobs, about: str = "") -> None:
        self.asked.append(("retry", chosen.ids))

    def ask_cancel(self, chosen: ChosenJobs, about: str = "") -> None:
        self.asked.append(("cancel", chosen.ids))


class ActionsScreen:
    def __init__(self, graph: Graph | None, *chosen_ids: str) -> None:
        self.graph = graph
        self.chosen_ids = chosen_ids


def test_what_failed_upstream_is_retried_and_what_waits_downstream_cancelled() -> None:
    asking, notices = Asking(), Said()
    actions = TreeActions(asking, notices, ActionsScreen(GRAPH, SCORE.id))
    actions.retry_upstream()
    actions.cancel_downstream()
    assert asking.asked == [("retry", (BROKEN.id,)), ("cancel", (SCORE.id, REPORT.id))]
    TreeActions(asking, notices, ActionsScreen(GRAPH, RUNS.id)).retry_upstream()
    TreeActions(asking, notices, ActionsScreen(None)).cancel_downstream()
    assert len(asking.asked) == 2
    assert len(notices) == 2
