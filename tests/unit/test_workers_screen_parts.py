"""The parts of the workers screen, each on a stand-in for the screen: no app, no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.widget import Widget

from gigq_core.reasons.why import Health
from gigq_core.status import WorkerRequest
from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.workers.pool import SpawnedWorker
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.keys.handlers import Handler, handlers_of
from gigq_tui.keys.hints import DEFAULT_HINTS
from gigq_tui.keys.screen_actions import BACK, QUIT, WORKER_COPY, WORKER_DRAIN, WORKER_KILL
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.screens.workers import usage, worker_count
from gigq_tui.screens.workers.actions import WorkerActions
from gigq_tui.screens.workers.copy import WorkerCopy
from gigq_tui.screens.workers.entries import WorkerEntry, describe_worker, entries, weight
from gigq_tui.screens.workers.log import LogRead, WorkerLog
from gigq_tui.screens.workers.order import WorkerOrder
from gigq_tui.screens.workers.usage import WorkerUsage
from gigq_tui.screens.workers.worker_count import WorkerCount
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.machine import Machine
from gigq_tui.store.models import ForeignWorker, RunningJob, Snapshot, WorkerRow
from gigq_tui.store.processes import ProcessFigures, Sampler
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine
from gigq_tui.widgets.worker_words import condition
from tests.scene import NOW
from tests.tui.harness import snapshot_of
from tests.unit.test_worker_order import worker

JOB = RunningJob("aaaaaaaa-1", "train_fold", NOW - timedelta(hours=1))
IDLE = worker("w1")
BUSY = worker("w2", running=(JOB,))


class Told:
    """What is told, and what is copied."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.copied: list[tuple[str, str]] = []

    def tell(self, text: str, tone: str = "info") -> None:
        self.texts.append(text)

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None:
        self.copied.append((text, what))

    def everywhere(self) -> list[Choice]:
        return [Choice("w", "this view as a command")]


class AScreen:
    """A line under the cursor, a log and its head, and the question that is asked."""

    def __init__(self, *rows: WorkerRow) -> None:
        self.snapshot = snapshot_of([], workers=rows)
        self.entry: WorkerEntry | None = next(iter(entries(self.snapshot)), None)
        self.text_view, self.typed_line = TextView(), TypedLine()
        self.columns, self.shows_list = 80, True
        self.classes: set[str] = set()
        self.polls = self.draws = 0
        self.asked: Question | None = None
        self.reads = self
        self.panel: Widget | None = None

    def question(self, question: Question) -> None:
        self.asked = question

    def set_class(self, add: bool, *class_names: str) -> object:
        self.classes = set(class_names) if add else set()
        return self

    def poll(self) -> None:
        self.polls += 1

    def draw(self) -> None:
        self.draws += 1

    def find_out(self, call: Callable[[], Any], got: Callable[[Any], None]) -> None:
        got(call())

    def lay_over(self, panel: Widget) -> None:
        self.panel = panel

    def answer(self, key: str) -> None:
        """Choose in the question that was asked."""
        assert self.asked is not None
        choice = next(choice for choice in self.asked.choices if choice.key == key)
        assert choice.act is not None
        choice.act()


class Control:
    """The workers that can be controlled, and what was done to them."""

    def __init__(self, *own: str) -> None:
        self.pool = self
        self.setup = WorkerSetup(sys.executable, Path("/srv"))
        self.own = own
        self.calls: list[tuple[Any, ...]] = []

    def staying(self) -> Sequence[SpawnedWorker]:
        return [SpawnedWorker(name, 4100, Path("w.log")) for name in self.own]

    def is_own(self, worker_id: str) -> bool:
        return worker_id in self.own

    def drain_own(self, worker_id: str) -> None:
        self.calls.append(("drain_own", worker_id))

    def kill_own(self, worker_id: str) -> None:
        self.calls.append(("kill_own", worker_id))

    def ask(self, worker: WorkerRow, request: WorkerRequest) -> None:
        self.calls.append(("ask", worker.id, request))

    def release(self, held: Sequence[HeldJob], after: Callable[[], None] | None = None) -> None:
        self.calls.append(("release", *(job.id for job in held)))

    def start(self, count: int, setup: WorkerSetup) -> None:
        self.calls.append(("start", count))

    def drain(self, count: int, *, busy_too: bool) -> None:
        self.calls.append(("stop", count, busy_too))


