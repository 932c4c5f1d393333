"""A writer of queue files that knows attempts, and a look at the whole past of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from gigq_tui.store.history.account import Account, WindowWork
from gigq_tui.store.history.time_window import TimeWindow
from gigq_tui.store.reader import Reader
from gigq_tui.store.stepwise import Stepwise
from tests.store_files import NOW, Writer, ago

T = TypeVar("T")


class AttemptWriter(Writer):
    """A writer that also writes attempts; times in seconds before `NOW`."""

    def attempt(
        self,
        job: str,
        status: str = "completed",
        *,
        began: float = 40.0,
        took: float | None = 10.0,
        **more: Any,
    ) -> str:
        """An attempt that began so many seconds ago; None for `took` while it runs."""
        number = self.conn.execute("SELECT count(*) + 1 FROM job_executions").fetchone()[0]
        values = {
            "id": f"{job}-{number}-{status}",
            "job_id": job,
            "worker_id": "w",
            "status": status,
            "started_at": ago(began),
            "completed_at": None if took is None else ago(began - took),
        }
        self.insert("job_executions", values | more)
        return str((values | more)["id"])

    def done(self, id: str, *, began: float = 40.0, took: float = 10.0, **more: Any) -> None:
        """A job with one attempt, which completed."""
        self.job(id, "completed", attempts=1, started_at=ago(began), **more)
        self.attempt(id, began=began, took=took)

    def end(self, execution: str, status: str, at: float) -> None:
        values = self.stamped("job_executions", {"status": status, "completed_at": ago(at)})
        pairs = ", ".join(f"{name} = ?" for name in values)
        self.conn.execute(
            f"UPDATE job_executions SET {pairs} WHERE id = ?", (*values.values(), execution)
        )


def look(reader: Reader, length_s: float = 3_600, days: int = 0, now: datetime = NOW) -> Account:
    """What happened in the last so many seconds, once all of it has been read."""
    return followed(reader, window_work(length_s, days, now))


def window_work(length_s: float = 3_600, days: int = 0, now: datetime = NOW) -> WindowWork:
    """What reads the last so many seconds, in sixty bars and the one that goes on."""
    return WindowWork(TimeWindow.up_to_now(length_s, now.timestamp(), 61), days)


def followed(reader: Reader, work: Stepwise[T]) -> T:
    """What it knows once all is read that is there."""
    so_far = reader.step(work)
    while not so_far.done:
        so_far = reader.step(work)
    return so_far.value
