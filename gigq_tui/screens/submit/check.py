"""What the rows of the form come to: a request, or what stands against it, told beside each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from gigq_core.job import DEFAULT_TIMEOUT_S, FunctionReference, JobOptions, OnCrash
from gigq_core.lane_names import filled
from gigq_tui.actions.functions.inspection import FunctionInfo, full_path
from gigq_tui.actions.submit import MAX_COPIES, SubmitRequest
from gigq_tui.format import inert
from gigq_tui.screens.submit.field_types import Base, signature
from gigq_tui.screens.submit.form import DEPENDS_HINT, SubmitForm
from gigq_tui.screens.submit.host import Known
from gigq_tui.screens.submit.more_options import (
    MORE,
    ON_DUPLICATE,
    UNIQUE_UNTIL,
    UNIQUE_WITHIN,
    both_given,
    options_of,
    unique_trouble,
)
from gigq_tui.screens.submit.param_specs import MISSING, Required
from gigq_tui.screens.submit.parse_value import (
    ValueTrouble,
    parse_other,
    parse_seconds,
    parse_whole,
    parse_word,
    read_as,
)
from gigq_tui.screens.submit.preview import doom_of
from gigq_tui.screens.submit.schedule_rows import check_params
from gigq_tui.widgets.form_row import FormRow

_RESULTS = {"auto": None, "yes": True, "no": False}
# The options of the rows that are always there, all of which can be typed.
_FIXED = frozenset(
    (
        *("name", "priority", "timeout", "max_attempts", "retry_delay", "dependencies"),
        *("description", "on_crash", "pass_parent_results"),
    )
)


@dataclass
class FormResult:
    """What the rows come to: the request, or None and what stands against it.

    `params` are those that could be read, whatever else is wrong, and `rule` a schedule's rule and
    zone, likewise.
    """

    request: SubmitRequest | None = None
    troubles: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    rule: tuple[str, str] | None = None


def check_form(form: SubmitForm, known: Known, now: datetime, *, tried: bool) -> FormResult:
    """Tell beside each row what is wrong with it.

    Args:
        form: The rows.
        known: What was looked up.
        now: The present moment.
        tried: Whether somebody has tried to submit: only then is what is missing a mistake.
    """
    result = FormResult()
    values: dict[str, Any] = {}
    rows = form.fixed
    of_lines = bool(rows["jsonl"].text.strip())

    def read(row: FormRow, parse: Callable[[str], Any], *, quiet: bool = False) -> None:
        try:
            values[row.key] = parse(row.text)
            row.tell()
        except ValueTrouble as problem:
            if of_lines and isinstance(problem, Required):
                # A line of the file may well say it.
                row.tell()
                return
            hold_back = not tried and (quiet or not row.text.strip())
            row.tell("" if hold_back else str(problem))
            result.troubles.append(f"{row.label.strip()}: {problem}")

    terms = None
    if form.schedule is not None:
        terms = form.schedule.read(read, values, now)
        if "rule" in values and "zone" in values:
            result.rule = values["rule"], values["zone"]
    _check_function(form, known, result, tried=tried)
    read(rows["name"], _name)
    for spec in form.specs:
        row = form.param_rows[spec.name]
        read(row, spec.value)
        value = values.get(row.key, MISSING)
        free = spec.kind.base is Base.ANY and value is not MISSING and not row.trouble
        free = free and not spec.kind.choices
        row.hint = f"{spec.hint}: {read_as(value)}" if free and row.text else spec.hint
        row.tell(row.trouble)
    for row in form.other_rows:
        read(row, _pair)
    result.params = _params(form, values, result)
    if form.schedule is not None:
        _check_slots(form, values, result)
    read(rows["priority"], lambda text: parse_whole(text, JobOptions.priority))
    read(rows["timeout"], lambda text: parse_seconds(text, DEFAULT_TIMEOUT_S, zero=False))
    read(rows["attempts"], lambda text: parse_whole(text, JobOptions.max_attempts, 1))
    read(rows["delay"], lambda text: parse_seconds(text, 0, zero=True))
    read(
        rows["crash"],
        lambda text: parse_word(text, get_args(OnCrash)),
        quiet=_typing(rows["crash"]),
    )
    read(
        rows["results"],
        lambda text: parse_word(text, tuple(_RESULTS)),
        quiet=_typing(rows["results"]),
    )
    read(rows["copies"], lambda text: _copies(text, of_lines=of_lines))
    read(rows["depends"], lambda text: _ids(form, known), quiet=_typing(rows["depends"]))
    read(rows["jsonl"], _path)
    for option in MORE:
        row = form.more[option.key]
        read(row, option.read, quiet=_typing(row))
    _check_together(form, values, result)
    _tell_doom(form, known)
    if known.info is not None and not result.troubles and not of_lines:
        misfit = known.info.misfit(result.params)
        if misfit:
            _tell_misfit(form, misfit, known.info, values)
            result.troubles.append(misfit)
    if not result.troubles and not of_lines:
        _check_lane(form, values, result)
    if not result.troubles:
        request = _request(form, values, result.params)
        options = _with_kept(form, request.options)
        result.request = replace(request, options=options, schedule=terms)
    return result


def _check_together(form: SubmitForm, values: Mapping[str, Any], result: FormResult) -> None:
    told = both_given({"retry_delay": values.get("delay", 0), **values.get("retry", {})})
    if told:
        form.more["retry"].tell(told)
        result.troubles.append(told)
    read = {option.key: values.get(option.key, {}) for option in MORE}
    row, told = unique_trouble(read) if "unique" in values else ("", "")
    if row and not form.more[row].trouble:
        form.more[row].tell(told)
        result.troubles.append(f"{form.more[row].label}: {told}")


def _check_lane(form: SubmitForm, values: Mapping[str, Any], result: FormResult) -> None:
    """Tell beside the lane why the parameters, which are all right, do not make its name."""
    try:
        filled(values.get("lane", {}).get("lane", ""), result.params)
    except ValueError as problem:
        form.more["lane"].tell(str(problem))
        result.troubles.append(f"{form.more['lane'].label}: {problem}")


def _check_function(form: SubmitForm, known: Known, result: FormResult, *, tried: bool) -> None:
    row = form.fixed["function"]
    if not form.function:
        row.tell("required" if tried else "", hint="package.module.function", tone="dim")
        result.troubles.append("Function: required")
        return
    try:
        FunctionReference.parse(form.function)
    except ValueError:
        row.tell("" if _typing(row) and not tried else "write package.module.function")
        result.troubles.append("Function: write package.module.function")
        return
    if known.trouble:
        row.tell(known.trouble.replace(f"{form.function} can't", "can't", 1))
        result.troubles.append(known.trouble)
    elif known.info is not None and known.info.function == form.function:
        row.tell(hint=f"found: {signature(known.info)}", tone="ok")
    else:
        row.tell(hint="looking it up..", tone="dim")


def _tell_misfit(
    form: SubmitForm, misfit: str, info: FunctionInfo, values: Mapping[str, Any]
) -> None:
    """Tell what the function does not take beside the row that it stands in."""
    named = {parameter.name for parameter in info.parameters}
    blamed = [form.param_rows[spec.name] for spec in form.specs if spec.name not in named]
    blamed = [row for row in blamed if values.get(row.key, MISSING) is not MISSING]
    for row in form.other_rows:
        pair = values.get(row.key, MISSING)
        if pair is not MISSING and pair[0] not in named:
            blamed.append(row)
    for row in blamed or [form.fixed["function"]]:
        row.tell("no such parameter" if blamed else misfit)


def _tell_doom(form: SubmitForm, known: Known) -> None:
    """Say at once that one of the jobs it would wait for can't complete as things stand."""
    row = form.fixed["depends"]
    if row.trouble:
        return
    dooms = [doom_of(known.rows[id], id) for id in form.depends_on if id in known.rows]
    doom = next((doom for doom in dooms if doom), "")
    if doom:
        row.tell(hint=f"! {inert(doom)}: it could never run", tone="fail")
    else:
        row.tell(hint=DEPENDS_HINT, tone="dim")


