"""The log of the worker under the cursor: a glance under the list, or alone to be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import events, on
from textual.widget import Widget

from gigq_core.paths import stored_path
from gigq_tui.format import cut, inert, size
from gigq_tui.keys.handlers import does
from gigq_tui.keys.reading_actions import FOLLOW_END
from gigq_tui.keys.screen_actions import WORKER_LOG
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.screens.workers.log_text import as_written, glance
from gigq_tui.services import Services
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES, Tail
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class WorkerLog(ConsoleScreen, inherit_bindings=False):
    """A screen with a log in its lower half, which can have all of it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.reader = TextReader(self)
        self.parts = (self.reader,)
        self.log_large = False
        self.log_path: Path | None = None
        self.log_tail: Tail | None = None
        self.log_limit = TAIL_BYTES
        self._wraps = True

    @property
    def text_view(self) -> TextView:
        """The log."""
        return self.query_one(TextView)

    @property
    def typed_line(self) -> TypedLine:
        """The line over it, in which words are typed."""
        return self.query_one(TypedLine)

    def compose_log(self) -> Iterable[Widget]:
        """Yield the log and its head."""
        yield TypedLine(id="log-head")
        yield TextView(id="log")

    @property
    def entry(self) -> WorkerEntry | None:
        """The worker under the cursor, or None."""
        return None

    def look(self) -> None:
        """Look at log and processes soon."""

    def wanted_log(self) -> Path | None:
        """The log of the worker under the cursor."""
        entry = self.entry
        if entry is None or entry.worker is None or not entry.worker.log_path:
            return None
        return stored_path(entry.worker.log_path)

    def choose_log(self) -> None:
        """Show the log of the worker under the cursor, if that is another one now."""
        if self.wanted_log() != self.log_path:
            self.log_path, self.log_tail = self.wanted_log(), None
            self.log_limit = TAIL_BYTES
            self.text_view.start_over(follow=True)
            self.draw_log()
            self.look()
        elif self.log_path is None:
            # Another worker without a log is still another worker.
            self.draw_log_head()

    def take_tail(self, tail: Tail) -> None:
        """Show what was read of the log."""
        known = self.log_tail
        again = known is not None and tail.trouble and tail.trouble == known.trouble
        if tail is not known and not again:
            self.log_tail = tail
            self.draw_log()

    def draw_log(self) -> None:
        """Draw the log as it was read last."""
        view, tail = self.text_view, self.log_tail
        if tail is None:
            view.show(())
        elif tail.trouble:
            view.show_lines([((tail.trouble, "warn"),)])
        else:
            earlier = self.log_large and tail.skipped > 0 and self.log_limit < WHOLE_BYTES
            paint = as_written if self.log_large else glance
            view.show(tail.lines, paint=paint, earlier=earlier)
        self.draw_log_head()

    @on(TextView.Moved)
    def draw_log_head(self) -> None:
        """Draw the line over the log: whose it is, and how it is shown."""
        width = max(1, self.app.size.width)
        title, state = f" {self._log_title()} ", ""
        if self.log_path is not None:
            follow = f"follow {'on' if self.text_view.follow else 'off'}"
            state = f" {self.reader.describe(grows=True) if self.log_large else follow} "
        title = cut(title, max(4, width - 4 - len(state)))
        rule = theme.RULE * max(0, width - 5 - len(title) - len(state))
        line: Line = ((theme.RULE * 3, "rule"), (title, "dim"), (rule, "rule"))
        self.typed_line.rest((*line, (state, "accent"), (theme.RULE * 2, "rule")))

    def _log_title(self) -> str:
        entry, path, tail = self.entry, self.log_path, self.log_tail
        if path is None:
            if entry is None:
                return ""
            if entry.worker is None:
                return "GigQ workers have no log file"
            return f"{inert(entry.worker.id)} has no log file"
        key = self.console.hints(WORKER_LOG)
        told = f"log {inert(f'{path.parent.name}/{path.name}')}"
        if tail is not None and tail.skipped:
            told += f", its last {size(tail.size - tail.skipped)}"
        return f"{told}  ({key} {'shrinks' if self.log_large else 'expands'})"

    # Keys

    def readable(self) -> bool:
        if not self.log_large:
            key = self.console.hints(WORKER_LOG)
            self.console.notice(f"Press {key} to expand the log first.", "warn")
        return self.log_large

    @on(TextView.EarlierWanted)
    def read_whole(self) -> None:
        if self.log_limit != WHOLE_BYTES:
            self.log_limit = WHOLE_BYTES
            self.look()

    @does(FOLLOW_END)
    def do_follow_end(self) -> None:
        """Stay at the end of the log while more is written, or stay here."""
        self.reader.switch_follow()

    @does(WORKER_LOG)
    def do_worker_log(self) -> None:
        """Show the log alone, or the list again."""
        if not self.log_large and self.log_path is None:
            self.console.notice("This worker has no log file.", "warn")
            return
        view = self.text_view
        if self.log_large:
            view.clear_find()
            self._wraps = view.wrap
        self.log_large = not self.log_large
        view.set_wrap(self._wraps if self.log_large else False)
        self.set_class(self.log_large, "-log")
        self.draw_log()

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id == "log-head":
            self.perform(WORKER_LOG)
