"""The log of the worker under the cursor: its end under the list, or alone on the screen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from gigq_core.system.paths import stored_path
from gigq_tui.format import cut, inert, size
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import WORKER_LOG
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.screens.workers.log_text import as_written, glance
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES, Tail, read_tail
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class LogHost(Protocol):
    """What the part needs of its screen."""

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""

    @property
    def text_view(self) -> TextView:
        """Where the log is shown."""

    @property
    def typed_line(self) -> TypedLine:
        """The line over it."""

    @property
    def columns(self) -> int:
        """How many cells wide the screen is."""

    def set_class(self, add: bool, *class_names: str) -> object:
        """Lay the screen out anew."""

    def poll(self) -> None:
        """Read the log soon."""


class LogRead(NamedTuple):
    """What was read, and of which log; no tail where there was nothing to read."""

    path: Path | None
    tail: Tail | None


class WorkerLog(Part):
    """Shows the log, and has it read with the keys that every text is read with.

    Args:
        host: The screen.
        notices: Where it is said why a key does nothing.
        hints: The keys that sentences name.

    Attributes:
        is_expanded: Whether the log has the whole screen.
        path: The log that is shown.
        reader: The keys to read it with.
    """

    def __init__(self, host: LogHost, notices: Tells, hints: KeyHints) -> None:
        self._host = host
        self._notices = notices
        self._hints = hints
        self.reader = TextReader(self, notices, hints)
        self.is_expanded = False
        self.path: Path | None = None
        self._tail: Tail | None = None
        self._limit = TAIL_BYTES
        self._wraps = True

    @property
    def text_view(self) -> TextView:
        """Where the log is shown."""
        return self._host.text_view

    @property
    def typed_line(self) -> TypedLine:
        """The line over it, in which the words to find are typed."""
        return self._host.typed_line

    def begin(self) -> None:
        """Show the end, before anything was read."""
        self.text_view.wrap = False
        self.text_view.start_over(follow=True)
        self.draw()

    # Reading

    def follow_cursor(self) -> None:
        """Show the log of the worker under the cursor, if that is another one now."""
        wanted = self._path_of(self._host.entry)
        if wanted != self.path:
            self.path, self._tail = wanted, None
            self._limit = TAIL_BYTES
            self.text_view.start_over(follow=True)
            self.draw()
            self._host.poll()
        elif self.path is None:
            # Another worker without a log is still another worker.
            self.draw_head()

    @staticmethod
    def _path_of(entry: WorkerEntry | None) -> Path | None:
        if entry is None or entry.worker is None or not entry.worker.log_path:
            return None
        return stored_path(entry.worker.log_path)

    def reading(self) -> Callable[[], LogRead]:
        """Return what reads the log as it is wanted now, in a thread."""
        return partial(_read, self.path, self._tail, self._limit)

    def take(self, read: LogRead) -> None:
        """Show what was read; where another log is wanted by now, have that one read."""
        if read.path != self.path:
            self._host.poll()
            return
        known, tail = self._tail, read.tail
        if tail is None or tail is known:
            return
        if known is None or not tail.trouble or tail.trouble != known.trouble:
            self._tail = tail
            self.draw()

    def read_whole(self) -> None:
        """Read what comes before the shown end too, as far as it is kept."""
        if self._limit != WHOLE_BYTES:
            self._limit = WHOLE_BYTES
            self._host.poll()

    # Drawing

    def draw(self) -> None:
        """Draw the log as it was read last."""
        view, tail = self.text_view, self._tail
        if tail is None:
            view.show(())
        elif tail.trouble:
            view.show_lines([((tail.trouble, "warn"),)])
        else:
            earlier = self.is_expanded and tail.skipped > 0 and self._limit < WHOLE_BYTES
            paint = as_written if self.is_expanded else glance
            view.show(tail.lines, paint=paint, earlier=earlier)
        self.draw_head()

    def draw_head(self) -> None:
        """Draw the line over the log: whose it is, and how it is shown."""
        width = max(1, self._host.columns)
        title, state = f" {self._describe()} ", ""
        if self.path is not None:
            follow = f"follow {'on' if self.text_view.follow else 'off'}"
            state = f" {self.reader.describe(grows=True) if self.is_expanded else follow} "
        title = cut(title, max(4, width - 4 - len(state)))
        rule = theme.RULE * max(0, width - 5 - len(title) - len(state))
        line: Line = ((theme.RULE * 3, "rule"), (title, "dim"), (rule, "rule"))
        self.typed_line.rest((*line, (state, "accent"), (theme.RULE * 2, "rule")))

    def _describe(self) -> str:
        entry, path, tail = self._host.entry, self.path, self._tail
        if path is None:
            if entry is None:
                return ""
            if entry.worker is None:
                return "GigQ workers have no log file"
            return f"{inert(entry.worker.id)} has no log file"
        name = f"log {inert(f'{path.parent.name}/{path.name}')}"
        if tail is not None and tail.skipped:
            name += f", its last {size(tail.size - tail.skipped)}"
        return f"{name}  ({self._hints(WORKER_LOG)} {'shrinks' if self.is_expanded else 'expands'})"

    # Keys

    def readable(self) -> bool:
        """Whether the log can be searched and wrapped: only where it is expanded."""
        if not self.is_expanded:
            key = self._hints(WORKER_LOG)
            self._notices.tell(f"Press {key} to expand the log first.", "warn")
        return self.is_expanded

    @does(WORKER_LOG)
    def do_worker_log(self) -> None:
        """Show the log alone, or the list again."""
        if not self.is_expanded and self.path is None:
            self._notices.tell("This worker has no log file.", "warn")
            return
        view = self.text_view
        if self.is_expanded:
            view.clear_find()
            self._wraps = view.wrap
        self.is_expanded = not self.is_expanded
        view.set_wrap(self._wraps if self.is_expanded else False)
        self._host.set_class(self.is_expanded, "-log")
        self.draw()

    def step_back(self) -> bool:
        """Take the finds away, or shrink the log; false where there is neither."""
        if not self.is_expanded:
            return False
        if self.text_view.wanted:
            self.text_view.clear_find()
        else:
            self.do_worker_log()
        return True


def _read(path: Path | None, known: Tail | None, limit: int) -> LogRead:
    return LogRead(path, None if path is None else read_tail(path, known, limit))
