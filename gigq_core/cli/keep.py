"""The `keep` command: for how long jobs stay when they have ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.units.durations import duration_text, typed_seconds_of
from gigq_core.units.times import moment_of, utc_now

if TYPE_CHECKING:
    from gigq_core.keeping.rules import Keeping, Plan

_FOR_EVER = "forever"


class Age(click.types.StringParamType):
    """A duration, or `forever`; what comes of it is seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds; infinity for ever."""
        if value == _FOR_EVER:
            return math.inf
        try:
            return typed_seconds_of(str(value), "the age")
        except ValueError:
            self.fail(f"write an age like 7d or 12h, or {_FOR_EVER}, not {value!r}.", param, ctx)


_AGE = Age()


@click.command()
@click.option("--completed", type=_AGE, metavar="AGE", help="How long completed jobs stay.")
@click.option(
    "--failed", type=_AGE, metavar="AGE", help="How long jobs stay that failed or timed out."
)
@click.option("--cancelled", type=_AGE, metavar="AGE", help="How long cancelled jobs stay.")
@click.option(
    "--archive",
    type=click.Path(),  # its bytes are those of the folder
    metavar="DIR",
    help="Write each job to this folder before it is deleted, as a line of JSON.",
)
@click.option("--no-archive", is_flag=True, help="Write none.")
@click.option("--off", is_flag=True, help="Keep all jobs for ever, which is the default.")
@click.option("--dry-run", is_flag=True, help="Only show how many would be deleted now.")
@json_option
@click.pass_obj
def keep(
    settings: Settings,
    completed: float | None,
    failed: float | None,
    cancelled: float | None,
    archive: str | None,
    no_archive: bool,
    off: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Set how long jobs stay after they have ended, or show it.

    An AGE is like 7d, 12h or 90m, or forever, which is the default. Ages that you don't give stay
    as they are. Workers delete older jobs, at once and then from time to time, with their attempts
    and output: 200 jobs at a time, so that nobody waits. A job stays while others need it, or would
    if they were retried.

    \b
      gigq-core keep --completed 7d --failed 90d --cancelled 7d --archive /srv/archive

    JSON: {"completed", "failed", "cancelled" (seconds, or null for ever), "archive" (or null),
    "running", "last_run", "next_run", "gone", "gone_last", "needed_last", "overdue", "trouble"};
    of --dry-run {"dry_run", "going" (by status), "needed"}. Times are UTC seconds.
    """
    from gigq_core.keeping.rules import read_keeping
    from gigq_core.schema.attach import living_workers

    ages = {"completed": completed, "failed": failed, "cancelled": cancelled}
    named = any(age is not None for age in ages.values()) or archive is not None or no_archive
    if off and named:
        raise click.UsageError("--off can't be combined with other options.")
    if archive is not None and no_archive:
        raise click.UsageError("Give --archive or --no-archive, not both.")
    if off:
        ages = dict.fromkeys(ages, math.inf)
    folder = "" if no_archive else archive
    if dry_run:
        _show_plan(settings, ages, as_json)
        return
    if named or off:
        with settings.changing() as queue:
            try:
                queue.keep(**ages, archive=folder)
            except ValueError as problem:
                raise click.UsageError(str(problem)) from None
    with settings.viewing() as view:
        kept = view.ask(read_keeping)
        lives = bool(view.ask(living_workers))
    if as_json:
        write_json(_as_json(kept))
    else:
        _print(kept, lives)


def _show_plan(settings: Settings, wanted: dict[str, float | None], as_json: bool) -> None:
    from gigq_core.keeping.rules import plan, read_keeping

    with settings.viewing() as view:
        kept = view.ask(read_keeping)
        ages = {
            age: getattr(kept, age) if seconds is None else None if math.isinf(seconds) else seconds
            for age, seconds in wanted.items()
        }
        found = view.ask(lambda conn: plan(conn, ages))
    if as_json:
        write_json({"dry_run": True, "going": found.going, "needed": found.needed})
    else:
        _print_plan(found)


def _print_plan(plan: Plan) -> None:
    which = ", ".join(f"{n:,} {status}" for status, n in plan.going.items())
    going = sum(plan.going.values())
    say(f"{_jobs(going)} would be deleted now{f': {which}' if which else ''}.")
    if plan.needed:
        say(f"{_jobs(plan.needed)} that old would stay, since others need them.")


def _print(kept: Keeping, lives: bool) -> None:
    for label, seconds in (
        ("completed", kept.completed),
        ("failed", kept.failed),
        ("cancelled", kept.cancelled),
    ):
        say(f"{label:<10} {'for ever' if seconds is None else duration_text(seconds)}")
    say(f"{'archive':<10} {kept.archive or 'none'}")
    if not kept.is_on:
        return
    if kept.last_run is not None or kept.gone:
        say(f"{_jobs(kept.gone)} deleted so far.")
    if kept.needed_last:
        say(f"{_jobs(kept.needed_last)} were kept then, since others need them.")
    if kept.overdue:
        from gigq_core.keeping.rules import OVERDUE_MOST

        more = " or more" if kept.overdue >= OVERDUE_MOST else ""
        say(f"{_jobs(kept.overdue)}{more} past their age now.")
    if kept.is_running and lives:
        say("Workers delete a few at a time.")
    elif kept.next_run is not None and lives:
        say(f"Next run {_when(kept.next_run)}.")
    if not lives:
        warn("No worker is running on the file: jobs are deleted while one is.")
    if kept.trouble:
        warn(kept.trouble)


def _when(utc: float) -> str:
    from gigq_core.units.moments import due_words

    moment, now = moment_of(utc), moment_of(utc_now())
    return "now" if moment is None or now is None or moment <= now else due_words(moment, now)


def _jobs(n: int) -> str:
    return "1 job" if n == 1 else f"{n:,} jobs"


def _as_json(kept: Keeping) -> dict[str, object]:
    return {
        "completed": kept.completed,
        "failed": kept.failed,
        "cancelled": kept.cancelled,
        "archive": kept.archive or None,
        "running": kept.is_running,
        "last_run": kept.last_run,
        "next_run": kept.next_run,
        "gone": kept.gone,
        "gone_last": kept.gone_last,
        "needed_last": kept.needed_last,
        "overdue": kept.overdue,
        "trouble": kept.trouble or None,
    }
