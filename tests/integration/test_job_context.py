"""A job knows itself: what its `job_context` tells it, and what it tells through that."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, Undo
from gigq_core.job import FunctionReference
from tests.integration import chores, telling
from tests.integration.conftest import BEGUN_BY_S, Place, Works, stop
from tests.waiting import wait_until

# --- what it knows ---------------------------------------------------------------------------


def test_a_job_knows_which_it_is(place: Place, works: Works) -> None:
    works()
    job_id = place.submit(telling.facts, timeout=100, max_attempts=4)
    found = place.end(job_id)["result"]
    left = found.pop("left")
    assert found == {
        "id": job_id,
        "attempt": 1,
        "max_attempts": 4,
        "said": f"<job {job_id}, attempt 1 of 4>",
    }
    assert 60 < left <= 100
    assert place.end(place.submit(telling.facts_at_second))["result"] == 2


def test_a_job_knows_how_its_parents_ended(place: Place, works: Works) -> None:
    works()
    first = place.submit(chores.add, params={"a": 1, "b": 2})
    second = place.submit(chores.nothing)
    child = place.submit(telling.parents, dependencies=[second, first])
    told, results = place.end(child)["result"]
    assert list(told) == [second, first]
    assert told == {second: ["completed", None, None], first: ["completed", None, 3]}
    assert results == {second: None, first: 3}
    assert place.end(place.submit(telling.parents))["result"] == [{}, None]


@pytest.mark.parametrize(
    ("function", "result"),
    [
        ("by_name_alone", True),
        ("with_default", True),
        ("of_any_names", []),
        ("wrapped", True),
        ("default_kept_back", False),
        ("wrapped_later", None),
    ],
)
def test_who_is_given_a_context(place: Place, works: Works, function: str, result: Any) -> None:
    works()
    reference = FunctionReference(telling.__name__, function)
    params = {"value": 1} if result is None else {}
    job_id = place.queue.submit(Job("job", reference, params))
    job = place.end(job_id)
    assert (job["status"], job["result"]) == ("completed", [1, 1] if result is None else result)


@pytest.mark.parametrize("function", ["by_position", "kept_back", "dropped"])
def test_a_function_that_cant_be_given_it_fails_for_good(
    place: Place, works: Works, function: str
) -> None:
    works()
    reference = FunctionReference(telling.__name__, function)
    job = place.end(place.queue.submit(Job("job", reference, max_attempts=3)))
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert job["error"] == (
        f"{function}() can't be given its job_context: it must be a parameter that has a name "
        f"for the caller, and a function that wraps {function}() must pass it on"
    )


def test_a_value_of_ones_own_is_refused(place: Place, works: Works) -> None:
    for function in (telling.facts, FunctionReference("not.there", "f"), "not.there.f"):
        with pytest.raises(TypeError, match="job_context comes from the worker: leave it out"):
            Job("job", function, {"job_context": 1})
    job_id = place.submit(telling.facts)
    place.change("UPDATE jobs SET params = ?", json.dumps({"job_context": 1}))
    works()
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert job["error"].startswith("its parameters hold job_context, which the worker gives")


# --- progress --------------------------------------------------------------------------------


def test_the_last_report_before_a_silence_comes_out(
    place: Place, works: Works, tmp_path: Path
) -> None:
    works()
    go = tmp_path / "go"
    reports = [[number, 50, f"at {number}"] for number in range(1, 51)]
    job_id = place.submit(telling.report, params={"reports": reports, "path": str(go)})
    place.until_told(job_id, done=50, total=50, percent=100.0, note="at 50")
    assert place.status(job_id) == "running"
    go.touch()
    job = place.end(job_id)
    # It stays after the end.
    assert job["status"] == "completed"
    assert job["progress"]["done"] == 50


def test_a_report_just_before_the_end_comes_out(place: Place, works: Works) -> None:
    works()
    jobs = [place.submit(telling.track, params={"count": n}) for n in (0, 1, 500)]
    stopped = place.submit(telling.track_to, params={"count": 10, "stop": 4})
    for job_id, count in zip(jobs, (0, 1, 500), strict=True):
        assert place.end(job_id)["result"] == list(range(count))
        percent = 100.0 if count else None
        told = {"done": count, "total": count, "percent": percent, "note": ""}
        assert place.progress(job_id) == told
    place.end(stopped)
    assert place.progress(stopped)["percent"] == 40.0


def test_what_is_known_when_the_total_is_not(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    params = {"reports": [[2.5, None, "half a step"]], "path": str(tmp_path)}
    job_id = place.submit(telling.report, params=params)
    place.end(job_id)
    told = {"done": 2.5, "total": None, "percent": None, "note": "half a step"}
    assert place.progress(job_id) == told


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("index", {"done": 7, "percent": 10.0}),
        ("fraction", {"done": 0.5, "percent": 50.0}),
        ("decimal", {"done": 0.25, "percent": 25.0}),
        ("huge", {"done": 1e30, "total": 1e31}),
        ("beyond", {"percent": 100.0}),
        ("long", {"note": ("\\x00é\\udce9" * 1000)}),
    ],
)
def test_numbers_and_notes_of_many_kinds(
    place: Place, works: Works, kind: str, told: dict[str, Any]
) -> None:
    works()
    job_id = place.submit(telling.report_oddly, params={"kind": kind}, max_attempts=1)
    assert place.end(job_id)["status"] == "completed", place.job(job_id)["error"]
    found = place.progress(job_id)
    if "note" in told:
        assert len(found["note"]) > 100
        assert told["note"].startswith(found.pop("note")[:100])
    else:
        assert found.items() >= told.items()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("text", "TypeError: progress() takes a number for done, not '5'"),
        ("none", "TypeError: progress() takes a number for done, not None"),
        ("true", "TypeError: progress() takes a number for done, not True"),
        ("negative", "ValueError: progress() takes a finite number, 0 or more, for done: -1"),
        ("nan", "ValueError: progress() takes a finite number, 0 or more, for done: nan"),
        ("infinite", "ValueError: progress() takes a finite number, 0 or more, for total: inf"),
        ("a note", "TypeError: progress() takes text for its note, not int"),
    ],
)
def test_what_is_no_report_is_refused_where_it_is_made(
    place: Place, works: Works, kind: str, error: str
) -> None:
    works()
    job_id = place.submit(telling.report_oddly, params={"kind": kind}, max_attempts=1)
    job = place.end(job_id)
    assert (job["status"], job["error"]) == ("failed", error)
    assert place.progress(job_id) == {}
    # The traceback ends with the job's own line.
    last = job["executions"][0]["traceback"].splitlines()[-3:]
    assert "telling.py" in "".join(last) or "job_context.progress" in "".join(last)


def test_it_stays_until_the_job_is_requeued_by_whomever(place: Place) -> None:
    import gigq

    place.worker()
    theirs = gigq.JobQueue(str(place.db))
    for requeue in (place.queue.requeue_job, theirs.requeue_job):
        job_id = place.submit(telling.report_and_fail, params={"done": 42}, max_attempts=2)
        job = place.end(job_id)
        # The second attempt told nothing.
        assert job["progress"]["percent"] == 42.0
        place.queue.pause()
        assert requeue(job_id)
        assert place.progress(job_id) == {}
        place.queue.resume()
        place.end(job_id)
    theirs.close()


def test_undo_is_no_requeue(place: Place) -> None:
    place.worker()
    params = {"done": 42}
    job_id = place.submit(telling.report_and_fail, params=params, max_attempts=2, retry_delay=60)
    place.until_told(job_id, done=42)
    wait_until(lambda: place.status(job_id) == "pending")
    undo = Undo()
    place.queue.cancel_jobs([job_id], undo)
    place.queue.restore_jobs(undo)
    assert place.status(job_id) == "pending"
    assert place.progress(job_id)["done"] == 42


def test_undo_of_a_requeue_brings_it_back(place: Place) -> None:
    worker = place.worker()
    params = {"done": 42}
    job_id = place.submit(telling.report_and_fail, params=params, max_attempts=2)
    before = place.end(job_id)["progress"]
    assert stop(worker) == 0
    undo = Undo()
    place.queue.requeue_jobs([job_id], undo)
    assert place.job(job_id)["progress"] is None
    place.queue.restore_jobs(undo)
    assert place.job(job_id)["progress"] == before


LOG = """
CREATE TABLE told (at REAL);
CREATE TRIGGER log_told AFTER INSERT ON core_progress BEGIN
    INSERT INTO told VALUES (julianday('now'));
