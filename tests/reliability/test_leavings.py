"""What a job leaves in its process never reaches the next one: hostile jobs beside good ones."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job
from gigq_core.job import FunctionReference
from gigq_core.system.paths import attempt_output
from tests.integration.conftest import Place, gone, stop
from tests.reliability import leaving
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is looked at is Linux's")

WORD = "said by a good one"
# So many of those after which the process is replaced are tried in a quick run.
QUICK = 8


class Crowd:
    """A queue whose jobs lie in a folder of their own, so that nothing else is in their process."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.folder / "project"
        self.folder.mkdir()
        shutil.copy(leaving.__file__, self.folder / "leaving.py")

    def submit(self, function: str, *, attempts: int = 1, **params: Any) -> str:
        job = Job(function, FunctionReference("leaving", function), params, max_attempts=attempts)
        return self.place.queue.submit(job)

    def worker(self, *options: str) -> Any:
        # A short grace: some of what is left keeps the interpreter from ending.
        return self.place.worker("--chdir", str(self.folder), "--grace", "1", *options)

    def finds(self, job_id: str) -> dict[str, Any]:
        """What a good job found, after one attempt."""
        (job,) = self.place.ended(job_id, timeout_s=120)
        assert (job["status"], job["attempts"]) == ("completed", 1), job["error"]
        return dict(job["result"])

    def output(self, job_id: str) -> str:
        (execution,) = self.place.job(job_id)["executions"]
        return attempt_output(self.place.db, execution["id"]).read_text()


@pytest.fixture
def crowd(place: Place) -> Iterator[Crowd]:
    made = Crowd(place)
    yield made
    # The children of a worker are in sessions of their own; none is to be left.
    for process in place._workers:
        if process.poll() is None:
            stop(process)
    assert not children_below(made.folder)


