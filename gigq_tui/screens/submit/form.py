"""The rows of the submit form: what they hold at first, and how they are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from gigq_core.job import JobOptions, OnCrash
from gigq_core.units.durations import seconds_text
from gigq_tui.actions.functions.inspection import FunctionInfo
from gigq_tui.format import inert, is_secret
from gigq_tui.keys.hints import DOWN
from gigq_tui.screens.submit.chosen_jobs import ChosenJobs
from gigq_tui.screens.submit.more_options import MORE, MORE_PAIRS
from gigq_tui.screens.submit.param_specs import (
    ParamSpec,
    kept_dependencies,
    kept_on_crash,
    kept_params,
    kept_parent_results,
    lost_params,
    specs_for,
    split_ids,
)
from gigq_tui.screens.submit.schedule_rows import SLOT_HINT, ScheduleRows
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.form_row import Field, FormRow, PushLine
from gigq_tui.widgets.lines import TextLines

NUMBER_CELLS = 9
JSONL_HINT_CELLS = 3
MORE_LABEL = "More options: backoff, times, batch.."
DEPENDS_HINT = f"name or id, {DOWN} picks"
# Rows that share a line, in their order from the top.
_PAIRS = (
    ("priority", "timeout"),
    ("attempts", "delay"),
    ("crash", "results"),
    ("copies", "jsonl"),
)
# A schedule has one job, which waits for no other.
_NOT_SCHEDULED = frozenset(("results", "copies", "jsonl", "on_parent_failure"))


class SubmitForm(Vertical):
    """The rows of the form.

    Args:
        template: The job whose copy stands in them at first, or None.
        schedule: The rows that make a schedule of the job; None where it is submitted.
    """

    def __init__(
        self, template: JobDetail | None, schedule: ScheduleRows | None = None, *, id: str
    ) -> None:
        super().__init__(id=id)
        self.template = template
        self.schedule = schedule
        self.kept = kept_params(template)
        self.name_follows = template is None
        self._followed = ""
        # Whether the parameters were changed in an editor, which no row remembers.
        self.edited = False
        self.specs: list[ParamSpec] = []
        self.param_rows: dict[str, FormRow] = {}
        self.other_rows: list[FormRow] = []
        self.fixed = _fixed_rows(template)
        self.more = _more_rows(template)
        self._more_button = PushLine(MORE_LABEL, self.show_more, id="show-more")
        self.depends_on: tuple[str, ...] = kept_dependencies(template)
        self._depends_first = self.depends_on
        self.chosen = ChosenJobs(self._drop_dependency, id="chosen")

    def compose(self) -> ComposeResult:
        if self.schedule is not None:
            yield self.schedule.name
            yield self.schedule.rule
            yield self.schedule.zone
            yield Horizontal(self.schedule.catch_up, self.schedule.overlap, classes="pair")
        yield self.fixed["function"]
        yield self.fixed["name"]
        yield TextLines(id="params-title")
        yield Vertical(id="params")
        yield Vertical(id="others")
        yield from self._in_pairs(_PAIRS, self.fixed)
        if self.schedule is None:
            yield self.fixed["depends"]
            yield self.chosen
        yield self.fixed["note"]
        yield self._more_button
        with Vertical(id="more"):
            for option in MORE:
                if not option.short:
                    yield self.more[option.key]
            yield from self._in_pairs(MORE_PAIRS, self.more)

    def _in_pairs(
        self, pairs: Iterable[tuple[str, str]], rows: Mapping[str, FormRow]
    ) -> Iterable[Widget]:
        for pair in pairs:
            here = [rows[key] for key in pair if self._has(key)]
            if len(here) == len(pair):
                yield Horizontal(*here, classes="pair")
            else:
                yield from here

    def _has(self, key: str) -> bool:
        """Whether a row is there."""
        return self.schedule is None or key not in _NOT_SCHEDULED

    def on_mount(self) -> None:
        self._draw_more(any(row.text for row in self.more.values()))

    def _draw_more(self, shown: bool) -> None:
        self.query_one("#more", Vertical).display = shown
        self._more_button.display = not shown

    def make_visible(self, row: FormRow) -> None:
        """Show a row that may be folded away."""
        if row.key in self.more:
            self._draw_more(True)

    def show_more(self) -> None:
        """Show the options that few jobs need, and go to the first of them."""
        self._draw_more(True)
        self.screen.set_focus(self.more[MORE[0].key].field)

    @property
    def first_field(self) -> Field:
        """The field that somebody begins with."""
        return self.function_field if self.schedule is None else self.schedule.first.field

    @property
    def rows(self) -> list[FormRow]:
        """Every row, from top to bottom."""
        return [
            *(self.schedule.rows if self.schedule is not None else ()),
            self.fixed["function"],
            self.fixed["name"],
            *self.param_rows.values(),
            *self.other_rows,
            *(self.fixed[key] for pair in _PAIRS for key in pair if self._has(key)),
            *((self.fixed["depends"],) if self.schedule is None else ()),
            self.fixed["note"],
            *(row for key, row in self.more.items() if self._has(key)),
        ]

    @property
    def function(self) -> str:
        """The function that is typed."""
        return self.fixed["function"].text.strip()

    @property
    def function_field(self) -> Field:
        """The field that the function is typed into."""
        return self.fixed["function"].field

    @property
    def depends_field(self) -> Field:
        """The field that dependencies are searched with."""
        return self.fixed["depends"].field

    @property
    def prefixes(self) -> list[str]:
        """What is typed of dependencies that are not chosen yet: ids, or their beginnings."""
        return split_ids(self.fixed["depends"].text)

    @property
    def changed(self) -> bool:
        """Whether anything was typed."""
        typed = any(
            row.changed for row in self.rows if not (row.key == "name" and self.name_follows)
        )
        return typed or self.edited or self.depends_on != self._depends_first

    def row_of(self, widget: Widget | None) -> FormRow | None:
        """The row that a field belongs to."""
        row = widget.parent if widget is not None else None
        return row if isinstance(row, FormRow) else None

    def follow_name(self) -> None:
        """Call the job as its function is called, until it is given a name."""
        name = self.fixed["name"].field
        # A name may have been typed that the form has not been told of yet.
        if self.name_follows and name.value == self._followed:
            self._followed = self.function.rpartition(".")[2]
            with name.prevent(Input.Changed):
                name.value = self._followed
            name.cursor_position = len(name.value)

    def name_typed(self) -> None:
        """A name was typed, or taken away again."""
        self.name_follows = not self.fixed["name"].text and self.template is None
        self._followed = ""

    # Parameters

    async def build_params(self, info: FunctionInfo | None) -> None:
        """Make the fields for the parameters anew; what was typed into them stays."""
        typed = {name: row.text for name, row in self.param_rows.items() if row.changed}
        focused = next((name for name, row in self.param_rows.items() if row.field.has_focus), "")
        # Together, and before anything is waited for: what is typed meanwhile is judged by them.
        self.specs = specs_for(info, self.kept)
        self.param_rows = {spec.name: _param_row(spec) for spec in self.specs}
        for name, text in typed.items():
            if name in self.param_rows:
                self.param_rows[name].field.value = text
        holder = self.query_one("#params", Vertical)
        await holder.remove_children()
        await holder.mount_all(self.param_rows.values())
        if focused in self.param_rows:
            self.screen.set_focus(self.param_rows[focused].field)
        if not self.other_rows:
            await self._add_other()
        self.query_one("#params-title", TextLines).show(((self._title(info), "dim"),))

    async def put_params(self, params: Mapping[str, Any], info: FunctionInfo | None) -> None:
        """Put these parameters into the form, in the place of all that it has."""
        self.kept = dict(params)
        self.specs, self.param_rows, self.other_rows = [], {}, []
        self.edited = True
        await self.query_one("#others", Vertical).remove_children()
        await self.build_params(info)

    def _title(self, info: FunctionInfo | None) -> str:
        if lost_params(self.template) and not self.edited:
            return " Params    the copied job's parameters are not a JSON object"
        if self.schedule is not None:
            return f" Params    {SLOT_HINT}"
        if info is not None:
            return " Params    from the signature"
        return " Params    of the copied job" if self.kept else " Params"

    async def other_typed(self, row: FormRow) -> None:
        """Offer another row for a parameter once the last one is used, and hide a secret."""
        key, equals, _ = row.text.partition("=")
        if equals and is_secret(key):
            row.hide()
        if row is self.other_rows[-1] and row.text:
            await self._add_other()

    async def _add_other(self) -> None:
        row = FormRow(f"other:{len(self.other_rows)}", " + other", hint="key=value, JSON or text")
        self.other_rows.append(row)
        await self.query_one("#others", Vertical).mount(row)

    # Dependencies

    def add_dependency(self, job_id: str) -> None:
        """Depend on one more job."""
        self.depends_on = tuple(dict.fromkeys((*self.depends_on, job_id)))

    def _drop_dependency(self, job_id: str) -> None:
        self.depends_on = tuple(id for id in self.depends_on if id != job_id)
        if not self.depends_on:
            self.screen.set_focus(self.depends_field)
        self.post_message(FormRow.Altered())


def _param_row(spec: ParamSpec) -> FormRow:
    return FormRow(
        f"param:{spec.name}",
        f" {inert(spec.name)}{'*' if spec.required else ''}",
        spec.first_text,
        hint=spec.hint,
        secret=spec.secret,
        placeholder=spec.placeholder,
    )


def _more_rows(template: JobDetail | None) -> dict[str, FormRow]:
    return {
        option.key: FormRow(
            option.key,
            option.label,
            option.kept(template) if template is not None else "",
            hint=option.hint,
            cells=NUMBER_CELLS if option.short else 0,
        )
        for option in MORE
    }


def _fixed_rows(template: JobDetail | None) -> dict[str, FormRow]:
    row = template.row if template is not None else None

    def short(key: str, label: str, text: str, hint: str) -> FormRow:
        return FormRow(key, label, text, hint=hint, cells=NUMBER_CELLS)

    rows = [
        FormRow(
            "function", "Function", row.function if row else "", hint="package.module.function"
        ),
        FormRow("name", "Name", row.name if row else "", hint="display name"),
        short(
            "priority",
            "Priority",
            str(row.priority) if row else "",
            f"{JobOptions.priority}; higher runs first",
        ),
        short(
            "timeout",
            "Timeout",
            seconds_text(row.timeout_s) if row else "",
            f"{JobOptions.timeout:g} s; limit for one attempt",
        ),
        short(
            "attempts",
            "Attempts",
            str(row.max_attempts) if row else "",
            f"{JobOptions.max_attempts}; tries in all",
        ),
        short(
            "delay",
            "Retry delay",
            seconds_text(template.retry_delay_s) if template else "",
            f"{JobOptions.retry_delay:g} s; wait between tries",
        ),
        short(
            "crash",
            "On a crash",
            kept_on_crash(template),
            f"{' or '.join(get_args(OnCrash))}, if its process dies",
        ),
        short("copies", "Copies", "", "1; identical jobs"),
        FormRow("depends", "Depends on", hint=DEPENDS_HINT),
        short(
            "results",
            "Results",
            kept_parent_results(template),
            "auto, yes or no: pass the results of its parents",
        ),
        FormRow("note", "Note", template.description if template else "", hint="free text"),
        FormRow(
            "jsonl",
            "or from file",
            hint="a JSONL file: one job per line",
            hint_cells=JSONL_HINT_CELLS,
        ),
    ]
    return {found.key: found for found in rows}
