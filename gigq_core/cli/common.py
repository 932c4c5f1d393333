"""What the commands share: the file, refusals, exit codes, ids by their beginning."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from gigq_core.errors import DatabaseError, DatabaseMissing, FilesLost, GigQError
from gigq_core.sizes import bytes_in
from gigq_core.streams import give_up_output, put_inert, settle_output, told_of
from gigq_core.text import inert, storable, typed_text

if TYPE_CHECKING:
    from gigq_core.cli.reading import Reading
    from gigq_core.queue import JobQueue

EXIT_REFUSED = 1
EXIT_UNUSABLE = 2
EXIT_BROKEN_PIPE = 141
EXIT_INTERRUPTED = 130


class Trouble(click.ClickException):
    """The request was refused: one sentence on stderr."""

    exit_code = EXIT_REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        print(f"Error: {inert(self.message)}", file=file or sys.stderr)


class Unusable(Trouble):
    """The file can't be used: one sentence on stderr."""

    exit_code = EXIT_UNUSABLE


@dataclass
class Settings:
    """What was said before the subcommand."""

    db: Path

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The file, opened for looking only.

        Raises:
            Trouble: it can't be opened.
        """
        from gigq_core.cli.output import warn
        from gigq_core.cli.reading import Reading

        with sentences(self.db):
            reading = Reading(self.db)
            if reading.is_still:
                warn(f"{self.db} may not be written, and nobody has it open: read as it stands.")
            try:
                yield reading
            finally:
                reading.close()

    @contextmanager
    def acting(self, *, create: bool = False) -> Iterator[JobQueue]:
        """The queue, opened for changes; it must exist unless `create` is given.

        A file that is made is named on stderr: the default one lies wherever this was started.

        Raises:
            Trouble: it can't be opened, or the act was refused.
        """
        from gigq_core.queue import JobQueue

        with sentences(self.db):
            new = create and is_new(self.db)
            queue = JobQueue(self.db, initialize=create)
            if new:
                print(f"Made the queue's file {inert(self.db.absolute())}.", file=sys.stderr)
            try:
                yield queue
            finally:
                queue.close()


def is_new(file: Path) -> bool:
    """Whether a queue that is opened there to be made would be a new one."""
    try:
        return file.stat().st_size == 0
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


@contextmanager
def sentences(db: Path) -> Iterator[None]:
    """Turn the errors that a person can do something about into one sentence and an exit code."""
    import sqlite3

    try:
        yield
    except DatabaseMissing as problem:
        if db.is_symlink():
            raise Unusable(str(problem)) from None
        raise Unusable(
            f"There is no file {db}: name the queue's file with --db or GIGQ_DB, or submit a "
            "job to create it."
        ) from None
    except FilesLost as problem:
        # The path is right, and starting anew will do.
        raise Trouble(str(problem)) from None
    except DatabaseError as problem:
        raise Unusable(str(problem)) from None
    except GigQError as problem:
        raise Trouble(str(problem)) from None
    except sqlite3.Error as problem:
        from gigq_core.schema.opening import explain

        raise Unusable(str(explain(problem, db))) from None


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


_TYPED_TEXT = TypedText()


def _db_after_the_command() -> click.Option:
    def name(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.obj = Settings(value)

    return click.Option(
        ["--db"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The queue's file; comes over a --db before the command.",
        callback=name,
        expose_value=False,
        is_eager=True,
    )


class Commands(click.Group):
    """The group of all commands; it ends every run with one of the documented exit codes."""

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
            put_inert(Trouble(told_of(problem)).show)
            sys.exit(EXIT_REFUSED)
        sys.exit(code if isinstance(code, int) else 0)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for scripts instead of text for people."
)


def byte_count(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A size in bytes: `500K`, `10M`, `1.5G`, or a plain number."""
    if value is None:
        return None
    try:
        return bytes_in(value)
    except ValueError as problem:
        raise click.BadParameter(f"{problem}.", ctx, param) from None