def _params(form: SubmitForm, values: Mapping[str, Any], result: FormResult) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for spec in form.specs:
        value = values.get(f"param:{spec.name}", MISSING)
        if value is not MISSING:
            params[spec.name] = value
    for row in form.other_rows:
        pair = values.get(row.key, MISSING)
        if pair is MISSING:
            continue
        key, value = pair
        if key in params:
            row.tell(f"{key} has a value already")
            result.troubles.append(f"{key}: has two values")
        params[key] = value
    return params


def _check_slots(form: SubmitForm, values: Mapping[str, Any], result: FormResult) -> None:
    """Tell beside a parameter why the slot can't be filled into it."""
    rows = [
        (form.param_rows[one.name], {one.name: values.get(f"param:{one.name}", MISSING)})
        for one in form.specs
    ]
    for row in form.other_rows:
        pair = values.get(row.key, MISSING)
        if pair is not MISSING:
            rows.append((row, {pair[0]: pair[1]}))
    for row, params in rows:
        if trouble := check_params(params):
            row.tell(trouble)
            result.troubles.append(f"{row.label.strip()}: {trouble}")


def _ids(form: SubmitForm, known: Known) -> tuple[str, ...]:
    """The ids of the jobs that were chosen, and of those that are typed."""
    ids: list[str] = list(form.depends_on)
    for prefix in form.prefixes:
        found = known.ids.get(prefix)
        if found is None:
            raise ValueTrouble("looking it up..")
        if not found:
            raise ValueTrouble(f"no job's id begins with {inert(prefix[:12])}: pick from the list")
        if len(found) > 1:
            raise ValueTrouble(f"several jobs' ids begin with {inert(prefix[:12])}")
        ids.append(found[0])
    return tuple(dict.fromkeys(ids))


