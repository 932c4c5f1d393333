"""The definition of a job, checked when it is made and again when it is submitted."""

from __future__ import annotations

import inspect
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, get_args

from gigq_core.functions.call_signature import UNSEEN, Signature, signature_of, signature_of_loaded
from gigq_core.units.times import now_text

if TYPE_CHECKING:
    from gigq_core.retry import Backoff
    from gigq_core.unique import Unique

# GigQ's, which it takes where a row names none; a timeout of 0 is none too.
DEFAULT_MAX_ATTEMPTS = 3
DEFAULT_TIMEOUT_S = 300

OnCrash = Literal["retry", "fail"]
_ON_CRASH = get_args(OnCrash)
OnTimeout = Literal["retry", "fail"]
_ON_TIMEOUT = get_args(OnTimeout)
OnParentFailure = Literal["wait", "cancel", "run"]
_ON_PARENT_FAILURE = get_args(OnParentFailure)

# A time that is given: seconds, or text with a unit, as `90s` and `1h30m`.
Duration = float | str
# Classes or their whole names; one of them may stand by itself.
ExceptionClasses = type[BaseException] | str | Sequence[type[BaseException] | str]

# Of a name in a sentence, in characters.
MOST_OF_NAME = 200

# SQLite's INTEGER holds no more.
INTEGER_LIMIT = 2**63

# Made once: `json.dumps` with any option makes an encoder for each call.
_encode = json.JSONEncoder(allow_nan=False).encode


class _Names(NamedTuple):
    module: str
    name: str


class FunctionReference(_Names):
    """A function by its names alone, for whoever submits without importing the user's code.

    Raises:
        ValueError: a part is not a Python name.
    """

    __slots__ = ()

    def __new__(cls, module: str, name: str) -> FunctionReference:
        if not all(part.isidentifier() for part in (*module.split("."), name)):
            path = check_text("A job's function", f"{module}.{name}")
            raise ValueError(f"{path} can't name a function: write package.module.function.")
        return super().__new__(cls, module, name)

    @classmethod
    def parse(cls, path: str) -> FunctionReference:
        """Read `package.module.function`.

        Raises:
            ValueError: there is no dot, or a part is not a Python name.
        """
        module, dot, name = path.strip().rpartition(".")
        if not dot:
            raise ValueError(f"{path!r} names no function: write package.module.function.")
        return cls(module, name)


class Encoded(NamedTuple):
    """What a queue file holds of a definition in another form."""

    function: FunctionReference
    params: str
    dependencies: str


def _words(help: str, flag: str = "") -> dict[str, str]:
    """What an option means, in a sentence, and its word on a command line if it has another."""
    return {"help": help, "flag": flag}


