"""A job's definition as text, kept until jobs are made of it: by a schedule, a hook, another job.

It says all that `Job` takes but what is a job's own: its id, and when it was made. An option that
is as by default is not named, so that a new one changes no definition that is kept already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gigq_core.job import OPTION_NAMES, FunctionReference, Job, JobOptions
from gigq_core.retry import Backoff, shown
from gigq_core.unique import Unique

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_DEFAULTS = JobOptions().values()


@dataclass(frozen=True)
class Definition:
    """What jobs are made of.

    Attributes:
        function: What they call.
        params: Its parameters.
        options: By the names of `JobOptions`, as JSON has them, those that are not as by default.
    """

    function: FunctionReference
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The function as `package.module.function`."""
        return ".".join(self.function)

    @property
    def name(self) -> str:
        """What its jobs are called."""
        return str(self.options.get("name") or self.function.name)

    @classmethod
    def of(cls, job: Job) -> Definition:
        """The definition of a job, which is checked.

        Raises:
            TypeError: As for `Job`.
            ValueError: As for `Job`.
        """
        reference = job.encoded().function
        values = {name: getattr(job, name) for name in OPTION_NAMES}
        values["dependencies"] = tuple(values["dependencies"])
        # Whoever submits it may know the function by its name alone.
        values["ours"] = values["ours"] or job.check_call(reference).ours
        options = {k: _as_json(v) for k, v in values.items() if v != _DEFAULTS[k]}
        return cls(reference, dict(job.params), options)

    def encode(self) -> str:
        """It as a file holds it.

        Raises:
            TypeError: JSON can't hold a parameter.
            ValueError: A parameter is NaN or infinite.
        """
        facts: dict[str, Any] = {"function": self.path}
        if self.params:
            facts["params"] = dict(self.params)
        if self.options:
            facts["options"] = dict(self.options)
        return _encode(facts)

    @classmethod
    def decode(cls, text: object) -> Definition:
        """Read what `encode` wrote.

        Raises:
            ValueError: It can't be read; the sentence says why.
        """
        try:
            facts = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError) as problem:
            raise ValueError(f"The job's definition can't be read: {problem}.") from None
        if not isinstance(facts, dict) or not isinstance(facts.get("function"), str):
            raise ValueError("The job's definition can't be read: it names no function.")
        params, options = facts.get("params", {}), facts.get("options", {})
        if not isinstance(params, dict) or not isinstance(options, dict):
            raise ValueError("The job's definition can't be read: it is no definition.")
        if unknown := sorted(options.keys() - set(OPTION_NAMES)):
            raise ValueError(
                f"The job's definition has an option {unknown[0]!r}, which this release does not "
                "know: update it."
            )
        return cls(FunctionReference.parse(facts["function"]), params, options)

    def job(self, *, id: str | None = None, params: Mapping[str, Any] | None = None) -> Job:
        """A job that is made of it.

        Args:
            id: The job's id, in place of a new one.
            params: Its parameters, in place of those of the definition.

        Raises:
            TypeError: As for `Job`.
            ValueError: As for `Job`.
        """
        values = {k: _READERS[k](v) if k in _READERS else v for k, v in self.options.items()}
        given = dict(self.params if params is None else params)
        job = Job(**{"name": self.name, **values, "function": self.function, "params": given})
        if id is not None:
            job.id = id
        return job


def encode_definition(job: Job) -> str:
    """The definition of a job as text, which `job_of_definition` makes jobs of.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
    """
    return Definition.of(job).encode()


def job_of_definition(
    text: str, *, id: str | None = None, params: Mapping[str, Any] | None = None
) -> Job:
    """A job that is made of a definition.

    Args:
        text: What `encode_definition` gave.
        id: The job's id, in place of a new one.
        params: Its parameters, in place of those of the definition.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`; or the text can't be read.
    """
    return Definition.decode(text).job(id=id, params=params)


def _unique(value: Any) -> Any:
    return Unique(**value) if isinstance(value, dict) else value


# How an option is read that JSON holds in another form than `Job` takes it.
_READERS: dict[str, Callable[[Any], Any]] = {"dependencies": list, "unique": _unique}


def _as_json(value: Any) -> Any:
    """An option's value, checked, as JSON has it and as `Job` takes it again."""
    if isinstance(value, Backoff):
        return shown(value)
    if isinstance(value, Unique):
        return {name: inner for name, inner in vars(value).items() if inner is not None}
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
