"""`gigq-core hook`: jobs that are submitted because others have failed, or completed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.completion import complete_hook
from gigq_core.cli.errors import EXIT_REFUSED, Trouble
from gigq_core.cli.group import Group
from gigq_core.cli.options import Time, json_option
from gigq_core.cli.output import lines_of, say, shown_moment, table, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.cli.submit import defined_job, job_options
from gigq_core.hooks.match import EVENTS
from gigq_core.job import JobOptions
from gigq_core.text import inert
from gigq_core.units.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigq_core.hooks.rules import Hook
    from gigq_core.queue import JobQueue

_HEADERS = ("NAME", "EVENT", "MATCH", "EVERY", "WAITING", "NEXT", "LAST", "STATUS")
_name_argument = click.argument("name", shell_complete=complete_hook)
_names_argument = click.argument("names", nargs=-1, required=True, shell_complete=complete_hook)


@click.group(cls=Group, short_help="Submit a job when others fail or complete.")
def hook() -> None:
    """Submit a job when others fail or complete.

    A hook's function is called with `jobs`, a list of at most 100 that ended, and `count`, how many
    there were, beside its own parameters. gigq_core.post_json posts them to a URL, and
    gigq_core.run_command hands them to a program. One of our workers submits the job; what becomes
    of that job is reported to no hook.
    """


@hook.command()
@click.argument("event", type=click.Choice(EVENTS))
@click.argument("function")
@click.option(
    "--match",
    default="",
    metavar="TEXT",
    help="Only jobs that fit: words of the console's filters, as 'fn:etl.* -err:timeout'. Fields: "
    "fn name err lane workflow batch schedule worker.  [default: all jobs]",
)
@click.option(
    "--every",
    type=Time(),
    default=0,
    metavar="TIME",
    help="At most one job in this time: 60, 5m; the next one reports what ended meanwhile.  "
    "[default: one at once]",
)
@click.option(
    "--name",
    default="",
    help="Name of the hook; one of that name is changed.  [default: the job's name]",
)
@click.option("--job-name", default="", help=f"{JobOptions.help_of('name')}")
@job_options("dependencies", "run_at", "on_parent_failure", "pass_parent_results", "unique")
@json_option
@click.pass_obj
def add(
    settings: Settings,
    /,
    event: Any,
    function: str,
    match: str,
    every: float,
    name: str,
    job_name: str,
    params: tuple[str, ...],
    retry_delays: tuple[float, ...] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a hook: FUNCTION is called when jobs fail or complete.

    The event is "failed" (for good, or timed out, or cancelled because a parent failed), or
    "completed". The function is imported first, as by `submit`. A job with a high --priority does
    not wait behind others.

    \b
      gigq-core hook add failed gigq_core.post_json --name pager --every 60 \\
          -p url=https://chat.example.org/hooks/1 --match 'fn:etl.*' --priority 100

    JSON: {"name"}.
    """
    from gigq_core.hooks.rules import GIVEN

    # A function may have no defaults for what the hook gives it.
    params = (*(f"{name}={value}" for name, value in GIVEN.items()), *params)
    job = defined_job(function, params, retry_delays, name=job_name, **options)
    with settings.changing() as queue:
        try:
            made = queue.hook(event, job, match, every, name)
        except (TypeError, ValueError) as problem:
            raise click.UsageError(str(problem)) from None
    if as_json:
        write_json({"name": made})
    else:
        say(f"Hook {inert(made)} added.")


@hook.command("list")
@json_option
@click.pass_obj
def list_hooks(settings: Settings, as_json: bool) -> None:
    """List the hooks.

    JSON: a list of what `hook show --json` prints.
    """
    with settings.viewing() as view:
        hooks = view.hooks()
        nobody = view.has_nobody_for(one.next_at for one in hooks)
    if as_json:
        write_json([asdict(one) for one in hooks])
    elif hooks:
        table(_HEADERS, [_row(one) for one in hooks], shrinking=("NAME", "MATCH", "STATUS"))
        if nobody:
            warn("No worker is running on the file: hooks report when one is.")
    else:
        say("There is no hook: add one with `gigq-core hook add`.")


def _row(one: Hook) -> tuple[object, ...]:
    return (
        one.name,
        one.event,
        one.match or "-",
        duration_text(one.every) if one.every else "-",
        one.waiting,
        shown_moment(one.next_at),
        shown_moment(one.last_at),
        _status(one),
    )


