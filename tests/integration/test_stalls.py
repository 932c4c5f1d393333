"""A job that shows no sign of life is stopped: progress, checkpoints and output are such signs."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from gigq_core.worker import heard
from gigq_core.worker.claims import Claim
from gigq_core.worker.heard import Report, SignsOfLife
from tests.integration import telling
from tests.integration.conftest import Place, Works, gone
from tests.waiting import wait_until

STALL_S = 0.5


@pytest.mark.parametrize(
    ("done", "total", "said"), [(42.9, 100, "42 %"), (7, None, "7"), (1200, None, "1,200")]
)
def test_a_silent_job_is_stopped_as_by_a_timeout(
    place: Place, tmp_path: Path, done: float, total: int | None, said: str
) -> None:
    place.worker()
    params = {"done": done, "total": total, "path": str(tmp_path / "pids")}
    job_id = place.submit(
        telling.silent_after, params=params, stall_timeout=STALL_S, max_attempts=2
    )
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("timeout", 2)
    assert job["error"] == f"no sign of life for 0.5s, last {said}"
    # That is no exception of the job's, though its traceback ends with what stopped it.
    for attempt in job["executions"]:
        assert (attempt["error_type"], attempt["error_message"]) == (None, job["error"])
    assert [one["status"] for one in job["executions"]] == ["timeout"] * 2
    assert all(one["error"] == job["error"] for one in job["executions"])
    assert "silent" in job["executions"][0]["traceback"]
    for pid in place.pids("pids"):
        wait_until(lambda pid=pid: gone(pid))


def test_one_that_never_said_a_word(place: Place, tmp_path: Path) -> None:
    place.worker()
    params = {"path": str(tmp_path / "pids")}
    job_id = place.submit(telling.silent, params=params, stall_timeout=STALL_S, max_attempts=1)
    job = place.end(job_id)
    assert (job["status"], job["error"]) == ("timeout", "no sign of life for 0.5s")


def test_in_a_thread_too(place: Place, works: Works, tmp_path: Path) -> None:
    works()
    params = {"how": "nothing", "path": str(tmp_path / "go")}
    job_id = place.submit(telling.talk, params=params, stall_timeout=STALL_S, max_attempts=1)
    job = place.end(job_id)
    assert (job["status"], job["error"]) == ("timeout", "no sign of life for 0.5s")


@pytest.mark.parametrize("how", ["progress", "save", "output", "a program"])
def test_a_sign_of_any_kind_is_one(place: Place, tmp_path: Path, how: str) -> None:
    place.worker()
    go = tmp_path / "go"
    # Long enough for a busy machine, and several times the time between two signs.
    params = {"how": how, "path": str(go)}
    job_id = place.submit(telling.talk, params=params, stall_timeout=1.5, max_attempts=1)
    began = wait_until(lambda: place.job(job_id)["began"])
    wait_until(lambda: time.time() > began + 3.5)
    assert place.status(job_id) == "running", place.job(job_id)["error"]
    go.touch()
    assert place.end(job_id)["result"] == how


def test_while_a_save_waits_for_its_commit_the_clock_stands(
    place: Place, works: Works, tmp_path: Path
) -> None:
    works()
    go = tmp_path / "go"
    params = {"path": str(tmp_path / "notes"), "go": str(go)}
    job_id = place.submit(telling.save_once, params=params, stall_timeout=1, max_attempts=1)
    place.lines("notes")
    other = sqlite3.connect(place.db, isolation_level=None, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    go.touch()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + 2.5)
    other.execute("ROLLBACK")
    other.close()
    job = place.end(job_id)
    assert (job["status"], job["result"]) == ("completed", "saved"), job["error"]


def test_a_worker_that_stood_still_proves_nothing(place: Place, tmp_path: Path) -> None:
    worker = place.worker()
    go = tmp_path / "go"
    params = {"how": "progress", "path": str(go)}
    job_id = place.submit(telling.talk, params=params, stall_timeout=2, max_attempts=1)
    place.until_told(job_id)
    wait_until(lambda: place.job(job_id)["progress"])
    (child,) = {row["pid"] for row in place.rows("SELECT pid FROM job_executions")}
    # Both are suspended, as with the machine; the worker goes on first.
    os.kill(child, signal.SIGSTOP)
    os.kill(worker.pid, signal.SIGSTOP)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + 4.5)
    os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: "did not run for" in place.log())
    os.kill(child, signal.SIGCONT)
    go.touch()
    assert place.end(job_id)["status"] == "completed", place.job(job_id)["error"]


def claim() -> Claim:
    return Claim("j", "t", "n", "m", "f", "{}", (), 1, 1, 300.0, 0.0, None)


def test_the_clock_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: dict[str, float] = {"now": 100.0, "asleep": 5.0}
    monkeypatch.setattr(heard.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(heard, "asleep_s", lambda: clock["asleep"])
    signs = SignsOfLife(60)
    assert signs.due() == 160
    assert not signs.has_stalled(159.9)
    clock["now"] = 130.0
    signs.seen()
    assert signs.due() == 190
    # While it waits for its worker there is no end.
    signs.wait(True)
    assert not signs.has_stalled(10_000)
    clock["now"] = 200.0
    signs.wait(False)
    assert signs.due() == 260
    # A sleep of the machine restarts it, whether this clock went on meanwhile or not.
    clock["now"], clock["asleep"] = 261.0, 30_000.0
    assert not signs.has_stalled(261)
    assert signs.due() == 321
    clock["now"] = 321.0
    assert signs.has_stalled(321)
    assert signs.sentence == "no sign of life for 60s"
    signs.seen(Report(claim(), 1, 3, "", 0.0))
    assert signs.sentence == "no sign of life for 60s, last 33 %"
    signs.seen(Report(claim(), 12_345_678.0, None, "", 0.0))
    assert signs.sentence == "no sign of life for 60s, last 12,345,678"
    assert not signs.has_stalled(380.9)


def test_a_machine_that_does_not_sleep_tells_so() -> None:
    first = heard.asleep_s()
    assert abs(heard.asleep_s() - first) < 0.1


def test_zero_is_refused_and_texts_are_durations(place: Place) -> None:
    params: dict[str, Any] = {"path": "x"}
    with pytest.raises(ValueError, match="stall_timeout"):
        place.submit(telling.silent, params=params, stall_timeout=0)
    job_id = place.submit(telling.silent, params=params, stall_timeout="1h30m")
    assert place.job(job_id)["stall_timeout"] == 5400
