"""Options that several commands have, and the types of what stands on a command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

import click

from gigq_core.cli.completion import complete_job_id
from gigq_core.job import INTEGER_LIMIT
from gigq_core.status import JobStatus
from gigq_core.text import storable, typed_text
from gigq_core.units.durations import typed_seconds_of
from gigq_core.units.sizes import bytes_in, bytes_of


class TypedText(click.types.StringParamType):
    """A word of the command line that may be stored in a file, whatever bytes it was made of."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text, with escapes for bytes that are not UTF-8."""
        return storable(typed_text(super().convert(value, param, ctx)))


class TypedValue(click.types.StringParamType):
    """A word of the command line that is handed on as it is: JSON holds the name of any file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text; a byte that is not UTF-8 is a surrogate in it."""
        return typed_text(super().convert(value, param, ctx))


class Time(click.types.StringParamType):
    """A duration: a number of seconds, or `90s`, `1h30m`; what comes of it is seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds; a whole number of them stays one."""
        if not isinstance(value, str):
            return value
        try:
            seconds = typed_seconds_of(value, "the time")
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        return int(seconds) if seconds == int(seconds) else seconds


class Size(click.types.StringParamType):
    """A size as people write it, `500M` or `2G`; what comes of it is bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The bytes."""
        if not isinstance(value, str):
            return value
        try:
            return bytes_of(value, "the size")
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Limit(click.IntRange):
    """How many at most; more than any file holds is as good as all of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, no larger than SQLite takes it."""
        return min(super().convert(value, param, ctx), INTEGER_LIMIT - 1)


class Fingerprint(click.types.StringParamType):
    """The first digits of a failure's fingerprint."""

    name = "fingerprint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The digits, in lower case."""
        digits = str(value).lower()
        if not digits or set(digits) - set("0123456789abcdef"):
            self.fail(
                "a fingerprint has the digits 0-9 and a-f: take one from `failures`.", param, ctx
            )
        return digits


class Statuses(click.types.StringParamType):
    """Statuses with commas between."""

    name = "statuses"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Them, each once."""
        known = [status.value for status in JobStatus]
        found = tuple(dict.fromkeys(part.strip().lower() for part in str(value).split(",")))
        for one in found:
            if one not in known:
                self.fail(f"{one!r} is not a status: choose from {', '.join(known)}.", param, ctx)
        return found


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which jobs it is about; all of them where none is given.

    They are `status`, `workflow`, `batch` and `failure`.
    """
    status = click.option(
        "--status",
        type=click.Choice([status.value for status in JobStatus], case_sensitive=False),
        help="Only jobs of this status.",
    )
    return _selecting(status, command)


def selecting_several(command: Callable[..., None]) -> Callable[..., None]:
    """The same, with any number of statuses: `statuses`, a tuple of tuples."""
    status = click.option(
        "--status",
        "statuses",
        type=Statuses(),
        multiple=True,
        metavar="STATUS,...",
        help="Only jobs of these statuses.",
    )
    return _selecting(status, command)


def _selecting(
    status: Callable[[Callable[..., None]], Callable[..., None]], command: Callable[..., None]
) -> Callable[..., None]:
    for option in (
        click.option(
            "--failure",
            type=Fingerprint(),
            metavar="DIGITS",
            help="Only jobs whose last attempt failed in this way: the first digits of a "
            "fingerprint that `failures` shows.",
        ),
        click.option("--batch", metavar="NAME", help="Only jobs of this batch."),
        click.option(
            "--workflow",
            metavar="NAME",
            help="Only jobs of workflows of this name, or of the run whose id begins like this.",
        ),
        status,
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def byte_count(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A size in bytes: `500K`, `10M`, `1.5G`, or a plain number."""
    if value is None:
        return None
    try:
        return bytes_in(value)
    except ValueError as problem:
        raise click.BadParameter(f"{problem}.", ctx, param) from None


def named_jobs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its ids, from its arguments and from a file."""
    command = click.option(
        "--ids-from",
        type=click.File("r", encoding="utf-8", errors="surrogateescape"),
        metavar="FILE",
        help="A file with one id a line, instead of or besides ID; - reads stdin.",
    )(command)
    return click.argument("job_ids", nargs=-1, metavar="[ID...]", shell_complete=complete_job_id)(
        command
    )


def all_ids(job_ids: tuple[str, ...], ids_from: TextIO | None) -> tuple[str, ...]:
    """All ids that were given.

    Raises:
        UsageError: there is none, not even a file that could have held some.
    """
    if ids_from is not None:
        return (*job_ids, *filter(None, (storable(line.strip()) for line in ids_from)))
    if not job_ids:
        raise click.UsageError("Name at least one ID, or a file of them with --ids-from.")
    return job_ids


def lane_list(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names of lanes and prefixes, with commas between them.

    Raises:
        UsageError: it was given and names none: a worker of some lanes alone would take all jobs.
    """
    if value is None:
        return ()
    lanes = tuple(part for part in map(str.strip, value.split(",")) if part)
    if not lanes:
        raise click.UsageError(f"{param.opts[0]} names no lane: give one, or leave the option out.")
    return lanes
