"""The `gigq-core` command: its group of commands, and the file they all work on."""

from __future__ import annotations

from pathlib import Path

import click

from gigq_core.cli import (
    actions,
    clear,
    completion,
    count,
    export,
    failures,
    hook,
    keep,
    lane,
    logs,
    maintain,
    metrics,
    room,
    schedule,
    show,
    submit,
    tree,
    unit,
    why,
    worker,
)
from gigq_core.cli.group import Commands
from gigq_core.cli.settings import Settings

DEFAULT_DB = "gigq.db"

_HELP = """A job queue in one SQLite file: submit jobs, look at them, act on them, run them.

An id may be cut to its first characters (4 at least) while only one job begins with them.

Exit codes: 0 done; 1 refused, or there is no such job; 2 wrong usage, or a file that can't be
used; 3 of `retry --canary`, more than a fifth failed again.
"""


@click.group(cls=Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    envvar="GIGQ_DB",
    default=DEFAULT_DB,
    show_default=True,
    show_envvar=True,
    metavar="FILE",
    help="The queue file; may also follow the command. Only `submit` creates it.",
)
@click.version_option(package_name="gigq-tui", prog_name="gigq-core")
@click.pass_context
def cli(ctx: click.Context, db: Path) -> None:
    ctx.obj = Settings(db)


for _command in (
    submit.submit,
    show.status,
    show.list_jobs,
    actions.cancel,
    actions.retry,
    actions.priority,
    clear.clear,
    keep.keep,
    show.stats,
    count.count,
    show.workflows,
    tree.tree,
    failures.failures,
    hook.hook,
    lane.lane,
    schedule.schedule,
    worker.worker,
    unit.unit,
    metrics.metrics,
    logs.logs,
    why.why_job,
    show.stack,
    show.workers,
    actions.release,
    actions.pause,
    actions.resume,
    actions.ask,
    maintain.attach,
    maintain.detach,
    maintain.doctor,
    export.export,
    room.size,
    room.compact,
    completion.completion,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command, and end the process with its exit code."""
    cli.main(prog_name="gigq-core")


if __name__ == "__main__":
    main()
