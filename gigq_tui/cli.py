"""The `gigq-tui` command: what was asked for, whether it can be, and only then the screen."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from gigq_core.errors import GigQError
from gigq_tui.config.model import THEMES, Config, Label

EXIT_UNUSABLE = 2
EXIT_BROKEN_PIPE = 141

_HELP = """A terminal console for the job queue in FILE (or in $GIGQ_DB).

Looking changes nothing in the file. The first act on a file of GigQ's own (a worker started, a
job submitted, cancelled or retried) adds this package's tables to it, and the console says so
before.

Exit codes: 0 done; 2 wrong usage, or a file that can't be used.
"""


class Refusal(click.ClickException):
    """One sentence on stderr, exit code 2."""

    exit_code = EXIT_UNUSABLE

    def show(self, file: IO[Any] | None = None) -> None:
        from gigq_tui.format import inert

        click.echo(f"gigq-tui: {inert(self.message)}", file=file or sys.stderr)


@click.command(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", required=False, envvar="GIGQ_DB", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Make a queue with real work in it, and watch it drain.")
@click.option(
    "--demo-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where --demo works.  [default: a new temporary folder]",
)
@click.option("--create", is_flag=True, help="Make a new queue if there is no FILE.")
@click.option(
    "--read-only/--read-write",
    default=None,
    help="Only look: every key that writes is off.",
)
@click.option("--once", is_flag=True, help="Print one snapshot, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: JSON for scripts.")
@click.option("--filter", "filter_text", metavar="TEXT", help="With --once: only jobs that match.")
@click.option(
    "--sort",
    "sort_name",
    metavar="ORDER",
    help="With --once: newest, oldest, claim, pri, name, att, age, dur, ended or state; a minus "
    "after it turns it round.  [default: newest]",
)
@click.option(
    "--limit",
    type=click.IntRange(0, 1000),
    metavar="N",
    help="With --once: how many jobs to print.  [default: 50]",
)
@click.option(
    "--python",
    metavar="EXE",
    help="The interpreter that jobs run in: your project's.  [default: this program's own]",
)
@click.option(
    "--chdir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder that jobs run in, first on their path.  [default: the current one]",
)
@click.option(
    "--theme",
    type=click.Choice(THEMES),
    help="Colours.  [default: auto, what the terminal is good for]",
)
@click.option(
    "--mouse/--no-mouse",
    default=None,
    help="Whether the mouse is for the console, or for selecting text.  [default: console]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keys, colours, columns, labels: --print-config says where they are looked for.",
)
@click.option("--print-config", is_flag=True, help="Print the configuration as a file, and end.")
@click.version_option(package_name="gigq-tui", prog_name="gigq-tui")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    try:
        ctx.exit(_run(ctx, **options))
    except GigQError as problem:
        raise Refusal(str(problem)) from None


def main() -> None:
    """Run the command, and end the process with its exit code."""
    try:
        sys.exit(cli.main(prog_name="gigq-tui", standalone_mode=False))
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _run(
    ctx: click.Context,
    *,
    file: Path | None,
    demo: bool,
    demo_dir: Path | None,
    create: bool,
    read_only: bool,
    once: bool,
    as_json: bool,
    filter_text: str | None,
    sort_name: str | None,
    limit: int | None,
    python: str | None,
    chdir: Path | None,
    theme: str | None,
    mouse: bool | None,
    config_file: Path | None,
    print_config: bool,
) -> int:
    _check_usage(ctx)
    config = _configured(config_file, theme, mouse)
    if print_config:
        return _print_config(config, config_file)
    if demo:
        _need_terminal()
        return _run_demo(demo_dir, config)
    if file is None:
        _refuse("Name the queue's file, gigq-tui FILE, or set GIGQ_DB; or look at --demo.")
    from gigq_tui.actions.functions import check_folder, check_python
    from gigq_tui.config.label import label_of

    settings = config.database(file)
    interpreter = check_python(python or os.path.expanduser(settings.python) or sys.executable)
    folder = check_folder(chdir or Path(settings.chdir).expanduser())
    only_look = settings.read_only if read_only is None else read_only
    label = label_of(settings)
    if create:
        if only_look:
            _refuse(f"{file} is read-only by the configuration: add --read-write to create it.")
        _create(file)
    if once:
        return _print_once(file, filter_text or "", sort_name, limit, as_json, label)
    _check_file(file)
    _need_terminal()
    from gigq_tui.terminal import show

    return show(
        file, python=interpreter, chdir=folder, read_only=only_look, config=config, label=label
    )


def _configured(file: Path | None, theme: str | None, mouse: bool | None) -> Config:
    """What the file says, and what the command line says instead."""
    from gigq_tui.config.place import find
    from gigq_tui.config.reading import read_config

    path, named = find(file)
    config = read_config(path, must_exist=named)
    if theme is not None:
        config = replace(config, theme=theme)
    return config if mouse is None else replace(config, mouse=mouse)


def _print_config(config: Config, file: Path | None) -> int:
    from gigq_tui.config.place import find
    from gigq_tui.config.printing import config_text

    path, _ = find(file)
    return _print(config_text(config, path, path.exists()).rstrip("\n"))


def _check_usage(ctx: click.Context) -> None:
    """Options that contradict each other, or would be passed over in silence."""
    from click.core import ParameterSource

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE

    for name, option in (
        ("as_json", "--json"),
        ("filter_text", "--filter"),
        ("sort_name", "--sort"),
        ("limit", "--limit"),
    ):
        if given(name) and not ctx.params["once"]:
            raise click.UsageError(f"{option} goes with --once.")
    if given("demo_dir") and not ctx.params["demo"]:
        raise click.UsageError("--demo-dir goes with --demo.")
    if ctx.params["demo"]:
        for name, option in (
            ("file", "FILE"),
            ("create", "--create"),
            ("read_only", "--read-only or --read-write"),
            ("once", "--once"),
            ("print_config", "--print-config"),
            ("python", "--python"),
            ("chdir", "--chdir"),
        ):
            if given(name):
                raise click.UsageError(f"--demo makes a queue of its own: leave {option} out.")
    if ctx.params["create"] and ctx.params["read_only"]:
        raise click.UsageError("--create writes a file, and --read-only writes none: choose one.")


def _refuse(sentence: str) -> NoReturn:
    raise Refusal(sentence)


def _create(file: Path) -> None:
    from gigq_core.schema.attach import open_for_work

    if not file.exists() or (file.is_file() and file.stat().st_size == 0):
        open_for_work(file, create=True).close()


def _check_file(file: Path) -> None:
    """What can't be opened is told before the screen is taken."""
    from gigq_core.schema.opening import open_read_only

    open_read_only(file).close()


