"""Attempts of GigQ's own worker that begin and end when a test says so."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gigq

WAIT_S = 20.0

_here = threading.local()


def held(**_given: Any) -> str:
    """The job: wait for the test's word."""
    attempt: GigQAttempt = _here.attempt
    attempt.job_id = attempt._worker.current_job_id
    attempt._begun.set()
    assert attempt._go.wait(WAIT_S)
    if attempt._failure is not None:
        raise ValueError(attempt._failure)
    return attempt.worker_id


class GigQAttempt:
    """One `process_one()` of the public package, in a thread of its own.

    Attributes:
        job_id: what it claimed; None if there was nothing for it.
    """

    def __init__(self, db: Path, worker_id: str) -> None:
        self.worker_id = worker_id
        self.job_id: str | None = None
        self.error: BaseException | None = None
        self._db = str(db)
        self._begun = threading.Event()
        self._go = threading.Event()
        self._failure: str | None = None
        self._worker = gigq.Worker(self._db, worker_id=worker_id)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._begun.wait(WAIT_S)

    def _run(self) -> None:
        _here.attempt = self
        try:
            self._worker.process_one()
        except BaseException as problem:
            self.error = problem
        finally:
            self._begun.set()
            gigq.close_connections()

    def end(self, failure: str | None = None) -> None:
        """Let the function return, or raise ValueError(failure), and GigQ write what came of it."""
        self._failure = failure
        self._go.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
