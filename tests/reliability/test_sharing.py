"""One file, two packages: the public `gigq` 0.5.1 goes on working while our workers run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job
from gigq_core.failures import failure_of
from gigq_core.status import Change
from tests.integration.conftest import Place, gone
from tests.reliability import tasks
from tests.reliability.tasks import late_at_first, traced
from tests.reliability.theirs import Theirs, ours, ours_json
from tests.waiting import wait_until

FAMILIES = 12


def params(place: Place, label: str, **more: object) -> dict[str, object]:
    return {"path": str(traces(place)), "label": label, **more}


def traces(place: Place) -> Path:
    return place.folder / "traces"


def begun(place: Place, label: str, times: int = 1) -> list[tasks.Run]:
    """Wait until the job has begun so often."""

    def found() -> list[tasks.Run]:
        runs = tasks.runs(traces(place)).get(label, [])
        return runs if len(runs) >= times else []

    return wait_until(found, what=f"{label} to begin:\n{place.log()}")


def let_go(place: Place) -> None:
    """Let the first run of `late_at_first` end."""
    Path(f"{traces(place)}.go").touch()


def executions(place: Place, job_id: str) -> list[tuple[str, str]]:
    return [(e["worker_id"], e["status"]) for e in place.job(job_id)["executions"]]


# --- both at work -----------------------------------------------------------------------------


def test_each_job_has_one_outcome_whoever_submits_and_whoever_runs_it(
    place: Place, theirs: Theirs
) -> None:
    """Chains, failures with retries, priorities: a GigQ worker and two of ours, all processes."""
    ids: dict[str, str] = {}
    expected: dict[str, str] = {}
    for n in range(FAMILIES):
        give = (theirs, place)[n % 2].submit
        take = (place, theirs)[n % 2].submit
        quick = {"seconds": 0.01}
        ids[f"parent{n}"] = parent = give(
            traced, name="p", params=params(place, f"parent{n}", **quick), priority=n % 3
        )
        ids[f"child{n}"] = take(
            traced, name="c", params=params(place, f"child{n}"), dependencies=[parent]
        )
        ids[f"twice{n}"] = give(traced, name="t", params=params(place, f"twice{n}", failures=1))
        ids[f"never{n}"] = bad = take(
            traced, name="n", params=params(place, f"never{n}", failures=9), max_attempts=2
        )
        ids[f"doomed{n}"] = give(
            traced, name="d", params=params(place, f"doomed{n}"), dependencies=[bad]
        )
        expected |= {f"parent{n}": "completed", f"child{n}": "completed"}
        expected |= {f"twice{n}": "completed", f"never{n}": "failed", f"doomed{n}": "pending"}
    theirs.worker()
    for _ in range(2):
        place.worker("--concurrency", "2")
    ending = [job_id for label, job_id in ids.items() if expected[label] != "pending"]
    place.ended(*ending, timeout_s=40)

    runs = tasks.runs(traces(place))
    assert tasks.overlapping(traces(place)) == []
    started = tasks.order(traces(place), "begun")
    for label, job_id in ids.items():
        job = place.job(job_id)
        assert job["status"] == expected[label], (label, job)
        words = [e["status"] for e in job["executions"]]
        assert len(words) == len(runs.get(label, [])) == job["attempts"]
        assert words.count("completed") == (1 if expected[label] == "completed" else 0)
        assert set(words) <= {"completed", "failed"}
    lines = traces(place).read_text().splitlines()
    for n in range(FAMILIES):
        assert f"doomed{n}" not in started
        # All that stands before the child's beginning happened before it.
        child = next(i for i, line in enumerate(lines) if line.startswith(f"child{n} "))
        assert any(
            line.startswith(f"parent{n} ") and line.endswith("ended") for line in lines[:child]
        )
    holders = {row["worker_id"] for row in place.rows("SELECT worker_id FROM job_executions")}
    assert "theirs" in holders
    assert len(holders) >= 2
    assert "rror" not in theirs.log().replace("ValueError", "")


def test_a_gigq_worker_never_runs_a_blocked_job(place: Place, theirs: Theirs) -> None:
    """Of a parent that comes later, failed, or was cancelled and deleted."""
    late = Job("late", traced, params(place, "late"))
    waits = theirs.submit(traced, params=params(place, "waits"), dependencies=[late.id])
    failed = theirs.submit(traced, params=params(place, "bad", failures=9), max_attempts=1)
    behind = place.submit(traced, params=params(place, "behind"), dependencies=[failed])
    dropped = theirs.submit(traced, params=params(place, "dropped"))
    orphan = theirs.submit(traced, params=params(place, "orphan"), dependencies=[dropped])
    assert "cancelled" in theirs.cli("cancel", dropped)
    assert "1" in theirs.cli("clear")
    theirs.worker()
    wait_until(lambda: place.status(failed) == "failed")
    # It looks fifty times a second; what it runs after the blocked ones shows that it passed by.
    after = theirs.submit(traced, params=params(place, "after"), priority=-9)
    place.end(after)
    assert {place.status(job_id) for job_id in (waits, behind, orphan)} == {"pending"}
    place.queue.submit(late)
    place.end(waits)
    last = theirs.submit(traced, params=params(place, "last"), priority=-9)
    place.end(last)
    assert {place.status(job_id) for job_id in (behind, orphan)} == {"pending"}
    assert set(tasks.runs(traces(place))) == {"bad", "after", "late", "waits", "last"}
    shown = {job["id"]: job["retry_after"] for job in place.queue.list_jobs("pending")}
    assert shown == {behind: None, orphan: None}


def test_deleted_completed_parents_satisfy_later_children_of_either(
    place: Place, theirs: Theirs
) -> None:
    parent = theirs.submit(traced, params=params(place, "parent"))
    theirs.worker()
    place.end(parent)
    assert "1" in theirs.cli("clear")
    children = [
        give(traced, params=params(place, f"child{n}"), dependencies=[parent])
        for n, give in ((0, place.submit), (1, theirs.submit))
    ]
    assert {job["status"] for job in place.ended(*children)} == {"completed"}


def test_a_pause_holds_our_workers_and_gigqs_go_on(place: Place, theirs: Theirs) -> None:
    place.worker()
    place.queue.pause()
    job_id = place.submit(traced, params=params(place, "job"))
    theirs.worker()
    assert executions(place, place.end(job_id)["id"]) == [("theirs", "completed")]


# --- one outcome ------------------------------------------------------------------------------


@pytest.mark.parametrize("raises", [False, True], ids=["completion", "failure"])
@pytest.mark.parametrize("attempts", [3, 1], ids=["retry", "last"])
def test_a_gigq_attempt_past_its_timeout_is_given_back_and_its_late_end_discarded(
    place: Place, theirs: Theirs, raises: bool, attempts: int
) -> None:
    job_id = theirs.submit(
        late_at_first, params=params(place, "job", raises=raises), timeout=1, max_attempts=attempts
    )
    process = theirs.worker()
    begun(place, "job")
    place.worker("--worker-id", "ours")
    final = place.end(job_id)
    expected = [("theirs", "timeout")]
    if attempts > 1:
        expected.append(("ours", "completed"))
        assert (final["status"], final["result"]) == ("completed", "in time")
    else:
        assert (final["status"], final["error"]) == ("timeout", "Job timed out after 1 seconds")
    assert executions(place, job_id) == expected
    let_go(place)
    # The worker takes another job when it has written what came of the late one.
    place.queue.pause()
    place.end(theirs.submit(traced, params=params(place, "next")))
    assert process.poll() is None
    assert executions(place, job_id) == [("theirs", "superseded"), *expected[1:]]
    now = place.job(job_id)
    for column in ("status", "result", "error", "attempts", "completed_at", "worker_id"):
        assert now[column] == final[column]


def test_gigqs_timeout_scan_leaves_our_running_jobs_alone(place: Place, theirs: Theirs) -> None:
    """Past its timeout a job of ours is in its grace: only its own worker ends it."""
    place.worker("--worker-id", "ours", "--grace", "6")
    job_id = place.submit(
        stubborn, params={"path": str(traces(place)), "label": "job"}, timeout=2, max_attempts=1
    )
    (run,) = begun(place, "job")
    theirs.worker()
    # Jobs that end after the timeout show that GigQ's scan has looked at the row meanwhile.
    wait_until(
        lambda: place.rows(
            "SELECT 1 FROM jobs WHERE id = ? AND status = 'running'"
            " AND julianday('now') - julianday(started_at) > 2.3 / 86400",
            job_id,
        )
    )
    place.queue.pause()
    place.end(theirs.submit(traced, params=params(place, "other")))
    assert place.status(job_id) == "running"
    assert [e["status"] for e in place.job(job_id)["executions"]] == ["running"]
    assert place.end(job_id)["status"] == "timeout"
    assert executions(place, job_id) == [("ours", "timeout")]
    wait_until(lambda: gone(run.pid))
    assert len(tasks.runs(traces(place))["job"]) == 1


def stubborn(path: str, label: str) -> None:
    """A job that does not end when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    traced(path, label, seconds=60)


