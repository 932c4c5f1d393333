"""Which job the screen shows: read again with each picture of the file, and left for others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import NEXT_JOB, PREVIOUS_JOB
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.models import JobDetail, JobRow, Snapshot
from gigq_tui.store.questions import Questions


class JobList(Protocol):
    """The list that the job was opened from: its cursor goes along."""

    def take_rows(self, snapshot: Snapshot) -> None:
        """Show the rows of a new picture of the file."""

    def step_to_row(self, by: int) -> JobRow | None:
        """Move the cursor; return the job under it then."""


class ShownJobHost(Protocol):
    """What the shown job needs of its screen."""

    def job_chosen(self) -> None:
        """Another job is shown from now on, and nothing is known of it yet."""

    def job_read(self, *, first: bool) -> None:
        """Show what was read of the job; whether it is the first of it."""


class DetailReads(Protocol):
    """What answers for the screen."""

    def ask(
        self,
        read: Callable[[Questions], JobDetail | None],
        got: Callable[[JobDetail | None], None],
        failed: Callable[[str], None],
    ) -> None:
        """Have the reader thread find something out."""


class ShownJob(Part):
    """The job, what was last read of it, and the way that was walked to it.

    Args:
        job_id: The job to begin with.
        reads: Who is asked.
        notices: Where it is said what went wrong.
        host: The screen.
        job_list: The list that it was opened from.
    """

    def __init__(
        self,
        job_id: str,
        reads: DetailReads,
        notices: Tells,
        host: ShownJobHost,
        job_list: JobList | None = None,
    ) -> None:
        self.id = job_id
        self.detail: JobDetail | None = None
        self.is_gone = False
        self._reads = reads
        self._notices = notices
        self._host = host
        self._job_list = job_list
        self._trail: list[str] = []

    @property
    def row(self) -> JobRow | None:
        """The job as a row, once it has been read."""
        return self.detail.row if self.detail is not None else None

    def awaits(self, action: Action) -> bool:
        return self.detail is None and not self.is_gone and is_about_rows(action)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Read it again, as there is a new picture of the file; the list gets its rows."""
        if self._job_list is not None:
            self._job_list.take_rows(snapshot)
        self.read()

    def read(self) -> None:
        """Ask for all that is known of the job."""
        job_id = self.id
        self._reads.ask(
            lambda r: r.detail(job_id),
            partial(self._receive, job_id),
            partial(self._fail, job_id),
        )

    def _receive(self, job_id: str, detail: JobDetail | None) -> None:
        if job_id != self.id:
            return
        if detail is None:
            self.is_gone = True
            self._host.job_read(first=False)
        else:
            # The same job read again is the same object, so that nothing is built anew for it.
            first = self.detail is None
            self.detail = self.detail if self.detail == detail else detail
            self.is_gone = False
            self._host.job_read(first=first)

    def _fail(self, job_id: str, why: str) -> None:
        if job_id == self.id:
            self._notices.tell(why, "warn")

    # Other jobs

    def show(self, job_id: str) -> None:
        """Show another job."""
        self.id = job_id
        self.detail = None
        self.is_gone = False
        self._host.job_chosen()
        self.read()

    def open(self, job_id: str) -> None:
        """Show another job, from which one comes back to this one."""
        self._trail.append(self.id)
        self.show(job_id)

    def go_back(self) -> bool:
        """Show the job that this one was opened from; false where there is none."""
        if not self._trail:
            return False
        self.show(self._trail.pop())
        return True

    @does(NEXT_JOB)
    def show_next(self) -> None:
        """Show the job below in the list."""
        self._step(1)

    @does(PREVIOUS_JOB)
    def show_previous(self) -> None:
        """Show the job above in the list."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if self._job_list is None:
            return
        row = self._job_list.step_to_row(by)
        if row is not None and row.id != self.id:
            self._trail.clear()
            self.show(row.id)
        else:
            self._notices.tell("End of the list.")
