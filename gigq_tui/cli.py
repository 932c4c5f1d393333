"""The `gigq-tui` command: what was asked for, whether it can be, and only then the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from gigq_core.errors import GigQError
from gigq_core.text import inert, typed_text
from gigq_core.writing.streams import (
    describe_os_error,
    give_up_output,
    put,
    put_inert,
    settle_output,
)
from gigq_tui.config.model import THEMES, Config, Label
from gigq_tui.viewpoint import Viewpoint

if TYPE_CHECKING:
    from gigq_tui.once.scripted import Order
    from gigq_tui.store.filter.language import Filter

T = TypeVar("T")

SHELLS = ("bash", "zsh", "fish")

EXIT_UNUSABLE = 2
EXIT_BROKEN_PIPE = 141

_HELP = """A terminal console for the job queue in FILE (or in $GIGQ_DB).

Looking changes nothing in the file. The first action on GigQ's own file (starting a worker,
submitting, cancelling or retrying a job) adds this package's tables to it, and the console says so
before.

\b
Exit codes:
  0    done; with --wait, no job that matches waits or runs any more
  1    the screen failed
  2    wrong usage, or a file that can't be used (any more)
  3    a job matches --fail-if; stderr says which
  4    --wait-timeout passed, and no job matches --fail-if
  5    fewer jobs match --filter than --expect says, and no job matches --fail-if
  129  the terminal was closed
  130  interrupted from the keyboard
  141  whoever read the output went away
  143  told to end (SIGTERM)
