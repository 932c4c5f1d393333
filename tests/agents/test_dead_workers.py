"""A worker with agents that is killed, or stands still: who takes its jobs, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gigq_core.status import Change
from gigq_core.system.identity import is_suspended
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.rescue import RESCUE_AGENTS_S
from gigq_core.worker.stuck import GRACE_S
from tests.agents.places import HERE, AgentsPlace
from tests.integration.conftest import ROOT, gone
from tests.reliability import tasks
from tests.reliability.tasks import traced
from tests.reliability.theirs import Theirs, ours
from tests.waiting import wait_until

# How long an observer waits in these tests, in seconds.
BOUND_S = 8.0


@pytest.fixture
def place(agents_place: AgentsPlace) -> AgentsPlace:
    return agents_place


def observer(place: AgentsPlace, bound_s: float = BOUND_S) -> subprocess.Popen[bytes]:
    """A worker of this machine, which gives back what a dead one's agents ran."""
    with open(place.folder / f"worker-{len(place._workers)}.log", "wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.agents.observer", str(bound_s)),
                *("--db", str(place.db), "worker", "--worker-id", "observer"),
                *("--chdir", str(ROOT), "--grace", "0.3"),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    place._workers.append(process)
    wait_until(lambda: "observer" in place.live_workers(), 60, "the observer")
    return process


def traces(place: AgentsPlace) -> Path:
    return place.folder / "traces"


def running(place: AgentsPlace, label: str = "job", **options: object) -> tuple[str, tasks.Run]:
    """A job that runs at an agent, and that is on record as such; it goes on for a minute."""
    params = {"path": str(traces(place)), "label": label, "seconds": 60}
    job_id = place.submit(traced, name=label, params=params, **options)
    on_record = "SELECT 1 FROM job_executions WHERE job_id = ? AND agent IS NOT NULL"
    wait_until(lambda: place.rows(on_record, job_id), 60, f"{label} to run:\n{place.log()}")
    (run,) = wait_until(lambda: tasks.runs(traces(place)).get(label), 60, f"{label} to begin")
    return job_id, run


def attempts(place: AgentsPlace, job_id: str) -> list[tuple[str, str]]:
    return [(e["worker_id"], e["status"]) for e in place.job(job_id)["executions"]]


def test_what_the_file_waits_is_more_than_an_agent_can_live() -> None:
    lease = Lease()
    assert lease.lease_s + lease.margin_s < RESCUE_AGENTS_S


def test_a_killed_workers_job_begins_anew_only_when_its_agent_is_gone_for_certain(
    place: AgentsPlace,
) -> None:
    worker = place.far_worker(HERE, worker_id="dead", concurrency=2, lease=Lease())
    job_id, run = running(place)
    observer(place)
    worker.kill()
    worker.wait()
    died = time.monotonic()
    # It heard the end of its link.
    wait_until(lambda: gone(run.pid), 10, "its process to be gone")
    (refused,) = place.queue.release_jobs([job_id])
    assert refused.change is Change.REFUSED
    assert "an agent elsewhere may still run it" in refused.reason
    assert attempts(place, job_id) == [("dead", "running")]
    wait_until(lambda: len(attempts(place, job_id)) == 2, BOUND_S + 20, "another attempt")
    assert time.monotonic() - died >= BOUND_S
    assert attempts(place, job_id) == [("dead", "crashed"), ("observer", "running")]
    assert tasks.overlapping(traces(place)) == []
    crash = place.job(job_id)["executions"][0]["error"]
    assert crash == f"worker dead (pid {worker.pid}) died, and its agents with it"


def test_a_suspended_worker_with_an_overdue_job_is_ended_and_its_agents_with_it(
    place: AgentsPlace,
) -> None:
    worker = place.far_worker(HERE, worker_id="asleep", concurrency=2, lease=Lease())
    job_id, run = running(place, "late", timeout=2, max_attempts=2)
    other_id, other = running(place, "other")
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: is_suspended(worker.pid))
    observer(place)
    # Nobody is taken for one of its processes here by the number that a process has there.
    wait_until(lambda: gone(worker.pid), GRACE_S + 20, f"it to be ended:\n{place.log()}")
    wait_until(lambda: gone(run.pid) and gone(other.pid), 10, "its jobs' processes to be gone")
    assert attempts(place, other_id) == [("asleep", "running")]
    wait_until(lambda: len(attempts(place, other_id)) == 2, BOUND_S + 20, "another attempt")
    told = place.job(other_id)["executions"][0]["error"]
    assert told == (
        f"worker asleep (pid {worker.pid}) was suspended, and was killed for a job's timeout"
    )
    assert tasks.overlapping(traces(place)) == []
    assert place.job(job_id)["executions"][0]["agent"]


def test_gigqs_workers_leave_what_a_dead_workers_agents_may_run(
    place: AgentsPlace, theirs: Theirs
) -> None:
    worker = place.far_worker(HERE, worker_id="dead", concurrency=2, lease=Lease())
    job_id, run = running(place, timeout=1, max_attempts=3)
    os.kill(worker.pid, signal.SIGSTOP)
    worker.kill()
    worker.wait()
    theirs.worker()
    # Past its timeout, as jobs show that end after it: GigQ's scan has looked at the row.
    wait_until(
        lambda: place.rows(
            "SELECT 1 FROM jobs WHERE id = ? AND julianday('now') - began / 86400.0 - 2440587.5 "
            "> 2.0 / 86400",
            job_id,
        )
    )
    for label in ("one", "two"):
        params = {"path": str(traces(place)), "label": label}
        place.end(theirs.submit(traced, params=params))
    assert attempts(place, job_id) == [("dead", "running")]
    theirs.cli("requeue", job_id)
    theirs.cli("cancel", job_id)
    assert place.status(job_id) == "running"
    assert ours(place.db, "release", job_id)[0] == 1
    assert attempts(place, job_id) == [("dead", "running")]
    # Given back at last, it is anybody's.
    end = observer(place)
    wait_until(lambda: len(attempts(place, job_id)) >= 2, BOUND_S + 20, "another attempt")
    assert tasks.overlapping(traces(place)) == []
    assert gone(run.pid)
    end.kill()


