"""Whether a new worker could run what waits, asked before it spends the jobs' attempts."""

from __future__ import annotations

from pathlib import Path

from gigq_core.errors import DatabaseError, GigQError
from gigq_tui.actions.functions.inspection import NotUsable, inspect_function
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.store.held_jobs import waiting_functions


class Preflight:
    """Looks for the functions of some jobs that wait, where a worker would run them.

    One that is found is enough, and then it is not looked again. An environment of its own may
    change what is found, and is not looked into, nor is what lies elsewhere; nor does a file that
    can't be read now stand against a worker.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._trusted: set[WorkerSetup] = set()

    def trust(self, setup: WorkerSetup) -> None:
        """Take for good what a person chose."""
        self._trusted.add(setup)

    def look(self, setup: WorkerSetup, key: str) -> None:
        """Look, which may take seconds.

        Args:
            setup: How workers are to be started.
            key: The key with which another setup is chosen.

        Raises:
            GigQError: None of the functions can be used there.
        """
        if setup in self._trusted or setup.environment or setup.via:
            return
        trouble: NotUsable | None = None
        for function in _waiting_functions(self._path):
            try:
                inspect_function(function, setup.python, setup.chdir)
            except NotUsable as problem:
                trouble = trouble or problem
            except GigQError:
                # It is not known to be missing: an import that takes long, say.
                return
            else:
                self.trust(setup)
                return
        if trouble is not None:
            # What to do stands first: the line may be cut.
            raise GigQError(f"Not started, {key} sets up workers: {trouble.why} in {setup.chdir}.")


def _waiting_functions(path: Path) -> list[str]:
    try:
        return waiting_functions(path)
    except DatabaseError:
        return []