def acting(screen: AScreen, control: Control) -> tuple[dict[str, Handler], Told]:
    told = Told()
    return handlers_of(WorkerActions(screen, control, told, DEFAULT_HINTS)), told


# --- acting on a worker


@pytest.mark.parametrize(
    ("action", "own", "call"),
    [
        ("worker_drain", True, ("drain_own", "w1")),
        ("worker_drain", False, ("ask", "w1", "drain")),
        ("worker_kill", True, ("kill_own", "w1")),
        ("worker_kill", False, ("ask", "w1", "stop")),
        ("worker_pause", True, ("ask", "w1", "pause")),
    ],
)
def test_a_worker_of_ours_is_told_by_signal_and_any_other_asked_once_somebody_says_yes(
    action: str, own: bool, call: tuple[str, ...]
) -> None:
    screen, control = AScreen(IDLE), Control(*(["w1"] if own else []))
    handlers, _ = acting(screen, control)
    handlers[action]()
    assert control.calls == []
    screen.answer("y")
    assert control.calls == [call]


@pytest.mark.parametrize(
    ("row", "action"),
    [
        (replace(IDLE, state="draining"), "worker_drain"),
        (replace(IDLE, state="stopping"), "worker_pause"),
        (replace(IDLE, health=Health.STOPPED), "worker_kill"),
        (replace(BUSY, health=Health.LOST), "worker_pause"),
        (BUSY, "worker_release"),
        (replace(IDLE, health=Health.LOST), "worker_release"),
        (None, "worker_drain"),
    ],
)
def test_what_cannot_be_done_to_a_worker_is_said_and_not_asked(
    row: WorkerRow | None, action: str
) -> None:
    screen, control = AScreen(*([row] if row else [])), Control()
    handlers, told = acting(screen, control)
    handlers[action]()
    assert screen.asked is None
    assert len(told.texts) == 1


def test_a_gigq_worker_can_only_be_stopped_where_it_was_started() -> None:
    screen, control = AScreen(), Control()
    screen.entry = WorkerEntry("gigq:x", None, ForeignWorker("x", (JOB,)), JOB)
    handlers, told = acting(screen, control)
    handlers["worker_kill"]()
    assert screen.asked is None
    assert "GigQ" in told.texts[0]


def test_the_jobs_of_a_lost_worker_are_released() -> None:
    screen, control = AScreen(replace(BUSY, health=Health.LOST)), Control()
    handlers, _ = acting(screen, control)
    handlers["worker_release"]()
    screen.answer("y")
    assert control.calls == [("release", JOB.id)]


def test_nothing_is_done_to_a_worker_whose_line_is_not_seen() -> None:
    screen, told = AScreen(IDLE), Told()
    part = WorkerActions(screen, Control(), told, DEFAULT_HINTS)
    assert not part.forestalls(WORKER_KILL)
    screen.shows_list = False
    assert part.forestalls(WORKER_KILL)
    assert part.forestalls(WORKER_DRAIN)
    assert not part.forestalls(WORKER_COPY)
    assert len(told.texts) == 2


# --- the order of the list


def test_rows_stand_still_for_a_while_after_the_cursor_moved_and_are_due_then() -> None:
    screen, clock = AScreen(), [0.0]
    order = WorkerOrder(screen, lambda: clock[0], Told())
    order.sort_by("done")

    def shown(first: int, second: int) -> list[str]:
        rows = (worker("w1", done=first), worker("w2", done=second))
        found = entries(snapshot_of([], workers=rows))
        return [group[0].id for group in order.arrange(found, {}, NOW)]

    assert shown(5, 9) == ["w2", "w1"]
    order.hold()
    assert shown(50, 9) == ["w2", "w1"]
    assert not order.is_due
    clock[0] = STILL_S
    assert order.is_due
    assert shown(50, 9) == ["w1", "w2"]
    assert not order.is_due