def _need_terminal() -> None:
    if os.environ.get("TERM") in ("dumb", "unknown"):
        _refuse(
            f"A terminal of the kind TERM={os.environ['TERM']} can't show a screen: use --once to "
            "print one snapshot instead."
        )
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        _refuse("The console needs a terminal: use --once to print one snapshot instead.")


def _print_once(
    file: Path,
    filter_text: str,
    sort_name: str | None,
    limit: int | None,
    as_json: bool,
    label: Label,
) -> int:
    from gigq_tui import headless
    from gigq_tui.store.filter import FilterError, parse
    from gigq_tui.store.sorting import NEWEST, SORT_NAMES, parse_sort

    try:
        wanted = parse(filter_text)
    except FilterError as problem:
        _refuse(f"--filter, at character {problem.position + 1}: {problem.message}")
    sort = NEWEST if sort_name is None else parse_sort(sort_name)
    if sort is None:
        _refuse(f"--sort: there is no order {sort_name!r}; there are {', '.join(SORT_NAMES)}.")
    rows = headless.DEFAULT_ROWS if limit is None else limit
    snapshot = headless.take(file, wanted, rows, sort)
    if as_json:
        answer = headless.as_json(snapshot, rows, label.text)
    else:
        import shutil

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        answer = headless.as_text(snapshot, rows, width, label.text)
    return _print(answer)


def _print(answer: str) -> int:
    data = answer.encode(sys.stdout.encoding or "utf-8", "replace") + b"\n"
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What stays in the buffer must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return 0


def _run_demo(folder: Path | None, config: Config) -> int:
    from gigq_tui.demo import prepare
    from gigq_tui.terminal import show

    session = prepare(folder)
    try:
        return show(
            session.db_path,
            python=session.python,
            chdir=session.chdir,
            config=config,
            demo=session,
        )
    finally:
        click.echo(f"The demo's files are in {session.folder}")