def _status(one: Hook) -> str:
    """The one thing to know of it."""
    if one.problem:
        return one.problem
    if one.paused_at is not None:
        return "paused"
    if one.failures_in_a_row:
        return f"{one.failures_in_a_row} of its jobs failed in a row"
    return one.last_status or "-"


@hook.command()
@_name_argument
@json_option
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show everything about a hook.

    JSON: {"name", "event", "match", "every", "function", "params", "options", "paused_at",
    "waiting", "next_at", "last_at", "last_job_id", "last_status", "failures_in_a_row", "problem",
    "jobs", "told", "made_at"}, times in UTC seconds.
    """
    with settings.viewing() as view:
        found = next((one for one in view.hooks() if one.name == name), None)
    if found is None:
        raise _unknown(name)
    if as_json:
        write_json(asdict(found))
        return
    last = f"{shown_moment(found.last_at)}  {found.last_status}" if found.jobs else "-"
    shown = {
        "Name": found.name,
        "Event": found.event,
        "Match": found.match or "all jobs",
        "Every": duration_text(found.every) if found.every else "at once",
        "Calls": found.function,
        "Parameters": json.dumps(found.params) if found.params else "-",
        "Options": json.dumps(found.options) if found.options else "-",
        "Waiting": f"{found.waiting:,}",
        "Next": shown_moment(found.next_at),
        "Last": last,
        "Last job": found.last_job_id or "-",
        "Told": f"{found.told:,}, by {found.jobs:,} job{'' if found.jobs == 1 else 's'}",
    }
    if found.failures_in_a_row:
        shown["Failures"] = f"{found.failures_in_a_row:,} of its own jobs in a row"
    if found.paused_at is not None:
        shown["Paused"] = f"since {shown_moment(found.paused_at)}"
    if found.problem:
        shown["Problem"] = found.problem
    for label, value in shown.items():
        say(f"{label + ':':<12}{lines_of(value, '').lstrip()}")


@hook.command()
@_names_argument
@json_option
@click.pass_obj
def pause(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Pause hooks: they submit nothing until they are resumed.

    They go on counting.

    JSON: an array of {"name", "done", "reason"}, in the order given.
    """
    _act(settings, names, "paused", as_json, lambda queue, name: queue.pause_hook(name))


@hook.command()
@_names_argument
@json_option
@click.pass_obj
def resume(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Resume hooks.

    What each has counted is told by one job.

    JSON: an array of {"name", "done", "reason"}, in the order given.
    """
    _act(settings, names, "resumed", as_json, lambda queue, name: queue.resume_hook(name))


@hook.command()
@_names_argument
@json_option
@click.pass_obj
def remove(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Remove hooks.

    What they had still to tell is forgotten; the jobs that they submitted stay.

    JSON: an array of {"name", "done", "reason"}, in the order given.
    """
    _act(settings, names, "removed", as_json, lambda queue, name: queue.remove_hook(name))


@hook.command()
@_name_argument
@json_option
@click.pass_obj
def test(settings: Settings, name: str, as_json: bool) -> None:
    """Submit a hook's job now, to try it out.

    Its `jobs` has one job, which is made up.

    JSON: {"name", "id"}.
    """
    with settings.changing() as queue:
        try:
            job_id = queue.test_hook(name)
        except KeyError:
            raise _unknown(name) from None
        except (TypeError, ValueError) as problem:
            raise Trouble(f"Hook {inert(name)} can't be tried: {problem}") from None
    if as_json:
        write_json({"name": name, "id": job_id})
    else:
        say(f"Job submitted: {job_id}")


def _act(
    settings: Settings,
    names: tuple[str, ...],
    done_word: str,
    as_json: bool,
    act: Callable[[JobQueue, str], bool],
) -> None:
    """Do it to each hook, tell what became of each, and exit 1 if one is not there."""
    with settings.changing() as queue:
        done = [(name, act(queue, name)) for name in names]
    if as_json:
        reasons = {True: "", False: "there is no such hook"}
        write_json([{"name": name, "done": one, "reason": reasons[one]} for name, one in done])
    for name, one in () if as_json else done:
        if one:
            say(f"Hook {inert(name)} {done_word}.")
        else:
            warn(f"Hook {inert(name)}: there is no such hook.")
    if not all(one for _, one in done):
        raise click.exceptions.Exit(EXIT_REFUSED)


def _unknown(name: str) -> Trouble:
    return Trouble(f"There is no hook {name}: `gigq-core hook list` shows them.")