def children_below(folder: Path) -> list[str]:
    """The processes whose working folder is the project's."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/cwd") == str(folder):
                found.append(name)
        except OSError:
            continue
    return found


def difference(fresh: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    return {key: (fresh[key], found[key]) for key in fresh if found[key] != fresh[key]}


def try_all(crowd: Crowd, names: list[str], slots: int) -> None:
    """Every hostile job with a good one behind it; the first good one finds a fresh process."""
    first = crowd.submit("look", word=WORD)
    pairs = []
    for name in names:
        hostile = crowd.submit("leave", name=name)
        pairs.append((name, hostile, crowd.submit("look", word=WORD)))
    worker = crowd.worker("--concurrency", str(slots))
    fresh = crowd.finds(first)
    wrong = {}
    for name, hostile, good in pairs:
        if changed := difference(fresh, crowd.finds(good)):
            wrong[name] = changed
        if crowd.output(good) != crowd.output(first):
            wrong[f"{name}, its output"] = {"text": crowd.output(good)}
        crowd.place.ended(hostile)
        if name != "a_failure":
            assert crowd.place.status(hostile) == "completed", (name, crowd.place.job(hostile))
    assert not wrong, (wrong, crowd.place.log())
    assert stop(worker) == 0


def shuffled(names: list[str]) -> list[str]:
    return random.Random(os.urandom(8)).sample(names, len(names))


@pytest.mark.parametrize("slots", [1, 3])
def test_a_good_job_behind_a_hostile_one_finds_a_process_as_good_as_new(
    crowd: Crowd, slots: int
) -> None:
    put_back = [name for name in leaving.LEAVINGS if name not in leaving.REPLACED]
    replaced = [name for name in leaving.LEAVINGS if name in leaving.REPLACED]
    try_all(crowd, shuffled(put_back + shuffled(replaced)[:QUICK]), slots)


@pytest.mark.long
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_and_behind_every_one_in_any_order(crowd: Crowd, slots: int) -> None:
    try_all(crowd, shuffled(3 * list(leaving.LEAVINGS)), slots)


def test_one_that_takes_every_descriptor_fails_none_of_ten_behind_it(crowd: Crowd) -> None:
    crowd.submit("leave", name="every_descriptor")
    good = [crowd.submit("look", word=WORD) for _ in range(10)]
    crowd.worker()
    for job_id in good:
        crowd.finds(job_id)
    assert "open descriptors" in crowd.place.log()


def test_helpers_that_jobs_leave_leave_no_zombies(crowd: Crowd) -> None:
    jobs = [crowd.submit("leave", name="a_dead_process") for _ in range(30)]
    last = crowd.submit("look", word=WORD)
    crowd.worker()
    assert crowd.finds(last)["children"] == []
    crowd.place.ended(*jobs)


def test_no_two_jobs_draw_the_same_numbers(crowd: Crowd) -> None:
    drawn = []
    for _ in range(3):
        crowd.submit("leave", name="a_seed")
        drawn.append(crowd.submit("drawn"))
    crowd.worker()
    assert len({job["result"] for job in crowd.place.ended(*drawn)}) == 3


def pid_of(crowd: Crowd, job_id: str) -> int:
    return int(crowd.place.job(job_id)["executions"][-1]["pid"])


@pytest.mark.parametrize("slots", [1, 2])
def test_another_attempt_never_goes_to_the_process_in_which_the_last_one_failed(
    crowd: Crowd, slots: int
) -> None:
    jobs = [crowd.submit("leave", attempts=4, name="a_failure") for _ in range(3)]
    crowd.worker("--concurrency", str(slots))
    for job in crowd.place.ended(*jobs, timeout_s=60):
        pids = [execution["pid"] for execution in job["executions"]]
        assert (job["status"], job["attempts"], len(set(pids))) == ("failed", 4, 4)


def test_a_process_in_which_two_jobs_failed_in_a_row_is_replaced(crowd: Crowd) -> None:
    jobs = [crowd.submit("leave", name="a_failure")]
    jobs += [crowd.submit("where"), crowd.submit("leave", name="a_failure")]
    jobs += [crowd.submit("leave", name="a_failure"), crowd.submit("where")]
    crowd.worker()
    crowd.place.ended(*jobs)
    pids = [pid_of(crowd, job_id) for job_id in jobs]
    assert len(set(pids[:4])) == 1
    assert pids[4] != pids[0]
    assert "2 jobs in a row failed in it" in crowd.place.log()


def test_a_process_is_replaced_after_so_many_jobs(crowd: Crowd) -> None:
    jobs = [crowd.submit("where") for _ in range(6)]
    crowd.worker("--jobs-per-child", "2")
    pids = [job["result"] for job in crowd.place.ended(*jobs)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]


def test_a_process_that_grew_beyond_a_size_is_replaced(crowd: Crowd) -> None:
    jobs = [crowd.submit("where"), crowd.submit("grow", megabytes=300), crowd.submit("where")]
    crowd.worker("--max-child-memory", "200M")
    before, _, after = (pid_of(crowd, job["id"]) for job in crowd.place.ended(*jobs))
    assert before == pid_of(crowd, jobs[1]) != after
    assert "it has grown to" in crowd.place.log()


def test_what_modules_do_at_the_end_is_done_and_bounded(crowd: Crowd) -> None:
    end = crowd.folder / "end"
    job_id = crowd.submit("note_at_the_end", path=str(end))
    hanging = crowd.submit("leave", name="an_end_that_never_comes")
    worker = crowd.worker()
    crowd.place.ended(job_id, hanging)
    pid = pid_of(crowd, hanging)
    assert stop(worker) == 0
    # Handlers run in the reverse of their order: the one that hangs was first, and was killed.
    assert not end.exists()
    assert gone(pid)
    assert "did not end within 1 s: killed" in crowd.place.log()


def test_a_process_that_is_replaced_ends_as_any_interpreter_does(crowd: Crowd) -> None:
    end = crowd.folder / "end"
    crowd.submit("note_at_the_end", path=str(end))
    crowd.submit("leave", name="an_open_file")
    crowd.worker()
    wait_until(end.exists, what="the handler of atexit")
    wait_until(lambda: "left 1 open descriptor" in crowd.place.log(), what="the log to say why")


def test_what_it_says_at_its_end_is_in_the_log_of_the_worker(crowd: Crowd) -> None:
    crowd.submit("leave", name="a_handler_of_the_end")
    crowd.submit("leave", name="an_open_file")
    last = crowd.submit("look", word=WORD)
    crowd.worker()
    crowd.finds(last)
    assert "another job" not in crowd.output(last)
    wait_until(lambda: "a handler of another job" in crowd.place.log(), what="its words")


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("returns", 0, ""),
        ("exits with 3", 3, ""),
        ("exits with words", 1, "last words\n"),
        ("raises", 1, "ZeroDivisionError"),
        ("exits at once", 5, ""),
    ],
)
def test_a_copy_of_the_process_ends_as_in_any_python(
    crowd: Crowd, how: str, code: int, said: str
) -> None:
    job_id = crowd.submit("fork", how=how)
    crowd.worker()
    (job,) = crowd.place.ended(job_id)
    assert (job["status"], job["result"]) == ("completed", code), job["error"]
    output = crowd.output(job_id) if said else ""
    assert said in output
    assert "runner.py" not in output


def test_a_copy_that_multiprocessing_ends_says_by_which_signal(crowd: Crowd) -> None:
    job_id = crowd.submit("end_a_process")
    crowd.worker()
    (job,) = crowd.place.ended(job_id)
    assert job["result"] == -15
