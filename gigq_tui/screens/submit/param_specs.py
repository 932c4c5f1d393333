"""Which fields the form has for the parameters, and what it takes over from a job it copies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter
from gigq_tui.format import inert, is_secret
from gigq_tui.screens.submit.field_types import Base, FieldType, field_type_of, fields_of, hint_of
from gigq_tui.screens.submit.parse_value import ValueTrouble, parse_value, text_of
from gigq_tui.store.models import JobDetail


class _Missing:
    """Stands for a value that is not there; None is a value."""


MISSING = _Missing()
_RESULTS = {0: "no", 1: "yes"}


class Required(ValueTrouble):
    """Nothing is typed where something must be."""


@dataclass(frozen=True)
class ParamSpec:
    """One field for a parameter.

    `kept` is the value of the job that is copied, and `default` the function's own, or `MISSING`.
    """

    name: str
    kind: FieldType
    required: bool
    hint: str
    kept: Any = MISSING
    first_text: str = ""
    placeholder: str = ""
    default: Any = MISSING

    @property
    def secret(self) -> bool:
        """Whether what is typed is not to be seen."""
        return is_secret(self.name) or holds_secret(self.kept)

    def value(self, text: str) -> Any:
        """Return what the field holds, or `MISSING` where the parameter is left out.

        Raises:
            ValueTrouble: It can't be used; `Required` where only nothing is typed.
        """
        if text == self.first_text and self.kept is not MISSING:
            return self.kept
        if not text.strip():
            if self.required:
                raise Required('required ("" for empty text)' if self._text else "required")
            return MISSING
        return parse_value(text, self.kind)

    @property
    def _text(self) -> bool:
        return self.kind.base in (Base.TEXT, Base.ANY)


def specs_for(info: FunctionInfo | None, kept: Mapping[str, Any]) -> list[ParamSpec]:
    """The fields for a function's parameters, and for what a copied job has beyond them.

    Args:
        info: What is known of the function; None when it has not been found.
        kept: The parameters of the job that is copied.
    """
    specs = []
    for parameter in fields_of(info) if info is not None else ():
        kind = field_type_of(parameter)
        value = kept.get(parameter.name, MISSING)
        spec = _spec(parameter.name, kind, parameter.required, hint_of(parameter), value)
        specs.append(replace(spec, default=_default_of(parameter)))
    known = {spec.name for spec in specs}
    hint = "text or JSON" if info is None else "not in the signature"
    specs += [
        _spec(name, FieldType(), False, hint, value)
        for name, value in kept.items()
        if name not in known
    ]
    return specs


def _default_of(parameter: Parameter) -> Any:
    try:
        return json.loads(parameter.default)
    except ValueError:
        return MISSING


def _spec(name: str, kind: FieldType, required: bool, hint: str, kept: Any) -> ParamSpec:
    if kept is MISSING:
        return ParamSpec(name, kind, required, hint)
    text = text_of(kept, kind)
    if text is None and (text := text_of(kept, FieldType())) is None:
        octets = len(json.dumps(kept))
        note = f"unchanged: {octets:,} characters"
        return ParamSpec(name, kind, required, hint, kept, "", note)
    return ParamSpec(name, kind, required, hint, kept, inert(text))


def kept_params(template: JobDetail | None) -> dict[str, Any]:
    """The parameters of a job that is copied; empty where they are not known whole."""
    if template is None or not isinstance(template.params, dict):
        return {}
    return {str(key): value for key, value in template.params.items()}


def lost_params(template: JobDetail | None) -> bool:
    """Whether the copied job's parameters could not be read whole, and so are not offered."""
    return template is not None and not isinstance(template.params, dict | None)


def holds_secret(value: Any) -> bool:
    """Whether a secret stands somewhere inside a value."""
    if isinstance(value, Mapping):
        return any(is_secret(str(key)) or holds_secret(inner) for key, inner in value.items())
    return isinstance(value, (list, tuple)) and any(holds_secret(inner) for inner in value)


def kept_parent_results(template: JobDetail | None) -> str:
    """Whether a copied job hands its parents' results on; nothing where it does as usual."""
    kept = template.raw.get("pass_parent_results") if template is not None else None
    return _RESULTS.get(kept, "") if isinstance(kept, int) else ""


def kept_on_crash(template: JobDetail | None) -> str:
    """What becomes of a copied job on a crash; nothing where it does as usual."""
    fails = template is not None and template.raw.get("on_crash") == "fail"
    return "fail" if fails else ""


def kept_dependencies(template: JobDetail | None) -> tuple[str, ...]:
    """The ids of the jobs that a copied job depends on."""
    if template is None:
        return ()
    try:
        ids = json.loads(template.raw.get("dependencies") or "[]")
    except (TypeError, ValueError):
        ids = None
    if isinstance(ids, list) and all(isinstance(id, str) for id in ids):
        return tuple(ids)
    return tuple(parent.id for parent in template.parents)


def split_ids(text: str) -> list[str]:
    """The ids, or beginnings of ids, that are typed one after another."""
    return list(dict.fromkeys(text.replace(",", " ").split()))