def test_what_gigq_runs_can_be_neither_cancelled_nor_released(place: Place, theirs: Theirs) -> None:
    job_id = theirs.submit(late_at_first, params=params(place, "job"))
    theirs.worker()
    begun(place, "job")
    assert place.queue.cancel(job_id) is False
    (refused,) = place.queue.cancel_jobs([job_id])
    assert refused.change is Change.REFUSED
    assert "GigQ worker" in refused.reason
    code, _, said = ours(place.db, "cancel", job_id)
    assert code == 1
    assert "GigQ worker" in said
    (released,) = place.queue.release_jobs([job_id])
    assert released.change is Change.REFUSED
    assert "GigQ worker" in released.reason
    let_go(place)
    assert place.end(job_id)["result"] == "late"


def test_what_we_run_gigq_can_neither_cancel_nor_requeue(place: Place, theirs: Theirs) -> None:
    job_id = place.submit(late_at_first, params=params(place, "job"))
    place.worker()
    begun(place, "job")
    assert "Could not cancel" in theirs.cli("cancel", job_id) or place.status(job_id) == "running"
    theirs.cli("requeue", job_id)
    theirs.cli("clear")
    assert place.status(job_id) == "running"
    let_go(place)
    assert place.end(job_id)["result"] == "late"
    assert len(place.job(job_id)["executions"]) == 1


