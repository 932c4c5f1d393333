"""`gigq-core count`: how many jobs have what in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.options import Limit, json_option, selecting
from gigq_core.cli.output import say, table, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.units.durations import duration_text
from gigq_core.writing.streams import put

if TYPE_CHECKING:
    from gigq_core.grouping.counting import CountKey, Counts

MOST_KEYS = 2
ORDERS = ("jobs", "done", "failed", "waiting", "running", "cancelled", "p50", "value")
_FIGURES = ("Jobs", "Done", "Failed", "Waiting", "Running", "Cancelled", "p50")


def _keys(ctx: click.Context, param: click.Parameter, typed: tuple[str, ...]) -> list[CountKey]:
    """What is counted by."""
    from gigq_core.grouping.counting import count_key  # here: the other commands have no need of it

    if len(typed) > MOST_KEYS:
        raise click.BadParameter("name one or two keys.", ctx, param)
    try:
        keys = [count_key(text) for text in typed]
    except ValueError as problem:
        raise click.BadParameter(f"{problem}.", ctx, param) from None
    if len({key.name for key in keys}) < len(keys):
        raise click.BadParameter(f"{keys[0].name} is given twice.", ctx, param)
    return keys


@click.command()
@click.option(
    "--by",
    "keys",
    multiple=True,
    required=True,
    callback=_keys,
    metavar="KEY",
    help="What to count by; a second one splits each value of the first.",
)
@selecting
@click.option(
    "--sort",
    "order",
    type=click.Choice(ORDERS),
    default="jobs",
    show_default=True,
    help="Which values come first: the most jobs, the most failed, ..., the longest median, or "
    "the values in their own order.",
)
@click.option(
    "--limit",
    type=Limit(min=1),
    default=50,
    show_default=True,
    help="Maximum number of values, and of second values below each.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@json_option
@click.pass_obj
def count(
    settings: Settings,
    keys: list[CountKey],
    status: str | None,
    workflow: str | None,
    batch: str | None,
    failure: str | None,
    order: str,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Count jobs by anything that they have in common.

    \b
    KEY is one of
      fn, name, state, worker, host (where an agent ran it last),
      err (the error), fp (the failure's fingerprint),
      param.NAME, result.NAME, and within them as in param.file.size,
      created, started or ended, each with .minute, .hour or .day,
      lane, batch, workflow, schedule, pri (the priority), try (the attempts).

    Failed includes timeouts; p50 is the median run time of the last attempts, to two digits.
    Values are told apart as in JSON: 17 and 17.0 are one number, "17" is a text. A job without the
    value counts as -. All figures are of one moment.

    JSON: an array of one object for each value, or each pair of values: the keys, with their
    values (a key is left out where a job has none, or one that can't be read), and "jobs", "done",
    "failed", "waiting", "running", "cancelled", "p50_s" (seconds, or null).
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one.")
    with settings.viewing() as view:
        counts = view.count(keys, limit, order, status, workflow, batch, failure)
    if as_json:
        write_json(_objects(keys, counts))
    elif as_csv:
        from gigq_core.grouping.counting import csv_of, rows_of

        put(csv_of(keys, rows_of(counts)))
    elif not counts.groups:
        say("No jobs found.")
    else:
        _print_table(keys, counts)
    if left := _left_out(keys, counts):
        (warn if as_json or as_csv else say)(left)


def _objects(keys: list[CountKey], counts: Counts) -> list[dict[str, Any]]:
    from gigq_core.grouping.counting import Kind, rows_of, told

    none = (Kind.MISSING, Kind.UNREADABLE)
    return [
        {
            **{
                key.name: told(key, value)
                for key, value in zip(keys, values, strict=True)
                if value.kind not in none
            },
            **counted.figures._asdict(),
            "p50_s": counted.p50_s,
        }
        for values, counted in rows_of(counts)
    ]


def _print_table(keys: list[CountKey], counts: Counts) -> None:
    from gigq_core.grouping.counting import rows_of, shown

    names = [key.name for key in keys]
    table(
        (*names, *_FIGURES),
        [
            (
                *(shown(key, value) for key, value in zip(keys, values, strict=True)),
                *(figure or "-" for figure in counted.figures),
                "-" if counted.p50_s is None else duration_text(counted.p50_s),
            )
            for values, counted in rows_of(counts)
        ],
        shrinking=names,
    )


def _left_out(keys: list[CountKey], counts: Counts) -> str:
    """What is not among the values that are printed."""
    first = counts.values - len(counts.groups)
    second = sum(one.parts - len(one.then) for one in counts.groups)
    told = [
        f"{left:,} more value{'s' if left > 1 else ''} of {key.name}{below}"
        for key, left, below in zip(keys, (first, second), ("", " below these"), strict=False)
        if left > 0
    ]
    return f"And {' and '.join(told)}: --limit shows more." if told else ""
