"""The detail screen: one job, its way through its states, and everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual import on
from textual.widget import Widget

from gigq_tui import theme
from gigq_tui.output import Tail, output_of, read_tail
from gigq_tui.registry import Scope, bindings_for
from gigq_tui.screens.job_acts import JobActs, trouble_of
from gigq_tui.screens.jobs import JobsScreen
from gigq_tui.store.derive import ticks
from gigq_tui.store.models import Attempt, JobDetail, JobRow, Snapshot
from gigq_tui.widgets import detail_text as text
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.tabs import TabLabel, TabRow

TABS = ("Error", "Attempts", "Params", "Result", "Log", "Deps", "Raw")
LISTS = frozenset({"Attempts", "Deps"})
SHOWN_ATTEMPTS = 5
WIDE = 100


class DetailScreen(JobActs, inherit_bindings=False):
    """One job.

    Args:
        job_id: Which.
        tab: The tab to open with; None lets the state of the job choose.
    """

    SCOPE = Scope.DETAIL
    BINDINGS = bindings_for(Scope.DETAIL)
    CSS_PATH = "detail.tcss"

    def __init__(self, job_id: str, tab: str | None = None) -> None:
        super().__init__()
        self.job_id = job_id
        self.tab = tab
        self.detail: JobDetail | None = None
        self.gone = False
        self.attempt_id: str | None = None
        self.tail: Tail | None = None
        self.trail: list[str] = []

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="path")
        yield TabRow(id="tabs")
        yield TextLines(id="tab-rule")
        yield TextLines(id="list-head")
        yield PickList(id="list")
        yield Pane(id="text")
        yield TextLines(id="facts")

    def crumbs(self) -> tuple[str, ...]:
        row = self.current_row()
        name = f" {row.name}" if row is not None else ""
        return ("Job", f"{self.job_id[:8]}{name}")

    def mover(self) -> Scrolled | None:
        return self.rows if self.tab in LISTS else self.pane

    def current_row(self) -> JobRow | None:
        return self.detail.row if self.detail is not None else None

    @property
    def rows(self) -> PickList:
        """The list of the tabs that have one."""
        return self.query_one(PickList)

    @property
    def pane(self) -> Pane:
        """The text of the other tabs."""
        return self.query_one(Pane)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that error and log are about: the chosen one, or the last."""
        attempts = self.detail.attempts if self.detail is not None else ()
        for attempt in attempts:
            if attempt.execution_id == self.attempt_id:
                return attempt
        return attempts[-1] if attempts else None

    @property
    def wide(self) -> bool:
        """Whether there is room for the long words."""
        return self.app.size.width >= WIDE

    # Data

    def show_job(self, job_id: str) -> None:
        """Show another job in this screen."""
        self.job_id = job_id
        self.detail = None
        self.gone = False
        self.attempt_id = None
        self.tail = None
        self.pane.top = 0
        self.rows.cursor_id = None
        self.rows.cursor = self.rows.top = 0
        self._read()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        jobs = self._jobs_screen()
        if jobs is not None:
            jobs.take_rows(snapshot)
        self._read()

    def _read(self) -> None:
        self.ask("detail", self.job_id, partial(self._arrived, self.job_id))

    def _arrived(self, job_id: str, answer: Any) -> None:
        if job_id != self.job_id:
            return
        if isinstance(answer, JobDetail):
            self.detail = answer
            self.gone = False
            if self.tab is None:
                self.tab = text.opening_tab(answer.row, self.console.clock.now())
            self.draw()
            self._read_log()
        elif answer is None:
            self.gone = True
            self.draw()
        else:
            self.console.notice(trouble_of(answer), "warn")

    def _read_log(self) -> None:
        attempt = self.attempt
        if self.tab != "Log" or attempt is None:
            return
        path = output_of(self.console.path, attempt)
        self.in_thread(partial(read_tail, path), partial(self._log_read, attempt.execution_id))

    def _log_read(self, attempt_id: str, tail: Tail) -> None:
        attempt = self.attempt
        if attempt is not None and attempt.execution_id == attempt_id:
            self.tail = tail
            if self.tab == "Log":
                self._draw_body()

    def tick(self) -> None:
        row = self.current_row()
        if row is not None and ticks(row):
            self._draw_path()
            if row.status == "running":
                self._read_log()
                if self.tab in ("Attempts", "Error"):
                    self._draw_body()
                self._draw_facts()

    # Drawing

    def on_mount(self) -> None:
        self.draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw everything that changed."""
        if not self.is_whole:
            return
        self.set_class(self.tab in LISTS, "-list")
        self._draw_path()
        self._draw_tabs()
        self.query_one("#tab-rule", TextLines).show(((theme.RULE * self.app.size.width, "rule"),))
        self._draw_body()
        self._draw_facts()
        self.refresh_frame()

    def _draw_path(self) -> None:
        line: Line = ()
        if self.detail is not None:
            line = text.path_line(
                self.detail, self.console.clock.now(), self.app.size.width, wide=self.wide
            )
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
        for name in TABS:
            told = f"{name} {counts[name]}" if name in counts else name
            loud = name == "Error" and detail is not None and bool(detail.error)
            labels.append(TabLabel(told, told, "fail" if loud else ""))
        active = TABS.index(self.tab) if self.tab in TABS else 0
        self.query_one(TabRow).tell(labels, active)

    def _draw_body(self) -> None:
        detail, now = self.detail, self.console.clock.now()
        width = self.app.size.width - 1
        if self.gone:
            self.remove_class("-list")
            self.pane.show(tuple(text.missing_lines(self.job_id)))
            return
        if detail is None:
            self.pane.show(())
            return
        attempt = self.attempt
        if self.tab == "Attempts":
            self.query_one("#list-head", TextLines).show(text.attempt_head(self.wide))
            self.rows.show(
                [
                    (a.execution_id, text.attempt_line(a, now, wide=self.wide))
                    for a in detail.attempts
                ]
            )
        elif self.tab == "Deps":
            head = (
                "enter opens a job, esc comes back"
                if detail.parents or detail.children
                else ("This job waits for no other, and no other waits for it.")
            )
            self.query_one("#list-head", TextLines).show(((f"   {head}", "dim"),))
            self.rows.show(text.relative_rows(detail, now))
        elif self.tab == "Log":
            self.pane.show(text.log_lines(attempt, self.tail, width), tail=True)
        else:
            self.pane.show(self._text_of(detail, attempt, width))

    def _text_of(self, detail: JobDetail, attempt: Attempt | None, width: int) -> list[Line]:
        if self.tab == "Params":
            return text.value_lines(detail.params, width, "This job takes no parameters.")
        if self.tab == "Result":
            empty = "It returned nothing." if detail.row.status == "completed" else "No result yet."
            return text.value_lines(detail.result, width, empty)
        if self.tab == "Raw":
            return text.raw_lines(detail, width)
        return text.error_lines(detail, attempt, self.console.clock.now(), width)

    def _draw_facts(self) -> None:
        facts = self.query_one("#facts", TextLines)
        detail = self.detail
        if detail is None:
            facts.show()
            return
        now = self.console.clock.now()
        lines: list[Line] = []
        if self.tab == "Error" and self.has_class("-tall") and detail.attempts:
            lines.append(text.attempt_head(self.wide))
            for attempt in detail.attempts[-SHOWN_ATTEMPTS:]:
                lines.append((("   ", ""), *text.attempt_line(attempt, now, wide=self.wide)))
            lines.append(())
        lines += text.fact_lines(detail, now, self.app.size.width - 1, reason=self.tab != "Error")
        if facts.styles.height is None or facts.styles.height.value != len(lines):
            facts.styles.height = len(lines)
        facts.show(*lines)

    # Keys

    def choose_tab(self, name: str) -> None:
        """Show another tab, from its top."""
        if name == self.tab:
            return
        self.tab = name
        self.pane.top = 0
        self.pane.tail = False
        self.rows.cursor_id = None
        self.rows.cursor = self.rows.top = 0
        if name == "Attempts" and self.attempt is not None:
            self.rows.cursor_id = self.attempt.execution_id
        self.draw()
        self._read_log()

    def _step_tab(self, step: int) -> None:
        at = TABS.index(self.tab) if self.tab in TABS else 0
        self.choose_tab(TABS[(at + step) % len(TABS)])

    def do_detail_next_tab(self) -> None:
        self._step_tab(1)

    def do_detail_previous_tab(self) -> None:
        self._step_tab(-1)

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.choose_tab(TABS[event.index])

    def do_log(self) -> None:
        self.choose_tab("Log")

    def do_detail_open(self) -> None:
        """Open the parent or child under the cursor, or the log of the attempt."""
        row_id = self.rows.cursor_id
        if row_id is None or self.tab not in LISTS:
            return
        if self.tab == "Attempts":
            self.attempt_id = row_id
            self.tail = None
            self.choose_tab("Log")
            return
        detail = self.detail
        kind, _, job_id = row_id.partition("/")
        relatives = (*detail.parents, *detail.children) if detail is not None else ()
        if any(relative.id == job_id and relative.row is not None for relative in relatives):
            self.trail.append(self.job_id)
            self.show_job(job_id)
        elif kind != "more":
            self.console.notice("That job is not in the queue.", "warn")

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform("detail_open")

    def do_back(self) -> None:
        """Go back the way that was walked, then to the list."""
        if self.trail:
            self.show_job(self.trail.pop())
        else:
            super().do_back()

    def do_next_job(self) -> None:
        self._walk(1)

    def do_previous_job(self) -> None:
        self._walk(-1)

    def _jobs_screen(self) -> JobsScreen | None:
        for screen in self.app.screen_stack:
            if isinstance(screen, JobsScreen):
                return screen
        return None

    def _walk(self, step: int) -> None:
        jobs = self._jobs_screen()
        if jobs is None:
            return
        jobs.table.step(step)
        row = jobs.table.current
        if row is not None and row.id != self.job_id:
            self.trail.clear()
            self.show_job(row.id)
        else:
            self.console.notice("This is the end of the list.")
