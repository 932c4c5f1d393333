"""`gigq-core worker`: run jobs until asked to stop."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import EXIT_REFUSED, Unusable, sentences
from gigq_core.cli.options import Time, byte_count, json_option, lane_list
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.cli.worker_check import print_checked

if TYPE_CHECKING:
    from gigq_core.writing.outlet import LogFile


def _functions(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Names that a job's function can have."""
    from gigq_core.job import FunctionReference

    try:
        return tuple(".".join(FunctionReference.parse(name)) for name in value)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None


@click.command()
@click.option("--worker-id", help="Id of the worker.  [default: generated]")
@click.option(
    "--polling-interval",
    type=Time(),
    default=5,
    show_default=True,
    help="Seconds between checks for jobs when nothing announces one.",
)
@click.option("--once", is_flag=True, help="Run one job if there is one, then end.")
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(min=1),
    help="How many jobs to run at a time; with --via, at each agent.  [default: 1; of a Dask "
    "worker, its threads]",
)
@click.option(
    "--isolation",
    type=click.Choice(["process", "thread"]),
    default="process",
    show_default=True,
    help="Run jobs in child processes, which can be stopped, or in threads of this one.",
)
@click.option("--python", type=click.Path(), metavar="EXE", help="The Python that runs the jobs.")
@click.option(
    "--chdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder that the jobs run in, first on their path.  [default: the current one]",
)
@click.option(
    "--grace",
    type=Time(),
    default=5,
    show_default=True,
    help="Seconds between asking a job to end and killing it.",
)
@click.option(
    "--stop-within",
    type=Time(),
    help="Give back jobs that still run this long after the first signal.  [default: wait for it]",
)
@click.option(
    "--log-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Log to this file instead of stderr; SIGHUP then reopens it.",
)
@click.option(
    "--log-size",
    callback=byte_count,
    metavar="SIZE",
    default="10M",
    show_default=True,
    help="With --log-file: start a new file at this size; 0 for never.",
)
@click.option(
    "--log-keep",
    type=click.IntRange(min=0),
    metavar="COUNT",
    default=5,
    show_default=True,
    help="With --log-file: how many earlier files to keep.",
)
@click.option(
    "--max-result",
    callback=byte_count,
    metavar="SIZE",
    default="16M",
    show_default=True,
    help="The largest result that a job may return, as JSON: 500K, 64M, 512M at most.",
)
@click.option(
    "--jobs-per-child",
    type=click.IntRange(min=1),
    metavar="N",
    help="Replace a child process after this many jobs.  [default: 5000]",
)
@click.option(
    "--max-child-memory",
    callback=byte_count,
    metavar="SIZE",
    help="Replace a child process that has been larger than this: 500M, 2G.  "
    "[default: when it has grown beyond 1G]",
)
@click.option(
    "--lanes",
    callback=lane_list,
    metavar="LANE,…",
    help="Also take the jobs of these reserved lanes.",
)
@click.option(
    "--only-lanes",
    callback=lane_list,
    metavar="LANE,…",
    help="Take only the jobs of these lanes.",
)
@click.option(
    "--via",
    multiple=True,
    metavar="COMMAND",
    help="Run the jobs where this leads, as in 'ssh gpu1' or dask:tcp://host:8786, and none here. "
    "May be given several times.",
)
@click.option(
    "--remote-python",
    metavar="EXE",
    help="With --via: the Python there.  [default: python3; in Dask, its workers' own]",
)
@click.option(
    "--remote-chdir",
    metavar="DIR",
    help="With --via: the folder there that the jobs run in, first on their path.  "
    "[default: where the command leads to]",
)
@click.option(
    "--check",
    is_flag=True,
    help="With --via: say what is there, or why no job can run there, and end.",
)
@click.option(
    "--function",
    "functions",
    callback=_functions,
    multiple=True,
    metavar="NAME",
    help="With --check: also import this there, as in pipeline.train. May be given several times.",
)
@click.option("--owner", type=click.Choice(["cli", "console"]), default="cli", hidden=True)
@click.option("--lifeline", type=int, hidden=True)
@json_option
@click.pass_obj
def worker(
    settings: Settings,
    worker_id: str | None,
    polling_interval: float,
    once: bool,
    concurrency: int | None,
    isolation: str,
    python: str | None,
    chdir: Path | None,
    grace: float,
    stop_within: float | None,
    log_file: Path | None,
    log_size: int,
    log_keep: int,
    max_result: int,
    jobs_per_child: int | None,
    max_child_memory: int | None,
    lanes: tuple[str, ...],
    only_lanes: tuple[str, ...],
    via: tuple[str, ...],
    remote_python: str | None,
    remote_chdir: str | None,
    check: bool,
    functions: tuple[str, ...],
    owner: str,
    lifeline: int | None,
    as_json: bool,
) -> None:
    """Run jobs until asked to stop.

    Ctrl-C (or SIGTERM, SIGHUP) lets it finish what runs; a second one, SIGQUIT, or --stop-within
    ends it at once, and gives its jobs back. With --log-file, SIGHUP opens the log anew instead.

    With --check no job is run, and no file is needed: 0 is the exit code if jobs can run wherever
    --via leads, 1 if not.

    JSON (with --once): {"processed"}; with --check, an array of {"ok", "via", "trouble", "host",
    "python", "executable", "folder", "slots", "cpus", "memory" (bytes), "load", "sent" (whether the
    agent had to be), "ready_s", "latency_s", "job_s" (seconds that a job of nothing takes),
    "clock_s" (how far its clock is ahead), "functions": [{"name", "call", "trouble"}]}.
    """
    if as_json and not (once or check):
        raise click.UsageError(
            "--json needs --once or --check: a worker that keeps running prints a log."
        )
    if check and not via:
        raise click.UsageError("--check is about where --via leads: give that too.")
    if functions and not check:
        raise click.UsageError("--function is about what is imported for --check: give that too.")
    from gigq_core.worker import Worker
    from gigq_core.worker.processes import end_with

    if lifeline is not None:
        end_with(lifeline)
    log: LogFile | None = None

    def open_anew() -> None:
        if log is not None:
            log.reopen()

    try:
        runner = Worker(
            settings.db,
            worker_id=worker_id,
            polling_interval=polling_interval,
            concurrency=concurrency,
            isolation="thread" if isolation == "thread" else "process",
            python=python,
            chdir=chdir,
            grace_s=grace,
            stop_within_s=stop_within,
            owner=owner,
            log_path=None if log_file is None else log_file.absolute(),
            on_hangup=None if log_file is None else open_anew,
            max_result_bytes=max_result,
            jobs_per_child=jobs_per_child,
            max_child_memory=max_child_memory,
            lanes=lanes,
            only_lanes=only_lanes,
            via=via,
            remote_python=remote_python,
            remote_chdir=remote_chdir,
        )
    except (TypeError, ValueError) as problem:
        raise click.UsageError(str(problem)) from None
    if check:
        raise click.exceptions.Exit(
            0 if print_checked(runner.check_links(functions), as_json) else EXIT_REFUSED
        )
    # Only now: what is refused leaves no log behind.
    log = None if log_file is None else _opened(log_file, log_size, log_keep)
    _set_up_logging(log)
    with sentences(settings.db):
        if not once:
            warn(f"Starting worker {runner.worker_id}...")
            runner.start()
            raise click.exceptions.Exit(runner.exit_code)
        try:
            processed = runner.process_one()
        finally:
            runner.close()
    if as_json:
        write_json({"processed": processed})
    else:
        say("Processed one job." if processed else "No jobs available to process.")


def _opened(path: Path, size: int, keep: int) -> LogFile:
    from gigq_core.writing.outlet import LogFile

    try:
        return LogFile(path.absolute(), size, keep)
    except OSError as problem:
        raise Unusable(
            f"The log {path} can't be written: {problem.strerror or problem}. "
            "Name another file with --log-file."
        ) from None


def _set_up_logging(log: LogFile | None) -> None:
    """Whatever this process says, no reader that does not read ever holds it up."""
    from gigq_core.writing.logs import setup_logging, stderr_outlet
    from gigq_core.writing.outlet import Outlet, OutletStream

    stderr = stderr_outlet()
    to_file = None if log is None else Outlet(log)
    setup_logging(logging.INFO, outlet=to_file)
    if stderr is None:
        return
    if log is None or to_file is None:
        sys.stderr = OutletStream(stderr)
    elif log.is_open_as(2):
        sys.stderr = OutletStream(to_file)
    else:
        # What it can't go on with is said in both places.
        sys.stderr = OutletStream(to_file, stderr)