@dataclass(frozen=True)
class JobOptions:
    """What a job may be told beside the function that it calls, and that function's parameters.

    Here each option has its one name, its one default and its sentence. The options of `@task` and
    of `gigq-core submit`, the keys of a line of JSONL, the columns of a new row and what the
    console submits are made of these fields. Durations are seconds, or text like `90s` and `1h30m`.
    """

    name: str = field(default="", metadata=_words("Display name of the job."))
    priority: int = field(default=0, metadata=_words("Higher runs first."))
    timeout: Duration = field(
        default=DEFAULT_TIMEOUT_S,
        metadata=_words("How long an attempt may run: seconds, or 90s, 1h30m."),
    )
    max_attempts: int = field(
        default=DEFAULT_MAX_ATTEMPTS, metadata=_words("Maximum number of attempts.")
    )
    retry_delay: Duration = field(
        default=0, metadata=_words("How long to wait before the next attempt.")
    )
    dependencies: tuple[str, ...] = field(
        default=(),
        metadata=_words("A job that must complete before. Repeatable.", "depends-on"),
    )
    description: str = field(default="", metadata=_words("A free-text note."))
    on_crash: OnCrash = field(
        default="retry",
        metadata=_words("What to do with the job if its process dies."),
    )
    pass_parent_results: bool | None = field(
        default=None,
        metadata=_words(
            "Pass the parents' results to the function as parent_results, or not.",
            "parent-results",
        ),
    )
    retry: Backoff | Sequence[Duration] | None = field(
        default=None,
        metadata=_words(
            "Delays that grow: base, factor and longest delay, as 30x2..1h; ~0.5 after it draws "
            "half of each at random.",
            "backoff",
        ),
    )
    retry_on: ExceptionClasses = field(
        default=(),
        metadata=_words("Retry only this exception and its subclasses. Repeatable."),
    )
    give_up_on: ExceptionClasses = field(
        default=(),
        metadata=_words("Never retry this exception or its subclasses. Repeatable."),
    )
    on_timeout: OnTimeout = field(
        default="retry", metadata=_words("What to do with the job if an attempt times out.")
    )
    run_at: datetime | str | None = field(
        default=None,
        metadata=_words("Not before this time: ISO 8601 with an offset, 2030-01-31T08:00+01:00."),
    )
    run_after: Duration | None = field(
        default=None, metadata=_words("Not before this much time has passed: seconds, or 10m, 2h.")
    )
    on_parent_failure: OnParentFailure = field(
        default="wait", metadata=_words("What to do with the job if a parent fails for good.")
    )
    batch: str = field(
        default="", metadata=_words("A name for jobs that belong together, to find them by.")
    )
    stall_timeout: Duration | None = field(
        default=None,
        metadata=_words("Stop an attempt that shows no progress, save or output for this long."),
    )
    ours: bool = field(default=False, metadata=_words("Hide the job from GigQ's own workers."))
    lane: str = field(
        default="",
        metadata=_words("The lane that it waits in; {param} stands for a parameter's value."),
    )
    unique: bool | str | Unique = field(
        default=False,
        metadata=_words("Submit it only if no job with the same key waits or runs."),
    )
    memory: int | str | None = field(
        default=None,
        metadata=_words("The most memory that an attempt may use: 500M, 2G."),
    )

    @staticmethod
    def flag_of(name: str) -> str:
        """The option's word on the command line, without its dashes."""
        return str(_FIELDS[name].metadata["flag"]) or name.replace("_", "-")

    @staticmethod
    def help_of(name: str) -> str:
        """The option's sentence."""
        return str(_FIELDS[name].metadata["help"])

    def values(self) -> dict[str, Any]:
        """Each option by its name, as `Job` takes it."""
        return {name: getattr(self, name) for name in _FIELDS}

    def changed(self) -> dict[str, Any]:
        """The options that are not as they are by default."""
        return {k: v for k, v in self.values().items() if v != _FIELDS[k].default}


_FIELDS = {one.name: one for one in fields(JobOptions)}
OPTION_NAMES = tuple(_FIELDS)
# A job can have one of two at most: this one for that.
INSTEAD_OF = {
    "retry": "retry_delay",
    "retry_delay": "retry",
    "run_at": "run_after",
    "run_after": "run_at",
}


