"""The workers screen: who works on this file, whether they live, and the log of one of them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from textual import events, on
from textual.message import Message
from textual.widget import Widget

from gigq_tui import theme
from gigq_tui.format import cut, inert
from gigq_tui.registry import Scope, bindings_for
from gigq_tui.screens.worker_acts import WorkerActs
from gigq_tui.screens.worker_lines import (
    WorkerEntry,
    about,
    entries,
    entry_line,
    heading,
    nobody,
    summary,
)
from gigq_tui.store.models import Health, Snapshot
from gigq_tui.store.processes import Sampler, Usage
from gigq_tui.store.tail import Tail, read_tail
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.log_text import glance, whole
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled

LOOK_EVERY_S = 1.0
LOOKS_PER_SAMPLE = 2


class WorkersScreen(WorkerActs, inherit_bindings=False):
    """The workers of the file, and the log of the one under the cursor."""

    SCOPE = Scope.WORKERS
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "workers.tcss"

    class Looked(Message):
        """A look at processes and at a log ended, in its own thread."""

        def __init__(
            self, usage: dict[int, Usage] | None, path: Path | None, tail: Tail | None
        ) -> None:
            self.usage = usage
            self.path = path
            self.tail = tail
            super().__init__()

    def __init__(self, sampler: Sampler | None = None) -> None:
        super().__init__()
        self.entries: dict[str, WorkerEntry] = {}
        self.usage: dict[int, Usage] = {}
        self.log_large = False
        self._sampler = sampler or Sampler()
        self._looks = 0
        self._looking = False
        self._log_path: Path | None = None
        self._tail: Tail | None = None

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="workers-head")
        yield TextLines(id="columns")
        yield PickList(id="workers")
        yield Pane(id="empty")
        yield TextLines(id="log-head")
        yield Pane(id="log")

    @property
    def roster(self) -> PickList:
        """The list of workers."""
        return self.query_one("#workers", PickList)

    @property
    def log_pane(self) -> Pane:
        """The log under the list."""
        return self.query_one("#log", Pane)

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""
        return self.entries.get(self.roster.cursor_id or "")

    @property
    def worker_seen(self) -> bool:
        return not self.log_large

    def mover(self) -> Scrolled:
        return self.log_pane if self.log_large else self.roster

    # Drawing

    def on_mount(self) -> None:
        self._looker = self.set_interval(LOOK_EVERY_S, self._look)
        self._draw_log()

    def on_screen_suspend(self) -> None:
        self._looker.pause()

    def on_screen_resume(self) -> None:
        self._looker.resume()
        self.call_after_refresh(self._look)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        now = self.console.clock.now()
        width = self.app.size.width
        own = {worker.worker_id for worker in self.console.pool.alive()}
        found = entries(snapshot)
        self.entries = {entry.id: entry for entry in found}
        console = self.console
        head = summary(snapshot, len(own), read_only=console.read_only)
        self.query_one("#workers-head", TextLines).show(head)
        self.query_one("#columns", TextLines).show(heading(width))
        rows = [
            (
                entry.id,
                entry_line(
                    entry,
                    now,
                    self.usage,
                    entry.worker is not None and entry.worker.id in own,
                    width,
                ),
            )
            for entry in found
        ]
        self.roster.show(rows)
        self.set_class(not rows, "-none")
        hints = nobody(console.path, console.python, console.chdir, read_only=console.read_only)
        self.query_one("#empty", Pane).show(hints)
        self._draw_rest()

    def _draw_rest(self) -> None:
        entry = self.entry
        text = about(entry, self.console.clock.now()) if entry is not None else ""
        self.notice_line.rest(((f" {text}", "dim"),) if text else ())

    def tick(self) -> None:
        if self.console.snapshot is not None and self.is_whole:
            self.show_snapshot(self.console.snapshot)

    def on_resize(self) -> None:
        if not self.is_whole:
            return
        self.tick()
        self._draw_log()

    @on(RowList.CursorMoved)
    def _moved(self, event: RowList.CursorMoved) -> None:
        self._draw_rest()
        if self._wanted_log() != self._log_path:
            self._log_path, self._tail = self._wanted_log(), None
            self._draw_log()
            self._look()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform("open")

    # Looking at processes and at the log, off the thread that draws

    def _wanted_log(self) -> Path | None:
        entry = self.entry
        if entry is None or entry.worker is None or not entry.worker.log_path:
            return None
        return Path(entry.worker.log_path)

    def _look(self) -> None:
        if self._looking or not self.is_current:
            return
        self._looking = True
        due = self._looks % LOOKS_PER_SAMPLE == 0
        pids = self._pids() if due else []
        if pids or not due:
            self._looks += 1
        path, known = self._log_path, self._tail

        def look() -> None:
            usage = self._sampler.sample(pids) if pids else None
            tail = read_tail(path, known) if path is not None else None
            self.post_message(self.Looked(usage, path, tail))

        self.run_worker(look, thread=True, group="look")

    def _pids(self) -> list[int]:
        """The processes that can be measured: those of this machine that live."""
        host = socket.gethostname()
        return [
            entry.worker.pid
            for entry in self.entries.values()
            if entry.worker is not None
            and not entry.further
            and entry.worker.host == host
            and entry.worker.health is Health.ALIVE
        ]

    @on(Looked)
    def _looked(self, event: Looked) -> None:
        self._looking = False
        if not self.is_whole:
            return
        if event.usage is not None and event.usage != self.usage and not self.console.held:
            self.usage = event.usage
            self.tick()
        if event.path != self._log_path:
            self._look()
        elif event.tail is not None and event.tail != self._tail:
            self._tail = event.tail
            self._draw_log()

    def _draw_log(self) -> None:
        width = max(1, self.app.size.width)
        path, tail = self._log_path, self._tail
        if path is None:
            entry = self.entry
            title = ""
            if entry is not None and entry.worker is not None:
                title = f" {inert(entry.worker.id)} keeps no log file "
            elif entry is not None:
                title = " GigQ's workers keep no log file "
        else:
            part = f", its last {len(tail.text) // 1024}K" if tail is not None and tail.cut else ""
            key = "l smaller" if self.log_large else "l larger"
            title = f" log {inert(f'{path.parent.name}/{path.name}')}{part}  ({key}) "
        title = cut(title, width - 4)
        rule = theme.RULE * max(0, width - 3 - len(title))
        self.query_one("#log-head", TextLines).show(
            ((theme.RULE * 3, "rule"), (title, "dim"), (rule, "rule"))
        )
        lines: list[Line] = []
        if tail is not None and tail.trouble:
            lines = [((f" {inert(tail.trouble)}", "warn"),)]
        elif tail is not None:
            large = self.log_large
            lines = whole(tail.text, self.log_pane.content_width) if large else glance(tail.text)
        self.log_pane.show(lines, tail=True)

    # Keys that look

    def do_open(self) -> None:
        """Open the job of the line under the cursor."""
        from gigq_tui.screens.detail import DetailScreen

        entry = self.entry
        if entry is None or entry.job is None:
            self.console.notice("This worker has no job now.", "warn")
            return
        self.console.push_screen(DetailScreen(entry.job.id))

    def do_worker_log(self) -> None:
        """Show the log alone, or the list again."""
        if not self.log_large and self._log_path is None:
            self.console.notice("This worker keeps no log file.", "warn")
            return
        self.log_large = not self.log_large
        self.set_class(self.log_large, "-log")
        self._draw_log()

    def do_back(self) -> None:
        if self.log_large:
            self.do_worker_log()
        else:
            super().do_back()

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id == "log-head":
            self.perform("worker_log")
