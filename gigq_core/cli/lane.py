"""`gigq-core lane`: limits of named queues, and how those stand."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.errors import Trouble
from gigq_core.cli.group import Group
from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, table, write_json
from gigq_core.cli.settings import Settings
from gigq_core.text import inert
from gigq_core.units.times import utc_now

if TYPE_CHECKING:
    from gigq_core.lanes.rules import Lane

_HEADERS = ("LANE", "LIMITS", "RUNNING", "READY", "HELD", "DELAYED", "BLOCKED", "WHY")
_lane_argument = click.argument("lane")


@click.group(cls=Group, short_help="Named queues with limits on how many jobs run and start.")
def lane() -> None:
    """Show and limit lanes: named queues within the file.

    `submit --lane` puts a job into a lane. A lane needs no setting up, and has no limit until you
    give it one. LANE is a name, or fetch:* for all lanes whose names begin with fetch:, each with
    these limits for itself; the exact name wins, then the longest prefix.
    """


@lane.command("set")
@_lane_argument
@click.option(
    "--running",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many of its jobs run at a time.  [default: any number]",
)
@click.option(
    "--rate",
    metavar="N/UNIT",
    help="How many start in a time: 5/s, 10/m, 100/h, 1/d. Another attempt is another start.  "
    "[default: any number]",
)
@click.option(
    "--burst",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="How many of these may start at once.",
)
@click.option(
    "--reserved", is_flag=True, help="Leave its jobs to workers that name the lane (--lanes)."
)
@json_option
@click.pass_obj
def set_lane(
    settings: Settings,
    lane: str,
    running: int | None,
    rate: str | None,
    burst: int,
    reserved: bool,
    as_json: bool,
) -> None:
    """Set the limits of LANE. They replace those that it has; running jobs go on.

    \b
      gigq-core lane set fetch:* --running 2 --rate 10/m
      gigq-core lane set gpu --running 1 --reserved

    JSON: {"pattern", "running", "rate", "burst", "reserved"}.
    """
    from gigq_core.lanes.rules import rule_of

    try:
        rule = rule_of(lane, running, rate, burst, reserved)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    with settings.changing() as queue:
        queue.set_lane(lane, running, rate, burst, reserved)
    if as_json:
        write_json(asdict(rule))
    else:
        limits = limits_in_words(rule.running, rule.rate, rule.burst, rule.reserved)
        say(f"Lane {inert(lane)}: {limits or 'no limit'}.")


@lane.command("list", short_help="List the lanes, and how they stand.")
@json_option
@click.pass_obj
def list_lanes(settings: Settings, as_json: bool) -> None:
    """List the lanes, and the limits whose lanes have no jobs.

    READY are shown to workers, HELD could run but for the limits, DELAYED wait for their time,
    and BLOCKED for other jobs.

    JSON: a list of {"name", "pattern" (of its limits, or null), "running_limit", "rate", "burst",
    "reserved", "paused_at", "paused_by", "running", "ready", "held", "delayed", "blocked",
    "opens_at", "shut_for", "next_start", "takers" (the workers that take its jobs),
    "is_rule_only"}; times are UTC seconds since 1970.
    """
    from gigq_core.lanes.rules import read_lanes

    now = utc_now()
    with settings.viewing() as view:
        lanes = view.ask(partial(read_lanes, now_utc=now))
    if as_json:
        write_json([asdict(one) for one in lanes])
    elif lanes:
        rows = [_row(one, now) for one in lanes]
        table(_HEADERS, rows, shrinking=("LANE", "WHY"))
    else:
        say("No lanes: `submit --lane NAME` puts a job into one.")


@lane.command()
@_lane_argument
@json_option
@click.pass_obj
def pause(settings: Settings, lane: str, as_json: bool) -> None:
    """Pause LANE: none of its jobs start until `lane resume`. Running jobs go on.

    JSON: {"lane", "paused": true, "changed"}.
    """
    with settings.changing() as queue:
        try:
            changed = queue.pause_lane(lane)
        except ValueError as problem:
            raise click.UsageError(str(problem)) from None
    if as_json:
        write_json({"lane": lane, "paused": True, "changed": changed})
    else:
        say(f"Lane {inert(lane)} is paused{'' if changed else ' already'}.")


@lane.command(short_help="End a pause of LANE.")
@_lane_argument
@json_option
@click.pass_obj
def resume(settings: Settings, lane: str, as_json: bool) -> None:
    """End a pause of LANE, named as it was paused; where there is none, open what a job has shut.

    JSON: {"lane", "paused": false, "changed"}.
    """
    with settings.changing() as queue:
        changed = queue.resume_lane(lane)
        still = [one for one in queue.lanes() if one.name == lane and one.is_paused]
    if not changed:
        by = f": it is paused by {inert(still[0].paused_by or '')}" if still else ""
        raise Trouble(f"Lane {inert(lane)} is not paused by that name{by}.")
    if as_json:
        write_json({"lane": lane, "paused": False, "changed": True})
    else:
        by = f", but still paused by {inert(still[0].paused_by or '')}" if still else ""
        say(f"Lane {inert(lane)} is resumed{by}.")


@lane.command()
@_lane_argument
@json_option
@click.pass_obj
def remove(settings: Settings, lane: str, as_json: bool) -> None:
    """Remove the limits of LANE. Its jobs stay.

    JSON: {"pattern", "removed": true}.
    """
    with settings.changing() as queue:
        removed = queue.remove_lane(lane)
    if not removed:
        raise Trouble(f"Lane {inert(lane)} has no limits of its own: `lane list` shows all.")
    if as_json:
        write_json({"pattern": lane, "removed": True})
    else:
        say(f"Lane {inert(lane)} has no limits of its own any more.")


def limits_in_words(running: int | None, rate: str | None, burst: int, reserved: bool) -> str:
    """What a rule says, in a few words."""
    words = []
    if running is not None:
        words.append(f"{running:,} at a time")
    if rate is not None:
        words.append(rate if burst == 1 else f"{rate}, {burst:,} at once")
    if reserved:
        words.append("reserved")
    return ", ".join(words)


def _row(lane: Lane, now: float) -> list[Any]:
    from gigq_core.lanes.rules import lane_words

    limits = limits_in_words(lane.running_limit, lane.rate, lane.burst, lane.reserved)
    if limits and lane.pattern != lane.name:
        limits = f"{limits} ({lane.pattern})"
    counts = (lane.running, lane.ready, lane.held, lane.delayed, lane.blocked)
    shown = ["-"] * len(counts) if lane.is_rule_only else [f"{n:,}" for n in counts]
    return [lane.name, limits or "-", *shown, lane_words(lane, now) or "-"]
