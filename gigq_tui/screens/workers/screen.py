"""The workers screen: who works on this file, whether they live, and the log of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import events, on
from textual.widget import Widget

from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.reading_actions import FOLLOW_END, WORKER_STACK
from gigq_tui.keys.screen_actions import BACK, WORKER_FILTER, WORKER_LOG, WORKER_OPEN
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.screens.workers.actions import WorkerActions
from gigq_tui.screens.workers.copy import WorkerCopy
from gigq_tui.screens.workers.entries import (
    WorkerEntry,
    describe_no_workers,
    describe_wait,
    describe_worker,
    entries,
    entry_line,
    heading,
    machine_line,
    summary,
)
from gigq_tui.screens.workers.log import LogRead, WorkerLog
from gigq_tui.screens.workers.order import WorkerOrder
from gigq_tui.screens.workers.usage import POLL_EVERY_S, Measured, MeasuresMachine, WorkerUsage
from gigq_tui.screens.workers.worker_count import WorkerCount
from gigq_tui.services import Services
from gigq_tui.store.models import Snapshot
from gigq_tui.store.processes import Sampler
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import Line, TextLines, line_width, spread
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class WorkersScreen(ConsoleScreen, inherit_bindings=False):
    """The workers of the file, and the log of the one under the cursor.

    Args:
        services: What the console can do.
        sampler: What measures the workers' processes; None for the real thing.
        measure_machine: What measures this machine, given what it found before; None for the real
            thing.
        setting_up: Whether it opens with the panel that asks how many workers there shall be.
    """

    SCOPE = Scope.WORKERS
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(
        self,
        services: Services,
        sampler: Sampler | None = None,
        measure_machine: MeasuresMachine | None = None,
        *,
        setting_up: bool = False,
    ) -> None:
        super().__init__(services)
        settings, notices, workers = services.settings, services.notices, services.workers
        self.hints = services.hints
        self.entries: dict[str, WorkerEntry] = {}
        self.usage = WorkerUsage(sampler, measure_machine)
        self.order = WorkerOrder(self, settings.clock.monotonic, notices)
        self.worker_log = WorkerLog(self, notices, self.hints)
        self.count = WorkerCount(self, settings.path, workers, services.picture)
        self.parts = (
            self.count,
            self.order,
            self.usage,
            self.worker_log,
            self.worker_log.reader,
            WorkerActions(self, workers, notices, self.hints),
            WorkerCopy(self, self.worker_log, services.copying, notices),
        )
        self._setting_up = setting_up
        self._is_polling = False

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="workers-head")
        yield TextLines(id="columns")
        yield PickList(id="workers")
        yield Pane(id="empty")
        yield TypedLine(id="log-head")
        yield TextView(id="log")

    # What the parts ask

    @property
    def roster(self) -> PickList:
        """The list of workers."""
        return self.query_one("#workers", PickList)

    @property
    def text_view(self) -> TextView:
        """Where the log is shown."""
        return self.query_one(TextView)

    @property
    def typed_line(self) -> TypedLine:
        """The line over the log, in which words are typed."""
        return self.query_one(TypedLine)

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""
        return self.entries.get(self.roster.cursor_id or "")

    @property
    def shows_list(self) -> bool:
        """Whether the list can be seen: not while the log is expanded."""
        return not self.worker_log.is_expanded

    @property
    def columns(self) -> int:
        """How many cells wide the screen is."""
        return self.app.size.width

    def destination(self) -> Destination:
        return Destination("workers")

    def mover(self) -> Scrolled:
        return self.roster if self.shows_list else self.text_view

    # Drawing

    def on_mount(self) -> None:
        self._poller = self.set_interval(POLL_EVERY_S, self.poll)
        self.worker_log.begin()
        if self._setting_up:
            self.count.do_set_workers()

    def on_screen_suspend(self) -> None:
        self._poller.pause()

    def on_screen_resume(self) -> None:
        self._poller.resume()
        self.call_after_refresh(self.poll)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        now = self.services.settings.clock.now()
        pool = self.services.workers.pool
        own = {worker.worker_id for worker in pool.alive()}
        known = len(snapshot.workers) + len(snapshot.foreign_workers)
        shown = self.order.arrange(entries(snapshot), self.usage.by_pid, now)
        self.entries = {entry.id: entry for group in shown for entry in group}
        self._draw_head(snapshot, len(own), len(shown), known)
        self.query_one("#columns", TextLines).show(heading(self.columns, self.order.column))
        rows: list[tuple[str, Line]] = []
        for entry in self.entries.values():
            worker = entry.worker
            mine = worker is not None and (worker.id in own or worker.id in pool.started)
            waits = describe_wait(worker, snapshot, self.hints) if worker is not None else ""
            line = entry_line(entry, now, self.usage.by_pid, mine, self.columns, waits)
            rows.append((entry.id, line))
        self.roster.show(rows)
        self._draw_empty(known, len(shown))
        self.count.review()
        self.draw_status()

    def _draw_head(self, snapshot: Snapshot, own: int, shown: int, known: int) -> None:
        machine = machine_line(self.usage.machine, self.columns)
        head = summary(
            snapshot,
            own,
            self.columns - line_width(machine) - 1,
            read_only=self.services.settings.read_only,
            lead=self.order.describe(shown, known),
            hints=self.hints,
        )
        self.query_one("#workers-head", TextLines).show(spread(head, machine, self.columns))

    def _draw_empty(self, known: int, shown: int) -> None:
        """Draw what is there in the place of an empty list."""
        self.set_class(not known, "-none")
        self.set_class(bool(known and not shown), "-unmatched")
        if known:
            back = self.hints(BACK)
            lines = [(), ((" No matches; ", "dim"), (back, "key"), (" clears the filter.", "dim"))]
        else:
            settings, pool = self.services.settings, self.services.workers.pool
            lines = describe_no_workers(
                settings.path, pool.setup, read_only=settings.read_only, hints=self.hints
            )
        self.query_one("#empty", Pane).show(lines)

    def draw_status(self) -> None:
        """Say of the worker under the cursor what its line has no room for."""
        entry, now = self.entry, self.services.settings.clock.now()
        text = describe_worker(entry, now, self.hints) if entry is not None else ""
        requests = self.services.workers.requests
        asked = requests.of(entry.worker.id) if entry and entry.worker else None
        if asked is not None and asked.told_silent:
            text = f"No answer.  {text}"
        self.notice_line.rest(((f" {text}", "dim"),) if text else ())

    def tick(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Draw the newest picture that is shown, as it is by now."""
        shown = self.services.picture.shown
        if shown is not None and self.is_whole:
            self.show_snapshot(shown)

    # What the widgets tell

    def on_resize(self) -> None:
        if self.is_whole:
            self.draw()
            self.worker_log.draw()

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        self.draw_status()
        self.worker_log.follow_cursor()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(WORKER_OPEN)

    @on(TextView.Moved)
    def _log_moved(self) -> None:
        self.worker_log.draw_head()

    @on(TextView.EarlierWanted)
    def _earlier_wanted(self) -> None:
        self.worker_log.read_whole()

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self._searcher.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self._searcher.typing_ended(event)

    @property
    def _searcher(self) -> WorkerOrder | TextReader:
        """What gets the typed words: the list as its filter, or the expanded log."""
        return self.order if self.shows_list else self.worker_log.reader

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id == "log-head":
            self.perform(WORKER_LOG)

    # Measuring and reading the log, in one thread at a time

    def poll(self) -> None:
        """Measure processes and machine, where it is their turn, and read the log."""
        if self._is_polling or not self.is_current or self.services.picture.paused:
            return
        self._is_polling = True
        measure = self.usage.measuring(self.services.picture.shown)
        read = self.worker_log.reading()
        self.reads.find_out(lambda: (measure(), read()), self._polled)

    def _polled(self, found: tuple[Measured, LogRead]) -> None:
        self._is_polling = False
        if not self.is_whole:
            return
        measured, read = found
        if not self.services.picture.paused and (self.usage.take(measured) or self.order.is_due):
            self.draw()
        self.worker_log.take(read)

    # Keys

    @does(WORKER_OPEN)
    def do_open(self) -> None:
        """Open the job of the line under the cursor."""
        self._open_job("no running job.", None)

    @does(WORKER_STACK)
    def do_worker_stack(self) -> None:
        """Take the stack of the job of the line under the cursor, now."""
        self._open_job("no running job, so there is no stack.", "Stack")

    def _open_job(self, refusal: str, tab: str | None) -> None:
        entry = self.entry
        job = entry.first_job if entry is not None else None
        if job is None:
            who = "This agent" if entry is not None and entry.agent is not None else "This worker"
            self.services.notices.tell(f"{who} has {refusal}", "warn")
        else:
            self.services.routes.show_job(job.id, tab)

    @does(WORKER_FILTER)
    def do_worker_filter(self) -> None:
        """Type words that let only some workers through; in the expanded log, find there."""
        if self.shows_list:
            self.order.narrow()
        else:
            self.worker_log.reader.do_find()

    @does(FOLLOW_END)
    def do_follow_end(self) -> None:
        """Stay at the end of the log while more is written, or stay here; beside the list too."""
        self.worker_log.reader.switch_follow()

    def _move(self, move: Callable[[Scrolled], None]) -> None:
        if self.shows_list:
            self.order.hold()
        super()._move(move)

    @does(BACK)
    def do_back(self) -> None:
        """Shrink the log, clear the filter, or go back."""
        if not self.worker_log.step_back() and not self.order.widen():
            super().do_back()
