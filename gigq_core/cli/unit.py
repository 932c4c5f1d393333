"""`gigq-core unit`: a worker as a service of systemd, as the text of a unit file."""

from __future__ import annotations

import getpass
import math
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gigq_core.cli.errors import Trouble
from gigq_core.cli.output import say
from gigq_core.cli.settings import Settings
from gigq_core.cli.worker import worker
from gigq_core.job import DEFAULT_TIMEOUT_S
from gigq_core.rows.decoding import as_timeout_s
from gigq_core.text import inert

# Seconds that a stop takes beyond the jobs and their grace: what ended is written.
BEYOND_S = 10
WATCHDOG_S = 300

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_NAME = re.compile(r"[A-Za-z0-9:_.@-]{1,200}")
_NOT_HERE = {"once", "as_json", "owner", "lifeline", "check", "functions"}
_PATHS = {"log_file", "python"}

# The worker's own; those that a service has no use for, and those of all commands, are not here.
_OPTIONS = [param for param in worker.params if param.name not in _NOT_HERE]


@click.command(params=list(_OPTIONS))
@click.option("--name", default="gigq-worker", show_default=True, help="Name of the unit.")
@click.option("--user", is_flag=True, help="A user unit instead of a system unit.")
@click.pass_context
def unit(ctx: click.Context, /, name: str, user: bool, **options: Any) -> None:
    """Print a unit file for systemd that runs this worker.

    Takes the options of `worker`, and a file that exists. Nothing is installed: the first lines say
    where the text goes.

    When the service is stopped, its jobs have --stop-within seconds to end; without it, as long as
    the longest timeout among those that wait or run now, or that schedules and hooks will submit,
    and 300 seconds at least.

    \b
      gigq-core --db jobs.db unit --concurrency 4 > gigq-worker.service
    """
    settings: Settings = ctx.obj
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            "use letters, digits and : - _ . @ only.", ctx, param_hint="--name"
        )
    db = settings.db.absolute()
    folder = Path(os.path.abspath(options["chdir"] or Path.cwd()))
    words = [*_command(), "--db", str(db), "worker", *_words(ctx, options)]
    # Of itself it ends with its last job; of those that are to be given back, with their grace.
    longest = _longest_timeout(settings)
    limit = longest if options["stop_within"] is None else options["stop_within"]
    limit += options["grace"] + BEYOND_S
    lines = [
        *_head(name, user),
        "[Unit]",
        f"Description=gigq-core worker on {inert(db.name).replace('%', '%%')}.",
        f"RequiresMountsFor={_word(str(db.parent))} {_word(str(folder))}",
        "",
        "[Service]",
        "# It reports when it is ready, and that it is alive.",
        "Type=notify",
        f"WatchdogSec={WATCHDOG_S}",
        f"ExecStart={' '.join(_exec_words(words))}",
    ]
    if options["log_file"] is not None:
        lines += ["# Reopens its log.", "ExecReload=/bin/kill -HUP $MAINPID"]
    lines += [f"WorkingDirectory={_value(str(folder))}"]
    if not user and os.geteuid() != 0:
        lines += [f"User={_value(getpass.getuser())}"]
    lines += [
        "# Only the worker gets the signal: it drains, and ends its jobs itself.",
        "KillMode=mixed",
        f"TimeoutStopSec={math.ceil(limit)}",
        "# A job that runs out of memory ends alone.",
        "OOMPolicy=continue",
        "Restart=on-failure",
        "RestartSec=5",
        "# After a second signal it ends with 128 plus the signal's number.",
        "SuccessExitStatus=129 130 131 143",
        "",
        "[Install]",
        f"WantedBy={'default' if user else 'multi-user'}.target",
    ]
    say("\n".join(lines))


def _head(name: str, user: bool) -> list[str]:
    folder = "~/.config/systemd/user" if user else "/etc/systemd/system"
    systemctl = "systemctl --user" if user else "systemctl"
    return [
        f"# {folder}/{name}.service; then:",
        f"#   {systemctl} daemon-reload && {systemctl} enable --now {name}",
        "",
    ]


def _command() -> list[str]:
    """What runs `gigq-core`, whatever lies in the folder that it is started in."""
    from gigq_core.cli import own_command

    script = Path(sys.executable).with_name("gigq-core")
    return [sys.executable, str(script)] if script.exists() else own_command()


def _words(ctx: click.Context, options: dict[str, Any]) -> list[str]:
    """The options as they were given, paths made absolute; the folder is the service's own."""
    words: list[str] = []
    for param in _OPTIONS:
        name = param.name or ""
        if name == "chdir" or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = options[name]
        if param.multiple:
            words += [word for each in value for word in (max(param.opts, key=len), each)]
            continue
        if name == "python":
            value = shutil.which(value) or Path(value).expanduser()
        if name in _PATHS:
            value = os.path.abspath(value)
        if isinstance(value, tuple):
            value = ",".join(value)
        words += [max(param.opts, key=len), str(value)]
    return words


def _longest_timeout(settings: Settings) -> float:
    """The longest timeout of the jobs that wait or run, or that schedules and hooks will submit, in
    seconds.

    Raises:
        Unusable: there is no file; a worker on it would only end and be started again.
    """
    from gigq_core.hooks.rules import read_hooks
    from gigq_core.schedules.rules import read_schedules

    with settings.viewing() as view:
        kept = [one.options for one in view.ask(read_schedules)]
        kept += [one.options for one in view.ask(read_hooks)]
        later = (as_timeout_s(options.get("timeout")) for options in kept)
        return max(DEFAULT_TIMEOUT_S, view.longest_timeout(), *later)


def _exec_words(words: list[str]) -> list[str]:
    """Words of a command line as systemd reads it: no variables, no specifiers.

    In the program's own path a dollar sign stands for itself, and elsewhere for a variable.
    """
    if "$" in words[0]:
        words = ["/usr/bin/env", *words]
    return [_word(words[0]), *(_word(word).replace("$", "$$") for word in words[1:])]


def _word(text: str) -> str:
    """One word, quoted where it has to be."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == "%":
        return "%%"
    if char < " " or char == "\x7f":
        return f"\\x{ord(char):02x}"
    if "\udc80" <= char <= "\udcff":
        # A byte of a file name that is not UTF-8.
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char


def _value(text: str) -> str:
    """A value that goes to the end of its line, where nothing is quoted."""
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in text) or text != text.strip():
        raise Trouble(
            f"A unit file can't hold the name {text!r}: rename it, or put a link to it elsewhere."
        )
    # A backslash at the end would take in the next line.
    if text.endswith("\\"):
        raise Trouble(f"A unit file can't hold the name {text!r}: it ends with a backslash.")
    return text.replace("%", "%%")
