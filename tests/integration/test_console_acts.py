"""The console's acts among real workers: stops that come true, claims that win, and undo."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gigq_core.status import Change
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.report import Report
from gigq_tui.services.following import Following
from gigq_tui.store.clock import SYSTEM_CLOCK
from gigq_tui.store.questions import Questions
from gigq_tui.store.reader import Reader
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until


class AtOnce:
    """The reader's thread, which answers while it is asked."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def ask(
        self,
        read: Callable[[Questions], Any],
        got: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        got(read(self.reader))


def end_of(place: Place, *reports: Report) -> list[str]:
    """What the console would tell of some actions, once all of their jobs have ended."""
    told: list[str] = []
    reader = Reader(place.db)
    following = Following(
        AtOnce(reader),
        SYSTEM_CLOCK,
        lambda followed, is_news: told.append(followed.title) if is_news else None,
    )
    for report in reports:
        following.follow(report)

    def is_over() -> bool:
        following.take_news()
        return all(followed.is_over for followed in following.actions)

    try:
        wait_until(is_over, what="the ends of the jobs")
    finally:
        reader.close()
    return told


def test_a_stop_is_told_when_it_has_come_true(place: Place, tmp_path: Path) -> None:
    place.worker()
    job_id = place.submit(chores.hold, name="held", params={"path": str(tmp_path / "held")})
    place.pids("held")
    jobs = QueueActions(place.db)
    report = jobs.cancel([job_id])
    assert report.title == "cancelling held"
    assert end_of(place, report) == ["cancelled held"]
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
    assert end_of(place, report) == ["cancelled held"]


def test_a_retry_is_told_with_what_passed_and_what_failed_again_and_how(place: Place) -> None:
    """Several kinds of ends in one action, and another action meanwhile that takes one over."""
    counts = str(place.folder / "counts")
    options: dict[str, Any] = {"max_attempts": 1}
    passes = place.submit(
        chores.fail_until, name="passes", params={"path": counts, "times": 1}, **options
    )
    again = [
        place.submit(chores.fail, name=f"again_{n}", params={"message": f"no {n}"}, **options)
        for n in range(2)
    ]
    later = place.submit(chores.fail, name="later", **options)
    place.worker()
    place.ended(passes, *again, later)
    jobs = QueueActions(place.db)
    first = jobs.retry([passes, *again, later])
    place.ended(later)
    second = jobs.retry([later])
    told = end_of(place, first, second)
    assert told[-2:] == [
        "retried 4: 1 completed, 2 failed again (same cause), 1 changed by a later action",
        "retried later: failed again (same cause)",
    ]


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
