"""Jobs that are to begin later begin then, and not before."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.integration import asking
from tests.integration.conftest import ROOT, Place


def submit(place: Place, name: str, **options: Any) -> str:
    params = {"path": str(place.folder / name), "kind": "ValueError", "times": 0}
    return place.submit(asking.fails, name=name, params=params, **options)


def begun(place: Place, name: str) -> float:
    return float(place.lines(name)[0])


def soon(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_job_begins_at_its_time(place: Place, isolation: str) -> None:
    place.worker("--isolation", isolation)
    now = time.time()
    at = soon(0.6)
    east = timezone(timedelta(hours=9))
    kinds: dict[str, tuple[float, dict[str, Any]]] = {
        "now": (now, {}),
        "past": (now, {"run_at": soon(-3_600)}),
        "at": (at.timestamp(), {"run_at": at}),
        "text": (at.timestamp(), {"run_at": at.astimezone(east).isoformat()}),
        "after": (now + 0.5, {"run_after": "500ms"}),
        "hidden": (now + 0.5, {"run_after": 0.5, "ours": True}),
    }
    ids = [submit(place, name, **options) for name, (_, options) in kinds.items()]
    for job in place.ended(*ids):
        assert (job["status"], job["run_at"], job["retry_after"]) == ("completed", None, None)
    for name, (due, _) in kinds.items():
        # Due times are kept to the millisecond.
        assert begun(place, name) >= due - 0.002, name


@pytest.mark.parametrize("ours", [False, True])
def test_a_child_waits_for_its_time_and_for_its_parent(place: Place, ours: bool) -> None:
    place.worker()
    now = time.time()
    early, late = submit(place, "early"), submit(place, "late", run_after=0.6)
    more: dict[str, Any] = {"ours": ours, "pass_parent_results": False}
    first = submit(place, "first", run_after=0.4, dependencies=[early], **more)
    second = submit(place, "second", run_after=0.1, dependencies=[late], **more)
    jobs = place.ended(first, second)
    assert [job["status"] for job in jobs] == ["completed"] * 2
    assert begun(place, "first") >= now + 0.398
    assert begun(place, "second") >= begun(place, "late") >= now + 0.598


def test_the_zone_of_whoever_submits_or_works_does_not_matter(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    place.worker()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    at = soon(1.5)
    path = str(place.folder / "there")
    words = ["submit", "tests.integration.asking.fails", "--run-at", at.isoformat()]
    words += ["-p", f"path={path}", "-p", "kind=ValueError", "-p", "times=0"]
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert begun(place, "there") >= at.timestamp() - 0.002


def test_a_job_that_waits_for_its_time_can_be_cancelled_and_retried(place: Place) -> None:
    job_id = submit(place, "later", run_after="1h", retry_on=[KeyError])
    place.worker()
    assert place.queue.cancel(job_id)
    assert place.job(job_id)["run_at"] is None
    # Whoever retries wants it now.
    assert place.queue.requeue_job(job_id)
    assert place.end(job_id)["status"] == "completed"


def test_a_clock_that_was_set_back_makes_no_delay_longer(place: Place) -> None:
    later = submit(place, "later", run_after=0.5)
    hidden = submit(place, "hidden", run_after=0.5, ours=True)
    fixed = submit(place, "fixed", run_at=soon(7_200))
    # As if the clock had shown an hour more when they were submitted.
    place.change(
        "UPDATE jobs SET due = due + 3600, retry_after = CASE WHEN lane IS NULL "
        "THEN strftime('%Y-%m-%dT%H:%M:%f', due + 3600, 'unixepoch', 'localtime') "
        "ELSE retry_after END WHERE due_in IS NOT NULL"
    )
    place.worker()
    # A worker looks for such at least each minute.
    for job in place.ended(later, hidden, timeout_s=90):
        assert job["status"] == "completed"
    assert place.job(fixed)["status"] == "pending"