"""


def _tabs(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """What a shell offers behind `--tab`."""
    from gigq_tui.viewpoint import TAB_WORDS

    return [word for word in TAB_WORDS if word.startswith(typed)]


def _screens(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """What a shell offers behind `--open`."""
    from gigq_tui.viewpoint import SCREEN_WORDS

    return [word for word in SCREEN_WORDS if word.startswith(typed)]


def _sort_keys(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """What a shell offers behind `--sort`."""
    from gigq_tui.store.sorting import SortKey

    keys = [key.value for key in SortKey]
    return [key for key in (*keys, *(f"-{key}" for key in keys)) if key.startswith(typed)]


def _print_completion(ctx: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    """Do what `--completion` asks for, before anything else that was asked for."""
    if shell is not None:
        from gigq_core.cli.completion import script_for

        ctx.exit(_print(script_for(shell, ctx.command, "gigq-tui").rstrip("\n")))


class Refusal(click.ClickException):
    """One sentence on stderr, exit code 2."""

    exit_code = EXIT_UNUSABLE

    def show(self, file: IO[Any] | None = None) -> None:
        print(f"gigq-tui: {inert(self.message)}", file=file or sys.stderr)


@click.command(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", required=False, envvar="GIGQ_DB", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Create a queue with real work in it, and watch it.")
@click.option(
    "--demo-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where --demo works.  [default: a new temporary folder]",
)
@click.option("--create", is_flag=True, help="Create a new queue if there is no FILE.")
@click.option(
    "--read-only/--read-write",
    default=None,
    help="Only look; keys that change the queue are off.",
)
@click.option("--once", is_flag=True, help="Print one snapshot, then end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: JSON for scripts.")
@click.option("--filter", "filter_text", metavar="TEXT", help="Only jobs that match.")
@click.option(
    "--tab",
    metavar="TAB",
    shell_complete=_tabs,
    help="Only jobs of one tab: all, waiting, running, failed, timeout, done or cancelled.",
)
@click.option(
    "--sort",
    "sort_text",
    metavar="KEY",
    shell_complete=_sort_keys,
    help="The jobs' order: submitted (newest first), claim, pri, name, att, age, dur, "
    "started, ended, state, fn, batch or host; -KEY reverses it.",
)
@click.option(
    "--open",
    "open_text",
    metavar="SCREEN",
    shell_complete=_screens,
    help="The screen to open over the list: job:ID, tree:ID, timeline:ID, levels:ID, runs:ID, "
    "workers, overview[:PERIOD], groups[:BY], count[:KEY,KEY], lanes or schedules.",
)
@click.option(
    "--columns",
    "columns_text",
    metavar="NAMES",
    help="The list's columns, with commas between: id,name,param.customer,result.rows, ...",
)
@click.option(
    "--view",
    "view_name",
    metavar="NAME",
    help="A saved view; --filter, --tab, --sort and --open override parts of it.",
)
@click.option(
    "--last-view/--no-last-view",
    default=None,
    help="Start with the view that this file was left in, if you ask for no other, and remember it "
    "at the end.  [default: last view]",
)
@click.option(
    "--wait",
    is_flag=True,
    help="With --once: first wait until no job that matches --filter waits or runs any more. "
    "Jobs that can never run are not waited for.",
)
@click.option(
    "--wait-timeout", metavar="TIME", help="With --wait: give up after 90s, 5m, 1h30m, ..."
)
@click.option(
    "--fail-if",
    metavar="TEXT",
    help="With --once: exit with 3 if a job matches both --filter and this.",
)
@click.option(
    "--expect",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --once: exit with 5 if fewer than N jobs match --filter.  [default: 1 with "
    "--fail-if, so that a mistyped filter does not pass for success; else 0]",
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
    help="Colours.  [default: auto, what the terminal supports]",
)
@click.option(
    "--mouse/--no-mouse",
    default=None,
    help="Use the mouse for the console, or for selecting text.  [default: console]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keys, colours, columns, labels; --print-config says where this file is looked for.",
)
@click.option("--print-config", is_flag=True, help="Print the configuration as a file, and end.")
@click.option(
    "--completion",
    type=click.Choice(SHELLS),
    is_eager=True,
    expose_value=False,
    callback=_print_completion,
    help="Print the script for completion in this shell, and end.",
)
@click.version_option(package_name="gigq-tui", prog_name="gigq-tui")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    try:
        ctx.exit(_run(ctx, **options))
    except GigQError as problem:
        raise Refusal(str(problem)) from None


def main() -> None:
    """Run the command, and end the process with its exit code."""
    settle_output()
    try:
        sys.exit(cli.main(prog_name="gigq-tui", standalone_mode=False))
    except click.ClickException as problem:
        put_inert(problem.show)
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        give_up_output()
        sys.exit(EXIT_BROKEN_PIPE)
    except OSError as problem:
        # As of a full disk that the output goes to.
        give_up_output()
        put_inert(Refusal(describe_os_error(problem)).show)
        sys.exit(EXIT_UNUSABLE)


def _run(
    ctx: click.Context,
    *,
    file: Path | None,
    demo: bool,
    demo_dir: Path | None,
    create: bool,
    read_only: bool,
    once: bool,
    python: str | None,
    chdir: Path | None,
    theme: str | None,
    mouse: bool | None,
    config_file: Path | None,
    print_config: bool,
    filter_text: str | None,
    tab: str | None,
    sort_text: str | None,
    columns_text: str | None,
    open_text: str | None,
    view_name: str | None,
    last_view: bool | None,
    **for_once: Any,
) -> int:
    _check_usage(ctx)
    config, found_at = _configured(config_file, theme=theme, mouse=mouse, last_view=last_view)
    if print_config:
        return _print_config(config, found_at)
    if demo:
        _need_terminal()
        return _run_demo(demo_dir, config, found_at)
    if file is None:
        _refuse("Name the queue's file, gigq-tui FILE, or set GIGQ_DB; or look at --demo.")
    from gigq_tui.actions.functions.inspection import check_folder, check_python
    from gigq_tui.config.label import label_of

    settings = config.database(file)
    interpreter = check_python(python or os.path.expanduser(settings.python) or sys.executable)
    folder = check_folder(chdir or Path(settings.chdir))
    only_look = settings.read_only if read_only is None else read_only
    label = label_of(settings)
    asked = _viewpoint(
        config,
        view_name,
        tab=tab,
        filter=filter_text,
        sort=sort_text,
        open=open_text,
        columns=columns_text,
    )
    order = _order(file, label, asked or Viewpoint(), **for_once) if once else None
    if create:
        if only_look:
            _refuse(f"{file} is read-only by the configuration: add --read-write to create it.")
        _create(file)
    if order is not None:
        return _run_once(order)
    _check_file(file)
    _need_terminal()
    from gigq_tui.config.last_view import recall
    from gigq_tui.run import show

    last = recall(file) if asked is None and config.last_view else None
    return show(
        file,
        python=interpreter,
        chdir=folder,
        read_only=only_look,
        config=config,
        label=label,
        start=asked or last,
        resumed=last is not None,
        config_file=found_at,
    )


def _configured(file: Path | None, **instead: Any) -> tuple[Config, Path]:
    """What the file says, or the command line instead of it, and which file that is."""
    from gigq_tui.config.load import read_config
    from gigq_tui.config.place import find

    path, named = find(file)
    config = read_config(path, must_exist=named)
    said = {name: value for name, value in instead.items() if value is not None}
    return replace(config, **said), path


def _print_config(config: Config, path: Path) -> int:
    from gigq_tui.config.printing import config_text

    return _print(config_text(config, path, path.exists()).rstrip("\n"))


def _check_usage(ctx: click.Context) -> None:
    """Options that contradict each other, or would be passed over in silence."""
    from click.core import ParameterSource

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE

    for name, option in (
        ("as_json", "--json"),
        ("limit", "--limit"),
        ("wait", "--wait"),
        ("fail_if", "--fail-if"),
        ("expect", "--expect"),
    ):
        if given(name) and not ctx.params["once"]:
            raise click.UsageError(f"{option} needs --once.")
    if given("open_text") and ctx.params["once"]:
        raise click.UsageError("--open opens a screen, and --once shows none: leave one out.")
    if given("wait_timeout") and not ctx.params["wait"]:
        raise click.UsageError("--wait-timeout needs --wait.")
    if given("demo_dir") and not ctx.params["demo"]:
        raise click.UsageError("--demo-dir needs --demo.")
    if ctx.params["demo"]:
        for name, option in (
            ("file", "FILE"),
            ("create", "--create"),
            ("read_only", "--read-only or --read-write"),
            ("once", "--once"),
            ("print_config", "--print-config"),
            ("filter_text", "--filter"),
            ("tab", "--tab"),
            ("sort_text", "--sort"),
            ("columns_text", "--columns"),
            ("open_text", "--open"),
            ("view_name", "--view"),
            ("last_view", "--last-view or --no-last-view"),
            ("python", "--python"),
            ("chdir", "--chdir"),
        ):
            if given(name):
                raise click.UsageError(f"--demo creates its own queue: leave {option} out.")
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
    # What is told on stderr may go to a file.
    streams = (sys.__stdin__, sys.__stdout__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        _refuse("The console needs a terminal: use --once to print one snapshot instead.")
    from gigq_tui.leaving import end_on_signals_until_shown

    end_on_signals_until_shown()


def _viewpoint(config: Config, name: str | None, **parts: str | None) -> Viewpoint | None:
    """What the command line says of what is looked at; None where it says nothing."""
    from gigq_tui.viewpoint import ViewError, viewpoint_of

    said = {part: typed_text(text) for part, text in parts.items() if text is not None}
    if name is None:
        base: dict[str, Any] = {}
    elif (view := config.view(typed_text(name))) is not None:
        base = view.words
    else:
        known = ", ".join(each.name for each in config.views)
        hint = f"choose from {known}" if known else "none is in the configuration"
        _refuse(f"--view: there is no view {name!r}: {hint}.")
    if name is None and not said:
        return None
    try:
        if "columns" in said:
            return viewpoint_of(**{**base, **said, "columns": _columns(said["columns"])})
        return viewpoint_of(**{**base, **said})
    except ViewError as problem:
        _refuse(f"--{problem}.")


def _columns(text: str) -> tuple[str, ...]:
    from gigq_tui.config.load import columns_of
    from gigq_tui.config.problem import Problem

    try:
        return columns_of(text)
    except Problem as problem:
        _refuse(f"--columns: {problem.said}")


def _order(
    file: Path,
    label: Label,
    start: Viewpoint,
    *,
    as_json: bool,
    limit: int | None,
    wait: bool,
    wait_timeout: str | None,
    fail_if: str | None,
    expect: int | None,
) -> Order:
    import shutil

    from gigq_tui.once import picture
    from gigq_tui.once.scripted import Order
    from gigq_tui.store.durations import seconds_of
    from gigq_tui.store.sorting import NEWEST

    return Order(
        file,
        filter=start.matching,
        limit=picture.DEFAULT_ROWS if limit is None else limit,
        as_json=as_json,
        label=label.text,
        width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None,
        sort=start.sort or NEWEST,
        fail_if=None if fail_if is None else _filter("--fail-if", typed_text(fail_if)),
        wait=wait,
        timeout_s=(
            None if wait_timeout is None else _read("--wait-timeout", seconds_of, wait_timeout)
        ),
        expect=expect,
        columns=tuple(column.partition(":")[0] for column in start.columns),
    )


def _run_once(order: Order) -> int:
    from gigq_tui.once import scripted

    try:
        answer, code = scripted.run(order, _say)
    except BrokenPipeError:
        return _nobody_reads()
    return _print(answer) or code


def _filter(option: str, text: str) -> Filter:
    from gigq_tui.store.filter.language import FilterError, parse

    try:
        return parse(text)
    except FilterError as problem:
        _refuse(f"{option}, at character {problem.position + 1}: {problem.message}")


def _read(option: str, reading: Callable[[str], T], text: str) -> T:
    try:
        return reading(text)
    except ValueError as problem:
        _refuse(f"{option}: {problem}.")


def _say(sentence: str) -> None:
    """Tell something besides the answer; a script that closed stderr doesn't want to know."""
    try:
        put(f"gigq-tui: {inert(sentence)}\n", err=True)
    except OSError:
        pass


def _print(answer: str) -> int:
    try:
        put(answer + "\n")
    except BrokenPipeError:
        return _nobody_reads()
    return 0


def _nobody_reads() -> int:
    give_up_output()
    return EXIT_BROKEN_PIPE


def _run_demo(folder: Path | None, config: Config, config_file: Path) -> int:
    from gigq_tui.demo import prepare
    from gigq_tui.run import show

    session = prepare(folder)
    try:
        return show(
            session.db_path,
            python=session.python,
            chdir=session.chdir,
            config=config,
            config_file=config_file,
            demo=session,
        )
    finally:
        with suppress(OSError):
            put(f"The demo's files are in {inert(session.folder)}\n")