def _request(form: SubmitForm, values: Mapping[str, Any], params: dict[str, Any]) -> SubmitRequest:
    note = form.fixed["note"]
    template = form.template
    # A note of several lines can't be typed here, but it can be kept.
    description = template.description if template and not note.changed else note.text
    crash: OnCrash = "fail" if values["crash"] == "fail" else "retry"
    options = JobOptions(
        name=values["name"],
        priority=values["priority"],
        timeout=values["timeout"],
        max_attempts=values["attempts"],
        retry_delay=values["delay"],
        dependencies=values["depends"],
        description=description,
        on_crash=crash,
        pass_parent_results=_RESULTS[values["results"]],
        **options_of({option.key: values[option.key] for option in MORE}),
    )
    return SubmitRequest(form.function, params, options, values["copies"], values["jsonl"])


# The options of those rows that are not called like one.
_OF_ROW = {
    "when": ("run_at", "run_after"),
    **dict.fromkeys((UNIQUE_UNTIL, UNIQUE_WITHIN, ON_DUPLICATE), ("unique",)),
}


def _with_kept(form: SubmitForm, options: JobOptions) -> JobOptions:
    """The options of a schedule that is changed: what no row was changed for stays as it is."""
    kept = form.schedule.options if form.schedule is not None else None
    if kept is None:
        return options
    names = {one.name for one in fields(JobOptions)} - _FIXED
    for option in MORE:
        if form.more[option.key].changed:
            names.difference_update(_OF_ROW.get(option.key, (option.key,)))
    return replace(options, **{name: getattr(kept, name) for name in names})


def _typing(row: FormRow) -> bool:
    """Whether somebody is still at it, so that half a word is no mistake yet."""
    return row.field.has_focus


def _copies(text: str, *, of_lines: bool) -> int:
    copies = parse_whole(text, 1, 1)
    if copies > MAX_COPIES:
        raise ValueTrouble(f"must be {MAX_COPIES:,} or less")
    if copies > 1 and of_lines:
        raise ValueTrouble("the file sets the number of jobs")
    return copies


def _path(text: str) -> Path | None:
    if not text.strip():
        return None
    return full_path(text.strip())


def _name(text: str) -> str:
    if not text.strip():
        raise ValueTrouble("required")
    return text.strip()


def _pair(text: str) -> Any:
    return parse_other(text) if text.strip() else MISSING
