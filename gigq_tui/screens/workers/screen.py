"""The workers screen: who works on this file, whether they live, and the log of one of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from textual import on
from textual.message import Message
from textual.widget import Widget

from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import cut, inert
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.reading_actions import WORKER_STACK
from gigq_tui.keys.screen_actions import BACK, WORKER_COPY, WORKER_FILTER, WORKER_SORT
from gigq_tui.screens.parts.text_reader import copy_tail
from gigq_tui.screens.workers.actions import WorkerActs
from gigq_tui.screens.workers.entries import (
    WorkerEntry,
    about,
    entries,
    entry_line,
    heading,
    machine_line,
    nobody,
    summary,
    waits_for,
)
from gigq_tui.screens.workers.log import WorkerLog
from gigq_tui.screens.workers.order import (
    SORT_COLUMNS,
    SORTS,
    groups_of,
    in_order,
    kept_in_order,
    matches,
)
from gigq_tui.services import Services
from gigq_tui.store.machine import Machine, read_machine
from gigq_tui.store.models import Health, Snapshot
from gigq_tui.store.processes import Sampler, Usage
from gigq_tui.store.tail import WHOLE_BYTES, Tail, read_tail
from gigq_tui.widgets.lines import Line, TextLines, line_width, spread
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine

LOOK_EVERY_S = 1.0
LOOKS_PER_SAMPLE = 2
# So long after the cursor moved, no row moves under it.
STILL_S = 3.0
# So much of a filter is repeated above the list.
LEAD_CELLS = 16


class WorkersScreen(WorkerActs, WorkerLog, inherit_bindings=False):
    """The workers of the file, and the log of the one under the cursor.

    Args:
        sampler: What measures their processes; None for the real thing.
        look_at_machine: What looks at this machine, given the look before.
        setting_up: Whether it opens with the panel that asks how many workers there shall be.
    """

    SCOPE = Scope.WORKERS
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    class Looked(Message):
        """A look at machine, processes and a log ended, in its own thread."""

        def __init__(
            self,
            usage: dict[int, Usage] | None,
            machine: Machine | None,
            path: Path | None,
            tail: Tail | None,
        ) -> None:
            self.usage = usage
            self.machine = machine
            self.path = path
            self.tail = tail
            super().__init__()

    def __init__(
        self,
        services: Services,
        sampler: Sampler | None = None,
        look_at_machine: Callable[[Machine | None], Machine] | None = None,
        *,
        setting_up: bool = False,
    ) -> None:
        super().__init__(services)
        self.entries: dict[str, WorkerEntry] = {}
        self.usage: dict[int, Usage] = {}
        self.machine: Machine | None = None
        self.sort = SORTS[0]
        self.filter_text = ""
        self._sampler = sampler or Sampler()
        self._look_at_machine = look_at_machine or read_machine
        self._setting_up = setting_up
        self._looks = 0
        self._looking = False
        self._still_until: float | None = None
        self._order: list[str] = []
        self._order_due = False

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="workers-head")
        yield TextLines(id="columns")
        yield PickList(id="workers")
        yield Pane(id="empty")
        yield from self.compose_log()

    @property
    def roster(self) -> PickList:
        """The list of workers."""
        return self.query_one("#workers", PickList)

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""
        return self.entries.get(self.roster.cursor_id or "")

    @property
    def worker_seen(self) -> bool:
        return not self.log_large

    def mover(self) -> Scrolled:
        return self.text_view if self.log_large else self.roster

    # Drawing

    def on_mount(self) -> None:
        self.text_view.wrap = False
        self.text_view.start_over(follow=True)
        self._looker = self.set_interval(LOOK_EVERY_S, self.look)
        self.draw_log()
        if self._setting_up:
            self.do_set_workers()

    def on_screen_suspend(self) -> None:
        self._looker.pause()

    def on_screen_resume(self) -> None:
        self._looker.resume()
        self.call_after_refresh(self.look)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        console = self.console
        now = console.clock.now()
        width = self.app.size.width
        own = {worker.worker_id for worker in self.console.pool.alive()}
        known = len(snapshot.workers) + len(snapshot.foreign_workers)
        shown = self._in_order(snapshot)
        self.entries = {entry.id: entry for group in shown for entry in group}
        self._draw_head(snapshot, len(own), len(shown), known)
        column = SORT_COLUMNS.get(self.sort, self.sort)
        self.query_one("#columns", TextLines).show(heading(width, column))
        rows: list[tuple[str, Line]] = []
        for entry in self.entries.values():
            worker = entry.worker
            mine = worker is not None and worker.id in own
            waits = waits_for(worker, snapshot, console.hints) if worker is not None else ""
            rows.append((entry.id, entry_line(entry, now, self.usage, mine, width, waits)))
        self.roster.show(rows)
        self.set_class(not known, "-none")
        self.set_class(bool(known and not shown), "-unmatched")
        hints = nobody(
            console.path, console.pool.setup, read_only=console.read_only, hints=console.hints
        )
        if known:
            back = console.hints(BACK)
            hints = [(), ((" No matches; ", "dim"), (back, "key"), (" clears the filter.", "dim"))]
        self.query_one("#empty", Pane).show(hints)
        if self.setup_panel is not None:
            self.setup_panel.review()
        self._draw_rest()

    def _in_order(self, snapshot: Snapshot) -> list[list[WorkerEntry]]:
        groups = groups_of(entries(snapshot))
        if self.filter_text:
            groups = [group for group in groups if matches(group, self.filter_text)]
        if self._stands_still():
            self._order_due = True
            return kept_in_order(groups, self._order)
        groups = in_order(groups, self.sort, self.usage, self.console.clock.now())
        self._order, self._order_due = [group[0].id for group in groups], False
        return groups

    def _stands_still(self) -> bool:
        return self._still_until is not None and self.console.monotonic() < self._still_until

    def _draw_head(self, snapshot: Snapshot, own: int, shown: int, known: int) -> None:
        width = self.app.size.width
        lead: Line = ()
        if self.filter_text:
            typed = cut(inert(self.filter_text), LEAD_CELLS)
            lead = ((f" /{typed} {shown} of {known}", "accent"),)
        if self.sort != SORTS[0]:
            lead = ((f" by {self.sort}", "accent"), *lead)
        machine = machine_line(self.machine, width)
        room = width - line_width(machine) - 1
        hints = self.console.hints
        head = summary(
            snapshot, own, room, read_only=self.console.read_only, lead=lead, hints=hints
        )
        line = spread(head, machine, width)
        self.query_one("#workers-head", TextLines).show(line)

    def _draw_rest(self) -> None:
        entry = self.entry
        hints = self.console.hints
        text = about(entry, self.console.clock.now(), hints) if entry is not None else ""
        asked = self.console.requests.of(entry.worker.id) if entry and entry.worker else None
        if asked is not None and asked.told_silent:
            text = f"No answer.  {text}"
        self.notice_line.rest(((f" {text}", "dim"),) if text else ())

    def tick(self) -> None:
        if self.console.snapshot is not None and self.is_whole:
            self.show_snapshot(self.console.snapshot)

    def on_resize(self) -> None:
        if not self.is_whole:
            return
        self.tick()
        self.draw_log()

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        self._draw_rest()
        self.choose_log()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(OPEN)

    # Looking at machine, processes and log, off the thread that draws

    def look(self) -> None:
        if self._looking or not self.is_current or self.console.held:
            return
        self._looking = True
        due = self._looks % LOOKS_PER_SAMPLE == 0
        pids = self._pids() if due else []
        if pids or not due:
            self._looks += 1
        path, known, limit = self.log_path, self.log_tail, self.log_limit
        machine = self.machine

        def call() -> None:
            usage = self._sampler.sample(pids) if pids else None
            seen = self._look_at_machine(machine) if due else machine
            tail = read_tail(path, known, limit) if path is not None else None
            self.post_message(self.Looked(usage, seen, path, tail))

        self.run_worker(call, thread=True, group="look")

    def _pids(self) -> list[int]:
        """The processes that can be measured: those of this machine that live."""
        host = socket.gethostname()
        snapshot = self.console.snapshot
        return [
            worker.pid
            for worker in (snapshot.workers if snapshot is not None else ())
            if worker.host == host and worker.health is Health.ALIVE
        ]

    @on(Looked)
    def _looked(self, event: Looked) -> None:
        self._looking = False
        if not self.is_whole:
            return
        if not self.console.held:
            news = event.usage is not None and event.usage != self.usage
            if (
                news
                or event.machine != self.machine
                or (self._order_due and not self._stands_still())
            ):
                self.usage = self.usage if event.usage is None else event.usage
                self.machine = event.machine
                self.tick()
        if event.path != self.log_path:
            self.look()
        elif event.tail is not None:
            self.take_tail(event.tail)

    # Keys that look

    @does(OPEN)
    def do_open(self) -> None:
        """Open the job of the line under the cursor."""
        self._open_job("This worker has no running job.", None)

    @does(WORKER_STACK)
    def do_worker_stack(self) -> None:
        """Take the stack of the job of the line under the cursor, now."""
        self._open_job("This worker has no running job, so there is no stack.", "Stack")

    def _open_job(self, refusal: str, tab: str | None) -> None:

        entry = self.entry
        if entry is None or entry.job is None:
            self.console.notice(refusal, "warn")
            return
        self.services.routes.show_job(entry.job.id, tab)

    @does(WORKER_COPY)
    def do_worker_copy(self) -> None:
        """Copy the pid of the worker; where its log is read, ask what to copy."""
        if not self.log_large:
            super().do_worker_copy()
            return
        visible = self.text_view.visible_text()
        self.question(
            Question(
                "Copy from this log:",
                (),
                (
                    Choice("escape", "Nothing"),
                    Choice("v", "what is visible", partial(self._copy, visible)),
                    Choice("o", "all of it", self._copy_log),
                    Choice("i", "the worker's pid", super().do_worker_copy),
                ),
                harmless=True,
            )
        )

    def _copy(self, text: str) -> None:
        self.console.copy_text(text, "what is visible")

    def _copy_log(self) -> None:
        if self.log_path is not None:
            self.in_thread(partial(read_tail, self.log_path, None, WHOLE_BYTES), self._log_read)

    def _log_read(self, tail: Tail) -> None:
        copy_tail(tail, "the log", self.console)

    @does(WORKER_SORT)
    def do_worker_sort(self) -> None:
        """Sort by the next column."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self._still_until = None
        self.tick()
        self.console.notice(f"sorted by {self.sort}")

    @does(WORKER_FILTER)
    def do_worker_filter(self) -> None:
        """Type words that let only some workers through; in the log alone, find there."""
        if self.log_large:
            self.reader.do_find()
        else:
            self.typed_line.open(self.filter_text)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        if not event.kept:
            self.show_typed(event.text)

    def show_typed(self, text: str) -> None:
        """Find in the log alone, or let through the workers that say it."""
        if self.log_large:
            self.reader.show_typed(text)
            return
        self.filter_text = text
        self._still_until = None
        self.tick()
        shown = sum(1 for entry in self.entries.values() if not entry.further)
        self.typed_line.tell(f"{shown} shown")

    def _move(self, move: Callable[[Scrolled], None]) -> None:
        if not self.log_large:
            self._still_until = self.console.monotonic() + STILL_S
        super()._move(move)

    @does(BACK)
    def do_back(self) -> None:
        if self.log_large and not self.text_view.wanted:
            self.do_worker_log()
        elif self.log_large:
            self.text_view.clear_find()
        elif self.filter_text:
            self.show_typed("")
        else:
            super().do_back()
