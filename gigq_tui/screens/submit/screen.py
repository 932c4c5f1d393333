"""The screen that submits a job: from scratch, or a copy of another with other parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from textual import events, on
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from gigq_core.schedules.rules import Schedule
from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.format import width_of
from gigq_tui.keys import Context, Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DOWN
from gigq_tui.keys.screen_actions import BACK, REVEAL_FIELD, SUBMIT
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.submit.check import FormResult, check_form
from gigq_tui.screens.submit.chosen_jobs import ChosenJobs
from gigq_tui.screens.submit.dependency_search import DependencySearch
from gigq_tui.screens.submit.editor import ParamsEditor
from gigq_tui.screens.submit.form import SubmitForm
from gigq_tui.screens.submit.function_lookup import FunctionLookup
from gigq_tui.screens.submit.host import Known
from gigq_tui.screens.submit.lane_search import LaneSearch
from gigq_tui.screens.submit.lines_file import LinesFile
from gigq_tui.screens.submit.place_in_line import PlaceInLine
from gigq_tui.screens.submit.preview import Preview, preview
from gigq_tui.screens.submit.schedule_rows import ScheduleRows, template_of
from gigq_tui.screens.submit.submission import Submission
from gigq_tui.screens.submit.suggestions import SuggestionList
from gigq_tui.screens.submit.zone_search import ZoneSearch
from gigq_tui.services import Services
from gigq_tui.store.models import JobDetail, Snapshot
from gigq_tui.widgets.form_row import Field, FormRow, PushLine
from gigq_tui.widgets.header import WIDE
from gigq_tui.widgets.lines import TextLines, span
from gigq_tui.widgets.question import QuestionPanel

# How long nothing is typed before the function and the dependencies are looked up.
LOOK_UP_AFTER_S = 0.4
# Below this width each short field has a line of its own.
PAIRED = 72
_RECENT_NAMED = 4


class SubmitScreen(ConsoleScreen, inherit_bindings=False):
    """The submit form, with a preview of what it does.

    Args:
        services: What the console can do.
        template: The job to begin with a copy of, or None.
        schedule: The rows by which its job is stored as a schedule; None where it is submitted.
    """

    SCOPE = Scope.SUBMIT
    CSS_PATH = "screen.tcss"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-slim"),
        (PAIRED, "-narrow"),
        (WIDE, "-wide"),
    ]
    BINDINGS = bindings_for(SCOPE)

    def __init__(
        self,
        services: Services,
        template: JobDetail | None = None,
        schedule: ScheduleRows | None = None,
    ) -> None:
        super().__init__(services)
        self.template = template
        self.schedule = schedule
        self.form = SubmitForm(template, schedule, id="form")
        self.suggestions = SuggestionList(id="suggestions")
        self.known = Known()
        if template is not None:
            self.known.rows = {parent.id: parent.row for parent in template.parents}
        self.result = FormResult()
        settings = services.settings
        self.functions = FunctionLookup(self, self.suggestions, settings.python, settings.chdir)
        self.dependencies = DependencySearch(
            self, self.suggestions, settings.clock, services.notices
        )
        self.place = PlaceInLine(self)
        self.lines = LinesFile(self)
        self.lanes = LaneSearch(self, self.suggestions, self.form.more["lane"].field)
        self.zones: ZoneSearch | None = None
        if schedule is not None:
            self.zones = ZoneSearch(self, self.suggestions, schedule.zone.field)
        self.submission = Submission(
            self,
            self.suggestions,
            self.dependencies,
            self.lines,
            services.actions,
            self._submit,
            services.notices,
            services.routes,
        )
        editor = ParamsEditor(self, lambda: self.app.suspend(), services.notices)
        self.parts = (self.submission, editor)
        self._look_up_timer: Timer | None = None
        self._last_focus: Widget | None = None
        self._preview_lines = 0

    @classmethod
    def for_schedule(cls, services: Services, schedule: Schedule | None) -> SubmitScreen:
        """The form for a new schedule, or with one that is to be changed."""
        template = None if schedule is None else template_of(schedule)
        return cls(services, template, ScheduleRows(schedule))

    def _submit(self, request: SubmitRequest) -> Report:
        if request.schedule is not None:
            return self.services.schedules.store(request)
        return self.services.actions.jobs.submit(request)

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="sheet"):
            # First, so that the places of the others do not change when it is shown.
            yield self.suggestions
            with Vertical(id="left"):
                yield self.form
                with Horizontal(id="buttons"):
                    does = "Submit" if self.schedule is None else "Save"
                    yield PushLine(
                        f"{does} ({self.services.hints(SUBMIT)})",
                        partial(self.perform, SUBMIT),
                        id="send",
                    )
                    yield PushLine(
                        f"Cancel ({self.services.hints(BACK)})",
                        partial(self.perform, BACK),
                        id="drop",
                    )
            yield TextLines(id="preview")

    async def on_mount(self) -> None:
        self.form.function_field.keys_first = self.functions.take_key
        self.form.depends_field.keys_first = self.dependencies.take_key
        await self.form.build_params(None)
        self.set_focus(self.form.first_field)
        self.functions.ask_recent()
        if self.zones is not None:
            self.zones.begin()
        self.look_up()
        self.review()

    def context(self) -> Context:
        labels = {} if self.schedule is None else {SUBMIT.id: "save"}
        return replace(super().context(), labels=labels)

    def crumbs(self) -> tuple[str, ...]:
        if self.schedule is not None:
            name = self.schedule.name.first_text
            return ("Schedules", f"change {name[:40]}" if name else "New schedule")
        if self.template is None:
            return ("New job",)
        row = self.template.row
        return (f"New job, a copy of {row.name[:40]} {row.id[:8]}",)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if self.is_whole:
            self.dependencies.read_rows(again=True)
            self._look_up_place()
            self._preview()

    # Typing

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        event.stop()
        row = self.form.row_of(event.input)
        if row is None or not self.is_whole:
            return
        if row.key == "function":
            self._look_up_later()
            self.functions.typed()
        elif row.key == "name":
            self.form.name_typed()
        elif row.key == "lane":
            self.lanes.typed()
        elif row.key == "zone" and self.zones is not None:
            self.zones.typed()
        elif row.key == "depends":
            self._look_up_later()
            self.dependencies.typed()
        elif row in self.form.other_rows:
            await self.form.other_typed(row)
        self.review()

    @on(FormRow.Altered)
    def _altered(self, event: FormRow.Altered) -> None:
        event.stop()
        self.review()

    def _look_up_later(self) -> None:
        """Look things up once nothing has been typed for a moment."""
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
        self._look_up_timer = self.set_timer(LOOK_UP_AFTER_S, self.look_up)

    def look_up(self) -> None:
        """Look up whatever is typed and not known yet."""
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
            self._look_up_timer = None
        self.functions.look_up()
        self.dependencies.look_up()

    def _look_up_place(self) -> None:
        request, snapshot = self.result.request, self.services.picture.shown
        if request is not None and snapshot is not None:
            priority = self.lines.jobs[0].priority if self.lines.jobs else request.options.priority
            self.place.look_up(priority, snapshot)

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
        return super().expects or self.submission.expects

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
        elif (row := self.form.row_of(event.widget)) is not None and row.text:
            # What was half a word while it was typed may be a mistake now.
            self.call_later(self.review)

    def _settle_dependencies(self) -> None:
        self.dependencies.adopt_typed()
        self.review()

    # Telling

    def review(self) -> None:
        """Tell beside each field what is wrong, and show what would be submitted."""
        if not self.is_whole:
            return
        self.result = check_form(
            self.form, self.known, self.services.settings.clock.now(), tried=self.submission.tried
        )
        self.lines.look_up(self.result.request, self.known.info)
        self._look_up_place()
        self.dependencies.draw_chosen()
        self._preview()
        self._explain_focused()
        self.submission.go_on()

    def _preview(self) -> None:
        wide = self.has_class("-wide")
        width = self.app.size.width * 7 // 20 - 3 if wide else self.app.size.width - 2
        lines = preview(
            self.services.settings.path,
            self.submission.request,
            self.submission.troubles,
            self.services.picture.shown,
            width,
            tried=self.submission.tried,
            outlook=Preview(
                self.place.ahead,
                self.known.rows,
                self.lines.jobs,
                self.schedule.name.first_text if self.schedule is not None else "",
                self.zones.schedules if self.zones is not None else frozenset(),
                self.result.rule,
                self.services.settings.clock.now(),
            ),
            copied=self.template.row.name if self.template is not None else "",
            hints=self.services.hints,
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
        if row is not None and row.key == "function" and not row.text and self.functions.recent:
            names = "  ".join(
                name.rpartition(".")[2] for name in self.functions.recent[:_RECENT_NAMED]
            )
            self.notice_line.rest((span(f" recent: {names}  ({DOWN} picks)", "dim"),))
        elif row is None or width_of(row.said) <= row.hint_room:
            self.notice_line.rest(())
        else:
            self.notice_line.rest((span(f" {row.said}", "fail" if row.trouble else row.tone),))

    # Acting

    @does(REVEAL_FIELD)
    def do_reveal_field(self) -> None:
        """Show the secret in the field with the focus, or hide it again."""
        row = self.form.row_of(self.focused)
        if row is None or not row.secret:
            self.services.notices.tell("This field is not a secret.", "warn")
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
        self.services.routes.back()

    @on(QuestionPanel.Answered)
    def _answered(self) -> None:
        if self.is_current and self._last_focus is not None:
            self.set_focus(self._last_focus)
