"""The screen that submits a job: from scratch, or a copy of another with other parameters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference
from gigq_tui.actions.functions import FunctionInfo, inspect_function
from gigq_tui.actions.outcome import Report
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.format import inert, plural, width_of
from gigq_tui.registry import Scope, bindings_for
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.submit_draft import preview
from gigq_tui.screens.submit_form import Known, SubmitForm, Verdict
from gigq_tui.store.models import JobDetail, Snapshot
from gigq_tui.widgets.form_row import Field, FormRow, PushLine
from gigq_tui.widgets.lines import TextLines, span
from gigq_tui.widgets.question import Choice, Question, QuestionPanel

# How long nothing is typed before the function and the dependencies are looked up.
LOOK_UP_AFTER_S = 0.4


class SubmitScreen(ConsoleScreen, inherit_bindings=False):
    """The submit form, with a preview of what it does.

    Args:
        template: The job to begin with a copy of, or None.
    """

    SCOPE = Scope.SUBMIT
    CSS_PATH = "submit.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_for(SCOPE),
        Binding("tab,down", "app.focus_next", show=False),
        Binding("shift+tab,up", "app.focus_previous", show=False),
    ]

    class Inspected(Message):
        """The workers' interpreter answered about a function."""

        def __init__(self, function: str, info: FunctionInfo | None, trouble: str) -> None:
            self.function = function
            self.info = info
            self.trouble = trouble
            super().__init__()

    def __init__(self, template: JobDetail | None = None) -> None:
        super().__init__()
        self.template = template
        self.form = SubmitForm(template, id="form")
        self.known = Known()
        self.verdict = Verdict()
        self.tried = False
        self.sending = False
        self._asked_function = ""
        self._asked_ids: set[str] = set()
        self._look_up_timer: Timer | None = None
        self._submit_when_known = False
        self._last_focus: Widget | None = None

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="sheet"):
            with Vertical(id="left"):
                yield self.form
                yield TextLines()
                with Horizontal(id="buttons"):
                    yield PushLine("Submit (alt+s)", partial(self.perform, "submit"), id="send")
                    yield PushLine("Cancel (esc)", partial(self.perform, "back"), id="drop")
            yield TextLines(id="preview")

    async def on_mount(self) -> None:
        await self.form.build_params(None)
        self.form.fixed["function"].field.focus()
        self._look_up()
        self._review()

    def crumbs(self) -> tuple[str, ...]:
        if self.template is None:
            return ("New job",)
        row = self.template.row
        return (f"New job, a copy of {row.name[:40]} {row.id[:8]}",)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if self.is_whole:
            self._preview()

    # Typing

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        event.stop()
        row = event.input.parent
        if not isinstance(row, FormRow) or not self.is_whole:
            return
        if row.key == "function":
            self.known.trouble = ""
            self.form.follow_name()
            self._look_up_later()
        elif row.key == "name":
            self.form.name_typed()
        elif row.key == "depends":
            self._look_up_later()
        else:
            await self.form.other_typed(row)
        self._review()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._look_up()
        self.focus_next()

    def on_key(self, event: events.Key) -> None:
        # On a slow machine somebody types before the field has the focus: nothing is lost.
        typed = event.character if event.is_printable else None
        if typed and self.focused is None and not self.panel.is_open:
            field = self.form.fixed["function"].field
            event.stop()
            field.insert_text_at_cursor(typed)
            field.focus()

    @on(events.DescendantFocus)
    def _focus_moved(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, (Field, PushLine)):
            self._last_focus = event.widget
        self._explain_focused()

    @on(events.DescendantBlur)
    def _field_left(self, event: events.DescendantBlur) -> None:
        if self.is_whole and event.widget is self.form.fixed["function"].field:
            self._look_up()
            self._review()

    # Looking up the function and the dependencies

    def _look_up_later(self) -> None:
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
        self._look_up_timer = self.set_timer(LOOK_UP_AFTER_S, self._look_up)

    def _look_up(self) -> None:
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
            self._look_up_timer = None
        self._look_up_function()
        for prefix in self.form.prefixes:
            if prefix not in self.known.ids and prefix not in self._asked_ids:
                self._asked_ids.add(prefix)
                self.console.ask("resolve", prefix, partial(self._resolved, prefix))

    def _look_up_function(self) -> None:
        function = self.form.function
        if function == self._asked_function:
            return
        try:
            FunctionReference.parse(function)
        except ValueError:
            return
        self._asked_function = function
        python, chdir = self.console.python, self.console.chdir

        def ask() -> None:
            try:
                info = inspect_function(function, python, chdir)
            except GigQError as problem:
                self.post_message(self.Inspected(function, None, str(problem)))
            else:
                self.post_message(self.Inspected(function, info, ""))

        self.run_worker(ask, thread=True, group="inspect")

    @on(Inspected)
    async def _inspected(self, event: Inspected) -> None:
        if event.function != self.form.function or not self.is_whole:
            return  # something else has been typed since
        had_info = self.known.info is not None
        self.known.info, self.known.trouble = event.info, event.trouble
        if event.info is not None or had_info:
            await self.form.build_params(event.info)
        self._review()

    def _resolved(self, prefix: str, answer: Any) -> None:
        self._asked_ids.discard(prefix)
        if not self.is_whole:
            return
        if isinstance(answer, tuple):
            # One that is whole is meant itself, even if it begins another.
            self.known.ids[prefix] = (prefix,) if prefix in answer else answer
        else:
            self.console.notice(str(answer), "warn")
        self._review()
        if self._submit_when_known and not self._asked_ids:
            self._submit_when_known = False
            self.do_submit()

    # Telling

    def _review(self) -> None:
        """Tell beside each field what is wrong, and show what would be submitted."""
        self.verdict = self.form.judge(self.known, tried=self.tried)
        self._preview()
        self._explain_focused()

    def _preview(self) -> None:
        wide = self.has_class("-wide")
        width = self.app.size.width * 7 // 20 - 2 if wide else self.app.size.width - 2
        lines = preview(
            self.console.path,
            self.verdict.request,
            self.verdict.troubles,
            self.console.snapshot,
            width,
            tried=self.tried,
        )
        box = self.query_one("#preview", TextLines)
        box.styles.height = max(1, len(lines))
        box.show(*lines)

    def on_resize(self) -> None:
        if self.is_whole:
            self.call_after_refresh(self._review)

    def _explain_focused(self) -> None:
        """Say the whole of what stands beside the field, where it has no room there."""
        row = self.focused.parent if self.focused is not None else None
        if not isinstance(row, FormRow) or width_of(row.said) <= row.hint_room:
            self.notice_line.rest(())
        else:
            self.notice_line.rest((span(f" {row.said}", "fail" if row.trouble else row.tone),))

    # Acting

    def do_submit(self) -> None:
        """Submit the job, or go to the first field that something is wrong with."""
        if self.sending:
            return
        self.tried = True
        self._look_up()
        self._review()
        if self._asked_ids:
            self._submit_when_known = True
        elif self.verdict.request is None:
            self._go_to_trouble()
        else:
            request = self.verdict.request
            self.console.after_attach_question(
                f"Submit {inert(request.name)}?", partial(self._send, request)
            )

    def _go_to_trouble(self) -> None:
        wrong = next((row for row in self.form.rows if row.trouble), None)
        if wrong is not None:
            wrong.field.focus()
        count = len(self.verdict.troubles)
        self.console.notice(
            f"Nothing was submitted: {plural(count, 'thing')} must be put right first.", "warn"
        )

    def _send(self, request: SubmitRequest) -> None:
        console = self.console
        jobs = console.jobs
        self.sending = True
        console.notice("submitting..")
        told: list[Report] = []

        def call() -> Report:
            try:
                told.append(jobs.submit(request))
            finally:
                self.sending = False
            return told[0]

        def after() -> None:
            # The notice of this screen goes with it: it is said again on the one below.
            if self.is_current:
                console.pop_screen()
                console.notice(told[0].title, "ok", told[0].twin)

        console.act(call, after=after)

    def do_back(self) -> None:
        """Go back; asks first if something was typed."""
        if not self.form.changed:
            self._leave()
            return
        self.question(
            Question(
                "Leave the form? What you typed is lost.",
                (),
                (Choice("s", "Stay"), Choice("y", "Leave", self._leave)),
            )
        )

    def _leave(self) -> None:
        self.console.pop_screen()

    @on(QuestionPanel.Answered)
    def _answered(self) -> None:
        if self.is_current and self._last_focus is not None:
            self._last_focus.focus()
