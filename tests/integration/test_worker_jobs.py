"""Workers run jobs: outcomes, retries, broken rows, output, parents, order."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job
from gigq_core.job import FunctionReference
from gigq_core.system.paths import attempt_output, logs_folder
from gigq_core.units.times import parse_time
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, gone
from tests.waiting import wait_until


def test_a_job_runs_in_the_named_folder_and_leaves_its_result(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.where))
    assert job["status"] == "completed"
    assert job["result"]["cwd"] == str(ROOT)
    assert job["result"]["path"] == str(ROOT)
    assert job["result"]["python"] == sys.executable
    assert job["result"]["stdin"] == ""
    assert job["attempts"] == 1
    assert job["worker_id"] is None
    assert job["execution_id"] is None
    execution = job["executions"][0]
    assert execution["status"] == "completed"
    assert execution["pid"] == job["result"]["pid"]
    assert execution["output"] is None
    assert not (logs_folder(place.db) / "attempts").exists()


def test_rows_look_as_gigqs_own_worker_leaves_them(place: Place, tmp_path: Path) -> None:
    import gigq

    theirs = gigq.JobQueue(str(tmp_path / "theirs.db"))
    kinds: list[dict[str, Any]] = [
        {"name": "good", "function": chores.add, "params": {"a": 1, "b": 2}},
        {"name": "none", "function": chores.nothing},
        {"name": "bad", "function": chores.fail, "max_attempts": 1},
        {"name": "worse", "function": chores.fail, "params": {"message": ""}, "max_attempts": 2},
        {"name": "lost", "function": chores.give, "params": {"what": "?"}, "max_attempts": 1},
    ]
    our_ids = [place.queue.submit(Job(**kind)) for kind in kinds]
    their_ids = [theirs.submit(gigq.Job(**kind)) for kind in kinds]
    worker = gigq.Worker(str(tmp_path / "theirs.db"))
    while worker.process_one():
        pass
    place.worker()
    ours = place.ended(*our_ids)
    same = ("status", "result", "attempts", "worker_id", "retry_after", "max_attempts", "timeout")
    timed = ("started_at", "completed_at", "updated_at")
    for mine, their_id in zip(ours, their_ids, strict=True):
        their = theirs.get_status(their_id)
        assert {key: mine[key] for key in same} == {key: their[key] for key in same}
        # Theirs is the text alone, which says little, or nothing.
        kind = {"lost": "KeyError"}.get(mine["name"], "ValueError")
        with_kind = f"{kind}: {their['error']}" if their["error"] else kind
        assert mine["error"] == (None if their["error"] is None else with_kind)
        for key in timed:
            assert (mine[key] is None) == (their[key] is None)
            assert mine[key] is None or len(mine[key]) == len(their[key])
        statuses = [execution["status"] for execution in their["executions"]]
        assert [execution["status"] for execution in mine["executions"]] == statuses
    worker.close()


def test_a_failed_job_is_tried_again_after_its_delay(place: Place, tmp_path: Path) -> None:
    place.worker()
    path = str(tmp_path / "calls")
    params = {"path": path, "times": 2}
    job = place.end(place.submit(chores.fail_until, params=params, retry_delay=0.4))
    assert job["status"] == "completed"
    assert job["attempts"] == 3
    assert [e["status"] for e in job["executions"]] == ["failed", "failed", "completed"]
    assert job["error"] is None
    called = [float(line) for line in place.lines("calls", 3)]
    assert all(0.35 < later - earlier < 3 for earlier, later in pairwise(called))


def test_a_failure_tells_what_failed(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.fail, params={"message": "tea is out"}, max_attempts=1))
    assert job["status"] == "failed"
    assert job["error"] == "ValueError: tea is out"
    text = job["executions"][0]["traceback"]
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: tea is out")
    assert "chores.py" in text
    assert "runner.py" not in text


@pytest.mark.parametrize(
    ("function", "params", "reason"),
    [
        (chores.segfault, {}, "the process died: SIGSEGV"),
        (chores.end_process, {"code": 7}, "exit code 7"),
        (chores.end_process, {"code": 0}, "exit code 0"),
    ],
)
def test_a_process_that_dies_costs_its_job_only(
    place: Place, function: Any, params: dict[str, Any], reason: str
) -> None:
    bad = place.submit(function, params=params, max_attempts=2)
    good = place.submit(chores.add, params={"a": 2, "b": 2})
    place.worker()
    died, went_on = place.ended(bad, good)
    assert went_on["result"] == 4
    assert died["status"] == "failed"
    assert died["attempts"] == 2
    assert reason in died["error"]
    assert [e["status"] for e in died["executions"]] == ["crashed", "crashed"]


def test_every_way_to_fail_is_told_and_the_worker_goes_on(place: Place) -> None:
    ways = {
        "exit": (chores.call_exit, {}, "sys.exit(3)"),
        "recursion": (chores.recurse, {}, "maximum recursion depth"),
        "interrupt": (chores.interrupt, {}, "KeyboardInterrupt"),
        "params": (FunctionReference(chores.__name__, "add"), {"a": 1}, "missing 1 required"),
    }
    ids = {
        name: place.submit(function, params=params, max_attempts=1)
        for name, (function, params, _) in ways.items()
    }
    place.worker()
    for name, job_id in ids.items():
        job = place.end(job_id)
        assert job["status"] == "failed", name
        assert ways[name][2] in job["error"]
        kinds = ("SystemExit", "RecursionError", "KeyboardInterrupt", "TypeError")
        assert any(kind in job["executions"][0]["traceback"] for kind in kinds)
    assert place.end(place.submit(chores.nothing))["status"] == "completed"


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_result_that_json_cannot_hold_is_not_tried_again(place: Place, isolation: str) -> None:
    ids = [
        place.submit(chores.give, params={"what": what}, max_attempts=3)
        for what in ("object", "nan", "bytes", "set")
    ]
    place.worker("--isolation", isolation)
    for job in place.ended(*ids):
        assert job["status"] == "failed"
        assert job["attempts"] == 1
        assert "JSON can't hold it" in job["error"]


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_broken_rows_fail_with_a_reason_and_stop_nothing(place: Place, isolation: str) -> None:
    broken = {
        "params = '{not json'": "not JSON",
        "params = '[1, 2]'": "not a JSON object",
        "params = NULL": "NULL",
        "params = x'ff00'": "not text",
        "dependencies = 'nonsense'": "dependencies are not JSON",
        "dependencies = '{\"a\": 1}'": "not a list of job ids",
        "function_module = 'no_such_module', max_attempts = 1": "No module named 'no_such_module'",
        "function_name = 'no_such', max_attempts = 1": "has no function 'no_such'",
        "function_module = CAST(x'6e6fff' AS TEXT), max_attempts = 1": "No module named",
        "timeout = 'soon'": "timeout is not a number",
        "max_attempts = 'many'": "max_attempts is not a number",
    }
    ids = {change: place.submit(chores.nothing) for change in broken}
    for change, job_id in ids.items():
        place.change(f"UPDATE jobs SET {change} WHERE id = ?", job_id)
    place.change(
        "INSERT INTO jobs (id, name, function_name, function_module, params, priority,"
        " dependencies, max_attempts, timeout, description, status, created_at, updated_at,"
        " attempts, result, error, started_at, completed_at, worker_id, pass_parent_results,"
        " retry_delay, retry_after) SELECT NULL, name, function_name, function_module, params, 99,"
        " dependencies, max_attempts, timeout, description, status, created_at, updated_at,"
        " attempts, result, error, started_at, completed_at, worker_id, pass_parent_results,"
        " retry_delay, retry_after FROM jobs LIMIT 1"
    )
    blurred = place.submit(chores.nothing)
    place.change("UPDATE jobs SET id = CAST(x'61ff62' AS TEXT) WHERE id = ?", blurred)
    odd = place.submit(chores.nothing)
    place.change(
        "UPDATE jobs SET max_attempts = NULL, timeout = NULL, retry_delay = NULL, attempts = NULL,"
        " priority = NULL, params = '', dependencies = NULL WHERE id = ?",
        odd,
    )
    good = place.submit(chores.nothing)
    place.worker("--isolation", isolation, "--concurrency", "2")
    for change, job_id in ids.items():
        job = place.end(job_id)
        assert job["status"] == "failed", change
        assert broken[change] in job["error"], (change, job["error"])
        assert job["attempts"] == 1
    assert place.end(good)["status"] == "completed"
    assert place.end(odd)["status"] == "completed"
    blurred_status = "SELECT status FROM jobs WHERE hex(id) = '61FF62'"
    wait_until(lambda: place.rows(blurred_status) == [{"status": "completed"}])


def test_output_is_kept_for_each_attempt(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.speak, params={"lines": 3}))
    execution = job["executions"][0]
    path = attempt_output(place.db, execution["id"])
    assert logs_folder(place.db) / execution["output"] == path
    text = path.read_text()
    assert text.splitlines() == [
        "line 0",
        "line 1",
        "line 2",
        "to stderr",
        "from a shell",
        "to the descriptor",
    ]
    quiet = place.end(place.submit(chores.nothing))
    assert quiet["executions"][0]["output"] is None
    assert not attempt_output(place.db, quiet["executions"][0]["id"]).exists()


def test_output_is_bounded_and_keeps_both_ends(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.flood, params={"megabytes": 8}))
    path = attempt_output(place.db, job["executions"][0]["id"])
    data = path.read_bytes()
    assert len(data) < 1024 * 1024 + 100
    assert data.startswith(b"the first line\n")
    assert data.endswith(b"\nthe last line\n")
    assert b"bytes left out" in data


def test_output_can_be_read_while_the_job_runs(place: Place, tmp_path: Path) -> None:
    place.worker()
    job_id = place.submit(chores.say_and_hold, params={"path": str(tmp_path / "held")})
    place.lines("held")
    path = attempt_output(place.db, place.job(job_id)["execution_id"])
    wait_until(path.exists, what="the output")
    wait_until(lambda: path.read_text() == "here I am\n", what="the line")


def test_a_crash_leaves_its_stack_in_the_output(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.segfault, max_attempts=1))
    text = attempt_output(place.db, job["executions"][0]["id"]).read_text()
    assert text.startswith("about to fall\n")
    assert "Segmentation fault" in text
    assert "in segfault" in text


def test_a_job_cannot_spoil_the_process_for_the_next(place: Place) -> None:
    place.worker()
    first = place.end(place.submit(chores.vandalise))
    second = place.end(place.submit(chores.speak, params={"lines": 1}))
    third = place.end(place.submit(chores.where))
    # Its streams were closed, which modules may hold: so it was replaced.
    assert third["result"]["pid"] != first["result"]
    assert third["result"]["cwd"] == str(ROOT)
    output = attempt_output(place.db, second["executions"][0]["id"]).read_text()
    assert "line 0" in output
    assert "to the descriptor" in output


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_parents_results_come_in_the_order_of_the_dependencies(
    place: Place, isolation: str
) -> None:
    parents = [place.submit(chores.add, params={"a": n, "b": 0}) for n in (3, 1, 2)]
    wanted = place.submit(chores.collect, dependencies=parents)
    by_name = place.submit(chores.collect_any, dependencies=parents)
    refused = place.submit(chores.collect_any, dependencies=parents, pass_parent_results=False)
    none = place.submit(chores.collect_any)
    place.worker("--isolation", isolation, "--concurrency", "2")
    assert [job["result"] for job in place.ended(wanted, by_name, refused, none)] == [
        [3, 1, 2],
        ["parent_results"],
        [],
        [],
    ]


def test_one_order_for_all_by_priority_then_submission(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "order")
    parent = place.submit(chores.note, params={"path": path, "text": "parent"}, priority=9)
    expected = {}
    for number, priority in enumerate([0, 5, -1, 5, 2, 0]):
        text = f"{number} at {priority}"
        expected[text] = (-priority, number)
        dependencies = [parent] if number % 2 else []
        place.submit(
            chores.note,
            params={"path": path, "text": text},
            priority=priority,
            dependencies=dependencies,
        )
    place.worker()
    lines = place.lines("order", 7)
    assert lines == ["parent", *sorted(expected, key=lambda text: expected[text])]


def test_eight_slots_share_the_work_and_run_each_job_once(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    jobs = [Job(f"{n}", chores.note, {"path": path, "text": str(n)}) for n in range(200)]
    place.queue.submit_many(jobs)
    place.worker("--concurrency", "8")
    place.ended(*(job.id for job in jobs))
    assert sorted(place.lines("ran", 200), key=int) == [str(n) for n in range(200)]
    pids = {row["pid"] for row in place.rows("SELECT DISTINCT pid FROM job_executions")}
    assert 2 <= len(pids) <= 8


def test_a_copy_of_the_process_has_no_say(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.fork_and_return))
    assert job["result"] == "the original"
    assert place.end(place.submit(chores.nothing))["status"] == "completed"


def test_a_job_that_closes_the_pipes_is_ended(place: Place) -> None:
    place.worker()
    bad = place.submit(chores.close_everything, max_attempts=1)
    good = place.submit(chores.nothing)
    ended = place.ended(bad, good)
    assert [job["status"] for job in ended] == ["failed", "completed"]
    assert ended[0]["executions"][0]["status"] == "crashed"
    assert "closed the pipe" in ended[0]["error"]


def test_what_a_job_left_running_ends_with_the_job(place: Place, tmp_path: Path) -> None:
    place.worker()
    job = place.end(place.submit(chores.leave_a_process, params={"path": str(tmp_path / "left")}))
    assert job["status"] == "completed"
    assert gone(job["result"])
    assert "a job left 1 process" in place.log()


def test_an_idle_worker_writes_nothing(place: Place) -> None:
    place.worker()
    place.end(place.submit(chores.nothing))
    conn = sqlite3.connect(place.db)

    def version() -> int:
        return int(conn.execute("PRAGMA data_version").fetchone()[0])

    def quiet_for_a_while() -> bool:
        before, until = version(), time.monotonic() + 1.2
        wait_until(lambda: time.monotonic() > until)
        return version() == before

    wait_until(quiet_for_a_while, what="the worker to be quiet")
    conn.close()


def test_large_parameters_and_results_pass(place: Place) -> None:
    place.worker()
    big = "x" * 3_000_000
    job_id = place.queue.submit(Job("big", chores.note, {"path": "/dev/null", "text": big}))
    assert place.end(job_id)["result"] == big


def test_times_are_in_order_and_the_row_is_dated(place: Place) -> None:
    place.worker()
    job = place.end(place.submit(chores.nothing))
    moments = [parse_time(job[key]) for key in ("created_at", "started_at", "completed_at")]
    assert None not in moments
    assert moments == sorted(moments, key=str)


def test_a_dropped_index_is_made_again(place: Place) -> None:
    place.worker()
    place.change("DROP INDEX core_open")
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    assert place.rows("SELECT 1 FROM sqlite_master WHERE name = 'core_open'")


def test_a_file_of_gigq_is_attached_by_the_worker(tmp_path: Path) -> None:
    import gigq

    theirs = gigq.JobQueue(str(tmp_path / "jobs.db"))
    parent = theirs.submit(gigq.Job("parent", chores.add, {"a": 1, "b": 1}))
    child = theirs.submit(gigq.Job("child", chores.collect, dependencies=[parent]))
    theirs.close()
    place = Place(tmp_path)
    try:
        place.worker()
        assert place.end(child)["result"] == [2]
    finally:
        place.close()


def test_results_are_stored_as_gigq_encodes_them(place: Place) -> None:
    place.worker()
    text = "Füße \U0001f600 \x1b[31m"
    job_id = place.submit(chores.note, params={"path": "/dev/null", "text": text})
    assert place.end(job_id)["result"] == text
    conn = sqlite3.connect(place.db)
    stored = conn.execute("SELECT result FROM jobs WHERE id = ?", (job_id,)).fetchone()[0]
    conn.close()
    assert stored == json.dumps(text)