def test_gigqs_scan_leaves_what_an_agent_runs_past_its_timeout(
    place: AgentsPlace, theirs: Theirs
) -> None:
    place.far_worker(HERE, worker_id="ours", concurrency=1, lease=Lease())
    job_id, run = running(place, timeout=2, max_attempts=1)
    (agent,) = place.rows("SELECT pid FROM core_agents")
    os.kill(agent["pid"], signal.SIGSTOP)
    try:
        theirs.worker()
        wait_until(
            lambda: place.rows(
                "SELECT 1 FROM jobs WHERE id = ? AND julianday('now') - began / 86400.0 "
                "> 2440587.5 + 3.0 / 86400",
                job_id,
            )
        )
        params = {"path": str(traces(place)), "label": "theirs"}
        place.end(theirs.submit(traced, params=params))
        assert attempts(place, job_id) == [("ours", "running")]
    finally:
        os.kill(agent["pid"], signal.SIGCONT)
    assert place.end(job_id)["status"] == "timeout"
    assert attempts(place, job_id) == [("ours", "timeout")]
    wait_until(lambda: gone(run.pid))


def test_each_job_has_one_outcome_beside_gigq(place: AgentsPlace, theirs: Theirs) -> None:
    place.far_worker(HERE, HERE, worker_id="ours", concurrency=2, lease=Lease())
    theirs.worker()
    ids = {}
    for n in range(24):
        label = f"job{n}"
        params = {"path": str(traces(place)), "label": label, "seconds": 0.01, "failures": n % 2}
        give = (theirs, place)[n % 2].submit
        ids[label] = give(traced, name=label, params=params)
    place.ended(*ids.values(), timeout_s=60)
    assert tasks.overlapping(traces(place)) == []
    hosts = set()
    for label, job_id in ids.items():
        job = place.job(job_id)
        assert job["status"] == "completed", (label, job)
        told = [e["status"] for e in job["executions"]]
        assert told.count("completed") == 1
        assert len(tasks.runs(traces(place))[label]) == len(told)
        for execution in job["executions"]:
            assert (execution["agent"] is not None) == (execution["worker_id"] == "ours")
            hosts.add(execution["worker_id"])
    assert hosts <= {"ours", "theirs"}
    assert "ours" in hosts


def test_a_worker_that_is_killed_on_request_ends_its_agents_and_gives_back_at_once(
    place: AgentsPlace,
) -> None:
    worker = place.far_worker(HERE, HERE, worker_id="far", concurrency=2, lease=Lease())
    ids = [running(place, f"job{n}") for n in range(2)]
    assert ours(place.db, "ask", "far", "kill")[0] == 0
    assert worker.wait(20) == 0
    for job_id, run in ids:
        assert gone(run.pid)
        assert place.status(job_id) == "pending"
        assert place.job(job_id)["attempts"] == 0
        assert attempts(place, job_id) == [("far", "cancelled")]
    assert {row["state"] for row in place.rows("SELECT state FROM core_agents")} == {"stopped"}


def test_a_worker_that_ends_while_an_agent_is_silent_leaves_its_job_until_the_bound(
    place: AgentsPlace,
) -> None:
    worker = place.far_worker(HERE, worker_id="far", concurrency=1, lease=Lease())
    job_id, run = running(place)
    (agent,) = place.rows("SELECT pid FROM core_agents")
    os.kill(agent["pid"], signal.SIGSTOP)
    try:
        wait_until(
            lambda: place.rows("SELECT 1 FROM core_agents WHERE state = 'silent'"),
            what="silence",
        )
        assert ours(place.db, "ask", "far", "kill")[0] == 0
        worker.wait(20)
        # Nobody has heard that it ended: its row stays for those who give it back.
        assert attempts(place, job_id) == [("far", "running")]
        began = time.monotonic()
        observer(place)
        wait_until(lambda: len(attempts(place, job_id)) == 2, BOUND_S + 20, "another attempt")
        assert time.monotonic() - began >= BOUND_S
    finally:
        with suppress(ProcessLookupError):
            os.kill(agent["pid"], signal.SIGCONT)
    assert attempts(place, job_id) == [("far", "crashed"), ("observer", "running")]
    assert tasks.overlapping(traces(place)) == []
    assert gone(run.pid)


def test_a_worker_that_drains_lets_its_agents_finish(place: AgentsPlace, tmp_path: Path) -> None:
    worker = place.far_worker(HERE, worker_id="far", concurrency=1, lease=Lease())
    params = {"path": str(traces(place)), "label": "job"}
    job_id = place.submit(tasks.late_at_first, name="job", params=params)
    waiting = place.submit(tasks.late_at_first, name="next", params={**params, "label": "next"})
    wait_until(lambda: "job" in tasks.runs(traces(place)), what="the job to begin")
    assert ours(place.db, "ask", "far", "drain")[0] == 0
    wait_until(lambda: place.rows("SELECT 1 FROM core_workers WHERE state = 'draining'"))
    Path(f"{traces(place)}.go").touch()
    assert worker.wait(20) == 0
    assert (place.status(job_id), place.status(waiting)) == ("completed", "pending")
