"""What a job says or writes into its process harms its own attempt, and nobody else's.

Real workers, with hostile jobs beside good ones: the worker's process never ends, good jobs
complete once, hostile ones end with a reason that a person can read.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gigq_core import Job
from tests.integration.conftest import Place, stop
from tests.reliability import hostile_jobs
from tests.reliability.tasks import runs

MIB = 1024 * 1024
# One slot for a hostile job, one for a good one.
SLOTS = ("--concurrency", "2")

LINES = [
    *("5\n", "[]\n", "null\n", "{}\n", '"x"\n', "\n", "\0\n", "true\n", "NaN\n"),
    "[" * 50_000 + "\n",
    '{"a":' * 50_000 + "\n",
    '{"done": "x"}\n',
    '{"done": 5, "ok": true, "result": null}\n',
    '{"done": [], "ok": [], "result": {}}\n',
    '{"done": "x", "ok": true, "result": "1"}\n',
    '{"done": null, "ok": false, "hopeless": 1, "error": [], "traceback": {}}\n',
    '{"ready": 1, "python": [3, 11, 0]}\n',
    '{"ready": null}\n',
    '{"ask": "parents"}\n',
    '{"ask": "parents", "number": 1}\n',
    '{"ask": "saved", "number": 1}\n' * 2_000,
    '{"report": [1, 2]}\n',
    '{"report": [-1, null, ""]}\n',
    '{"report": [1e999, null, ""]}\n',
    '{"report": [1, null, "' + "x" * 201 + '"]}\n',
    '{"save": "1"}\n',
    '{"save": "' + "1" * 65_537 + '", "number": 1}\n',
    '{"submit": "{}"}\n',
    '{"submit": {}, "number": 1}\n',
    '{"submit": "{}", "number": 1}\n',
    '{"submit": "[1]", "number": 1}\n' * 2_000,
    '{"ready": ' + "9" * 6_000 + "}\n",
    '{"peak": 1e999}\n',
    '{"done": ',
    '{"done": "x", "ok": tr',
    "x" * 200_000,
    "x" * 200_000 + "\n",
    "caf\xc3(.txt\n",
    "\xff\xfe\x00\x00",
    "\x1b]0;title\x07\n",
]
ENDS = ["return", "raise", "exit", "die", "wait"]


def reads_well(job: dict[str, Any]) -> bool:
    """The reason is one of words, in few characters, whatever the job has written."""
    error = job["error"]
    return bool(error) and error.isprintable() and error.isascii() and len(error) < 500


def hostile(luck: random.Random) -> Job:
    pieces = luck.sample(LINES, luck.randint(1, 3))
    params = {"pieces": pieces, "ends": luck.choice(ENDS)}
    attempts = luck.randint(1, 2)
    timeout = 1 if params["ends"] == "wait" else 60
    return Job("bad", hostile_jobs.write_everywhere, params, max_attempts=attempts, timeout=timeout)


def ordeal(place: Place, path: Path, bad: list[Job], timeout_s: float) -> list[dict[str, Any]]:
    """Run hostile jobs with good ones around them; returns how the hostile ones ended."""
    jobs: list[Job] = []
    good: list[str] = []
    for number, job in enumerate([*bad, *bad[:1]]):
        label = f"good-{number}"
        params = {"path": str(path), "label": label}
        jobs.append(Job(label, hostile_jobs.good, params, max_attempts=1))
        good.append(jobs[-1].id)
        if number < len(bad):
            jobs.append(job)
    place.queue.submit_many(jobs)
    worker = place.worker(*SLOTS)
    for job in place.ended(*good, timeout_s=timeout_s):
        assert (job["status"], job["attempts"]) == ("completed", 1), job
    found = place.ended(*(job.id for job in bad), timeout_s=timeout_s)
    assert all(len(run) == 1 for run in runs(path).values())
    assert worker.poll() is None, place.log()
    assert stop(worker) == 0
    return found


def harm(place: Place, path: Path, seed: int, count: int, timeout_s: float) -> None:
    luck = random.Random(seed)
    for job in ordeal(place, path, [hostile(luck) for _ in range(count)], timeout_s):
        assert job["status"] in ("failed", "timeout"), job
        assert reads_well(job), job
        assert job["attempts"] == len(job["executions"]) == job["max_attempts"], job
        for execution in job["executions"]:
            assert execution["status"] in ("crashed", "timeout", "failed"), job
            assert execution["result"] is None


def test_whatever_a_job_writes_into_its_descriptors_costs_that_job_alone(
    place: Place, tmp_path: Path
) -> None:
    harm(place, tmp_path / "runs", seed=1, count=12, timeout_s=60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 112))
def test_whatever_jobs_write_for_long(place: Place, tmp_path: Path, seed: int) -> None:
    harm(place, tmp_path / "runs", seed, count=60, timeout_s=300)


def test_each_line_on_its_own_ends_its_attempt_with_the_reason(place: Place) -> None:
    ids = [
        place.submit(
            hostile_jobs.write_everywhere,
            params={"pieces": [line], "ends": "return"},
            max_attempts=1,
        )
        for line in LINES
    ]
    worker = place.worker(*SLOTS)
    for line, job in zip(LINES, place.ended(*ids, timeout_s=60), strict=True):
        assert job["status"] == "failed", (line[:50], job)
        assert reads_well(job), job
        assert "wrote into the pipe to its worker" in job["error"]
        assert [e["status"] for e in job["executions"]] == ["crashed"]
    assert stop(worker) == 0


TEXTS = {"exit": "sys.exit('caf\\udcc3(.txt \\x00 end')", "type": "\\udcc3", "bytes": "b'\\xff"}


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_text_of_any_kind_is_stored_so_that_it_can_be_read(place: Place, isolation: str) -> None:
    ids = {
        kind: place.submit(hostile_jobs.raise_text, params={"kind": kind}, max_attempts=1)
        for kind in ("exit", "type", "bytes", "os")
    }
    good = place.submit(hostile_jobs.return_text)
    worker = place.worker("--isolation", isolation)
    for kind, job_id in ids.items():
        job = place.end(job_id)
        assert job["status"] == "failed"
        assert reads_well(job), job
        assert TEXTS.get(kind, "FileNotFoundError: ") in job["error"]
        (row,) = place.rows(
            "SELECT length(error) AS length, instr(error, char(0)) AS nul FROM jobs WHERE id = ?",
            job_id,
        )
        assert row == {"length": len(job["error"]), "nul": 0}
    assert place.end(good)["result"] == hostile_jobs.return_text()
    assert stop(worker) == 0


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_result_beyond_the_limit_fails_for_good_and_none_of_it_is_stored(
    place: Place, isolation: str
) -> None:
    def give(count: int) -> str:
        return place.submit(hostile_jobs.return_much, params={"count": count})

    fits, not_quite, much = give(MIB - 2), give(MIB - 1), give(100 * MIB)
    worker = place.worker("--isolation", isolation, "--max-result", "1M")
    assert place.end(fits)["result"] == "x" * (MIB - 2)
    for job in place.ended(not_quite, much, timeout_s=60):
        assert (job["status"], job["attempts"], job["result"]) == ("failed", 1, None)
        assert "1 MiB" in job["error"].splitlines()[0]
        assert "'xxx" in job["error"]
        assert len(job["error"]) < 1_000
    assert place.db.stat().st_size + Path(f"{place.db}-wal").stat().st_size < 10 * MIB
    assert stop(worker) == 0


def peak_of(pid: int, act: Callable[[], object]) -> float:
    """The most memory, in MiB, that a process had up to now, once `act` is over."""
    act()
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells the peak")
def test_neither_a_line_without_end_nor_a_large_result_takes_the_workers_memory(
    place: Place,
) -> None:
    endless = place.submit(hostile_jobs.write_without_end, max_attempts=2)
    large = place.submit(hostile_jobs.return_much, params={"count": 300 * MIB})
    good = place.submit(hostile_jobs.return_much, params={"count": 15 * MIB})
    worker = place.worker()
    peak = peak_of(worker.pid, lambda: place.ended(endless, large, good, timeout_s=120))
    found = [place.job(job_id) for job_id in (endless, large, good)]
    assert [job["status"] for job in found] == ["failed", "failed", "completed"]
    assert "a line of more than" in found[0]["error"]
    assert "16 MiB" in found[1]["error"]
    assert peak < 350
    assert stop(worker) == 0


def test_an_answer_goes_into_its_pipe_or_nowhere(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    closes = place.submit(
        hostile_jobs.reopen_descriptors, params={"folder": str(folder)}, max_attempts=1
    )
    good = place.submit(hostile_jobs.good, params={"path": str(tmp_path / "runs"), "label": "g"})
    worker = place.worker()
    job, fine = place.ended(closes, good)
    assert fine["status"] == "completed"
    assert (job["status"], job["executions"][0]["status"]) == ("failed", "crashed")
    assert "closed the pipe to its worker" in job["error"]
    files = list(folder.iterdir())
    assert len(files) == len(hostile_jobs.DESCRIPTORS)
    assert {path.read_bytes() for path in files} == {b""}
    assert stop(worker) == 0


def test_a_file_in_the_place_of_any_one_descriptor_stays_as_the_job_left_it(
    place: Place, tmp_path: Path
) -> None:
    jobs: dict[int, str] = {}
    good: list[str] = []
    for fd in range(3, 20):
        params = {"path": str(tmp_path / f"mine-{fd}"), "fd": fd}
        jobs[fd] = place.submit(hostile_jobs.reopen_one, params=params, max_attempts=1)
        given = {"path": str(tmp_path / "runs"), "label": f"good-{fd}"}
        good.append(place.submit(hostile_jobs.good, params=given, max_attempts=1))
    worker = place.worker()
    for job in place.ended(*good, timeout_s=60):
        assert (job["status"], job["attempts"]) == ("completed", 1), (job, place.log())
    for fd, job_id in jobs.items():
        job = place.end(job_id)
        assert job["status"] == "completed" or "closed the pipe" in job["error"], (fd, job)
        mine = tmp_path / f"mine-{fd}"
        assert not mine.exists() or mine.read_bytes() == b"mine\n", fd
    assert stop(worker) == 0


def test_descriptors_that_do_not_wait_lose_no_answer(place: Place, tmp_path: Path) -> None:
    params = {"fds": list(range(60))}
    first = place.submit(hostile_jobs.block_not, params=params, max_attempts=1)
    second = place.submit(
        hostile_jobs.return_much, params={"count": 4 * MIB}, max_attempts=1, dependencies=[first]
    )
    worker = place.worker()
    for job in place.ended(first, second):
        assert job["status"] == "completed", job
    assert stop(worker) == 0


@pytest.mark.parametrize("end", ["at once", "later"])
def test_a_forged_answer_costs_the_next_job_nothing(place: Place, tmp_path: Path, end: str) -> None:
    forging = Job("forges", hostile_jobs.answer_in_the_name_of_the_worker, {"end": end})
    good = [
        Job(f"{n}", hostile_jobs.good, {"path": str(tmp_path / "runs"), "label": f"g{n}"})
        for n in range(5)
    ]
    for job in good:
        job.max_attempts = 1
    place.queue.submit_many([forging, *good])
    worker = place.worker()
    for found in place.ended(*(job.id for job in good)):
        assert (found["status"], found["attempts"]) == ("completed", 1), found
    assert json.dumps(place.end(forging.id)["result"]) == '"forged"'
    assert worker.poll() is None
    assert stop(worker) == 0


# --- interpreters that are none, or say more than they should --------------------------------


def interpreter(folder: Path, *lines: str) -> str:
    path = folder / "interpreter"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


def test_what_an_interpreter_says_as_it_starts_does_no_harm(place: Place, tmp_path: Path) -> None:
    python = interpreter(
        tmp_path, "echo 'Activating the environment'", f'exec "{sys.executable}" "$@"'
    )
    job_id = place.submit(hostile_jobs.return_text)
    worker = place.worker("--python", python)
    assert place.end(job_id)["status"] == "completed"
    assert stop(worker) == 0


# What comes behind it comes in the same write: else a job may have been begun between the two.
READY = """printf '%s\\n%b' '{"ready": 1, "python": [3, 11, 0]}'"""
SECOND = """'{"ready": 1, "python": [3, 11, 0]}\\n'"""
USELESS = {
    "says nothing of ours": ("echo hello",),
    "talks without end": ("exec yes",),
    "writes a line without end": ("exec cat /dev/zero",),
    "is ready twice": (f"{READY} {SECOND}", "exec sleep 60"),
    "is ready, and talks on": (f"{READY} 'nonsense\\n'", "exec sleep 60"),
    "is ready, and begins to talk": (f"{READY} x", "exec sleep 60"),
}


@pytest.mark.parametrize("lines", USELESS.values(), ids=USELESS.keys())
def test_an_interpreter_that_never_gets_to_a_job_ends_the_worker_with_a_sentence(
    place: Place, tmp_path: Path, lines: tuple[str, ...]
) -> None:
    job_id = place.submit(hostile_jobs.return_text)
    worker = place.worker("--python", interpreter(tmp_path, *lines), wait=False)
    assert worker.wait(timeout=60) != 0
    assert "does not run jobs" in place.log()
    assert "Traceback" not in place.log()
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)
