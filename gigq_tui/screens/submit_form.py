"""The rows of the submit form, and what they come to: a request, or what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from gigq_core.job import FunctionReference
from gigq_tui.actions.functions import FunctionInfo
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.format import inert, is_secret, plural
from gigq_tui.screens.submit_draft import (
    MISSING,
    ParamSpec,
    kept_dependencies,
    kept_params,
    lost_params,
    specs_for,
    split_ids,
)
from gigq_tui.screens.submit_kinds import Base, signature
from gigq_tui.screens.submit_values import (
    ValueTrouble,
    parse_other,
    parse_seconds,
    parse_whole,
    read_as,
)
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.form_row import FormRow
from gigq_tui.widgets.lines import TextLines

NUMBER_CELLS = 12
_AFTER_PARAMS = ("priority", "timeout", "attempts", "delay", "depends", "note")
_IDS_HINT = "ids or their beginnings"


@dataclass
class Known:
    """What was looked up for the form.

    `info` is the function as it was found, `trouble` why it wasn't; `ids` the jobs whose ids begin
    with what was typed.
    """

    info: FunctionInfo | None = None
    trouble: str = ""
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Verdict:
    """What the rows come to: the request, or None and what stands against it."""

    request: SubmitRequest | None = None
    troubles: list[str] = field(default_factory=list)


class SubmitForm(Vertical):
    """The rows of the form.

    Args:
        template: The job whose copy stands in them at first, or None.
    """

    def __init__(self, template: JobDetail | None, *, id: str) -> None:
        super().__init__(id=id)
        self.template = template
        self.kept = kept_params(template)
        self.name_follows = template is None
        self.specs: list[ParamSpec] = []
        self.param_rows: dict[str, FormRow] = {}
        self.other_rows: list[FormRow] = []
        self.fixed = _fixed_rows(template)

    def compose(self) -> ComposeResult:
        yield self.fixed["function"]
        yield self.fixed["name"]
        yield TextLines(id="params-title")
        yield Vertical(id="params")
        yield Vertical(id="others")
        for key in _AFTER_PARAMS:
            yield self.fixed[key]

    @property
    def rows(self) -> list[FormRow]:
        """Every row, from top to bottom."""
        return [
            self.fixed["function"],
            self.fixed["name"],
            *self.param_rows.values(),
            *self.other_rows,
            *(self.fixed[key] for key in _AFTER_PARAMS),
        ]

    @property
    def function(self) -> str:
        """The function that is typed."""
        return self.fixed["function"].text.strip()

    @property
    def prefixes(self) -> list[str]:
        """The dependencies that are typed: ids, or their beginnings."""
        return split_ids(self.fixed["depends"].text)

    @property
    def changed(self) -> bool:
        """Whether anything was typed."""
        return any(
            row.changed for row in self.rows if not (row.key == "name" and self.name_follows)
        )

    def follow_name(self) -> None:
        """Call the job as its function is called, until it is given a name."""
        if self.name_follows:
            name = self.fixed["name"].field
            with name.prevent(Input.Changed):
                name.value = self.function.rpartition(".")[2]
            name.cursor_position = len(name.value)

    def name_typed(self) -> None:
        """A name was typed, or taken away again."""
        self.name_follows = not self.fixed["name"].text and self.template is None

    async def build_params(self, info: FunctionInfo | None) -> None:
        """Make the fields for the parameters anew; what was typed into them stays."""
        typed = {name: row.text for name, row in self.param_rows.items() if row.changed}
        focused = next((name for name, row in self.param_rows.items() if row.field.has_focus), "")
        self.specs = specs_for(info, self.kept)
        holder = self.query_one("#params", Vertical)
        await holder.remove_children()
        self.param_rows = {}
        for spec in self.specs:
            row = FormRow(
                f"param:{spec.name}",
                f" {inert(spec.name)}{'*' if spec.required else ''}",
                spec.first_text,
                hint=spec.hint,
                secret=is_secret(spec.name),
                placeholder=spec.placeholder,
            )
            if spec.name in typed:
                row.field.value = typed[spec.name]
            self.param_rows[spec.name] = row
        await holder.mount_all(self.param_rows.values())
        if focused in self.param_rows:
            self.param_rows[focused].field.focus()
        if not self.other_rows:
            await self._add_other()
        self.query_one("#params-title", TextLines).show(((self._title(info), "dim"),))

    def _title(self, info: FunctionInfo | None) -> str:
        if lost_params(self.template):
            return " Params    those of the copied job are no JSON object that could be copied"
        if info is not None:
            return " Params    from the signature"
        return " Params    of the copied job" if self.kept else " Params"

    async def other_typed(self, row: FormRow) -> None:
        """Offer another row for a parameter once the last one is used."""
        if row is self.other_rows[-1] and row.text:
            await self._add_other()

    async def _add_other(self) -> None:
        row = FormRow(f"other:{len(self.other_rows)}", " + other", hint="key=value, JSON or text")
        self.other_rows.append(row)
        await self.query_one("#others", Vertical).mount(row)

    # Judging

    def judge(self, known: Known, *, tried: bool) -> Verdict:
        """Tell beside each row what is wrong with it.

        Args:
            known: What was looked up.
            tried: Whether somebody has tried to submit: only then is what is missing a mistake.
        """
        verdict = Verdict()
        values: dict[str, Any] = {}

        def read(row: FormRow, parse: Callable[[str], Any]) -> None:
            try:
                values[row.key] = parse(row.text)
                row.tell()
            except ValueTrouble as problem:
                row.tell("" if not row.text.strip() and not tried else str(problem))
                verdict.troubles.append(f"{row.label.strip()}: {problem}")

        rows = self.fixed
        self._judge_function(known, verdict, tried=tried)
        read(rows["name"], _name)
        for spec in self.specs:
            row = self.param_rows[spec.name]
            read(row, spec.value)
            value = values.get(row.key, MISSING)
            free = spec.kind.base is Base.ANY and value is not MISSING and not row.trouble
            row.hint = f"{spec.hint}: {read_as(value)}" if free and row.text else spec.hint
            row.tell(row.trouble)
        for row in self.other_rows:
            read(row, _pair)
        params = self._params(values, verdict)
        read(rows["priority"], lambda text: parse_whole(text, 0))
        read(rows["timeout"], lambda text: parse_seconds(text, 300.0, zero=False))
        read(rows["attempts"], lambda text: parse_whole(text, 3, 1))
        read(rows["delay"], lambda text: parse_seconds(text, 0.0, zero=True))
        read(rows["depends"], lambda text: self._ids(text, known.ids))
        if known.info is not None and not verdict.troubles:
            misfit = known.info.misfit(params)
            if misfit:
                self._tell_misfit(misfit, known.info, values)
                verdict.troubles.append(misfit)
        if not verdict.troubles:
            verdict.request = self._request(values, params)
        return verdict

    def _judge_function(self, known: Known, verdict: Verdict, *, tried: bool) -> None:
        row = self.fixed["function"]
        if not self.function:
            row.tell("needed" if tried else "", hint="package.module.function", tone="dim")
            verdict.troubles.append("Function: needed")
            return
        try:
            FunctionReference.parse(self.function)
        except ValueError:
            row.tell("" if row.field.has_focus and not tried else "write package.module.function")
            verdict.troubles.append("Function: write package.module.function")
            return
        if known.trouble:
            row.tell(known.trouble.replace(f"{self.function} can't", "can't", 1))
            verdict.troubles.append(known.trouble)
        elif known.info is not None and known.info.function == self.function:
            row.tell(hint=f"found: {signature(known.info)}", tone="ok")
        else:
            row.tell(hint="looking it up..", tone="dim")

    def _tell_misfit(self, misfit: str, info: FunctionInfo, values: Mapping[str, Any]) -> None:
        """Tell what the function does not take beside the row that it stands in."""
        named = {parameter.name for parameter in info.parameters}
        blamed = [self.param_rows[spec.name] for spec in self.specs if spec.name not in named]
        blamed = [row for row in blamed if values.get(row.key, MISSING) is not MISSING]
        for row in self.other_rows:
            pair = values.get(row.key, MISSING)
            if pair is not MISSING and pair[0] not in named:
                blamed.append(row)
        for row in blamed or [self.fixed["function"]]:
            row.tell("no such parameter" if blamed else misfit)

    def _params(self, values: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for spec in self.specs:
            value = values.get(f"param:{spec.name}", MISSING)
            if value is not MISSING:
                params[spec.name] = value
        for row in self.other_rows:
            pair = values.get(row.key, MISSING)
            if pair is MISSING:
                continue
            key, value = pair
            if key in params:
                row.tell(f"{key} has a value already")
                verdict.troubles.append(f"{key}: has two values")
            params[key] = value
        return params

    def _ids(self, text: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        ids: list[str] = []
        for prefix in split_ids(text):
            found = known.get(prefix)
            if found is None:
                raise ValueTrouble("looking it up..")
            if not found:
                raise ValueTrouble(f"no job's id begins with {inert(prefix[:12])}")
            if len(found) > 1:
                raise ValueTrouble(f"several jobs' ids begin with {inert(prefix[:12])}")
            ids.append(found[0])
        self.fixed["depends"].hint = f"{plural(len(ids), 'job')} found" if ids else _IDS_HINT
        return tuple(dict.fromkeys(ids))

    def _request(self, values: Mapping[str, Any], params: dict[str, Any]) -> SubmitRequest:
        note = self.fixed["note"]
        # A note of several lines can't be typed here, but it can be kept.
        kept = self.template is not None and not note.changed
        return SubmitRequest(
            function=self.function,
            name=values["name"],
            params=params,
            priority=values["priority"],
            timeout=values["timeout"],
            max_attempts=values["attempts"],
            retry_delay=values["delay"],
            dependencies=values["depends"],
            description=self.template.description if self.template and kept else note.text,
        )


def _fixed_rows(template: JobDetail | None) -> dict[str, FormRow]:
    row = template.row if template is not None else None
    rows = [
        FormRow(
            "function", "Function", row.function if row else "", hint="package.module.function"
        ),
        FormRow("name", "Name", row.name if row else "", hint="what people call it"),
        FormRow(
            "priority",
            "Priority",
            str(row.priority) if row else "",
            hint="0; higher runs first",
            cells=NUMBER_CELLS,
        ),
        FormRow(
            "timeout",
            "Timeout",
            f"{row.timeout_s:g}" if row else "",
            hint="300 s; how long an attempt may run",
            cells=NUMBER_CELLS,
        ),
        FormRow(
            "attempts",
            "Attempts",
            str(row.max_attempts) if row else "",
            hint="3; how often it is tried",
            cells=NUMBER_CELLS,
        ),
        FormRow(
            "delay",
            "Retry delay",
            f"{template.retry_delay_s:g}" if template else "",
            hint="0 s; before it is tried again",
            cells=NUMBER_CELLS,
        ),
        FormRow("depends", "Depends on", " ".join(kept_dependencies(template)), hint=_IDS_HINT),
        FormRow("note", "Note", template.description if template else "", hint="for people"),
    ]
    return {row.key: row for row in rows}


def _name(text: str) -> str:
    if not text.strip():
        raise ValueTrouble("needed")
    return text.strip()


def _pair(text: str) -> Any:
    return parse_other(text) if text.strip() else MISSING
