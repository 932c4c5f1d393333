"""What was said before the command: the queue's file, opened to look at it or to change it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigq_core.cli.errors import sentences
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.cli.queue_view import QueueView
    from gigq_core.queue import JobQueue


@dataclass
class Settings:
    """What was said before the subcommand."""

    db: Path

    @contextmanager
    def viewing(self) -> Iterator[QueueView]:
        """The file, opened for looking only.

        Raises:
            Trouble: it can't be opened.
        """
        from gigq_core.cli.output import warn
        from gigq_core.cli.queue_view import QueueView

        with sentences(self.db):
            view = QueueView(self.db)
            if view.is_still:
                warn(f"{self.db} is read-only here and not in use: read as it is.")
            try:
                yield view
            finally:
                view.close()

    @contextmanager
    def changing(self, *, create: bool = False) -> Iterator[JobQueue]:
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
                print(f"Created the queue file {inert(self.db.absolute())}.", file=sys.stderr)
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
