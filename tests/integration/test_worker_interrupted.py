"""Ctrl+C in the midst of `process_one`, wherever that is: no job is lost, none stays running."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import Any, Literal

import psutil
import pytest

import gigq_core.worker
from gigq_core import Job, Worker
from gigq_core.job import FunctionReference
from gigq_core.schema import transaction
from tests.integration.conftest import ROOT, Place

FOLDER = os.path.dirname(gigq_core.worker.__file__)
# How many of the lines that are run through are tried, where not all are.
POINTS = 24

Isolation = Literal["thread", "process"]


class Interrupting:
    """Raises `KeyboardInterrupt` before the line that is run as the `at`-th."""

    def __init__(self, at: float) -> None:
        self.seen = 0
        self._at = at

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        ours = os.path.dirname(name) == FOLDER or name == transaction.__file__
        return self.line if ours else None

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.seen += 1
            if self.seen == self._at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.line

    @contextmanager
    def during(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            yield
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)


def end_children_of(place: Place) -> None:
    """One that was started at that very moment would end with this process."""
    for process in psutil.Process().children():
        # One of another test may have ended, and waits to be taken notice of.
        with suppress(psutil.NoSuchProcess):
            if any(str(place.folder) in word for word in process.cmdline()):
                process.kill()
                process.wait()


def interrupted(place: Place, isolation: Isolation, at: float) -> int:
    """One job, with an interruption in it; gives how many lines were run through."""
    job_id = place.queue.submit(Job("job", FunctionReference("os", "getpid"), max_attempts=1))
    chdir = ROOT if isolation == "process" else None
    with closing(Worker(place.db, isolation=isolation, chdir=chdir, grace_s=0.2)) as worker:
        interrupting = Interrupting(at)
        with interrupting.during():
            worker.process_one()
        while worker.process_one():
            pass
        assert place.job(job_id)["status"] == "completed", f"at line {at}"
        assert place.job(job_id)["attempts"] == 1
        assert place.live_workers() == set()
    end_children_of(place)
    return interrupting.seen


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_job_that_is_interrupted_anywhere_is_run(place: Place, isolation: Isolation) -> None:
    lines = interrupted(place, isolation, at=float("inf"))
    for point in range(POINTS):
        interrupted(place, isolation, at=1 + lines * point // POINTS)


@pytest.mark.long
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_job_that_is_interrupted_at_any_line_is_run(place: Place, isolation: Isolation) -> None:
    lines = interrupted(place, isolation, at=float("inf"))
    for at in range(1, lines + 1):
        interrupted(place, isolation, at)