def over(options: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Options by their names, with what is said of one job over them.

    Of two that exclude each other, the one that is said takes the place of the other.
    """
    merged = {**options, **said}
    for one in INSTEAD_OF.keys() & said.keys():
        other = INSTEAD_OF[one]
        if other not in said and other in merged and said[one] != _FIELDS[one].default:
            merged[other] = _FIELDS[other].default
    return merged


class TaskOptions(TypedDict, total=False):
    """The options that `@task` takes, for type checkers: `JobOptions` without what comes later."""

    name: str
    priority: int
    timeout: Duration
    max_attempts: int
    retry_delay: Duration
    description: str
    on_crash: OnCrash
    retry: Backoff | Sequence[Duration] | None
    retry_on: ExceptionClasses
    give_up_on: ExceptionClasses
    on_timeout: OnTimeout
    run_at: datetime | str | None
    run_after: Duration | None
    on_parent_failure: OnParentFailure
    batch: str
    stall_timeout: Duration | None
    ours: bool
    lane: str
    unique: bool | str | Unique
    memory: int | str | None


class Job:
    """One unit of work, not yet in a queue.

    Args:
        name: What people call it.
        function: What runs; a worker must be able to import it, so it stands at the top level of
            a module. As text, `package.module.function`, it need not be importable here.
        params: Keyword arguments for the function; JSON must be able to hold them.
        priority: Higher runs first.
        dependencies: Ids of jobs that must complete before this one runs.
        max_attempts: How often it may be started, at least 1.
        timeout: How long an attempt may run: seconds, fractions allowed, or text like `90s` and
            `1h30m`, as every duration here; more than 0.
        description: A note for people.
        pass_parent_results: Hand the parents' results to the function as `parent_results`. None
            does so if the function has a parameter for it.
        retry_delay: How long to wait before the next attempt.
        on_crash: What becomes of the job when the process that runs it dies: "retry", while it has
            attempts left and at most five times, or "fail" at once. GigQ knows no such choice.
        retry: Delays that differ: a `Backoff`, or a list of durations, the last of which repeats.
            In place of `retry_delay`. GigQ's workers wait for the first of them each time.
        retry_on: Exception classes, or their whole names (`requests.exceptions.Timeout`): only
            these, and their subclasses, are retried.
        give_up_on: Exceptions, given likewise, that are never retried; it wins over `retry_on`.
        on_timeout: What becomes of the job when an attempt runs too long: "retry" or "fail".
        run_at: Not before this moment: a datetime with a zone, or ISO 8601 with an offset.
        run_after: Not before so much time has passed since it was submitted.
        on_parent_failure: What becomes of the job when a parent fails for good: "wait", "cancel",
            or "run" it without that parent's result.
        batch: A name for jobs that belong together.
        stall_timeout: An attempt that shows no progress, save or output for so long is stopped as
            one that runs too long.
        ours: Hide the job from GigQ's workers. It is hidden anyway where they would not keep to
            `retry_on`, `give_up_on`, `on_timeout="fail"`, `stall_timeout`, `lane` or `memory`.
        lane: The named queue with limits that it waits in. `{host}` in it stands for the value of
            the parameter `host`.
        unique: Submit it only where no other job has the same key: True makes the key of function
            and parameters, text is the key, and `Unique` says more.
        memory: The most memory that an attempt and its child processes may use: bytes, or text
            like `500M` and `2G`.

    Attributes:
        id: A UUID of its own, by which it is known once it is submitted.
        workflow: The name of the workflow that it is submitted with.
        workflow_id: Which one of that name.
        duplicate_of: The id of the job that has its key, where that is there in its place; None
            for a job that was submitted itself.
        submitted_by: The id of the job that submits it, if one does.
        hook: The name of the hook that it comes from, itself or by a job that submitted it.
        schedule: The name of the schedule that made it, if one did.
        slot: The moment at which that had it due, in UTC seconds.
        created_at: When it was made: naive local time in ISO 8601, as it is stored.

    Raises:
        TypeError: The function can't be found again by a worker, does not take these parameters,
            or a value is of the wrong type.
        ValueError: A value is out of range.
    """

    # Most jobs come from no schedule.
    schedule: str | None = None
    slot: float | None = None

    def __init__(
        self,
        name: str,
        function: Callable[..., Any] | FunctionReference | str,
        params: dict[str, Any] | None = None,
        priority: int = JobOptions.priority,
        dependencies: list[str] | None = None,
        max_attempts: int = JobOptions.max_attempts,
        timeout: Duration = JobOptions.timeout,
        description: str = JobOptions.description,
        pass_parent_results: bool | None = JobOptions.pass_parent_results,
        retry_delay: Duration = JobOptions.retry_delay,
        *,
        on_crash: OnCrash = JobOptions.on_crash,
        retry: Backoff | Sequence[Duration] | None = JobOptions.retry,
        retry_on: ExceptionClasses = JobOptions.retry_on,
        give_up_on: ExceptionClasses = JobOptions.give_up_on,
        on_timeout: OnTimeout = JobOptions.on_timeout,
        run_at: datetime | str | None = JobOptions.run_at,
        run_after: Duration | None = JobOptions.run_after,
        on_parent_failure: OnParentFailure = JobOptions.on_parent_failure,
        batch: str = JobOptions.batch,
        stall_timeout: Duration | None = JobOptions.stall_timeout,
        ours: bool = JobOptions.ours,
        lane: str = JobOptions.lane,
        unique: bool | str | Unique = JobOptions.unique,
        memory: int | str | None = JobOptions.memory,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.name = name
        self.function = function
        self.params: dict[str, Any] = params if params is not None else {}
        self.priority = priority
        self.dependencies: list[str] = dependencies if dependencies is not None else []
        self.max_attempts = max_attempts
        self.timeout = timeout
        self.description = description
        self.pass_parent_results = pass_parent_results
        self.retry_delay = retry_delay
        self.on_crash = on_crash
        self.retry = retry
        self.retry_on = retry_on
        self.give_up_on = give_up_on
        self.on_timeout = on_timeout
        self.run_at = run_at
        self.run_after = run_after
        self.on_parent_failure = on_parent_failure
        self.batch = batch
        self.stall_timeout = stall_timeout
        self.ours = ours
        self.lane = lane
        self.unique = unique
        self.memory = memory
        self.workflow: str | None = None
        self.workflow_id: str | None = None
        self.duplicate_of: str | None = None
        self.submitted_by: str | None = None
        self.hook: str | None = None
        self.created_at = now_text()
        self.check()

    @property
    def uses_more(self) -> bool:
        """Whether it uses any option that GigQ does not know, but for `on_crash`."""
        # One comparison: most jobs use none of them, and are not to pay for each.
        return (
            self.retry,
            self.retry_on,
            self.give_up_on,
            self.on_timeout,
            self.run_at,
            self.run_after,
            self.on_parent_failure,
            self.batch,
            self.stall_timeout,
            self.ours,
            self.lane,
            self.unique,
            self.memory,
            self.workflow,
            self.submitted_by,
            self.hook,
            self.schedule,
        ) != _NOTHING_MORE

    @property
    def reference(self) -> FunctionReference:
        """The names by which a worker finds the function."""
        return reference_to(self.function)

    def check(self) -> None:
        """Refuse a definition that could not run. `submit` calls it too: attributes change.

        Raises:
            TypeError: As for the class.
            ValueError: As for the class.
        """
        self.check_call(self.encoded().function)

    def check_call(self, reference: FunctionReference) -> Signature:
        """Refuse parameters that the function can't be called with, if it can be seen from here.

        As text it is only looked at where its module is imported already.

        Args:
            reference: to the job's function.

        Returns:
            What the function takes, as far as it can be seen.

        Raises:
            TypeError: a parameter is missing, or unknown.
        """
        function, (module, name) = self.function, reference
        if isinstance(function, FunctionReference):
            signature = UNSEEN
        elif isinstance(function, str):
            signature = signature_of_loaded(module, name) or UNSEEN
        else:
            signature = signature_of(f"{module}.{name}", function)
        if misfit := signature.misfit(self.params):
            raise TypeError(misfit)
        return signature

    def encoded(self) -> Encoded:
        """Check the definition, and give back what was encoded in doing so.

        Raises:
            TypeError: As for the class.
            ValueError: As for the class.
        """
        if not isinstance(self.id, str) or not self.id:
            raise TypeError("A job's id must be a string that isn't empty.")
        check_text("A job's id", self.id)
        if not isinstance(self.name, str):
            raise TypeError(f"A job's name must be a string, not {_kind(self.name)}.")
        check_text("A job's name", self.name)
        if not self.name.strip():
            raise ValueError("A job needs a name: give it one that people will recognise.")
        function = self.reference
        params = encode_params(self.params)
        check_integer("priority", self.priority)
        check_integer("max_attempts", self.max_attempts)
        if self.max_attempts < 1:
            raise ValueError(
                f"max_attempts is {self.max_attempts}: it must be 1 or more for the job to run."
            )
        timeout = _seconds("timeout", self.timeout)
        if timeout <= 0:
            raise ValueError(
                f"timeout is {timeout}: give the time that an attempt may run, more than 0."
            )
        self.timeout = timeout
        self.retry_delay = _seconds("retry_delay", self.retry_delay)
        if self.description is not None and not isinstance(self.description, str):
            raise TypeError(f"description must be a string, not {_kind(self.description)}.")
        check_text("description", self.description or "")
        if self.pass_parent_results not in (None, True, False):
            raise TypeError("pass_parent_results must be True, False or None.")
        if self.on_crash not in _ON_CRASH:
            raise ValueError(f"on_crash is {self.on_crash!r}: say 'retry' or 'fail'.")
        if self.uses_more:
            self._check_more()
        return Encoded(function, params, encode_dependencies(self.dependencies, self.id))

    def _check_more(self) -> None:
        """Check what most jobs don't use, and keep each value in its one form."""
        from gigq_core.lane_names import check_template
        from gigq_core.retry import exception_names, retry_of
        from gigq_core.unique import unique_of
        from gigq_core.units.sizes import bytes_of

        self.retry = retry_of(self.retry)
        if self.retry is not None and self.retry_delay:
            raise ValueError("retry and retry_delay are both given: give one of them.")
        self.retry_on = exception_names(self.retry_on, "retry_on")
        self.give_up_on = exception_names(self.give_up_on, "give_up_on")
        _check_choice("on_timeout", self.on_timeout, _ON_TIMEOUT)
        _check_choice("on_parent_failure", self.on_parent_failure, _ON_PARENT_FAILURE)
        if self.run_at is not None:
            if self.run_after is not None:
                raise ValueError("run_at and run_after are both given: give one of them.")
            self.run_at = _moment("run_at", self.run_at)
        if self.run_after is not None:
            self.run_after = _seconds("run_after", self.run_after)
        if self.stall_timeout is not None:
            self.stall_timeout = _seconds("stall_timeout", self.stall_timeout)
            if self.stall_timeout == 0:
                raise ValueError("stall_timeout is 0: give a time that is more than 0.")
        for label in ("batch", "workflow", "workflow_id"):
            text = getattr(self, label)
            if text is None and label != "batch":
                continue
            if not isinstance(text, str):
                raise TypeError(f"{label} must be a string, not {_kind(text)}.")
            check_text(label, text)
        if not isinstance(self.ours, bool):
            raise TypeError(f"ours must be True or False, not {_kind(self.ours)}.")
        if self.lane != "":
            check_template(self.lane)
            check_text("lane", self.lane)
        if self.unique is not False:
            self.unique = unique_of(self.unique)
        if self.memory is not None:
            self.memory = bytes_of(self.memory, "memory")


def jobs_in(label: str, values: object) -> list[Job]:
    """Some jobs as a list; what is none is refused.

    Args:
        label: who takes them; the sentence of an error begins with it.
        values: what was given.

    Raises:
        TypeError: it is no list of jobs.
    """
    if isinstance(values, (str, bytes, Job, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{label} takes a list of jobs, not {_kind(values)}.")
    return [check_job(label, value) for value in values]


def check_job(label: str, value: object) -> Job:
    """Refuse what is no job of ours, such as one of GigQ's, a decorated function, an id.

    Raises:
        TypeError: it is none; the sentence begins with `label`.
    """
    if isinstance(value, Job):
        return value
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    raise TypeError(
        f"{label} takes a gigq_core.Job, not a value of type {module}{kind.__qualname__}: pass "
        "task.to_job(...) or Job(...)."
    )


_NOTHING_MORE = (
    *(_FIELDS[name].default for name in ("retry", "retry_on", "give_up_on", "on_timeout")),
    *(_FIELDS[name].default for name in ("run_at", "run_after", "on_parent_failure", "batch")),
    *(_FIELDS[name].default for name in ("stall_timeout", "ours", "lane", "unique", "memory")),
    None,
    None,
    None,
    None,
)


def reference_to(function: object, *, defined: bool = True) -> FunctionReference:
    """The module and name by which a worker will import `function`.

    Args:
        function: the function, a reference, or `package.module.function` as text.
        defined: whether its module has run past its definition; false within a decorator.

    Raises:
        TypeError: a worker could not find it: a lambda, a closure, a method, a partial, a
            generator function, or something that isn't a function.
        ValueError: the text names no function.
    """
    if isinstance(function, FunctionReference):
        return function
    if isinstance(function, str):
        return FunctionReference.parse(function)
    # Not every callable can be hashed.
    find = _reference_cached if isinstance(function, FunctionType) else _reference_of
    reference = find(function)
    if defined:
        _check_importable(reference)
    return reference


class Described(NamedTuple):
    """What tells whether a worker can import a function: all that is asked of the function itself.

    So that it can be asked in another process than that which judges by it.

    Attributes:
        kind: The name of its type.
        can_be_called: Whether it can be called.
        is_method: Whether it is bound to an object.
        is_builtin: Whether it is written in C.
        is_generator: Whether a call of it gives a generator.
        module, name, qualname: As it names itself; None where it has none.
        is_found: Whether its module, as it is loaded, holds something under its name.
    """

    kind: str
    can_be_called: bool
    is_method: bool
    is_builtin: bool
    is_generator: bool
    module: str | None
    name: str | None
    qualname: str | None
    is_found: bool = True


def _described(function: object) -> Described:
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", None)
    qualname = getattr(function, "__qualname__", name)
    return Described(
        type(function).__name__,
        callable(function),
        isinstance(function, MethodType),
        isinstance(function, BuiltinFunctionType),
        inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function),
        module if isinstance(module, str) else None,
        name if isinstance(name, str) else None,
        qualname if isinstance(qualname, str) else None,
    )


def reference_of_described(told: Described) -> FunctionReference:
    """The module and name of a function that stands in another process.

    Raises:
        TypeError: As for `reference_to`.
        ValueError: A part of them is no Python name.
    """
    reference = _reference_by(told)
    if not told.is_found:
        raise _not_held(reference)
    return reference


def _reference_of(function: object) -> FunctionReference:
    return _reference_by(_described(function))


def _reference_by(told: Described) -> FunctionReference:
    advice = "define it with `def` at the top level of a module"
    kind = f"a value of type {told.kind}"
    module, name, qualname = told.module, told.name, told.qualname
    if not told.can_be_called:
        raise TypeError(f"A job's function must be callable, not {kind}.")
    if told.is_method:
        raise TypeError(f"{qualname or kind} is a method, which a worker can't import: {advice}.")
    if module is None or name is None:
        raise TypeError(
            f"{kind} has no module and name by which a worker could import it: {advice}."
        )
    if name == "<lambda>":
        raise TypeError(f"A lambda can't be imported by a worker: {advice}.")
    if qualname is not None and "<locals>" in qualname:
        raise TypeError(
            f"{qualname} is defined inside another function, where a worker can't import it: "
            f"{advice}."
        )
    if qualname is not None and "." in qualname and not told.is_builtin:
        raise TypeError(f"{qualname} is a method, which a worker can't import: {advice}.")
    if told.is_generator:
        raise TypeError(f"{name} is a generator function: return a list instead of yielding.")
    return FunctionReference(module, name)


_reference_cached = lru_cache(maxsize=1024)(_reference_of)


def _check_importable(reference: FunctionReference) -> None:
    """The module must hold something under that name, or no worker finds it."""
    module, name = reference
    loaded = sys.modules.get(module)
    if loaded is None:
        return
    if not hasattr(loaded, name):
        raise _not_held(reference)


def _not_held(reference: FunctionReference) -> TypeError:
    module, name = reference
    return TypeError(
        f"{module} has no attribute {name}, so a worker can't import it: keep the function "
        "under its own name at the top level of its module."
    )


def encode_params(params: object) -> str:
    """The parameters as the file holds them.

    Raises:
        TypeError: they are not a dictionary with string keys, or JSON can't hold a value.
        ValueError: NaN or infinity, which JSON has no word for; or a value that contains itself.
    """
    # A plain dictionary is known at once; to ask an abstract class costs more than the rest.
    if not isinstance(params, (dict, Mapping)):
        raise TypeError(f"params must be a dictionary of keyword arguments, not {_kind(params)}.")
    for key in params:
        if not isinstance(key, str):
            raise TypeError(f"The parameter {key!r} must have a string for its name.")
    try:
        return _encode(params) if params else "{}"
    except TypeError as problem:
        raise TypeError(
            f"JSON can't hold params ({problem}): pass strings, numbers, lists and dictionaries."
        ) from None
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"JSON can't hold params: {problem}.") from None


def encode_dependencies(dependencies: object, job_id: str) -> str:
    """The dependencies as the file holds them.

    Raises:
        TypeError: they are not a list of ids.
        ValueError: the job depends on itself.
    """
    if isinstance(dependencies, (str, bytes)) or not isinstance(dependencies, (list, Iterable)):
        raise TypeError(f"dependencies must be a list of job ids, not {_kind(dependencies)}.")
    ids = list(dependencies)
    for parent in ids:
        if isinstance(parent, Job):
            raise TypeError("dependencies takes job ids: pass job.id instead of the job.")
        if not isinstance(parent, str) or not parent:
            raise TypeError(f"dependencies must hold job ids, not {_kind(parent)}.")
        if parent == job_id:
            raise ValueError("A job can't depend on itself.")
        check_text("dependencies", parent)
    return _encode(ids) if ids else "[]"


def named(job: Job) -> str:
    """A job in a sentence: its name, cut, and its id."""
    return f"{job.name[:MOST_OF_NAME]!r} ({job.id})"


def check_text(label: str, text: str) -> str:
    """Refuse text that no file can hold, and give back what can be stored.

    Python gives a file name that is not UTF-8 such a form: each stray byte a lone surrogate.

    Raises:
        ValueError: there is a lone surrogate in it; the sentence begins with `label`.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        place = text[max(0, problem.start - 20) : problem.start + 20]
        raise ValueError(
            f"{label} can't be stored, because character {problem.start + 1} of it is not text "
            f"(a file name that is not UTF-8?): {place!r}. Replace it, or leave it out."
        ) from None
    return text


def check_integer(label: str, value: object) -> None:
    """Refuse what SQLite can't hold as a whole number.

    Raises:
        TypeError: `value` is no whole number; the sentence begins with `label`.
        ValueError: SQLite can't hold it; as before.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{label} must be a whole number, not {_kind(value)}.")
    if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
        raise ValueError(f"{label} is {value}: that is beyond what SQLite can hold.")


def _seconds(label: str, value: object) -> float:
    # Most are plain numbers, which need no reader of text.
    if (type(value) is int or type(value) is float) and 0 <= value < INTEGER_LIMIT:
        return value
    from gigq_core.units.durations import seconds_of

    return seconds_of(value, label)


def _moment(label: str, value: object) -> datetime:
    """A moment that is given as a datetime with a zone, or as ISO 8601 with an offset.

    Raises:
        TypeError: it is neither; the sentence begins with `label`.
        ValueError: it names no zone, is no time, or is out of range.
    """
    from gigq_core.units.times import moment_given

    return moment_given(value, label)


def _check_choice(label: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        said = ", ".join(map(repr, choices[:-1]))
        raise ValueError(f"{label} is {value!r}: say {said} or {choices[-1]!r}.")


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