def test_what_is_typed_filters_the_list_at_once_and_is_told_above_it() -> None:
    screen = AScreen(IDLE, BUSY)
    order = WorkerOrder(screen, lambda: 0.0, Told())
    order.hold()
    order.show_typed("train")
    assert screen.draws == 1
    (group,) = order.arrange(entries(screen.snapshot), {}, NOW)
    assert group[0].id == "w2"
    assert order.describe(1, 2) == ((" /train 1 of 2", "accent"),)
    order.typing_ended(TypedLine.Ended("", kept=False))
    assert len(order.arrange(entries(screen.snapshot), {}, NOW)) == 2
    assert not order.widen()


# --- the log


def logged(row: WorkerRow, path: Path) -> WorkerRow:
    return replace(row, log_path=str(path))


def test_the_log_of_another_worker_is_read_at_once_and_what_comes_of_the_old_one_is_dropped(
    tmp_path: Path,
) -> None:
    screen, path = AScreen(logged(IDLE, tmp_path / "w1.log")), tmp_path / "w1.log"
    path.write_text("one\ntwo\n")
    log = WorkerLog(screen, Told(), DEFAULT_HINTS)
    log.begin()
    log.follow_cursor()
    assert (log.path, screen.polls) == (path, 1)
    log.take(log.reading()())
    assert list(screen.text_view.lines) == ["one", "two"]
    log.take(LogRead(tmp_path / "w0.log", Tail(lines=("old",))))
    assert list(screen.text_view.lines) == ["one", "two"]
    assert screen.polls == 2


def test_the_log_is_searched_and_wrapped_only_where_it_is_expanded(tmp_path: Path) -> None:
    screen, told = AScreen(logged(IDLE, tmp_path / "w1.log")), Told()
    log = WorkerLog(screen, told, DEFAULT_HINTS)
    log.begin()
    log.follow_cursor()
    log.reader.do_find()
    log.reader.do_wrap()
    assert not screen.typed_line.typing
    assert not screen.text_view.wrap
    assert len(told.texts) == 2
    log.do_worker_log()
    assert screen.classes == {"-log"}
    assert screen.text_view.wrap
    log.reader.do_wrap()
    log.reader.show_typed("x")
    assert log.step_back()
    assert log.is_expanded
    assert log.step_back()
    assert not log.step_back()
    assert (log.is_expanded, screen.classes) == (False, set())
    log.do_worker_log()
    assert not screen.text_view.wrap, "it is read as it was read before"


def test_a_worker_without_a_log_has_none_to_expand() -> None:
    screen, told = AScreen(IDLE), Told()
    log = WorkerLog(screen, told, DEFAULT_HINTS)
    log.follow_cursor()
    log.do_worker_log()
    assert not log.is_expanded
    assert len(told.texts) == 1


def test_a_trouble_that_lasts_is_drawn_once(tmp_path: Path) -> None:
    screen = AScreen(logged(IDLE, tmp_path / "none.log"))
    log = WorkerLog(screen, Told(), DEFAULT_HINTS)
    log.follow_cursor()
    log.take(log.reading()())
    drawn = list(screen.text_view.lines)
    assert len(drawn) == 1
    screen.text_view.show(())
    log.take(log.reading()())
    assert list(screen.text_view.lines) == []


# --- copying


def test_of_a_worker_the_pid_is_copied_and_from_an_expanded_log_what_is_asked_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "w1.log"
    path.write_text("one\ntwo\n")
    screen, told = AScreen(logged(IDLE, path)), Told()
    log = WorkerLog(screen, told, DEFAULT_HINTS)
    copy = WorkerCopy(screen, log, told, told)
    log.follow_cursor()
    copy.do_worker_copy()
    screen.answer("i")
    log.do_worker_log()
    copy.do_worker_copy()
    screen.answer("o")
    screen.answer("i")
    assert told.copied == [("101", "the pid"), ("one\ntwo", "the log"), ("101", "the pid")]