def test_a_late_retry_does_not_wake_a_job_that_was_requeued_and_cancelled(
    place: Place, theirs: Theirs
) -> None:
    """Both leave `attempts` at 0; only the late one brings an error."""
    job_id = theirs.submit(
        late_at_first, params=params(place, "job", raises=True), timeout=1, max_attempts=2
    )
    process = theirs.worker()
    begun(place, "job")
    place.change("UPDATE jobs SET max_attempts = 1 WHERE id = ?", job_id)
    place.queue.pause()
    place.worker()
    assert place.end(job_id)["status"] == "timeout"
    process.send_signal(signal.SIGSTOP)
    assert "requeued" in theirs.cli("requeue", job_id)
    assert place.queue.cancel(job_id)
    let_go(place)
    process.send_signal(signal.SIGCONT)
    place.end(theirs.submit(traced, params=params(place, "next")))
    assert place.status(job_id) == "cancelled"
    assert executions(place, job_id) == [("theirs", "superseded")]


# --- GigQ's own acts and answers --------------------------------------------------------------


def test_gigqs_requeue_keeps_a_blocked_job_blocked(place: Place, theirs: Theirs) -> None:
    parent = theirs.submit(traced, params=params(place, "parent", failures=1), max_attempts=1)
    child = theirs.submit(traced, params=params(place, "child"), dependencies=[parent])
    assert "cancelled" in theirs.cli("cancel", child)
    assert "requeued" in theirs.cli("requeue", child)
    theirs.worker()
    assert place.end(parent)["status"] == "failed"
    place.end(theirs.submit(traced, params=params(place, "other"), priority=-9))
    assert place.status(child) == "pending"
    assert "requeued" in theirs.cli("requeue", parent)
    assert [job["status"] for job in place.ended(parent, child)] == ["completed", "completed"]
    begins = tasks.order(traces(place), "begun")
    assert begins.index("child") > begins.index("parent")


