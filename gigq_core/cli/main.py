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

_HELP = """A job queue in one SQLite file: submit jobs, run them, and see what becomes of them.

An id may be shortened to its first characters, 4 at least, if only one job begins with them.

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


for _title, _commands in {
    "Jobs": (
        submit.submit,
        show.status,
        show.list_jobs,
        actions.cancel,
        actions.retry,
        actions.priority,
        actions.release,
        clear.clear,
        logs.logs,
        show.stack,
    ),
    "What happens, and why": (
        show.stats,
        why.why_job,
        tree.tree,
        failures.failures,
        count.count,
        show.workflows,
    ),
    "Workers": (
        worker.worker,
        show.workers,
        actions.ask,
        actions.pause,
        actions.resume,
        unit.unit,
    ),
    "Limits, schedules, hooks": (lane.lane, schedule.schedule, hook.hook),
    "The file": (
        maintain.doctor,
        keep.keep,
        room.size,
        room.compact,
        metrics.metrics,
        export.export,
        maintain.attach,
        maintain.detach,
    ),
    "Your shell": (completion.completion,),
}.items():
    cli.add_section(_title, _commands)


def main() -> None:
    """Run the command, and end the process with its exit code."""
    cli.main(prog_name="gigq-core")


if __name__ == "__main__":
    main()
