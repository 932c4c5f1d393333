"""The page of a job, drawn: its way, the tabs, the list and the text of one, and its facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar, overload

from textual.geometry import Size
from textual.widget import Widget

from gigq_tui.keys.hints import KeyHints
from gigq_tui.screens.job.attempts import Attempts
from gigq_tui.screens.job.relatives import Relatives
from gigq_tui.screens.job.shown_job import ShownJob
from gigq_tui.screens.job.tabs import ATTEMPTS, DEPS, OUTPUT, WRITTEN, Tabs, tab_labels
from gigq_tui.screens.job.texts import fact_lines, missing_lines, path_line
from gigq_tui.screens.job.values import ValueTab
from gigq_tui.store.models import JobDetail
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, TextLines
from gigq_tui.widgets.row_list import PickList
from gigq_tui.widgets.tabs import TabRow
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine

# A terminal lower than this keeps its lines for the text.
LOW = 18
# The lines around the list of attempts and the text.
LEAST_LINES = 8

W = TypeVar("W", bound=Widget)


class DescribesReading(Protocol):
    """The part that reads the text."""

    def describe(self, *, grows: bool) -> str:
        """Say how it is shown now."""


class PageHost(Protocol):
    """What the page needs of its screen: its widgets, and how large it is."""

    @property
    def is_whole(self) -> bool:
        """Whether the widgets are there."""

    @property
    def terminal_size(self) -> Size:
        """How many cells there are."""

    @overload
    def query_one(self, selector: type[W]) -> W: ...

    @overload
    def query_one(self, selector: str, expect_type: type[W]) -> W: ...

    def set_class(self, add: bool, *class_names: str) -> object:
        """Give the screen a class of its sheet, or take it."""

    def refresh_frame(self) -> None:
        """Draw header and key bar anew, where they changed."""


class Page:
    """Draws what has changed of it, out of what the parts know.

    Args:
        job: The job.
        tabs: Which of its tabs is shown, and what that shows.
        attempts: The attempts.
        reader: How the text is read.
        hints: How keys are called.
        now: What time it is.
        host: The screen.
    """

    def __init__(
        self,
        job: ShownJob,
        tabs: Tabs,
        attempts: Attempts,
        reader: DescribesReading,
        hints: KeyHints,
        now: Callable[[], datetime],
        host: PageHost,
    ) -> None:
        self._job = job
        self._tabs = tabs
        self._attempts = attempts
        self._reader = reader
        self._hints = hints
        self._now = now
        self._host = host
        # What the text was made of when it was drawn last.
        self._drawn: tuple[object, ...] = ()

    @property
    def rows(self) -> PickList:
        """The list of attempts, or of relatives."""
        return self._host.query_one(PickList)

    @property
    def text_view(self) -> TextView:
        """The text."""
        return self._host.query_one(TextView)

    @property
    def lists_relatives(self) -> bool:
        """Whether the list takes all the room, and there is no text."""
        return self._tabs.name == DEPS and not self._job.is_gone

    @property
    def shows_output(self) -> bool:
        """Whether what an attempt wrote is on the screen now."""
        return self._tabs.name in WRITTEN

    def visible_text(self) -> str | None:
        """The text that is seen now; None where there is none, or it shows secrets."""
        content = self._tabs.content
        if self._tabs.name == DEPS or (isinstance(content, ValueTab) and content.shows_secrets):
            return None
        return self.text_view.visible_text()

    # From the top

    def start_over(self) -> None:
        """Show another tab, from the top of its list and of its text."""
        self.start_list()
        self.start_text()

    def start_list(self) -> None:
        """Put the cursor on the first row, or on the attempt that is shown."""
        rows, attempt = self.rows, self._attempts.chosen
        rows.cursor = rows.top = 0
        rows.cursor_id = None
        if self._tabs.name == ATTEMPTS and attempt is not None:
            rows.cursor_id = attempt.execution_id

    def start_text(self) -> None:
        """Show another text, from its top; where it grows, from its end."""
        grows = self._tabs.name == ATTEMPTS and self._attempts.is_running
        self.text_view.start_over(follow=grows or self._tabs.name == OUTPUT)

    # Drawing

    def draw(self) -> None:
        """Draw everything that changed."""
        if not self._host.is_whole:
            return
        before = self._attempts.take_newest()
        self._lay_out()
        self._draw_path()
        labels = tab_labels(self._job.detail, self._hints)
        self._host.query_one(TabRow).tell(labels, self._tabs.index)
        rule = theme.RULE * self._host.terminal_size.width
        self._host.query_one("#tab-rule", TextLines).show(((rule, "rule"),))
        self._draw_list(before)
        self.draw_text()
        self._draw_facts()
        self._host.refresh_frame()

    def draw_times(self, *, running: bool) -> None:
        """Draw what changes by the second.

        Args:
            running: Whether the job runs; else it only waits.
        """
        self._draw_path()
        if running:
            self._draw_list()
            self._draw_facts()

    def _lay_out(self) -> None:
        detail, alone = self._job.detail, self.lists_relatives
        attempts = len(detail.attempts) if detail is not None else 0
        self._host.set_class(alone or (self._tabs.name == ATTEMPTS and attempts > 0), "-list")
        self._host.set_class(alone, "-list-only")
        most = (self._host.terminal_size.height - LEAST_LINES) // 5
        height = "1fr" if alone else str(max(1, min(attempts, most)))
        if str(self.rows.styles.height) != height:
            self.rows.styles.height = height

    def _draw_path(self) -> None:
        line: Line = ()
        if self._job.detail is not None:
            width = self._host.terminal_size.width
            line = path_line(self._job.detail, self._now(), width, self._hints)
        self._host.query_one("#path", TextLines).show(line)

    def _draw_list(self, before: str | None = None) -> None:
        """Draw the list; `before` is the attempt that was shown, where a newer one is now."""
        detail, content = self._job.detail, self._tabs.content
        if detail is None or self._job.is_gone or not isinstance(content, (Attempts, Relatives)):
            return
        now, width = self._now(), self._host.terminal_size.width
        self._host.query_one("#list-head", TextLines).show(content.list_head(detail, now, width))
        rows, newest = self.rows, self._attempts.chosen
        goes_along = content is self._attempts and rows.cursor_id == before
        rows.show(content.list_rows(detail, now, width))
        if before is not None and goes_along and newest is not None:
            rows.select(newest.execution_id)

    def draw_text(self) -> None:
        """Draw the text, where what it is made of has changed, and the line over it."""
        detail, content, gone = self._job.detail, self._tabs.content, self._job.is_gone
        state = (detail, gone, content, *(content.state if content is not None else ()))
        if state != self._drawn:
            self._drawn = state
            if gone:
                self.text_view.show_lines(tuple(missing_lines(self._job.id)))
            elif detail is None or content is None:
                self.text_view.show(())
            else:
                content.fill(self.text_view, detail, self._now())
        self.draw_text_head()

    def draw_text_head(self) -> None:
        """Draw the line over the text: what it is, and how it is shown."""
        text = self._describe_text(self._job.detail)
        state = self._reader.describe(grows=self.shows_output and self._attempts.is_running)
        spans: list[Span] = [(f" {text}" if text else "", "dim")]
        if state:
            spans.append((f"{'   ' if text else ' '}{state}", "accent"))
        self._host.query_one(TypedLine).rest(tuple(spans))

    def _describe_text(self, detail: JobDetail | None) -> str:
        content = self._tabs.content
        if detail is None or content is None or self._job.is_gone:
            return ""
        return content.describe(detail, self._now())

    def _draw_facts(self) -> None:
        facts, size = self._host.query_one("#facts", TextLines), self._host.terminal_size
        lines: list[Line] = []
        if self._job.detail is not None:
            reason = self._tabs.name != ATTEMPTS
            lines = fact_lines(
                self._job.detail,
                self._now(),
                size.width - 1,
                reason=reason,
                says=self._attempts.said_share,
            )
            if size.height < LOW:
                del lines[1:]
        height = len(lines)
        if facts.styles.height is None or facts.styles.height.value != height:
            facts.styles.height = height
        facts.show(*lines)
