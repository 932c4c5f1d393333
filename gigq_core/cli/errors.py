"""What ends a command without success: refusals in one sentence, and the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from gigq_core.errors import DatabaseError, DatabaseMissing, FilesLost, GigQError
from gigq_core.text import inert

EXIT_REFUSED = 1
EXIT_UNUSABLE = 2
# More than a fifth of a canary failed again.
EXIT_CANARY_FAILED = 3
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
