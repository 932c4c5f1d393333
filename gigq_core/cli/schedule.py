"""`gigq-core schedule`: jobs that are made again and again, at times that a rule says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.completion import complete_schedule
from gigq_core.cli.errors import EXIT_REFUSED, Trouble, sentences
from gigq_core.cli.group import Group
from gigq_core.cli.options import json_option
from gigq_core.cli.output import lines_of, say, shown_moment, table, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.cli.submit import defined_job, job_options
from gigq_core.schedules.cron import Slot, check_when, preview, when_words
from gigq_core.text import inert
from gigq_core.units.moments import offset_of
from gigq_core.units.times import local

if TYPE_CHECKING:
    from gigq_core.queue import JobQueue
    from gigq_core.schedules.rules import Schedule, Skip

SHOWN_SLOTS = 5
MOST_SLOTS = 1_000
SHOWN_SKIPS = 10
_CATCH_UPS = ("last", "none", "all")
_OVERLAPS = ("skip", "queue", "replace", "allow")
_name_argument = click.argument("name", shell_complete=complete_schedule)
_names_argument = click.argument("names", nargs=-1, required=True, shell_complete=complete_schedule)
_zone_option = click.option(
    "--zone", metavar="ZONE", help="The zone of the cron fields, as Europe/Berlin.  [default: UTC]"
)


@click.group(cls=Group)
def schedule() -> None:
    """Make jobs again and again: each night, every 15 minutes.

    Any of our workers makes a schedule's jobs; `fire-due` does it without one. Each slot makes one
    job, or is recorded as skipped. WHEN is five cron fields, as '30 2 * * *';
    @hourly, @daily, @weekly, @monthly or @yearly; or 'every 15m', counted from 1970, UTC.
    """


@schedule.command(short_help="Add a schedule, or change the one of that name.")
@click.argument("name")
@click.argument("when")
@click.argument("function")
@_zone_option
@click.option(
    "--catch-up",
    type=click.Choice(_CATCH_UPS),
    default="last",
    show_default=True,
    help="Slots that passed while no worker was there: make a job of the newest, of none that is "
    "more than a minute late, or of all (100 at most).",
)
@click.option(
    "--overlap",
    type=click.Choice(_OVERLAPS),
    default="skip",
    show_default=True,
    help="A slot while a job of the schedule waits or runs: skip it, queue its job behind that "
    "one, replace that one, or allow both.",
)
@click.option("--job-name", default="", help="Display name of its jobs.  [default: the function's]")
@job_options("dependencies", "run_at", "on_parent_failure", "pass_parent_results")
@json_option
@click.pass_obj
def add(
    settings: Settings,
    /,
    name: str,
    when: str,
    function: str,
    zone: str | None,
    catch_up: Any,
    overlap: Any,
    job_name: str,
    params: tuple[str, ...],
    retry_delays: tuple[float, ...] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a schedule: a job that calls FUNCTION at each slot of WHEN.

    If there is a schedule NAME, it is changed. The function is imported first, as by `submit`.
    {slot:%Y-%m-%d} in a parameter becomes the slot, in the zone.

    \b
      gigq-core schedule add nightly '30 2 * * *' shop.etl.load \\
          --zone Europe/Berlin -p day={slot:%Y-%m-%d}

    JSON: what `schedule show` prints.
    """
    job = defined_job(function, params, retry_delays, name=job_name, **options)
    with settings.changing() as queue:
        try:
            made = queue.schedule(name, when, job, zone or "UTC", catch_up, overlap)
        except (TypeError, ValueError) as problem:
            raise click.UsageError(str(problem)) from None
    if as_json:
        write_json(_as_json(made))
        return
    say(f"Schedule {inert(made.name)}: {inert(made.when)}, {inert(made.zone)}.")
    if made.next_at is not None:
        say(f"Next: {_slot_words(preview(made.when, made.zone, 1, made.next_at - 0.001)[0])}")


@schedule.command("list")
@json_option
@click.pass_obj
def list_schedules(settings: Settings, as_json: bool) -> None:
    """List the schedules.

    JSON: an array of what `schedule show` prints, without "preview".
    """
    with settings.viewing() as view:
        found = view.schedules()
        nobody = view.has_nobody_for(one.next_at for one in found)
    if as_json:
        write_json([asdict(one) for one in found])
    elif not found:
        say("There is no schedule: add one with `schedule add`.")
    else:
        headers = ["NAME", "WHEN", "ZONE", "NEXT", "LAST", "STATUS", "SKIPPED", "JOB"]
        table(headers, [_row(one) for one in found], shrinking=["JOB", "STATUS", "NAME"])
        if nobody:
            warn("No worker is running on the file: slots pass until one is, or `fire-due` runs.")


