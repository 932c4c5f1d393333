"""Opening the panel that starts workers or drains them, and doing what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gigq_tui.actions.workers.pool import SpawnedWorker
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import SET_WORKERS
from gigq_tui.screens.parts.panel_part import LaysOver, PanelPart
from gigq_tui.screens.workers.setup_panel import ConsoleWorkers, SetupPanel
from gigq_tui.store.models import Snapshot


class Pool(Protocol):
    """The workers of this console."""

    @property
    def setup(self) -> WorkerSetup:
        """How the last ones were started."""

    def staying(self) -> Sequence[SpawnedWorker]:
        """Those that are not ending, the oldest first."""


class StartsWorkers(Protocol):
    """What the part needs of the service that controls workers."""

    @property
    def pool(self) -> Pool: ...

    def start(self, count: int, setup: WorkerSetup) -> None: ...

    def drain(self, count: int, *, busy_too: bool) -> None: ...


class NewestPicture(Protocol):
    """What the part needs of the picture of the file."""

    @property
    def newest(self) -> Snapshot | None: ...


class WorkerCount(PanelPart[SetupPanel]):
    """Sets how many workers this console has, and with what new ones are started.

    Args:
        host: The screen.
        path: The queue file, for the command that does the same.
        workers: What starts and stops them.
        picture: What tells which of them are busy.
    """

    def __init__(
        self, host: LaysOver, path: Path, workers: StartsWorkers, picture: NewestPicture
    ) -> None:
        super().__init__(host)
        self._path = path
        self._workers = workers
        self._picture = picture

    @property
    def expects(self) -> bool:
        panel = self.panel
        return panel is not None and panel.is_examining

    @does(SET_WORKERS)
    def do_set_workers(self) -> None:
        """Ask how many workers to start, and with what; or how many to drain."""
        setup = self._workers.pool.setup
        self.open(lambda: SetupPanel(self._path, setup, self.present_workers, self._apply))

    def present_workers(self) -> ConsoleWorkers:
        """Return the workers of this console that stay, the youngest first."""
        young = [worker.worker_id for worker in reversed(self._workers.pool.staying())]
        newest = self._picture.newest
        busy = {worker.id for worker in newest.workers if worker.running} if newest else set()
        return ConsoleWorkers(
            tuple(name for name in young if name not in busy),
            tuple(name for name in young if name in busy),
        )

    def _apply(self, change: int, setup: WorkerSetup | None) -> None:
        if change < 0:
            self._workers.drain(-change, busy_too=True)
        elif setup is not None:
            self._workers.start(change, setup)
