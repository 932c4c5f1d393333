"""A writer of queue files that knows attempts, and a look at the whole past of one."""

from __future__ import annotations

from typing import Any

from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import Past
from gigq_tui.store.reader import Reader
from tests.store_files import Writer, ago


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


def look(reader: Reader, past: Past = Past.MINUTES_60) -> Overview:
    """The overview once all of the past that is wanted has been read."""
    seen = reader.overview(past)
    while seen.reading:
        seen = reader.overview(past)
    return seen
