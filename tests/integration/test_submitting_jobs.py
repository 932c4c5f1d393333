"""Jobs that submit jobs: they are there if the attempt completed, and only then."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import Job, Worker, Workflow
from gigq_core.graph.cycles import in_circles
from gigq_core.job import FunctionReference
from gigq_core.worker import runner
from tests.integration import chores, submitting
from tests.integration.conftest import Place, Works, gone, stop
from tests.waiting import wait_until

CHILDREN = "SELECT * FROM jobs WHERE submitted_by = ? ORDER BY rowid"


def children(place: Place, job_id: str) -> list[dict[str, Any]]:
    return place.rows(CHILDREN, job_id)


def completed(place: Place, job_id: str) -> dict[str, Any]:
    job = place.end(job_id)
    assert job["status"] == "completed", job["error"]
    return job


def test_what_a_job_submits_is_there_with_its_end(place: Place, works: Works) -> None:
    works()
    job_id = place.submit(submitting.fan_out, params={"count": 5, "before": False})
    ids = completed(place, job_id)["result"]
    found = children(place, job_id)
    assert [row["id"] for row in found] == ids
    assert [row["name"] for row in found] == [f"part {n}" for n in range(5)]
    assert [job["result"] for job in place.ended(*ids)] == list(range(5))


def test_each_form_of_a_job(place: Place, works: Works) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.every_form)
    place.change("DELETE FROM core_meta WHERE key = 'paused_at'")
    works()
    ids = completed(place, job_id)["result"]
    rows = {row["id"]: row for row in children(place, job_id)}
    assert list(rows) == ids
    first, by_path, unseen, by_task, made, named, told, asks, later = (rows[one] for one in ids)
    for row in (first, by_path, by_task, made, named):
        assert row["function_module"] == submitting.__name__
    assert json.loads(by_path["dependencies"]) == [first["id"]]
    assert (unseen["name"], unseen["function_module"]) == ("imported", "not.to.be")
    assert (unseen["priority"], unseen["timeout"], unseen["lane"]) == (-1, 60, "-")
    assert (by_task["name"], by_task["timeout"], by_task["max_attempts"]) == ("a task", 90, 7)
    assert by_task["priority"] == 4
    assert json.loads(made["dependencies"]) == [first["id"]]
    assert json.loads(made["retry_policy"])["retry"] is not None
    assert (made["name"], made["retry_delay"]) == ("made", 3)
    assert (named["batch"], named["priority"]) == ("own", 2)
    assert told["due_in"] == 3600
    assert "builtins.KeyError" in told["retry_policy"]
    # Their functions are for our workers alone, which is seen where they were submitted.
    assert [row["lane"] for row in (first, asks, later)] == [None, "-", "-"]


def test_whatever_has_a_jobs_attributes_is_a_job(place: Place, works: Works) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.forms_like_a_job)
    place.change("DELETE FROM core_meta WHERE key = 'paused_at'")
    works()
    told = completed(place, job_id)["result"]
    rows = {row["id"]: row for row in children(place, job_id)}
    assert list(rows) == told[:4]
    assert told[:2] == ["a tuple", "a namespace"]
    assert [row["name"] for row in rows.values()] == ["named", "plain", "child", "without an id"]
    assert (rows["a tuple"]["priority"], rows["a namespace"]["timeout"]) == (3, 7)
    assert told[4:] == [["A job's id must be a string that isn't empty."]] * 4


def test_a_child_may_wait_for_the_job_that_submits_it(place: Place, works: Works) -> None:
    works()
    made = completed(place, place.submit(submitting.after_itself))["result"]
    assert completed(place, made)["result"] == [made]
    (row,) = place.rows("SELECT name, submitted_by FROM jobs WHERE id = ?", made)
    assert row == {"name": "of_parents", "submitted_by": place.job(made)["dependencies"][0]}


def test_a_mistake_is_raised_where_it_is_made(place: Place, works: Works) -> None:
    works()
    told = completed(place, place.submit(submitting.mistakes))["result"]
    path = f"{submitting.__name__}.child"
    for function, params, options, said in (
        (submitting.child, {"m": 1}, {}, told[1]),
        (submitting.child, {}, {"max_attempts": 0}, told[2]),
        (submitting.child, {"n": float("nan")}, {}, told[3]),
    ):
        with pytest.raises((TypeError, ValueError)) as refused:
            Job("n", function, params, **options)
        assert said == f"{refused.type.__name__}: {refused.value}"
    assert told[0].startswith("TypeError: mistakes.<locals>.inner is defined inside another")
    assert told[1] == f"TypeError: {path} has no parameter m: it takes n."
    assert told[5].startswith("TypeError: submit() has no option prio: it takes name, priority,")
    assert place.end(told[4])["result"] == 1
    job_id = place.submit(submitting.mistaken, max_attempts=1)
    job = place.end(job_id)
    assert job["error"] == told[1]
    lines = job["executions"][0]["traceback"].splitlines()
    assert any("submitting.py" in line and "in mistaken" in line for line in lines)
    assert children(place, job_id) == []


# --- an attempt that did not complete --------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("fails", "failed"),
        ("gives up", "failed"),
        ("snoozes", "pending"),
        ("exits", "failed"),
        ("returns what JSON can't hold", "failed"),
    ],
)
def test_an_attempt_that_does_not_complete_leaves_nothing(
    place: Place, works: Works, tmp_path: Path, how: str, status: str
) -> None:
    works()
    params = {"how": how, "path": str(tmp_path / "pid")}
    job_id = place.submit(submitting.ends, params=params, max_attempts=1)
    wait_until(
        lambda: [one["status"] for one in place.job(job_id)["executions"]] not in ([], ["running"])
    )
    assert place.status(job_id) == status
    assert place.queue.stats()["total"] == 1


def test_a_later_attempt_submits_anew(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    params = {"how": "fails", "path": str(tmp_path / "pid")}
    job_id = place.submit(submitting.ends, params=params, max_attempts=2)
    completed(place, job_id)
    assert place.queue.stats()["total"] == 1


@pytest.mark.parametrize("how", ["timeout", "cancel", "stop", "kill the child", "kill the worker"])
def test_an_attempt_that_is_ended_leaves_nothing(place: Place, tmp_path: Path, how: str) -> None:
    worker = place.worker()
    params = {"how": "holds", "path": str(tmp_path / "pid")}
    job_id = place.submit(
        submitting.ends, params=params, max_attempts=1, timeout=1 if how == "timeout" else 300
    )
    (pid,) = place.pids("pid")
    if how == "cancel":
        assert place.queue.cancel(job_id)
    elif how == "stop":
        stop(worker, signal.SIGQUIT)
    elif how == "kill the child":
        os.kill(pid, signal.SIGKILL)
    elif how == "kill the worker":
        worker.kill()
        worker.wait()
        wait_until(lambda: gone(pid))
        place.queue.release_jobs([job_id])
    wait_until(lambda: place.status(job_id) != "running")
    expected = {"timeout": "timeout", "cancel": "cancelled", "stop": "pending"}
    assert place.status(job_id) == expected.get(how, "failed")
    assert place.queue.stats()["total"] == 1


def test_a_superseded_attempt_leaves_nothing(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    go = tmp_path / "go"
    params = {"path": str(tmp_path / "told"), "go": str(go)}
    job_id = place.submit(submitting.hold_and_submit, params=params)
    place.lines("told")
    place.change("UPDATE jobs SET execution_id = 'of another' WHERE id = ?", job_id)
    go.touch()
    wait_until(
        lambda: place.rows("SELECT 1 FROM job_executions WHERE status = 'superseded'"),
        what="it to be discarded",
    )
    assert place.queue.stats()["total"] == 1
    assert place.status(job_id) == "running"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("there already", "A job can be submitted once"),
        ("a circle", "These jobs form a dependency cycle"),
    ],
)
def test_what_cant_be_stored_fails_its_job_for_good_and_no_other(
    place: Place, works: Works, kind: str, sentence: str
) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.oddly, params={"kind": kind}, max_attempts=3)
    fine = place.submit(submitting.fan_out, params={"count": 2, "before": True})
    good = place.submit(chores.nothing)
    works()
    place.queue.resume()
    job = place.end(job_id)
    assert (job["status"], job["attempts"], job["result"]) == ("failed", 1, None)
    assert job["error"].startswith(f"what it submitted can't be stored: {sentence}")
    assert children(place, job_id) == []
    assert completed(place, good)["attempts"] == completed(place, fine)["attempts"] == 1
    assert len(children(place, fine)) == 2


# --- what waits ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 7])
def test_what_waits_waits_for_the_children_too(place: Place, works: Works, count: int) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.fan_out, params={"count": count, "before": True})
    last = place.submit(submitting.of_parents, dependencies=[job_id])
    other = place.submit(chores.nothing, dependencies=[job_id], name="another that waits")
    works()
    place.queue.resume()
    ids = completed(place, job_id)["result"]
    job = completed(place, last)
    # It is given their results, as those of any parent.
    assert job["result"] == [ids, *range(count)]
    assert job["dependencies"] == [job_id, *ids]
    assert completed(place, other)["dependencies"] == [job_id, *ids]
    began = job["began"]
    assert all(place.job(one)["ended"] <= began for one in ids)


def test_without_the_word_nobody_waits(place: Place, works: Works) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.fan_out, params={"count": 2, "before": False})
    last = place.submit(chores.nothing, dependencies=[job_id])
    works()
    place.queue.resume()
    assert completed(place, last)["dependencies"] == [job_id]


def test_children_that_fan_out_in_turn_are_waited_for(place: Place, works: Works) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.fan_out_twice, params={"count": 3})
    last = place.submit(chores.nothing, dependencies=[job_id])
    works()
    place.queue.resume()
    job = completed(place, last)
    middle = place.job(job_id)["result"]
    assert job["dependencies"] == [job_id, middle, *place.job(middle)["result"]]
    assert all(place.status(one) == "completed" for one in job["dependencies"])


def test_a_circle_through_what_waits_is_refused(place: Place, works: Works) -> None:
    place.queue.pause()
    waiting = Job("waits", chores.nothing)
    job = Job("submits", submitting.behind, {"waiting": waiting.id})
    waiting.dependencies = [job.id]
    place.queue.submit_many([job, waiting])
    works()
    place.queue.resume()
    found = place.end(job.id)
    assert found["status"] == "failed"
    assert found["error"].startswith(
        "what it submitted can't be stored: 'waits' waits for this job, and is to wait for one "
        "that waits for it in turn"
    )
    pairs = [(r["child_id"], r["parent_id"]) for r in place.rows("SELECT * FROM core_edges")]
    assert in_circles(pairs) == set()
    assert children(place, job.id) == []


def test_what_was_told_of_failed_parents_holds_for_the_children(place: Place) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.fan_out, params={"count": 2, "before": True})
    cancelled = place.submit(chores.nothing, dependencies=[job_id], on_parent_failure="cancel")
    runs = place.submit(chores.nothing, dependencies=[job_id], on_parent_failure="run")
    waits = place.submit(chores.nothing, dependencies=[job_id])
    worker = place.worker()
    place.queue.resume()
    ids = completed(place, job_id)["result"]
    place.ended(*ids)
    assert stop(worker) == 0
    for one in (cancelled, runs, waits):
        assert place.job(one)["dependencies"] == [job_id, *ids]
    policies = place.rows(
        "SELECT on_failure, count(*) AS n FROM core_edges WHERE parent_id IN (?, ?) GROUP BY 1",
        *ids,
    )
    assert [(row["on_failure"], row["n"]) for row in policies] == [(0, 2), (1, 2), (2, 2)]


def test_gigqs_workers_run_the_children_and_release_what_waits(place: Place) -> None:
    place.queue.pause()
    job_id = place.submit(submitting.fan_out, params={"count": 3, "before": True}, ours=True)
    last = place.submit(submitting.of_parents, dependencies=[job_id])
    place.queue.resume()
    ours = Worker(place.db)
    assert ours.process_one()
    ours.close()
    theirs = gigq.Worker(str(place.db), worker_id="theirs")
    while theirs.process_one():
        pass
    gigq.close_connections()
    ids = place.job(job_id)["result"]
    assert all(place.status(one) == "completed" for one in ids)
    job = place.job(last)
    assert (job["status"], job["result"]) == ("completed", [ids, 0, 1, 2])
    assert {one["worker_id"] for one in job["executions"]} == {"theirs"}


def test_a_workflow_keeps_its_name_and_a_batch_too(place: Place, works: Works) -> None:
    works()
    flow = Workflow("nightly")
    job = Job("fan", submitting.every_form, batch="import")
    flow.add_job(job)
    flow.submit_all(place.queue)
    completed(place, job.id)
    found = children(place, job.id)
    assert {(row["workflow"], row["workflow_id"]) for row in found} == {
        ("nightly", job.workflow_id)
    }
    assert [row["batch"] for row in found] == ["own" if n == 5 else "import" for n in range(9)]
    (run,) = place.queue.workflows()
    assert run["total"] == 10


@pytest.mark.parametrize("damaged", [b"\xff", 7, 1.5])
def test_what_a_damaged_row_hands_down_is_text(place: Place, damaged: object) -> None:
    job_id = place.submit(submitting.fan_out, params={"count": 1, "before": False})
    columns = "workflow = ?, workflow_id = ?, batch = ?"
    place.change(f"UPDATE jobs SET {columns} WHERE id = ?", *[damaged] * 3, job_id)
    place.worker()
    (child,) = completed(place, job_id)["result"]
    assert place.end(child)["status"] == "completed"


def test_the_limits_of_a_lane_hold_for_them(place: Place, tmp_path: Path) -> None:
    place.queue.set_lane("disk:*", running=1)
    place.worker("--concurrency", "3")
    job_id = place.submit(submitting.in_lanes, params={"count": 6, "path": str(tmp_path / "notes")})
    completed(place, job_id)
    found = children(place, job_id)
    assert {row["lane"] for row in found} == {"disk:0"}
    place.ended(*(row["id"] for row in found))
    words = [line.split() for line in place.lines("notes", 12)]
    assert [word for _, word in words] == ["begins", "ends"] * 6


@pytest.mark.parametrize("conflict", ["existing", "error"])
def test_their_keys_are_judged_as_they_come_into_the_file(
    place: Place, works: Works, conflict: str
) -> None:
    place.queue.pause()
    holder = place.submit(chores.nothing, unique="held", run_after="1h")
    job_id = place.submit(submitting.unique, params={"conflict": conflict}, max_attempts=2)
    works()
    place.queue.resume()
    job = place.end(job_id)
    found = children(place, job_id)
    if conflict == "error":
        assert (job["status"], job["attempts"], found) == ("failed", 1, [])
        assert job["error"] == (
            "what it submitted can't be stored: 'child' was not submitted: a job with the same key "
            f"waits: {holder[:4]}."
        )
        return
    first, second, third, _ = job["result"]
    assert [row["id"] for row in found] == [first, third]
    assert json.loads(found[1]["dependencies"]) == [first]
    assert place.job(second) == {"exists": False}
    assert place.end(third)["status"] == "completed"


# --- who may submit --------------------------------------------------------------------------


def test_threads_submit_one_by_one(place: Place, works: Works) -> None:
    works()
    job_id = place.submit(submitting.from_threads, params={"threads": 4, "times": 25})
    ids = completed(place, job_id)["result"]
    found = children(place, job_id)
    assert {row["id"] for row in found} == set(ids)
    asked = [json.loads(row["params"])["n"] for row in found]
    assert sorted(asked) == [[who, number] for who in range(4) for number in range(25)]


def test_an_async_job_submits(place: Place, works: Works) -> None:
    works()
    job_id = place.submit(submitting.from_a_loop, params={"times": 10})
    ids = completed(place, job_id)["result"]
    assert sorted(job["result"] for job in place.ended(*ids)) == list(range(11))


def test_a_forked_copy_submits_nothing(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    job_id = place.submit(submitting.from_copies, params={"path": str(tmp_path / "copies")})
    made, *said = completed(place, job_id)["result"]
    assert said == ["only the job's own process can do this, not a copy that it forked"] * 2
    assert [row["id"] for row in children(place, job_id)] == [made]


def test_a_call_that_is_broken_off_breaks_nothing_else(place: Place) -> None:
    place.worker()
    job_id = place.submit(submitting.among_alarms, params={"times": 200}, max_attempts=1)
    acknowledged, broken_off = completed(place, job_id)["result"]
    assert broken_off
    rows = {row["id"]: json.loads(row["params"])["n"][0] for row in children(place, job_id)}
    assert set(acknowledged) <= rows.keys()
    # Of the others it is open; but none of them is there twice.
    others = [str(n) for job_id, n in rows.items() if job_id not in acknowledged]
    assert len(others) == len(set(others))
    assert set(others) <= set(broken_off)


def test_to_submit_is_a_sign_of_life(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    stop_at = tmp_path / "stop"
    job_id = place.submit(
        submitting.submit_until, params={"path": str(stop_at)}, stall_timeout=1, max_attempts=1
    )
    wait_until(lambda: place.status(job_id) == "running")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 2.5)
    stop_at.touch()
    assert completed(place, job_id)["result"] == len(children(place, job_id)) > 10


def test_whoever_is_left_behind_submits_nothing_more(
    place: Place, works: Works, tmp_path: Path
) -> None:
    works()
    job_id = place.submit(submitting.after_the_end, params={"path": str(tmp_path / "left")})
    completed(place, job_id)
    there = len(children(place, job_id))
    for _ in range(5):
        completed(place, place.submit(chores.nothing))
    assert len(children(place, job_id)) == there


def test_jobs_claimed_ahead_submit_as_any(place: Place) -> None:
    place.queue.pause()
    ids = [
        place.submit(submitting.fan_out, params={"count": 2, "before": False}) for _ in range(60)
    ]
    place.worker()
    place.queue.resume()
    for job in place.ended(*ids, timeout_s=60):
        assert [row["id"] for row in children(place, job["id"])] == job["result"]


# --- how much --------------------------------------------------------------------------------


def test_ten_thousand_are_the_most(place: Place) -> None:
    place.queue.pause()
    params = {"count": runner.MOST_SUBMITTED}
    job_id = place.submit(submitting.too_many, params=params, priority=1)
    last = place.submit(chores.nothing, dependencies=[job_id])
    place.worker()
    place.queue.resume()
    (job,) = place.ended(job_id, timeout_s=120)
    assert job["result"].startswith("A job can submit 10,000 jobs at most in one attempt: let some")
    assert place.queue.stats()["total"] == 10_002
    # Its dependents did not wait for them.
    assert completed(place, last)["attempts"] == 1


@pytest.mark.parametrize("size", [1_000_000, 9_000_000, 17_000_000])
def test_sixteen_megabytes_are_the_most(place: Place, works: Works, size: int) -> None:
    works()
    job_id = place.submit(submitting.too_much, params={"size": size})
    (job,) = place.ended(job_id, timeout_s=60)
    assert job["status"] == "completed", job["error"]
    taken, sentence = job["result"]
    assert taken == 16 * 1024 * 1024 // (size + 500)
    assert sentence.startswith("A job can submit 16 MB at most in one attempt: write what is large")
    assert len(children(place, job_id)) == taken


def test_the_log_says_how_many(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    caplog.set_level("INFO", "gigq_core.worker")
    worker = Worker(place.db)
    for count, said in ((0, ""), (1, ", and submitted 1 job"), (2, ", and submitted 2 jobs")):
        job_id = place.submit(submitting.fan_out, params={"count": count, "before": False})
        caplog.clear()
        assert worker.process_one()
        assert f"Job {job_id} ('job') completed{said}" in caplog.messages
        place.queue.cancel_jobs([row["id"] for row in children(place, job_id)])
    worker.close()


def test_a_reference_by_names_is_taken_too(place: Place, works: Works) -> None:
    works()
    params = {"count": 1, "before": False}
    reference = FunctionReference(submitting.__name__, "fan_out")
    job_id = place.queue.submit(Job("job", reference, params))
    assert len(completed(place, job_id)["result"]) == 1