END"""


def test_a_million_reports_are_few_writes(place: Place, works: Works) -> None:
    for statement in LOG.split(";\n", 1):
        place.change(statement)
    works()
    job_id = place.submit(telling.count_up, params={"calls": 1_000_000}, timeout=200)
    (job,) = place.ended(job_id, timeout_s=120)
    assert job["progress"]["done"] == 1_000_000
    writes = place.rows("SELECT count(*) AS n FROM told")[0]["n"]
    # One at the beginning, one each second, one at the end; others share the worker's heartbeat.
    assert 1 <= writes <= 4 + 2 * job["result"]


def test_reports_wear_no_process_out(place: Place) -> None:
    worker = place.worker()
    jobs = [place.submit(telling.short) for _ in range(20)]
    assert len({job["result"] for job in place.ended(*jobs)}) == 1
    assert "replaced" not in place.log()
    assert stop(worker) == 0


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_forked_copy_has_no_say(
    place: Place, tmp_path: Path, isolation: str, alone: bool
) -> None:
    place.worker("--isolation", isolation)
    job_id = place.submit(
        telling.report_in_copies,
        params={"path": str(tmp_path / "copies"), "alone": alone},
        max_attempts=1,
    )
    job = place.end(job_id)
    refusal = "only the job's own process can do this, not a copy that it forked"
    assert job["result"] == [refusal] * 3, job["error"]
    assert place.progress(job_id).get("note") == (None if alone else "from the job")


def test_whoever_is_left_behind_has_no_say(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    path = tmp_path / "left"
    job_id = place.submit(telling.tell_after_the_end, params={"path": str(path)})
    place.end(job_id)
    for _ in range(5):
        place.end(place.submit(telling.short))
    assert place.progress(job_id)["done"] == 1
    if path.exists():
        assert path.read_text() == "the job has ended\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["3 10 half way there"], {"done": 3, "total": 10, "note": "half way there"}),
        (["0.5", "0.75 1"], {"done": 0.75, "total": 1, "note": ""}),
        (["12 - no total"], {"done": 12, "total": None, "note": "no total"}),
        (["1 2", "nonsense", "-3", "nan 4", "", "5 x"], {"done": 1, "total": 2}),
        (["7 8 " + "x" * 100_000], {"done": 7, "total": 8, "note": "x" * 200}),
    ],
)
def test_programs_that_are_not_python_report_too(
    place: Place, tmp_path: Path, lines: list[str], told: dict[str, Any]
) -> None:
    place.worker()
    go = tmp_path / "go"
    params = {"lines": lines, "path": str(go)}
    job_id = place.submit(telling.report_by_a_program, params=params)
    place.until_told(job_id, **told)
    go.touch()
    assert place.end(job_id)["status"] == "completed"
    after = place.submit(chores.nothing)
    place.end(after)
    assert place.progress(after) == {}


# --- checkpoints -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "é\0\udce9", {"page": 7, "rows": [1.5, None]}, [[]]])
def test_the_next_attempt_finds_what_was_saved(place: Place, works: Works, value: Any) -> None:
    works()
    job_id = place.submit(telling.save_and_fail, params={"value": value})
    job = place.end(job_id)
    assert (job["status"], job["result"]) == ("completed", [value])
    # Nobody needs it any more.
    assert place.rows("SELECT * FROM core_saves") == []


def test_it_stays_until_the_job_completes(place: Place, works: Works) -> None:
    works()
    job_id = place.submit(telling.save_and_fail, params={"value": 5}, max_attempts=1)
    assert place.end(job_id)["status"] == "failed"
    assert place.saved(job_id) == 5
    place.queue.requeue_job(job_id)
    wait_until(lambda: place.job(job_id)["status"] == "failed" and place.job(job_id)["attempts"])
    assert place.saved(job_id) == 5


def test_what_a_deleted_job_told_goes_with_its_tombstone(place: Place) -> None:
    worker = place.worker()
    job_id = place.submit(telling.save_and_fail, params={"value": 5}, max_attempts=1)
    told = place.submit(telling.short)
    place.ended(job_id, told)
    undo = Undo()
    place.queue.clear_jobs([job_id, told], undo=undo)
    place.queue.restore_jobs(undo)
    assert place.saved(job_id) == 5
    assert place.progress(told)["done"] == 2
    place.queue.clear_jobs([job_id, told])
    assert stop(worker) == 0
    place.change("UPDATE core_tombstones SET deleted_at = '2001-01-01T00:00:00'")
    place.worker()
    wait_until(lambda: not place.rows("SELECT 1 FROM core_tombstones"))
    for table in ("core_saves", "core_progress", "job_executions"):
        assert place.rows(f"SELECT 1 FROM {table}") == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("an object", "TypeError: save() can't store it, because JSON can't hold it: Object of"),
        ("bytes", "TypeError: save() can't store it, because JSON can't hold it: Object of"),
        ("a key", "TypeError: save() can't store it, because JSON can't hold it: keys must be"),
        ("nan", "ValueError: save() can't store it, because JSON can't hold it: Out of range"),
        ("itself", "ValueError: save() can't store it, because JSON can't hold it: Circular"),
        ("large", "ValueError: save() can't store it, because it is too large: as JSON it has 65,"),
    ],
)
def test_what_cant_be_saved_is_refused(place: Place, works: Works, kind: str, error: str) -> None:
    works()
    job_id = place.submit(telling.save_oddly, params={"kind": kind}, max_attempts=1)
    job = place.end(job_id)
    assert job["status"] == "failed"
    assert job["error"].startswith(error)
    assert place.saved(job_id) is None


def test_the_largest_checkpoint_there_may_be(place: Place, works: Works) -> None:
    works()
    assert place.end(place.submit(telling.save_much))["result"] == 10_922


def test_threads_of_a_job_save_one_after_the_other(place: Place, works: Works) -> None:
    works()
    params = {"threads": 8, "times": 10}
    job = place.end(place.submit(telling.save_from_threads, params=params))
    assert job["result"] == sorted(list(range(8)) * 10), job["error"]


def test_an_alarm_of_the_jobs_own_breaks_a_save_off_and_no_more(place: Place) -> None:
    place.worker()
    job_id = place.submit(telling.save_among_alarms, params={"times": 200}, max_attempts=1)
    job = place.end(job_id)
    assert job["status"] == "completed", job["error"]
    whole, broken_off = job["result"]
    assert whole + broken_off == 200
    assert broken_off > 0
    # The process is as good as new.
    assert place.end(place.submit(chores.add, params={"a": 1, "b": 2}))["result"] == 3
    assert "is ended" not in place.log()


def test_a_signal_handler_may_save_while_a_save_waits(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(telling.save_within_an_alarm, max_attempts=1))
    assert job["status"] == "completed", job["error"]
    assert set(job["result"]) <= {"outside", "in the handler"}


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_job_that_is_stopped_can_still_save(
    place: Place, works: Works, tmp_path: Path, how: str
) -> None:
    works()
    job_id = place.submit(
        telling.save_when_stopped,
        params={"path": str(tmp_path / "pid")},
        timeout=BEGUN_BY_S if how == "timeout" else 60,
        max_attempts=1,
    )
    place.lines("pid")
    if how == "cancel":
        place.queue.cancel(job_id)
    job = place.end(job_id)
    assert job["status"] == {"timeout": "timeout", "cancel": "cancelled"}[how]
    assert place.saved(job_id) == "as it was stopped"


def test_what_is_saved_is_on_disk_when_save_returns(place: Place, tmp_path: Path) -> None:
    worker = place.worker()
    params = {"path": str(tmp_path / "pid"), "value": {"page": 3}}
    job_id = place.submit(telling.save_and_hold, params=params)
    place.lines("pid")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert place.saved(job_id) == {"page": 3}


@pytest.mark.parametrize("function", [telling.hold_and_tell, telling.hold_and_tell_async])
def test_a_superseded_attempt_writes_nothing_and_is_stopped(
    place: Place, works: Works, tmp_path: Path, function: Any
) -> None:
    works()
    go = tmp_path / "go"
    params = {"path": str(tmp_path / "told"), "go": str(go)}
    job_id = place.submit(function, params=params)
    place.lines("told")
    place.until_told(job_id, done=1)
    place.change("UPDATE jobs SET execution_id = 'of another' WHERE id = ?", job_id)
    go.touch()
    wait_until(
        lambda: place.rows("SELECT 1 FROM job_executions WHERE status = 'superseded'"),
        what="it to be stopped",
    )
    assert place.progress(job_id)["done"] == 1
    assert place.saved(job_id) == "first"
    assert "not stopped" not in place.lines("told")
    if function is telling.hold_and_tell_async:
        assert place.lines("told") == ["told", "tidied up"]
    assert place.status(job_id) == "running"
