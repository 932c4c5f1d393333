"""The console's acts among real workers: stops that come true, claims that win, and undo."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from gigq_core.status import Change
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.report import Report
from gigq_tui.actions.stop_watch import StopWatch
from gigq_tui.store.reader import Reader
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until


def end_of(place: Place, report: Report) -> Report:
    """What the console would tell of a stop."""
    watch = StopWatch(report, 0.0)
    reader = Reader(place.db)
    try:
        return wait_until(lambda: watch.ended(reader.rows(watch.ids), 0.0), what="the stop")
    finally:
        reader.close()


def test_a_stop_is_told_when_it_has_come_true(place: Place, tmp_path: Path) -> None:
    place.worker()
    job_id = place.submit(chores.hold, name="held", params={"path": str(tmp_path / "held")})
    place.pids("held")
    jobs = QueueActions(place.db)
    report = jobs.cancel([job_id])
    assert report.title == "cancelling held"
    told = end_of(place, report)
    assert told.title == "cancelled held"
    assert told.outcomes[0].change is Change.CANCELLED
    assert place.queue.get_status(job_id)["status"] == "cancelled"


def test_a_worker_that_dies_between_the_wish_and_the_stop(place: Place, tmp_path: Path) -> None:
    worker = place.worker()
    job_id = place.submit(chores.hold, name="held", params={"path": str(tmp_path / "held")})
    place.pids("held")
    os.kill(worker.pid, signal.SIGSTOP)
    jobs = QueueActions(place.db)
    report = jobs.cancel([job_id])
    assert report.outcomes[0].change is Change.STOPPING
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    # Nobody has stopped it yet: that is what the file says.
    assert place.queue.get_status(job_id)["status"] == "running"
    assert jobs.release([job_id]).done
    assert end_of(place, report).title == "cancelled held"


def test_what_a_worker_has_claimed_since_is_not_undone(place: Place, tmp_path: Path) -> None:
    params = {"path": str(tmp_path / "held")}
    parent = place.submit(chores.hold, name="claimed", params=params)
    child = place.submit(chores.hold, name="waits", params=params, dependencies=[parent])
    jobs = QueueActions(place.db)
    jobs.cancel([parent, child])
    jobs.retry([parent, child])
    place.worker()
    place.pids("held")
    act = jobs.undoable
    assert act is not None
    report = jobs.undo(act)
    assert {o.name: (o.change, o.reason) for o in report.outcomes} == {
        "claimed": (Change.REFUSED, "a worker has claimed it since"),
        "waits": (Change.RESTORED, ""),
    }
    assert place.queue.get_status(child)["status"] == "cancelled"
    assert place.queue.get_status(parent)["status"] == "running"


def test_the_next_claim_goes_by_the_new_priority(place: Place) -> None:
    first, second = (place.submit(chores.add, params={"a": 1, "b": n}) for n in (1, 2))
    QueueActions(place.db).change_priority([second], 1)
    place.worker("--concurrency", "1")
    for job_id in (first, second):
        place.end(job_id)
    order = place.rows("SELECT job_id FROM job_executions ORDER BY started_at, rowid")
    assert [row["job_id"] for row in order] == [second, first]
