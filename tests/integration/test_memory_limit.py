"""A job with a limit of memory: it fails where it takes too much, and harms nobody else."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import gigq
import pytest

from gigq_core import Worker
from gigq_core.worker import memory
from tests.integration import chores, hungry
from tests.integration.conftest import Place, gone, stop
from tests.waiting import wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")


@LINUX
def test_python_says_which_line_took_too_much_and_it_is_not_retried(place: Place) -> None:
    place.worker()
    job_id = place.submit(hungry.take, params={"mib": 600}, memory="256M", max_attempts=3)
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert job["error"].startswith("MemoryError")
    (attempt,) = job["executions"]
    assert "pieces.append(" in attempt["traceback"]
    assert attempt["decision"] == "not retried: it needs more memory than 256 MB"
    assert attempt["error_type"] == "MemoryError"


@LINUX
def test_it_is_retried_where_the_policy_names_it(place: Place) -> None:
    place.worker()
    job_id = place.submit(
        hungry.take_by_attempt, params={"mib": 600}, memory="256M", retry_on=[MemoryError]
    )
    job = place.end(job_id)
    assert (job["status"], job["result"]) == ("completed", 2)


@LINUX
@pytest.mark.parametrize("policy", [{}, {"retry_on": [KeyError]}, {"retry_on": [MemoryError]}])
def test_memory_that_is_refused_otherwise_is_a_memory_error_to_the_policy(
    place: Place, policy: dict[str, list[type]]
) -> None:
    place.worker()
    options = {"max_attempts": 2, **policy}
    mapped, module, limitless, other = (
        place.submit(function, params=params, memory=most, **options)
        for function, params, most in (
            (hungry.map_too_much, {"mib": 600}, "256M"),
            (hungry.refused_otherwise, {"kind": "module"}, "256M"),
            (hungry.refused_otherwise, {"kind": "module"}, None),
            (hungry.refused_otherwise, {"kind": "file"}, "256M"),
        )
    )
    again = policy.get("retry_on") == [MemoryError]
    for job in place.ended(mapped, module):
        assert (job["status"], job["attempts"]) == ("failed", 2 if again else 1)
    others = [job["attempts"] for job in place.ended(limitless, other)]
    assert others == [1 if policy else 2] * 2
    assert place.job(mapped)["executions"][0]["error_type"] == "OSError"


@LINUX
def test_within_its_limit_a_job_is_as_any_and_the_next_one_has_none(place: Place) -> None:
    place.worker()
    before, pid = place.end(place.submit(hungry.limits))["result"]
    for mib in (500, 1000):
        job_id = place.submit(hungry.limits, memory=f"{mib}M")
        assert place.end(job_id)["result"] == [mib * hungry.MIB, pid]
        assert place.end(place.submit(hungry.limits))["result"] == [before, pid]
    failed = place.submit(hungry.take, params={"mib": 600}, memory="256M", max_attempts=1)
    assert place.end(failed)["status"] == "failed"
    assert place.end(place.submit(hungry.limits))["result"] == [before, pid]
    # It takes as much as it likes.
    assert place.end(place.submit(hungry.take, params={"mib": 600}))["result"] == 600
    assert place.end(place.submit(hungry.take, params={"mib": 100}, memory="1G"))["result"] == 100
    assert "replaced" not in place.log()


@LINUX
def test_a_limit_that_a_job_lowers_for_good_costs_its_process_alone(place: Place) -> None:
    place.worker()
    before, pid = place.end(place.submit(hungry.limits))["result"]
    place.end(place.submit(hungry.lower_for_good, params={"mib": 900}, memory="1G"))
    after, other = place.end(place.submit(hungry.limits))["result"]
    assert (after, other == pid) == (before, False)


@LINUX
def test_who_catches_it_goes_on(place: Place) -> None:
    place.worker()
    job_id = place.submit(hungry.take_and_go_on, params={"mib": 900}, memory="200M")
    assert place.end(job_id)["result"] == "no more to be had"


@LINUX
def test_code_in_c_is_refused_its_memory_too(place: Place) -> None:
    place.worker()
    for mib, taken in ((900, 0), (50, 1)):
        job_id = place.submit(hungry.take_in_c, params={"mib": mib}, memory="256M")
        assert place.end(job_id)["result"] == taken


@pytest.mark.parametrize("policy", [{}, {"retry_on": [KeyError]}, {"retry_on": ["MemoryError"]}])
def test_all_that_descends_from_a_job_counts(
    place: Place, tmp_path: Path, policy: dict[str, list[object]]
) -> None:
    worker = place.worker("--concurrency", "2")
    path = tmp_path / "pids"
    job_id = place.submit(
        hungry.let_others_take,
        params={"processes": 3, "mib": 120, "path": str(path)},
        memory="250M",
        max_attempts=2,
        **policy,  # type: ignore[arg-type]
    )
    (job,) = place.ended(job_id, timeout_s=60)
    again = policy.get("retry_on") == ["MemoryError"]
    assert (job["status"], job["attempts"]) == ("failed", 2 if again else 1)
    for attempt in job["executions"]:
        assert attempt["status"] == "failed"
        said = attempt["error"]
        assert said.startswith("used ")
        assert said.endswith(" MB of 250 MB")
        assert 275 <= int(said.split()[1].partition(".")[0]) < 600
    # All that it had started is gone with it.
    wait_until(lambda: all(gone(pid) for pid in place.pids("pids")))
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    assert worker.poll() is None
    assert stop(worker) == 0


def test_what_no_limit_of_one_process_counts_is_seen(place: Place, tmp_path: Path) -> None:
    place.worker()
    params = {"mib": 400, "path": str(tmp_path / "pid")}
    job_id = place.submit(hungry.map_shared, params=params, memory="200M")
    job = place.end(job_id)
    assert job["error"].startswith("used ")
    assert job["attempts"] == 1


@LINUX
def test_what_processes_share_counts_once(place: Place, tmp_path: Path) -> None:
    place.worker()
    go, path = tmp_path / "go", tmp_path / "shared"
    params = {"processes": 3, "mib": 200, "path": str(path), "go": str(go)}
    job_id = place.submit(hungry.share, params=params, memory="450M")
    (pid,) = place.pids("shared")
    most = 450 * hungry.MIB
    wait_until(lambda: sum(map(memory.resident_bytes, memory.tree_of(pid))) > 1.1 * most)
    assert memory.MemoryWatch(pid, most).look(0.0) == ""
    assert memory.MemoryWatch(pid, most // 4).look(0.0).startswith("used 2")
    go.touch()
    assert place.end(job_id)["result"] == 200 * hungry.MIB


@LINUX
def test_what_others_left_in_a_process_does_not_count(place: Place) -> None:
    place.worker()
    pid = place.end(place.submit(hungry.keep, params={"mib": 200}))["result"]
    assert place.end(place.submit(hungry.pid))["result"] == pid
    job_id = place.submit(hungry.take, params={"mib": 100}, memory="256M", max_attempts=1)
    job = place.end(job_id)
    assert job["status"] == "completed", job["error"]
    assert place.end(place.submit(hungry.pid))["result"] != pid


def test_gigqs_workers_never_see_it(place: Place) -> None:
    job_id = place.submit(chores.nothing, memory="1G")
    theirs = gigq.Worker(str(place.db))
    assert not theirs.process_one()
    gigq.close_connections()
    place.worker()
    assert place.end(job_id)["status"] == "completed"


def test_in_a_thread_it_is_told_that_nobody_keeps_it(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    caplog.set_level("WARNING", "gigq_core.worker")
    worker = Worker(place.db)
    for _ in range(2):
        job_id = place.submit(chores.nothing, memory="64M")
        assert worker.process_one()
        assert place.status(job_id) == "completed"
    worker.close()
    (said,) = caplog.messages
    assert "has a memory limit of 64 MB, which can't be enforced here: threads share" in said


@pytest.mark.parametrize("value", ["much", -5, 0, b"x"])
def test_a_damaged_row_is_told_or_has_none(place: Place, value: object) -> None:
    job_id = place.submit(chores.nothing)
    place.change("UPDATE jobs SET memory = ? WHERE id = ?", value, job_id)
    place.worker()
    job = place.end(job_id)
    if isinstance(value, (str, bytes)):
        assert job["error"].startswith("its memory is not a number")
    else:
        assert job["status"] == "completed"


@LINUX
@pytest.mark.parametrize("size", [1, 4096, "1M"])
def test_a_limit_below_what_python_takes_fails_the_job_alone(place: Place, size: object) -> None:
    place.worker()
    before = place.end(place.submit(hungry.limits))["result"]
    job_id = place.submit(hungry.take, params={"mib": 50}, memory=size)
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)
    # Where the system says it first, these are its words.
    said = ("MemoryError", "used ", "Cannot allocate memory", "failed to map segment")
    assert any(words in job["error"] for words in said), job["error"]
    assert place.end(place.submit(hungry.limits))["result"][0] == before[0]


def test_a_tree_is_found_and_measured() -> None:
    script = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    inner = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *inner], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    found = memory.tree_of(process.pid)
    assert found[0] == process.pid
    assert len(found) == 2
    assert set(found) < set(memory.tree_of(os.getpid()))
    for pid in found:
        resident, own = memory.resident_bytes(pid), memory.own_bytes(pid)
        assert 1_000_000 < own <= resident < 100_000_000
    for pid in found:
        os.kill(pid, 9)
    process.wait()
    process.stdout.close()
    assert memory.resident_bytes(process.pid) == memory.own_bytes(process.pid) == 0
    assert memory.tree_of(process.pid) == [process.pid]
