"""The form's content as a job to be: which fields it has, and the request that comes of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gigq_tui.actions.functions import FunctionInfo, Parameter
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.actions.twin import for_submit
from gigq_tui.format import inert, plural
from gigq_tui.screens.submit_kinds import Base, Kind, fields_of, hint_of, kind_of
from gigq_tui.screens.submit_values import ValueTrouble, parse_value, text_of
from gigq_tui.store.models import Health, JobDetail, Snapshot
from gigq_tui.widgets.lines import Line, span
from gigq_tui.widgets.question import wrap_words


class _Missing:
    """Stands for a value that is not there; None is a value."""


MISSING = _Missing()
_MANY_LINES = 12


@dataclass(frozen=True)
class ParamSpec:
    """One field for a parameter.

    `kept` is the value of the job that is copied, and `default` the function's own, or `MISSING`.
    """

    name: str
    kind: Kind
    required: bool
    hint: str
    kept: Any = MISSING
    first_text: str = ""
    placeholder: str = ""
    default: Any = MISSING

    def value(self, text: str) -> Any:
        """Return what the field holds, or `MISSING` where the parameter is left out.

        Raises:
            ValueTrouble: It can't be used.
        """
        if text == self.first_text and self.kept is not MISSING:
            return self.kept
        if not text.strip():
            if self.required:
                raise ValueTrouble('needed ("" for an empty text)' if self._text else "needed")
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
        kind = kind_of(parameter)
        value = kept.get(parameter.name, MISSING)
        spec = _spec(parameter.name, kind, parameter.required, hint_of(parameter), value)
        specs.append(replace(spec, default=_default_of(parameter)))
    known = {spec.name for spec in specs}
    hint = "text or JSON" if info is None else "not in the signature"
    specs += [
        _spec(name, Kind(), False, hint, value) for name, value in kept.items() if name not in known
    ]
    return specs


def _default_of(parameter: Parameter) -> Any:
    try:
        return json.loads(parameter.default)
    except ValueError:
        return MISSING


def _spec(name: str, kind: Kind, required: bool, hint: str, kept: Any) -> ParamSpec:
    if kept is MISSING:
        return ParamSpec(name, kind, required, hint)
    text = text_of(kept, kind)
    if text is None and (text := text_of(kept, Kind())) is None:
        octets = len(json.dumps(kept))
        note = f"kept as it is: {octets:,} characters"
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


def preview(
    path: Path,
    request: SubmitRequest | None,
    troubles: Sequence[str],
    snapshot: Snapshot | None,
    width: int,
    *,
    tried: bool,
) -> list[Line]:
    """What the form is going to do, as lines.

    Args:
        path: The queue file.
        request: What is submitted, or None while something stands against it.
        troubles: What stands against it.
        snapshot: What is known of the queue.
        width: How many cells a line has.
        tried: Whether somebody has tried to submit already.
    """
    width = max(20, width)
    lines: list[Line] = []
    if request is None:
        lines.append(((" Not ready:", "warn") if tried else (" Still to do:", "dim"),))
        for text in troubles:
            lines += [(span(f"   {piece}", ""),) for piece in _words(text, width - 4)]
        return lines
    lines.append(((" Inserts 1 row.", "title"),))
    if request.dependencies:
        lines.append(((f" It waits for {plural(len(request.dependencies), 'job')}.", ""),))
    if snapshot is not None:
        lines += [(span(f" {piece}", "dim"),) for piece in _words(_queue(snapshot), width - 1)]
    lines += [(), ((" Same as:", "dim"),)]
    tokens = [shlex.quote(inert(token)) for token in shlex.split(for_submit(path, request))]
    shown = _command(tokens, width - 6)
    if len(shown) > _MANY_LINES:
        shown = [*shown[:_MANY_LINES], "..."]
    lines += [((f"   {piece}", "accent"),) for piece in shown]
    return lines


def _queue(snapshot: Snapshot) -> str:
    counts = snapshot.counts
    alive = [worker for worker in snapshot.workers if worker.health is Health.ALIVE]
    busy = sum(1 for worker in alive if worker.running)
    ready = f"{plural(counts.ready, 'job')} {'is' if counts.ready == 1 else 'are'} ready"
    if snapshot.paused:
        return f"{ready}. The queue is paused: nothing starts until it is resumed (P)."
    if alive:
        return f"{ready}; {plural(len(alive), 'worker')} alive, {busy} busy."
    if snapshot.foreign_workers:
        return f"{ready}; only GigQ's workers are at work."
    return f"{ready}. No worker runs: + on the jobs screen starts one."


def _words(text: str, width: int) -> list[str]:
    return wrap_words(inert(text), width)


def _with_values(tokens: Iterable[str]) -> Iterable[str]:
    """Keep an option and its value together."""
    option = ""
    for token in tokens:
        if option:
            yield f"{option} {token}"
            option = ""
        elif token.startswith("--"):
            option = token
        else:
            yield token
    if option:
        yield option


def _command(tokens: Iterable[str], width: int) -> list[str]:
    """Lay a command out over lines that a shell would read as one."""
    lines = [""]
    for token in _with_values(tokens):
        joined = f"{lines[-1]} {token}".strip()
        if len(joined) > width and lines[-1]:
            lines[-1] += " \\"
            lines.append(f"  {token}")
        else:
            lines[-1] = f"{lines[-1]} {token}" if lines[-1] else token
    return lines
