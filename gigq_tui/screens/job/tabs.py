"""One job on the screen: its way through its states, and everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual import on
from textual.widget import Widget

from gigq_tui.actions.stack import StackTaken, take_stack
from gigq_tui.format import clock_time, inert, plural
from gigq_tui.keys import DETAIL_TABS
from gigq_tui.keys.action import Action
from gigq_tui.keys.reading_actions import DETAIL_TAB_ACTIONS, REVEAL, STACK
from gigq_tui.screens.job import attempts as attempt_texts
from gigq_tui.screens.job import relatives
from gigq_tui.screens.job import texts as text
from gigq_tui.screens.job.copy import DetailCopy
from gigq_tui.screens.job.output import marks_of
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.parts.job_actions import trouble_of
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.services import Services
from gigq_tui.store.derive import ticks
from gigq_tui.store.models import Attempt, JobDetail, JobRow, Snapshot
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES, Tail, read_output
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.tabs import TabLabel, TabRow
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine

# A terminal lower than this keeps its lines for the text.
LOW = 18
# What stands around the list of attempts and the text.
LEAST_LINES = 8
WRITTEN = frozenset({"Attempts", "Output"})


class DetailView(DetailCopy, inherit_bindings=False):
    """The looking half of the detail screen.

    Args:
        job_id: Which.
        tab: The tab to open with; None lets the state of the job choose.
    """

    def __init__(self, services: Services, job_id: str, tab: str | None = None) -> None:
        super().__init__(services)
        self.reader = TextReader(self)
        self.job_id = job_id
        self.tab = tab
        self.detail: JobDetail | None = None
        self.gone = False
        self.attempt_id: str | None = None
        self.tail: Tail | None = None
        self.stack: StackTaken | None = None
        self.taking_stack = False
        self.reveal = False
        self.enlarged = False
        self._limit = TAIL_BYTES
        self._shown: tuple[object, ...] = ()
        self._secret = False

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="path")
        yield TabRow(id="tabs")
        yield TextLines(id="tab-rule")
        yield TextLines(id="list-head")
        yield PickList(id="list")
        yield TypedLine(id="text-head")
        yield TextView(id="text")
        yield TextLines(id="facts")

    def crumbs(self) -> tuple[str, ...]:
        row = self.current_row()
        name = f" {row.name}" if row is not None else ""
        return ("Job", f"{self.job_id[:8]}{name}")

    def mover(self) -> Scrolled | None:
        return self.rows if self.tab == "Deps" and not self.gone else self.text_view

    def current_row(self) -> JobRow | None:
        return self.detail.row if self.detail is not None else None

    @property
    def rows(self) -> PickList:
        """The list of attempts, or of relatives."""
        return self.query_one(PickList)

    @property
    def typed_line(self) -> TypedLine:
        """The line over the text or the list, in which words are typed."""
        return self.query_one(TypedLine)

    def readable(self) -> bool:
        """Whether there is a text to find in and to wrap: even an empty one is."""
        return True

    @property
    def has_text(self) -> bool:
        return self.tab != "Deps"

    @property
    def secrets_seen(self) -> bool:
        return self.reveal and self._secret

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is looked at: the chosen one, or the last."""
        attempts = self.detail.attempts if self.detail is not None else ()
        for attempt in attempts:
            if attempt.execution_id == self.attempt_id:
                return attempt
        return attempts[-1] if attempts else None

    # Data

    def show_job(self, job_id: str) -> None:
        """Show another job in this screen."""
        self.job_id = job_id
        self.detail = None
        self.gone = self.reveal = self.enlarged = False
        self.stack = None
        self._choose_attempt(None)
        self._start_list_over()
        self._read()

    def awaits(self, action: Action) -> bool:
        return self.detail is None and not self.gone and is_about_rows(action)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        jobs = self.jobs_screen()
        if jobs is not None:
            jobs.take_rows(snapshot)
        self._read()

    def _read(self) -> None:
        self.ask("detail", self.job_id, partial(self._arrived, self.job_id))

    def _arrived(self, job_id: str, answer: Any) -> None:
        if job_id != self.job_id:
            return
        if isinstance(answer, JobDetail):
            # The same job read again is the same object, so that nothing is built anew for it.
            first = self.detail is None
            self.detail = self.detail if self.detail == answer else answer
            self.gone = False
            if self.tab is None:
                self.tab = text.opening_tab(answer, self.console.clock.now())
            if first:
                self.shows_anew()
                self._start_list_over()
                self._begin_text()
            self.draw()
            self.read_written()
        elif answer is None:
            self.gone = True
            self.draw()
        else:
            self.console.notice(trouble_of(answer), "warn")

    def read_written(self) -> None:
        """Read what the attempt wrote, where there is something new and it is looked at."""
        attempt = self.attempt
        if self.tab not in WRITTEN or attempt is None:
            return
        call = partial(read_output, self.console.path, attempt, self.tail, self._limit)
        self.in_thread(call, partial(self._written_read, attempt.execution_id))

    def _written_read(self, attempt_id: str, tail: Tail) -> None:
        attempt = self.attempt
        if attempt is None or attempt.execution_id != attempt_id or tail is self.tail:
            return
        if self.tail is None or not tail.trouble or tail.trouble != self.tail.trouble:
            self.tail = tail
            if self.tab in WRITTEN:
                self._draw_text()

    @on(TextView.EarlierWanted)
    def read_whole(self) -> None:
        """Read all of what the attempt wrote, as far as it is kept."""
        if self.tab in WRITTEN and self._limit != WHOLE_BYTES:
            self._limit = WHOLE_BYTES
            self.read_written()

    def tick(self) -> None:
        row = self.current_row()
        if row is not None and ticks(row):
            self._draw_path()
            if row.status == "running":
                self.read_written()
                self._draw_list()
                self._draw_facts()

    def jobs_screen(self) -> JobsScreen | None:
        """The list that this job was opened from, if it is still there."""
        for screen in self.app.screen_stack:
            if isinstance(screen, JobsScreen):
                return screen
        return None

    # Drawing

    def on_mount(self) -> None:
        self.draw()
        if self.tab == "Stack":
            self.take_stack()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw everything that changed."""
        if not self.is_whole:
            return
        self._lay_out()
        self._draw_path()
        self._draw_tabs()
        self.query_one("#tab-rule", TextLines).show(((theme.RULE * self.app.size.width, "rule"),))
        self._draw_list()
        self._draw_text()
        self._draw_facts()
        self.refresh_frame()

    def _lay_out(self) -> None:
        attempts = len(self.detail.attempts) if self.detail is not None else 0
        deps = self.tab == "Deps" and not self.gone
        self.set_class(deps or (self.tab == "Attempts" and attempts > 0), "-list")
        self.set_class(deps, "-list-only")
        height = (
            "1fr" if deps else str(max(1, min(attempts, (self.app.size.height - LEAST_LINES) // 5)))
        )
        if str(self.rows.styles.height) != height:
            self.rows.styles.height = height

    def _draw_path(self) -> None:
        line: Line = ()
        if self.detail is not None:
            now, width = self.console.clock.now(), self.app.size.width
            line = text.path_line(self.detail, now, width, self.console.hints)
        self.query_one("#path", TextLines).show(line)

    def _draw_tabs(self) -> None:
        detail = self.detail
        counts = {}
        if detail is not None:
            counts = {
                "Attempts": len(detail.attempts),
                "Deps": len(detail.parents) + detail.child_count,
            }
        labels = []
        for number, name in enumerate(DETAIL_TABS, start=1):
            told = f"{name} {counts[name]}" if name in counts else name
            loud = name == "Attempts" and detail is not None and bool(detail.error)
            key = self.console.hints(DETAIL_TAB_ACTIONS[number - 1])
            labels.append(TabLabel(f"{key} {told}", told, "fail" if loud else ""))
        active = DETAIL_TABS.index(self.tab) if self.tab in DETAIL_TABS else 0
        self.query_one(TabRow).tell(labels, active)

    def _draw_list(self) -> None:
        detail, now = self.detail, self.console.clock.now()
        if detail is None or self.gone:
            return
        head = self.query_one("#list-head", TextLines)
        if self.tab == "Deps":
            told = relatives.relatives_told(detail, now, self.console.hints)
            head.show(((f"   {told}", "dim"),))
            self.rows.show(relatives.relative_rows(detail, now))
        elif self.tab == "Attempts":
            wide = self.app.size.width >= text.WIDE
            head.show(attempt_texts.attempt_head(wide))
            self.rows.show(attempt_texts.attempt_rows(detail, now, wide=wide))

    def _draw_text(self) -> None:
        shown: tuple[object, ...] = (self.detail, self.tab, self.attempt, self.tail, self.stack)
        shown += (self.reveal, self.taking_stack, self.gone)
        if shown != self._shown:
            self._shown = shown
            self._secret = self.detail is not None and text.hides_secrets(self.detail, self.tab)
            self._fill_text()
        self.draw_head()

    def _fill_text(self) -> None:
        detail, view, tail = self.detail, self.text_view, self.tail
        if self.gone:
            view.show_lines(tuple(text.missing_lines(self.job_id)))
        elif detail is None:
            view.show(())
        elif self.tab == "Output" and tail is not None and not tail.trouble:
            earlier = tail.skipped > 0 and self._limit < WHOLE_BYTES
            view.show(tail.lines, marks=marks_of(tail), earlier=earlier)
        else:
            view.show_lines(self._lines(detail))

    def _lines(self, detail: JobDetail) -> list[Line]:
        now, hints = self.console.clock.now(), self.console.hints
        if self.tab == "Attempts":
            return attempt_texts.attempt_lines(detail, self.attempt, self.tail, now, hints)
        if self.tab == "Output":
            told = self.tail.trouble if self.tail is not None else ""
            return [((told if self.attempt is not None else "No attempts yet.", ""),)]
        if self.tab == "Params":
            empty = "This job takes no parameters."
            return text.value_lines(detail.params, empty, reveal=self.reveal)
        if self.tab == "Result":
            empty = "It returned nothing." if detail.row.status == "completed" else "No result yet."
            return text.value_lines(detail.result, empty, reveal=self.reveal)
        if self.tab == "Raw":
            return text.raw_lines(detail, reveal=self.reveal)
        if self.tab == "Stack":
            return text.stack_lines(self.stack, taking=self.taking_stack, hints=hints)
        return []

    @on(TextView.Moved)
    def _text_moved(self) -> None:
        self.draw_head()

    def draw_head(self) -> None:
        """Draw the line over the text: what it is, and how it is shown."""
        attempt, detail = self.attempt, self.detail
        running = attempt is not None and attempt.status == "running"
        state = self.reader.describe(grows=self.tab in WRITTEN and running)
        told = self._head(detail) if detail is not None and not self.gone else ""
        spans: list[tuple[str, str]] = [(f" {told}" if told else "", "dim")]
        if state:
            spans.append((f"{'   ' if told else ' '}{state}", "accent"))
        self.typed_line.rest(tuple(spans))

    def _head(self, detail: JobDetail) -> str:
        attempt, tail, now = self.attempt, self.tail, self.console.clock.now()
        if self.tab in WRITTEN and attempt is not None:
            if self.tab == "Attempts":
                return attempt_texts.attempt_facts(attempt, len(detail.attempts), now)
            return attempt_texts.output_told(
                attempt, tail, more=self._limit < WHOLE_BYTES, hints=self.console.hints
            )
        if self.tab == "Stack" and self.stack is not None and not self.taking_stack:
            when = clock_time(self.stack.taken_at, now)
            verb = "asked" if self.stack.trouble else "taken"
            again = f"{self.console.hints(STACK)} takes another"
            return f"{verb} {when}, {again}   {inert(self.stack.twin)}"
        if self.tab in ("Params", "Result", "Raw"):
            lines = plural(len(self.text_view.lines), "line")
            if not self._secret:
                return lines
            key = self.console.hints(REVEAL)
            return f"{lines}   {key} {'hides' if self.reveal else 'shows'} secrets"
        return ""

    def _draw_facts(self) -> None:
        facts = self.query_one("#facts", TextLines)
        detail = self.detail
        lines: list[Line] = []
        if detail is not None:
            now, width = self.console.clock.now(), self.app.size.width - 1
            lines = text.fact_lines(detail, now, width, reason=self.tab != "Attempts")
            if self.app.size.height < LOW:
                del lines[1:]
        height = len(lines)
        if facts.styles.height is None or facts.styles.height.value != height:
            facts.styles.height = height
        facts.show(*lines)

    # Keys

    def choose_tab(self, name: str) -> None:
        """Show another tab, from its top."""
        self.enlarged = False
        if name == self.tab:
            return
        self.tab = name
        self._start_list_over()
        self._begin_text()
        self.draw()
        self.read_written()

    def _start_list_over(self) -> None:
        rows = self.rows
        rows.cursor_id = None
        rows.cursor = rows.top = 0
        if self.tab == "Attempts" and self.attempt is not None:
            rows.cursor_id = self.attempt.execution_id

    def _begin_text(self) -> None:
        attempt = self.attempt
        lives = attempt is not None and attempt.status == "running"
        self.text_view.start_over(follow=self.tab == "Output" or (self.tab == "Attempts" and lives))

    def _choose_attempt(self, attempt_id: str | None) -> None:
        self.attempt_id = attempt_id
        self.tail = None
        self._limit = TAIL_BYTES
        self._begin_text()

    @on(RowList.CursorMoved)
    def _attempt_chosen(self, event: RowList.CursorMoved) -> None:
        attempt = self.attempt
        if self.tab != "Attempts" or attempt is None or event.row_id is None:
            return
        if event.row_id != attempt.execution_id:
            self._choose_attempt(event.row_id)
            self._draw_text()
            self.read_written()

    def take_stack(self) -> None:
        """Ask the job's process for its stack, in a thread."""
        if not self.taking_stack:
            self.taking_stack = True
            call = partial(take_stack, self.console.path, self.job_id, self.console.clock)
            self.in_thread(call, self._stack_taken)
            self._draw_text()

    def _stack_taken(self, stack: StackTaken) -> None:
        self.taking_stack = False
        if stack.job_id == self.job_id:
            self.stack = stack
        if self.tab == "Stack":
            self._draw_text()