def _row(one: Schedule) -> list[object]:
    return [
        one.name,
        one.when,
        one.zone,
        _time_in(one.next_at, one.zone),
        _time_in(one.last_slot, one.zone),
        _status(one),
        one.skipped or "-",
        one.function,
    ]


def _status(one: Schedule) -> str:
    """The one thing to know of it."""
    if one.trouble:
        return one.trouble
    return "paused" if one.paused_at is not None else one.last_status or "-"


@schedule.command(short_help="Show a schedule, its next slots and the last ones.")
@_name_argument
@json_option
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show a schedule: its job, its next slots, and skipped ones.

    JSON: {"name", "when", "zone", "catch_up", "overlap", "function", "job_name", "params",
    "options", "definition", "next_at", "paused_at", "last_slot", "last_job_id", "last_status",
    "trouble", "skipped", "skips": [{"slot", "why", "at", "first", "count"}], "preview": [{"at",
    "local", "note"}]}; times in UTC seconds, "local" in its zone.
    """
    found = _found(settings, name)
    if as_json:
        write_json(_as_json(found))
        return
    say(f"Schedule: {inert(found.name)}")
    try:
        words = when_words(found.when)
    except ValueError:
        words = ""
    say(f"When: {inert(found.when)}" + (f" ({inert(words)})" if words else ""))
    say(f"Zone: {inert(found.zone)}")
    say(f"Function: {inert(found.function)}")
    if found.params:
        say("Parameters:")
        for key, value in found.params.items():
            say(lines_of(f"{key}: {value}", "  "))
    for key, value in found.options.items():
        say(f"{inert(key)}: {inert(value)}")
    say(f"Catch up: {inert(found.catch_up)}")
    say(f"Overlap: {inert(found.overlap)}")
    if found.trouble:
        say(f"Trouble: {inert(found.trouble)}")
    if found.last_job_id is not None:
        last = _time_in(found.last_slot, found.zone)
        say(f"Last: {last}, job {inert(found.last_job_id)}, {inert(found.last_status)}")
    if found.paused_at is not None:
        say(f"Paused: since {shown_moment(found.paused_at)}")
    slots = _next_slots(found)
    if slots:
        say("Next:")
        for slot in slots:
            say(f"  {_slot_words(slot)}")
    if found.skips:
        say(f"Skipped: {found.skipped:,}")
        for skip in found.skips[:SHOWN_SKIPS]:
            say(f"  {_skip_words(skip, found.zone)}")


@schedule.command("preview", short_help="Show the next slots of a schedule or of a rule.")
@click.argument("rule", metavar="NAME|WHEN", shell_complete=complete_schedule)
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, MOST_SLOTS),
    default=SHOWN_SLOTS,
    show_default=True,
    help="How many.",
)
@_zone_option
@json_option
@click.pass_obj
def preview_slots(
    settings: Settings, rule: str, count: int, zone: str | None, as_json: bool
) -> None:
    """Show the next slots of a schedule, or of any rule.

    A slot on a night on which clocks change says what is special about it.

    JSON: an array of {"at", "local", "note"}, "at" in UTC seconds.
    """
    try:
        check_when(rule)
    except ValueError as problem:
        found = _known(settings, rule)
        if found is None:
            raise click.UsageError(
                f"There is no schedule {inert(rule)!r}, nor is it a rule: {problem}"
            ) from None
        rule, zone = found.when, zone or found.zone
    try:
        slots = preview(rule, zone or "UTC", count)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    if as_json:
        write_json([_slot_as_json(slot) for slot in slots])
    else:
        for slot in slots:
            say(_slot_words(slot))


@schedule.command(short_help="Make a job of a schedule now, beside its slots.")
@_name_argument
@json_option
@click.pass_obj
def run(settings: Settings, name: str, as_json: bool) -> None:
    """Make a job of a schedule now, in addition to its slots.

    This works even while it is paused. If a job of the schedule waits or runs, the new one waits
    for it, unless the overlap is replace or allow.

    JSON: {"id"}.
    """
    with settings.changing() as queue:
        try:
            job_id = queue.run_schedule(name)
        except KeyError:
            raise _none(name) from None
        except (TypeError, ValueError) as problem:
            raise Trouble(f"Schedule {inert(name)} can't be run: {problem}") from None
    if as_json:
        write_json({"id": job_id})
    else:
        say(f"Job submitted: {job_id}")


_JSON_OF_NAMES = """JSON: an array of {"name", "done", "reason"}, in the order given."""


@schedule.command(
    help=f"""Pause schedules: no slot makes a job until `resume`. `run` still works.

    {_JSON_OF_NAMES}""",
    short_help="Let the slots of schedules pass by until `resume`.",
)
@_names_argument
@json_option
@click.pass_obj
def pause(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    _act(settings, names, "paused", "it is paused already", as_json, _pause)


@schedule.command(
    help=f"""Resume schedules with the next slot. Those that passed are recorded as skipped.

    {_JSON_OF_NAMES}""",
    short_help="Go on with the next slot.",
)
@_names_argument
@json_option
@click.pass_obj
def resume(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    _act(settings, names, "resumed", "it is not paused", as_json, _resume)


@schedule.command(
    help=f"""Remove schedules. The jobs that they made stay.

    {_JSON_OF_NAMES}"""
)
@_names_argument
@json_option
@click.pass_obj
def remove(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    _act(settings, names, "removed", "there is no such schedule", as_json, _remove)


def _pause(queue: JobQueue, name: str) -> bool:
    return queue.pause_schedule(name)


def _resume(queue: JobQueue, name: str) -> bool:
    return queue.resume_schedule(name)


def _remove(queue: JobQueue, name: str) -> bool:
    return queue.remove_schedule(name)


def _act(
    settings: Settings,
    names: tuple[str, ...],
    done_word: str,
    refused: str,
    as_json: bool,
    act: Callable[[JobQueue, str], bool],
) -> None:
    """Do it to each schedule, tell what became of each, and exit 1 if any was refused."""
    told = []
    with settings.changing() as queue:
        known = {one.name for one in queue.schedules()}
        for name in names:
            try:
                reason = "" if act(queue, name) else refused
            except ValueError as problem:
                reason = str(problem)
            if name not in known:
                reason = "there is no such schedule"
            told.append({"name": name, "done": not reason, "reason": reason})
    if as_json:
        write_json(told)
    for one in () if as_json else told:
        if one["done"]:
            say(f"Schedule {inert(one['name'])} {done_word}.")
        else:
            warn(f"Schedule {inert(one['name'])}: {inert(one['reason'])}.")
    if not all(one["done"] for one in told):
        raise click.exceptions.Exit(EXIT_REFUSED)


@schedule.command(short_help="Make the schedules as a TOML file has them.")
@click.argument("toml", type=click.Path(path_type=Path), metavar="FILE.toml")
@click.option("--prune", is_flag=True, help="Remove the schedules that the file does not name.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
@json_option
@click.pass_obj
def apply(settings: Settings, toml: Path, prune: bool, dry_run: bool, as_json: bool) -> None:
    """Make the schedules match a TOML file, for example one in git.

    All or none: the whole file is checked before anything is written. Applying it again changes
    nothing. Functions are taken by name, and not imported. A paused schedule stays paused.

    \b
      [schedules.nightly]
      when = "30 2 * * *"
      zone = "Europe/Berlin"
      function = "shop.etl.load"
      params = { day = "{slot:%Y-%m-%d}" }
      timeout = "1h"

    Keys: when, zone, catch_up, overlap, function, params, and a job's options by the words of a
    line of JSONL.

    JSON: {"added": [names], "changed": {name: [what]}, "removed", "unchanged", "left", "dry_run"}.
    """
    from gigq_core.schedules import schedule_file

    with settings.viewing():
        pass  # the queue comes first: it says what is wrong with it
    try:
        wanted = schedule_file.read_file(toml)
    except schedule_file.ScheduleFileTrouble as problem:
        for mistake in problem.mistakes:
            warn(inert(mistake))
        raise Trouble("Nothing was changed.") from None
    with sentences(settings.db):
        applied = schedule_file.apply(settings.db, wanted, prune, dry_run)
    if as_json:
        write_json({**asdict(applied), "dry_run": dry_run})
        return
    for name in applied.added:
        say(f"added      {inert(name)}")
    for name, what in applied.changed.items():
        say(f"changed    {inert(name)}: {', '.join(what)}")
    for name in applied.removed:
        say(f"removed    {inert(name)}")
    for name in applied.left:
        say(f"left       {inert(name)} (not in the file: --prune removes it)")
    say(f"unchanged  {len(applied.unchanged):,}" + ("; nothing was written" if dry_run else ""))


@schedule.command(
    "fire-due", short_help="Make the jobs of slots that are due now, without a worker."
)
@json_option
@click.pass_obj
def fire_due(settings: Settings, as_json: bool) -> None:
    """Make the jobs of slots that are due now, without a worker.

    For a file on which none of our workers runs all the time: call it each minute from cron. Beside
    a worker it does no harm: each slot makes one job. It also does what else is due on the file.

    JSON: {"fired": [{"schedule", "slot", "id", "name"}], "skipped": [{"schedule", "slot", "first",
    "count", "why"}], "troubles": [{"schedule", "trouble"}]}. The exit code is 1 if there are any of
    these.
    """
    from gigq_core.schedules import fire_due as firing

    with sentences(settings.db):
        outcome = firing.fire_due(settings.db)
    if as_json:
        write_json(
            {
                "fired": [
                    {"schedule": one.schedule, "slot": one.slot, "id": one.job_id, "name": one.name}
                    for one in outcome.fired
                ],
                "skipped": [
                    {
                        "schedule": name,
                        "slot": skip.last,
                        "first": skip.first,
                        "count": skip.count,
                        "why": skip.why,
                    }
                    for name, skip in outcome.skips
                ],
                "troubles": [
                    {"schedule": name, "trouble": trouble} for name, trouble in outcome.troubles
                ],
            }
        )
    else:
        for one in outcome.fired:
            say(f"{inert(one.schedule)}: job {inert(one.job_id)} for {shown_moment(one.slot)}")
        for name, skip in outcome.skips:
            say(f"{inert(name)}: no job for {shown_moment(skip.last)}: {inert(skip.why)}")
        for name, trouble in outcome.troubles:
            warn(f"{inert(name)}: {inert(trouble)}")
        if not (outcome.fired or outcome.skips or outcome.troubles):
            say("No slot is due.")
    if outcome.troubles:
        raise click.exceptions.Exit(EXIT_REFUSED)


def _known(settings: Settings, name: str) -> Schedule | None:
    with settings.viewing() as view:
        return next((one for one in view.schedules() if one.name == name.strip()), None)


def _found(settings: Settings, name: str) -> Schedule:
    found = _known(settings, name)
    if found is None:
        raise _none(name)
    return found


def _none(name: str) -> Trouble:
    return Trouble(f"There is no schedule {inert(name)}: `schedule list` shows all.")


def _next_slots(found: Schedule) -> list[Slot]:
    if found.paused_at is not None or found.next_at is None:
        return []
    try:
        return preview(found.when, found.zone, SHOWN_SLOTS, found.next_at - 0.001)
    except (ValueError, OverflowError, OSError):
        return []


def _as_json(found: Schedule) -> dict[str, Any]:
    return {**asdict(found), "preview": [_slot_as_json(slot) for slot in _next_slots(found)]}


def _slot_as_json(slot: Slot) -> dict[str, Any]:
    return {"at": slot.at, "local": slot.local.isoformat(), "note": slot.note}


def _slot_words(slot: Slot) -> str:
    """A slot by the clock of its zone, and by the reader's own where that shows another time."""
    here = slot.local
    own = local(here)
    text = f"{here:%a %Y-%m-%d %H:%M:%S} {offset_of(here)}"
    if own.utcoffset() != here.utcoffset():
        text += (
            f"  (here {own:%H:%M:%S})"
            if own.date() == here.date()
            else f"  (here {own:%a %H:%M:%S})"
        )
    return f"{text}  {slot.note}" if slot.note else text


def _time_in(at: float | None, zone: str) -> str:
    if at is None:
        return "-"
    try:
        from gigq_core.schedules.cron import Rule

        here = Rule("@daily", zone).local(at)
    except (ValueError, OverflowError, OSError):
        return shown_moment(at)
    return f"{here:%Y-%m-%d %H:%M:%S} {offset_of(here)}"


def _skip_words(skip: Skip, zone: str) -> str:
    times = f" ({skip.count:,} times)" if skip.count > 1 and "missed" not in skip.why else ""
    return f"{_time_in(skip.slot, zone)}  {inert(skip.why)}{times}"
