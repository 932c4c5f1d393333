"""`gigq-core failures`: what failed, each kind of failure once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gigq_core.cli.options import Limit, json_option
from gigq_core.cli.output import say, shown_moment, table, write_json
from gigq_core.cli.settings import Settings
from gigq_core.units.durations import seconds_in
from gigq_core.units.times import parse_time, utc_now

if TYPE_CHECKING:
    from gigq_core.grouping.failure_groups import Order

SHOWN_DIGITS = 8


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A time, or how long ago it is, as UTC seconds."""
    if value is None:
        return None
    ago = seconds_in(value)
    if ago is not None:
        return utc_now() - ago
    moment = parse_time(value)
    if moment is None:
        raise click.BadParameter(
            "give how long ago, like 90m, 12h or 7d, or a time like 2026-11-28T02:00.", ctx, param
        )
    return moment.timestamp()


@click.command()
@click.option(
    "--since",
    callback=_since,
    metavar="TIME",
    help="Only attempts that ended since: 90m, 12h or 7d ago, or 2026-11-28T02:00.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(["last", "count"]),
    default="last",
    show_default=True,
    help="First those that failed last, or those with the most attempts.",
)
@click.option(
    "--limit",
    type=Limit(min=1),
    default=50,
    show_default=True,
    help="Maximum number of kinds.",
)
@json_option
@click.pass_obj
def failures(
    settings: Settings, since: float | None, order: Order, limit: int, as_json: bool
) -> None:
    """Show what failed: attempts by type, message and place.

    Messages that differ in numbers, ids, paths and quoted parts alone (shown as #) count as one
    kind, if they come from the same function of your own code. `list --failure` names the jobs of
    a kind by the first digits of its fingerprint. Jobs that have passed since, or have failed in
    another way, count too.

    JSON: an array of {"fingerprint", "title", "type" (null: no exception), "where" (file and line
    of the last attempt, or null), "jobs", "attempts", "first", "last" (in seconds since 1970, UTC,
    or null), "job_ids" (those that failed last)}.
    """
    with settings.viewing() as view:
        found = view.failures(since, limit, order)
    if as_json:
        write_json([group._asdict() for group in found.groups])
        return
    if not found.groups:
        say("No failures found.")
        return
    table(
        ("Cause", "Jobs", "Attempts", "First", "Last", "Where", "Fingerprint"),
        [
            (
                group.title,
                group.jobs,
                group.attempts,
                shown_moment(group.first),
                shown_moment(group.last),
                group.where or "-",
                group.fingerprint[:SHOWN_DIGITS],
            )
            for group in found.groups
        ],
        shrinking=["Cause", "Where"],
    )
    left = found.total - len(found.groups)
    if left:
        say(f"{left:,} more kind{'s' if left > 1 else ''}: --limit shows more.")