def test_gigq_reads_what_we_wrote(place: Place, theirs: Theirs) -> None:
    """Its readers turn whole rows into dictionaries, with our columns among them."""
    place.worker()
    done = place.submit(traced, name="fine", params=params(place, "fine"))
    bad = place.submit(traced, name="bad", params=params(place, "bad", failures=9), max_attempts=2)
    behind = place.submit(traced, name="behind", dependencies=[bad], params=params(place, "x"))
    place.ended(done, bad)
    status = theirs.queue.get_status(bad)
    assert (status["status"], status["attempts"]) == ("failed", 2)
    assert status["error"] == "ValueError: failure 2"
    assert [e["status"] for e in status["executions"]] == ["failed", "failed"]
    assert theirs.queue.get_result(done) == "fine"
    assert {job["id"] for job in theirs.queue.list_jobs()} == {done, bad, behind}
    assert theirs.queue.stats() == place.queue.stats()
    assert "Status: failed" in theirs.cli("status", bad, "--show-executions", "--show-params")
    assert "fine" in theirs.cli("status", done, "--show-result")
    listed = theirs.cli("list")
    assert all(name in listed for name in ("fine", "bad", "behind"))
    assert "completed" in theirs.cli("stats")


def test_gigqs_command_submits_and_runs_one(place: Place, theirs: Theirs) -> None:
    said = theirs.cli(
        *("submit", "tests.reliability.tasks.traced", "--name", "from its command"),
        *("-p", f"path={traces(place)}", "-p", "label=job"),
    )
    assert "Processed one job" in theirs.cli("worker", "--once")
    (job,) = ours_json(place.db, "list")
    assert job["id"] in said
    assert job["status"] == "completed"


@pytest.mark.parametrize("timeout", [0, None])
def test_gigqs_word_for_no_timeout_means_five_minutes(
    place: Place, theirs: Theirs, timeout: int | None
) -> None:
    job_id = theirs.submit(late_at_first, params=params(place, "job"), timeout=timeout)
    place.worker()
    theirs.worker()
    begun(place, "job")
    # Whoever runs it, the other has looked for overdue rows before it runs this.
    place.ended(*(theirs.submit(traced, params=params(place, f"o{n}")) for n in range(4)))
    assert place.status(job_id) == "running"
    let_go(place)
    assert place.end(job_id)["result"] == "late"


def test_functions_of_a_script_are_left_to_the_script(place: Place, theirs: Theirs) -> None:
    script = place.folder / "script.py"
    script.write_text(
        "import sys, gigq\n"
        "def work():\n    return 'done in the script'\n"
        "if __name__ == '__main__':\n"
        "    queue = gigq.JobQueue(sys.argv[1])\n"
        "    print(queue.submit(gigq.Job('mine', work)), flush=True)\n"
        "    sys.stdin.readline()\n"
        "    gigq.Worker(sys.argv[1]).process_one()\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script), str(place.db)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    job_id = process.stdout.readline().strip()
    place.worker()
    place.end(theirs.submit(traced, params=params(place, "other"), priority=-1))
    job = place.job(job_id)
    assert (job["status"], job["attempts"], job["executions"]) == ("pending", 0, [])
    process.communicate("\n", timeout=20)
    assert place.job(job_id)["result"] == "done in the script"


def test_what_failed_in_a_gigq_attempt_is_noted_by_a_worker_of_ours(
    place: Place, theirs: Theirs
) -> None:
    for number in range(3):
        theirs.submit(traced, params=params(place, f"bad {number}", failures=9), max_attempts=2)
    theirs.worker()
    wait_until(
        lambda: len(place.rows("SELECT 1 FROM jobs WHERE status = 'failed'")) == 3,
        what="GigQ's worker to give them up",
    )
    theirs.close()
    of_gigq = "SELECT error, error_type, fingerprint FROM job_executions WHERE status = 'failed'"
    before = {row["error"] for row in place.rows(of_gigq)}
    place.worker()
    wait_until(
        lambda: all(row["fingerprint"] for row in place.rows(of_gigq)),
        what="a worker to read what failed",
    )
    found = place.rows(of_gigq)
    assert len(found) == 6
    assert {row["error"] for row in found} == before
    assert {row["fingerprint"] for row in found} == {failure_of(e).fingerprint for e in before}
