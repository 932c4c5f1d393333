"""The parts of the tree screen, each on a stand-in of a few lines: no app, no terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gigq_tui.keys.hints import DEFAULT_HINTS
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.tree.actions import TreeActions
from gigq_tui.screens.tree.graph_reading import REST_FACTOR, GraphReading
from gigq_tui.screens.tree.outline import Outline
from gigq_tui.store.graph.focus import Direction
from gigq_tui.store.graph.tree import TreeLine
from gigq_tui.store.models import Graph
from gigq_tui.store.questions import Questions
from tests.tui.test_tree_keys import BROKEN, GRAPH, REPORT, RUNS, SCORE


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


class OutlineScreen:
    def __init__(self, line: TreeLine | None) -> None:
        self.line = line
        self.drawn = 0
        self.selected: list[str] = []

    def draw_tree(self) -> None:
        self.drawn += 1

    def select_job(self, job_id: str) -> None:
        self.selected.append(job_id)


def line_of(job_id: str, lines: Sequence[TreeLine]) -> TreeLine:
    return next(line for line in lines if line.id == job_id)


def test_one_side_of_a_job_is_shown_and_the_same_key_shows_all_again() -> None:
    everything = Outline(BROKEN.id, DEFAULT_HINTS, OutlineScreen(None)).lines(GRAPH)
    screen = OutlineScreen(line_of(SCORE.id, everything))
    outline = Outline(BROKEN.id, DEFAULT_HINTS, screen)
    outline.show_upstream()
    assert outline.direction is Direction.UP
    shown = {line.id for line in outline.lines(GRAPH)}
    assert BROKEN.id in shown
    assert not {REPORT.id, RUNS.id} & shown
    outline.show_downstream()
    assert {line.id for line in outline.lines(GRAPH)} == {SCORE.id, REPORT.id}
    outline.show_downstream()
    assert outline.lines(GRAPH) == everything
    assert screen.selected == [SCORE.id] * 3
    assert screen.drawn == 3


def test_jobs_that_look_alike_are_folded_or_not() -> None:
    outline = Outline(BROKEN.id, DEFAULT_HINTS, OutlineScreen(None))
    folded = outline.lines(GRAPH)
    outline.toggle_fold()
    assert len(outline.lines(GRAPH)) > len(folded)
    assert any(line.folded for line in folded)
    assert not any(line.folded for line in outline.lines(GRAPH))


# What is done


class Asking:
    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def ask_retry(self, chosen: ChosenJobs, about: str = "") -> None:
        self.asked.append(("retry", chosen.ids))

    def ask_cancel(self, chosen: ChosenJobs, about: str = "") -> None:
        self.asked.append(("cancel", chosen.ids))


class ActionsScreen:
    def __init__(self, graph: Graph | None, line: TreeLine | None) -> None:
        self.graph = graph
        self.line = line


def test_what_failed_upstream_is_retried_and_what_waits_downstream_cancelled() -> None:
    lines = Outline(BROKEN.id, DEFAULT_HINTS, OutlineScreen(None)).lines(GRAPH)
    asking, notices = Asking(), Said()
    actions = TreeActions(asking, notices, ActionsScreen(GRAPH, line_of(SCORE.id, lines)))
    actions.retry_upstream()
    actions.cancel_downstream()
    assert asking.asked == [("retry", (BROKEN.id,)), ("cancel", (SCORE.id, REPORT.id))]
    TreeActions(asking, notices, ActionsScreen(GRAPH, line_of(RUNS.id, lines))).retry_upstream()
    TreeActions(asking, notices, ActionsScreen(None, None)).cancel_downstream()
    assert len(asking.asked) == 2
    assert len(notices) == 2
