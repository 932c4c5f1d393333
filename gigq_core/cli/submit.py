"""`gigq-core submit`: make a job from the command line, and put it into the queue."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args, get_type_hints

import click

from gigq_core.cli.errors import Trouble
from gigq_core.cli.options import Size, Time, TypedValue, json_option
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings, is_new
from gigq_core.errors import DatabaseMissing, GigQError
from gigq_core.job import OPTION_NAMES, Duration, FunctionReference, JobOptions, reference_to
from gigq_core.retry import Backoff
from gigq_core.text import inert
from gigq_core.unique import CONFLICT, UNTIL, Unique

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigq_core.job import Job
    from gigq_core.queue import JobQueue
    from gigq_core.submitting.bulk import JobTemplate
    from gigq_core.submitting.moved_jobs import Found, MovedJobs

MAX_COPIES = 10_000
_AFTER_RETRY = OPTION_NAMES.index("retry") + 1
_AFTER_UNIQUE = OPTION_NAMES.index("unique") + 1

# The names that are imported for the types alone where the options are defined.
_KINDS = get_type_hints(JobOptions, localns={"Backoff": Backoff, "Unique": Unique})

Command = TypeVar("Command", bound="Callable[..., Any]")


class _BackoffText(click.types.StringParamType):
    """A backoff as it is typed: `30x2..1h`."""

    name = "backoff"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The `Backoff`."""
        if not isinstance(value, str):
            return value
        try:
            return Backoff.parse(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class _Delays(click.types.StringParamType):
    """Durations with commas between: `10,60,5m`."""

    name = "delays"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Their seconds."""
        if not isinstance(value, str):
            return value
        return tuple(Time().convert(one.strip(), param, ctx) for one in value.split(","))


class _Key(click.types.StringParamType):
    """A key, or the option alone for one that is made of the function and its parameters."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The key, or whether there is to be one."""
        return value if isinstance(value, bool) else super().convert(value, param, ctx)


_DURATION = get_args(Duration)
# How the command line takes an option, by its type where nothing else is said.
_TAKEN: dict[str, dict[str, Any]] = {
    "retry": {"type": _BackoffText(), "metavar": "BASExFACTOR..MOST"},
    "retry_on": {"multiple": True, "metavar": "CLASS"},
    "give_up_on": {"multiple": True, "metavar": "CLASS"},
    "run_at": {"metavar": "WHEN"},
    "unique": {"type": _Key(), "is_flag": False, "flag_value": True, "metavar": "[KEY]"},
    "memory": {"type": Size(), "metavar": "SIZE"},
}


def _job_option(name: str) -> Callable[[Command], Command]:
    """The option of the command line that is the job's option of that name, by its type."""
    kind, default = _KINDS[name], getattr(JobOptions, name)
    flag, help = JobOptions.flag_of(name), JobOptions.help_of(name)
    if name == "name":
        return click.option("--name", help=f"{help}  [default: the function's name]")
    if kind == bool | None:
        help += "  [default: if it has that parameter]"
        return click.option(f"--{flag}/--no-{flag}", name, default=default, help=help)
    if kind == tuple[str, ...]:
        return click.option(f"--{flag}", name, multiple=True, metavar="ID", help=help)
    more: dict[str, Any] = {"show_default": default not in (None, "", ())}
    if name in _TAKEN:
        more |= _TAKEN[name]
    elif kind is bool:
        more = {"is_flag": True}
    elif set(get_args(kind)) - {type(None)} == set(_DURATION):
        more["type"] = Time()
    elif kind is not str:
        more["type"] = kind if kind is int else click.Choice(get_args(kind))
    return click.option(f"--{flag}", name, default=default, help=help, **more)


def _job_options(*names: str) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        # The last that is added comes first.
        for name in reversed(names):
            command = _job_option(name)(command)
        return command

    return decorate


_params_option = click.option(
    "-p",
    "--param",
    "params",
    type=TypedValue(),
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter; the value is JSON, or else text. Repeatable.",
)
_delays_option = click.option(
    "--retry-delays",
    type=_Delays(),
    metavar="TIME,...",
    help="Delays before the second, the third, ... attempt, as 10,60,5m; the last one repeats.",
)


_UNIQUE_OPTIONS = (
    click.option(
        "--unique-until",
        type=click.Choice(UNTIL),
        help="How long the job holds its key: until it has ended, until its first attempt has "
        "started, or forever.  [default: ended]",
    ),
    click.option(
        "--unique-within",
        type=Time(),
        metavar="TIME",
        help="Also hold the key for this long after the submission: seconds, or 10m, 2h.",
    ),
    click.option(
        "--on-duplicate",
        type=click.Choice(CONFLICT),
        help="What to do if another job holds the key: return its id, fail, replace "
        "it, or run again after the one that runs.  [default: existing]",
    ),
)


def _unique_options(command: Command) -> Command:
    """Give a command what says more of `--unique`."""
    for option in reversed(_UNIQUE_OPTIONS):
        command = option(command)
    return command


def job_options(*without: str) -> Callable[[Command], Command]:
    """Give a command what defines a job but its function and its name; see `defined_job`.

    Args:
        without: Options by their names that make no sense there.
    """

    def decorate(command: Command) -> Command:
        names = [name for name in OPTION_NAMES if name not in ("name", *without)]
        at = names.index("retry") + 1
        if "unique" in names:
            behind = names.index("unique") + 1
            command = _unique_options(_job_options(*names[behind:])(command))
            names = names[:behind]
        command = _job_options(*names[at:])(command)
        return _params_option(_job_options(*names[:at])(_delays_option(command)))

    return decorate


def defined_job(
    path: str, params: tuple[str, ...], retry_delays: tuple[float, ...] | None, **options: Any
) -> Job:
    """The job that `job_options` define.

    Args:
        path: Its function, which is imported.
        params: Its parameters, as they were typed.
        retry_delays: As they were given.
        **options: The others, and `name` if there is one.

    Raises:
        UsageError: It can't run as it is.
        Trouble: The function can't be imported.
    """
    from gigq_core.job import Job

    function = import_function(path)
    if retry_delays is not None:
        if options["retry"] is not None:
            raise click.UsageError("--backoff can't be combined with --retry-delays: give one.")
        options["retry"] = retry_delays
    options["name"] = options.get("name") or path.rpartition(".")[2]
    if "unique" in options:
        more = [options.pop(word) for word in ("unique_until", "unique_within", "on_duplicate")]
        options["unique"] = _unique(options["unique"], *more)
    try:
        return Job(function=function, params=dict(map(_parameter, params)), **options)
    except (TypeError, ValueError) as problem:
        raise click.UsageError(str(problem)) from None


@click.command()
@click.argument("function", required=False)
@_job_options("name")
@_params_option
@_job_options(*OPTION_NAMES[1:_AFTER_RETRY])
@_delays_option
@_job_options(*OPTION_NAMES[_AFTER_RETRY:_AFTER_UNIQUE])
@_unique_options
@_job_options(*OPTION_NAMES[_AFTER_UNIQUE:])
@click.option(
    "--copies",
    type=click.IntRange(1, MAX_COPIES),
    default=1,
    show_default=True,
    metavar="N",
    help="How many identical jobs to submit, in one transaction.",
)
@click.option(
    "--jsonl",
    type=click.Path(),
    metavar="FILE",
    help="One job for each line of a file of JSON objects, - for stdin: the line is the job's "
    'parameters, or {"params": {...}, "name": .., "priority": .., ..}. All or none.',
)
@json_option
@click.pass_obj
def submit(
    settings: Settings,
    /,
    function: str | None,
    params: tuple[str, ...],
    retry_delays: tuple[float, ...] | None,
    unique_until: str | None,
    unique_within: float | None,
    on_duplicate: str | None,
    copies: int,
    jsonl: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit a job that calls FUNCTION (package.module.function).

    The function is imported first, as a worker would: from the current folder, then from where
    Python finds its packages. The file is created if there is none.

    With --jsonl, the options apply to every line, unless the line says otherwise. Every line is
    checked before anything is written. A file from `export` works too: FUNCTION may be left out
    then, and the jobs that were waiting are submitted under their old ids.

    --unique without a KEY makes the key from the function and its parameters. If another job holds
    the key, nothing is submitted, and you get that job's id; the exit code is 0.

    JSON: {"id"}, or {"ids"} with --copies or --jsonl; for unique jobs also "duplicate" (whether the
    id is another job's), or "duplicates" (how many are).
    """
    from gigq_core.functions.call_signature import needs_ours
    from gigq_core.submitting.bulk import JobTemplate

    if jsonl is not None and copies > 1:
        raise click.UsageError("--copies can't be combined with --jsonl: each line is a job.")
    values = dict(_parameter(text) for text in params)
    if function is None and jsonl is None:
        raise click.UsageError("Name the FUNCTION that the job calls: package.module.function.")
    job_function = None if function is None else import_function(function)
    if job_function is not None:
        # A line of JSONL knows the function by its name alone.
        options["ours"] = options["ours"] or needs_ours(job_function)
    if options["name"] is None:
        options["name"] = (function or "").rpartition(".")[2]
    if retry_delays is not None:
        if options["retry"] is not None:
            raise click.UsageError("--backoff can't be combined with --retry-delays: give one.")
        options["retry"] = retry_delays
    options["dependencies"] = tuple(_parent_ids(settings, options["dependencies"]))
    options["unique"] = _unique(options["unique"], unique_until, unique_within, on_duplicate)
    reference = None if function is None else FunctionReference.parse(function)
    template = JobTemplate(reference, values, JobOptions(**options))
    if jsonl is not None:
        jobs = _jobs_of_lines(settings, jsonl, template, job_function)
    else:
        assert job_function is not None
        jobs = _jobs(template, job_function, copies)
    with settings.changing(create=True) as queue:
        ids = queue.submit_many(jobs)
        if jsonl is not None or copies > 1:
            _print_ids(ids, jobs, as_json=as_json)
        else:
            _print_id(queue, jobs[0], as_json=as_json)


def _jobs(template: JobTemplate, function: Callable[..., Any], copies: int) -> list[Job]:
    try:
        jobs = [template.job({}, {"function": function}) for _ in range(copies)]
    except (TypeError, ValueError) as problem:
        raise click.UsageError(str(problem)) from None
    return jobs


def _jobs_of_lines(
    settings: Settings, name: str, template: JobTemplate, function: Callable[..., Any] | None
) -> list[Job]:
    from gigq_core.functions.call_signature import UNSEEN, signature_of
    from gigq_core.submitting.bulk import BulkTrouble, lines_of, opened, read_jobs
    from gigq_core.submitting.moved_jobs import MovedJobs

    moved = MovedJobs(_find)
    try:
        misfit = UNSEEN.misfit
        if function is not None and template.function is not None:
            misfit = signature_of(".".join(template.function), function).misfit
            template = replace(template, function=reference_to(function))
        if name == "-":
            jobs = read_jobs(lines_of(sys.stdin.buffer), template, misfit, moved=moved)
        else:
            with opened(Path(name)) as stream:
                jobs = read_jobs(lines_of(stream), template, misfit, moved=moved)
    except BulkTrouble as problem:
        for mistake in problem.sentences:
            warn(inert(mistake))
        raise Trouble("Nothing was submitted.") from None
    except GigQError as problem:
        raise Trouble(str(problem)) from None
    except TypeError as problem:
        raise click.UsageError(str(problem)) from None
    _settle_moved(settings, moved)
    return jobs


def _find(path: str) -> Found:
    """The function that a line of an export names, imported as that of the command is.

    Raises:
        ValueError: there is none.
    """
    from gigq_core.functions.call_signature import needs_ours, signature_of
    from gigq_core.submitting.moved_jobs import Found

    try:
        function = import_function(path)
        reference = reference_to(function)
    except (click.ClickException, TypeError) as problem:
        raise ValueError(getattr(problem, "message", str(problem))) from None
    return Found(reference, signature_of(path, function).misfit, needs_ours(function))


def _settle_moved(settings: Settings, moved: MovedJobs) -> None:
    """See to it that the jobs of an export fit into the file, and say what is left out."""
    if moved.ids and not is_new(settings.db):
        with settings.viewing() as view:
            twice = view.standing(moved.ids)
            there = view.standing(moved.parents_met)
        if twice:
            noun = "job is" if len(twice) == 1 else "jobs are"
            raise Trouble(
                f"{len(twice):,} {noun} in {settings.db} already, the first: {min(twice)}. "
                "Nothing was submitted."
            )
    else:
        there = {}
    if left := moved.leave_behind(there):
        noun = "job goes" if left == 1 else "jobs go"
        warn(f"{left:,} {noun} on without parents that had completed: their results stay behind.")
    if moved.passed_over:
        which = ", ".join(f"{n:,} {inert(status)}" for status, n in moved.passed_over.items())
        warn(f"Left out, since they don't wait: {which}.")


def _unique(
    given: bool | str, until: str | None, within: float | None, conflict: str | None
) -> bool | str | Unique:
    """What the options say of the key.

    Raises:
        click.UsageError: it can't be so.
    """
    said: dict[str, Any] = {"until": until, "within": within, "conflict": conflict}
    said = {name: value for name, value in said.items() if value is not None}
    if not said:
        return given
    if given is False:
        raise click.UsageError(
            "--unique-until, --unique-within and --on-duplicate say more of a unique job: give "
            "--unique too."
        )
    try:
        return Unique(given, **said)
    except (TypeError, ValueError) as problem:
        raise click.UsageError(str(problem)) from None


def _print_id(queue: JobQueue, job: Job, *, as_json: bool) -> None:
    from gigq_core.submitting.key_holders import DELETED, already

    other = job.duplicate_of
    if as_json:
        told: dict[str, Any] = {"id": other or job.id}
        if job.unique is not False:
            told["duplicate"] = other is not None
        write_json(told)
    elif other is None:
        say(f"Job submitted: {job.id}")
    else:
        say(f"{already(queue.get_status(other).get('status', DELETED))}: {other}")


def _print_ids(ids: list[str], jobs: list[Job], *, as_json: bool) -> None:
    new = [job.id for job in jobs if job.duplicate_of is None]
    others = len(jobs) - len(new)
    if as_json:
        told: dict[str, Any] = {"ids": ids}
        if any(job.unique is not False for job in jobs):
            told["duplicates"] = others
        write_json(told)
        return
    more = f"; {others:,} not, since others hold their keys" if others else ""
    if new:
        noun = "job" if len(new) == 1 else "jobs"
        say(f"{len(new):,} {noun} submitted, the first: {new[0]}{more}")
    else:
        say("Nothing was submitted: others hold the keys of all these jobs.")


def import_function(path: str) -> Callable[..., Any]:
    """The function at `package.module.function`, with the current folder first on the path.

    What the import prints goes to stderr.

    Raises:
        click.UsageError: the path can't name a function.
        Trouble: it can't be imported.
    """
    try:
        reference = FunctionReference.parse(path)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    folder = str(Path.cwd())
    if sys.path[:1] not in ([""], [folder]):
        sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(reference.module)
            found = getattr(module, reference.name)
    # The user's module runs here, and may raise anything.
    except (Exception, SystemExit) as problem:  # noqa: BLE001
        _refuse_import(path, problem)
    if not callable(found):
        raise Trouble(f"{path} is not a function, but a {type(found).__name__}.")
    function: Callable[..., Any] = found
    return function


def _refuse_import(path: str, problem: BaseException) -> NoReturn:
    raise Trouble(
        f"Could not import {path} ({type(problem).__name__}: {problem}): check the spelling, and "
        "run this in the folder that the workers run in."
    ) from None


def _parameter(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"-p {text!r} is not KEY=VALUE.")
    try:
        return key, json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return key, value


def _no_constant(word: str) -> NoReturn:
    """NaN and Infinity aren't JSON, whatever Python's reader thinks: they are taken as text."""
    raise ValueError(word)


def _parent_ids(settings: Settings, parents: tuple[str, ...]) -> list[str]:
    """Full ids stand for themselves, since a parent may come later; the rest must be found."""
    from gigq_core.submitting.bulk import is_full_id

    if all(is_full_id(parent) for parent in parents):
        return list(parents)
    try:
        with settings.viewing() as view:
            return [p if is_full_id(p) else view.resolve(p) for p in parents]
    except DatabaseMissing:
        raise Trouble(f"There is no file {settings.db}, so no job to depend on.") from None
