"""The screen that submits a job: from scratch, or a copy of another with other parameters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from textual import events, on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.format import inert, plural, width_of
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DOWN
from gigq_tui.keys.screen_actions import BACK, REVEAL_FIELD, SUBMIT
from gigq_tui.screens.submit.check import check_form
from gigq_tui.screens.submit.chosen_jobs import ChosenJobs
from gigq_tui.screens.submit.editor import ParamsEditing
from gigq_tui.screens.submit.preview import preview
from gigq_tui.services import Services
from gigq_tui.store.models import JobDetail, Snapshot
from gigq_tui.widgets.form_row import Field, FormRow, PushLine
from gigq_tui.widgets.header import WIDE
from gigq_tui.widgets.lines import TextLines, span
from gigq_tui.widgets.question import QuestionPanel

# Below this width each short field has a line of its own.
PAIRED = 72
_RECENT_NAMED = 4


class SubmitScreen(ParamsEditing, inherit_bindings=False):
    """The submit form, with a preview of what it does.

    Args:
        template: The job to begin with a copy of, or None.
    """

    SCOPE = Scope.SUBMIT
    CSS_PATH = "screen.tcss"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-slim"),
        (PAIRED, "-narrow"),
        (WIDE, "-wide"),
    ]
    BINDINGS = bindings_for(SCOPE)

    def __init__(self, services: Services, template: JobDetail | None = None) -> None:
        super().__init__(services, template)
        self.tried = False
        self.sending = False
        self._submit_when_known = False
        self._last_focus: Widget | None = None
        self._preview_lines = 0

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="sheet"):
            # First, so that the places of the others do not change when it is shown.
            yield self.suggestions
            with Vertical(id="left"):
                yield self.form
                with Horizontal(id="buttons"):
                    yield PushLine(
                        f"Submit ({self.console.hints(SUBMIT)})",
                        partial(self.perform, SUBMIT),
                        id="send",
                    )
                    yield PushLine(
                        f"Cancel ({self.console.hints(BACK)})",
                        partial(self.perform, BACK),
                        id="drop",
                    )
            yield TextLines(id="preview")

    async def on_mount(self) -> None:
        self.form.function_field.keys_first = self._function_key
        self.form.depends_field.keys_first = self._depends_key
        await self.form.build_params(None)
        self.set_focus(self.form.function_field)
        self.ask_recent()
        self.look_up()
        self.review()

    def crumbs(self) -> tuple[str, ...]:
        if self.template is None:
            return ("New job",)
        row = self.template.row
        return (f"New job, a copy of {row.name[:40]} {row.id[:8]}",)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if self.is_whole:
            self.look_at(snapshot)
            self._preview()

    # Typing

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        event.stop()
        row = self.form.row_of(event.input)
        if row is None or not self.is_whole:
            return
        if row.key == "function":
            self.known.trouble = ""
            self.form.follow_name()
            self.look_up_later()
            self.suggest_functions()
        elif row.key == "name":
            self.form.name_typed()
        elif row.key == "depends":
            self.look_up_later()
            self.search_later()
        elif row in self.form.other_rows:
            await self.form.other_typed(row)
        self.review()

    @on(FormRow.Altered)
    def _altered(self, event: FormRow.Altered) -> None:
        event.stop()
        self.review()

    def _function_key(self, event: events.Key) -> bool:
        if self.suggestions.take_key(event):
            return True
        field = self.form.function_field
        if event.key != "down" or self.suggestions.is_open:
            return False
        if not self.form.function:
            self.suggest_functions(all_recent=True)
            return self.suggestions.take_key(event)
        if None in self.listings.values():
            self.suggestions.want(field)
            return True
        return False

    def _depends_key(self, event: events.Key) -> bool:
        if self.suggestions.take_key(event):
            return True
        field = self.form.depends_field
        if event.key == "down" and field.value.strip() and not self.suggestions.is_open:
            # Pressed right behind the last letter, before the search.
            self.suggestions.want(field)
            self.search()
            return True
        return False

    def take_key(self, event: events.Key) -> bool:
        if event.key in ("pagedown", "pageup"):
            self._scroll_sheet(1 if event.key == "pagedown" else -1)
            return True
        if self.focused is not None:
            return False
        # Whoever types means a field: nothing is lost where none has the focus.
        field = self.form.function_field
        self.set_focus(field)
        return field.take_key(event)

    @property
    def expects(self) -> bool:
        return super().expects or self.sending or self._submit_when_known

    def _scroll_sheet(self, pages: int) -> None:
        """Look at another part of the form without leaving the field."""
        sheet = self.query_one("#left" if self.has_class("-wide") else "#sheet", Vertical)
        sheet.scroll_relative(y=pages * max(1, sheet.size.height - 2), animate=False)

    @on(events.DescendantFocus)
    def _focus_moved(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, (Field, PushLine, ChosenJobs)):
            self._last_focus = event.widget
        if event.widget is not self.suggestions.field:
            self.suggestions.close()
        self._explain_focused()

    @on(events.DescendantBlur)
    def _field_left(self, event: events.DescendantBlur) -> None:
        if not self.is_whole:
            return
        if event.widget in (self.form.function_field, self.form.depends_field):
            self.look_up()
            self.call_later(self._settle_dependencies)

    def _settle_dependencies(self) -> None:
        self.adopt_typed()
        self.review()

    # Telling

    def review(self) -> None:
        """Tell beside each field what is wrong, and show what would be submitted."""
        if not self.is_whole:
            return
        self.verdict = check_form(self.form, self.known, tried=self.tried)
        self.look_up_lines()
        self.look_up_place()
        rows = self.known.rows
        self.form.chosen.show(
            [
                (id, self.job_line(rows[id], id) if id in rows else (span(id[:8], "dim"),))
                for id in self.form.depends_on
            ]
        )
        self._preview()
        self._explain_focused()

    @property
    def request(self) -> SubmitRequest | None:
        """What would be submitted, or None while something stands against it."""
        return None if self.bulk_troubles else self.verdict.request

    def _preview(self) -> None:
        wide = self.has_class("-wide")
        width = self.app.size.width * 7 // 20 - 3 if wide else self.app.size.width - 2
        lines = preview(
            self.console.path,
            self.request,
            [*self.verdict.troubles, *self.bulk_troubles],
            self.console.snapshot,
            width,
            tried=self.tried,
            outlook=self.outlook,
            copied=self.template.row.name if self.template is not None else "",
            hints=self.console.hints,
        )
        box = self.query_one("#preview", TextLines)
        # It never shrinks: another height would have all of the form painted anew.
        self._preview_lines = max(self._preview_lines, len(lines))
        if not wide:
            box.styles.height = self._preview_lines
        elif len(lines) > (room := max(1, box.size.height)):
            lines = [*lines[: room - 1], ((f" .. and {len(lines) - room + 1} more lines", "dim"),)]
        box.show(*lines)

    def on_resize(self) -> None:
        self.suggestions.close()
        self._preview_lines = 0
        if self.is_whole:
            self.query_one("#preview", TextLines).styles.height = None
            self.call_after_refresh(self.review)

    def _explain_focused(self) -> None:
        """Say the whole of what stands beside the field, where it has no room there."""
        row = self.form.row_of(self.focused)
        if row is not None and row.key == "function" and not row.text and self.recent:
            names = "  ".join(name.rpartition(".")[2] for name in self.recent[:_RECENT_NAMED])
            self.notice_line.rest((span(f" recent: {names}  ({DOWN} picks)", "dim"),))
        elif row is None or width_of(row.said) <= row.hint_room:
            self.notice_line.rest(())
        else:
            self.notice_line.rest((span(f" {row.said}", "fail" if row.trouble else row.tone),))

    # Acting

    @does(SUBMIT)
    def do_submit(self) -> None:
        """Submit the job, or go to the first field that something is wrong with."""
        if self.sending:
            return
        self.suggestions.close()
        self.tried = True
        self.look_up()
        self.review()
        if self.is_asking:
            self._submit_when_known = True
        elif (request := self.request) is None:
            self._go_to_trouble()
        else:
            self.console.after_attach_question(self._title(request), partial(self._send, request))

    def nothing_asked(self) -> None:
        if self._submit_when_known:
            self._submit_when_known = False
            self.do_submit()

    def _title(self, request: SubmitRequest) -> str:
        if self.jobs or request.copies > 1:
            return f"Submit {plural(len(self.jobs) or request.copies, 'job')}?"
        return f"Submit {inert(request.options.name)}?"

    def _go_to_trouble(self) -> None:
        wrong = next((row for row in self.form.rows if row.trouble), None)
        if self.bulk_troubles:
            wrong = self.form.fixed["jsonl"]
        if wrong is not None:
            self.set_focus(wrong.field)
        count = len(self.verdict.troubles) + len(self.bulk_troubles)
        self.console.notice(
            f"Nothing was submitted: {plural(count, 'thing')} to fix first.", "warn"
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

    @does(REVEAL_FIELD)
    def do_reveal_field(self) -> None:
        """Show the secret in the field with the focus, or hide it again."""
        row = self.form.row_of(self.focused)
        if row is None or not row.secret:
            self.console.notice("This field is not a secret.", "warn")
        else:
            row.reveal()

    @does(BACK)
    def do_back(self) -> None:
        """Go back; asks first if something was typed."""
        if not self.form.changed:
            self._leave()
            return
        self.question(
            Question(
                "Discard what you typed and leave the form?",
                (),
                (Choice("s", "Stay"), Choice("y", "Leave", self._leave)),
            )
        )

    def _leave(self) -> None:
        self.console.pop_screen()

    @on(QuestionPanel.Answered)
    def _answered(self) -> None:
        if self.is_current and self._last_focus is not None:
            self.set_focus(self._last_focus)