def test_a_worker_whose_pid_is_unknown_has_none_to_copy() -> None:
    screen, told = AScreen(), Told()
    WorkerCopy(screen, WorkerLog(screen, told, DEFAULT_HINTS), told, told).do_worker_copy()
    assert screen.asked is not None
    assert [choice.key for choice in screen.asked.choices] == ["escape", "w"]


# --- measuring


def test_processes_and_machine_are_measured_every_other_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage.socket, "gethostname", lambda: "etl-3")
    sampled: list[int] = []

    def processes() -> dict[int, ProcessFigures]:
        sampled.append(1)
        return {101: ProcessFigures(1, 5.0, 1.0, 212)}

    machines = iter([Machine("etl-3", 4, 1.0, 10.0), Machine("etl-3", 4, 2.0, 10.0)])
    part = WorkerUsage(Sampler(processes, lambda: float(len(sampled))), lambda _: next(machines))
    snapshot = snapshot_of([], workers=(IDLE, worker("w9", host="far")))
    news = [part.take(part.measuring(snapshot)()) for _ in range(4)]
    assert news == [True, False, True, False]
    assert len(sampled) == 2
    assert list(part.by_pid) == [101]
    assert part.machine == Machine("etl-3", 4, 2.0, 10.0)


# --- how many workers


class Picture:
    """The newest snapshot."""

    def __init__(self, *rows: WorkerRow) -> None:
        self.newest: Snapshot | None = snapshot_of([], workers=rows)


class APanel(Widget):
    """In the place of the panel, whose fields need an app."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        self.apply: Callable[[int, WorkerSetup | None], None] = args[-1]
        self.is_open, self.is_examining, self.reviews = True, False, 0

    def close(self) -> None:
        self.is_open = False

    def review(self) -> None:
        self.reviews += 1


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_count, "SetupPanel", APanel)


@pytest.mark.usefixtures("panels")
def test_the_panel_opens_once_keeps_other_keys_away_and_closes_with_escape() -> None:
    screen = AScreen()
    count = WorkerCount(screen, Path("jobs.db"), Control(), Picture())
    assert not count.forestalls(WORKER_KILL)
    count.do_set_workers()
    panel = screen.panel
    count.do_set_workers()
    assert isinstance(panel, APanel)
    assert screen.panel is panel
    assert count.forestalls(WORKER_KILL)
    assert panel.is_open
    assert not count.forestalls(QUIT)
    assert not count.expects
    panel.is_examining = True
    assert count.expects
    count.review()
    assert count.forestalls(BACK)
    count.review()
    assert (panel.is_open, panel.reviews, count.expects) == (False, 1, False)
    assert not count.forestalls(BACK)
    count.do_set_workers()
    assert screen.panel is not panel


@pytest.mark.usefixtures("panels")
@pytest.mark.parametrize(("change", "call"), [(2, ("start", 2)), (-2, ("stop", 2, True))])
def test_what_the_panel_comes_to_is_done(change: int, call: tuple[Any, ...]) -> None:
    screen, control = AScreen(), Control("w1", "w2")
    WorkerCount(screen, Path("jobs.db"), control, Picture()).do_set_workers()
    assert isinstance(screen.panel, APanel)
    screen.panel.apply(change, control.setup)
    assert control.calls == [call]


def test_idle_workers_are_let_go_before_busy_ones_and_the_youngest_first() -> None:
    count = WorkerCount(
        AScreen(), Path("jobs.db"), Control("w1", "w2", "w3"), Picture(IDLE, BUSY, worker("w3"))
    )
    workers = count.present_workers()
    assert (workers.idle, workers.busy, workers.total) == (("w3", "w1"), ("w2",), 3)


def test_a_worker_that_died_is_not_called_stopped() -> None:
    stopped = replace(IDLE, state="stopped", health=Health.STOPPED, stopped_at=NOW)
    died = replace(stopped, has_died=True)
    assert condition(stopped) == ("- stopped", "dim")
    assert condition(died) == ("x died", "fail")
    (entry,) = entries(snapshot_of([], workers=(died,)))
    assert "found dead" in describe_worker(entry, NOW)
    assert weight(entry) == 3
