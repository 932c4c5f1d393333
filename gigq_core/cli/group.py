"""The group of commands: what each of them takes and how each of them ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from gigq_core.cli.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    Trouble,
)
from gigq_core.cli.options import TypedText
from gigq_core.cli.settings import Settings
from gigq_core.writing.streams import describe_os_error, give_up_output, put_inert, settle_output

_TYPED_TEXT = TypedText()
# What GigQ calls a command, and what it is called here.
ALIASES = {"requeue": "retry"}


def _db_after_the_command() -> click.Option:
    def name(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.obj = Settings(value)

    return click.Option(
        ["--db"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The queue file; overrides a --db before the command.",
        callback=name,
        expose_value=False,
        is_eager=True,
    )


class Group(click.Group):
    """Commands that belong together: `gigq-core hook add`, `hook list`, ..."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; its words, but for those of a type of their own, are `TypedText`.

        It takes --db too, which comes over the one before it.
        """
        for param in cmd.params:
            if param.type is click.STRING:
                param.type = _TYPED_TEXT
        cmd.params.append(_db_after_the_command())
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order they were added: by use, not by alphabet."""
        return list(self.commands)


class Commands(Group):
    """The group of all commands; it ends every run with one of the documented exit codes."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._sections: dict[str, list[str]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Add commands that the help shows together, under a title."""
        for command in commands:
            self.add_command(command)
        self._sections[title] = [command.name or "" for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the commands by what they are about, in the order in which they were added."""
        widest = max(map(len, self.commands))
        room = formatter.width - 6 - widest
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(widest), self.commands[name].get_short_help_str(room))
                        for name in names
                    ]
                )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or of the name that GigQ gives it."""
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has gone away, as `head` does, ends it quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            give_up_output()
            sys.exit(EXIT_BROKEN_PIPE)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end the process; without `standalone_mode`, let the caller see the errors."""
        settle_output()
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            code: object = run()
        except click.ClickException as problem:
            put_inert(problem.show)
            sys.exit(problem.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            give_up_output()
            sys.exit(EXIT_BROKEN_PIPE)
        except OSError as problem:
            # As of a full disk that the output goes to.
            give_up_output()
            put_inert(Trouble(describe_os_error(problem)).show)
            sys.exit(EXIT_REFUSED)
        sys.exit(code if isinstance(code, int) else 0)
